"""The spectra of profile `published` (CleanSEMG, spec A9), exactly as published, to compare with printed tables.

Constants are in samples at 1 kHz; the epsilons are in volts or volts squared. docs/metrics.md shows how they affect
the values.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cleansemg.evaluation.metrics.spectrum import BAND_HZ, squared_magnitude
from cleansemg.evaluation.metrics.workspace import Workspace

FloatArray = NDArray[np.float64]

LSD_SAMPLES = 512
LSD_HOP = 128
LSD_SHORTEST = 1536
LSD_EPSILON = 1e-10  # volts squared
WINDOW = 200
PADDED = 1024
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
    below 500 Hz. A frame whose amplitudes sum to 1e-12 or less gets the median of the others; NaN where
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
    transform = _transform(extended.reshape(n, count, WINDOW), PADDED, workspace)[..., band]
    amplitude = np.abs(transform, out=workspace.real("power", transform.shape))
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

    A window is padded to 1024 samples and then tapered by a symmetric Hann window of 1024, so only its rising
    fifth applies; 20 to 500 Hz, both included.
    """
    workspace = workspace or Workspace()
    frequencies_hz, band = _band(PADDED, fs_hz, includes_upper=True)
    tapered = np.multiply(windows, _hann(PADDED)[:WINDOW], out=workspace.real("frames", windows.shape))
    transform = _transform(tapered, PADDED, workspace)[..., band]
    power = squared_magnitude(transform, out=workspace.real("power", transform.shape))
    cumulated = np.cumsum(power, axis=-1, out=power)
    first = np.argmax(cumulated >= cumulated[..., -1:] / 2, axis=-1)
    frequency: FloatArray = frequencies_hz[first]
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
    transform = _transform(tapered, LSD_SAMPLES, workspace)[..., band]
    return squared_magnitude(transform, out=workspace.real(name, transform.shape))


def _transform(frames: FloatArray, samples: int, workspace: Workspace) -> NDArray[np.complex128]:
    """DFT of frames padded with zeros to `samples`: [n, frames, :] -> [n, frames, samples // 2 + 1]."""
    transform = workspace.complex("transform", (*frames.shape[:-1], samples // 2 + 1))
    np.fft.rfft(frames, n=samples, axis=-1, out=transform)  # scipy.fft cannot write into given memory
    return transform


@lru_cache(maxsize=4)
def _hann(samples: int) -> FloatArray:
    return np.hanning(samples)


@lru_cache(maxsize=16)
def _band(samples: int, fs_hz: float, includes_upper: bool) -> tuple[FloatArray, slice]:
    frequencies_hz: FloatArray = np.arange(samples // 2 + 1, dtype=np.float64) * (fs_hz / samples)
    start = int(np.searchsorted(frequencies_hz, BAND_HZ[0], side="left"))
    stop = int(np.searchsorted(frequencies_hz, BAND_HZ[1], side="right" if includes_upper else "left"))
    return frequencies_hz[start:stop], slice(start, stop)
