"""The spectra of profile `published` (CleanSEMG, spec A9), kept to the letter to compare with printed tables.

Constants are counted in samples and made for 1 kHz; the epsilons are in volts. See docs/metrics.md for what
they do to the values.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from evaluation.metrics.spectrum import BAND_HZ, squared_magnitude
from evaluation.metrics.workspace import Workspace

FloatArray = NDArray[np.float64]

LSD_SAMPLES = 512
LSD_HOP = 128
LSD_SHORTEST = 1536
LSD_EPSILON = 1e-10  # volts squared
WINDOW = 200
PADDED = 1024
BLOCK = 246  # the 492 bins of a padded window in 20..500 Hz are 41 blocks
EMPTY_AMPLITUDE = 1e-12  # volts


def log_spectral_distance_db(
    clean: FloatArray, denoised: FloatArray, fs_hz: float, workspace: Workspace | None = None
) -> FloatArray:
    """sqrt(mean_k (10 log10((|S_k(e)|^2 + 1e-10) / (|S_k(c)|^2 + 1e-10)))^2), mean over frames, dB: [n, L] -> [n].

    S is the DFT of a frame of 512 samples under a symmetric Hann window divided by the window's sum, hop
    128; half a frame of zeros is added at both ends, and zeros to fill the last frame; 20 to 500 Hz, both
    included. NaN for segments shorter than 1536 samples.
    """
    n, length = clean.shape
    if length < LSD_SHORTEST:
        return np.full(n, np.nan)
    workspace = workspace or Workspace()
    epsilon = LSD_EPSILON * float(_hann(LSD_SAMPLES).sum()) ** 2  # instead of scaling every bin
    level_db = _frame_power(denoised, fs_hz, "power", workspace)
    level_db += epsilon
    reference = _frame_power(clean, fs_hz, "reference", workspace)
    reference += epsilon
    level_db /= reference
    np.log10(level_db, out=level_db)
    level_db *= level_db
    distance: FloatArray = 10 * np.sqrt(level_db.mean(axis=-1)).mean(axis=-1)
    return distance


def mean_frequency_hz(x: FloatArray, fs_hz: float, workspace: Workspace | None = None) -> FloatArray:
    """Amplitude-weighted mean frequency, sum f_k A_k / sum A_k, of each frame: [n, L] -> [n, frames].

    Frames of 200 samples without overlap or taper start 100 samples before the segment, which is extended by
    its edge values on both sides (and by zeros to fill the last frame), and are padded to 1024; 20 Hz to just
    below 500 Hz. A frame whose amplitudes sum to 1e-12 or less takes the median of the others; NaN where
    there are no others.
    """
    workspace = workspace or Workspace()
    n, length = x.shape
    half = WINDOW // 2
    count = -(-(length + 2 * half) // WINDOW)
    extended = workspace.real("frames", (n, count * WINDOW))
    extended[:, :half] = x[:, :1]
    extended[:, half : half + length] = x
    extended[:, half + length : length + 2 * half] = x[:, -1:]
    extended[:, length + 2 * half :] = 0.0
    frequencies_hz, band = _band(PADDED, fs_hz, includes_upper=False)
    amplitude = _band_power(extended.reshape(n, count, WINDOW), PADDED, band, "power", workspace)
    np.sqrt(amplitude, out=amplitude)
    total = amplitude.sum(axis=-1)
    amplitude *= frequencies_hz
    empty = total <= EMPTY_AMPLITUDE
    frequency: FloatArray = amplitude.sum(axis=-1) / np.where(empty, 1.0, total)
    for row in np.flatnonzero(empty.any(axis=-1)):
        others = frequency[row, ~empty[row]]
        frequency[row, empty[row]] = np.median(others) if others.size else np.nan
    return frequency


def median_frequency_hz(windows: FloatArray, fs_hz: float, workspace: Workspace | None = None) -> FloatArray:
    """First bin at which the cumulated power reaches half the total: [n, windows, 200] -> [n, windows].

    A window is padded to 1024 samples and then tapered by a symmetric Hann of 1024, of which it sees the
    rising fifth; 20 to 500 Hz, both included.
    """
    workspace = workspace or Workspace()
    frequencies_hz, band = _band(PADDED, fs_hz, includes_upper=True)
    tapered = np.multiply(windows, _hann(PADDED)[:WINDOW], out=workspace.real("frames", windows.shape))
    power = _band_power(tapered, PADDED, band, "power", workspace)
    frequency: FloatArray = frequencies_hz[_first_at_half(power)]
    return frequency


def _frame_power(x: FloatArray, fs_hz: float, name: str, workspace: Workspace) -> FloatArray:
    """|DFT|^2 of the LSD's frames: [n, L] -> [n, frames, bins]."""
    n, length = x.shape
    half = LSD_SAMPLES // 2
    count = -(-length // LSD_HOP) + 1
    extended = workspace.real("extended", (n, LSD_SAMPLES + (count - 1) * LSD_HOP))
    extended[:, :half] = 0.0
    extended[:, half : half + length] = x
    extended[:, half + length :] = 0.0
    frames = np.lib.stride_tricks.sliding_window_view(extended, LSD_SAMPLES, axis=-1)[:, ::LSD_HOP]
    tapered = np.multiply(frames, _hann(LSD_SAMPLES), out=workspace.real("frames", frames.shape))
    _, band = _band(LSD_SAMPLES, fs_hz, includes_upper=True)
    return _band_power(tapered, LSD_SAMPLES, band, name, workspace)


def _band_power(frames: FloatArray, samples: int, band: slice, name: str, workspace: Workspace) -> FloatArray:
    """|DFT|^2 of frames padded with zeros to `samples`, in the band: [n, frames, :] -> [n, frames, bins]."""
    transform = workspace.complex("transform", (*frames.shape[:-1], samples // 2 + 1))
    np.fft.rfft(frames, n=samples, axis=-1, out=transform)  # scipy.fft cannot write into given memory
    shape = (*frames.shape[:-1], band.stop - band.start)
    return squared_magnitude(transform[..., band], out=workspace.real(name, shape))


def _first_at_half(power: FloatArray) -> NDArray[np.intp]:
    """First bin at which the cumulated power reaches half the total: [n, windows, bins] -> [n, windows].

    Cumulates over blocks, then inside the block that holds the bin: four times faster than over all bins.
    """
    blocks = power.reshape(*power.shape[:-1], -1, BLOCK)
    cumulated = np.cumsum(blocks.sum(axis=-1), axis=-1)
    half = cumulated[..., -1:] / 2
    block = np.argmax(cumulated >= half, axis=-1)[..., None]
    inside = np.take_along_axis(blocks, block[..., None], axis=-2)[..., 0, :]
    before = np.where(block > 0, np.take_along_axis(cumulated, np.maximum(block - 1, 0), axis=-1), 0.0)
    reached = before + np.cumsum(inside, axis=-1) >= half
    reached[..., -1] = True  # the block reaches half, whatever rounding does to its own sum
    first: NDArray[np.intp] = block[..., 0] * BLOCK + np.argmax(reached, axis=-1)
    return first


@lru_cache(maxsize=4)
def _hann(samples: int) -> FloatArray:
    return np.hanning(samples)


@lru_cache(maxsize=16)
def _band(samples: int, fs_hz: float, includes_upper: bool) -> tuple[FloatArray, slice]:
    frequencies_hz: FloatArray = np.arange(samples // 2 + 1, dtype=np.float64) * (fs_hz / samples)
    start = int(np.searchsorted(frequencies_hz, BAND_HZ[0], side="left"))
    stop = int(np.searchsorted(frequencies_hz, BAND_HZ[1], side="right" if includes_upper else "left"))
    return frequencies_hz[start:stop], slice(start, stop)
