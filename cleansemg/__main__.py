"""The command line `cleansemg`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from cleansemg.app_command import app as open_page
from cleansemg.check_command import check
from cleansemg.core.commandline import (
    EXIT_FAILED_ITEMS,
    ConfigOption,
    ForceOption,
    OutputOption,
    QuietOption,
    SchedulerOption,
    SetOption,
    WorkersOption,
)
from cleansemg.core.commandline import run as run_app
from cleansemg.core.stage import Report
from cleansemg.denoise_command import denoise
from cleansemg.export_test_command import export_test
from cleansemg.freeze_command import freeze
from cleansemg.leaderboard_command import leaderboard
from cleansemg.quality_command import quality
from cleansemg.report_command import report
from cleansemg.score_command import score
from cleansemg.stream_command import stream
from cleansemg.verify_command import verify

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Benchmark and toolkit for surface-EMG denoising.\n\n"
    "Start with `cleansemg run --config demo`: it simulates recordings, mixes in noise, runs every "
    "denoiser and writes results/demo/tables/table1.md.",
)


@app.command()
def run(
    config: ConfigOption,
    stages: Annotated[
        str,
        typer.Option(
            help="all, or some of qc,grade,split,segment,noise,mix,calibrate,train,evaluate,tables; "
            "of a task (configs/downstream/): noise,prepare,contaminate,denoise,assess,report. "
            "Each reads what the ones before wrote."
        ),
    ] = "all",
    denoiser: Annotated[
        list[str] | None,
        typer.Option(
            help="Beside those of the configuration: a name, or package.module:Class of yours. Repeatable. What the "
            "others have reached is kept (docs/add-a-denoiser.md)."
        ),
    ] = None,
    output: OutputOption = None,
    workers: WorkersOption = 1,
    scheduler: SchedulerOption = None,
    overrides: SetOption = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
) -> int:
    """Run the stages of a configuration. Finished work is kept: the same command goes on where it stopped."""
    from cleansemg.core.console import setup_logging
    from cleansemg.running import run_stages

    def show(stage: str, report: Report) -> None:
        for line in report.lines:
            typer.echo(f"{stage}: {line}")

    setup_logging(quiet)
    done = run_stages(
        config, output, stages=stages, denoisers=denoiser or (), overrides=overrides or (), workers=workers,
        scheduler=scheduler, force=force, on_report=show,
    )  # fmt: skip
    return EXIT_FAILED_ITEMS if done.n_failures else 0


@app.command(name="list")
def list_entries(
    kind: Annotated[str, typer.Argument(help="denoisers, noises, datasets, metrics or tasks.")],
) -> int:
    """List what there is of a kind, with one line each."""
    from cleansemg.core import registry
    from cleansemg.core.errors import UserError, did_you_mean

    if kind not in registry.KINDS:
        raise UserError(f"cannot list '{kind}'{did_you_mean(kind, registry.KINDS)}")
    plugins, problems = registry.plugin_entries(kind)
    entries = [*registry.entries(kind).values(), *plugins]
    width = max(len(entry.name) for entry in entries)
    for entry in entries:
        aliases = f" (also: {', '.join(entry.aliases)})" if entry.aliases else ""
        noise_kind = f"{entry.extra['kind']:9} " if kind == "noises" else ""
        typer.echo(f"{entry.name:{width}}  {noise_kind}{entry.summary}{aliases}")
    for problem in problems:
        typer.echo(problem, err=True)
    return 0


@app.command()
def fetch(
    what: Annotated[
        str,
        typer.Argument(
            help="open: the recordings of the configuration open. weights: the published checkpoints, converted. "
            "test-set: the published mixtures."
        ),
    ],
    folder: Annotated[
        Path | None,
        typer.Option(help="Where to keep them; default: ~/.cache/cleansemg/WHAT (open: $CLEANSEMG_DATA, where set)."),
    ] = None,
    revision: Annotated[
        str | None, typer.Option(help="Branch, tag or commit of the published repository; default: main.")
    ] = None,
    model: Annotated[list[str] | None, typer.Option(help="weights: this network alone, e.g. FCN. Repeatable.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="test-set: the published noise pool, too.")] = False,
    quiet: QuietOption = False,
) -> int:
    """Download open recordings, published weights or the published test set, verified.

    Files that are there already are kept.
    """
    from cleansemg.core.console import setup_logging
    from cleansemg.fetching.command import fetch as run_fetch

    setup_logging(quiet)
    report = run_fetch(what, folder, revision, model or (), everything)
    for line in report.lines:
        typer.echo(line)
    return EXIT_FAILED_ITEMS if report.n_failures else 0


app.command(name="denoise")(denoise)
app.command(name="quality")(quality)
app.command(name="stream")(stream)
app.command(name="app")(open_page)
app.command(name="report")(report)
app.command(name="verify")(verify)
app.command(name="check")(check)
app.command(name="export-test")(export_test)
app.command(name="score")(score)
app.command(name="leaderboard")(leaderboard)
app.command(name="freeze")(freeze)


def main() -> NoReturn:
    """Entry point of the console command."""
    run_app(app)


if __name__ == "__main__":
    main()
