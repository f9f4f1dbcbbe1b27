"""Evaluate neural denoisers on a test set.

Without --model, all networks of the configuration; without --test-data, the test sets of the run. Weights are
--model-path, or those trained in the output folder, or the pretrained ones.
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
from cleansemg.core.errors import UserError
from cleansemg.core.stage import Report, RunOptions
from cleansemg.evaluation.candidates import candidates
from cleansemg.evaluation.evaluating import evaluate_all, open_test_sets


def main(  # noqa: D103 - its help is the module's docstring
    config: ConfigOption = Path("configs/config.yaml"),
    model: Annotated[
        str | None, typer.Option(help="A network: fcn, fcn_large, or a published name such as FCN.")
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option(help="Of these denoisers, the networks. Repeatable."),
    ] = None,
    model_path: Annotated[
        str | None,
        typer.Option("--model-path", "--ckpt", help="Its weights: pretrained, open, .safetensors, or a public .pth."),
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
    if model_path and not model:
        raise UserError("--model-path needs --model: whose weights are they?")
    rows = candidates(settings, layout, only_family="neural", names=[model] if model else models, weights=model_path)
    if model and not rows:
        raise UserError(f"--model {model}: not a network; use evaluation/evaluate_classical.py --methods {model}")
    if models and not rows:
        return finish([Report("evaluate", ("no network to evaluate",))])
    sets = open_test_sets(settings, layout, test_data)
    return finish([evaluate_all(rows, sets, settings, layout, RunOptions(workers, force, scheduler))])


main.__doc__ = __doc__

if __name__ == "__main__":
    run(main)
