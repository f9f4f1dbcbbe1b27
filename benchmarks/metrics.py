"""Milliseconds a segment of 2000 samples for every metric of both profiles, on one core, beside a plain loop.

Run from the project's root: `python benchmarks/metrics.py`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_limits

from cleansemg.core.seeding import generator
from cleansemg.evaluation import metrics
from cleansemg.evaluation.verification.independent_metrics import Segment, recomputed

SEGMENTS = 256
SAMPLES = 2000
FS_HZ = 1000.0
LIMIT_MS = 0.4


def main() -> int:
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
            loop_ms = 1e3 * least_s(lambda p=profile: scored_one_by_one(few, p), 3) / len(few[0])
            print(f"{profile:10} {batched_ms:10.3f} {loop_ms:8.2f} {loop_ms / batched_ms:6.1f}")
            slow |= batched_ms > LIMIT_MS
    if slow:
        print(f"slower than {LIMIT_MS} ms a segment")
    return int(slow)


def scored_one_by_one(signals: list[np.ndarray], profile: str) -> list[dict[str, float]]:
    """The same scores by the independent formulas."""
    rows = zip(*(x.astype(np.float64) for x in signals), strict=True)
    return [recomputed(Segment(*row, FS_HZ, profile), metrics.catalogue(profile)) for row in rows]


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
