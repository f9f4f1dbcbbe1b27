"""Builds the page: one self-contained HTML file with everything that the report shows."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleansemg.core.errors import UserError
from cleansemg.core.npz import atomic_write
from cleansemg.core.rendering import Table
from cleansemg.core.stage import disk_error
from cleansemg.evaluation.report import costs, examples, figures, leaderboard, provenance, published, task_tables
from cleansemg.evaluation.report.pairs import pair_matrices
from cleansemg.evaluation.report.run import Run, open_run
from cleansemg.evaluation.report.views import number, view
from cleansemg.evaluation.stats import breakdowns, comparison_tables
from cleansemg.evaluation.table1 import table1

if TYPE_CHECKING:
    from markupsafe import Markup

ASSETS = Path(__file__).parent / "assets"


@dataclass(frozen=True)
class PageResult:
    """The result of `make_report`: the file, its rows, tasks and bytes."""

    path: Path
    n_rows: int
    n_tasks: int
    n_bytes: int


def make_report(
    results: Path, output: Path, tasks: Sequence[Path] | None = None, measure_cost: bool = True
) -> PageResult:
    """Write the report of a finished run.

    Args:
        results: an output folder of `cleansemg run` with tables.
        output: the HTML file.
        tasks: folders of finished tasks; None: those in `RESULTS/../downstream`.
        measure_cost: measure the costs that `RESULTS/tables/costs.csv` does not hold yet.

    Raises:
        UserError: there are no such results or tasks, or the file cannot be written.
        ArtifactError: results are altered or incomplete.
    """
    if output.is_dir():
        raise UserError(f"--output {output}: is a folder; name a file, e.g. {output / 'report.html'}")
    run = open_run(results)
    folders = task_tables.default_folders(results) if tasks is None else list(tasks)
    text = render(run, task_tables.read_tasks(folders), costs.costs_of(run, measure_cost))
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(output, text.encode("utf-8"))
    except OSError as error:
        raise disk_error(output.parent, error) from error
    return PageResult(output, len(run.main), len(folders), len(text.encode("utf-8")))


def render(run: Run, tasks: Sequence[task_tables.TaskResult], measured: Sequence[costs.Cost]) -> str:
    """The page as text; the same run, tasks and costs give the same text."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    board = leaderboard.leaderboard(run)
    script = (ASSETS / "report.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    ranks = comparison_tables.ranks_of(run.main, run.profile)
    cases, no_cases = examples.examples(run)
    beside = published.published(run)
    content: dict[str, Any] = {
        "title": run.settings.title,
        "labels": run.labels,
        "note": run.settings.tables.note,
        "summary": _summary(run),
        "board": board,
        "board_json": _json_in_html(board),
        "confidence": f"{run.settings.tables.confidence:.0%}",
        "curves": _drawn(figures.snr_curves(run)),
        "set_name": run.set_name,
        "headline": [view(table) for table in _headline_tables(run)],
        "breakdowns": [view(table) for table in _breakdowns(run)],
        "cost_picture": Markup(figures.quality_against_cost(run, measured)),  # noqa: S704 - drawn here, names escaped
        "cost_table": view(_cost_table(run, measured)),
        "pairs": pair_matrices(run),
        "diagrams": _drawn(figures.critical_differences(ranks)),
        "ranks": view(comparison_tables.ranks_table({comparison_tables.HEADLINE: ranks})),
        "published": None if beside is None else view(beside.table, beside.differences),
        "reasons": [] if beside is None else beside.reasons,
        "tasks": [
            (_markup(figures.task_accuracy(one.table, i)), view(one.table), view(one.paired) if one.paired else None)
            for i, one in enumerate(tasks)
        ],
        "examples": [(case.case, case.caption, _markup(case.svg)) for case in cases],
        "no_examples": no_cases,
        "failures": provenance.failures(run),
        "data": [view(table) for table in provenance.data_tables(run)],
        "artifacts": [view(table) for table in provenance.artifacts(run)],
        "versions": view(provenance.library_versions(run)),
        "config": provenance.config_text(run),
        "command": provenance.command(run),
        "css": Markup((ASSETS / "report.css").read_text(encoding="utf-8")),  # noqa: S704 - the project's own file
        "script": Markup(script),  # noqa: S704 - the project's own file
        "script_hash": f"sha256-{digest}",
    }
    loader = FileSystemLoader(ASSETS)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"code": _code, "number": number}
    return environment.get_template("report.html.jinja").render(content)


def _summary(run: Run) -> Mapping[str, str]:
    n, subjects = len(run.main[0].snr_db), len(set(run.main[0].subject.tolist()))
    drawings = {
        "denoisers": str(len({scores.label for scores in run.main})),
        "mixtures": f"{n:,}",
        "test subjects": str(subjects),
        "databases": ", ".join(sorted({str(name).partition("/")[0] for name in run.main[0].subject})),
    }
    best = examples.leader(run)
    return drawings if best is None else {**drawings, "leading": f"{best.label} ({best.track})"}


def _headline_tables(run: Run) -> list[Table]:
    """Table 1 as the tables stage has it, and the table of the drawn set; none of a paper's layout."""
    if run.settings.tables.printed is not None:
        return []
    tables = [table1(run.main, run.settings, run.profile, [], run.others)]
    if run.drawn is not run.main:
        tables.append(table1(run.drawn, run.settings, run.profile, [], run.others, title="Drawn set"))
    return tables


def _breakdowns(run: Run) -> list[Table]:
    """The tables of the tables stage, without the note on brackets: the page shows intervals as small print."""
    tables = [
        breakdowns.by_kind(run.main, run.profile, run.settings, run.settings.tables.kind_names),
        breakdowns.by_count(run.main, run.profile, run.settings)[1],
        breakdowns.by_snr(run.main, run.profile, run.settings, room=True)[1],
        breakdowns.by_database(run.main, run.profile, run.settings)[1],
    ]
    brackets = breakdowns.INTERVALS.format(run.settings.tables.confidence)
    return [replace(table, notes=[note for note in table.notes if note != brackets]) for table in tables]


def _cost_table(run: Run, measured: Sequence[costs.Cost]) -> Table:
    from cleansemg.core.rendering import Column

    rows = [
        {
            "denoiser": c.label, "track": c.track, "factor": c.real_time_factor, "parameters": c.parameters,
            "cause": c.cause,
        }
        for c in measured
    ]  # fmt: skip
    columns = [Column("denoiser", "denoiser"), Column("track", "track"), Column("factor", "real-time factor", 5)]
    columns += [Column("parameters", "trained parameters")]
    columns += [Column("cause", "not measured, because")] if any(c.cause for c in measured) else []
    where = "; ".join(dict.fromkeys(c.machine for c in measured))
    how = (
        f"Measured on: {where}. Processor time of one thread for {costs.SECONDS_OF_SIGNAL:g} s of signal at "
        f"{run.settings.segment.fs_hz:g} Hz, over the time of the signal: below 1 keeps up with it."
    )
    return Table("Costs", columns, rows, [how] if measured else [])


def _code(text: str) -> Markup:
    """Escape a text and mark the names between backticks as code."""
    from markupsafe import escape

    return _markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _drawn(svgs: Mapping[str, str]) -> list[tuple[str, Markup]]:
    return [(name, _markup(svg)) for name, svg in svgs.items()]


def _markup(svg: str) -> Markup:
    from markupsafe import Markup

    return Markup(svg)  # noqa: S704 - drawn by matplotlib, which escapes every name


def _json_in_html(value: Any) -> Markup:
    """JSON that cannot end the HTML element around it, whatever the names of denoisers are."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return _markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
