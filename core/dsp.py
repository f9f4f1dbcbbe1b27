"""Zero-phase filters and resampling, along the last axis, in float64.

Filters are second-order sections: the b/a form of the published code loses digits at low cut-offs.

Resampling is polyphase, with one of two low-pass filters:

- `resample`, scipy's default: for what is made once and stays at its new rate (segments, noise, streams of a task, the
  windows of the quality network). It is short and gentle: 6 dB down at the lower Nyquist frequency, so what lies just
  above that comes back weakened below it. Every number of the benchmark and every network was made with it.
- `resample_sharp`: for the way to another rate and back around a denoiser, where what passes must come back as it was
  and a recording's ends and offset must leave no trace. It stops 80 dB from the Nyquist frequency on (Kaiser window;
  Oppenheim and Schafer, "Discrete-Time Signal Processing", section 7.5.3), and is eight times as long.

scipy.signal takes a second to import, half of a worker's start, so it is imported where it is used.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import ceil

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

NYQUIST_MARGIN = 0.99  # an upper band edge never comes closer to the Nyquist frequency than this
RATE_TOLERANCE = 1e-4  # of a rate, for a simple ratio to another
SHARP_STOP_DB = 80.0
SHARP_PASS = 0.94  # of the lower Nyquist frequency


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


@lru_cache(maxsize=64)
def simple_ratio(from_hz: float, to_hz: float) -> Fraction:
    """The simplest fraction within `RATE_TOLERANCE` of to_hz / from_hz.

    >>> simple_ratio(2148.1481, 1000.0)  # exactly 58000 / 27 Hz
    Fraction(27, 58)
    """
    exact = Fraction(max(from_hz, to_hz)) / Fraction(min(from_hz, to_hz))
    denominator = 1
    while abs(Fraction(round(exact * denominator), denominator) / exact - 1) > RATE_TOLERANCE:
        denominator += 1
    ratio = Fraction(round(exact * denominator), denominator)
    return ratio if to_hz > from_hz else 1 / ratio


def resample_sharp(x: NDArray[np.floating], ratio: Fraction) -> FloatArray:
    """Resample with the sharp filter; sample m of the result lies at sample m / ratio of `x`.

    The signal goes on beyond its ends mirrored about its first and last sample, so that an offset makes no step.

    Args:
        x: [n, L], any unit.
        ratio: of the new rate to the old one.

    Returns:
        [n, ceil(L ratio)]. A constant stays exactly that constant, but for rounding.
    """
    from scipy import signal

    samples: FloatArray = np.asarray(x, np.float64)
    up, down = ratio.numerator, ratio.denominator
    if up == down:
        return samples
    taps = _sharp_low_pass(up, down)
    n_samples = ceil(samples.shape[1] * ratio)
    pieces = ceil(len(taps) / (2 * up * down))  # of the margin: `down` samples become `up`
    margin = pieces * down
    extended = np.pad(samples, ((0, 0), (margin, margin)), mode="reflect", reflect_type="odd")
    y: FloatArray = signal.resample_poly(extended, up, down, axis=1, window=taps)
    return y[:, pieces * up : pieces * up + n_samples]


@lru_cache(maxsize=16)
def _sharp_low_pass(up: int, down: int) -> FloatArray:
    """Kaiser-windowed sinc at `up` times the old rate, which is `down` times the new one."""
    from scipy import signal

    widest = max(up, down)  # the lower of the two rates is 1 / widest of the filter's
    transition = (1 - SHARP_PASS) / 2  # of the lower rate
    half = ceil((SHARP_STOP_DB - 7.95) / (14.36 * transition) / 2) * widest
    beta = 0.1102 * (SHARP_STOP_DB - 8.7)
    taps: FloatArray = signal.firwin(2 * half + 1, (1 + SHARP_PASS) / 2 / widest, window=("kaiser", beta))
    # each output sample sees every up-th tap: made to sum to the same, a large offset leaves no ripple
    for phase in range(up):
        taps[phase::up] /= taps[phase::up].sum() * up
    return taps
