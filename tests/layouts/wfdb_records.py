"""Writing small WFDB records of the kinds that noise is taken from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# P, Q, R, S, T: phase within a beat, width in beats, height in mV of the first lead.
WAVES = ((0.20, 0.025, 0.12), (0.365, 0.010, -0.10), (0.38, 0.010, 1.10), (0.40, 0.010, -0.22), (0.62, 0.045, 0.30))


def write_record(
    folder: Path, name: str, signal_mv: NDArray[np.float64], fs_hz: float, leads: Sequence[str], gain: float = 200.0
) -> None:
    """Write one record in format 212.

    Args:
        folder: where; made if absent.
        name: of the record.
        signal_mv: [C, T] mV.
        fs_hz: sampling rate.
        leads: [C] names.
        gain: codes a mV.
    """
    import wfdb

    folder.mkdir(parents=True, exist_ok=True)
    wfdb.wrsamp(
        name,
        fs=fs_hz,
        units=["mV"] * len(leads),
        sig_name=list(leads),
        p_signal=signal_mv.T,
        fmt=["212"] * len(leads),
        adc_gain=[gain] * len(leads),
        baseline=[0] * len(leads),
        write_dir=str(folder),
    )


def ecg_like(rng: np.random.Generator, seconds: float, fs_hz: float) -> NDArray[np.float64]:
    """[2, T] mV: beats of five Gaussian waves at 50 to 90 a minute, with a little variation from beat to beat."""
    n = round(seconds * fs_hz)
    rate_hz = rng.uniform(50, 90) / 60
    beats = 1 / rate_hz * (1 + 0.03 * rng.normal(size=int(2 * seconds * rate_hz) + 10))
    starts = np.cumsum(beats)
    phase = np.interp(np.arange(n) / fs_hz, np.concatenate([[0.0], starts]), np.arange(starts.size + 1.0)) % 1.0
    lead = sum(height * np.exp(-0.5 * ((phase - at) / width) ** 2) for at, width, height in WAVES)
    noise = 0.005 * rng.normal(size=(2, n))
    return np.stack([lead, 0.5 * lead]) + noise
