"""The gesture task from recordings to its table; for recordings of an envelope (DB1) clean ones alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core import commandline
from core.commandline import ForceOption, OutputOption, QuietOption, SetOption, WorkersOption
from core.errors import UserError
from core.stage import RunOptions
from downstream.common.running import parse_denoisers, run_task
from downstream.common.streams import open_task
from downstream.gesture.envelopes import run_clean


def main(  # noqa: D103 - its help is the module's docstring
    config: Annotated[Path, typer.Option("--config", help="Configuration of the task.")] = Path(
        "configs/downstream/gesture.yaml"
    ),
    denoiser: Annotated[
        list[str] | None, typer.Option(help="all (of the configuration), or names separated by commas.")
    ] = None,
    output: OutputOption = None,
    workers: WorkersOption = 1,
    overrides: SetOption = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
) -> int:
    settings, layout = commandline.prepare(config, output, overrides, quiet)
    names, options = parse_denoisers(denoiser or ["all"]), RunOptions(workers, force)
    if getattr(open_task(settings), "is_envelope", False):
        if names is not None:
            raise UserError("--denoiser: these recordings are envelopes; nothing can be mixed into them or denoised")
        return commandline.finish(run_clean(settings, layout, options))
    return commandline.finish(run_task(settings, layout, options, names))


main.__doc__ = __doc__

if __name__ == "__main__":
    commandline.run(main)
