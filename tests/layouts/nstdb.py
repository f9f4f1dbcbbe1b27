"""PhysioNet's MIT-BIH Noise Stress Test Database in small: its three records of noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.signal

from cleansemg.core.seeding import generator
from tests.layouts.wfdb_records import write_record

FOLDER = "mit-bih-noise-stress-test-database-1.0.0"
FS_HZ = 360.0
BANDS_HZ = {"bw": (0.05, 1.0), "em": (0.5, 25.0), "ma": (15.0, 120.0)}  # wander, electrode motion, muscle


def write_nstdb(root: Path, seconds: float = 60.0, seed: int = 0) -> Path:
    """Write bw, em and ma, two leads each.

    Returns:
        The folder of the records, `root` / `FOLDER`.
    """
    folder = root / FOLDER
    for name, band_hz in BANDS_HZ.items():
        rng = generator(seed, "layouts", "nstdb", name)
        shape = scipy.signal.butter(2, band_hz, "bandpass", fs=FS_HZ, output="sos")
        noise = scipy.signal.sosfiltfilt(shape, rng.normal(size=(2, round(seconds * FS_HZ))), axis=-1)
        noise_mv = 0.3 * noise / np.std(noise, axis=-1, keepdims=True)
        write_record(folder, name, noise_mv, FS_HZ, ("noise1", "noise2"))
    return folder
