"""Intervals of means by a bootstrap over subjects: segments of one person are not independent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core import seeding

FloatArray = NDArray[np.float64]


def subject_bootstrap(
    values: FloatArray, subjects: NDArray[np.str_], resamples: int, confidence: float, seed: int
) -> tuple[FloatArray, FloatArray]:
    """Percentile interval of the mean over segments, resampling whole subjects.

    A resample draws as many subjects as there are, with replacement; its mean is over all their
    segments. Sums by subject are taken once, so that the cost does not grow with the segments.

    Args:
        values: [n, M] values of M quantities; NaN is left out.
        subjects: [n] who each row comes from.
        resamples: number of resamples.
        confidence: e.g. 0.95.
        seed: the configuration's seed.

    Returns:
        Lower and upper limits, [M] each; NaN where there are fewer than two subjects.
    """
    names, owner = np.unique(subjects, return_inverse=True)
    n_quantities = values.shape[1]
    if len(names) < 2:
        return np.full(n_quantities, np.nan), np.full(n_quantities, np.nan)
    finite = np.isfinite(values)
    sums = np.zeros((len(names), n_quantities))
    counts = np.zeros((len(names), n_quantities))
    np.add.at(sums, owner, np.where(finite, values, 0.0))
    np.add.at(counts, owner, finite)
    rng = seeding.generator(seed, "bootstrap over subjects", len(names))
    weights = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)  # [B, S]
    resampled_counts = weights @ counts
    means = np.divide(
        weights @ sums, resampled_counts, out=np.full((resamples, n_quantities), np.nan), where=resampled_counts > 0
    )
    low, high = (1 - confidence) / 2, (1 + confidence) / 2
    empty = ~np.isfinite(means).any(axis=0)
    means[:, empty] = 0.0
    limits: FloatArray = np.nanquantile(means, [low, high], axis=0)
    limits[:, empty] = np.nan
    return limits[0], limits[1]
