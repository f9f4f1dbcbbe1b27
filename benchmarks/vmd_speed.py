"""Variational mode decomposition beside the library vmdpy: the same segments, one core, one run.

    python benchmarks/vmd_speed.py [--segments 60] [--data FOLDER]

Real surface EMG in segments of 2000 samples and unit variance: forearms (MuscleTracker) and thighs (UCI lower limb)
at 1000 Hz, thighs and shins at 2000 Hz (elderly lower limb). For every segment the processor time of vmdpy over the
one here (of each the shorter of two runs, taken in turn), the updates that each made, and how far the modes are
apart, of the RMS of the segment. The exit code is 1 where the median ratio is below 20, or a segment further apart
than 1e-6.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import vmdpy
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from core.errors import UserError
from core.seeding import generator
from core.settings import Paths, Settings
from data_pipeline.readers.opening import open_reader
from denoising.vmd import spectrum, vmd
from denoising.vmd_kernel import decompose

DATABASES = ("muscletracker", "uci_lower_limb", "elderly_lower_limb")
SAMPLES = 2000
MODES, ALPHA, TOLERANCE = 6, 2000.0, 1e-7
LEAST_RATIO = 20
LARGEST_DIFFERENCE = 1e-6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", type=int, default=60, help="in all, a third from each database")
    parser.add_argument("--data", type=Path, default=os.environ.get("CLEANSEMG_DATA"), help="default: $CLEANSEMG_DATA")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("no recordings: give --data, or set CLEANSEMG_DATA")
    with threadpool_limits(limits=1):
        rows = [row for name in DATABASES for row in measured(name, arguments.data, arguments.segments // 3)]
    table = np.array([row[1:] for row in rows])
    print("database             segments  vmdpy ms  here ms  ratio (median, least, most)  updates  apart, of RMS")
    for name in (*DATABASES, "all"):
        chosen = table[[name in (row[0], "all") for row in rows]]
        theirs, ours, updates, _, apart = chosen.T
        ratio = theirs / ours
        times = f"{1e3 * np.median(theirs):9.1f} {1e3 * np.median(ours):8.2f}"
        ratios = f"{np.median(ratio):10.0f} {ratio.min():6.0f} {ratio.max():6.0f}"
        print(f"{name:20} {len(chosen):8} {times} {ratios} {np.median(updates):12.0f} {apart.max():14.1e}")
    same = int(np.sum(table[:, 2] == table[:, 3]))
    print(f"updates: {table[:, 2].min():.0f} to {table[:, 2].max():.0f}; as many as vmdpy in {same} of {len(rows)}")
    failed = np.median(table[:, 0] / table[:, 1]) < LEAST_RATIO or table[:, 4].max() > LARGEST_DIFFERENCE
    return int(failed)


def measured(name: str, data: Path, n: int) -> Iterator[tuple[str, float, float, int, int, float]]:
    """Of each segment: database, seconds of vmdpy, seconds here, updates here, updates of vmdpy, difference."""
    for x in segments(name, data, n):
        vmd(x, MODES, ALPHA, tol=TOLERANCE)  # compiles at the first segment
        theirs, here = np.inf, np.inf
        for _ in range(2):
            theirs = min(theirs, seconds(lambda x=x: vmdpy.VMD(x, ALPHA, 0.0, MODES, False, 1, TOLERANCE)))
            here = min(here, seconds(lambda x=x: vmd(x, MODES, ALPHA, tol=TOLERANCE)))
        expected, _, path = vmdpy.VMD(x, ALPHA, 0.0, MODES, False, 1, TOLERANCE)
        modes, _ = vmd(x, MODES, ALPHA, tol=TOLERANCE)
        apart = float(np.sqrt(np.mean((modes - expected) ** 2, axis=1)).max())
        updates = decompose(spectrum(x), MODES, ALPHA, 0.0, False, TOLERANCE)[2]
        yield name, theirs, here, updates, len(path), apart


def segments(name: str, data: Path, n: int) -> Iterator[NDArray[np.float64]]:
    """Segments of recordings, channels and places drawn by name."""
    reader = open_reader(name, Settings(paths=Paths(data_root=str(data))))
    references = list(reader.list())
    draw = generator(0, "benchmarks", "vmd_speed", name)
    found = 0
    for _ in range(20 * n):
        signal = reader.read(references[draw.integers(len(references))]).signal  # [C, T]
        channel = signal[draw.integers(len(signal))]
        if len(channel) < SAMPLES:
            continue
        start = draw.integers(len(channel) - SAMPLES + 1)
        x = np.asarray(channel[start : start + SAMPLES], np.float64)
        if np.isfinite(x).all() and x.std() > 0:
            yield (x - x.mean()) / x.std()
            found += 1
        if found == n:
            return
    raise UserError(f"{data}: '{name}' gave {found} segments of {SAMPLES} samples in {20 * n} draws, wanted {n}")


def seconds(work: Callable[[], object]) -> float:
    """Processor time: other programs on the machine disturb it less."""
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    sys.exit(main())
