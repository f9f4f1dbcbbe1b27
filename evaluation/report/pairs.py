"""Matrices of all pairs of denoisers of a track: row minus column, and whether the difference is significant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cleansemg.evaluation.report.run import Run
from cleansemg.evaluation.report.views import number, p_text
from cleansemg.evaluation.stats.comparison_tables import TEST, what_people_show
from cleansemg.evaluation.stats.comparisons import Comparison, all_pairs
from cleansemg.evaluation.stats.paired import SIGNIFICANT, power_note

HEADLINE = "SNRimp"


@dataclass(frozen=True)
class PairCell:
    """One pair: the text of the cell, its class for colours, and all numbers of the test as a tooltip."""

    text: str
    kind: str
    title: str


@dataclass(frozen=True)
class PairMatrix:
    """The matrix of one track."""

    track: str
    labels: Sequence[str]
    rows: Sequence[Sequence[PairCell]]
    notes: Sequence[str]
    set_name: str


def pair_matrices(run: Run) -> list[PairMatrix]:
    """One matrix for each track with two or more denoisers."""
    matrices = []
    for track, (set_name, rows) in run.tracks.items():
        if len(rows) < 2:
            continue
        pairs = all_pairs(rows, run.profile, HEADLINE, run.settings)
        known = {(one.a, one.b): one for one in pairs}
        labels = [scores.label for scores in rows]
        cells = [[_cell(known, a, b) for b in labels] for a in labels]
        notes = [TEST.format(family=f"the {len(pairs)} pairs of the track")]
        notes += what_people_show(pairs, "dB")
        power = power_note(max(one.n_subjects for one in pairs), len(pairs))
        matrices.append(PairMatrix(track, labels, cells, [*notes, power] if power else notes, set_name))
    return matrices


def _cell(known: dict[tuple[str, str], Comparison], a: str, b: str) -> PairCell:
    if a == b:
        return PairCell("", "same", "")
    one = known.get((a, b))
    sign = 1 if one is not None else -1
    one = one or known[b, a]
    if one.n_subjects == 0:
        return PairCell("", "none", f"{a} and {b} have no mixture in common")
    difference, effect = sign * one.difference, sign * one.effect
    low, high = sorted((sign * one.low, sign * one.high))
    significant = one.p_holm < SIGNIFICANT
    kind = ("win" if difference > 0 else "lose") if significant else "open"
    title = (
        f"{a} minus {b}: {number(difference, 2)} dB ({number(low, 2)} to {number(high, 2)}), "
        f"effect {number(effect, 2)}, p {p_text(one.p)}, Holm {p_text(one.p_holm)}, {one.n_subjects} subjects, "
        f"{one.n_mixtures} mixtures"
    )
    return PairCell(number(difference, 2) + ("*" if significant else ""), kind, title)
