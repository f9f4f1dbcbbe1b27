"""Signals with one kind of noise each, for the tests of the denoisers that treat modes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import dsp
from cleansemg.denoising import NoiseLabels
from cleansemg.noise.labels import Rule
from tests.denoising.signals import FS_HZ, at_snr, emg

KINDS = ("PLI", "ECG", "MOA", "WGN", "Color")


def clean_emg(n: int = 4) -> NDArray[np.float64]:
    """[n, L] V: white noise of 40 to 250 Hz, with slow bursts."""
    return dsp.band_pass(emg(n), 40.0, 250.0, FS_HZ)


def contaminated(kind: str, snr_db: float, n: int = 4) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`clean_emg` and the same with a line of five harmonics, heartbeats, drift below 20 Hz, or white noise."""
    clean = clean_emg(n)
    t = np.arange(clean.shape[1]) / FS_HZ
    if kind == "PLI":
        noise = np.sum([np.sin(2 * np.pi * 50.2 * k * t + k) / k for k in range(1, 6)], axis=0)[None].repeat(n, axis=0)
    elif kind == "ECG":
        phase_s = (t + 0.1 * np.arange(n)[:, None]) % 0.8 - 0.4
        noise = dsp.band_pass(np.exp(-0.5 * (phase_s / 0.012) ** 2), 1.0, 200.0, FS_HZ)
    elif kind == "MOA":
        noise = dsp.band_pass(np.random.default_rng(3).standard_normal(clean.shape), 3.0, 20.0, FS_HZ)
    else:
        noise = dsp.band_pass(np.random.default_rng(4).standard_normal(clean.shape), 20.0, 495.0, FS_HZ)
    return clean, at_snr(clean, noise, snr_db)


def labels(kinds: str, n: int = 4, line_hz: float = np.nan, rule: Rule = "published") -> NoiseLabels:
    """The same labels for n signals: kinds as "PLI+ECG"."""
    rows = np.tile([kind in kinds.split("+") for kind in KINDS], (n, 1))
    return NoiseLabels(rows, np.full(n, line_hz), rule=rule)
