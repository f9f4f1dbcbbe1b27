"""Milliseconds a segment of 2000 samples for every metric of both profiles, on one core, beside a plain loop.

Run from the project's root: `python benchmarks/metrics.py`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from cleansemg.core.seeding import generator
from cleansemg.evaluation import metrics

SEGMENTS = 256
SAMPLES = 2000
FS_HZ = 1000.0
LIMIT_MS = 0.4


def main() -> int:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from tests.evaluation import reference_metrics

    random = generator(0, "benchmarks", "metrics")
    clean = 1e-4 * random.standard_normal((SEGMENTS, SAMPLES))
    noise = 1e-4 * random.standard_normal((SEGMENTS, SAMPLES))
    signals = [x.astype(np.float32) for x in (clean, clean + noise, clean + 0.5 * noise)]
    few = [x[:16] for x in signals]
    slow = False
    print("profile    batched ms  loop ms  ratio")
    with threadpool_limits(limits=1):
        for profile in metrics.PROFILES:
            batched_ms = 1e3 * least_s(lambda p=profile: metrics.compute(*signals, FS_HZ, p)) / SEGMENTS
            loop_ms = (
                1e3
                * least_s(lambda p=profile: [reference_metrics.score(*s, FS_HZ, p) for s in zip(*few, strict=True)], 3)
                / 16
            )
            print(f"{profile:10} {batched_ms:10.3f} {loop_ms:8.2f} {loop_ms / batched_ms:6.1f}")
            slow |= batched_ms > LIMIT_MS
    if slow:
        print(f"slower than {LIMIT_MS} ms a segment")
    return int(slow)


def least_s(work: Callable[[], object], repeats: int = 9) -> float:
    """Processor time of the shortest of several runs: what the work costs when little disturbs it."""
    work()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


if __name__ == "__main__":
    sys.exit(main())
