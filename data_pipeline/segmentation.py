"""Stage segment: cuts the accepted trial-channels into clean windows, one artifact per part (A4).

Each trial of a channel passes a zero-phase Butterworth band-pass of order 4 at the native rate, as second-order
sections (the published b/a form loses digits at 20 Hz), and polyphase resampling to 1 kHz. It is then cut into adjacent
windows of 2 s, without the tail, and stored as float32 in volts, not normalised. A shard holds one subject; recordings
are read one at a time.

With `segment.cut: recordings`, a whole recording replaces the trial, and each window has the column `active` [L] bool:
True where the label is above 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import artifact, dsp
from cleansemg.core.artifact import Artifact, Failure, Manifest, Schema
from cleansemg.core.code_identity import of_entry, of_modules
from cleansemg.core.errors import ArtifactError, ItemError
from cleansemg.core.layout import Layout
from cleansemg.core.settings import OUT_OF_DOMAIN, SplitPart
from cleansemg.core.stage import Job, Report, RunOptions, ShardResult, StageResult, run_stage
from cleansemg.data_pipeline import columns
from cleansemg.data_pipeline.grading import SCHEMA as GRADES
from cleansemg.data_pipeline.qc import SCHEMA as QUALITY
from cleansemg.data_pipeline.qc import enabled_databases, subject_shard, wanted_recordings
from cleansemg.data_pipeline.readers.lookup import entry_of, open_reader
from cleansemg.data_pipeline.recording import Recording, RecordingReader, RecordingRef
from cleansemg.data_pipeline.segment_ids import require_unique, segment_id
from cleansemg.data_pipeline.settings import Activity, Segment
from cleansemg.data_pipeline.subject_split import Split, load_split
from cleansemg.data_pipeline.trials import most_frequent
from cleansemg.data_pipeline.windows import n_windows

if TYPE_CHECKING:
    from cleansemg.settings import Settings

SCHEMA = Schema("segments", 1, step="cleansemg run --stages segment")

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class AcceptedTrials:
    """One accepted trial of one channel, to be cut; the fields are those of `QcRow`, and the grade."""

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

    @property
    def n_samples(self) -> int:
        return self.stop_sample - self.start_sample

    def n_windows(self, segment: Segment) -> int:
        """Number of windows in the trial; with `segment.activity`, fewer become segments."""
        return n_windows(self.n_samples, self.fs_hz, segment)

    def ids(self, segment: Segment) -> list[str]:
        """The ids of its windows, in order."""
        name = (self.database, self.subject, self.exercise, self.trial, self.channel)
        return [segment_id(*name, window) for window in range(self.n_windows(segment))]


@dataclass(frozen=True)
class SegmentRow:
    """Labels of one segment, beside its `signal` [window_samples] float32 in volts.

    Attributes:
        trial, channel, window: indexes from 0; the window counts within the trial.
        start_sample: the recording's sample, at its native rate, that is nearest to the segment's first.
        fs_native_hz: the recording's rate in hertz; segments have the rate `segment.fs_hz`.
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
    accepted: tuple[AcceptedTrials, ...]
    segment: Segment


def run(settings: Settings, layout: Layout, options: RunOptions) -> Report:
    """Cut the accepted trial-channels of every part.

    Raises:
        ArtifactError: grades or split are missing, or recordings have changed since quality control.
        UserError: a segment id repeats, or the split lacks a subject.
    """
    grades = Artifact.open(layout.grades, GRADES)
    split = load_split(layout.split)
    parts = split.parts
    jobs: dict[SplitPart, list[Job[SubjectJob]]] = {part: [] for part in parts}
    ids: list[str] = []
    for name, database in sorted(enabled_databases(settings).items(), key=lambda item: item[1]):
        for subject, job in _subject_jobs(name, database, grades, settings, layout).items():
            for part, part_job in _by_part(job, split).items():
                ids += [segment_id for row in part_job.accepted for segment_id in row.ids(settings.segment)]
                jobs[part].append(Job(f"{database}_{subject_shard(subject)}", part_job))
    require_unique(ids)
    code = of_modules(__name__)
    for name in enabled_databases(settings):
        code |= of_entry(entry_of(name, settings))
    lines, n_failures = [], 0
    if OUT_OF_DOMAIN not in parts:  # segments of an earlier split are no longer a part of this run
        (layout.segments(OUT_OF_DOMAIN) / artifact.MANIFEST).unlink(missing_ok=True)
    for part in parts:
        result = run_stage(
            layout.segments(part),
            SCHEMA,
            jobs[part],
            cut_subject,
            section={"part": part, "segment": settings.segment.identity()},
            inputs={"grades": grades.manifest.fingerprint, "split": split.fingerprint},
            seed=settings.seed,
            options=options,
            label=f"segment {part}",
            code=code,
            info={"fs_hz": settings.segment.fs_hz, "window_samples": settings.segment.window_samples},
        )
        n_failures += len(result.failures)
        lines.append(_line(part, result, jobs[part]))
    return Report("segment", tuple(lines), n_failures)


