"""Printed numbers beside ours, and the reasons for the differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cleansemg.core.rendering import Column, Table
from cleansemg.evaluation import protocol_tables
from cleansemg.evaluation.published_numbers import beside_published
from cleansemg.evaluation.report.run import Run

if TYPE_CHECKING:
    from cleansemg.settings import Settings

OURS = "this run, "


@dataclass(frozen=True)
class Published:
    """The table, the differences (ours minus printed) by (row, column key), and the reasons."""

    table: Table
    differences: Mapping[tuple[int, str], float]
    reasons: Sequence[str]


def published(run: Run) -> Published | None:
    """The comparison with printed numbers; None where the run has no such table, or none of our rows was printed."""
    if run.settings.tables.printed is not None:
        printed = protocol_tables.read_printed(run.settings)
        table = protocol_tables.main_table(run.main, printed, run.labels, run.settings)
        name = "method"
    elif "published" in run.settings.evaluate.profiles:
        table = beside_published(run.main, run.settings)
        name = "denoiser"
    else:
        return None
    have_both = {r[name] for r in table.rows if not _is_ours(r)} & {r[name] for r in table.rows if _is_ours(r)}
    rows = [row for row in table.rows if row[name] in have_both]
    if not rows:
        return None
    metrics = [column.key for column in table.columns if column.decimals is not None]
    differences = {}
    for position, row in enumerate(rows):
        ours = _counterpart(row, rows, name)
        for key in metrics:
            if ours is not None and isinstance(row.get(key), int | float) and isinstance(ours.get(key), int | float):
                differences[position, key] = ours[key] - row[key]
    columns = [c if c.key != "source" else Column("source", "from") for c in table.columns]
    shown = Table(table.title, columns, rows, table.notes)
    return Published(shown, differences, _reasons(run.settings, run))


def _is_ours(row: Mapping[str, Any]) -> bool:
    return str(row["source"]).startswith(OURS)


def _counterpart(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any] | None:
    """Our row to compare with a printed one: its published track where it has one, as theirs had the kinds of noise."""
    if _is_ours(row):
        return None
    ours = {
        str(other["source"]).removeprefix(OURS): other for other in rows if _is_ours(other) and other[name] == row[name]
    }
    return ours.get("published") or ours.get("oracle") or ours.get("blind") or next(iter(ours.values()), None)


def _reasons(settings: Settings, run: Run) -> list[str]:
    subjects = len(set(run.main[0].subject.tolist()))
    recordings = (
        f"Recordings: ours are of {', '.join(settings.enabled_datasets) or 'the test set given'} ({subjects} test "
        f"subjects, {len(run.main[0].snr_db)} mixtures), the printed numbers of the paper's own."
    )
    reasons = [recordings]
    if settings.tables.printed is None:
        reasons.append(
            "Tracks: a printed classical method was told the kinds of noise, so it is compared with our published "
            "track where the method has one; networks with our blind track."
        )
        if settings.mix.rule == "exact":
            reasons.append(
                "Mixing: our mixtures have the stated SNR and are not clipped; the printed ones have a nominal SNR "
                "with several kinds of noise, and are clipped at the 0.99 quantile, which moves the SNR by up to 3 dB."
            )
        reasons.append(
            "Precision: printed versions of one table disagree by up to 0.43 dB; smaller differences mean nothing."
        )
    if settings.train.models:
        start = "fitted on from the pretrained weights" if settings.train.init == "pretrained" else "from scratch"
        reasons.append(
            f"Training: {', '.join(settings.train.models)} were trained in this run, {start}; other networks have the "
            "weights that come with the project. Both saw other recordings than the paper's networks."
        )
    else:
        reasons.append("Training: networks have the weights that come with the project, not those of the papers.")
    return reasons
