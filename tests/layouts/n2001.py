"""EMGLAB N2001 in small: pairs of a text header and 16-bit samples, at 23,437.5 Hz."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.seeding import generator

FS_HZ = 23437.5
PER_MV = 1000.0  # codes
RATE_HZ = {"C": 10.0, "M": 14.0, "A": 20.0}  # of discharges
WIDTH_S = {"C": 2e-3, "M": 1e-3, "A": 4e-3}  # of a potential
HEIGHT_MV = {"C": 1.0, "M": 0.4, "A": 3.0}


def write_n2001(root: Path, people: int = 3, records: int = 2, seconds: float = 4.3, seed: int = 0) -> Path:
    """Write `people` of each group, with `records` of the biceps each, in a folder a person.

    Returns:
        `root` / N2001.
    """
    folder = root / "N2001"
    for letter in "ACM":
        for number in range(1, people + 1):
            for record in range(1, records + 1):
                name = f"N2001{letter}{number:02d}BB{record:02d}"
                signal_mv = needle(generator(seed, "layouts", "n2001", name), letter, seconds)
                write_pair(folder / f"{letter}{number:02d}", name, signal_mv)
    return folder


def write_pair(folder: Path, name: str, signal_mv: NDArray[np.float64], order: str = "little") -> None:
    """Write one pair; the format is 16 for little-endian samples and 61 for big-endian ones."""
    folder.mkdir(parents=True, exist_ok=True)
    codes = np.round(signal_mv * PER_MV).astype("<i2" if order == "little" else ">i2")
    (folder / f"{name}.bin").write_bytes(codes.tobytes())
    form = {"little": 16, "big": 61}[order]
    (folder / f"{name}.hea").write_text(
        f"{name} 1 {FS_HZ} {len(codes)}\n{name}.bin {form} {PER_MV:g}/mV 16 0 {int(codes[0])} 0 0 EMG\n# Biceps brachii\n"
    )


def needle(rng: np.random.Generator, letter: str, seconds: float) -> NDArray[np.float64]:
    """[T] mV: discharges of one unit, each a derivative of a Gaussian, in a little noise."""
    n = round(seconds * FS_HZ)
    intervals = (1 + 0.15 * rng.normal(size=round(3 * seconds * RATE_HZ[letter]))) / RATE_HZ[letter]
    at = np.cumsum(np.maximum(intervals, 0.01))
    impulses = np.zeros(n)
    impulses[np.round(at[at < seconds - 0.01] * FS_HZ).astype(int)] = HEIGHT_MV[letter]
    time = np.arange(-200, 201) / FS_HZ / (WIDTH_S[letter] / 2)
    shape = -time * np.exp(0.5 - time**2 / 2)
    return np.convolve(impulses, shape, mode="same") + 0.005 * rng.normal(size=n)
