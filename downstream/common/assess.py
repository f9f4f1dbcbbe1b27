"""The stage that fits each model on clean examples and then runs it, frozen, on clean, noisy and denoised examples."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.artifact import Artifact, Failure, Schema
from cleansemg.core.code_identity import of_entry, of_modules
from cleansemg.core.errors import ItemError, UserError, did_you_mean
from cleansemg.core.layout import Layout
from cleansemg.core.registry import find
from cleansemg.core.stage import Job, Report, RunOptions, ShardResult, run_stage
from cleansemg.downstream.common import streams
from cleansemg.downstream.common.denoise import labels
from cleansemg.downstream.common.streams import CLEAN, NOISY, open_streams, open_task
from cleansemg.downstream.common.task import Examples, Fit, Fold, Model, Stream, Task, join

if TYPE_CHECKING:
    from cleansemg.settings import Settings

SCHEMA = Schema("predictions", 1, step="cleansemg run")
LEAKS = "leaks"  # column: whether a person of the test examples also has training or validation examples
ALL = "all"
PUBLISHED = "published"


@dataclass(frozen=True)
class AssessJob:
    """One model in one fold."""

    model: str
    fold: int
    inputs: tuple[tuple[str, Path], ...]  # name and folder of the streams; the first are the clean streams
    folder: Path
    settings: Settings
    force: bool


def group(settings: Settings, names: Sequence[str] | None) -> str:
    """Name of the folder of predictions for some denoisers (`names`) or for all (None).

    Runs for one denoiser, for all, and for the two protocols have separate folders: `hp` and `hp_published` for HP,
    `all` and `published` for all denoisers. An alias has the same folder as the name that it stands for.

    Raises:
        UserError: as `labels` does.
    """
    parts = []
    if names is not None:
        parts.append("+".join(label.replace("/", "_").replace(":", "_") for label in labels(settings, names)))
    return "_".join([*parts, *_marks(settings)]) or ALL


def models_folder(settings: Settings, layout: Layout, model: str) -> Path:
    """The folder in which a classifier's folds are fitted; each protocol has a separate folder."""
    return layout.downstream("models", "_".join([model, *_marks(settings)]))


def selected_models(settings: Settings, task: Task, models: Sequence[str] | None) -> list[str]:
    """The classifiers to run: `models`, otherwise those of the configuration, otherwise all.

    Raises:
        UserError: an unknown name.
    """
    known = task.models()
    wanted = list(models or settings.downstream.models or known)
    for name in wanted:
        if name not in known:
            raise UserError(f"downstream.models: task '{task.name}' has no model '{name}'{did_you_mean(name, known)}")
    return wanted


