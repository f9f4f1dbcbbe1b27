"""Intervals over people: of a mean, a ratio of two means or another measure, and over people and noise records.

Everybody counts the same: a mean is the mean over people of each person's mean, and its interval is Student's over the
people's means. Which interval covers what it promises is simulated by `python -m benchmarks.coverage`, and shown in
docs/statistics.md.

Sources: Student, Biometrika 6 (1908) 1; E. C. Fieller, Journal of the Royal Statistical Society B 16 (1954) 175, for
the ratio; A. B. Owen, Annals of Applied Statistics 1 (2007) 386, for two crossed factors, and A. B. Owen, D. Eckles,
Annals of Applied Statistics 6 (2012) 895, for more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import seeding
from cleansemg.evaluation.stats.bootstrap import by_subject

FloatArray = NDArray[np.float64]
CHUNK = 4_000_000  # weights of mixtures in resamples that are in memory at a time


def person_interval(
    values: FloatArray, subjects: NDArray[Any], confidence: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean over people of each person's mean, and its t interval.

    Args:
        values: [n, M] values of M quantities; NaN is left out.
        subjects: [n] who each row comes from, names or numbers.
        confidence: e.g. 0.95.

    Returns:
        Mean, lower and upper limit, [M] each: the mean NaN where nobody has a value, limits NaN below two people.

    >>> mean, low, high = person_interval(np.array([[1.0], [3.0], [4.0]]), np.array(["a", "a", "b"]), 0.95)
    >>> [round(float(one[0]), 3) for one in (mean, low, high)]
    [3.0, -9.706, 15.706]
    """
    return interval_of_means(person_means(values, subjects), confidence)


