"""Windows of 200 samples a second of processor time for the features of downstream/common/features.py, on one core.

Run from the project's root: `python benchmarks/features.py`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from threadpoolctl import threadpool_limits

from cleansemg.core.seeding import generator
from cleansemg.downstream.common import features

WINDOWS = 20_000
SAMPLES = 200
FS_HZ = 1000.0
AT_LEAST = 100_000  # windows a second, the time-domain set


def main() -> int:
    x = 1e-4 * generator(0, "benchmarks", "features").standard_normal((WINDOWS, SAMPLES))
    with threadpool_limits(limits=1):
        time_domain = WINDOWS / least_s(lambda: features.time_domain(x, 1e-5))
        spectral = WINDOWS / least_s(lambda: features.spectral(x, FS_HZ))
    print(f"time domain ({len(features.TIME_DOMAIN)} features): {time_domain:,.0f} windows a second")
    print(f"spectral ({len(features.SPECTRAL)} features): {spectral:,.0f} windows a second")
    if time_domain < AT_LEAST:
        print(f"slower than {AT_LEAST:,} windows a second")
    return int(time_domain < AT_LEAST)


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