def assess(
    settings: Settings,
    layout: Layout,
    options: RunOptions,
    names: Sequence[str] | None = None,
    models: Sequence[str] | None = None,
    folders: Mapping[str, Path] | None = None,
) -> Report:
    """Fit and run every model in every fold.

    Args:
        settings: the configuration.
        layout: the folders of streams and predictions.
        options: workers and force.
        names: denoisers; None: the configuration's.
        models: classifiers; None: the configuration's.
        folders: input name -> folder of its streams, if that is not the one of the layout.

    Raises:
        UserError: an unknown model or denoiser; a class with no or too few people; parts of a fold that share people
            although the protocol is `subjects`; or streams with different channels.
        ArtifactError: streams are absent or unfinished.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read by torch; its idle threads otherwise spin
    task = open_task(settings)
    inputs = [(CLEAN, layout.downstream(CLEAN))]
    denoised = labels(settings, names)
    if task.takes_noise:
        inputs += [(NOISY, layout.downstream(NOISY))]
        inputs += [(label, layout.downstream("denoised", label)) for label in denoised]
    inputs = [(name, (folders or {}).get(name, folder)) for name, folder in inputs]
    fingerprints = {name: open_streams(folder).manifest.fingerprint for name, folder in inputs}
    clean = open_streams(inputs[0][1])
    streams.require_same_channels(clean, task)
    code = {**of_modules(__name__), **of_entry(find("tasks", str(settings.downstream.task)))}
    lines, n_failures = [], 0
    for name in selected_models(settings, task, models):
        every, failures = clean_examples(task.models()[name], clean)
        folds = checked_folds(task, every, settings)
        folder = models_folder(settings, layout, name)
        jobs = [
            Job(f"fold{number}", AssessJob(name, number, tuple(inputs), folder, settings, options.force))
            for number in range(1, len(folds) + 1)
        ]
        wanted = settings.downstream
        section = {"task": wanted.task, "parameters": wanted.parameters, "protocol": wanted.protocol, "model": name,
                   "recipe": wanted.recipe.get(name, {}), "threads": settings.train.threads}  # fmt: skip
        result = run_stage(
            layout.downstream("predictions", name, group(settings, names)), SCHEMA, jobs, assess_fold, section=section,
            inputs=fingerprints, seed=settings.seed, options=options, label=f"assess {name}", code=code,
            failures=failures,
            info={
                "task": task.name, "model": name, "classes": list(task.classes), "protocol": wanted.protocol,
                "inputs": [*(label for label, _ in inputs), *task.controls()], "controls": [*task.controls()],
                "n_folds": len(folds),
                "n_unread": clean.manifest.n_failures, "n_uncut": len(failures),
            },
        )  # fmt: skip
        n_failures += len(result.failures)
        lines.append(f"{name}: {len(folds)} fold(s) in {result.artifact.folder}, fitted models in {folder}")
    return Report("assess", tuple(lines), n_failures)


def assess_fold(job: AssessJob) -> ShardResult:
    """Fit one model in one fold and run it on the fold's test examples in every input."""
    settings = job.settings
    task = open_task(settings)
    model = task.models()[job.model]
    clean = open_streams(job.inputs[0][1])
    every, _ = clean_examples(model, clean)
    fold = checked_folds(task, every, settings)[job.fold - 1]
    fit = Fit(
        folder=job.folder / f"fold{job.fold}",
        seed=settings.seed,
        recipe=settings.downstream.recipe.get(job.model, {}),
        label=f"{job.model} fold {job.fold}",
        n_classes=len(task.classes),
        threads=settings.train.threads,
        force=job.force,
    )
    model.fit(every.select(fold.train), every.select(fold.valid), fit)
    tested = every.select(fold.test)
    leaks = fold.shares_people(every)
    parts = [_answers(model, tested, job.inputs[0][0], leaks, len(task.classes))]
    failures: list[Failure] = []
    for name, folder in job.inputs[1:]:
        version, uncut = version_of(model, tested, clean, open_streams(folder))
        failures += [Failure(f"{name}/{failure.item}", failure.cause) for failure in uncut]
        parts.append(_answers(model, version, name, leaks, len(task.classes)))
    for name, control in task.controls().items():
        known = _aligned(clean_examples(control, clean)[0], every)
        control.fit(known.select(fold.train), known.select(fold.valid), replace(fit, label=f"{name} fold {job.fold}"))
        parts.append(_answers(control, known.select(fold.test), name, leaks, len(task.classes)))
    arrays = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    arrays["fold"] = np.full(len(arrays["label"]), job.fold)
    return ShardResult(arrays, failures)


def clean_examples(model: Model, clean: Artifact) -> tuple[Examples, list[Failure]]:
    """Cut all clean streams into examples; the second value names the streams that cannot be cut.

    Raises:
        UserError: no stream yields an example.
    """
    parts: list[Examples] = []
    failures: list[Failure] = []
    for _, stream in streams.each(clean):
        try:
            examples = model.examples(stream, stream)
        except ItemError as error:
            failures.append(Failure(f"{model.name}/{stream.key}", str(error)))
            continue
        if len(examples):
            parts.append(examples)
    if not parts:
        cause = f": {failures[0].item}: {failures[0].cause}" if failures else ""
        raise UserError(f"{clean.folder}: no stream gives an example for model '{model.name}'{cause}")
    return join(parts), failures


def _aligned(examples: Examples, to: Examples) -> Examples:
    """The examples of one classifier in the order of another's; both are cut at the same places."""
    row_of = {key: row for row, key in enumerate(zip(examples.stream.tolist(), examples.start.tolist(), strict=True))}
    keys = zip(to.stream.tolist(), to.start.tolist(), strict=True)
    return examples.select(np.array([row_of[key] for key in keys], np.int64))


