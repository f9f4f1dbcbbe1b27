"""Detects power-line interference in a spectrum: its frequency, and which harmonics are present.

Rule. The periodogram (Hann window; averaged over segments of at most 4 s with half overlap) is searched within
1 Hz of each mains frequency. Its highest point counts as a line if it exceeds `threshold` times the median
of the periodogram 2 to 12 Hz away on either side. A harmonic of a detected line must exceed `HARMONIC_SHARE`
of that threshold. The median of the neighbours makes the rule independent of the scale and the spectral slope.

Threshold. In noise without a line, a bin of one segment's periodogram is exponentially distributed and exceeds
12 times its median with probability 2^-12. With all bins of the search, the oversampling and the scatter of
the median, the rule detects a line in 1 of 100 stretches of 2 s of white noise (measured), and in none of 300 of 10 s.
A false line costs little: a zero-phase notch of -3 dB width w removes pi w / 4 times the density around it from the
signal, which is worth its cost from a ratio of about 2 on (w = 2 Hz, 2 s). So a harmonic, which is expected
where there is a fundamental, needs less evidence.

The frequency is refined by a parabola through the logarithms of the peak and its two neighbours.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.periodogram import half_overlapping, power_of_centred

MAINS_HZ = (50.0, 60.0)
SEARCH_HZ = 1.0  # on either side of a mains frequency
HARMONIC_SEARCH_HZ = 0.5
NEIGHBOURS_HZ = (2.0, 12.0)
THRESHOLD = 12.0
HARMONIC_SHARE = 0.5  # of the threshold
PIECE_S = 4.0
MIN_DURATION_S = 1.0  # in shorter signals the window's main lobe reaches into the neighbours
OVERSAMPLING = 8
NYQUIST_FRACTION = 0.95  # upper limit of notches, as a fraction of the Nyquist frequency


@dataclass(frozen=True)
class PowerLine:
    """The power line in one signal.

    Attributes:
        frequency_hz: frequency of the fundamental; NaN where there is none.
        harmonics: numbers of the harmonics that stand out; the fundamental is 1; empty where there is no line.
        ratio: peak over median, the value compared with the threshold; 0 where nothing was searched.
        shares: for each harmonic, the share (0 to 1) to remove of what a notch there removes; empty: all of it.
    """

    frequency_hz: float
    harmonics: tuple[int, ...] = ()
    ratio: float = 0.0
    shares: tuple[float, ...] = ()

    def share(self, harmonic: int) -> float:
        """The share to remove of what a notch at one of `harmonics` removes."""
        return self.shares[self.harmonics.index(harmonic)] if self.shares else 1.0

    def only(self, held: Collection[int]) -> PowerLine:
        """The same line with those of its harmonics that are in `held`."""
        numbers = tuple(k for k in self.harmonics if k in held)
        return replace(self, harmonics=numbers, shares=tuple(self.share(k) for k in numbers) if self.shares else ())


def find_power_line(
    x: NDArray[np.float64],
    fs_hz: float,
    *,
    known_hz: float = float("nan"),
    known_present: bool = False,
    n_harmonics: int = 5,
    threshold: float = THRESHOLD,
) -> PowerLine:
    """Detect a power line in one signal by the rule above.

    Args:
        x: [L], any unit.
        fs_hz: sampling rate in hertz.
        known_hz: the line's frequency, where it is known; only its harmonics are searched. NaN: not known.
        known_present: True if the signal is known to hold a line: the highest candidate is the line at any ratio.
        n_harmonics: largest number of harmonics, the fundamental included.
        threshold: least ratio of powers for the fundamental.

    Returns:
        The line. A signal shorter than 1 s is not searched: it has no line, or only the known one
        without further harmonics. If it is known to hold a line of unknown frequency, it is searched all the same.
    """
    long_enough = len(x) >= MIN_DURATION_S * fs_hz
    given = bool(np.isfinite(known_hz))
    if not long_enough and (given or not known_present):
        return PowerLine(known_hz, (1,)) if given else PowerLine(float("nan"))
    frequency_hz, power = _periodogram(x, fs_hz)
    if given:
        fundamental_hz, ratio = float(known_hz), peak(frequency_hz, power, known_hz, HARMONIC_SEARCH_HZ)[1]
    else:
        candidates = [peak(frequency_hz, power, mains, SEARCH_HZ) for mains in searched_mains(fs_hz)]
        fundamental_hz, ratio = max(candidates, key=lambda candidate: candidate[1], default=(float("nan"), 0.0))
        if not np.isfinite(fundamental_hz) or (ratio <= threshold and not known_present):
            return PowerLine(float("nan"), (), ratio)
    n_harmonics = n_harmonics if long_enough else 1
    return PowerLine(fundamental_hz, harmonics(frequency_hz, power, fundamental_hz, n_harmonics, threshold), ratio)


def sized(x: NDArray[np.float64], fs_hz: float, line: PowerLine, notch_width_hz: float) -> PowerLine:
    """The line with the share of each notch that its evidence in `x` [L] is worth.

    With the power L of a sinusoid and the power N that a notch takes from what lies around, the share L / (L + N)
    leaves the least error. A peak of ratio r over the median stands r ln 2 - 1 times the mean density S above it, which
    is a sinusoid of 1.5 S (r ln 2 - 1) / T in T seconds (Hann window); a zero-phase notch of width w takes S pi w / 4.
    """
    n = min(len(x), round(PIECE_S * fs_hz))
    frequency_hz, power = _periodogram(x, fs_hz)
    taken = np.pi / 6 * notch_width_hz * n / fs_hz
    excess = [
        max(0.0, peak(frequency_hz, power, k * line.frequency_hz, HARMONIC_SEARCH_HZ)[1] * np.log(2) - 1)
        for k in line.harmonics
    ]
    return replace(line, shares=tuple(e / (e + taken) for e in excess))


def searched_mains(fs_hz: float) -> list[float]:
    """The mains frequencies in hertz that are low enough for a sampling rate."""
    return [mains for mains in MAINS_HZ if mains + SEARCH_HZ < NYQUIST_FRACTION * fs_hz / 2]


def harmonics(
    frequency_hz: NDArray[np.float64],
    power: NDArray[np.float64],
    fundamental_hz: float,
    n_harmonics: int,
    threshold: float = THRESHOLD,
) -> tuple[int, ...]:
    """Numbers of the harmonics that stand out in a spectrum; the fundamental, 1, is always among them."""
    numbers = [1]
    for k in range(2, n_harmonics + 1):
        if k * fundamental_hz + SEARCH_HZ < NYQUIST_FRACTION * frequency_hz[-1]:
            _, ratio = peak(frequency_hz, power, k * fundamental_hz, HARMONIC_SEARCH_HZ)
            if ratio > HARMONIC_SHARE * threshold:
                numbers.append(k)
    return tuple(numbers)


def _periodogram(x: NDArray[np.float64], fs_hz: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies in hertz and power, relative to the signal's peak, on a grid finer than the resolution."""
    largest = np.abs(x).max()
    x = x / largest if largest > 0 else x
    n = min(len(x), round(PIECE_S * fs_hz))
    n_fft = OVERSAMPLING * n
    pieces = half_overlapping(x, n)
    power = np.zeros(n_fft // 2 + 1)
    for piece in pieces:  # one at a time, to save memory: its transform is eight times as long
        power += power_of_centred(piece, n_fft)
    return np.linspace(0.0, n_fft // 2 * fs_hz / n_fft, n_fft // 2 + 1), power / len(pieces)


def peak(
    frequency_hz: NDArray[np.float64], power: NDArray[np.float64], centre_hz: float, search_hz: float
) -> tuple[float, float]:
    """Frequency of the highest point near `centre_hz`, and its ratio to the median around; NaN and 0 where none."""
    distance_hz = np.abs(frequency_hz - centre_hz)
    near = np.flatnonzero(distance_hz <= search_hz)
    around = power[(distance_hz >= NEIGHBOURS_HZ[0]) & (distance_hz <= NEIGHBOURS_HZ[1])]
    if not len(near) or not len(around):
        return float("nan"), 0.0
    top = near[np.argmax(power[near])]
    # a lone sinusoid has no floor: below this level there are only rounding errors of the transform
    floor = max(float(np.median(around)), np.finfo(np.float64).eps * float(power.max()))
    if floor == 0 or not 0 < top < len(power) - 1:
        return float("nan"), 0.0
    step_hz = frequency_hz[1] - frequency_hz[0]
    left, middle, right = np.log(np.maximum(power[top - 1 : top + 2], floor * np.finfo(np.float64).eps))
    curvature = left - 2 * middle + right
    offset = 0.5 * (left - right) / curvature if curvature < 0 else 0.0
    return float(frequency_hz[top] + np.clip(offset, -1, 1) * step_hz), float(power[top]) / floor
