"""The blind rules: detect a power line, heartbeats, movement or drift, and a white floor from the signal alone.

- **Line**: `power_line.find_power_line` with its threshold. The other rules use the signal without the line.
- **Heart**: heartbeats that are plausible (`heartbeats.look_like_a_heart`).
- **Slow noise** (movement, drift, coloured noise): the power below a cut-off is more than `SLOW_RATIO` times that of
  surface EMG there. From a ratio of 2 on, there is more noise than EMG below the cut-off, so a high-pass removes more
  noise than EMG; 2.5 leaves a margin for subjects with more EMG there than the model spectrum,

      P(f) ~ f^2 / ((f^2 + fl^2) (f^2 + fh^2)^2)          fl = 60 Hz, fh = 120 Hz, from 20 Hz on

  (Shwedyk, Balasubramanian and Scott, "A nonstationary model for the electromyogram", IEEE Trans. Biomed. Eng. 24(5),
  417-424, 1977; Stulen and De Luca, same journal 28(7), 515-523, 1981): 9 % below 40 Hz. On the training subjects of
  the open set it is 7 % (median), 15 % (95th percentile).
- **White floor**: the power density from 400 to 470 Hz, above the band of surface EMG (De Luca et al., "Filtering the
  surface EMG signal", J. Biomech. 43, 1573-1579, 2010), is assumed at all frequencies. White noise counts as detected
  where its power exceeds `WHITE_SHARE` of the total; for EMG of the training subjects it is 2 % (median), 5 % (95th
  percentile).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import dsp
from cleansemg.core.periodogram import half_overlapping, hann, power
from cleansemg.denoising.heartbeats import Detector, find_beats, look_like_a_heart
from cleansemg.denoising.power_line import HARMONIC_SHARE, THRESHOLD, PowerLine, find_power_line, sized
from cleansemg.noise.labels import NoiseLabels

FloatArray = NDArray[np.float64]

SLOW_RATIO = 2.5
WHITE_SHARE = 0.2
WHITE_BAND_HZ = (400.0, 470.0)  # anti-aliasing filters of 1 kHz recordings end there
WELCH_S = 0.25
EMG_LOW_HZ, EMG_HIGH_HZ, EMG_BAND_FROM_HZ = 60.0, 120.0, 20.0
NOTCH_WIDTH_HZ = 2.0
N_HARMONICS = 5
# Kinds of noise that can be what a rule detects: ECG and motion have beats, and both drift as coloured noise does.
SHOWS_AS: Mapping[str, tuple[str, ...]] = {
    "line": ("PLI",),
    "heart": ("ECG", "MOA"),
    "slow": ("ECG", "MOA", "Color"),
    "white": ("WGN", "Color"),
}


@dataclass(frozen=True)
class DetectedNoise:
    """The noise in one signal, given or detected.

    Attributes:
        line: the power line; None where there is none.
        ecg: whether there are heartbeats.
        slow: whether there is movement or drift.
        wide: whether there is white or coloured noise.
        white_variance: variance of the detected white noise, in the signal's unit squared; None where none is detected
            or the kinds are given.
    """

    line: PowerLine | None
    ecg: bool
    slow: bool
    wide: bool
    white_variance: float | None = None


def detect(x: FloatArray, fs_hz: float, cutoff_hz: float, labels: NoiseLabels | None, row: int) -> DetectedNoise:
    """The noise in the signal [L] of a row of a batch: detected, given, or given and detected, by the labels' rule."""
    if labels is None:
        return from_signal(x, fs_hz, cutoff_hz)
    if labels.rule == "published":
        return from_labels(x, fs_hz, labels, row)
    return from_both(x, fs_hz, cutoff_hz, labels[row : row + 1])


def from_both(x: FloatArray, fs_hz: float, cutoff_hz: float, labels: NoiseLabels) -> DetectedNoise:
    """The oracle and auto tracks, for one signal and its labels: noise that is given and that the signal shows.

    What the signal shows is judged as on the blind track, and believed where the labels have a kind that can show
    itself so (`SHOWS_AS`), or one of unknown nature. So labels keep a method from taking EMG for noise, and never make
    it treat what is too weak to be worth it.
    """
    line = given_line_for_notch(x, fs_hz, labels)
    rest = x if line is None else without_line(x, fs_hz, line)
    believed = {sign: bool(labels.may_hold(kinds)[0]) for sign, kinds in SHOWS_AS.items()}
    ecg = believed["heart"] and look_like_a_heart(find_beats(rest[None], fs_hz, Detector())[0])
    variance = white_noise(rest, fs_hz) if believed["white"] else None
    slow = believed["slow"] and is_slow(rest, cutoff_hz, fs_hz)
    return DetectedNoise(line, ecg, slow, variance is not None, variance)


def given_line(
    x: FloatArray, fs_hz: float, labels: NoiseLabels, threshold: float = THRESHOLD, n_harmonics: int = N_HARMONICS
) -> PowerLine | None:
    """The line in a signal [L] with its labels, at the given frequency where there is one; None where none is seen.

    One whose frequency is given needs as little evidence as a harmonic of one that was found: nothing is searched.
    """
    line = _at_given_frequency(x, fs_hz, labels, threshold, n_harmonics)
    return line if line is not None and line.ratio > HARMONIC_SHARE * threshold else None


def given_line_for_notch(
    x: FloatArray,
    fs_hz: float,
    labels: NoiseLabels,
    threshold: float = THRESHOLD,
    n_harmonics: int = N_HARMONICS,
    notch_width_hz: float = NOTCH_WIDTH_HZ,
) -> PowerLine | None:
    """As `given_line`; at a given frequency the evidence sizes the notch, so that no threshold is needed."""
    line = _at_given_frequency(x, fs_hz, labels, threshold, n_harmonics)
    if line is None or not np.isfinite(labels.line_hz[0]):
        return line
    return sized(x, fs_hz, line, notch_width_hz) if line.ratio > 0 else None


