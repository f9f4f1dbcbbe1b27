"""Quality measures of one subject's trials and channels (A2): what a worker of the stage qc does.

Recordings are read one at a time. What cannot be measured (samples that are not finite, a constant, an envelope) is a
failure that says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.artifact import Failure
from cleansemg.core.errors import ItemError
from cleansemg.core.settings import Part
from cleansemg.core.stage import ShardResult
from cleansemg.data_pipeline import columns, part_selection
from cleansemg.data_pipeline.amplitude import clipping, envelope_cause
from cleansemg.data_pipeline.content import SAMPLED, content_hashes
from cleansemg.data_pipeline.noise_floor import QuietFloor, rest_rms, snr_db
from cleansemg.data_pipeline.quality_measures import spectral_quality
from cleansemg.data_pipeline.recording import Recording, RecordingReader, RecordingRef
from cleansemg.data_pipeline.settings import Qc, Selected
from cleansemg.data_pipeline.trials import Trial, find_trials, whole_recording

FloatArray = NDArray[np.float64]

CONTENT = "content"  # beside the columns of `QcRow`: [n, SAMPLED] what a trial-channel holds, see `content`


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
        clipped: share of the samples at a rail, see `amplitude`; NaN where nothing is graded.
        rail_s: the longest stay at one in seconds; NaN where nothing is graded.
        rms_v: RMS of the trial without its mean, in volts.
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
    clipped: float
    rail_s: float
    rms_v: float


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


def measure_subject(job: SubjectJob) -> ShardResult:
    """Measure all recordings of one subject; reads one recording at a time. A pure function of the job."""
    rows: list[QcRow] = []
    hashes: list[NDArray[np.uint64]] = []
    failures: list[Failure] = []
    unlabelled: list[int] = []  # rows that wait for the floor by quiet windows
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
        hashes += measured.hashes
        failures += measured.failures
    for index in unlabelled:
        row = rows[index]
        rms = floor.rms(row.channel_name)
        rows[index] = replace(row, rest_rms=rms, snr_db=snr_db(row.snr_db, rms))
    content = np.stack(hashes) if hashes else np.empty((0, SAMPLED), np.uint64)
    return ShardResult({**columns.from_rows(rows, QcRow), CONTENT: content}, failures)


@dataclass
class _Measured:
    """Rows and failures of one recording; where no rest is marked, `snr_db` still holds the RMS of the trial."""

    rows: list[QcRow] = field(default_factory=list)
    hashes: list[NDArray[np.uint64]] = field(default_factory=list)  # one a row
    failures: list[Failure] = field(default_factory=list)


def _measure_recording(recording: Recording, ref: RecordingRef, job: SubjectJob) -> _Measured:
    envelope = envelope_cause(recording.signal, recording.fs_hz) if job.measure else None
    if envelope is not None:
        raise ItemError(envelope)
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
        measured.hashes += [content_hashes(signal[channel]) for channel in good]
        measured.rows += _rows(recording, ref, trial, np.ascontiguousarray(signal[good]), good, rest, job)
    return measured


def _causes(signal: FloatArray) -> list[str | None]:
    """For each channel of a trial [C, T], why it cannot be measured; None where it can."""
    causes: list[str | None] = []
    for values in signal:
        low, high = values.min(), values.max()  # NaN where any value is
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
        smr_db = shr_db = ohm = hampel = clipped = rail_s = nothing
    else:
        clipped, rail_s = (values.tolist() for values in clipping(signal, recording.fs_hz))
        smr_db, shr_db, ohm, hampel = measure_trial(signal, recording.fs_hz, job.qc).tolist()
    if not job.measure:
        rule, snr = "none", nothing
    elif rest is not None:
        active = np.sqrt(np.mean(signal**2, axis=1))
        rule, snr = "rest", [snr_db(a, rest[c]) for a, c in zip(active, channels, strict=True)]
    else:
        rule, snr = "quiet", signal.std(axis=1).tolist()  # becomes an SNR when the floor is known
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
            clipped=clipped[row],
            rail_s=rail_s[row],
            rms_v=float(signal[row].std()),
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
    welch_samples = qc.welch_samples if qc.welch_s is None else max(2, round(qc.welch_s * fs_hz))
    spectral = spectral_quality(signal, fs_hz, welch_samples, qc.smr_band_hz, qc.shr_nyquist_fraction)
    removed = removed_energy(
        signal, fs_hz, qc.hampel_window_s, qc.hampel_hop_s, qc.hampel_half_width_bins, qc.hampel_threshold
    )
    return np.stack([*spectral, removed])
