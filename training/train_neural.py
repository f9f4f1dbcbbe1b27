"""Command line: fit one neural denoiser (`bash scripts/run_train.sh` prepares the environment first)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cleansemg.core.commandline import (
    ConfigOption,
    ForceOption,
    OutputOption,
    QuietOption,
    SetOption,
    finish,
    prepare,
    run,
)
from cleansemg.core.errors import UserError
from cleansemg.core.stage import RunOptions
from cleansemg.training import neural
from cleansemg.training.recipe import parse_assignments

ModelOption = Annotated[
    list[str] | None,
    typer.Option("--model", help="Denoiser to fit, e.g. FCN. Repeatable; default: train.models of the configuration."),
]
EpochsOption = Annotated[int | None, typer.Option("--epochs", help="Epochs at most.")]
BatchSizeOption = Annotated[int | None, typer.Option("--batch-size", help="Mixtures a step, over all processes.")]
LearningRateOption = Annotated[float | None, typer.Option("--learning-rate", help="At the start.")]
RecipeOption = Annotated[
    list[str] | None,
    typer.Option("--recipe", help="Any value of the recipe: --recipe schedule.kind=none. Repeatable."),
]


def main(
    config: ConfigOption = Path("configs/config.yaml"),
    model: ModelOption = None,
    epochs: EpochsOption = None,
    batch_size: BatchSizeOption = None,
    learning_rate: LearningRateOption = None,
    recipe: RecipeOption = None,
    output: OutputOption = None,
    overrides: SetOption = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
) -> int:
    """Fit neural denoisers on mixtures made online from the training segments and noise.

    What the command line says wins over the configuration, and that over the model's own YAML. Run again
    after a stop, it goes on where it was and ends with the same weights.
    """
    given = _given(recipe or [], {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate})
    settings, layout = prepare(config, output, overrides, quiet)
    return finish([neural.run(settings, layout, RunOptions(force=force), model or None, given)])


def _given(assignments: list[str], options: dict[str, Any]) -> dict[str, Any]:
    """Collect the recipe values of the command line.

    Raises:
        UserError: a value is set twice, by --recipe and by a separate option; or see `parse_assignments`.
    """
    given = parse_assignments(assignments)
    for key, value in options.items():
        if value is None:
            continue
        if key in given:
            raise UserError(f"--recipe {key}=... and --{key.replace('_', '-')} are both given; keep one")
        given[key] = value
    return given


if __name__ == "__main__":
    run(main)
