"""Compares the denoisers of a run within a track: means by subject over the mixtures that both have."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import ArtifactError
from cleansemg.evaluation.scores import Scores
from cleansemg.evaluation.settings import Tables
from cleansemg.evaluation.stats.bootstrap import by_subject
from cleansemg.evaluation.stats.intervals import interval_of_means
from cleansemg.evaluation.stats.paired import holm, signed_rank

if TYPE_CHECKING:
    from cleansemg.settings import Settings

FloatArray = NDArray[np.float64]
# floor and ceilings of the scale, not denoisers for use; `identity` and `gain` are compared
BOUNDS = ("zero", "gain_oracle", "wiener_oracle", "psm_oracle", "psd_oracle")
GAIN = "gain"  # turning down alone: what a denoiser has to be better than


@dataclass(frozen=True)
class Comparison:
    """Comparison of denoiser `a` with `b` on one track, by one metric.

    Attributes:
        difference: mean over subjects of (a - b), each the mean over the subject's mixtures that both have.
        low, high: t interval of the difference over subjects.
        sd: standard deviation of the subjects' differences; NaN below two subjects.
        n_subjects, n_mixtures: numbers of subjects and mixtures that both have.
        effect: matched-pairs rank-biserial correlation; above 0 where a has the larger values.
        p: p value of the two-sided signed-rank test.
        p_holm: p after Holm's correction over the family, see `all_pairs`, `against_best` and `against_gain`.
        exact: False where p is from the normal approximation.
    """

    track: str
    metric: str
    a: str
    b: str
    difference: float
    low: float
    high: float
    sd: float
    n_subjects: int
    n_mixtures: int
    effect: float
    p: float
    p_holm: float
    exact: bool


def compared(every: Sequence[Scores]) -> dict[str, list[Scores]]:
    """Track -> its denoisers without floor and ceiling.

    Raises:
        ArtifactError: denoisers do not have the same mixtures in the same order.
    """
    tracks: dict[str, list[Scores]] = {}
    for scores in every:
        same = all(
            np.array_equal(getattr(scores, name), getattr(every[0], name)) for name in ("subject", "snr_db", "n_kinds")
        )
        if not same:
            raise ArtifactError(
                f"{scores.label} ({scores.track}) and {every[0].label} ({every[0].track}) were not evaluated on the "
                "same mixtures; evaluate again with --force"
            )
        if scores.label not in BOUNDS:
            tracks.setdefault(scores.track, []).append(scores)
    return tracks


def all_pairs(rows: Sequence[Scores], profile: str, metric: str, settings: Settings) -> list[Comparison]:
    """Compare every pair of one track; these pairs are Holm's family."""
    if len(rows) < 2:
        return []
    people = np.unique(rows[0].subject, return_inverse=True)[1]  # once for all pairs; numbers are faster than names
    pairs = itertools.combinations(rows, 2)
    return corrected([compare(a, b, profile, metric, settings, people) for a, b in pairs])


def best(rows: Sequence[Scores], profile: str, metric: str, better: str = "higher") -> Scores | None:
    """The row with the best mean over mixtures, the first of equal ones; None where no row has a value."""
    sign = 1 if better == "higher" else -1
    means = {}
    for position, scores in enumerate(rows):
        values = scores.of(profile, [metric])[:, 0]
        if np.isfinite(values).any():
            means[position] = sign * float(np.nanmean(values))
    return rows[max(means, key=lambda position: means[position])] if means else None


def against_best(
    rows: Sequence[Scores], profile: str, metric: str, settings: Settings, better: str = "higher"
) -> dict[str, Comparison]:
    """Compare the best row with each other row, by the other's label; these comparisons are Holm's family."""
    first = best(rows, profile, metric, better)
    if first is None:
        return {}
    comparisons = [compare(first, other, profile, metric, settings) for other in rows if other is not first]
    return {one.b: one for one in corrected(comparisons)}


def against_gain(every: Sequence[Scores], profile: str, metric: str, settings: Settings) -> list[Comparison]:
    """Every compared denoiser against `gain`, which only turns a signal down; Holm's family is those of a track.

    A track without a row of `gain` takes the blind one, which sees the same mixtures. Empty where there is none.
    """
    tracks = compared(every)
    rows = {track: next((one for one in ones if one.label == GAIN), None) for track, ones in tracks.items()}
    comparisons: list[Comparison] = []
    for track, ones in tracks.items():
        gain = rows[track] or rows.get("blind")
        if gain is not None:
            others = [one for one in ones if one.label != GAIN]
            comparisons += corrected([compare(one, gain, profile, metric, settings) for one in others])
    return comparisons


def compare(
    a: Scores, b: Scores, profile: str, metric: str, settings: Settings, people: NDArray[np.int64] | None = None
) -> Comparison:
    """Compare one pair, without Holm's correction; `people` [n] may number the subjects in the order of their names."""
    differences = a.values[f"{profile}.{metric}"] - b.values[f"{profile}.{metric}"]
    names = (a.track, metric, a.label, b.label)
    subjects = a.subject if people is None else people
    return compare_values(differences, subjects, names, settings.tables)


def compare_values(
    differences: FloatArray, subjects: NDArray[Any], names: tuple[str, str, str, str], tables: Tables
) -> Comparison:
    """A comparison from the differences of items, without Holm's correction.

    Args:
        differences: [n] a minus b for each item; NaN where one of them has no value.
        subjects: [n] subject of each item, names or numbers.
        names: track, metric, a, b.
        tables: settings: confidence of the interval.
    """
    sums, counts = by_subject(differences[:, None], subjects)
    with_any = counts[:, 0] > 0
    means = sums[with_any] / counts[with_any]  # [S, 1]
    if len(means):
        test = signed_rank(means[:, 0])
        p, effect, exact = test.p, test.effect, test.exact
    else:
        p, effect, exact = float("nan"), float("nan"), True
    mean, low, high = interval_of_means(means, tables.confidence)
    track, metric, a, b = names
    return Comparison(
        track=track, metric=metric, a=a, b=b,
        difference=float(mean[0]), low=float(low[0]), high=float(high[0]),
        sd=float(means.std(ddof=1)) if len(means) > 1 else float("nan"),
        n_subjects=len(means), n_mixtures=int(counts.sum()), effect=effect, p=p, p_holm=p, exact=exact,
    )  # fmt: skip


def subject_means(rows: Sequence[Scores], profile: str, metric: str) -> tuple[list[str], FloatArray]:
    """Names of S subjects, and [S, k] means of each denoiser over the mixtures that all of them have.

    Subjects without such a mixture are left out.
    """
    values = np.stack([scores.of(profile, [metric])[:, 0] for scores in rows], axis=1)  # [n, k]
    whole = np.isfinite(values).all(axis=1)
    sums, counts = by_subject(values[whole], rows[0].subject[whole])
    return sorted(set(rows[0].subject[whole].tolist())), sums / np.maximum(counts, 1)


def corrected(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The same comparisons with Holm's correction over all of them."""
    adjusted = holm([one.p for one in comparisons])
    return [replace(one, p_holm=float(p)) for one, p in zip(comparisons, adjusted, strict=True)]