def _at_given_frequency(
    x: FloatArray, fs_hz: float, labels: NoiseLabels, threshold: float, n_harmonics: int
) -> PowerLine | None:
    if not labels.may_hold(SHOWS_AS["line"])[0]:
        return None
    known_hz = float(labels.line_hz[0])
    if not np.isfinite(known_hz):
        return find_line(x, fs_hz, threshold, n_harmonics)
    return find_power_line(x, fs_hz, known_hz=known_hz, n_harmonics=n_harmonics, threshold=threshold)


def from_labels(x: FloatArray, fs_hz: float, labels: NoiseLabels, row: int) -> DetectedNoise:
    """The published track: kinds from the labels; the line at its frequency, or at the highest candidate if unknown."""
    has = {kind: bool(labels.has(kind)[row]) for kind in ("PLI", "ECG", "MOA", "WGN", "Color")}
    line = None
    if has["PLI"]:
        line = find_power_line(x, fs_hz, known_hz=float(labels.line_hz[row]), known_present=True)
    return DetectedNoise(line if line and line.harmonics else None, has["ECG"], has["MOA"], has["WGN"] or has["Color"])


def from_signal(x: FloatArray, fs_hz: float, cutoff_hz: float) -> DetectedNoise:
    """The blind track: kinds by the rules above; slow noise is detected from the power below `cutoff_hz`."""
    line = find_line(x, fs_hz)
    rest = x if line is None else without_line(x, fs_hz, line)
    ecg = look_like_a_heart(find_beats(rest[None], fs_hz, Detector())[0])
    variance = white_noise(rest, fs_hz)
    return DetectedNoise(line, ecg, is_slow(rest, cutoff_hz, fs_hz), variance is not None, variance)


def without_line(x: FloatArray, fs_hz: float, line: PowerLine, notch_width_hz: float = NOTCH_WIDTH_HZ) -> FloatArray:
    """[L] the signal after notches of one width in hertz at the line and its detected harmonics."""
    for k in line.harmonics:
        frequency_hz, share = k * line.frequency_hz, line.share(k)
        notched = dsp.notch(x, frequency_hz, frequency_hz / notch_width_hz, fs_hz)
        x = notched if share == 1 else x - share * (x - notched)
    return x


def find_line(
    x: FloatArray, fs_hz: float, threshold: float = THRESHOLD, n_harmonics: int = N_HARMONICS
) -> PowerLine | None:
    """The power line in a signal [L]; None where none is detected."""
    line = find_power_line(x, fs_hz, n_harmonics=n_harmonics, threshold=threshold)
    return line if line.harmonics else None


def is_slow(x: FloatArray, cutoff_hz: float, fs_hz: float, ratio: float = SLOW_RATIO) -> bool:
    """Whether a signal [L] has more than `ratio` times the power below `cutoff_hz` that surface EMG has there.

    A constant signal has no power and returns False.
    """
    return share_below(x, cutoff_hz, fs_hz) > ratio * emg_share_below(cutoff_hz, fs_hz)


def share_below(x: FloatArray, cutoff_hz: float, fs_hz: float) -> float:
    """Share (0 to 1) of the power of a signal [L] below a frequency, without its mean; 0 for a constant."""
    frequency_hz = np.fft.rfftfreq(len(x), 1 / fs_hz)
    untapered = np.abs(np.fft.rfft(without_mean(x))) ** 2
    total = float(untapered.sum())
    return float(untapered[frequency_hz < cutoff_hz].sum()) / total if total > 0 else 0.0


def emg_share_below(cutoff_hz: float, fs_hz: float) -> float:
    """Share of the power below a frequency in the model spectrum of surface EMG.

    >>> round(emg_share_below(40.0, 1000.0), 3)
    0.086
    """
    f = np.arange(0.5, fs_hz / 2)
    density = f**2 / ((f**2 + EMG_LOW_HZ**2) * (f**2 + EMG_HIGH_HZ**2) ** 2) * (f >= EMG_BAND_FROM_HZ)
    return float(density[f < cutoff_hz].sum() / density.sum())


def white_noise(x: FloatArray, fs_hz: float) -> float | None:
    """Variance of the white noise in a signal [L]; None where none is detected."""
    variance = white_power(x, fs_hz)
    return variance if variance is not None and variance > WHITE_SHARE * float(np.var(without_mean(x))) else None


def white_power(x: FloatArray, fs_hz: float) -> float | None:
    """Variance of the white noise in a signal [L], from its density at 400 to 470 Hz.

    None where the rate is too low for that band (about 950 Hz), and for signals shorter than 0.25 s. The median over
    the band ignores a harmonic of a power line.
    """
    n = round(WELCH_S * fs_hz)
    if fs_hz * dsp.NYQUIST_MARGIN / 2 < WHITE_BAND_HZ[1] or len(x) < n:
        return None
    density = np.mean(power(half_overlapping(without_mean(x), n)), axis=0) / np.sum(hann(n) ** 2)
    frequency_hz = np.fft.rfftfreq(n, 1 / fs_hz)
    band = (frequency_hz >= WHITE_BAND_HZ[0]) & (frequency_hz <= WHITE_BAND_HZ[1])
    return float(np.median(density[band]))


def without_mean(x: FloatArray) -> FloatArray:
    """[L] minus its mean; exactly zero for a constant, whose mean may be rounded."""
    return np.zeros_like(x) if np.ptp(x) == 0 else x - x.mean()
