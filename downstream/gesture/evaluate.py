"""STCNet on the recordings that prepare_neural.py and prepare_classical.py left, and the table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core import commandline
from core.commandline import ForceOption, OutputOption, QuietOption, SchedulerOption, SetOption, WorkersOption
from core.stage import RunOptions
from downstream.common.assess import assess
from downstream.common.report import report
from downstream.common.running import parse_denoisers
from downstream.gesture.preparing import CONFIG


def main(  # noqa: D103 - its help is the module's docstring
    config: Annotated[Path, typer.Option("--config", help="Configuration of the task.")] = CONFIG,
    denoiser: Annotated[
        list[str] | None,
        typer.Option(help="all (of the configuration), or names separated by commas."),
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
    return commandline.finish([assess(settings, layout, options, names), report(settings, layout, options, names)])


main.__doc__ = __doc__

if __name__ == "__main__":
    commandline.run(main)
