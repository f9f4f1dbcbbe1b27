"""Zero-phase filters and resampling, along the last axis, in float64.

Filters are second-order sections: the b/a form of the published code loses digits at low cut-offs.
scipy.signal takes a second to import, half of a worker's start, so it is imported where it is used.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

NYQUIST_MARGIN = 0.99  # an upper band edge never comes closer to the Nyquist frequency than this


@lru_cache(maxsize=256)
def _butterworth(order: int, edges_hz: tuple[float, ...], kind: str, fs_hz: float) -> FloatArray:
    from scipy import signal

    edges = edges_hz if len(edges_hz) > 1 else edges_hz[0]
    sos: FloatArray = signal.butter(order, edges, btype=kind, fs=fs_hz, output="sos")
    return sos


@lru_cache(maxsize=1024)
def _notch(frequency_hz: float, q: float, fs_hz: float) -> FloatArray:
    from scipy import signal

    b, a = signal.iirnotch(frequency_hz, q, fs=fs_hz)
    return np.concatenate([b, a])[np.newaxis]  # one section as it is; tf2sos takes 60 times as long


def zero_phase(sos: FloatArray, x: NDArray[np.floating]) -> FloatArray:
    """Filter forwards and backwards; short signals get as much padding as they have samples."""
    from scipy import signal

    n = x.shape[-1]
    padding = min(3 * (2 * len(sos) + 1), n - 1)
    y: FloatArray = signal.sosfiltfilt(sos, np.asarray(x, np.float64), axis=-1, padlen=padding)
    return y


def high_pass(x: NDArray[np.floating], cutoff_hz: float, fs_hz: float, order: int = 4) -> FloatArray:
    """Butterworth high-pass, zero phase."""
    return zero_phase(_butterworth(order, (float(cutoff_hz),), "highpass", float(fs_hz)), x)


def low_pass(x: NDArray[np.floating], cutoff_hz: float, fs_hz: float, order: int = 4) -> FloatArray:
    """Butterworth low-pass, zero phase."""
    return zero_phase(_butterworth(order, (float(cutoff_hz),), "lowpass", float(fs_hz)), x)


def band_pass(x: NDArray[np.floating], low_hz: float, high_hz: float, fs_hz: float, order: int = 4) -> FloatArray:
    """Butterworth band-pass, zero phase; `high_hz` is kept below 0.99 of the Nyquist frequency."""
    high_hz = min(float(high_hz), NYQUIST_MARGIN * fs_hz / 2)
    return zero_phase(_butterworth(order, (float(low_hz), high_hz), "bandpass", float(fs_hz)), x)


def notch(x: NDArray[np.floating], frequency_hz: float, q: float, fs_hz: float) -> FloatArray:
    """Second-order notch, zero phase; `q` is the centre frequency over the -3 dB width."""
    return zero_phase(_notch(float(frequency_hz), float(q), float(fs_hz)), x)


def resample(x: NDArray[np.floating], from_hz: float, to_hz: float) -> FloatArray:
    """Polyphase resampling with scipy's default anti-aliasing filter.

    The ratio is the nearest fraction with a denominator up to 10,000, exact for every rate in whole
    hertz up to that.
    """
    if from_hz == to_hz:
        return np.asarray(x, np.float64)
    from scipy import signal

    ratio = Fraction(to_hz / from_hz).limit_denominator(10_000)
    y: FloatArray = signal.resample_poly(np.asarray(x, np.float64), ratio.numerator, ratio.denominator, axis=-1)
    return y


def resampled_length(n: int, from_hz: float, to_hz: float) -> int:
    """How many samples `resample` returns for `n`."""
    if from_hz == to_hz:
        return n
    ratio = Fraction(to_hz / from_hz).limit_denominator(10_000)
    return -(-n * ratio.numerator // ratio.denominator)
