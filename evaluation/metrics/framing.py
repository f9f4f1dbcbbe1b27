"""Adjacent windows of 200 ms, and the RMS difference between the features of two signals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

WINDOW_S = 0.2


def window_samples(fs_hz: float) -> int:
    """Samples in 200 ms, rounded: 200 at 1 kHz, 252 at 1259.26 Hz."""
    return round(WINDOW_S * fs_hz)


def split_windows(x: FloatArray, length: int) -> FloatArray:
    """Windows without overlap, the tail dropped: [n, L] -> [n, L // length, length], a view.

    >>> split_windows(np.arange(7.0)[None], 3)
    array([[[0., 1., 2.],
            [3., 4., 5.]]])
    """
    count = x.shape[-1] // length
    return x[:, : count * length].reshape(x.shape[0], count, length)


def rms_difference(a: FloatArray, b: FloatArray) -> FloatArray:
    """sqrt(mean (a - b)^2) over the last axis: [n, m] -> [n].

    >>> rms_difference(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]])).round(4)
    array([3.5355])
    """
    difference = b - a
    distance: FloatArray = np.sqrt((difference * difference).mean(axis=-1))
    return distance
