"""The stage that runs each denoiser over the noisy streams, window by window, and reassembles the windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cleansemg.core.artifact import Failure
from cleansemg.core.code_identity import of_modules
from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.layout import Layout
from cleansemg.core.stage import Job, Report, RunOptions, ShardResult, run_stage
from cleansemg.denoising import Denoiser, InputError
from cleansemg.denoising.chain import title, title_of
from cleansemg.downstream.common import placement, streams
from cleansemg.downstream.common.streams import NOISY, SCHEMA, open_task
from cleansemg.downstream.common.task import Stream
from cleansemg.evaluation.candidates import Candidate, candidates
from cleansemg.evaluation.settings import DenoiserRow

if TYPE_CHECKING:
    from cleansemg.settings import Settings


@dataclass(frozen=True)
class DenoiseJob:
    """One noisy stream and the denoiser for it."""

    noisy: Path
    shard: str
    candidate: Candidate
    window: int


def selected(settings: Settings, layout: Layout, names: Sequence[str] | None = None) -> list[Candidate]:
    """The denoisers of the configuration on their blind track: here, no denoiser may know the kinds of noise.

    Raises:
        UserError: an unknown name, a denoiser without a blind track, or a task whose recordings are envelopes.
    """
    wanted = _wanted(settings, names)
    rows = candidates(settings, layout, names=wanted) if wanted else []
    blind = [row for row in rows if row.track == "blind"]
    missing = sorted({row.label for row in rows} - {row.label for row in blind})
    if missing:
        raise UserError(
            f"downstream.denoisers: {', '.join(missing)} needs the noise kinds; only blind denoisers work here"
        )
    return blind


def labels(settings: Settings, names: Sequence[str] | None = None) -> list[str]:
    """Labels of the rows of `selected`. Weights are not required here: finished streams can be read without them.

    Raises:
        UserError: an unknown name, one label twice, or a task whose recordings are envelopes.
    """
    rows = [DenoiserRow(name=row) if isinstance(row, str) else row for row in _wanted(settings, names)]
    row_labels = [row.title for row in rows]
    for label in row_labels:
        if row_labels.count(label) > 1:
            raise UserError(f"downstream.denoisers: '{label}' twice; give each row its own label")
    return row_labels


def configured(settings: Settings, names: Sequence[str] | None) -> list[str | DenoiserRow]:
    """All rows of the configuration (None), or those that match `names` by label, name or alias.

    A name without a row is returned as it is.
    """
    rows = list(settings.downstream.denoisers)
    if names is None:
        return rows
    wanted: list[str | DenoiserRow] = []
    for name in names:
        matching = [row for row in rows if isinstance(row, DenoiserRow) and row.label == name]
        wanted_title = title(name) if not matching else None
        matching = matching or [
            row for row in rows if isinstance(row, DenoiserRow) and title_of(row.links) == wanted_title
        ]
        wanted += matching or [name]
    return wanted


def _wanted(settings: Settings, names: Sequence[str] | None) -> list[str | DenoiserRow]:
    """As `configured`; raises UserError if denoisers are named but the task has no noisy streams."""
    wanted = configured(settings, names)
    if wanted and not open_task(settings).takes_noise:
        raise UserError(
            f"{settings.config_file}: these recordings are envelopes; nothing can be mixed into them or denoised. "
            "Name no denoisers: the table has the clean row alone"
        )
    return wanted


def denoise(settings: Settings, layout: Layout, options: RunOptions, names: Sequence[str] | None = None) -> Report:
    """Denoise every noisy stream with every denoiser.

    Raises:
        UserError: as `selected` does.
        ArtifactError: noisy streams are absent or unfinished.
    """
    noisy = streams.open_streams(layout.downstream(NOISY))
    lines, n_failures = [], 0
    for candidate in selected(settings, layout, names):
        window = settings.downstream.window_samples
        jobs = [
            Job(shard.name, DenoiseJob(noisy.folder, shard.name, candidate, window))
            for shard in noisy.manifest.shards
            if shard.count
        ]
        result = run_stage(
            layout.downstream("denoised", candidate.label), SCHEMA, jobs, denoise_shard,
            section={"denoiser": dict(candidate.settings), "track": candidate.track, "window_samples": window},
            inputs={"noisy": noisy.manifest.fingerprint}, seed=settings.seed, options=options,
            label=f"denoise {candidate.label}", code={**of_modules(__name__), **candidate.code},
            what="denoising again", info=noisy.manifest.info,
        )  # fmt: skip
        n_failures += len(result.failures)
        lines.append(f"{candidate.label}: {len(jobs)} streams, {result.artifact.folder}")
    return Report("denoise", tuple(lines), n_failures)


def denoise_shard(job: DenoiseJob) -> ShardResult:
    """Denoise one stream; if the denoiser fails, the stream is recorded as a failure, never replaced by its input."""
    stream = streams.load(streams.open_streams(job.noisy), job.shard)
    try:
        return ShardResult(streams.to_arrays(denoised_version(stream, job.candidate.build(), job.window)))
    except (InputError, ItemError) as error:
        return ShardResult(streams.empty(), [Failure(f"{job.candidate.label}/{stream.key}", str(error))])


def denoised_version(stream: Stream, denoiser: Denoiser, window: int) -> Stream:
    """Denoise a stream in windows of `window` samples.

    Raises:
        InputError: the denoiser refuses a window.
        ItemError: the windows do not cover the stream, or an output is not finite.
    """
    windows, first = placement.cut(stream.signal, window)  # [m, C, w]
    m, n_channels, width = windows.shape
    flat = windows.reshape(m * n_channels, width)
    loud = flat.any(axis=1)  # all-zero windows stay zero, whatever a method would return
    estimate = np.zeros_like(flat)
    if loud.any():
        estimate[loud] = denoiser.denoise(flat[loud], stream.fs_hz)
    if not np.isfinite(estimate).all():
        raise ItemError("the denoiser's output is not finite")
    signal = placement.assemble(estimate.reshape(m, n_channels, width), first, stream.signal.shape[1])
    return replace(stream, signal=signal)
