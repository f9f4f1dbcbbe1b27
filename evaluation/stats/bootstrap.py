"""Intervals by a bootstrap over subjects, of means over mixtures, as papers average: tables in their layout have them.

With few people they cover less than they say (docs/statistics.md); our own tables have those of `intervals.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import seeding

FloatArray = NDArray[np.float64]
INTERVALS = "Brackets: {:.0%} interval by a bootstrap over subjects."


def subject_bootstrap(
    values: FloatArray, subjects: NDArray[np.str_], resamples: int, confidence: float, seed: int
) -> tuple[FloatArray, FloatArray]:
    """Percentile interval of the mean over segments, by resampling whole subjects.

    A resample draws as many subjects as there are, with replacement; its mean is over all their
    segments. Sums by subject are computed once, so the cost of a resample does not grow with the segments.

    Args:
        values: [n, M] values of M quantities; NaN is left out.
        subjects: [n] subject of each row.
        resamples: number of resamples.
        confidence: e.g. 0.95.
        seed: the configuration's seed.

    Returns:
        Lower and upper limits, [M] each; NaN where there are fewer than two subjects.
    """
    sums, counts = by_subject(values, subjects)
    return bootstrap_of_sums(sums, counts, resamples, confidence, seed)


def group_bootstrap(
    values: FloatArray,
    groups: NDArray[np.float64],
    subjects: NDArray[np.str_],
    resamples: int,
    confidence: float,
    seed: int,
) -> tuple[FloatArray, FloatArray]:
    """As `subject_bootstrap`, for the mean over groups of the means within them; `groups` [n] is each row's group."""
    names = np.unique(subjects)
    members = [groups == group for group in np.unique(groups)]
    parts = [by_subject(values[rows], subjects[rows], names) for rows in members]
    return bootstrap_of_groups(parts, resamples, confidence, seed)


def by_subject(
    values: FloatArray, subjects: NDArray[Any], names: NDArray[Any] | None = None
) -> tuple[FloatArray, FloatArray]:
    """Sums and counts by subject of the finite values in [n, M]; [S, M] each.

    Subjects are in the order of their names. `names`, sorted, lists all subjects where the rows have only some.
    """
    if names is None:
        names, owner = np.unique(subjects, return_inverse=True)
    else:
        owner = np.searchsorted(names, subjects)
    finite = np.isfinite(values)
    sums, counts = np.zeros((len(names), values.shape[1])), np.zeros((len(names), values.shape[1]))
    np.add.at(sums, owner, np.where(finite, values, 0.0))
    np.add.at(counts, owner, finite)
    return sums, counts


def bootstrap_of_sums(
    sums: FloatArray, counts: FloatArray, resamples: int, confidence: float, seed: int
) -> tuple[FloatArray, FloatArray]:
    """The interval of `subject_bootstrap` from sums and counts by subject.

    Args:
        sums: [S, M] sum of each quantity over a subject's segments.
        counts: [S, M] number of segments in that sum.
        resamples: number of resamples.
        confidence: e.g. 0.95.
        seed: the configuration's seed.

    Returns:
        Lower and upper limits, [M] each; NaN where there are fewer than two subjects, or no value.
    """
    return bootstrap_of_groups([(sums, counts)], resamples, confidence, seed)


def bootstrap_of_groups(
    groups: Sequence[tuple[FloatArray, FloatArray]], resamples: int, confidence: float, seed: int
) -> tuple[FloatArray, FloatArray]:
    """The interval of a mean over groups (SNRs) of means over segments, the average in the papers.

    Args:
        groups: for each group, sums and counts by subject, [S, M] each; a group without a value in a resample is left
            out of that resample.
        resamples: number of resamples.
        confidence: e.g. 0.95.
        seed: the configuration's seed.

    Returns:
        Lower and upper limits, [M] each; NaN where there are fewer than two subjects, or no value.
    """
    n_subjects, n_quantities = groups[0][0].shape
    if n_subjects < 2:
        return np.full(n_quantities, np.nan), np.full(n_quantities, np.nan)
    weights = _weights(n_subjects, resamples, seed)
    total, n_groups = np.zeros((resamples, n_quantities)), np.zeros((resamples, n_quantities))
    for sums, counts in groups:
        resampled_counts = weights @ counts
        there = resampled_counts > 0
        total += np.divide(weights @ sums, resampled_counts, out=np.zeros_like(total), where=there)
        n_groups += there
    means = np.divide(total, n_groups, out=np.full_like(total, np.nan), where=n_groups > 0)
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    if np.isfinite(means).all():
        limits: FloatArray = np.quantile(means, ends, axis=0)
        return limits[0], limits[1]
    empty = ~np.isfinite(means).any(axis=0)
    means[:, empty] = 0.0
    limits = np.nanquantile(means, ends, axis=0)
    limits[:, empty] = np.nan
    return limits[0], limits[1]


@lru_cache(maxsize=8)
def _weights(n_subjects: int, resamples: int, seed: int) -> FloatArray:
    """[B, S] how often each subject is in each resample; cached, because tables use the same draw many times."""
    rng = seeding.generator(seed, "bootstrap over subjects", n_subjects)
    drawn = rng.multinomial(n_subjects, np.full(n_subjects, 1 / n_subjects), size=resamples).astype(np.float64)
    drawn.flags.writeable = False
    return drawn
