"""Energy that a Hampel filter along frequency removes: the share of a trial's energy in narrow spectral lines.

Symbols of the protocol (A2): windows of 2 s, hop 1 s; X = rfft(window); the real and the imaginary part of X each
pass a Hampel filter along frequency (Hampel 1974; half width 40 bins, so 81, ends repeated): a bin farther from the
running median than 5 robust standard deviations is replaced by the median. E0, E1 are the energy of X before and after;
removed = clip((E0 - E1) / E0, 0, 1), and a trial's value is the maximum over its windows.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import fft

FloatArray = NDArray[np.float64]

MAD_TO_STD = 1.4286  # the protocol's figure; a normal distribution has 1.4826
BLOCK_BINS = 16  # bins that one count can show to hold no outlier


def removed_energy(
    signal: FloatArray, fs_hz: float, window_s: float, hop_s: float, half_width_bins: int, threshold: float
) -> FloatArray:
    """Largest share of energy that the Hampel filter removes from any window of a trial.

    Args:
        signal: [C, T] finite, any unit.
        fs_hz: sampling rate in hertz.
        window_s: length of a window in seconds; only whole windows count.
        hop_s: distance between the starts of two windows in seconds.
        half_width_bins: number of neighbours on either side of a bin.
        threshold: distance from the median, in robust standard deviations, beyond which a bin is replaced.

    Returns:
        [C] in 0..1; NaN where the trial is shorter than one window.
    """
    n_channels, n_samples = signal.shape
    window, hop = round(window_s * fs_hz), max(1, round(hop_s * fs_hz))
    if n_samples < window:
        return np.full(n_channels, np.nan)
    frames = np.lib.stride_tricks.sliding_window_view(signal, window, axis=1)[:, ::hop]  # [C, W, window]
    removed = np.empty(n_channels)
    for channel in range(n_channels):  # the data of one channel fit in the processor's cache
        spectra = fft.rfft(frames[channel], axis=-1, workers=1)  # [W, B]
        removed[channel] = removed_shares(spectra, half_width_bins, threshold * MAD_TO_STD).max()
    return removed


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def removed_shares(spectra: NDArray[np.complex128], half: int, reach: float) -> FloatArray:
    """Share of energy that the filter removes from each spectrum.

    Args:
        spectra: [W, B].
        half: neighbours on either side.
        reach: distance from the median, in MADs, beyond which a bin is replaced.

    Returns:
        [W] in 0..1; 0 for a spectrum of zeros.
    """
    n_rows, n_bins = spectra.shape
    shares = np.zeros(n_rows)
    values = np.empty(n_bins)
    medians = np.empty(n_bins)
    padded = np.empty(n_bins + 2 * half)
    for row in range(n_rows):
        energy = 0.0
        lost = 0.0
        for part in range(2):
            for i in range(n_bins):
                values[i] = spectra[row, i].real if part == 0 else spectra[row, i].imag
                energy += values[i] * values[i]
            running_median(values, half, padded, medians)
            lost += _energy_of_outliers(values, medians, half, reach, padded)
        if energy > 0.0:
            shares[row] = min(max(lost / energy, 0.0), 1.0)
    return shares


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def running_median(values: FloatArray, half: int, padded: FloatArray, medians: FloatArray) -> None:
    """Exact median of each value and its `half` neighbours on either side; the end values are repeated.

    The window stays sorted: one pass removes the leaving value and inserts the entering one. The pass is written
    so that the compiler can vectorise it.

    Args:
        values: [B] finite.
        half: neighbours on either side.
        padded: [B + 2 half] scratch.
        medians: [B] receives the result.
    """
    n = values.shape[0]
    width = 2 * half + 1
    _repeat_ends(values, half, padded)
    size = (width + 7) // 8 * 8  # a multiple of the vector width; entries beyond `width` are infinite
    window = np.full(size + 2, np.inf)  # the sorted values lie in 1..width, between infinities
    other = np.full(size + 2, np.inf)
    window[0] = other[0] = -np.inf
    window[1 : width + 1] = np.sort(padded[:width])
    medians[0] = window[half + 1]
    for i in range(1, n - 1, 2):  # two steps per turn: from one buffer to the other and back
        _exchange(window, other, padded[i - 1], padded[i + width - 1], size)
        medians[i] = other[half + 1]
        _exchange(other, window, padded[i], padded[i + width], size)
        medians[i + 1] = window[half + 1]
    if n > 1 and n % 2 == 0:
        _exchange(window, other, padded[n - 2], padded[n + width - 2], size)
        medians[n - 1] = other[half + 1]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _exchange(old: FloatArray, new: FloatArray, leaving: float, entering: float, size: int) -> None:
    """Write to `new` the sorted values of `old`, with `leaving` (one of them) replaced by `entering`.

    Only the values between the two move, by one index: down when a larger value enters, otherwise up. `entering` is
    inserted where the next value is already beyond it. The code uses conditional expressions because min() and max()
    would also handle NaN.
    """
    if entering > leaving:
        for j in range(1, size + 1):
            moved = entering if entering < old[j + 1] else old[j + 1]
            moved = moved if moved > old[j] else old[j]
            new[j] = old[j] if old[j] < leaving else moved
    else:
        for j in range(1, size + 1):
            moved = entering if entering > old[j - 1] else old[j - 1]
            moved = moved if moved < old[j] else old[j]
            new[j] = old[j] if old[j] > leaving else moved


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _repeat_ends(values: FloatArray, half: int, padded: FloatArray) -> None:
    n = values.shape[0]
    padded[half : half + n] = values
    padded[:half] = values[0]
    padded[half + n :] = values[n - 1]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _energy_of_outliers(values: FloatArray, medians: FloatArray, half: int, reach: float, padded: FloatArray) -> float:
    """Sum of value^2 - median^2 over the bins with |value - median| > reach * MAD.

    MAD is the middle one of 2 half + 1 distances. So a bin is an outlier if and only if more than `half` of these
    distances, times `reach`, are below the distance of the bin: a count replaces the second median. A block of bins
    is skipped when even its largest distance has too few such distances below it in the neighbourhood of the block.
    """
    n = values.shape[0]
    distances = np.abs(values - medians)
    _repeat_ends(distances * reach, half, padded)
    lost = 0.0
    for start in range(0, n, BLOCK_BINS):
        stop = min(start + BLOCK_BINS, n)
        if _count_below(padded[start : stop + 2 * half], distances[start:stop].max()) <= half:
            continue
        for i in range(start, stop):
            if _count_below(padded[i : i + 2 * half + 1], distances[i]) > half:
                lost += values[i] * values[i] - medians[i] * medians[i]
    return lost


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _count_below(values: FloatArray, limit: float) -> int:
    count = 0
    for value in values:
        count += 1 if value < limit else 0
    return count
