"""Command line: calibrate classical denoisers on validation segments."""

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
from cleansemg.core.stage import RunOptions
from cleansemg.training import calibration

TradConfigOption = Annotated[
    Path | None, typer.Option(help="What to search, by method; default: the project's configs/config_tradition.yaml.")
]
SegmentsOption = Annotated[
    Path | None, typer.Option(help="Folder with train, valid and test segments; its valid is used. Default: the run's.")
]
NoiseOption = Annotated[
    Path | None, typer.Option(help="Noise library, of validation or training. Default: the run's validation noise.")
]
WeightsOption = Annotated[Path | None, typer.Option(help="Folder of the results; default: weights_tradition.")]
MethodsOption = Annotated[
    str | None,
    typer.Option(help="all, or comma-separated denoisers, e.g. hp,emd; default: calibrate.methods, else all."),
]


def main(
    config: ConfigOption = Path("configs/config.yaml"),
    trad_config: TradConfigOption = None,
    segments_root: SegmentsOption = None,
    noise_root: NoiseOption = None,
    weights: WeightsOption = None,
    methods: MethodsOption = None,
    output: OutputOption = None,
    workers: WorkersOption = 1,
    scheduler: SchedulerOption = None,
    overrides: SetOption = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
) -> int:
    """Search the parameters of classical denoisers on mixtures of validation segments.

    Writes tradition_params.json, which evaluation/evaluate_classical.py reads as --params. Run again after a stop,
    it goes on where it was and ends with the same file.
    """
    settings, layout = prepare(config, output, overrides, quiet)
    report = calibration.run(
        settings,
        layout,
        RunOptions(workers, force, scheduler),
        trad_config=trad_config,
        segments_root=segments_root,
        noise_root=noise_root,
        weights=weights,
        methods=methods or ",".join(settings.calibrate.methods) or "all",
    )
    return finish([report])


if __name__ == "__main__":
    run(main)
