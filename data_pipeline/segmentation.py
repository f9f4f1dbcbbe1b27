"""Stage segment: clean windows of the kept trial-channels, an artifact a part (A4).

Of each trial's slice of a channel: Butterworth band-pass of order 4 at the native rate, zero phase, as second-order
sections (the published b/a form loses digits at 20 Hz); polyphase resampling to 1 kHz; windows of 2 s side by side, the
tail dropped; float32 volts, not normalised. A shard holds one subject; recordings are read one at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import artifact, dsp
from core.artifact import Artifact, Failure, Manifest, Schema
from core.errors import ArtifactError, ItemError
from core.layout import Layout
from core.settings import PARTS, Part, Segment, Settings
from core.stage import Job, Made, Report, RunOptions, StageResult, run_stage
from data_pipeline import columns
from data_pipeline.grading import SCHEMA as GRADES
from data_pipeline.qc import SCHEMA as QUALITY
from data_pipeline.qc import enabled_databases, list_recordings, subject_shard
from data_pipeline.readers.opening import open_reader
from data_pipeline.recording import Recording, RecordingReader, RecordingRef
from data_pipeline.segment_ids import require_unique, segment_id
from data_pipeline.subject_split import load_split
from data_pipeline.windows import n_windows

SCHEMA = Schema("segments", 1, made_by="python data_pipeline/step4_preproc_and_segment.py --config FILE")

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Kept:
    """One trial of one channel that is to be cut; the fields are those of `QcRow`, and its grade."""

    database: str
    subject: str
    exercise: str
    trial: int
    channel: int
    channel_name: str
    label: int
    repetition: int
    start_sample: int
    stop_sample: int
    fs_hz: float
    key: str
    grade: str

    def n_windows(self, segment: Segment) -> int:
        """How many segments it gives."""
        return n_windows(self.stop_sample - self.start_sample, self.fs_hz, segment)

    def ids(self, segment: Segment) -> list[str]:
        """The ids of its segments."""
        name = (self.database, self.subject, self.exercise, self.trial, self.channel)
        return [segment_id(*name, window) for window in range(self.n_windows(segment))]


@dataclass(frozen=True)
class SegmentRow:
    """Labels of one segment, beside its `signal` [window_samples] float32 in volts.

    Attributes:
        trial, channel, window: counted from 0, the window within the trial.
        start_sample: the recording's sample, at its native rate, that is nearest to the segment's first.
        fs_native_hz: the recording's rate; segments are at `segment.fs_hz`.
    """

    segment_id: str
    database: str
    subject: str
    exercise: str
    trial: int
    channel: int
    channel_name: str
    window: int
    label: int
    repetition: int
    start_sample: int
    grade: str
    fs_native_hz: float


@dataclass(frozen=True)
class SubjectJob:
    """What a worker needs to cut one subject."""

    reader: RecordingReader
    refs: tuple[RecordingRef, ...]
    kept: tuple[Kept, ...]
    segment: Segment


def run(settings: Settings, layout: Layout, options: RunOptions) -> Report:
    """Cut the kept trial-channels of every part.

    Raises:
        ArtifactError: grades or split are missing, or were made from recordings that have changed since.
        UserError: a segment id repeats, or the split lacks a subject.
    """
    grades = Artifact.open(layout.grades, GRADES)
    split = load_split(layout.split)
    jobs: dict[Part, list[Job[SubjectJob]]] = {part: [] for part in PARTS}
    ids: list[str] = []
    for name, database in sorted(enabled_databases(settings).items(), key=lambda item: item[1]):
        for subject, job in _subject_jobs(name, database, grades, settings, layout).items():
            ids += [own for kept in job.kept for own in kept.ids(settings.segment)]
            jobs[split.part_of(database, subject)].append(Job(f"{database}_{subject_shard(subject)}", job))
    require_unique(ids)
    lines, n_failures = [], 0
    for part in PARTS:
        result = run_stage(
            layout.segments(part),
            SCHEMA,
            jobs[part],
            cut_subject,
            section={"part": part, "segment": settings.segment.model_dump(mode="json")},
            inputs={"grades": grades.manifest.fingerprint, "split": split.fingerprint},
            seed=settings.seed,
            options=options,
            label=f"segment {part}",
            info={"fs_hz": settings.segment.fs_hz, "window_samples": settings.segment.window_samples},
        )
        n_failures += len(result.failures)
        lines.append(_line(part, result, jobs[part]))
    return Report("segment", tuple(lines), n_failures)


def _subject_jobs(
    name: str, database: str, grades: Artifact, settings: Settings, layout: Layout
) -> dict[str, SubjectJob]:
    """The work of each subject that has a segment; a subject without one is in no part."""
    reader = open_reader(name, settings)
    refs = list_recordings(reader)
    _require_unchanged(refs, artifact.read_manifest(layout.preprocessed(database), QUALITY), layout)
    jobs = {}
    rows: dict[str, list[Kept]] = {}
    for row in kept_rows(grades, database):
        if row.n_windows(settings.segment):
            rows.setdefault(row.subject, []).append(row)
    for subject, own in sorted(rows.items()):
        keys = {row.key for row in own}
        its_refs = tuple(ref for ref in refs if ref.key in keys)
        jobs[subject] = SubjectJob(reader, its_refs, tuple(own), settings.segment)
    return jobs


def kept_rows(grades: Artifact, database: str) -> list[Kept]:
    """The trial-channels of a database that are kept, in the order of the recordings.

    Raises:
        ArtifactError: the grades do not have the database.
    """
    table = grades.load(database)
    names = [field.name for field in fields(Kept)]
    rows = zip(*(table[name][table["kept"]].tolist() for name in names), strict=True)
    return [Kept(*row) for row in rows]


def _require_unchanged(refs: Sequence[RecordingRef], quality: Manifest, layout: Layout) -> None:
    now = {ref.key: ref.fingerprint for ref in refs}
    changed = sorted(key for key in {*now, *quality.inputs} if now.get(key) != quality.inputs.get(key))
    if changed:
        raise ArtifactError(
            f"{refs[0].database}: recording '{changed[0]}' ({len(changed)} in all) is new, gone or altered since "
            f"quality control; run: {QUALITY.made_by} --force, and the stages after it"
        )


def cut_subject(job: SubjectJob) -> Made:
    """Cut all kept trial-channels of one subject; a pure function of the job."""
    signals: list[NDArray[np.float32]] = []
    rows: list[SegmentRow] = []
    failures: list[Failure] = []
    for ref in job.refs:
        own = [kept for kept in job.kept if kept.key == ref.key]
        try:
            recording = job.reader.read(ref)
            _require_fits(recording, own)
        except ItemError as error:
            failures.append(Failure(f"{ref.database}/{ref.key}", str(error)))
            continue
        for kept in own:
            for row, signal in _cut(recording, kept, job.segment):
                if signal.any():
                    rows.append(row)
                    signals.append(signal)
                else:
                    failures.append(Failure(row.segment_id, "every sample is 0"))
    length = job.segment.window_samples
    stacked = np.stack(signals) if signals else np.empty((0, length), np.float32)
    return Made({"signal": stacked, **columns.from_rows(rows, SegmentRow)}, failures)


def _require_fits(recording: Recording, kept: Sequence[Kept]) -> None:
    """A recording that reads differently now than at quality control is not cut."""
    n_channels, n_samples = recording.signal.shape
    for row in kept:
        if recording.fs_hz != row.fs_hz or row.channel >= n_channels or row.stop_sample > n_samples:
            raise ItemError(
                f"{n_channels} channels of {n_samples} samples at {recording.fs_hz:g} Hz do not hold channel "
                f"{row.channel}, samples {row.start_sample} to {row.stop_sample} at {row.fs_hz:g} Hz, as quality "
                "control found it"
            )


def _cut(recording: Recording, kept: Kept, segment: Segment) -> list[tuple[SegmentRow, NDArray[np.float32]]]:
    raw = recording.signal[kept.channel, kept.start_sample : kept.stop_sample]
    clean = preprocess(raw, recording.fs_hz, segment)
    length = segment.window_samples
    found = []
    for window, own_id in enumerate(kept.ids(segment)):
        row = SegmentRow(
            segment_id=own_id,
            database=kept.database,
            subject=kept.subject,
            exercise=kept.exercise,
            trial=kept.trial,
            channel=kept.channel,
            channel_name=kept.channel_name,
            window=window,
            label=kept.label,
            repetition=kept.repetition,
            start_sample=kept.start_sample + round(window * length * kept.fs_hz / segment.fs_hz),
            grade=kept.grade,
            fs_native_hz=kept.fs_hz,
        )
        found.append((row, clean[window * length : (window + 1) * length].astype(np.float32)))
    return found


def preprocess(raw: NDArray[Any], fs_hz: float, segment: Segment) -> FloatArray:
    """Band-pass at the native rate, then resample.

    Args:
        raw: [T] in volts.
        fs_hz: its rate.
        segment: settings; the upper edge is kept below 0.99 of the native Nyquist frequency.

    Returns:
        [T'] in volts at `segment.fs_hz`.
    """
    return dsp.resample(dsp.band_pass(raw, *segment.band_hz, fs_hz), fs_hz, segment.fs_hz)


def _line(part: str, result: StageResult, jobs: Sequence[Job[SubjectJob]]) -> str:
    database_of = {job.name: job.payload.reader.database for job in jobs}
    counts: Counter[str] = Counter()
    for shard in result.artifact.manifest.shards:
        counts[database_of[shard.name]] += shard.count
    by_database = "".join(f", {database} {count}" for database, count in sorted(counts.items()))
    failed = f"; {len(result.failures)} failed (failures.csv)" if result.failures else ""
    total = f"{result.artifact.manifest.count} segments of {len(jobs)} subjects"
    return f"{part}: {total}{by_database}{failed}; {result.artifact.folder}"
