"""Decompositions beside their reference libraries: the same segments, in turn, one core, one run.

    python -m benchmarks.decompositions [--segments 24] [--data FOLDER]

Real surface EMG at 1 kHz in segments of 2000 samples and unit variance (MuscleTracker and UCI lower limb, every second
one band-passed from 20 to 450 Hz, the others raw). For each contest the median over segments of the library's time over
the time here, its least and largest, the median times, and how many segments agree within 1e-8 (VMD: 1e-6) of the RMS.
A contest is one row of `CONTESTS`. Times are of the processor, so that other work on the machine disturbs them little;
what is made once (compilation, CEEMDAN's noise) is made before the clock starts. The exit code is 1 where a median
misses its target.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.threads import single_threaded
from cleansemg.denoising.ceemdan import ceemdan
from cleansemg.denoising.emd import emd
from cleansemg.denoising.vmd import vmd

Signal = NDArray[np.float64]
TRIALS, RANGE_THR, TOTAL_POWER_THR, SEED = 20, 0.001, 0.01, 42
MODES, ALPHA = 6, 2000.0
REPEATS = 3  # runs of ours, of which the shortest counts; the library's is long enough to be measured once


@dataclass(frozen=True)
class Contest:
    """A decomposition here, the library's, and how many times as fast ours is to be."""

    name: str
    ours: Callable[[Signal], Signal]
    library: Callable[[Signal], Signal]
    target: float
    tolerance: float = 1e-8


def library_emd(x: Signal) -> Signal:
    from PyEMD import EMD

    modes: Signal = EMD().emd(x)
    return modes


def our_ceemdan(x: Signal) -> Signal:
    return ceemdan(x, TRIALS, seed=SEED, range_thr=RANGE_THR, total_power_thr=TOTAL_POWER_THR)


def library_ceemdan(x: Signal) -> Signal:
    from PyEMD import CEEMDAN

    method = CEEMDAN(TRIALS, parallel=False, range_thr=RANGE_THR, total_power_thr=TOTAL_POWER_THR)
    method.noise_seed(SEED)
    modes: Signal = method.ceemdan(x)
    return modes


def our_vmd(x: Signal) -> Signal:
    return vmd(x, MODES, ALPHA)[0]


def library_vmd(x: Signal) -> Signal:
    import vmdpy

    even = x[: len(x) - len(x) % 2]
    modes: Signal = vmdpy.VMD(even, ALPHA, 0.0, MODES, False, 1, 1e-7)[0]
    return modes


CONTESTS = (
    Contest("EMD", emd, library_emd, target=8),
    Contest("CEEMDAN, 20 trials", our_ceemdan, library_ceemdan, target=20),
    Contest("VMD, K = 6", our_vmd, library_vmd, target=20, tolerance=1e-6),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", type=int, default=24)
    parser.add_argument("--data", type=Path, default=os.environ.get("CLEANSEMG_DATA"), help="default: $CLEANSEMG_DATA")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("no recordings: give --data, or set CLEANSEMG_DATA")
    from tests.denoising.emg_segments import real_segments

    segments = real_segments(Path(arguments.data), arguments.segments)
    segments = (segments - segments.mean(axis=1, keepdims=True)) / segments.std(axis=1, keepdims=True)
    slow = False
    print("decomposition        library ms  here ms  ratio: median   least    most  target   agree")
    with single_threaded():
        for contest in CONTESTS:
            slow |= not run(contest, segments)
    return int(slow)


def run(contest: Contest, segments: Signal) -> bool:
    """Print one row; returns whether the target is reached."""
    contest.ours(segments[0])
    contest.library(segments[0, :50])  # imports
    rows = []
    agree = 0
    for x in segments:
        library_s, expected = timed(contest.library, x)
        runs = [timed(contest.ours, x) for _ in range(REPEATS)]
        rows.append((library_s, min(seconds for seconds, _ in runs)))
        modes = runs[0][1]
        agree += modes.shape == expected.shape and bool(np.abs(modes - expected).max() <= contest.tolerance)
    library_s, ours_s = np.array(rows).T
    ratio = library_s / ours_s
    print(
        f"{contest.name:20} {1e3 * np.median(library_s):10.1f} {1e3 * np.median(ours_s):8.2f} {np.median(ratio):14.1f} "
        f"{ratio.min():7.1f} {ratio.max():7.1f} {contest.target:7.0f}   {agree} of {len(segments)}"
    )
    return bool(np.median(ratio) >= contest.target)


def timed(work: Callable[[Signal], Signal], x: Signal) -> tuple[float, Signal]:
    """Seconds of processor time, and the result."""
    start = time.process_time()
    result = work(x)
    return time.process_time() - start, result


if __name__ == "__main__":
    sys.exit(main())
