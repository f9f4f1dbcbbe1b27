"""Machado's motion-artifact recordings in small: MATLAB files with the key `a` at 2000 Hz, in two folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.io
import scipy.signal

from cleansemg.core.seeding import generator

FS_HZ = 2000.0


def write_moa(root: Path, n_train: int = 3, n_test: int = 2, seconds: float = 30.0, seed: int = 0) -> Path:
    """Write `moa_train/` and `moa_test/` below `root`; a file is one column of movement artefact and hum.

    Returns:
        `root`.
    """
    for part, count in (("moa_train", n_train), ("moa_test", n_test)):
        folder = root / part
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(1, count + 1):
            rng = generator(seed, "layouts", part, number)
            n = round(seconds * FS_HZ)
            sway = scipy.signal.sosfiltfilt(
                scipy.signal.butter(2, (0.5, 15.0), "bandpass", fs=FS_HZ, output="sos"), rng.normal(size=n)
            )
            jerks = np.zeros(n)
            for start in rng.integers(0, n - 400, size=max(1, round(seconds / 2))):
                jerks[start : start + 400] += rng.normal() * np.hanning(400)
            hum = 0.05 * np.sin(2 * np.pi * 50.0 * np.arange(n) / FS_HZ)
            scipy.io.savemat(folder / f"moa_{number}.mat", {"a": (1e-3 * (sway / sway.std() + jerks + hum))[:, None]})
    return root
