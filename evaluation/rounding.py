"""Waveforms on a grid of equal steps, so that processors that differ in last digits store the same bytes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def is_power_of_two(step: float) -> bool:
    """Whether multiples of a step are plain binary numbers: 2^-30 is, 1e-9 is not."""
    return step > 0 and math.isfinite(step) and math.frexp(step)[0] == 0.5


def rounded(signals: NDArray[np.floating[Any]], step: float | None) -> NDArray[np.float32]:
    """The nearest multiples of a step, halves to the even one; None: the signals as they are.

    With a step of 2^-30 V, multiples up to 2^-6 V (15.6 mV) are float32 numbers, so nothing is rounded twice; above,
    numbers of float32 lie further apart than the step, and samples stay what they are.

    Args:
        signals: [n, L] in volts.
        step: in volts, a power of two.

    >>> rounded(np.array([0.3, 0.5, 1.5, -0.7]), 1.0)
    array([ 0.,  0.,  2., -1.], dtype=float32)
    """
    if step is None:
        return np.asarray(signals, np.float32)
    nearest = np.rint(np.asarray(signals, np.float64) / step) * step
    return (nearest + 0.0).astype(np.float32)  # no minus zero, which is another byte
