"""Streams as artifacts (one shard for each stream, one row for each sample), and the stage that makes clean streams."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import dsp, npz, registry
from cleansemg.core.artifact import Artifact, Failure, Schema
from cleansemg.core.code_identity import of_entry, of_modules
from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.layout import Layout
from cleansemg.core.stage import Job, Report, RunOptions, ShardResult, run_stage
from cleansemg.data_pipeline.readers.listing import require_distinct
from cleansemg.data_pipeline.readers.lookup import entry_of, open_reader
from cleansemg.data_pipeline.recording import Recording, RecordingReader, RecordingRef
from cleansemg.downstream.common.task import Stream, Task

if TYPE_CHECKING:
    from cleansemg.settings import Settings

SCHEMA = Schema("streams", 2, step="cleansemg run")
CLEAN, NOISY = "clean", "noisy"


@dataclass(frozen=True)
class PrepareJob:
    """One recording to read."""

    reader: RecordingReader
    ref: RecordingRef
    fs_hz: float
    band_hz: tuple[float, float] | None


def open_task(settings: Settings) -> Task:
    """The configuration's task.

    Raises:
        UserError: the configuration names no task, or an unknown one.
    """
    if settings.downstream.task is None:
        raise UserError(f"{settings.config_file}: downstream.task is not set; see configs/downstream/")
    task: Task = registry.find("tasks", settings.downstream.task).build(**settings.downstream.parameters)
    return task


def prepare(settings: Settings, layout: Layout, options: RunOptions) -> Report:
    """Make the clean streams: read every recording, band-pass and resample it.

    Raises:
        UserError: no task, no enabled data set, an absent folder, recordings with different channels, or two people
            with the same recording.
    """
    task = open_task(settings)
    if not settings.enabled_datasets:
        raise UserError(f"{settings.config_file}: datasets: none is enabled")
    jobs, inputs, code = [], {}, of_modules(__name__)
    refs: list[RecordingRef] = []
    for name in settings.enabled_datasets:
        code |= of_entry(entry_of(name, settings))
        reader = open_reader(name, settings)
        for ref in reader.list():
            refs.append(ref)
            jobs.append(
                Job(
                    shard_name(f"{ref.database}/{ref.subject}/{ref.exercise}"),
                    PrepareJob(reader, ref, task.fs_hz, task.band_hz),
                )
            )
            inputs[f"{name}/{ref.key}"] = ref.fingerprint
    require_distinct(refs)
    result = run_stage(
        layout.downstream(CLEAN), SCHEMA, jobs, read_stream,
        section={"task": task.name, "fs_hz": task.fs_hz, "band_hz": task.band_hz and list(task.band_hz)},
        inputs=inputs, seed=settings.seed, options=options, label="prepare", code=code,
        info={"fs_hz": task.fs_hz, "classes": list(task.classes)},
    )  # fmt: skip
    require_same_channels(result.artifact, task)
    count = sum(shard.count > 0 for shard in result.artifact.manifest.shards)
    return Report("prepare", (f"{count} streams, {result.artifact.folder}",), len(result.failures))


def read_stream(job: PrepareJob) -> ShardResult:
    """Make one clean stream; a recording that cannot be read is recorded as a failure and has no rows."""
    ref = job.ref
    try:
        recording = job.reader.read(ref)
        stream = clean_stream(recording, job.fs_hz, job.band_hz)
        stream = replace(
            stream, database=ref.database, subject=ref.subject, name=ref.exercise
        )  # consistent with the name of the shard
    except ItemError as error:
        return ShardResult(empty(), [Failure(f"{ref.database}/{ref.key}", str(error))])
    return ShardResult(to_arrays(stream))


def clean_stream(recording: Recording, fs_hz: float, band_hz: tuple[float, float] | None) -> Stream:
    """Band-pass a recording (Butterworth order 4, zero phase) and resample it; labels are those of the nearest sample.

    Without a band, the samples stay unchanged.

    Args:
        recording: signal in volts.
        fs_hz: sampling rate of the stream, Hz.
        band_hz: lower and upper edge, Hz; None: the recording is an envelope at `fs_hz`.

    Raises:
        ItemError: fewer than two samples, a sample that is not finite (a filter would spread it over the whole
            channel), a track of labels or repetitions of another length, or, without a band, another rate than `fs_hz`.
    """
    _require_whole(recording)
    if band_hz is None:
        if recording.fs_hz != fs_hz:
            raise ItemError(f"is at {recording.fs_hz:g} Hz, not an envelope at {fs_hz:g} Hz; set envelope: false")
        resampled = recording.signal.astype(np.float32)
    else:
        signal = dsp.band_pass(recording.signal, *band_hz, recording.fs_hz)
        resampled = dsp.resample(signal, recording.fs_hz, fs_hz).astype(np.float32)
    n = resampled.shape[1]
    nearest = np.round(np.arange(n) * recording.fs_hz / fs_hz).astype(np.int64)  # sample of the recording

    def at_rate(track: NDArray[np.int64] | None, single: int) -> NDArray[np.int64]:
        if track is None:
            return np.full(n, single, np.int64)
        return np.asarray(track, np.int64)[np.minimum(nearest, len(track) - 1)]

    return Stream(
        database=recording.database,
        subject=recording.subject,
        name=recording.exercise,
        signal=resampled,
        label=at_rate(recording.label, recording.trial_label),
        repetition=at_rate(recording.repetition, recording.trial_repetition),
        fs_hz=fs_hz,
        channels=recording.channels,
    )


def _require_whole(recording: Recording) -> None:
    n_samples = recording.signal.shape[1]
    if n_samples < 2:
        raise ItemError(f"{n_samples} sample(s)")
    for name, track in (("label", recording.label), ("repetition", recording.repetition)):
        if track is not None and len(track) != n_samples:
            raise ItemError(f"{name}: {len(track)} values for {n_samples} samples")
    bad = ~np.isfinite(recording.signal)
    if bad.any():
        channel, sample = (int(at[0]) for at in np.nonzero(bad))
        raise ItemError(
            f"{int(bad.sum())} of {bad.size} samples are not finite, the first in channel "
            f"{recording.channels[channel]} at {sample / recording.fs_hz:.3f} s"
        )


def shard_name(key: str) -> str:
    """A file name for a stream's key; a hash distinguishes keys that differ only in replaced characters."""
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", key)
    return f"{plain}_{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def to_arrays(stream: Stream) -> dict[str, NDArray[Any]]:
    """The arrays of a shard, one row for each sample: signal [L, C], label [L], repetition [L] and about [L, k].

    `about` holds what is the same for all samples: the bytes of one JSON text in UTF-8, continued from row to row and
    padded with zeros. (Repeating the text in every row would need more memory than the signal.)
    """
    about = {
        "database": stream.database,
        "subject": stream.subject,
        "name": stream.name,
        "channels": list(stream.channels),
    }
    return {
        "signal": np.ascontiguousarray(stream.signal.T),  # [L, C]
        "label": stream.label,
        "repetition": stream.repetition,
        "about": _spread(json.dumps(about, ensure_ascii=False), stream.signal.shape[1]),
    }


