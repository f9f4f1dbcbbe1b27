"""A denoiser made for one sampling rate, at any other from 200 Hz: resample, denoise, resample back.

Time: the rate that the denoiser sees is the recording's times p/q, with the smallest p and q that bring it within
`RATE_TOLERANCE` of its own; the way back is q/p. Both grids start at the first sample and one is an exact multiple of
the other, so every sample comes back at its own place, however long the recording and whatever its rate (1111 Hz,
Delsys's 2148.1481 Hz). What is rounded is the denoiser's rate alone: one part in 10,000, 0.005 Hz for a line at 50 Hz.

Band: what lies above the lower of the two Nyquist frequencies is not in the result. A network made for 1000 Hz has
nothing to say about a 2 kHz recording above 500 Hz, and drops it. The filter (Kaiser window, 80 dB) passes up to 0.94
of that Nyquist frequency and stops from it on: 470 and 500 Hz.

Edges: the signal goes on beyond its ends mirrored about its first and last sample, so that an offset makes no step.

Source of the window's length and shape: Oppenheim and Schafer, "Discrete-Time Signal Processing", section 7.5.3.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from math import ceil

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import InputError
from cleansemg.denoising.base import Denoiser, FloatArray
from cleansemg.noise.labels import LabelsLike, NoiseLabels, parse_labels

LOWEST_HZ = 200.0  # below, hardly anything of the band of surface EMG is there
RATE_TOLERANCE = 1e-4  # of the denoiser's rate
ATTENUATION_DB = 80.0
PASS_TO = 0.94  # of the lower Nyquist frequency


def denoise(
    denoiser: Denoiser, noisy: FloatArray, fs_hz: float, labels: LabelsLike | None = None
) -> NDArray[np.float32]:
    """Denoise at any rate from 200 Hz, whatever rate the denoiser is made for.

    At the denoiser's own rate, and with one that takes any, this is its own `denoise`, digit for digit.

    Args:
        denoiser: any.
        noisy: [n, L] or [L], any unit, finite.
        fs_hz: sampling rate of `noisy` in Hz.
        labels: as for `Denoiser.denoise`.

    Returns:
        float32, in the shape and unit of `noisy`; nothing above the denoiser's Nyquist frequency.

    Raises:
        InputError: a rate below 200 Hz, a signal too short for the denoiser, or one that it refuses.
        UserError: labels as for `Denoiser.denoise`.
    """
    ratio = ratio_for(denoiser, fs_hz)
    if ratio is None:
        return denoiser.denoise(noisy, fs_hz, labels)
    batch = denoiser.checked_signals(noisy)
    least = shortest(denoiser, fs_hz)
    if batch.shape[1] < least:
        raise InputError(f"'{denoiser.name}' needs {least} samples at {fs_hz:g} Hz, got {batch.shape[1]}")
    known: NoiseLabels | None = None
    if labels is not None:
        known = parse_labels(labels, len(batch))
        if known.clean is not None:
            known = replace(known, clean=resample(known.clean, ratio))
    own_hz = float(denoiser.sampling_rate_hz or fs_hz)
    estimate = denoiser.denoise(resample(batch, ratio), own_hz, known)
    back = resample(estimate, 1 / ratio)[:, : batch.shape[1]]
    return back.astype(np.float32).reshape(np.shape(noisy))


def shortest(denoiser: Denoiser, fs_hz: float) -> int:
    """How many samples at `fs_hz` the denoiser needs.

    Raises:
        InputError: a rate that the denoiser does not take.
    """
    ratio = ratio_for(denoiser, fs_hz)
    if ratio is None:
        return denoiser.min_samples
    return (denoiser.min_samples - 1) * ratio.denominator // ratio.numerator + 1


def ratio_for(denoiser: Denoiser, fs_hz: float) -> Fraction | None:
    """What a recording's rate is multiplied by for this denoiser; None where it takes the recording as it is.

    Raises:
        InputError: not a rate, or with a denoiser of one rate one below 200 Hz.
    """
    if not np.isfinite(fs_hz) or fs_hz <= 0:
        raise InputError(f"fs_hz must be a positive number of Hz, got {fs_hz!r}")
    own_hz = denoiser.sampling_rate_hz
    if own_hz is None or fs_hz == own_hz:
        return None
    if fs_hz < LOWEST_HZ:
        raise InputError(f"'{denoiser.name}' works from {LOWEST_HZ:g} Hz on, got {fs_hz:g} Hz")
    return simple_ratio(float(fs_hz), float(own_hz))


@lru_cache(maxsize=64)
def simple_ratio(from_hz: float, to_hz: float) -> Fraction:
    """The simplest fraction within `RATE_TOLERANCE` of to_hz / from_hz.

    >>> simple_ratio(2148.1481, 1000.0)  # exactly 58000 / 27 Hz
    Fraction(27, 58)
    """
    wanted = Fraction(max(from_hz, to_hz)) / Fraction(min(from_hz, to_hz))
    low = 1
    while abs(Fraction(round(wanted * low), low) / wanted - 1) > RATE_TOLERANCE:
        low += 1
    ratio = Fraction(round(wanted * low), low)
    return ratio if to_hz > from_hz else 1 / ratio


def resample(x: NDArray[np.floating], ratio: Fraction) -> NDArray[np.float64]:
    """Resample along the last axis; sample m of the result lies at sample m / ratio of `x`.

    Args:
        x: [n, L], any unit.
        ratio: of the new rate to the old one.

    Returns:
        [n, ceil(L ratio)]. A constant stays exactly that constant, but for rounding.
    """
    from scipy import signal

    samples: NDArray[np.float64] = np.asarray(x, np.float64)
    up, down = ratio.numerator, ratio.denominator
    if up == down:
        return samples
    taps = _low_pass(up, down)
    n_samples = ceil(samples.shape[1] * ratio)
    pieces = ceil(len(taps) / (2 * up * down))  # of the margin: `down` samples become `up`
    margin = pieces * down
    extended = np.pad(samples, ((0, 0), (margin, margin)), mode="reflect", reflect_type="odd")
    y: NDArray[np.float64] = signal.resample_poly(extended, up, down, axis=1, window=taps)
    return y[:, pieces * up : pieces * up + n_samples]


@lru_cache(maxsize=16)
def _low_pass(up: int, down: int) -> NDArray[np.float64]:
    """Kaiser-windowed sinc at `up` times the old rate, which is `down` times the new one."""
    from scipy import signal

    widest = max(up, down)  # the lower of the two rates is 1 / widest of the filter's
    transition = (1 - PASS_TO) / 2  # of the lower rate
    half = ceil((ATTENUATION_DB - 7.95) / (14.36 * transition) / 2) * widest
    beta = 0.1102 * (ATTENUATION_DB - 8.7)
    taps: NDArray[np.float64] = signal.firwin(2 * half + 1, (1 + PASS_TO) / 2 / widest, window=("kaiser", beta))
    # each output sample sees every up-th tap: made to sum to the same, a large offset leaves no ripple
    for phase in range(up):
        taps[phase::up] /= taps[phase::up].sum() * up
    return taps
