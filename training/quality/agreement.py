"""Agreement of predictions with true values: MSE, MAE, LCC, SRCC, average precision, intervals over subjects."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import seeding

FloatArray = NDArray[np.float64]


def mse(true: FloatArray, predicted: FloatArray) -> float:
    """Mean squared error of [n] values, in their squared unit (dB^2 for an SNR in dB).

    >>> mse(np.array([0.0, 2.0]), np.array([1.0, 4.0]))
    2.5
    """
    return float(np.mean((predicted - true) ** 2))


def mae(true: FloatArray, predicted: FloatArray) -> float:
    """Mean absolute error of [n] values, in their unit.

    >>> mae(np.array([0.0, 2.0]), np.array([1.0, 4.0]))
    1.5
    """
    return float(np.mean(np.abs(predicted - true)))


def lcc(true: FloatArray, predicted: FloatArray) -> float:
    """Linear (Pearson's) correlation coefficient; NaN if one argument is constant.

    >>> round(lcc(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0])), 12)
    1.0
    """
    if np.ptp(true) == 0 or np.ptp(predicted) == 0:
        return float("nan")
    return float(np.corrcoef(true, predicted)[0, 1])


def srcc(true: FloatArray, predicted: FloatArray) -> float:
    """Spearman's rank correlation coefficient; ties have their mean rank; NaN if one argument is constant.

    >>> round(srcc(np.array([0.0, 1.0, 2.0]), np.array([1.0, 9.0, 100.0])), 12)
    1.0
    """
    return lcc(_ranks(true), _ranks(predicted))


MEASURES: dict[str, Callable[[FloatArray, FloatArray], float]] = {"LCC": lcc, "SRCC": srcc, "MSE": mse, "MAE": mae}


def average_precision(true: NDArray[np.bool_], score: FloatArray) -> float:
    """Average precision: sum of precision times the increase of recall over thresholds; NaN without positives.

    `true` and `score` are [n]. Equal scores form one step, so the order of items does not matter.

    >>> average_precision(np.array([True, False, True]), np.array([0.9, 0.5, 0.4])).__round__(4)
    0.8333
    """
    if not true.any():
        return float("nan")
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(true[order])
    last_of_ties = np.append(np.diff(score[order]) != 0, True)
    precision = (hits / np.arange(1, len(true) + 1))[last_of_ties]
    recall = (hits / hits[-1])[last_of_ties]
    return float(np.sum(precision * np.diff(recall, prepend=0.0)))


def intervals(
    true: FloatArray, predicted: FloatArray, subjects: NDArray[np.str_], resamples: int, confidence: float, seed: int
) -> dict[str, tuple[float, float]]:
    """Percentile intervals of every measure, from a bootstrap over subjects; NaN with fewer than two subjects.

    Args:
        true: [n] true values.
        predicted: [n] predicted values.
        subjects: [n] subject of each value.
        resamples: number of resamples.
        confidence: confidence level, e.g. 0.95.
        seed: the configuration's.

    Returns:
        Measure -> lower and upper limit.
    """
    names, owner = np.unique(subjects, return_inverse=True)
    if len(names) < 2:
        return dict.fromkeys(MEASURES, (float("nan"), float("nan")))
    members = [np.flatnonzero(owner == index) for index in range(len(names))]
    rng = seeding.generator(seed, "bootstrap over subjects", len(names))
    values = np.empty((resamples, len(MEASURES)))
    for i in range(resamples):
        rows = np.concatenate([members[j] for j in rng.integers(len(names), size=len(names))])
        values[i] = [measure(true[rows], predicted[rows]) for measure in MEASURES.values()]
    low, high = np.nanquantile(values, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return {name: (float(low[i]), float(high[i])) for i, name in enumerate(MEASURES)}


def _ranks(x: FloatArray) -> FloatArray:
    _, position, count = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    mean_rank = last - (count - 1) / 2
    ranks: FloatArray = mean_rank[position]
    return ranks