def _subject_jobs(
    name: str, database: str, grades: Artifact, settings: Settings, layout: Layout
) -> dict[str, SubjectJob]:
    """The job of each subject that has a window; a subject without one is in no part."""
    reader = open_reader(name, settings)
    refs, _ = wanted_recordings(reader, settings)
    _require_unchanged(refs, artifact.read_manifest(layout.preprocessed(database), QUALITY), layout)
    jobs = {}
    rows: dict[str, list[AcceptedTrials]] = {}
    for row in accepted_rows(grades, database):
        if row.n_windows(settings.segment):
            rows.setdefault(row.subject, []).append(row)
    for subject, accepted in sorted(rows.items()):
        jobs[subject] = SubjectJob(reader, _refs_of(refs, accepted), tuple(accepted), settings.segment)
    return jobs


def _by_part(job: SubjectJob, split: Split) -> dict[SplitPart, SubjectJob]:
    """A subject's job by part: one part or, under a selection, several."""
    rows: dict[SplitPart, list[AcceptedTrials]] = {}
    for row in job.accepted:
        part = split.part_of_signal(row.database, row.subject, row.exercise, row.channel_name)
        if part is not None:
            rows.setdefault(part, []).append(row)
    return {
        part: replace(job, accepted=tuple(accepted), refs=_refs_of(job.refs, accepted))
        for part, accepted in rows.items()
    }


def _refs_of(refs: Sequence[RecordingRef], rows: Sequence[AcceptedTrials]) -> tuple[RecordingRef, ...]:
    keys = {row.key for row in rows}
    return tuple(ref for ref in refs if ref.key in keys)


def accepted_rows(grades: Artifact, database: str) -> list[AcceptedTrials]:
    """The accepted trial-channels of a database, in the order of the recordings.

    Raises:
        ArtifactError: the grades do not have the database.
    """
    table = grades.load(database)
    names = [field.name for field in fields(AcceptedTrials)]
    rows = zip(*(table[name][table["kept"]].tolist() for name in names), strict=True)
    return [AcceptedTrials(*row) for row in rows]


def _require_unchanged(refs: Sequence[RecordingRef], quality: Manifest, layout: Layout) -> None:
    now = {ref.key: ref.fingerprint for ref in refs}
    changed = sorted(key for key in {*now, *quality.inputs} if now.get(key) != quality.inputs.get(key))
    if changed:
        raise ArtifactError(
            f"{refs[0].database}: recording '{changed[0]}' ({len(changed)} in all) is new, gone or altered since "
            f"quality control; run: {QUALITY.command} --force, and the stages after it"
        )


def cut_subject(job: SubjectJob) -> ShardResult:
    """Cut all accepted trial-channels of one subject; a pure function of the job."""
    signals: list[NDArray[np.float32]] = []
    actives: list[NDArray[np.bool_]] = []
    rows: list[SegmentRow] = []
    failures: list[Failure] = []
    for ref in job.refs:
        accepted = [row for row in job.accepted if row.key == ref.key]
        try:
            recording = job.reader.read(ref)
            _require_fits(recording, accepted)
            _step(recording.fs_hz, job.segment)
        except ItemError as error:
            failures.append(Failure(f"{ref.database}/{ref.key}", str(error)))
            continue
        for trial in accepted:
            for row, signal, active in _cut(recording, trial, job.segment):
                if signal.any():
                    rows.append(row)
                    signals.append(signal)
                    actives.append(active)
                else:
                    failures.append(Failure(row.segment_id, "every sample is 0"))
    length = job.segment.window_samples
    stacked = np.stack(signals) if signals else np.empty((0, length), np.float32)
    arrays = {"signal": stacked, **columns.from_rows(rows, SegmentRow)}
    if job.segment.cut == "recordings":
        arrays["active"] = np.stack(actives) if actives else np.empty((0, length), np.bool_)
    return ShardResult(arrays, failures)


def _require_fits(recording: Recording, accepted: Sequence[AcceptedTrials]) -> None:
    """Check that a recording still has the channels, samples and rate that it had at quality control.

    Raises:
        ItemError: it does not.
    """
    n_channels, n_samples = recording.signal.shape
    for row in accepted:
        if recording.fs_hz != row.fs_hz or row.channel >= n_channels or row.stop_sample > n_samples:
            raise ItemError(
                f"{n_channels} channels of {n_samples} samples at {recording.fs_hz:g} Hz do not hold channel "
                f"{row.channel}, samples {row.start_sample} to {row.stop_sample} at {row.fs_hz:g} Hz, as quality "
                "control found it"
            )


