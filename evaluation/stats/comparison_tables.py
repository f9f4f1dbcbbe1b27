"""Tables of the paired tests and mean ranks of a run, and the column of Table 1 that follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cleansemg.core.rendering import Column, Table
from cleansemg.evaluation import metrics
from cleansemg.evaluation.scores import Scores
from cleansemg.evaluation.stats.comparisons import Comparison, against_best, all_pairs, best, compared, subject_means
from cleansemg.evaluation.stats.paired import SIGNIFICANT, power_note
from cleansemg.evaluation.stats.ranks import FEWEST_DENOISERS, FEWEST_SUBJECTS, Ranks, rank

if TYPE_CHECKING:
    from cleansemg.settings import Settings

HEADLINE = "SNRimp"
TEST = (
    "Two-sided Wilcoxon signed-rank tests of means by subject, over the mixtures that both denoisers have; p by Holm's "
    "correction over {family}. Effect: matched-pairs rank-biserial correlation, from -1 to 1. `zero` and "
    "`wiener_oracle`, which bound the scale, are not compared."
)
ROUNDED = " 0.0000 stands for less than 0.00005."


def paired(every: Sequence[Scores], profile: str, settings: Settings) -> list[Table]:
    """Two tables: every pair of denoisers by track and metric (for the CSV), and the pairs of SNR improvement alone."""
    known = metrics.catalogue(profile, settings.evaluate.metrics).values()
    infos = [info for info in known if f"{profile}.{info.key}" in every[0].values]
    scale = {info.key: info.table_scale for info in infos}
    pairs: list[Comparison] = []
    for rows in compared(every).values():
        for info in infos:
            pairs += all_pairs(rows, profile, info.key, settings)
    note = TEST.format(family="all pairs of the track and metric") + ROUNDED
    power = _power([one for one in pairs if one.metric == HEADLINE])
    shown = [_row(one, scale[one.metric]) for one in pairs if one.metric == HEADLINE]
    title = "Paired comparisons of denoisers"
    return [
        Table(title, _columns(None), [_row(one, scale[one.metric]) for one in pairs]),
        Table(f"{title}: {HEADLINE} (dB)", _columns(2), shown, [note, *power]),
    ]


def beside_best(
    every: Sequence[Scores], profile: str, settings: Settings
) -> tuple[dict[tuple[str, str], dict[str, Any]], list[str]]:
    """For Table 1: (label, track) -> `p_best` and `effect_best`, and the notes that explain them.

    The best denoiser of a track has the text "best" in place of p.
    """
    cells: dict[tuple[str, str], dict[str, Any]] = {}
    against: list[Comparison] = []
    for track, rows in compared(every).items():
        first = best(rows, profile, HEADLINE)
        if first is None or len(rows) < 2:
            continue
        cells[first.label, track] = {"p_best": "best"}
        for label, one in against_best(rows, profile, HEADLINE, settings).items():
            against.append(one)
            cells[label, track] = {"p_best": one.p_holm, "effect_best": one.effect}
    if not against:
        return cells, []
    note = f"p vs best: the denoiser with the largest {HEADLINE} of its track against each other one. " + TEST.format(
        family="the comparisons of a track"
    )
    return cells, [note, *_power(against)]


def ranks_of(every: Sequence[Scores], profile: str) -> dict[str, Ranks | None]:
    """Track -> ranks of its denoisers by SNR improvement; None where there are too few denoisers or subjects."""
    rankings: dict[str, Ranks | None] = {}
    for track, rows in compared(every).items():
        _, values = subject_means(rows, profile, HEADLINE)
        rankings[track] = rank([scores.label for scores in rows], values)
    return rankings


def ranks_table(rankings: dict[str, Ranks | None]) -> Table:
    """The table of mean ranks over subjects, with the critical difference."""
    rows: list[dict[str, Any]] = []
    how = (
        f"Rank 1: the largest {HEADLINE} of a subject, over the mixtures that every denoiser of the track has. Mean "
        "ranks differ where they are at least a critical difference apart (Nemenyi's test at 5 %)."
    )
    notes = [how]
    for track, ranks in rankings.items():
        if ranks is None:
            notes.append(
                f"{track}: no ranks; they need {FEWEST_DENOISERS} denoisers, and {FEWEST_SUBJECTS} subjects "
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
            {"track": track, "denoiser": ranks.labels[i], "mean_rank": float(ranks.mean[i]), **shared} for i in order
        ]
        verdict = "the denoisers differ" if ranks.friedman_p <= SIGNIFICANT else "no evidence that the denoisers differ"
        notes.append(
            f"{track}: Friedman's test over {ranks.n_subjects} subjects, p = {ranks.friedman_p:.2g}: {verdict}."
        )
    columns = [
        Column("track", "track"),
        Column("denoiser", "denoiser"),
        Column("mean_rank", "mean rank", 2),
        Column("critical_difference", "critical difference", 2),
        Column("friedman_p"),
        Column("n_subjects", "subjects"),
    ]
    return Table(f"Ranks by {HEADLINE}", columns, rows, notes)


def _row(one: Comparison, scale: float) -> dict[str, Any]:
    return {
        "track": one.track, "metric": one.metric, "a": one.a, "b": one.b, "difference": one.difference / scale,
        "difference_low": one.low / scale, "difference_high": one.high / scale, "effect": one.effect, "p": one.p,
        "p_holm": one.p_holm, "exact": "exact" if one.exact else "normal", "n_subjects": one.n_subjects,
        "n_mixtures": one.n_mixtures,
    }  # fmt: skip


def _columns(decimals: int | None) -> list[Column]:
    """All columns; with headings, for Markdown, where decimals are given."""

    def heading(text: str) -> str | None:
        return None if decimals is None else text

    limits = ("difference_low", "difference_high")
    return [
        Column("track", heading("track")), Column("metric"), Column("a", heading("a")), Column("b", heading("b")),
        Column("difference", heading("a - b"), decimals, limits), *(Column(key) for key in limits),
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
