"""How a recording is denoised, and whether that can be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cleansemg.core.errors import UserError, did_you_mean
from cleansemg.denoising.chain import ChainLike
from cleansemg.denoising.overlap_add import OVERLAP_S, WINDOW_S
from cleansemg.formats import FileInfo, parts_of
from cleansemg.recordings import pictures, sidecar
from cleansemg.recordings.auto_track import TRACKS


@dataclass(frozen=True)
class DenoiseOptions:
    """How a recording is denoised.

    Attributes:
        output: the denoised recording; its suffix is that of its format.
        denoiser: a name, `package.module:Class`, or a chain as `denoising.load` takes it; None: the project's default.
        weights: pretrained, open or a file; None: the default's.
        parameters: of the denoiser.
        track: blind, or auto: the denoiser is given the kinds of noise that the quality network predicts in a window.
        window_s: length of a window.
        overlap_s: of neighbouring windows.
        plot: a picture before and after.
        plot_channel: its channel, a name or an index among those selected; None: the first.
        report: JSON with the reports before and after.
        quality_weights: a file of the quality network; None: the pretrained one.
        overwrite: replace files that are there.
        command: as the user typed it, for the sidecar.
    """

    output: Path
    denoiser: ChainLike | None = None
    weights: str | Path | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    track: str = "blind"
    window_s: float = WINDOW_S
    overlap_s: float = OVERLAP_S
    plot: Path | None = None
    plot_channel: str | None = None
    report: Path | None = None
    quality_weights: Path | None = None
    overwrite: bool = False
    command: Sequence[str] = ()


def plot_channel(info: FileInfo, options: DenoiseOptions) -> int | None:
    """Index among the selected channels of the one to draw; None: no picture.

    Raises:
        UserError: no such channel, or a picture of another format.
    """
    if options.plot is None:
        if options.plot_channel is not None:
            raise UserError("--plot-channel needs --plot FILE")
        return None
    pictures.check_format(options.plot)
    if options.plot_channel is None:
        return 0
    names = [channel.name for channel in info.channels]
    if options.plot_channel in names:
        return names.index(options.plot_channel)
    columns = [str(channel.column) for channel in info.channels]
    if options.plot_channel in columns:
        return columns.index(options.plot_channel)
    raise UserError(f"--plot-channel: no channel '{options.plot_channel}'{did_you_mean(options.plot_channel, names)}")


def check_targets(info: FileInfo, options: DenoiseOptions) -> None:
    """Refuse files that are one and the same, or that cannot be written, before the work.

    Raises:
        UserError: that; an unknown track.
    """
    if options.track not in TRACKS:
        raise UserError(f"--track is '{options.track}'{did_you_mean(options.track, TRACKS)}")
    sources = parts_of(info)
    named = {"--output": options.output, "--plot": options.plot, "--report": options.report}
    named["the sidecar"] = sidecar.sidecar_path(options.output)
    roles: dict[Path, str] = {path.resolve(): "the input" for path in sources}
    for what, path in named.items():
        if path is None:
            continue
        other = roles.setdefault(path.resolve(), what)
        if what not in {other, "--output"}:  # the writer refuses the output itself, with its own message
            raise UserError(f"{what} and {other} are the same file, {path}")
    for extra in (options.plot, options.report):
        if extra is not None:
            sidecar.check_target(extra, overwrite=options.overwrite, inputs=sources)