def _cut(
    recording: Recording, trial: AcceptedTrials, segment: Segment
) -> list[tuple[SegmentRow, NDArray[np.float32], NDArray[np.bool_]]]:
    """Windows of one trial-channel: labels, signal [L] and activity [L], True where the label is above 0."""
    raw = recording.signal[trial.channel, trial.start_sample : trial.stop_sample]
    clean = preprocess(raw, recording.fs_hz, segment)
    peak = np.abs(clean).max()
    if segment.normalise == "recording_peak" and peak > 0:
        clean = clean / peak
    track = _labels(recording, trial, len(clean), segment)
    length = segment.window_samples
    windows = []
    for window, identifier in enumerate(trial.ids(segment)):
        part = slice(window * length, (window + 1) * length)
        active = track[part] > 0
        if segment.activity is not None and not is_active(clean[part], active, segment.activity):
            continue
        row = SegmentRow(
            segment_id=identifier,
            database=trial.database,
            subject=trial.subject,
            exercise=trial.exercise,
            trial=trial.trial,
            channel=trial.channel,
            channel_name=trial.channel_name,
            window=window,
            label=trial.label if segment.cut == "trials" else most_frequent(track[part]),
            repetition=trial.repetition,
            start_sample=trial.start_sample + round(window * length * trial.fs_hz / segment.fs_hz),
            grade=trial.grade,
            fs_native_hz=trial.fs_hz,
        )
        windows.append((row, clean[part].astype(np.float32), active))
    return windows


def preprocess(raw: NDArray[Any], fs_hz: float, segment: Segment) -> FloatArray:
    """Band-pass at the native rate, then resample, or decimate to every n-th sample.

    Args:
        raw: [T] in volts.
        fs_hz: its sampling rate in hertz.
        segment: settings; the upper edge of the band is limited to 0.99 of the native Nyquist frequency.

    Returns:
        [T'] in volts at `segment.fs_hz`.

    Raises:
        ItemError: `segment.resampling` is decimate, and the ratio of the rates is not a whole number from 1.
    """
    filtered = dsp.band_pass(raw, *segment.band_hz, fs_hz)
    if segment.resampling == "decimate":
        return filtered[:: _step(fs_hz, segment)]
    return dsp.resample(filtered, fs_hz, segment.fs_hz)


def is_active(signal: FloatArray, active: NDArray[np.bool_], rule: Activity) -> bool:
    """Whether a window holds enough contraction to become a segment.

    At least `min_fraction` of its samples are active, and either all of them are, or the standard deviation of the
    active samples exceeds that of the others by at least `min_contrast` (TrustEMG's rule, spec D).

    >>> signal = np.array([0.5, -0.5, 0.5, -0.5, 0.1, -0.1, 0.1, -0.1])
    >>> active = np.array([True] * 4 + [False] * 4)
    >>> is_active(signal, active, Activity()), is_active(signal, active, Activity(min_contrast=0.5))
    (True, False)
    >>> is_active(signal, ~active, Activity()), is_active(0 * signal, active | True, Activity())
    (False, True)
    """
    if active.mean() < rule.min_fraction:
        return False
    if active.all():
        return True
    return bool(signal[active].std() - signal[~active].std() >= rule.min_contrast)


def _labels(recording: Recording, trial: AcceptedTrials, n: int, segment: Segment) -> NDArray[np.int64]:
    """[n] the recording's label at each sample after resampling; 1 throughout where the recording has no labels."""
    if recording.label is None:
        return np.ones(n, np.int64)
    at = np.minimum(np.round(np.arange(n) * trial.fs_hz / segment.fs_hz).astype(np.int64), trial.n_samples - 1)
    labels: NDArray[np.int64] = recording.label[trial.start_sample + at]
    return labels


def _step(fs_hz: float, segment: Segment) -> int:
    """The decimation factor; 1 where the signal is resampled instead.

    Raises:
        ItemError: the ratio of the rates is not a whole number from 1.
    """
    if segment.resampling != "decimate":
        return 1
    ratio = fs_hz / segment.fs_hz
    if ratio != round(ratio) or ratio < 1:
        raise ItemError(f"segment.resampling: decimate cannot go from {fs_hz:g} to {segment.fs_hz:g} Hz; use polyphase")
    return round(ratio)


def _line(part: str, result: StageResult, jobs: Sequence[Job[SubjectJob]]) -> str:
    database_of = {job.name: job.payload.reader.database for job in jobs}
    counts: Counter[str] = Counter()
    for shard in result.artifact.manifest.shards:
        counts[database_of[shard.name]] += shard.count
    by_database = "".join(f", {database} {count}" for database, count in sorted(counts.items()))
    failed = f"; {len(result.failures)} failed (failures.csv)" if result.failures else ""
    total = f"{result.artifact.manifest.count} segments of {len(jobs)} subjects"
    return f"{part}: {total}{by_database}{failed}; {result.artifact.folder}"
