"""Intervals of all rows of a table over people and noise records, to stand beside those over people alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import ArtifactError
from cleansemg.evaluation import metrics
from cleansemg.evaluation.scores import Scores
from cleansemg.evaluation.stats.intervals import two_way_interval

if TYPE_CHECKING:
    from cleansemg.settings import Settings

LOW, HIGH = "_two_way_low", "_two_way_high"


def two_way_limits(
    every: Sequence[Scores], profile: str, keys: Sequence[str], records: NDArray[np.str_], settings: Settings
) -> dict[tuple[str, str], dict[str, float]]:
    """(label, track) -> `KEY_two_way_low` and `KEY_two_way_high` in the unit of the tables.

    All rows share the draws, which are the larger part of the work.

    Args:
        every: rows on the same mixtures.
        profile: of the metrics.
        keys: metrics.
        records: [n] noise records of each mixture, as `two_way_interval` takes them.
        settings: resamples, confidence and seed.

    Raises:
        ArtifactError: a row does not have the mixtures that `records` is of.
    """
    for scores in every:
        if not np.array_equal(scores.subject, every[0].subject) or len(scores.subject) != len(records):
            raise ArtifactError(
                f"{scores.label} ({scores.track}) has other mixtures than {every[0].label} ({every[0].track}) or than "
                "the noise records; evaluate again with --force"
            )
    if not every or not keys:
        return {}
    known = metrics.catalogue(profile, settings.evaluate.metrics)
    values = np.concatenate([scores.of(profile, keys) for scores in every], axis=1)  # [n, rows * keys]
    tables = settings.tables
    _, low, high = two_way_interval(
        values, every[0].subject, records, tables.confidence, tables.bootstrap_resamples, settings.seed
    )
    limits: dict[tuple[str, str], dict[str, float]] = {}
    for row, scores in enumerate(every):
        numbers: dict[str, float] = {}
        for column, key in enumerate(keys):
            at, scale = row * len(keys) + column, known[key].table_scale
            numbers |= {f"{key}{LOW}": float(low[at]) / scale, f"{key}{HIGH}": float(high[at]) / scale}
        limits[scores.label, scores.track] = numbers
    return limits
