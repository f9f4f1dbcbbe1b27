"""Stage qc: quality measures of every trial and channel of the raw recordings (A2), one artifact a database.

A shard holds one subject, a row holds one trial of one channel. This stage only measures. The grade stage applies the
thresholds, so that a change of thresholds needs no new pass over the recordings.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import registry
from cleansemg.core.artifact import Failure, Schema
from cleansemg.core.code_identity import of_entry, of_modules
from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.layout import Layout
from cleansemg.core.settings import Part
from cleansemg.core.stage import Job, Report, RunOptions, ShardResult, StageResult, run_stage
from cleansemg.data_pipeline import columns, part_selection
from cleansemg.data_pipeline.noise_floor import QuietFloor, rest_rms, snr_db
from cleansemg.data_pipeline.quality_measures import spectral_quality
from cleansemg.data_pipeline.readers.lookup import open_reader
from cleansemg.data_pipeline.recording import Recording, RecordingReader, RecordingRef
from cleansemg.data_pipeline.settings import Qc, Selected
from cleansemg.data_pipeline.trials import Trial, find_trials, whole_recording

if TYPE_CHECKING:
    from cleansemg.settings import Settings

FloatArray = NDArray[np.float64]

SCHEMA = Schema("quality", 1, step="cleansemg run --stages qc")
INDEX = "logs/qc_index.csv"


@dataclass(frozen=True)
class QcRow:
    """One trial of one channel.

    Attributes:
        trial: index of the trial in the recording, from 0.
        channel: index of the channel in the recording, from 0.
        start_sample, stop_sample: first sample of the trial and the one after its last, at the native rate.
        fs_hz: native sampling rate of the recording in hertz.
        key: key of the recording.
        smr_db, shr_db, ohm: see `quality_measures`; NaN for a trial too short to measure, and where nothing is graded.
        hampel: see `hampel`; NaN for a trial shorter than its window.
        snr_db: SNR over the noise floor in dB, see `noise_floor`; NaN where nothing is graded.
        snr_rule: the rule that gave it, "rest" or "quiet"; "none" where nothing is graded.
        rest_rms: the noise floor in volts, by the same rule; NaN where nothing is graded.
    """

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
    smr_db: float
    shr_db: float
    ohm: float
    hampel: float
    snr_db: float
    snr_rule: str
    rest_rms: float


@dataclass(frozen=True)
class SubjectJob:
    """What a worker needs to measure one subject.

    Attributes:
        whole: True if a row is a whole recording instead of a trial.
        measure: False where nothing is graded; the rows then have no measures.
        selected: what the parts of the split's selection use; None: everything.
    """

    reader: RecordingReader
    refs: tuple[RecordingRef, ...]
    qc: Qc
    whole: bool = False
    measure: bool = True
    selected: Mapping[Part, Selected] | None = None

    def wants(self, ref: RecordingRef, channel: str) -> bool:
        """Whether a channel of a recording is used at all."""
        return self.selected is None or part_selection.takes_channel(self.selected, ref.subject, ref.exercise, channel)


def run(settings: Settings, layout: Layout, options: RunOptions) -> Report:
    """Measure every enabled database.

    Raises:
        UserError: no database is enabled, or the files of one are missing.
    """
    lines, n_failures = [], 0
    for name, database in enabled_databases(settings).items():
        result, n_subjects, n_recordings = _measure_database(name, settings, layout, options)
        n_failures += len(result.failures)
        failed = f", {len(result.failures)} failed (failures.csv)" if result.failures else ""
        lines.append(
            f"{database}: {result.artifact.manifest.count} trial-channels of {n_recordings} recordings, "
            f"{n_subjects} subjects{failed}; {result.artifact.folder / INDEX}"
        )
    return Report("qc", tuple(lines), n_failures)


def enabled_databases(settings: Settings) -> dict[str, str]:
    """Name in the configuration -> name in the recordings; they differ for aliases and for the user's own classes.

    Raises:
        UserError: no database is enabled, or two names mean the same database.
    """
    databases = {name: registry.find("datasets", name).name for name in settings.enabled_datasets}
    if not databases:
        raise UserError(f"{settings.config_file}: datasets: none is enabled")
    if len(set(databases.values())) != len(databases):
        raise UserError(f"{settings.config_file}: datasets: one database under two names: {databases}")
    return databases


def subject_shard(subject: str) -> str:
    """The subject's name as a lower-case file name; a name with other characters is changed and gets a hash.

    The hash keeps changed names distinct. Names that differ only in case give the same file name.
    """
    safe = re.sub(r"[^A-Za-z0-9-]+", "_", subject).strip("_").lower()
    if safe and safe == subject.lower():
        return safe
    return f"{safe}-{hashlib.sha256(subject.encode()).hexdigest()[:8]}"


def _measure_database(
    name: str, settings: Settings, layout: Layout, options: RunOptions
) -> tuple[StageResult, int, int]:
    reader = open_reader(name, settings)
    refs, selected = wanted_recordings(reader, settings)
    whole, measure = settings.segment.cut == "recordings", settings.grade.rule != "none"
    entry = registry.find("datasets", name)
    jobs = [
        Job(subject_shard(subject), SubjectJob(reader, tuple(subject_refs), settings.qc, whole, measure, selected))
        for subject, subject_refs in itertools.groupby(refs, key=lambda ref: ref.subject)
    ]
    result = run_stage(
        layout.preprocessed(reader.database),
        SCHEMA,
        jobs,
        measure_subject,
        section={
            "qc": settings.qc.identity(),
            "parameters": settings.datasets[name].parameters,
            **({"whole": True} if whole else {}),
            **({} if measure else {"measure": False}),
            **({"selected": {p: part.identity() for p, part in selected.items()}} if selected else {}),
        },
        inputs={ref.key: ref.fingerprint for ref in refs},
        seed=settings.seed,
        options=options,
        label=f"qc {reader.database}",
        code={**of_modules(__name__), **of_entry(entry)},
    )
    columns.write_csv(result.artifact.folder / INDEX, result.artifact.columns(*QcRow.__dataclass_fields__))
    return result, len(jobs), len(refs)


def wanted_recordings(
    reader: RecordingReader, settings: Settings
) -> tuple[list[RecordingRef], Mapping[Part, Selected] | None]:
    """The recordings that the configuration uses, and what each part selects from them (None: everything).

    Raises:
        UserError: as for `list_recordings`; or the selection does not have the database, or selects no recording.
    """
    refs = list_recordings(reader)
    selections = part_selection.of_settings(settings)
    if selections is None:
        return refs, None
    parts = part_selection.of_database(selections, reader.database)
    wanted = [ref for ref in refs if part_selection.takes_recording(parts, ref.subject, ref.exercise)]
    if not wanted:
        raise UserError(
            f"{settings.config_file}: split.selections: takes no recording of {reader.database}; there are e.g. "
            + ", ".join(f"{ref.subject} {ref.exercise}" for ref in refs[:3])
        )
    return wanted, parts


def list_recordings(reader: RecordingReader) -> list[RecordingRef]:
    """The recordings of a database, sorted by subject and exercise.

    Raises:
        UserError: there is no recording, or two recordings share subject and exercise, or share the key.
    """
    refs = sorted(reader.list(), key=lambda ref: (ref.subject, ref.exercise))
    if not refs:
        raise UserError(f"{reader.database}: holds no recording")
    for attributes in (("subject", "exercise"), ("key",)):
        keys_of: dict[tuple[str, ...], str] = {}
        for ref in refs:
            values = tuple(getattr(ref, attribute) for attribute in attributes)
            if values in keys_of:
                raise UserError(
                    f"{reader.database}: recordings '{keys_of[values]}' and '{ref.key}' share {', '.join(attributes)} "
                    f"({', '.join(values)}); give each an exercise of its own"
                )
            keys_of[values] = ref.key
    return refs


def measure_subject(job: SubjectJob) -> ShardResult:
    """Measure all recordings of one subject; reads one recording at a time. A pure function of the job."""
    rows: list[QcRow] = []
    failures: list[Failure] = []
    unlabelled: list[int] = []  # indexes of rows whose floor comes from quiet windows
    floor = QuietFloor(job.qc.quiet_window_s, job.qc.quiet_fraction)
    for ref in job.refs:
        try:
            recording = job.reader.read(ref)
            measured = _measure_recording(recording, ref, job)
        except ItemError as error:
            failures.append(Failure(f"{ref.database}/{ref.key}", str(error)))
            continue
        if job.measure and not recording.has_rest:
            floor.add(recording.channels, recording.signal, recording.fs_hz)
            unlabelled += range(len(rows), len(rows) + len(measured.rows))
        rows += measured.rows
        failures += measured.failures
    for index in unlabelled:
        row = rows[index]
        rms = floor.rms(row.channel_name)
        rows[index] = replace(row, rest_rms=rms, snr_db=snr_db(row.snr_db, rms))
    return ShardResult(columns.from_rows(rows, QcRow), failures)


@dataclass
class _Measured:
    """Rows and failures of one recording; where no rest is marked, `snr_db` still holds the RMS of the trial."""

    rows: list[QcRow] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def _measure_recording(recording: Recording, ref: RecordingRef, job: SubjectJob) -> _Measured:
    trials = [whole_recording(recording)] if job.whole else find_trials(recording)
    measured = _Measured()
    name = f"{ref.database}/{ref.subject}/{ref.exercise}"
    rest: FloatArray | None = None
    if job.measure and recording.label is not None and recording.has_rest:
        rest, n_lost = rest_rms(recording.signal, recording.label)
        for lost, channel_name in zip(n_lost, recording.channels, strict=True):
            if lost:
                cause = f"{lost} samples at rest are not finite and were left out of the noise floor"
                measured.failures.append(Failure(f"{name}/{channel_name}", cause))
    for trial in trials:
        signal = recording.signal[:, trial.start : trial.stop]
        working = [channel not in recording.idle_channels and job.wants(ref, channel) for channel in recording.channels]
        causes = [cause if works else None for cause, works in zip(_causes(signal), working, strict=True)]
        good = [channel for channel, cause in enumerate(causes) if cause is None and working[channel]]
        measured.failures += [
            Failure(f"{name}/T{trial.index:03d}/{recording.channels[channel]}", cause)
            for channel, cause in enumerate(causes)
            if cause is not None
        ]
        measured.rows += _rows(recording, ref, trial, np.ascontiguousarray(signal[good]), good, rest, job)
    return measured


def _causes(signal: FloatArray) -> list[str | None]:
    """For each channel of a trial [C, T], why it cannot be measured; None where it can."""
    causes: list[str | None] = []
    for values in signal:
        low, high = values.min(), values.max()  # NaN where any value is NaN
        if not (np.isfinite(low) and np.isfinite(high)):
            causes.append(f"{np.count_nonzero(~np.isfinite(values))} of {values.size} samples are not finite")
        else:
            causes.append(f"constant at {low:.6g} V" if low == high else None)
    return causes


def _rows(
    recording: Recording,
    ref: RecordingRef,
    trial: Trial,
    signal: FloatArray,
    channels: Sequence[int],
    rest: FloatArray | None,
    job: SubjectJob,
) -> list[QcRow]:
    nothing = [math.nan] * len(signal)
    if not job.measure:
        smr_db = shr_db = ohm = hampel = nothing
    else:
        smr_db, shr_db, ohm, hampel = measure_trial(signal, recording.fs_hz, job.qc).tolist()
    if not job.measure:
        rule, snr = "none", nothing
    elif rest is not None:
        active = np.sqrt(np.mean(signal**2, axis=1))
        rule, snr = "rest", [snr_db(a, rest[c]) for a, c in zip(active, channels, strict=True)]
    else:
        rule, snr = "quiet", signal.std(axis=1).tolist()  # the RMS for now; the caller replaces it by the SNR
    return [
        QcRow(
            database=ref.database,
            subject=ref.subject,
            exercise=ref.exercise,
            trial=trial.index,
            channel=channel,
            channel_name=recording.channels[channel],
            label=trial.label,
            repetition=trial.repetition,
            start_sample=trial.start,
            stop_sample=trial.stop,
            fs_hz=recording.fs_hz,
            key=ref.key,
            smr_db=smr_db[row],
            shr_db=shr_db[row],
            ohm=ohm[row],
            hampel=hampel[row],
            snr_db=snr[row],
            snr_rule=rule,
            rest_rms=math.nan if rest is None else float(rest[channel]),
        )
        for row, channel in enumerate(channels)
    ]


def measure_trial(signal: FloatArray, fs_hz: float, qc: Qc) -> FloatArray:
    """SMR and SHR in dB, OHM, and the share of energy that the Hampel filter removes, for each channel.

    Args:
        signal: [C, T] raw and finite, in any unit; no channel is constant.
        fs_hz: sampling rate in hertz.
        qc: the settings.

    Returns:
        [4, C] in this order; all NaN for a trial shorter than `min_trial_samples`.
    """
    from cleansemg.data_pipeline.hampel import removed_energy

    if signal.shape[1] < qc.min_trial_samples or not len(signal):
        return np.full((4, len(signal)), np.nan)
    spectral = spectral_quality(signal, fs_hz, qc.welch_samples, qc.smr_band_hz, qc.shr_nyquist_fraction)
    removed = removed_energy(
        signal, fs_hz, qc.hampel_window_s, qc.hampel_hop_s, qc.hampel_half_width_bins, qc.hampel_threshold
    )
    return np.stack([*spectral, removed])
