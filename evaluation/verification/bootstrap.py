"""Recomputes intervals of tables in a paper's layout: means over segments in resamples of whole subjects."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from cleansemg.evaluation.verification.draws import spawn_key
from cleansemg.evaluation.verification.findings import Finding

Bootstrap = tuple[int, float] | None  # number of resamples and confidence; None where they are not known
NAME = "bootstrap over subjects"  # key of the draw, with the number of subjects


def limits(
    values: NDArray[np.float64], subject: NDArray[np.str_], resamples: int, confidence: float, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Percentile limits of means.

    Args:
        values: [n, M]; NaN is left out.
        subject: [n] subject of each row.
        resamples: number of resamples.
        confidence: e.g. 0.95.
        seed: seed of the run.

    Returns:
        Lower and upper limits, [M] each; NaN for fewer than two subjects and where no row has a value.
    """
    names = sorted(set(subject.tolist()))
    n = len(names)
    if n < 2:
        return np.full(values.shape[1], np.nan), np.full(values.shape[1], np.nan)
    times = _times(n, resamples, seed)
    rows = [subject == name for name in names]
    low, high = np.empty(values.shape[1]), np.empty(values.shape[1])
    for column in range(values.shape[1]):
        samples = [values[row, column] for row in rows]
        samples = [one[np.isfinite(one)] for one in samples]
        total = times @ np.array([one.sum() for one in samples])
        count = times @ np.array([len(one) for one in samples])
        means = total[count > 0] / count[count > 0]
        ends = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2]) if len(means) else [np.nan, np.nan]
        low[column], high[column] = ends
    return low, high


def limits_over_groups(
    values: NDArray[np.float64],
    groups: Sequence[NDArray[np.bool_]],
    subject: NDArray[np.str_],
    resamples: int,
    confidence: float,
    seed: int,
) -> tuple[float, float]:
    """As `limits`, for one metric's mean over groups of the means within them; values [n], and a mask [n] per group."""
    names = sorted(set(subject.tolist()))
    if len(names) < 2:
        return float("nan"), float("nan")
    times = _times(len(names), resamples, seed)
    of_groups = []
    for rows in groups:
        by_name = [values[rows & (subject == name) & np.isfinite(values)] for name in names]
        total, count = times @ np.array([one.sum() for one in by_name]), times @ np.array([len(one) for one in by_name])
        of_groups.append([t / c if c else float("nan") for t, c in zip(total.tolist(), count.tolist(), strict=True)])
    table = np.array(of_groups).T  # [resamples, groups]
    means = [row[np.isfinite(row)].mean() for row in table if np.isfinite(row).any()]
    if not means:
        return float("nan"), float("nan")
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def read_settings(path: Path, finding: Finding) -> tuple[int, float] | None:
    """Number of resamples and confidence from the configuration beside the tables; None, with a problem, without it."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))["tables"]
        settings = int(content["bootstrap_resamples"]), float(content["confidence"])
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, RecursionError) as error:
        finding.problems.append(f"{path}: does not say how intervals were made ({type(error).__name__}: {error})")
        return None
    finding.covered.add(path)
    return settings


@lru_cache(maxsize=8)
def _times(n: int, resamples: int, seed: int) -> NDArray[np.int64]:
    """[B, S] how often each subject is in each resample."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=spawn_key(NAME, n))))
    return rng.multinomial(n, [1 / n] * n, size=resamples)
