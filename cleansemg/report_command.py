"""The command `cleansemg report`: one page about a folder of results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    results: Annotated[Path, typer.Argument(help="A folder of results, as --output of `cleansemg run` names it.")],
    output: Annotated[Path | None, typer.Option(help="The page; default: RESULTS/report.html.")] = None,
    task: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of a finished task. Repeatable; default: those in RESULTS/../downstream."),
    ] = None,
    measure_cost: Annotated[
        bool,
        typer.Option(
            help="Measure time and parameters of the denoisers on this machine, where RESULTS/tables/costs.csv "
            "does not have them; a few seconds each."
        ),
    ] = True,
    quiet: Annotated[bool, typer.Option("--quiet", help="Warnings and errors only.")] = False,
) -> int:
    """Make one self-contained page about a finished run: it opens offline, sorts, filters and prints.

    It shows the leaderboard with intervals, by track, noise and SNR; printed numbers beside ours; curves; quality
    against cost; paired tests and critical differences; example segments; tasks; failures, data, configuration,
    versions, hashes, and the command that repeats the run.

    Example: cleansemg report results/demo --output report.html
    """
    from cleansemg.core.console import setup_logging
    from cleansemg.evaluation.report import make_report

    setup_logging(quiet)
    page = make_report(results, output or results / "report.html", task or None, measure_cost)
    if not quiet:
        size = f"{page.n_bytes / 1e6:.1f} MB"
        typer.echo(f"report: {page.path}: {page.n_rows} rows, {page.n_tasks} task folders, {size}")
    return 0
