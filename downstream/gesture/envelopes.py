"""DB1 records no signal but its rectified, smoothed envelope: accuracy on clean recordings is all that it can show.

Noise adds to a signal before it is rectified. What is left afterwards cannot be mixed with noise at a known SNR, and no
denoiser here works on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.artifact import Artifact, Failure
from core.errors import ItemError, UserError
from core.layout import Layout
from core.settings import Settings
from core.stage import Job, Made, Report, RunOptions, run_stage
from data_pipeline.readers.opening import open_reader
from data_pipeline.recording import RecordingReader, RecordingRef
from downstream.common import scores, streams
from downstream.common.assess import SCHEMA, AssessJob, assess_fold, checked_folds, chosen_models, clean_examples
from downstream.common.streams import CLEAN, open_task
from downstream.common.task import Stream
from downstream.gesture.windows import ENVELOPE_HZ


@dataclass(frozen=True)
class ReadJob:
    """One recording to read."""

    reader: RecordingReader
    ref: RecordingRef


def run_clean(settings: Settings, layout: Layout, options: RunOptions) -> list[Report]:
    """From recordings of the envelope to the accuracy on clean ones.

    Raises:
        UserError: as the stages do.
    """
    clean = prepare(settings, layout, options)
    return [
        Report("prepare", (f"{clean.manifest.count} samples, {clean.folder}",), clean.manifest.n_failures),
        *(
            _assess(name, clean, settings, layout, options)
            for name in chosen_models(settings, open_task(settings), None)
        ),
    ]


def prepare(settings: Settings, layout: Layout, options: RunOptions) -> Artifact:
    """The recordings as streams, neither filtered nor resampled."""
    if not settings.enabled_datasets:
        raise UserError(f"{settings.config_file}: datasets: none is enabled")
    jobs, inputs = [], {}
    for name in settings.enabled_datasets:
        reader = open_reader(name, settings)
        for ref in reader.list():
            shard = streams.shard_name(f"{ref.database}/{ref.subject}/{ref.exercise}")
            jobs.append(Job(shard, ReadJob(reader, ref)))
            inputs[f"{name}/{ref.key}"] = ref.fingerprint
    task = open_task(settings)
    return run_stage(
        layout.downstream(CLEAN), streams.SCHEMA, jobs, read_envelope, section={"task": task.name, "envelope": True},
        inputs=inputs, seed=settings.seed, options=options, label="prepare",
        info={"fs_hz": ENVELOPE_HZ, "classes": list(task.classes)},
    ).artifact  # fmt: skip


def read_envelope(job: ReadJob) -> Made:
    """One stream; a recording that cannot be read, or is no envelope, is a failure with no rows."""
    ref = job.ref
    try:
        recording = job.reader.read(ref)
        if recording.fs_hz != ENVELOPE_HZ:
            raise ItemError(f"is at {recording.fs_hz:g} Hz, not an envelope at {ENVELOPE_HZ:g} Hz; set envelope: false")
        if recording.label is None or recording.repetition is None or not np.isfinite(recording.signal).all():
            raise ItemError("has no label for each sample, or samples that are not finite")
    except ItemError as error:
        return Made(streams.empty(), [Failure(f"{ref.database}/{ref.key}", str(error))])
    stream = Stream(
        ref.database, ref.subject, ref.exercise, recording.signal.astype(np.float32),
        recording.label, recording.repetition, ENVELOPE_HZ, recording.channels,
    )  # fmt: skip
    return Made(streams.to_arrays(stream))


def _assess(name: str, clean: Artifact, settings: Settings, layout: Layout, options: RunOptions) -> Report:
    task, wanted = open_task(settings), settings.downstream
    every, failures = clean_examples(task.models()[name], clean)
    n_folds = len(checked_folds(task, every, settings))
    models, inputs = layout.downstream("models", name), ((CLEAN, clean.folder),)
    jobs = [
        Job(f"fold{number}", AssessJob(name, number, inputs, models, settings, options.force))
        for number in range(1, n_folds + 1)
    ]
    result = run_stage(
        layout.downstream("predictions", name, CLEAN), SCHEMA, jobs, assess_fold,
        section={"task": wanted.task, "parameters": wanted.parameters, "protocol": wanted.protocol, "model": name,
                 "recipe": wanted.recipe.get(name, {}), "threads": settings.train.threads},
        inputs={CLEAN: clean.manifest.fingerprint}, seed=settings.seed, options=options, label=f"assess {name}",
        failures=failures, info={"classes": list(task.classes), "inputs": [CLEAN]},
    )  # fmt: skip
    columns = result.artifact.columns("label", "predicted", "scores", "person")
    answers = scores.Answers(*(columns[key] for key in ("label", "predicted", "scores", "person")))
    people: Sequence[str] = sorted(set(columns["person"].tolist()))
    tables = settings.tables
    drawn = scores.resampled(scores.count(answers, people), tables.bootstrap_resamples, settings.seed)
    low, high = scores.limits(drawn["accuracy"], tables.confidence)
    value = scores.measures(answers)
    line = (
        f"{name}, {wanted.protocol}: clean accuracy {100 * value['accuracy']:.1f} % "
        f"[{100 * low:.1f}, {100 * high:.1f}], {len(people)} people; "
        f"no noise can be mixed into an envelope; {result.artifact.folder}"
    )
    return Report("assess", (line,), len(result.failures))
