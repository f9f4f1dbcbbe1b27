"""`cleansemg run --denoiser`: denoisers beside those of a configuration, whose results stay as they are.

A class of a user's own changes while it is being written. A hash of its source lies beside its results, so that an
edited class is evaluated anew, and a network that was fitted with other code is named.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
import shutil
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from cleansemg.core import registry
from cleansemg.core.artifact import MANIFEST
from cleansemg.core.commandline import StageFunction
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.core.npz import atomic_write
from cleansemg.core.stage import Report, RunOptions
from cleansemg.core.user_modules import is_class_target
from cleansemg.evaluation.settings import DenoiserRow
from cleansemg.settings import Settings
from cleansemg.user_classes import require

log = logging.getLogger(__name__)

PROJECT = Path(__file__).resolve().parent.parent

SOURCE, CHECKPOINT = "source.sha256", "checkpoint.pt"  # beside results of a class outside the project


def add(settings: Settings, names: Sequence[str]) -> Settings:
    """The configuration with more denoisers; one that it has already stays as it is there.

    The benchmark takes them as rows of its tables. A task keeps the results for some denoisers apart, so its stages
    are told their names instead (`stage`).

    Raises:
        UserError: an unknown name, or a class that cannot be used.
    """
    for name in names:
        if is_class_target(name):
            require("denoisers", name)
    if not names or settings.downstream.task is not None:
        return settings
    rows = [row if isinstance(row, DenoiserRow) else DenoiserRow(name=row) for row in settings.evaluate.denoisers]
    there = {(row.label or registry.find("denoisers", row.name).name, row.name) for row in rows}
    added: list[DenoiserRow] = []
    for name in names:
        entry = registry.find("denoisers", name)
        row = DenoiserRow(name=name if is_class_target(name) else entry.name, label=entry.name)
        if (entry.name, row.name) not in there:
            there.add((entry.name, row.name))
            added.append(row)
    wanted = (*settings.evaluate.denoisers, *added)
    return settings.model_copy(update={"evaluate": settings.evaluate.model_copy(update={"denoisers": wanted})})


def stage(name: str, function: StageFunction, added: Sequence[str]) -> StageFunction:
    """A stage's function as a run with `--denoiser` calls it.

    Args:
        name: of the stage.
        function: what does the work.
        added: names given with `--denoiser`.
    """
    if name == "train":
        return partial(_train, function)
    if name in ("evaluate", "denoise"):
        function = partial(_discard_outdated_first, function, added)
    if added and name in ("denoise", "assess", "report"):
        return partial(_named, function, list(added))
    return function


def _named(
    function: StageFunction, names: list[str], settings: Settings, layout: Layout, options: RunOptions
) -> Report:
    return function(settings, layout, options, names)  # type: ignore[call-arg]  # a task's stages take names


def _train(function: StageFunction, settings: Settings, layout: Layout, options: RunOptions) -> Report:
    """Fit the networks of `train.models`, then those of a user's own that the tables need; these always start fresh."""
    from cleansemg.training import neural

    shipped = tuple(name for name in settings.train.models if not is_class_target(name))
    networks = _networks(settings, settings.train.models)
    if not networks:
        return function(settings, layout, options)
    for target in networks:
        _look_at_weights(layout.weights(registry.find("denoisers", target).name), target, options.force)
    reports = [function(_with_train(settings, models=shipped), layout, options)] if shipped else []
    # There is nothing to fine-tune: a network of the user has no pretrained weights.
    reports.append(neural.run(_with_train(settings, init="random"), layout, options, networks))
    lines = tuple(line for report in reports for line in report.lines)
    return Report("train", lines, sum(report.n_failures for report in reports))


def _look_at_weights(folder: Path, target: str, force: bool) -> None:
    """Weights may have cost days, so they are never deleted for an edited comment; but it is said."""
    begun = any((folder / name).exists() for name in (MANIFEST, CHECKPOINT))
    if force or not begun:
        _store(folder, target)
    elif _stored(folder) != source_hash(target):
        log.warning("%s: fitted before the code of %s changed; to fit it anew, delete that folder", folder, target)


def _with_train(settings: Settings, **changes: object) -> Settings:
    return settings.model_copy(update={"train": settings.train.model_copy(update=changes)})


def _networks(settings: Settings, models: Sequence[str] = ()) -> list[str]:
    """Networks of a user's own among `models` and the rows of the tables that name no weights."""
    rows = [row for row in settings.evaluate.denoisers if not (isinstance(row, DenoiserRow) and row.weights)]
    named = [*models, *(row.name if isinstance(row, DenoiserRow) else row for row in rows)]
    own = [name for name in dict.fromkeys(named) if is_class_target(name)]
    return [name for name in own if hasattr(registry.load_class(name), "network")]


def _discard_outdated_first(
    function: StageFunction,
    added: Sequence[str],
    settings: Settings,
    layout: Layout,
    options: RunOptions,
    *names: object,
) -> Report:
    """Before denoising: results of a class whose code has changed since are deleted, and made anew."""
    task = settings.downstream.task is not None
    found = settings.downstream.denoisers if task else settings.evaluate.denoisers
    rows = [row if isinstance(row, DenoiserRow) else DenoiserRow(name=row) for row in found]
    if task:
        rows += [DenoiserRow(name=name) for name in added if name not in {row.name for row in rows}]
    for row in rows:
        _renew(row, layout, task)
    if not task:
        _require_weights(settings, layout)
    return function(settings, layout, options, *names)


def _renew(row: DenoiserRow, layout: Layout, task: bool) -> None:
    if not is_class_target(row.name):
        return
    label = row.label or registry.find("denoisers", row.name).name
    folder = layout.downstream("denoised", label) if task else layout.root / "denoised" / label
    if folder.exists() and _stored(folder) == source_hash(row.name):
        return
    if folder.exists():
        log.info("%s: the code of %s has changed since; denoising anew", folder, row.name)
        shutil.rmtree(folder)
    _store(folder, row.name)


def _require_weights(settings: Settings, layout: Layout) -> None:
    for target in _networks(settings):
        folder = layout.weights(registry.find("denoisers", target).name)
        if not (folder / MANIFEST).exists():
            raise UserError(f"'{target}' is a network that was not fitted yet; put train among --stages")


def source_hash(target: str) -> str:
    """Hash of the file of a class and of the files of the same folder tree that it imports, and these import."""
    module_name = target.partition(":")[0]
    own = Path(inspect.getfile(registry.load_class(target))).resolve()
    root = own.parents[min(module_name.count("."), len(own.parents) - 1)]
    files: set[Path] = set()
    waiting = [sys.modules[registry.load_class(target).__module__]]
    while waiting:
        module = waiting.pop()
        path = Path(getattr(module, "__file__", None) or "/").resolve()
        foreign = "site-packages" in path.parts or (path.is_relative_to(PROJECT) and not own.is_relative_to(PROJECT))
        if path in files or foreign or not path.is_relative_to(root) or path.suffix != ".py":
            continue
        files.add(path)
        for value in vars(module).values():
            found = value if inspect.ismodule(value) else sys.modules.get(str(getattr(value, "__module__", "")))
            waiting += [found] if found is not None else []
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(root)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _stored(folder: Path) -> str | None:
    path = folder / SOURCE
    return path.read_text().split()[0] if path.exists() else None


def _store(folder: Path, target: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write(folder / SOURCE, f"{source_hash(target)}  {target}\n".encode())
