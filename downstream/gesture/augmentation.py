"""Augmented views for the contrastive stage: noise, magnitude warping, wavelet details; each with probability 1/2.

The values are those of the public code. It calls its noise level an SNR of 30 dB, but uses 30 as a ratio of powers
(14.8 dB); the ratio is used here, too, because the published weights were fitted with it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Augmentation = Callable[[Float, np.random.Generator], Float]

CHANCE = 0.5
POWER_RATIO = 30.0  # signal over noise; 10 log10(30) = 14.8 dB
WARP_STD, WARP_KNOTS = 0.1, 6
WAVELET, WAVELET_LEVEL, DETAIL_GAIN = "sym4", 5, 3.0


def noise(x: Float, generator: np.random.Generator) -> Float:
    """Add white noise with 1/30 of the power of each window and channel: [n, L, C] -> [n, L, C]."""
    power = np.mean(np.square(x), axis=1, keepdims=True, dtype=np.float64)  # [n, 1, C]
    added = np.sqrt(power / POWER_RATIO) * generator.standard_normal(x.shape)
    return np.asarray(x + added, np.float32)


def warp(x: Float, generator: np.random.Generator) -> Float:
    """Multiply each window and channel by a cubic spline through 6 random knots around 1: [n, L, C] -> [n, L, C]."""
    from scipy.interpolate import CubicSpline

    n, length, n_channels = x.shape
    knots = generator.normal(1.0, WARP_STD, size=(WARP_KNOTS, n, n_channels))
    curve = CubicSpline(np.linspace(0, length - 1, WARP_KNOTS), knots, axis=0)(np.arange(length))  # [L, n, C]
    return np.asarray(x * np.moveaxis(curve, 0, 1), np.float32)


def wavelet(x: Float, _: np.random.Generator) -> Float:
    """Multiply all wavelet detail coefficients by 3: [n, L, C] -> [n, L, C]; short windows have fewer than 5 levels."""
    import pywt

    level = min(WAVELET_LEVEL, pywt.dwt_max_level(x.shape[1], WAVELET))
    approximation, *details = pywt.wavedec(x, WAVELET, level=level, axis=1)
    louder = pywt.waverec([approximation, *(DETAIL_GAIN * detail for detail in details)], WAVELET, axis=1)
    return np.asarray(louder[:, : x.shape[1]], np.float32)


ALL: tuple[Augmentation, ...] = (noise, warp, wavelet)


def view(x: Float, generator: np.random.Generator) -> Float:
    """Return one augmented view of windows [n, S, T, C]; augmentations are drawn for each window separately."""
    n, steps, step_samples, n_channels = x.shape
    flat = x.reshape(n, steps * step_samples, n_channels).copy()
    for augmentation in ALL:
        rows = np.flatnonzero(generator.random(n) < CHANCE)
        if rows.size:
            flat[rows] = augmentation(flat[rows], generator)
    return flat.reshape(x.shape)
