"""Treatment of the modes of a decomposition by kind of noise, for `emd`, `ceemdan` and `vmd`.

Source: the decomposition baselines of TrustEMG-Net and CleanSEMG, which treat modes by their dominant frequency and
by the kind of noise. Several kinds are treated one after the other, from narrow to wide, so that the louder, narrower
noise is already removed: `remove_line`, `remove_ecg`, `remove_slow`, and last the thresholds for white and coloured
noise.

Thresholds are soft, at `factor` sigma_k sqrt(2 ln L), with sigma_k the deviation of the noise in mode k. In white noise
the modes' energies fall by a known law (Flandrin, Rilling and Goncalves, "Empirical mode decomposition as a filter
bank", IEEE Signal Process. Lett. 11(2), 112-114, 2004), which the baselines have as a table, `shares`, relative to the
first: sigma_k^2 = sigma_1^2 shares_k. Modes beyond the table hold almost no white noise and are not changed; neither
is the last row, the remainder of the decomposition.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import dsp
from cleansemg.core.errors import InputError, UserError
from cleansemg.denoising.noise_detection import DetectedNoise, without_line, without_mean
from cleansemg.denoising.power_line import HARMONIC_SHARE, THRESHOLD, PowerLine, find_power_line

FloatArray = NDArray[np.float64]

ECG_TEMPLATE_HZ = 40.0  # low-pass of the signal that approximates the ECG
ECG_CUTOFF_HZ = 30.0  # high-pass of the modes that resemble it
ECG_MODES = 6
NORMAL_MEDIAN = 0.6744897501960817  # median of |x| for a standard normal x


def treat(
    modes: FloatArray,
    noise: DetectedNoise,
    fs_hz: float,
    f_min_hz: float,
    expected_shares: Sequence[float],
    factor: float,
) -> FloatArray:
    """Treat the modes of EMD or CEEMDAN by kinds of noise, and return their sum [L].

    Args:
        modes: [k, L], any unit, the fastest first and the remainder last.
        noise: the kinds in the signal; without any, the result is the signal.
        fs_hz: sampling rate in hertz.
        f_min_hz: see `remove_slow`.
        expected_shares: energies of white noise by mode, over that of the first mode.
        factor: thresholds as multiples of the universal threshold.
    """
    if noise.line is not None:
        modes = remove_line(modes, fs_hz, noise.line)
    if noise.ecg:
        modes = remove_ecg(modes, fs_hz)
    if noise.slow:
        modes = remove_slow(modes, dominant_frequencies(modes, fs_hz), f_min_hz, fs_hz)
    if noise.white_variance is not None:
        modes = threshold_to_variance(modes, expected_shares, noise.white_variance, factor)
    elif noise.wide:
        modes = remove_first_and_threshold(modes, expected_shares, factor)
    cleaned: FloatArray = modes.sum(axis=0)
    return cleaned


def remove_line(modes: FloatArray, fs_hz: float, line: PowerLine) -> FloatArray:
    """Apply notches at the line and its harmonics to those modes of [k, L] in whose spectrum they stand out.

    The baselines notch the modes whose highest peak is at 50 to 70 Hz. But a line is split over several modes and is
    not the highest peak in all of them. In signals too short to be searched, all modes get the notch at the line.
    """
    treated = modes.copy()
    for row in treated:
        in_mode = find_power_line(row, fs_hz, known_hz=line.frequency_hz, n_harmonics=max(line.harmonics))
        searched = in_mode.ratio > 0
        held = set(in_mode.harmonics)  # the first without a test, because it is given
        if searched and in_mode.ratio <= HARMONIC_SHARE * THRESHOLD:
            held.discard(1)
        row[:] = without_line(row, fs_hz, line.only(held))
    return treated


def remove_ecg(modes: FloatArray, fs_hz: float) -> FloatArray:
    """High-pass, at 30 Hz, the six modes of [k, L] that correlate best with the part of their sum below 40 Hz."""
    template = without_mean(dsp.low_pass(modes.sum(axis=0), ECG_TEMPLATE_HZ, fs_hz))
    centred = np.stack([without_mean(row) for row in modes])
    norm = np.sqrt(np.sum(centred**2, axis=1) * np.sum(template**2))
    correlation = np.divide(np.abs(centred @ template), norm, out=np.zeros(len(modes)), where=norm > 0)
    best = np.argsort(-correlation, kind="stable")[:ECG_MODES]
    treated = modes.copy()
    treated[best] = dsp.high_pass(treated[best], ECG_CUTOFF_HZ, fs_hz)
    return treated


def remove_slow(modes: FloatArray, dominant_hz: FloatArray, f_min_hz: float, fs_hz: float) -> FloatArray:
    """Zero the modes [k, L] whose dominant frequency [k] is below `f_min_hz`, and high-pass the others there."""
    treated = np.zeros_like(modes)
    fast = dominant_hz >= f_min_hz
    if fast.any():
        treated[fast] = dsp.high_pass(modes[fast], f_min_hz, fs_hz)
    return treated


def remove_first_and_threshold(modes: FloatArray, shares: Sequence[float], factor: float) -> FloatArray:
    """The baselines' treatment of white, coloured and unknown noise.

    The first mode of [k, L] counts as noise: it is zeroed, and its median magnitude gives sigma_1. Half the energy of
    surface EMG is in that mode.
    """
    sigma = float(np.median(np.abs(modes[0]))) / NORMAL_MEDIAN
    treated = threshold_modes(modes, sigma**2 * np.asarray(shares), factor)
    if len(modes) > 1:
        treated[0] = 0.0
    return treated


def threshold_to_variance(modes: FloatArray, shares: Sequence[float], variance: float, factor: float) -> FloatArray:
    """The same thresholds for white noise of a known variance, distributed over the modes in proportion to `shares`."""
    return threshold_modes(modes, variance * np.asarray(shares) / np.sum(shares), factor)


def threshold_modes(modes: FloatArray, variances: FloatArray, factor: float) -> FloatArray:
    """Apply soft thresholds to the first modes, as many as there are noise variances; the last row is not changed."""
    n = min(len(modes) - 1, len(variances))
    treated = modes.copy()
    limits = thresholds(variances[:n], modes.shape[1], factor)[:, None]
    treated[:n] = np.sign(modes[:n]) * np.maximum(np.abs(modes[:n]) - limits, 0.0)
    return treated


def thresholds(variances: FloatArray, n_samples: int, factor: float) -> FloatArray:
    """`factor` times the universal threshold for noise of these variances."""
    limits: FloatArray = factor * np.sqrt(2 * np.log(n_samples) * variances)
    return limits


def threshold_intervals(mode: FloatArray, limit: float) -> FloatArray:
    """Apply a soft threshold to whole intervals between zero crossings, by the largest magnitude in each.

    Kopsinis and McLaughlin, "Development of EMD-based denoising methods inspired by wavelet thresholding", IEEE Trans.
    Signal Process. 57(4), 1351-1362, 2009: an interval whose extremum is h becomes (|h| - limit) / |h| of itself.

    >>> threshold_intervals(np.array([1.0, 4.0, -1.0, -0.5]), 2.0).tolist()
    [0.5, 2.0, -0.0, -0.0]
    """
    starts = np.concatenate([[0], 1 + np.flatnonzero(np.diff(np.signbit(mode)))])
    peaks = np.maximum.reduceat(np.abs(mode), starts)
    gains = np.divide(np.maximum(peaks - limit, 0.0), peaks, out=np.zeros_like(peaks), where=peaks > 0)
    shrunk: FloatArray = mode * np.repeat(gains, np.diff(np.append(starts, len(mode))))
    return shrunk


def dominant_frequencies(modes: FloatArray, fs_hz: float) -> FloatArray:
    """[k] frequency in hertz of the highest point of each mode's periodogram; 0 for a constant mode."""
    centred = np.stack([without_mean(row) for row in modes])
    highest: FloatArray = np.fft.rfftfreq(modes.shape[1], 1 / fs_hz)[np.abs(np.fft.rfft(centred)).argmax(axis=1)]
    return highest


def positive(method: str, name: str, value: float) -> float:
    """The value as a float.

    Raises:
        UserError: it is not a positive number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value) or value <= 0:
        raise UserError(f"{method}: {name} is {value!r}, expected a positive number")
    return float(value)


def check_rate(method: str, cutoff_hz: float, fs_hz: float) -> None:
    """Check that the filters' cut-offs fit a sampling rate in hertz.

    Raises:
        InputError: they do not.
    """
    highest_hz = max(cutoff_hz, ECG_TEMPLATE_HZ)
    if highest_hz >= dsp.NYQUIST_MARGIN * fs_hz / 2:
        raise InputError(f"{method}: a cut-off of {highest_hz:g} Hz does not fit a sampling rate of {fs_hz:g} Hz")
