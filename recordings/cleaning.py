"""One recording's file denoised into another, in blocks, with a report on it before and after.

Everything that can be refused is refused before the work; every file that is written appears whole, at the end.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.threads import single_threaded
from cleansemg.denoising.blocks import Buffer
from cleansemg.denoising.overlap_add import OverlapAdd
from cleansemg.formats import SignalFile, SignalWriter, create_file
from cleansemg.recordings import pictures, progress, sidecar
from cleansemg.recordings.auto_track import AutoTrack
from cleansemg.recordings.denoiser_choice import ResolvedDenoiser, choose, describe_model, try_out
from cleansemg.recordings.options import DenoiseOptions, check_targets, plot_channel
from cleansemg.recordings.report import (
    GOOD_SNR_DB,
    ChannelReport,
    RecordingMeter,
    as_json,
    check_duration,
    good_already,
    quality_model,
)
from cleansemg.recordings.traces import Trace

if TYPE_CHECKING:
    from cleansemg.quality.models import Predictor

LOG = logging.getLogger(__name__)
HINT_S = 60.0  # of a recording, looked at for the hint where no report is asked for
REPORT_SCHEMA = "cleansemg report 1"


@dataclass(frozen=True)
class Cleaned:
    """What was done.

    Attributes:
        output: of a WFDB record the header.
        sidecar: the file beside it.
        denoiser: its title.
        n_samples: of a channel.
        n_gaps: in all channels.
        gap_s: seconds without a denoised value, over all channels.
        clipped: samples beyond the range of the output's format.
        before: one report a channel; empty where neither report nor picture was asked for.
        after: likewise.
        closing: a line on time and memory.
    """

    output: Path
    sidecar: Path
    denoiser: str
    n_samples: int
    n_gaps: int
    gap_s: float
    clipped: int
    before: list[ChannelReport]
    after: list[ChannelReport]
    closing: str


def clean_file(recording: SignalFile, options: DenoiseOptions) -> Cleaned:
    """Denoise a recording into a file.

    Args:
        recording: opened.
        options: how.

    Raises:
        UserError: whatever is wrong with the recording, the options or the disk; nothing is at the targets then.
    """
    info = recording.info
    if info.n_samples is not None:
        check_duration(info.n_samples, info.fs_hz, str(info.path))
    plotted = plot_channel(info, options)
    check_targets(info, options)
    resolved = choose(options.denoiser, options.weights, options.parameters)
    try_out(resolved.denoiser, info.fs_hz)
    model = quality_model(options.quality_weights)
    with single_threaded(), create_file(options.output, info, overwrite=options.overwrite) as writer:
        side = sidecar.sidecar_path(writer.path)
        sidecar.check_target(side, overwrite=options.overwrite)
        run = _Run(recording, writer, options, resolved, model, plotted)
        try:
            run.run()
        except ItemError as error:
            raise UserError(str(error)) from error
        picture = run.picture()
        writer.commit()
        if options.plot is not None and picture is not None:
            sidecar.write(options.plot, picture)
        if options.report is not None:
            sidecar.write(options.report, sidecar.json_bytes(run.report()))
        sidecar.write(side, sidecar.content(run.record(), run.circumstances()))
    return run.cleaned(side)


class _Run:
    """One recording on its way through a denoiser."""

    def __init__(
        self,
        recording: SignalFile,
        writer: SignalWriter,
        options: DenoiseOptions,
        resolved: ResolvedDenoiser,
        model: Predictor | None,
        plotted: int | None,
    ) -> None:
        self.recording, self.writer, self.options = recording, writer, options
        self.resolved, self.model, self.plotted = resolved, model, plotted
        self.info = info = recording.info
        denoiser = resolved.denoiser
        if options.track == "auto":
            denoiser = AutoTrack(denoiser, model)
        n_channels = len(info.channels)
        self.stream = OverlapAdd(denoiser, info.fs_hz, n_channels, options.window_s, options.overlap_s)
        self.trace = Trace(info.fs_hz) if plotted is not None else None
        self.waiting = Buffer(1, np.float64)  # of the plotted channel, until its denoised samples come
        self.full = options.report is not None or options.plot is not None
        self.meters = tuple(RecordingMeter(info.channels, info.fs_hz, model) for _ in range(2)) if self.full else ()
        self.hint = None
        if not self.full and model is not None:
            self.hint = RecordingMeter(info.channels, info.fs_hz, model)
        self.n_written = 0
        self.progress = progress.RunProgress(info, "denoising")
        self.before: list[ChannelReport] = []
        self.after: list[ChannelReport] = []
        self.has_values = np.zeros(n_channels, np.bool_)

    def run(self) -> None:
        """Read, denoise, write; then the reports."""
        hint_left = round(HINT_S * self.info.fs_hz)
        for block in self.recording.blocks(progress.block_samples(len(self.info.channels))):
            if self.meters:
                self.meters[0].push(block)
            elif self.hint is not None and hint_left > 0:
                self.hint.push(block[:, :hint_left])
                hint_left -= block.shape[1]
            if self.trace is not None:
                self.waiting.append(block[self.plotted, :][None], block.shape[1])
            self._write(self.stream.push(block))
            self.progress.add(block.shape[1])
        check_duration(self.progress.n_samples, self.info.fs_hz, str(self.info.path))
        self._write(self.stream.finish())
        self.progress.close()
        if self.n_written != self.progress.n_samples:
            raise RuntimeError(f"{self.n_written} samples came out of {self.progress.n_samples}")
        if self.meters:
            self.before, self.after = (meter.result() for meter in self.meters)
        self._warn(self.before or (self.hint.result() if self.hint is not None else []))

    def picture(self) -> bytes | None:
        """The picture, drawn before any file has its name."""
        if self.trace is None or self.plotted is None or self.options.plot is None:
            return None
        channel = self.info.channels[self.plotted]
        before, after = self.before[self.plotted], self.after[self.plotted]
        pair = pictures.Pair(before, after, self.trace, channel.volts_per_unit, self.resolved.title)
        return pictures.draw(pair, self.options.plot.suffix)

    def report(self) -> dict[str, Any]:
        """The content of the JSON report."""
        return {
            "schema": REPORT_SCHEMA,
            "input": sidecar.describe_file(self.info),
            "output": sidecar.describe_file(self.writer.info),
            "denoiser": self.resolved.description,
            "quality_model": describe_model(self.model),
            "before": [as_json(one) for one in self.before],
            "after": [as_json(one) for one in self.after],
        }

    def record(self) -> dict[str, Any]:
        """Everything that decides the output, for the sidecar."""
        stream, info, options = self.stream, self.info, self.options
        start = info.start_datetime
        description = dict(self.resolved.description)
        return {
            "command": list(options.command),
            "input": sidecar.describe_file(info),
            "output": sidecar.describe_file(self.writer.info),
            "denoiser": description,
            "seed": description.get("parameters", {}).get("seed"),  # a chain's links have their own
            "track": options.track,
            "quality_model": describe_model(self.model) if options.track == "auto" or self.full else None,
            "fs_hz": info.fs_hz,
            "start_s": info.start_s,
            "start": None if start is None else start.isoformat(),
            "n_samples": self.progress.n_samples,
            "window_s": options.window_s,
            "overlap_s": options.overlap_s,
            "channels": [
                {
                    "name": channel.name,
                    "unit": channel.unit,
                    "column": channel.column,
                    "volts_per_unit": channel.volts_per_unit,
                    "offset": channel.offset,
                }
                for channel in info.channels
            ],
            "gaps": {
                "count": stream.n_gaps,
                "samples": stream.gap_samples.tolist(),
                "listed": [
                    {"channel": gap.channel, "start": gap.start, "length": gap.length, "reason": gap.reason}
                    for gap in stream.gaps
                ],
            },
            "clipped_samples": self.writer.clipped,
            "versions": sidecar.versions(),
        }

    def circumstances(self) -> dict[str, Any]:
        """What differs from run to run."""
        seconds, duration_s = self.progress.seconds, self.progress.n_samples / self.info.fs_hz
        memory_mb = progress.peak_memory_mb()
        return {
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(seconds, 3),
            "real_time_factor": float(f"{seconds / duration_s:.3g}"),
            "peak_memory_mb": round(memory_mb) if math.isfinite(memory_mb) else None,
        }

    def cleaned(self, side: Path) -> Cleaned:
        """The result for the caller."""
        n_samples, fs_hz, n_channels = self.progress.n_samples, self.info.fs_hz, len(self.info.channels)
        return Cleaned(
            output=self.writer.path,
            sidecar=side,
            denoiser=self.resolved.title,
            n_samples=n_samples,
            n_gaps=self.stream.n_gaps,
            gap_s=float(self.stream.gap_samples.sum()) / fs_hz,
            clipped=self.writer.clipped,
            before=self.before,
            after=self.after,
            closing=progress.closing_line(n_samples, fs_hz, n_channels, self.progress.seconds),
        )

    def _write(self, part: NDArray[np.float32]) -> None:
        """Denoised samples that became final."""
        if not part.shape[1]:
            return
        volts = part.astype(np.float64)
        self.writer.write(volts)
        self.has_values |= np.isfinite(volts).any(axis=1)
        if self.meters:
            self.meters[1].push(volts)
        if self.trace is not None:
            stop = self.n_written + part.shape[1]
            self.trace.push(self.waiting.part(self.n_written, stop)[0], volts[self.plotted, :])
            self.waiting.drop(stop)
        self.n_written += part.shape[1]

    def _warn(self, before: Sequence[ChannelReport]) -> None:
        """Warnings about this recording."""
        stream = self.stream
        short = [gap for gap in stream.gaps if gap.reason == "short"]
        if stream.n_gaps:
            seconds = float(stream.gap_samples.sum()) / self.info.fs_hz
            LOG.warning("%s: gaps, kept as gaps: %d, %.3g s over all channels", self.info.path, stream.n_gaps, seconds)
        if short:
            LOG.warning(
                "%s: %d stretches between gaps are too short for '%s' and became gaps, too",
                self.info.path, len(short), self.resolved.title,
            )  # fmt: skip
        names = [channel.name for channel in self.info.channels]
        empty = [name for name, has in zip(names, self.has_values, strict=True) if not has]
        if empty:
            LOG.warning("%s: nothing in channel %s could be denoised", self.info.path, ", ".join(empty))
        good = good_already(before)
        if good:
            LOG.warning(
                "hint: predicted SNR is %g dB or more already in %s; a good recording is best left alone",
                GOOD_SNR_DB, ", ".join(one.name for one in good),
            )  # fmt: skip