def checked_folds(task: Task, examples: Examples, settings: Settings) -> list[Fold]:
    """The task's folds, checked: parts share no example and, with the protocol `subjects`, no person.

    Raises:
        UserError: a class without examples, parts that share examples or people, or empty training or test examples.
    """
    missing = sorted(set(range(len(task.classes))) - set(examples.y.tolist()))
    if missing:
        raise UserError(
            f"task '{task.name}': nobody has class '{task.classes[missing[0]]}'; add recordings that have it, or "
            "leave it out in downstream.parameters"
        )
    protocol = settings.downstream.protocol
    folds = task.folds(examples, protocol, settings.seed)
    for number, fold in enumerate(folds, 1):
        rows = np.concatenate([fold.train, fold.valid, fold.test])
        if len(np.unique(rows)) != len(rows):
            raise UserError(f"task '{task.name}', fold {number}: an example is in two parts")
        if not len(fold.train) or not len(fold.test):
            raise UserError(f"task '{task.name}', fold {number}: nobody to {'test' if len(fold.train) else 'fit on'}")
        if protocol == "subjects" and _shares_people(fold, examples):
            raise UserError(f"task '{task.name}', fold {number}: a subject is in two parts; that is protocol published")
    return folds


def version_of(model: Model, tested: Examples, clean: Artifact, version: Artifact) -> tuple[Examples, list[Failure]]:
    """Cut the tested examples, in the same order, from a noisy or denoised version of their streams.

    Examples of failed streams are missing. The second value names the streams that exist in this version but that the
    model cannot cut.

    Raises:
        UserError: a stream is not a version of the clean stream, or an example has another class than the clean one.
    """
    wanted = {streams.shard_name(key) for key in set(tested.stream.tolist())}
    present = {shard.name for shard in version.manifest.shards if shard.count}
    examples_by_key: dict[tuple[str, int], tuple[Examples, int]] = {}
    failures: list[Failure] = []
    for name in [shard.name for shard in clean.manifest.shards if shard.name in wanted & present]:
        stream = streams.load(clean, name)
        try:
            part = model.examples(_same(streams.load(version, name), stream, version), stream)
        except ItemError as error:
            failures.append(Failure(f"{model.name}/{stream.key}", str(error)))
            continue
        examples_by_key.update({(stream.key, start): (part, row) for row, start in enumerate(part.start.tolist())})
    rows = []
    for row, key in enumerate(zip(tested.stream.tolist(), tested.start.tolist(), strict=True)):
        if key in examples_by_key:
            part, at = examples_by_key[key]
            if part.y[at] != tested.y[row]:
                raise UserError(f"{version.folder}: '{key[0]}' at sample {key[1]}: another class than the clean one")
            rows.append((row, part.x[at]))
    retained = tested.select(np.array([row for row, _ in rows], np.int64))
    x = np.stack([x for _, x in rows]) if rows else retained.x
    return Examples(x, retained.y, retained.person, retained.stream, retained.start, retained.repetition), failures


def _same(version: Stream, clean: Stream, artifact: Artifact) -> Stream:
    """Check that key, shape and labels of a version equal those of the clean stream; otherwise raise UserError."""
    if version.key != clean.key or version.signal.shape != clean.signal.shape or (version.label != clean.label).any():
        raise UserError(f"{artifact.folder}: '{version.key}' is not a version of '{clean.key}'; make it again, --force")
    return version


def _marks(settings: Settings) -> list[str]:
    return [PUBLISHED] if settings.downstream.protocol == PUBLISHED else []


def _shares_people(fold: Fold, examples: Examples) -> bool:
    parts = [set(examples.person[rows].tolist()) for rows in (fold.train, fold.valid, fold.test)]
    return sum(len(part) for part in parts) != len(parts[0] | parts[1] | parts[2])


def _answers(model: Model, examples: Examples, name: str, leaks: bool, n_classes: int) -> dict[str, NDArray[Any]]:
    n = len(examples)
    scores = np.asarray(model.scores(examples.x), np.float64) if n else np.empty((0, n_classes))
    if scores.shape != (n, n_classes):
        raise ValueError(f"{model.name}: scores of shape {scores.shape}, expected {(n, n_classes)}")
    return {
        "input": np.full(n, name, dtype=f"<U{max(len(name), 32)}"),
        "label": examples.y,
        "predicted": scores.argmax(axis=1) if n else np.empty(0, np.int64),
        "scores": scores,
        "person": examples.person,
        "stream": examples.stream,
        "start": examples.start,
        LEAKS: np.full(n, leaks),
    }