def person_means(values: FloatArray, subjects: NDArray[Any]) -> FloatArray:
    """[S, M] mean of each person's finite values, people in the order of their names; NaN for one without any."""
    sums, counts = by_subject(values, subjects)
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def interval_of_means(means: FloatArray, confidence: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The same from the people's means [S, M]; NaN stands for a person without a value, who is left out."""
    finite = np.isfinite(means)
    count = finite.sum(axis=0)
    filled = np.where(finite, means, 0.0)
    mean = np.divide(filled.sum(axis=0), count, out=np.full(means.shape[1], np.nan), where=count > 0)
    squares = (np.where(finite, means - mean, 0.0) ** 2).sum(axis=0)
    error = np.full(means.shape[1], np.nan)  # standard error; unknown of one person
    np.divide(squares, count * np.maximum(count - 1, 1), out=error, where=count > 1)
    half = _student(confidence, count - 1) * np.sqrt(error)
    return mean, mean - half, mean + half


def ratio_interval(numerator: FloatArray, denominator: FloatArray, confidence: float) -> tuple[float, float, float]:
    """Ratio of two means over people, and Fieller's interval, such as of skill = (method - gain) / (psm_oracle - gain).

    The interval is every ratio r for which a t test does not reject that mean(numerator - r denominator) = 0, so it
    is exact where the people's values are normal.

    Args:
        numerator: [S] of each person; one with NaN here or in the denominator is left out.
        denominator: [S] of the same people.
        confidence: e.g. 0.95.

    Returns:
        Ratio, lower and upper limit: all NaN where nobody has a value or the mean denominator is 0; limits NaN below
        two people, and where the denominator does not differ from 0 at this confidence, for then no interval is finite.

    >>> [round(one, 3) for one in ratio_interval(np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0]), 0.95)]
    [0.4, -0.192, 0.599]
    """
    both = np.isfinite(numerator) & np.isfinite(denominator)
    a, b = numerator[both], denominator[both]
    n = len(a)
    if n == 0 or b.mean() == 0:
        return float("nan"), float("nan"), float("nan")
    ratio = float(a.mean() / b.mean())
    if n < 2:
        return ratio, float("nan"), float("nan")
    # with r = ratio + d, residuals e = a - ratio b have mean 0, and the limits solve
    # d^2 mean(b)^2 = t^2 (var(e) - 2 d cov(e, b) + d^2 var(b)) / n
    residual = a - ratio * b
    covariance = np.cov(np.stack([residual, b]))
    scale = float(_student(confidence, np.array([n - 1]))[0]) ** 2 / n
    square = b.mean() ** 2 - scale * covariance[1, 1]
    if square <= 0:
        return ratio, float("nan"), float("nan")
    middle = -scale * covariance[0, 1] / square
    half = np.sqrt(middle**2 + scale * covariance[0, 0] / square)
    return ratio, float(ratio + middle - half), float(ratio + middle + half)


def jackknife_interval(value: float, left_out: FloatArray, confidence: float) -> tuple[float, float]:
    """Limits of any smooth measure of people: t times the jackknife's standard error around it.

    Source: J. W. Tukey, Annals of Mathematical Statistics 29 (1958) 614. Of a mean over people it is the t interval.

    Args:
        value: the measure of everybody.
        left_out: [S] the measure without each person in turn.
        confidence: e.g. 0.95.

    Returns:
        Lower and upper limit; NaN below two people, and where the measure of everybody, or without somebody, is NaN.

    >>> [round(one, 3) for one in jackknife_interval(2.0, np.array([2.5, 2.0, 1.5]), 0.95)]
    [-0.484, 4.484]
    """
    n = len(left_out)
    if n < 2 or not np.isfinite([value, *left_out]).all():
        return float("nan"), float("nan")
    error = np.sqrt((n - 1) / n * np.sum((left_out - left_out.mean()) ** 2))
    half = float(_student(confidence, np.array([n - 1]))[0] * error)
    return value - half, value + half


def two_way_interval(
    values: FloatArray,
    subjects: NDArray[Any],
    records: NDArray[np.str_],
    confidence: float,
    resamples: int,
    seed: int,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean over people, and an interval over people and noise records, which both could have been others.

    People and the records of each kind of noise are drawn anew with replacement, each for itself (Owen's pigeonhole
    bootstrap); a mixture counts as often as the product of how often its person and each of its records were drawn.
    The interval is the mean and t standard deviations of the resampled means, with one degree of freedom less than
    there are people, or records of the kind that has the fewest but more than one. A kind with one record adds
    nothing: what other records would give cannot be seen from one.

    Args:
        values: [n, M] values of M quantities, which share the draws; NaN is left out.
        subjects: [n] who each row comes from.
        records: [n] the noise records of each row: `KIND:RECORD`, several joined by `+`; empty for none.
        confidence: e.g. 0.95.
        resamples: number of resamples.
        seed: the configuration's seed.

    Returns:
        Mean as `person_interval` has it, lower and upper limit, [M] each; limits NaN below two people.
    """
    means = person_means(values, subjects)
    mean = interval_of_means(means, confidence)[0]
    names, owner = np.unique(subjects, return_inverse=True)
    if len(names) < 2:
        return mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    people_weights = _draws(len(names), resamples, seed, "people")
    weights, columns, fewest = _record_weights(records, resamples, seed)
    total, count = np.zeros((resamples, len(mean))), np.zeros((resamples, len(mean)))
    for person in range(len(names)):
        rows = np.flatnonzero(owner == person)
        resampled = _weighted_means(values[rows], weights, [column[rows] for column in columns])
        there = np.isfinite(resampled)
        weight = people_weights[:, person, None]
        total += weight * np.where(there, resampled, 0.0)
        count += weight * there
    resampled_means = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    degrees = min(len(names), fewest) - 1 if fewest else len(names) - 1
    half = _student(confidence, np.array([degrees]))[0] * _deviation(resampled_means)
    return mean, mean - half, mean + half


def _record_weights(
    records: NDArray[np.str_], resamples: int, seed: int
) -> tuple[FloatArray, list[NDArray[np.int64]], int]:
    """Weights of records, where each row finds its own, and how many the kind has that has the fewest above one.

    Returns:
        [B, R + 1] how often each record is drawn, 1 in the last column; as many [n] columns of it as a row has records
        at most, the last one where it has fewer; 0 where no kind has two records.
    """
    texts, which = np.unique(records.astype(str), return_inverse=True)
    parts = [[part for part in text.split("+") if part] for text in texts.tolist()]
    kinds: dict[str, set[str]] = {}
    for part in sorted({part for text in parts for part in text}):
        kinds.setdefault(part.partition(":")[0], set()).add(part)
    blocks: list[FloatArray] = []
    position: dict[str, int] = {}
    for kind, members in kinds.items():
        blocks.append(_draws(len(members), resamples, seed, "noise records", kind))
        position |= {part: len(position) + at for at, part in enumerate(sorted(members))}
    weights = np.concatenate([*blocks, np.ones((resamples, 1))], axis=1)
    most = max((len(text) for text in parts), default=0)
    table = np.full((len(texts), most), weights.shape[1] - 1)
    for row, text in enumerate(parts):
        table[row, : len(text)] = [position[part] for part in text]
    columns = [table[which, column] for column in range(most)]
    return weights, columns, min((len(members) for members in kinds.values() if len(members) > 1), default=0)


def _weighted_means(values: FloatArray, weights: FloatArray, columns: Sequence[NDArray[np.int64]]) -> FloatArray:
    """[B, M] means of one person's rows [n, M] with the product of their records' weights; NaN where none is drawn."""
    finite = np.isfinite(values)
    filled = np.where(finite, values, 0.0)
    whole = bool(finite.all())
    counted = np.ones((len(values), 1)) if whole else finite.astype(np.float64)
    parts = []
    step = max(1, CHUNK // max(1, len(values)))
    for first in range(0, len(weights), step):
        drawn = weights[first : first + step]
        product = np.ones((len(drawn), len(values)))
        for column in columns:
            product *= drawn[:, column]
        sums, counts = product @ filled, product @ counted
        parts.append(
            np.divide(sums, counts, out=np.full_like(sums, np.nan), where=np.broadcast_to(counts > 0, sums.shape))
        )
    return np.concatenate(parts)


def _deviation(resampled: FloatArray) -> FloatArray:
    """[B, M] -> [M] standard deviation of what is finite; NaN of fewer than two values."""
    finite = np.isfinite(resampled)
    count = finite.sum(axis=0)
    mean = np.where(finite, resampled, 0.0).sum(axis=0) / np.maximum(count, 1)
    squares = (np.where(finite, resampled - mean, 0.0) ** 2).sum(axis=0)
    variance: FloatArray = np.divide(squares, count - 1, out=np.full(len(count), np.nan), where=count > 1)
    return np.sqrt(variance)


def _draws(n: int, resamples: int, seed: int, *names: str) -> FloatArray:
    """[B, n] how often each of n is in each resample."""
    rng = seeding.generator(seed, "two-way bootstrap", *names, n)
    return rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float64)


def _student(confidence: float, degrees: NDArray[np.int64]) -> FloatArray:
    """Quantile of Student's t for a two-sided interval; NaN below one degree of freedom."""
    from scipy.special import stdtrit

    quantile = stdtrit(np.maximum(degrees, 1).astype(np.float64), (1 + confidence) / 2)
    return np.where(degrees >= 1, quantile, np.nan)
