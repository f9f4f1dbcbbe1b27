"""Detects noise in a signal alone: a power line, a heart, movement or drift, a white floor. The blind rules.

- **Line**: `power_line.find_power_line`, by its own threshold. The other rules look at the signal without it.
- **Heart**: beats that look like a heart's (`heartbeats.look_like_a_heart`).
- **Slow noise** (movement, drift, coloured noise): more than `SLOW_RATIO` times the power below a cut-off that surface
  EMG has there. From a ratio of 2 on there is more noise than EMG below the cut-off, and a high-pass removes more
  noise than EMG; 2.5 leaves a margin for subjects with more EMG there than the model of its spectrum has,

      P(f) ~ f^2 / ((f^2 + fl^2) (f^2 + fh^2)^2)          fl = 60 Hz, fh = 120 Hz, from 20 Hz on

  (Shwedyk, Balasubramanian and Scott, "A nonstationary model for the electromyogram", IEEE Trans. Biomed. Eng. 24(5),
  417-424, 1977; Stulen and De Luca, same journal 28(7), 515-523, 1981): 9 % below 40 Hz. On the training subjects of
  the open set it is 7 % (median), 15 % (95th percentile).
- **White floor**: the density from 400 to 470 Hz, above the band of surface EMG (De Luca et al., "Filtering the surface
  EMG signal", J. Biomech. 43, 1573-1579, 2010), taken to hold at all frequencies. White noise counts as detected where
  that exceeds `WHITE_SHARE` of the power; EMG of the training subjects reads 2 % (median), 5 % (95th percentile).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import dsp
from cleansemg.core.periodogram import half_overlapping, hann, power
from cleansemg.denoising.heartbeats import Detector, find_beats, look_like_a_heart
from cleansemg.denoising.power_line import THRESHOLD, PowerLine, find_power_line
from cleansemg.noise.labels import NoiseLabels

FloatArray = NDArray[np.float64]

SLOW_RATIO = 2.5
WHITE_SHARE = 0.2
WHITE_BAND_HZ = (400.0, 470.0)  # anti-aliasing filters of 1 kHz recordings end there
WELCH_S = 0.25
EMG_LOW_HZ, EMG_HIGH_HZ, EMG_BAND_FROM_HZ = 60.0, 120.0, 20.0
NOTCH_WIDTH_HZ = 2.0


@dataclass(frozen=True)
class DetectedNoise:
    """What one signal holds of noise, given or detected.

    Attributes:
        line: the power line; None where there is none.
        ecg: whether there are heartbeats.
        slow: whether there is movement or drift.
        wide: whether there is white or coloured noise.
        white_variance: variance of the white noise, where it is detected; None where the signal's kinds are given.
    """

    line: PowerLine | None
    ecg: bool
    slow: bool
    wide: bool
    white_variance: float | None = None


def detect(x: FloatArray, fs_hz: float, cutoff_hz: float, labels: NoiseLabels | None, row: int) -> DetectedNoise:
    """What the signal [L] in a row of a batch holds: given on the oracle track, detected on the blind one."""
    return from_signal(x, fs_hz, cutoff_hz) if labels is None else from_labels(x, fs_hz, labels, row)


def from_labels(x: FloatArray, fs_hz: float, labels: NoiseLabels, row: int) -> DetectedNoise:
    """The oracle track: kinds from the labels, the line at its frequency, or at the highest candidate if not known."""
    has = {kind: bool(labels.has(kind)[row]) for kind in ("PLI", "ECG", "MOA", "WGN", "Color")}
    line = None
    if has["PLI"]:
        line = find_power_line(x, fs_hz, known_hz=float(labels.line_hz[row]), known_present=True)
    return DetectedNoise(line if line and line.harmonics else None, has["ECG"], has["MOA"], has["WGN"] or has["Color"])


def from_signal(x: FloatArray, fs_hz: float, cutoff_hz: float) -> DetectedNoise:
    """The blind track: kinds by the rules above; slow noise is judged by the power below `cutoff_hz`."""
    line = find_line(x, fs_hz)
    rest = x if line is None else without_line(x, fs_hz, line)
    ecg = look_like_a_heart(find_beats(rest[None], fs_hz, Detector())[0])
    variance = white_noise(rest, fs_hz)
    return DetectedNoise(line, ecg, is_slow(rest, cutoff_hz, fs_hz), variance is not None, variance)


def without_line(x: FloatArray, fs_hz: float, line: PowerLine, notch_width_hz: float = NOTCH_WIDTH_HZ) -> FloatArray:
    """[L]: the signal with notches of one width at the line and at those of its harmonics that were detected."""
    for k in line.harmonics:
        frequency_hz = k * line.frequency_hz
        x = dsp.notch(x, frequency_hz, frequency_hz / notch_width_hz, fs_hz)
    return x


def find_line(x: FloatArray, fs_hz: float, threshold: float = THRESHOLD) -> PowerLine | None:
    """The line in a signal [L], None where there is none."""
    line = find_power_line(x, fs_hz, threshold=threshold)
    return line if line.harmonics else None


def is_slow(x: FloatArray, cutoff_hz: float, fs_hz: float, ratio: float = SLOW_RATIO) -> bool:
    """Whether a signal [L] has more than `ratio` times the power below `cutoff_hz` that surface EMG has there.

    A constant has no power, so none below the cut-off.
    """
    return share_below(x, cutoff_hz, fs_hz) > ratio * emg_share_below(cutoff_hz, fs_hz)


def share_below(x: FloatArray, cutoff_hz: float, fs_hz: float) -> float:
    """Share of the power of a signal [L] below a frequency, its mean left out."""
    frequency_hz = np.fft.rfftfreq(len(x), 1 / fs_hz)
    untapered = np.abs(np.fft.rfft(without_mean(x))) ** 2
    total = float(untapered.sum())
    return float(untapered[frequency_hz < cutoff_hz].sum()) / total if total > 0 else 0.0


def emg_share_below(cutoff_hz: float, fs_hz: float) -> float:
    """The same of the model spectrum of surface EMG.

    >>> round(emg_share_below(40.0, 1000.0), 3)
    0.086
    """
    f = np.arange(0.5, fs_hz / 2)
    density = f**2 / ((f**2 + EMG_LOW_HZ**2) * (f**2 + EMG_HIGH_HZ**2) ** 2) * (f >= EMG_BAND_FROM_HZ)
    return float(density[f < cutoff_hz].sum() / density.sum())


def white_noise(x: FloatArray, fs_hz: float) -> float | None:
    """Variance of the white noise in a signal [L], where it is detected; None where it is not."""
    variance = white_power(x, fs_hz)
    return variance if variance is not None and variance > WHITE_SHARE * float(np.var(without_mean(x))) else None


def white_power(x: FloatArray, fs_hz: float) -> float | None:
    """Variance of the white noise in a signal [L], from its density at 400 to 470 Hz.

    None below sampling rates of 1 kHz, where that band is missing, and for signals shorter than 0.25 s. The median
    over the band passes over a harmonic of a power line.
    """
    n = round(WELCH_S * fs_hz)
    if fs_hz * dsp.NYQUIST_MARGIN / 2 < WHITE_BAND_HZ[1] or len(x) < n:
        return None
    density = np.mean(power(half_overlapping(without_mean(x), n)), axis=0) / np.sum(hann(n) ** 2)
    frequency_hz = np.fft.rfftfreq(n, 1 / fs_hz)
    band = (frequency_hz >= WHITE_BAND_HZ[0]) & (frequency_hz <= WHITE_BAND_HZ[1])
    return float(np.median(density[band]))


def without_mean(x: FloatArray) -> FloatArray:
    """[L] less its mean; exactly zero for a constant, whose mean may round."""
    return np.zeros_like(x) if np.ptp(x) == 0 else x - x.mean()
