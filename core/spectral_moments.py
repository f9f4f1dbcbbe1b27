"""Mean and median frequency of a power spectrum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def mean_frequency_hz(power: FloatArray, frequencies_hz: FloatArray) -> FloatArray:
    """Power-weighted mean frequency, sum f_k P_k / sum P_k: [..., bins] -> [...].

    >>> mean_frequency_hz(np.array([1.0, 2.0, 1.0]), np.array([95.0, 100.0, 105.0]))
    np.float64(100.0)
    """
    frequency: FloatArray = (power * frequencies_hz).sum(axis=-1) / power.sum(axis=-1)
    return frequency


def median_frequency_hz(power: FloatArray, frequencies_hz: FloatArray) -> FloatArray:
    """The frequency that halves the power: [..., bins] -> [...]; bins in even steps.

    A bin's power is spread evenly over its width, f_k - d/2 to f_k + d/2, so that the value moves
    continuously with the spectrum and a symmetric spectrum reads its centre.

    >>> median_frequency_hz(np.array([1.0, 2.0, 1.0]), np.array([95.0, 100.0, 105.0]))
    np.float64(100.0)
    >>> median_frequency_hz(np.array([3.0, 2.0, 1.0]), np.array([95.0, 100.0, 105.0]))
    np.float64(97.5)
    """
    cumulated = np.cumsum(power, axis=-1)
    half = cumulated[..., -1:] / 2
    k = np.argmax(cumulated >= half, axis=-1)[..., None]  # the bin that holds the median
    inside = np.take_along_axis(power, k, axis=-1)
    before = np.take_along_axis(cumulated, k, axis=-1) - inside
    position = k - 0.5 + (half - before) / inside  # in bins
    step_hz = frequencies_hz[1] - frequencies_hz[0]
    frequency: FloatArray = frequencies_hz[0] + step_hz * position[..., 0]
    return frequency