def empty() -> dict[str, NDArray[Any]]:
    """The arrays of the shard of a recording that failed: no rows."""
    none = np.empty(0, np.int64)
    return {"signal": np.empty((0, 0), np.float32), "label": none, "repetition": none,
            "about": np.empty((0, 1), np.uint8)}  # fmt: skip


def from_arrays(arrays: Any, fs_hz: float) -> Stream:
    """Read a stream from the arrays of its shard."""
    about = _about(arrays)
    return Stream(
        database=about["database"],
        subject=about["subject"],
        name=about["name"],
        signal=np.ascontiguousarray(np.asarray(arrays["signal"]).T),
        label=np.asarray(arrays["label"]),
        repetition=np.asarray(arrays["repetition"]),
        fs_hz=fs_hz,
        channels=tuple(about["channels"]),
    )


def open_streams(folder: Path) -> Artifact:
    """Open an artifact of streams; raises ArtifactError if it is absent or unfinished."""
    return Artifact.open(folder, SCHEMA)


def require_same_channels(artifact: Artifact, task: Task) -> None:
    """Check that all streams have the same channels in the same order, unless `task.same_channels` is False.

    Raises:
        UserError: two streams differ; the message names both.
    """
    first: tuple[str, list[str]] | None = None
    for shard in artifact.manifest.shards:
        if not task.same_channels or not shard.count:
            continue
        about = _about(npz.map_arrays(artifact.folder / f"{shard.name}.npz"))
        identity = (f"{about['database']}/{about['subject']}/{about['name']}", about["channels"])
        first = first or identity
        if identity[1] != first[1]:
            raise UserError(
                f"{artifact.folder}: '{first[0]}' has the channels {', '.join(first[1])}, '{identity[0]}' has "
                f"{', '.join(identity[1])}; a classifier needs the same ones in the same order: leave a data set or "
                "recording out, or name the channels in its parameters"
            )


def each(artifact: Artifact) -> Iterator[tuple[str, Stream]]:
    """Yield shard name and stream, in order, skipping recordings that failed."""
    fs_hz = float(artifact.manifest.info["fs_hz"])
    for shard, arrays in artifact:
        if shard.count:
            yield shard.name, from_arrays(arrays, fs_hz)


def load(artifact: Artifact, name: str) -> Stream:
    """Load one stream by the name of its shard."""
    return from_arrays(artifact.load(name), float(artifact.manifest.info["fs_hz"]))


def _spread(text: str, n: int) -> NDArray[np.uint8]:
    """Distribute the bytes of a text over n rows, padded with zeros: [n, k]."""
    data = np.frombuffer(text.encode(), np.uint8)
    width = max(-(-len(data) // n), 1)
    return np.pad(data, (0, n * width - len(data))).reshape(n, width)


def _about(arrays: Any) -> dict[str, Any]:
    """Decode `about` of `to_arrays`."""
    about: dict[str, Any] = json.loads(np.asarray(arrays["about"]).tobytes().rstrip(b"\0"))
    return about
