"""Computes every metric independently, from its definition in docs/metrics.md, one segment and one window at a time.

The code is slow and simple on purpose. The verification recomputes scores with it, and the tests of the metrics compare
with it. It uses no code that it checks. c is the clean, x the noisy, e the denoised segment, all float64 [L] in volts.
Each metric of the project needs one formula in `FORMULAS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float64]

EPSILON = 1e-12  # V^2, of the profile `published`
PERFECT_DB = 100.0  # published
ROUNDING = 2.0**-24  # standard: the error counts as at least this part of the clean signal's norm
FLOOR = 1e-8  # standard: -80 dB
ARV_WINDOWS = {"ecg_paper": 1000, "trustemg": 200}  # samples; 200 ms in the others
LOW_HZ, HIGH_HZ = 20.0, 500.0


@dataclass(frozen=True)
class Segment:
    """One row of a test set and its denoised signal; `active` [L]: where the subject contracts, None if unknown."""

    clean: Signal
    noisy: Signal
    denoised: Signal
    fs_hz: float
    profile: str
    active: NDArray[np.bool_] | None = None


def recomputed(segment: Segment, keys: Iterable[str]) -> dict[str, float]:
    """The values of the metrics `keys` that have a formula here, by key."""
    return {key: FORMULAS[key](segment) for key in keys if key in FORMULAS}


def snr_improvement_db(s: Segment) -> float:
    """SNR of the denoised minus SNR of the noisy segment, dB."""
    return snr_db(s.clean, s.denoised, s.profile) - snr_db(s.clean, s.noisy, s.profile)


def snr_db(c: Signal, y: Signal, profile: str) -> float:
    """Signal-to-noise ratio of an estimate y, dB."""
    error, signal = _energy(y - c), _energy(c)
    if profile == "published":
        return PERFECT_DB if error < EPSILON else 10 * float(np.log10(signal / (error + EPSILON)))
    return 10 * float(np.log10(signal / max(error, ROUNDING**2 * signal)))


def output_snr_db(s: Segment) -> float:
    """SNR of the denoised segment."""
    return snr_db(s.clean, s.denoised, s.profile)


def gain_of_emg(s: Segment) -> float:
    """Slope of the least-squares line through the origin that gives e from c."""
    return float(np.linalg.lstsq(s.clean[:, None], s.denoised, rcond=None)[0][0])


def si_sdr_improvement_db(s: Segment) -> float:
    """Scale-invariant SDR of the denoised minus that of the noisy segment."""
    return _si_sdr_db(s.clean, s.denoised) - _si_sdr_db(s.clean, s.noisy)


def scaled_snr_improvement_db(s: Segment) -> float:
    """SNR of the denoised minus that of the noisy segment, each times the factor that is best for it."""
    return _best_snr_db(s.clean, s.denoised) - _best_snr_db(s.clean, s.noisy)


def _si_sdr_db(c: Signal, y: Signal) -> float:
    """Energy of the projection of y on c over that of the rest; neither below 2^-48 of the energy of y."""
    if not y.any():
        return 20 * float(np.log10(ROUNDING))
    unit = y / np.linalg.norm(y)  # of energy 1, so that the two parts are shares
    direction = c / np.linalg.norm(c)
    along = float(direction @ unit) * direction
    return 10 * float(np.log10(max(_energy(along), ROUNDING**2) / max(_energy(unit - along), ROUNDING**2)))


def _best_snr_db(c: Signal, y: Signal) -> float:
    """SNR of the projection of c on the line of y; 0 dB of a silent y."""
    if not y.any():
        return 0.0
    factor = float(np.linalg.lstsq(y[:, None], c, rcond=None)[0][0])
    share = _energy(c - factor * y) / _energy(c)
    return -10 * float(np.log10(min(max(share, ROUNDING**2), 1.0)))


def rmse(s: Segment) -> float:
    """Root mean square of e - c, V."""
    return float(np.sqrt(np.mean((s.denoised - s.clean) ** 2)))


def prd_percent(s: Segment) -> float:
    """Norm of e - c in percent of the norm of c."""
    epsilon = EPSILON if s.profile == "published" else 0.0
    return 100 * float(np.sqrt(_energy(s.denoised - s.clean) / (_energy(s.clean) + epsilon)))


def log_spectral_distance_db(s: Segment) -> float:
    """Mean over frames of the root mean square over bins of the difference of two levels, dB; NaN if too short."""
    if s.profile != "published":
        clean, denoised, _ = _floored_powers(s)
        return float(np.mean([_rms(10 * np.log10(b) - 10 * np.log10(a)) for a, b in zip(clean, denoised, strict=True)]))
    if len(s.clean) < 1536:
        return float("nan")
    clean, denoised = published_levels_db(s.clean, s.fs_hz), published_levels_db(s.denoised, s.fs_hz)
    return float(np.mean([_rms(b - a) for a, b in zip(clean, denoised, strict=True)]))


def published_levels_db(x: Signal, fs_hz: float) -> Signal:
    """[frames, bins]: frames of 512 under a symmetric Hann window, hop 128, zeros at both ends, 1e-10 V^2 added."""
    taper = np.hanning(512)
    in_zeros = np.concatenate([np.zeros(256), x, np.zeros(256 + -len(x) % 128)])
    frames = [in_zeros[start : start + 512] for start in range(0, len(in_zeros) - 511, 128)]
    frequency = np.fft.rfftfreq(512, 1 / fs_hz)
    band = (frequency >= LOW_HZ) & (frequency <= HIGH_HZ)
    return np.array([10 * np.log10(np.abs(np.fft.rfft(f * taper)[band] / taper.sum()) ** 2 + 1e-10) for f in frames])


def arv_error(s: Segment) -> float:
    """RMSE of the mean of abs(x) in windows, V."""
    length = ARV_WINDOWS.get(s.profile, round(0.2 * s.fs_hz))
    return _error(s, lambda x: [float(np.abs(w).mean()) for w in _windows(x, length)])


def zero_crossing_error_hz(s: Segment) -> float:
    """RMSE of the changes of sign per second in windows, Hz."""
    length = round(0.2 * s.fs_hz)
    return _error(s, lambda x: [_sign_changes(w) / (length / s.fs_hz) for w in _windows(x, length)])


def mean_frequency_error_hz(s: Segment) -> float:
    """RMSE of the mean frequencies of windows or frames, Hz.

    Raises:
        ValueError: the profile needs active frames, and none are known.
    """
    if s.profile == "standard":
        clean, denoised, hertz = _floored_powers(s)
        return _rms(denoised @ hertz / denoised.sum(axis=1) - clean @ hertz / clean.sum(axis=1))
    if s.profile == "published":
        return _error(s, lambda x: published_mean_frequencies_hz(x, s.fs_hz))
    if s.active is None:
        raise ValueError(f"the mean frequency of {s.profile} is that of active frames, and none are known")
    hop = 32 if s.profile == "ecg_paper" else 200
    clean, denoised = (frame_mean_frequencies_hz(x, s.fs_hz, s.profile) for x in (s.clean, s.denoised))
    frames = [frame for frame in range(len(clean)) if s.active[frame * hop]]
    return _rms(denoised[frames] - clean[frames]) if frames else float("nan")


def published_mean_frequencies_hz(x: Signal, fs_hz: float) -> Signal:
    """[frames] Hz: frames of 200 from 100 samples before the start, ends extended, padded to 1024.

    An empty frame has the median of the others.
    """
    held = np.concatenate([np.full(100, x[0]), x, np.full(100, x[-1]), np.zeros(-len(x) % 200)])
    frequency = np.fft.rfftfreq(1024, 1 / fs_hz)
    band = (frequency >= LOW_HZ) & (frequency < HIGH_HZ)
    amplitudes = [np.abs(np.fft.rfft(frame, 1024)[band]) for frame in _windows(held, 200)]
    means = [float(frequency[band] @ a / a.sum()) if a.sum() > 1e-12 else None for a in amplitudes]
    known = [mean for mean in means if mean is not None]
    median = float(np.median(known)) if known else float("nan")
    return np.array([median if mean is None else mean for mean in means])


def frame_mean_frequencies_hz(x: Signal, fs_hz: float, profile: str) -> Signal:
    """[frames] Hz, amplitude-weighted from 10 Hz up, around every 32nd (`ecg_paper`) or 200th sample (`trustemg`)."""
    window, hop, padded = (128, 32, 256) if profile == "ecg_paper" else (200, 200, 1024)
    frequency = np.fft.rfftfreq(padded, 1 / fs_hz)
    band = frequency >= 10
    means = []
    for centre in range(0, len(x), hop):
        at = np.arange(centre - window // 2, centre + window // 2)
        frame = x[np.clip(at, 0, len(x) - 1)]
        if profile == "ecg_paper":
            frame = np.where((at >= 0) & (at < len(x)), frame, 0.0) * np.hamming(window)
        amplitude = np.abs(np.fft.rfft(frame, padded)[band])
        flat = not amplitude.any()
        means.append(float(frequency[band].mean() if flat else frequency[band] @ amplitude / amplitude.sum()))
    return np.array(means)


def median_frequency_error_hz(s: Segment) -> float:
    """RMSE of the frequencies that halve the power of windows, Hz."""
    if s.profile == "published":
        return _error(s, lambda x: _published_median_frequencies_hz(x, s.fs_hz))
    clean, denoised, hertz = _floored_powers(s)
    return _rms(np.array([_halfway(b, hertz) - _halfway(a, hertz) for a, b in zip(clean, denoised, strict=True)]))


def _halfway(power: Signal, hertz: Signal) -> float:
    """The frequency below which half the power lies, with each bin's power spread over its width."""
    step = hertz[1] - hertz[0]
    edges = np.append(hertz - step / 2, hertz[-1] + step / 2)
    return float(np.interp(power.sum() / 2, np.append(0.0, np.cumsum(power)), edges))


