"""STCNet on the recordings that prepare_neural.py and prepare_classical.py left, and the table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cleansemg.core import commandline
from cleansemg.core.commandline import (
    ForceOption,
    OutputOption,
    QuietOption,
    SchedulerOption,
    SetOption,
    WorkersOption,
)
from cleansemg.core.errors import UserError
from cleansemg.core.stage import RunOptions
from cleansemg.downstream.common.assess import assess
from cleansemg.downstream.common.denoise import labels
from cleansemg.downstream.common.report import report
from cleansemg.downstream.common.running import parse_denoisers
from cleansemg.downstream.common.streams import NOISY
from cleansemg.downstream.gesture.preparation import CONFIG


def main(  # noqa: D103 - its help is the module's docstring
    config: Annotated[Path, typer.Option("--config", help="Configuration of the task.")] = CONFIG,
    denoiser: Annotated[
        list[str] | None,
        typer.Option(help="all (of the configuration), or names separated by commas."),
    ] = None,
    output_noisy: Annotated[Path | None, typer.Option(help="Folder of the noisy streams, if it was named.")] = None,
    output_denoised: Annotated[
        Path | None, typer.Option(help="Folder of the denoised streams, if it was named; with one --denoiser.")
    ] = None,
    output: OutputOption = None,
    workers: WorkersOption = 1,
    scheduler: SchedulerOption = None,
    overrides: SetOption = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
) -> int:
    settings, layout = commandline.prepare(config, output, overrides, quiet)
    names, options = parse_denoisers(denoiser or ["all"]), RunOptions(workers, force, scheduler)
    folders = {} if output_noisy is None else {NOISY: output_noisy}
    if output_denoised is not None:
        row_labels = labels(settings, names)
        if len(row_labels) != 1:
            raise UserError(f"--output-denoised {output_denoised}: of one denoiser; say which with --denoiser NAME")
        folders[row_labels[0]] = output_denoised
    return commandline.finish(
        [assess(settings, layout, options, names, folders=folders), report(settings, layout, options, names)]
    )


main.__doc__ = __doc__

if __name__ == "__main__":
    commandline.run(main)
