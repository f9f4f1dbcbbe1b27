"""Means over people and their t intervals, computed anew: everybody's mean, then Student's interval by scipy."""

from __future__ import annotations

import math
import statistics

import numpy as np
from numpy.typing import NDArray


def means_of_people(values: NDArray[np.float64], subject: NDArray[np.str_]) -> dict[str, float]:
    """Everybody's mean of [n] values, NaN left out; a person without a value has none."""
    order = np.argsort(subject, kind="stable")
    names, starts = np.unique(subject[order], return_index=True)
    means: dict[str, float] = {}
    if not len(names):
        return means
    for name, part in zip(names.tolist(), np.split(values[order], starts[1:]), strict=True):
        finite = part[~np.isnan(part)]
        if len(finite):
            means[name] = math.fsum(finite.tolist()) / len(finite)
    return means


def over_people(
    values: NDArray[np.float64], subject: NDArray[np.str_], confidence: float
) -> tuple[float, float, float]:
    """Mean over people and the limits of its t interval: all NaN without a value, limits NaN of one person."""
    from scipy import stats

    means = list(means_of_people(values, subject).values())
    if not means:
        return float("nan"), float("nan"), float("nan")
    mean = statistics.fmean(means)
    if len(means) == 1:
        return mean, float("nan"), float("nan")
    error = statistics.stdev(means) / math.sqrt(len(means))
    if error == 0:
        return mean, mean, mean
    low, high = stats.t.interval(confidence, len(means) - 1, loc=mean, scale=error)
    return mean, float(low), float(high)