def _published_median_frequencies_hz(x: Signal, fs_hz: float) -> list[float]:
    """Windows of 200 padded to 1024, then under a symmetric Hann of 1024: the first bin that reaches half the power."""
    frequency = np.fft.rfftfreq(1024, 1 / fs_hz)
    band = (frequency >= LOW_HZ) & (frequency <= HIGH_HZ)
    medians = []
    for window in _windows(x, 200):
        power = np.abs(np.fft.rfft(np.pad(window, (0, 824)) * np.hanning(1024))[band]) ** 2
        medians.append(float(frequency[band][np.flatnonzero(np.cumsum(power) >= power.sum() / 2)[0]]))
    return medians


def kurtosis_error(s: Segment) -> float:
    """RMSE of the excess kurtosis of windows, no unit."""
    still = FLOOR * float(np.mean(s.clean**2)) if s.profile == "standard" else EPSILON**2
    return _error(s, lambda x: [_kurtosis(w, still) for w in _windows(x, round(0.2 * s.fs_hz))])


def quantile_ratio_error(s: Segment) -> float:
    """Absolute difference of the kurtosis by quantiles, no unit."""
    return abs(_quantile_ratio(s.denoised) - _quantile_ratio(s.clean))


def correlation(s: Segment) -> float:
    """Pearson's correlation; 0 where one of the two is constant."""
    c, e = s.clean - s.clean.mean(), s.denoised - s.denoised.mean()
    norm = float(np.sqrt(_energy(c) * _energy(e)))
    return float(c @ e) / norm if norm > 0 else 0.0


