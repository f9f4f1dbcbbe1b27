"""Metrics computed anew from their definitions in docs/metrics.md, a signal at a time.

c is the clean, x the noisy, e the denoised segment, all float64 [L] in volts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float64]

EPSILON = 1e-12  # V^2, of the profile `published`
PERFECT_DB = 100.0  # published
ROUNDING = 2.0**-24  # standard: the error counts as at least this part of the clean signal's norm
FLOOR = 1e-8  # standard: -80 dB
ARV_WINDOWS = {"ecg_paper": 1000, "trustemg": 200}  # samples; 200 ms in the others
LOW_HZ, HIGH_HZ = 20.0, 500.0


def recomputed(c: Signal, x: Signal, e: Signal, fs_hz: float, profile: str) -> dict[str, float]:
    """Every metric of a profile that is computed here, by key."""
    found = {
        "SNRimp": snr_db(c, e, profile) - snr_db(c, x, profile),
        "RMSE": float(np.sqrt(np.mean((e - c) ** 2))),
        "PRD": 100 * float(np.sqrt(_energy(e - c) / (_energy(c) + (EPSILON if profile == "published" else 0.0)))),
        "RMSE_ARV": _over_windows(
            c, e, ARV_WINDOWS.get(profile, round(0.2 * fs_hz)), lambda w: float(np.abs(w).mean())
        ),
        "RMSE_ZCR": _over_windows(c, e, round(0.2 * fs_hz), lambda w: _sign_changes(w) / (round(0.2 * fs_hz) / fs_hz)),
    }
    if profile in ("standard", "published"):
        still = FLOOR * float(np.mean(c * c)) if profile == "standard" else EPSILON**2
        found["RMSE_Kurtosis"] = _over_windows(c, e, round(0.2 * fs_hz), lambda w: _kurtosis(w, still))
    else:
        found["KR"] = abs(_quantile_ratio(e) - _quantile_ratio(c))
    if profile == "standard":
        found |= _spectral(c, e, fs_hz)
    return found


def snr_db(c: Signal, y: Signal, profile: str) -> float:
    """Signal-to-noise ratio of an estimate y, dB."""
    error, signal = _energy(y - c), _energy(c)
    if profile == "published":
        return PERFECT_DB if error < EPSILON else 10 * float(np.log10(signal / (error + EPSILON)))
    return 10 * float(np.log10(signal / max(error, ROUNDING**2 * signal)))


def _energy(x: Signal) -> float:
    return float(np.sum(x * x))


def _windows(x: Signal, length: int) -> Iterator[Signal]:
    for start in range(0, len(x) - length + 1, length):
        yield x[start : start + length]


def _over_windows(c: Signal, e: Signal, length: int, feature: Callable[[Signal], float]) -> float:
    """Root mean square difference of a feature of the windows side by side."""
    pairs = [(feature(a), feature(b)) for a, b in zip(_windows(c, length), _windows(e, length), strict=True)]
    return float(np.sqrt(np.mean([(a - b) ** 2 for a, b in pairs])))


def _sign_changes(window: Signal) -> int:
    """A zero has the sign of the sample before it; zeros that open a window that of its first other sample."""
    signs = np.sign(window[window != 0])
    return int(np.count_nonzero(signs[1:] != signs[:-1]))


def _kurtosis(window: Signal, still: float) -> float:
    deviation = window - window.mean()
    m2 = float(np.mean(deviation**2))
    return 0.0 if m2 <= still else float(np.mean(deviation**4)) / m2**2 - 3.0


def _quantile_ratio(x: Signal) -> float:
    low, first, third, high = np.quantile(x, [0.025, 0.25, 0.75, 0.975])
    return float((high - low) / (third - first)) - 2.91 if third > first else float("nan")


def _spectral(c: Signal, e: Signal, fs_hz: float) -> dict[str, float]:
    """LSD and the mean frequency of 200 ms windows under a Hann window, bins from 20 to 500 Hz, floored at -80 dB."""
    length = round(0.2 * fs_hz)
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    frequency = np.arange(length // 2 + 1) * fs_hz / length
    band = (frequency >= LOW_HZ) & (frequency <= HIGH_HZ)
    weight = np.where(frequency == fs_hz / 2, 0.5, 1.0)[band]

    def powers(x: Signal) -> Signal:
        return np.array([np.abs(np.fft.rfft(w * taper))[band] ** 2 * weight for w in _windows(x, length)])

    clean, denoised = powers(c), powers(e)
    least = FLOOR * clean.mean()
    clean, denoised = np.maximum(clean, least), np.maximum(denoised, least)
    level = 10 * np.log10(denoised / clean)
    mean_hz = [(p * frequency[band]).sum(axis=1) / p.sum(axis=1) for p in (clean, denoised)]
    return {
        "LSD": float(np.sqrt((level**2).mean(axis=1)).mean()),
        "RMSE_MNF": float(np.sqrt(np.mean((mean_hz[1] - mean_hz[0]) ** 2))),
    }
