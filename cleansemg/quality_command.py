"""The command `cleansemg quality`: how good a recording is, with no clean one at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cleansemg.core.commandline import EXIT_INTERRUPTED, QuietOption
from cleansemg.recording_options import (
    ChannelsOption,
    FsOption,
    InputArgument,
    KeyOption,
    OffsetOption,
    QualityWeightsOption,
    SheetOption,
    TimeOption,
    UnitOption,
)


def quality(
    recording: InputArgument,
    fs: FsOption = None,
    unit: UnitOption = None,
    offset: OffsetOption = 0.0,
    channels: ChannelsOption = None,
    sheet: SheetOption = None,
    key: KeyOption = None,
    time: TimeOption = None,
    report: Annotated[Path | None, typer.Option(help="The same as JSON, in full.")] = None,
    quality_weights: QualityWeightsOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a report that is there.")] = False,
    quiet: QuietOption = False,
) -> int:
    """Say how good a recording is: a table, one row a channel.

    Predicted SNR (median of windows of 2 s, 10th to 90th percentile), kinds of noise with probability, power line,
    median frequency (MDF), clipping, flat parts, gaps.

    Example: cleansemg quality biceps.csv
    """
    from cleansemg.core.console import setup_logging
    from cleansemg.recording_options import open_recording

    setup_logging(quiet)
    try:
        with open_recording(recording, fs, unit, offset, channels, sheet, key, time) as opened:
            from cleansemg.formats import parts_of
            from cleansemg.recordings import assess_file, report_of, sidecar
            from cleansemg.recordings.summary_table import lines_of

            if report is not None:
                sidecar.check_target(report, overwrite=overwrite, inputs=parts_of(opened.info))
            assessed = assess_file(opened, quality_weights)
            if report is not None:
                sidecar.write(report, sidecar.json_bytes(report_of(opened, assessed)))
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
        raise SystemExit(EXIT_INTERRUPTED) from None
    for line in lines_of(assessed.reports):
        typer.echo(line)
    if not quiet:
        typer.echo(assessed.closing, err=True)
    return 0
