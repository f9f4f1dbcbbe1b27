"""The mean spectrum of one channel as its samples come; the power line, mean and median frequency in it.

Welch's estimate: pieces of 4 s, half overlapping, each less its mean and under a Hann window; no piece reaches across a
gap. A channel without a stretch of 4 s has one piece: its longest stretch. Memory is that of one piece.

The power line is judged by the rule and the thresholds of `cleansemg.denoising.power_line`, on this mean spectrum.

Source: Welch, IEEE Trans. Audio Electroacoust. 15(2), 1967.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.periodogram import density_factor, power_of_centred
from cleansemg.denoising.power_line import (
    MIN_DURATION_S,
    PIECE_S,
    SEARCH_HZ,
    THRESHOLD,
    harmonics,
    peak,
    searched_mains,
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
        self._sum = np.zeros(self._n_fft // 2 + 1)
        self._n_pieces = 0
        self._held = np.empty(0)
        self._used = False  # a piece of this stretch was counted
        self._longest = np.empty(0)  # the longest stretch below one piece

    def push(self, x: Float64) -> None:
        """Add the next samples [l] of a stretch, finite."""
        held = np.concatenate((self._held, x)) if len(self._held) else x
        start = 0
        while len(held) - start >= self._n:
            self._sum += self._density(held[start : start + self._n])
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
        return Spectrum(frequency_hz, self._density(self._longest), n / self.fs_hz)

    def _density(self, x: Float64) -> Float64:
        """[k] one-sided power spectral density of one piece."""
        return power_of_centred(x, self._n_fft) * density_factor(len(x), self.fs_hz)


def find_line(spectrum: Spectrum) -> Line:
    """The power line in a mean spectrum; nothing is looked for in pieces shorter than 1 s."""
    frequency_hz, density = spectrum.frequency_hz, spectrum.density
    usable = searched_mains(2 * frequency_hz[-1])
    if spectrum.longest_s < MIN_DURATION_S or not usable or not density.any():
        return Line()
    peaks = {mains: peak(frequency_hz, density, mains, SEARCH_HZ) for mains in usable}
    mains_hz = max(peaks, key=lambda mains: peaks[mains][1])
    peak_hz, ratio = peaks[mains_hz]
    level_db = 10 * float(np.log10(ratio)) if ratio > 0 else None
    if ratio <= THRESHOLD:
        return Line(mains_hz, False, peak_hz, level_db)
    return Line(mains_hz, True, peak_hz, level_db, harmonics(frequency_hz, density, peak_hz, N_HARMONICS))


def mean_and_median_hz(spectrum: Spectrum) -> tuple[float | None, float | None]:
    """Mean and median frequency within `BAND_HZ`; None where there is no power in it."""
    from cleansemg.core.spectral_moments import mean_frequency_hz, median_frequency_hz

    inside = (spectrum.frequency_hz >= BAND_HZ[0]) & (spectrum.frequency_hz <= BAND_HZ[1])
    power, frequency_hz = spectrum.density[inside], spectrum.frequency_hz[inside]
    if not power.any():
        return None, None
    power = power / power.max()  # volts squared are far below what sums of powers hold well
    return float(mean_frequency_hz(power, frequency_hz)), float(median_frequency_hz(power, frequency_hz))
