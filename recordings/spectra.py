"""The mean spectrum of one channel as its samples come, and what is read off it: power line, mean, median frequency.

Welch's estimate: pieces of 4 s, half overlapping, each less its mean and under a Hann window; no piece reaches across a
gap. A channel without a stretch of 4 s has one piece: its longest stretch. Memory is that of one piece.

The power line is judged by the rule and the thresholds of `cleansemg.denoising.power_line`, on this mean spectrum.

Source: Welch, IEEE Trans. Audio Electroacoust. 15(2), 1967.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleansemg.denoising.power_line import (
    HARMONIC_SEARCH_HZ,
    HARMONIC_SHARE,
    MAINS_HZ,
    MIN_DURATION_S,
    NEIGHBOURS_HZ,
    NYQUIST_FRACTION,
    PIECE_S,
    SEARCH_HZ,
    THRESHOLD,
)

Float64 = NDArray[np.float64]

OVERSAMPLING = 4  # of the grid over the resolution of a piece
BAND_HZ = (20.0, 500.0)  # of surface EMG, for mean and median frequency
N_HARMONICS = 5


@dataclass(frozen=True)
class Spectrum:
    """One channel's mean power spectral density.

    Attributes:
        frequency_hz: [k], from 0 in even steps.
        density: [k], the input's unit squared per Hz.
        longest_s: of the pieces it was made from; 0 where the channel has no value.
    """

    frequency_hz: Float64
    density: Float64
    longest_s: float


@dataclass(frozen=True)
class Line:
    """What stands out at the mains frequency.

    Attributes:
        mains_hz: 50 or 60, whichever stands out more; None where neither could be looked for.
        present: its peak exceeds the threshold of `cleansemg.denoising.power_line`.
        peak_hz: where the peak is.
        level_db: the peak over the median of its neighbours, 2 to 12 Hz away.
        harmonics: numbers of those that stand out, the fundamental being 1; none where no line is present.
    """

    mains_hz: float | None = None
    present: bool = False
    peak_hz: float | None = None
    level_db: float | None = None
    harmonics: tuple[int, ...] = ()


class AveragedSpectrum:
    """Welch's estimate of one channel, block by block: `push`, `end_stretch` at a gap, `result`."""

    def __init__(self, fs_hz: float) -> None:
        self.fs_hz = fs_hz
        self._n = round(PIECE_S * fs_hz)
        self._hop = max(self._n // 2, 1)
        self._n_fft = OVERSAMPLING * self._n
        self._window = _hann(self._n)
        self._sum = np.zeros(self._n_fft // 2 + 1)
        self._n_pieces = 0
        self._held = np.empty(0)
        self._used = False  # a piece of this stretch was counted
        self._longest = np.empty(0)  # the longest stretch below one piece

    def push(self, x: Float64) -> None:
        """Take the next samples [l] of a stretch, finite."""
        held = np.concatenate((self._held, x)) if len(self._held) else x
        start = 0
        while len(held) - start >= self._n:
            self._sum += _density(held[start : start + self._n], self._window, self._n_fft, self.fs_hz)
            self._n_pieces += 1
            self._used = True
            start += self._hop
        self._held = held[start:].copy()

    def end_stretch(self) -> None:
        """A gap follows, or the end."""
        if not self._used and not self._n_pieces and len(self._held) > len(self._longest):
            self._longest = self._held
        self._held, self._used = np.empty(0), False

    def result(self) -> Spectrum:
        """The mean so far, of complete pieces, or of the longest stretch that ended."""
        frequency_hz = np.arange(len(self._sum)) * self.fs_hz / self._n_fft
        if self._n_pieces:
            return Spectrum(frequency_hz, self._sum / self._n_pieces, self._n / self.fs_hz)
        if len(self._longest) < 2:
            return Spectrum(frequency_hz, np.zeros(len(self._sum)), 0.0)
        n = len(self._longest)
        return Spectrum(frequency_hz, _density(self._longest, _hann(n), self._n_fft, self.fs_hz), n / self.fs_hz)


def find_line(spectrum: Spectrum) -> Line:
    """The power line in a mean spectrum; nothing is looked for in pieces shorter than 1 s."""
    nyquist_hz = spectrum.frequency_hz[-1]
    usable = [mains for mains in MAINS_HZ if mains + SEARCH_HZ < NYQUIST_FRACTION * nyquist_hz]
    if spectrum.longest_s < MIN_DURATION_S or not usable or not spectrum.density.any():
        return Line()
    peaks = {mains: _peak(spectrum, mains, SEARCH_HZ) for mains in usable}
    mains_hz = max(peaks, key=lambda mains: peaks[mains][1])
    peak_hz, ratio = peaks[mains_hz]
    level_db = 10 * float(np.log10(ratio)) if ratio > 0 else None
    if ratio <= THRESHOLD:
        return Line(mains_hz, False, peak_hz, level_db)
    harmonics = [1]
    for k in range(2, N_HARMONICS + 1):
        if k * peak_hz + SEARCH_HZ < NYQUIST_FRACTION * nyquist_hz:
            _, harmonic_ratio = _peak(spectrum, k * peak_hz, HARMONIC_SEARCH_HZ)
            if harmonic_ratio > HARMONIC_SHARE * THRESHOLD:
                harmonics.append(k)
    return Line(mains_hz, True, peak_hz, level_db, tuple(harmonics))


def mean_and_median_hz(spectrum: Spectrum) -> tuple[float | None, float | None]:
    """Mean and median frequency within `BAND_HZ`; None where there is no power in it."""
    from cleansemg.core.spectral_moments import mean_frequency_hz, median_frequency_hz

    inside = (spectrum.frequency_hz >= BAND_HZ[0]) & (spectrum.frequency_hz <= BAND_HZ[1])
    power, frequency_hz = spectrum.density[inside], spectrum.frequency_hz[inside]
    if not power.any():
        return None, None
    power = power / power.max()  # volts squared are far below what sums of powers hold well
    return float(mean_frequency_hz(power, frequency_hz)), float(median_frequency_hz(power, frequency_hz))


def _hann(n: int) -> Float64:
    window: Float64 = np.hanning(n + 2)[1:-1]
    return window


def _density(x: Float64, window: Float64, n_fft: int, fs_hz: float) -> Float64:
    """[k] one-sided power spectral density of one piece."""
    from scipy import fft

    transform = fft.rfft(window * (x - x.mean()), n_fft)
    density: Float64 = (transform.real**2 + transform.imag**2) * (2 / (fs_hz * float(np.sum(window**2))))
    return density


def _peak(spectrum: Spectrum, centre_hz: float, search_hz: float) -> tuple[float, float]:
    """Frequency of the highest point near `centre_hz`, and its ratio to the median around."""
    frequency_hz, density = spectrum.frequency_hz, spectrum.density
    distance_hz = np.abs(frequency_hz - centre_hz)
    near = np.flatnonzero(distance_hz <= search_hz)
    around = density[(distance_hz >= NEIGHBOURS_HZ[0]) & (distance_hz <= NEIGHBOURS_HZ[1])]
    top = int(near[np.argmax(density[near])])
    # rounding of the transform is not a spectrum: a lone sinusoid has no floor beneath it
    floor = max(float(np.median(around)), np.finfo(np.float64).eps * float(density.max()))
    left, middle, right = np.log(np.maximum(density[top - 1 : top + 2], floor * np.finfo(np.float64).eps))
    curvature = left - 2 * middle + right
    offset = float(np.clip(0.5 * (left - right) / curvature, -1, 1)) if curvature < 0 else 0.0
    return float(frequency_hz[top] + offset * frequency_hz[1]), float(density[top]) / floor
