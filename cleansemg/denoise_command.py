"""The command `cleansemg denoise`: a recording in, a denoised recording out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cleansemg.core.commandline import EXIT_INTERRUPTED, QuietOption
from cleansemg.recording_options import (
    ChannelsOption,
    DenoiserOption,
    FsOption,
    InputArgument,
    KeyOption,
    OffsetOption,
    ParametersOption,
    QualityWeightsOption,
    SheetOption,
    TimeOption,
    UnitOption,
    WeightsOption,
)


def denoise(
    recording: InputArgument,
    output: Annotated[
        Path | None, typer.Option("--output", help="The suffix says the format. Default: INPUT_denoised.SUFFIX.")
    ] = None,
    denoiser: DenoiserOption = None,
    weights: WeightsOption = None,
    parameters: ParametersOption = None,
    track: Annotated[
        str,
        typer.Option(
            help="blind, or auto: the denoiser is given the kinds of noise that the quality network predicts."
        ),
    ] = "blind",
    fs: FsOption = None,
    unit: UnitOption = None,
    offset: OffsetOption = 0.0,
    channels: ChannelsOption = None,
    sheet: SheetOption = None,
    key: KeyOption = None,
    time: TimeOption = None,
    plot: Annotated[
        Path | None, typer.Option(help="Picture before and after (.png, .pdf, .svg): waveform, spectrogram, spectrum.")
    ] = None,
    plot_channel: Annotated[str | None, typer.Option(help="Its channel, name or column; default: the first.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="JSON: predicted SNR, kinds of noise, line, clipping, gaps, before and after.")
    ] = None,
    window: Annotated[float, typer.Option(help="Length of the windows in s.")] = 4.0,
    overlap: Annotated[float, typer.Option(help="Overlap of the windows in s, cross-faded.")] = 1.0,
    quality_weights: QualityWeightsOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
    quiet: QuietOption = False,
) -> int:
    """Denoise a recording of any common format, rate (from 200 Hz) and length.

    Rate, units and channels are taken from the file where it has them. Gaps stay gaps. OUTPUT.json beside the output
    says how it was made. Nothing is written before all is done.

    Example: cleansemg denoise biceps.csv --output clean.csv --plot before_after.png
    """
    from cleansemg.core.console import setup_logging
    from cleansemg.recording_options import open_recording, parameters_of

    setup_logging(quiet)
    if output is None:
        output = recording.with_name(f"{recording.stem}_denoised{recording.suffix}")
    given = parameters_of(parameters)
    try:
        with open_recording(recording, fs, unit, offset, channels, sheet, key, time) as opened:
            from cleansemg.recordings import DenoiseOptions, clean_file
            from cleansemg.recordings.summary_table import lines_of

            order = DenoiseOptions(
                output=output,
                denoiser=denoiser,
                weights=weights,
                parameters=given,
                track=track,
                window_s=window,
                overlap_s=overlap,
                plot=plot,
                plot_channel=plot_channel,
                report=report,
                quality_weights=quality_weights,
                overwrite=overwrite,
                command=("cleansemg", *sys.argv[1:]),
            )
            done = clean_file(opened, order)
    except KeyboardInterrupt:
        typer.echo("stopped; nothing was written", err=True)
        raise SystemExit(EXIT_INTERRUPTED) from None
    if done.before:
        for title, reports in (("before", done.before), ("after", done.after)):
            typer.echo(f"{title}:")
            for line in lines_of(reports):
                typer.echo(f"  {line}")
    if not quiet:
        typer.echo(f"{done.output}: {done.denoiser}; {done.closing}")
    return 0
