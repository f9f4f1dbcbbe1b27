"""Evaluate classical denoisers and reference rows on a test set.

Without --methods, all classical denoisers of the configuration; without --test-data, the test sets of the run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cleansemg.core.commandline import (
    ConfigOption,
    ForceOption,
    OutputOption,
    QuietOption,
    SchedulerOption,
    SetOption,
    WorkersOption,
    finish,
    prepare,
    run,
)
from cleansemg.core.stage import Report, RunOptions
from cleansemg.evaluation.candidates import candidates
from cleansemg.evaluation.evaluating import calibrated, evaluate_all, open_test_sets
from cleansemg.evaluation.parameter_files import read_parameters


def main(  # noqa: D103 - its help is the module's docstring
    config: ConfigOption = Path("configs/config.yaml"),
    trad_config: Annotated[
        Path | None, typer.Option(help="YAML of parameters by method, over the methods' own.")
    ] = None,
    params: Annotated[
        Path | None,
        typer.Option(help="tradition_params.json; wins over --trad-config. Default: the run's own."),
    ] = None,
    methods: Annotated[str | None, typer.Option(help="Comma-separated denoisers, e.g. hp,ts.")] = None,
    models: Annotated[
        list[str] | None,
        typer.Option(help="Of these denoisers, the classical ones. Repeatable."),
    ] = None,
    test_data: Annotated[
        Path | None, typer.Option(help="Folder of a test set, or a test_combined.npz (ours or published).")
    ] = None,
    output: OutputOption = None,
    workers: WorkersOption = 1,
    scheduler: SchedulerOption = None,
    overrides: SetOption = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
) -> int:
    settings, layout = prepare(config, output, overrides, quiet)
    parameters = read_parameters(trad_config) if trad_config else {}
    winners = read_parameters(params) if params else calibrated(settings, layout)
    for row, values in winners.items():
        parameters[row] = {**parameters.get(row, {}), **values}
    names = [name.strip() for name in methods.split(",")] if methods else models
    rows = candidates(settings, layout, only_family="classical", names=names, parameters=parameters)
    if models and not rows:
        return finish([Report("evaluate", ("no classical denoiser to evaluate",))])
    sets = open_test_sets(settings, layout, test_data)
    return finish([evaluate_all(rows, sets, settings, layout, RunOptions(workers, force, scheduler))])


main.__doc__ = __doc__

if __name__ == "__main__":
    run(main)
