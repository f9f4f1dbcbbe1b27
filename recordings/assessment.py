"""The quality of one recording's file, without touching it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleansemg.core.threads import single_threaded
from cleansemg.formats import SignalFile
from cleansemg.recordings import sidecar
from cleansemg.recordings.denoiser_choice import describe_model
from cleansemg.recordings.progress import RunProgress, block_samples, closing_line
from cleansemg.recordings.report import ChannelReport, RecordingMeter, as_json, check_duration, quality_model

if TYPE_CHECKING:
    from cleansemg.quality.models import Predictor

SCHEMA = "cleansemg report 1"


@dataclass(frozen=True)
class Assessed:
    """What was read.

    Attributes:
        reports: one a channel.
        model: the quality network; None where there is none.
        closing: a line on time and memory.
    """

    reports: list[ChannelReport]
    model: Predictor | None
    closing: str


def assess_file(recording: SignalFile, quality_weights: Path | None = None) -> Assessed:
    """Read a recording from end to end and say how good it is.

    Args:
        recording: opened.
        quality_weights: a file of the quality network; None: the pretrained one.

    Raises:
        UserError: the recording is shorter than 1 s or damaged, or the weights are.
    """
    info = recording.info
    if info.n_samples is not None:
        check_duration(info.n_samples, info.fs_hz, str(info.path))
    model = quality_model(quality_weights)
    with single_threaded():
        meter = RecordingMeter(info.channels, info.fs_hz, model)
        progress = RunProgress(info, "reading")
        for block in recording.blocks(block_samples(len(info.channels))):
            meter.push(block)
            progress.add(block.shape[1])
        progress.close()
        check_duration(progress.n_samples, info.fs_hz, str(info.path))
        reports = meter.result()
    closing = closing_line(progress.n_samples, info.fs_hz, len(info.channels), progress.seconds)
    return Assessed(reports, model, closing)


def report_of(recording: SignalFile, assessed: Assessed) -> dict[str, Any]:
    """The content of the JSON report."""
    return {
        "schema": SCHEMA,
        "input": sidecar.describe_file(recording.info),
        "quality_model": describe_model(assessed.model),
        "channels": [as_json(one) for one in assessed.reports],
    }
