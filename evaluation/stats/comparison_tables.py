"""Tables of the paired tests and mean ranks of a run, and the column of Table 1 that follows from them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cleansemg.core.rendering import Column, Table
from cleansemg.evaluation import metrics
from cleansemg.evaluation.metrics import MetricInfo
from cleansemg.evaluation.scores import Scores
from cleansemg.evaluation.stats.comparisons import (
    BOUNDS,
    GAIN,
    Comparison,
    against_best,
    against_gain,
    all_pairs,
    best,
    compared,
    subject_means,
)
from cleansemg.evaluation.stats.paired import POWER, SIGNIFICANT, detectable_effect, power_note, smallest_p
from cleansemg.evaluation.stats.ranks import FEWEST_DENOISERS, FEWEST_SUBJECTS, Ranks, rank

if TYPE_CHECKING:
    from cleansemg.settings import Settings

HEADLINE = "SNRimp"
HEADLINES = ("SI_SDRimp", HEADLINE)  # compared in Markdown; a profile may lack the first
TEST = (
    "Two-sided Wilcoxon signed-rank tests of means by subject, over the mixtures that both denoisers have; p by Holm's "
    "correction over {family}. Effect: matched-pairs rank-biserial correlation, from -1 to 1. What bounds the scale "
    f"({', '.join(f'`{name}`' for name in BOUNDS)}) is not compared."
)
BRACKETS = "Brackets: {:.0%} t interval of the mean difference over subjects."
ROUNDED = " 0.0000 stands for less than 0.00005."
DETECTABLE = (
    " Detectable: the smallest difference that one t test at 5 % shows with 80 % "
    "power where differences spread as these do."
)


def paired(every: Sequence[Scores], profile: str, settings: Settings, keys: Sequence[str] = HEADLINES) -> list[Table]:
    """Every pair of denoisers of a track and metric in a CSV; in Markdown, the pairs by each of `keys`."""
    pairs = [
        one
        for rows in compared(every).values()
        for info in _infos(every, profile, settings)
        for one in all_pairs(rows, profile, info.key, settings)
    ]
    note = TEST.format(family="all pairs of the track and metric") + ROUNDED + DETECTABLE
    return _tables("Paired comparisons of denoisers", pairs, note, every, profile, settings, keys)


def beyond_gain(
    every: Sequence[Scores], profile: str, settings: Settings, keys: Sequence[str] = HEADLINES
) -> list[Table]:
    """Every denoiser against `gain`, all metrics in a CSV, `keys` in Markdown; empty where `gain` was not evaluated."""
    infos = _infos(every, profile, settings)
    pairs = [one for info in infos for one in against_gain(every, profile, info.key, settings)]
    if not pairs:
        return []
    note = (
        f"Is a denoiser better than `{GAIN}`, which removes no noise and only turns the signal down? "
        + TEST.format(family="the denoisers of the track, for each metric")
        + ROUNDED
        + DETECTABLE
    )
    return _tables(f"Against {GAIN}", pairs, note, every, profile, settings, keys)


def _infos(every: Sequence[Scores], profile: str, settings: Settings) -> list[MetricInfo]:
    """The metrics that were scored."""
    known = metrics.catalogue(profile, settings.evaluate.metrics).values()
    return [info for info in known if f"{profile}.{info.key}" in every[0].values]


def _tables(
    title: str,
    pairs: Sequence[Comparison],
    note: str,
    every: Sequence[Scores],
    profile: str,
    settings: Settings,
    keys: Sequence[str],
) -> list[Table]:
    """All pairs for the CSV, and those of each key, with what the number of people shows, for Markdown."""
    infos = {info.key: info for info in _infos(every, profile, settings)}
    scale = {key: info.table_scale for key, info in infos.items()}
    tables = [Table(title, _columns(None), [_row(one, scale[one.metric]) for one in pairs])]
    brackets = BRACKETS.format(settings.tables.confidence)
    for key in (key for key in keys if key in infos):
        shown = [one for one in pairs if one.metric == key]
        unit = infos[key].unit
        notes = [note, brackets, *_power(shown), *what_people_show(shown, unit, scale[key])]
        heading = f"{title}: {key}{f' ({unit})' if unit else ''}"
        tables.append(Table(heading, _columns(infos[key].decimals), [_row(one, scale[key]) for one in shown], notes))
    return tables


def what_people_show(pairs: Sequence[Comparison], unit: str, scale: float = 1.0) -> list[str]:
    """A sentence a track on what its number of people can show, and the differences that can't be told.

    Args:
        pairs: comparisons by one metric; those of a track are one family.
        unit: of the metric; empty for none.
        scale: what tables divide its values by.
    """
    notes = []
    for track in dict.fromkeys(one.track for one in pairs):
        family = [one for one in pairs if one.track == track and math.isfinite(one.sd)]
        if not family:
            continue
        n, m = min(one.n_subjects for one in family), len(family)
        least = smallest_p(n)
        sd = float(np.median([one.sd for one in family])) / scale
        one_test, corrected = (sd * detectable_effect(n, alpha) for alpha in (SIGNIFICANT, SIGNIFICANT / m))
        of = f" {unit}" if unit else ""
        text = (
            f"{track}: {n} subjects, whose paired differences have a standard deviation of {sd:.2g}{of} (median of the "
            f"comparisons). With {POWER:.0%} power they show a difference of {one_test:.2g}{of} in a single test, and "
            f"of {corrected:.2g}{of} where Holm corrects for {m}; the smallest p is {least:.2g}, "
            f"{min(1.0, m * least):.2g} after that."
        )
        unclear: dict[str, list[str]] = {}
        for one in family:
            if not one.p_holm < SIGNIFICANT:
                unclear.setdefault(one.a, []).append(one.b)
        count = sum(map(len, unclear.values()))
        listed = "; ".join(f"{a} from {', '.join(others)}" for a, others in unclear.items())
        verdict = f" Not told apart ({count} of {m}): {listed}." if count else f" All {m} are told apart."
        notes.append(text + verdict)
    return notes


def beside_best(
    every: Sequence[Scores], profile: str, settings: Settings, key: str = HEADLINE
) -> tuple[dict[tuple[str, str], dict[str, Any]], list[str]]:
    """For Table 1: (label, track) -> `p_best` and `effect_best`, and the notes that explain them.

    The best denoiser of a track has the text "best" in place of p.
    """
    cells: dict[tuple[str, str], dict[str, Any]] = {}
    against: list[Comparison] = []
    for track, rows in compared(every).items():
        first = best(rows, profile, key)
        if first is None or len(rows) < 2:
            continue
        cells[first.label, track] = {"p_best": "best"}
        for label, one in against_best(rows, profile, key, settings).items():
            against.append(one)
            cells[label, track] = {"p_best": one.p_holm, "effect_best": one.effect}
    if not against:
        return cells, []
    note = f"p vs best: the denoiser with the largest {key} of its track against each other one. " + TEST.format(
        family="the comparisons of a track"
    )
    return cells, [note, *_power(against)]


def ranks_of(every: Sequence[Scores], profile: str, key: str = HEADLINE) -> dict[str, Ranks | None]:
    """Track -> ranks of its denoisers by one metric; None where there are too few denoisers or subjects."""
    better = metrics.catalogue(profile)[key].better
    rankings: dict[str, Ranks | None] = {}
    for track, rows in compared(every).items():
        _, values = subject_means(rows, profile, key)
        rankings[track] = rank([scores.label for scores in rows], values, better)
    return rankings


def ranks_table(rankings: Mapping[str, Mapping[str, Ranks | None]]) -> Table:
    """Mean ranks over subjects by metric and track, and how far apart two of them must be."""
    rows: list[dict[str, Any]] = []
    how = (
        "Rank 1: the best mean of a subject, over the mixtures that every denoiser of the track has. Mean ranks differ "
        "where they are at least a critical difference apart (Nemenyi's test at 5 %)."
    )
    notes = [how]
    for key, track, ranks in [
        (key, track, ranks) for key, tracks in rankings.items() for track, ranks in tracks.items()
    ]:
        if ranks is None:
            notes.append(
                f"{key}, {track}: no ranks; they need {FEWEST_DENOISERS} denoisers, and {FEWEST_SUBJECTS} subjects "
                "with results of all."
            )
            continue
        shared = {
            "critical_difference": ranks.critical_difference,
            "friedman_p": ranks.friedman_p,
            "n_subjects": ranks.n_subjects,
        }
        order = sorted(range(len(ranks.labels)), key=lambda i: (ranks.mean[i], ranks.labels[i]))
        rows += [
            {"metric": key, "track": track, "denoiser": ranks.labels[i], "mean_rank": float(ranks.mean[i]), **shared}
            for i in order
        ]
        verdict = "the denoisers differ" if ranks.friedman_p <= SIGNIFICANT else "no evidence that the denoisers differ"
        notes.append(
            f"{key}, {track}: Friedman's test over {ranks.n_subjects} subjects, p = {ranks.friedman_p:.2g}: {verdict}."
        )
    columns = [
        Column("metric", "metric"),
        Column("track", "track"),
        Column("denoiser", "denoiser"),
        Column("mean_rank", "mean rank", 2),
        Column("critical_difference", "critical difference", 2),
        Column("friedman_p"),
        Column("n_subjects", "subjects"),
    ]
    return Table(f"Ranks by {' and '.join(rankings)}", columns, rows, notes)


def _row(one: Comparison, scale: float) -> dict[str, Any]:
    return {
        "track": one.track, "metric": one.metric, "a": one.a, "b": one.b, "difference": one.difference / scale,
        "difference_low": one.low / scale, "difference_high": one.high / scale,
        "sd": one.sd / scale, "detectable": one.sd * detectable_effect(one.n_subjects) / scale,
        "effect": one.effect, "p": one.p, "p_holm": one.p_holm, "exact": "exact" if one.exact else "normal",
        "n_subjects": one.n_subjects, "n_mixtures": one.n_mixtures,
    }  # fmt: skip


def _columns(decimals: int | None) -> list[Column]:
    """All columns; with headings, for Markdown, where decimals are given."""

    def heading(text: str) -> str | None:
        return None if decimals is None else text

    limits = ("difference_low", "difference_high")
    return [
        Column("track", heading("track")), Column("metric"), Column("a", heading("a")), Column("b", heading("b")),
        Column("difference", heading("a - b"), decimals, limits), *(Column(key) for key in limits),
        Column("sd"), Column("detectable", heading("detectable"), decimals),
        Column("effect", heading("effect"), 2), Column("p", heading("p"), 4), Column("p_holm", heading("p, Holm"), 4),
        Column("exact"), Column("n_subjects", heading("subjects")), Column("n_mixtures", heading("n")),
    ]  # fmt: skip


def _power(pairs: Sequence[Comparison]) -> list[str]:
    """One note for each track with too few subjects to show a difference."""
    notes = []
    for track in dict.fromkeys(one.track for one in pairs):
        family = [one for one in pairs if one.track == track]
        text = power_note(max(one.n_subjects for one in family), len(family))
        notes += [f"{track}: {text}"] if text else []
    return notes
