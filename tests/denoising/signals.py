"""Signals that several tests of the denoisers use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import dsp
from cleansemg.core.seeding import generator

FS_HZ = 1000.0


def emg(n: int, n_samples: int = 2000, low_hz: float = 20.0, name: str = "emg") -> NDArray[np.float64]:
    """[n, L] V: noise in the band of surface EMG, with slow bursts, 100 microvolts or so."""
    rng = generator(7, name, n, n_samples)
    t = np.arange(n_samples) / FS_HZ
    bursts = 1 + 0.7 * np.sin(2 * np.pi * 0.5 * t + rng.uniform(0, 6, (n, 1)))
    return 1e-4 * bursts * dsp.band_pass(rng.standard_normal((n, n_samples)), low_hz, 450.0, FS_HZ)


def at_snr(clean: NDArray[np.float64], noise: NDArray[np.float64], snr_db: float) -> NDArray[np.float64]:
    """Add `noise`, scaled signal by signal."""
    ratio = np.sum(clean**2, axis=-1, keepdims=True) / np.sum(noise**2, axis=-1, keepdims=True)
    return clean + noise * np.sqrt(ratio / 10 ** (snr_db / 10))


def snr_db(clean: NDArray[np.float64], estimate: NDArray[np.floating]) -> NDArray[np.float64]:
    """[n] dB."""
    ratio: NDArray[np.float64] = np.sum(clean**2, axis=-1) / np.sum((estimate - clean) ** 2, axis=-1)
    return 10 * np.log10(ratio)


def real_ecg(folder: Path, records: tuple[str, ...] = ("100", "103", "117")) -> NDArray[np.float64]:
    """[n, L] mV: minutes of the MIT-BIH arrhythmia database at 1 kHz, in the band of the noise libraries."""
    import wfdb

    rows = []
    for record in records:
        lead = wfdb.rdrecord(str(folder / "mitdb" / record), sampto=360 * 62).p_signal[:, 0]
        rows.append(dsp.band_pass(dsp.resample(lead - lead.mean(), 360.0, FS_HZ), 20.0, 200.0, FS_HZ)[:60_000])
    return np.stack(rows)