FORMULAS: dict[str, Callable[[Segment], float]] = {
    "SI_SDRimp": si_sdr_improvement_db,
    "SNRimp": snr_improvement_db,
    "EMG_gain": gain_of_emg,
    "SNR_out": output_snr_db,
    "SNRimp_scaled": scaled_snr_improvement_db,
    "RMSE": rmse,
    "PRD": prd_percent,
    "LSD": log_spectral_distance_db,
    "RMSE_ARV": arv_error,
    "RMSE_ZCR": zero_crossing_error_hz,
    "RMSE_MNF": mean_frequency_error_hz,
    "RMSE_MDF": median_frequency_error_hz,
    "RMSE_Kurtosis": kurtosis_error,
    "KR": quantile_ratio_error,
    "CC": correlation,
    "R2": lambda s: correlation(s) ** 2,
}


def _energy(x: Signal) -> float:
    return float(np.sum(x * x))


def _rms(x: Signal) -> float:
    return float(np.sqrt(np.mean(x**2)))


def _windows(x: Signal, length: int) -> Iterator[Signal]:
    for start in range(0, len(x) - length + 1, length):
        yield x[start : start + length]


def _error(s: Segment, feature: Callable[[Signal], Signal | list[float]]) -> float:
    """Root mean square difference of a feature of the denoised and the clean signal."""
    return _rms(np.asarray(feature(s.denoised)) - np.asarray(feature(s.clean)))


def _sign_changes(window: Signal) -> int:
    """A zero has the sign of the sample before it; zeros at the start have the sign of the first other sample."""
    signs = np.sign(window[window != 0])
    return int(np.count_nonzero(signs[1:] != signs[:-1]))


def _kurtosis(window: Signal, still: float) -> float:
    deviation = window - window.mean()
    m2 = float(np.mean(deviation**2))
    return 0.0 if m2 <= still else float(np.mean(deviation**4)) / m2**2 - 3.0


def _quantile_ratio(x: Signal) -> float:
    low, first, third, high = np.quantile(x, [0.025, 0.25, 0.75, 0.975])
    return float((high - low) / (third - first)) - 2.91 if third > first else float("nan")


def _floored_powers(s: Segment) -> tuple[Signal, Signal, Signal]:
    """[windows, bins] of the clean and the denoised segment, and [bins] Hz.

    Windows of 200 ms under a Hann window, bins from 20 to 500 Hz, none below -80 dB re the clean segment's mean power.
    """
    length = round(0.2 * s.fs_hz)
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    frequency = np.arange(length // 2 + 1) * s.fs_hz / length
    band = (frequency >= LOW_HZ - 1e-6) & (frequency <= HIGH_HZ + 1e-6)
    weight = np.where(frequency == s.fs_hz / 2, 0.5, 1.0)[band]

    def powers(x: Signal) -> Signal:
        return np.array([np.abs(np.fft.rfft(w * taper)[band]) ** 2 * weight for w in _windows(x, length)])

    clean, denoised = powers(s.clean), powers(s.denoised)
    least = FLOOR * clean.mean()
    return np.maximum(clean, least), np.maximum(denoised, least), frequency[band]
