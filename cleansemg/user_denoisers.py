"""`cleansemg run --denoiser`: denoisers beside those of a configuration, whose results stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from cleansemg.core import registry
from cleansemg.core.commandline import StageFunction
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.core.stage import Report, RunOptions
from cleansemg.core.user_modules import is_class_target
from cleansemg.denoising.chain import links_of, title_of
from cleansemg.evaluation.settings import DenoiserRow
from cleansemg.settings import Settings
from cleansemg.training.seeds import finished_fits
from cleansemg.user_classes import require


def add(settings: Settings, names: Sequence[str]) -> Settings:
    """The configuration with more denoisers; one that it has already stays as it is there.

    The benchmark takes them as rows of its tables. A task keeps the results for some denoisers apart, so its stages
    are told their names instead (`stage`).

    Raises:
        UserError: an unknown name, or a class that cannot be used.
    """
    for link in (link for name in names for link in links_of(name)):
        if is_class_target(link.name):
            require("denoisers", link.name)
    if not names or settings.downstream.task is not None:
        return settings
    rows = [row if isinstance(row, DenoiserRow) else DenoiserRow(name=row) for row in settings.evaluate.denoisers]
    there = {(row.title, row.name) for row in rows}
    added: list[DenoiserRow] = []
    for name in names:
        title = title_of(links_of(name))
        row = DenoiserRow(name=name if is_class_target(name) else title, label=title)
        if (title, row.name) not in there:
            there.add((title, row.name))
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
    if name == "evaluate":
        return partial(_with_weights, function)
    if added and name in ("denoise", "assess", "report"):
        return partial(_named, function, list(added))
    return function


def _named(
    function: StageFunction, names: list[str], settings: Settings, layout: Layout, options: RunOptions
) -> Report:
    return function(settings, layout, options, names)  # type: ignore[call-arg]  # a task's stages take names


def _train(function: StageFunction, settings: Settings, layout: Layout, options: RunOptions) -> Report:
    """Fit the networks of `train.models`, then the user's that the tables need; these always start fresh."""
    from cleansemg.training import neural

    shipped = tuple(name for name in settings.train.models if not is_class_target(name))
    networks = _networks(settings, settings.train.models)
    if not networks:
        return function(settings, layout, options)
    reports = [function(_with_train(settings, models=shipped), layout, options)] if shipped else []
    # There is nothing to fine-tune: a network of the user has no pretrained weights.
    reports.append(neural.run(_with_train(settings, init="random"), layout, options, networks))
    lines = tuple(line for report in reports for line in report.lines)
    return Report("train", lines, sum(report.n_failures for report in reports))


def _with_train(settings: Settings, **changes: object) -> Settings:
    return settings.model_copy(update={"train": settings.train.model_copy(update=changes)})


def _networks(settings: Settings, models: Sequence[str] = ()) -> list[str]:
    """Networks of the user among `models` and the rows of the tables that name no weights."""
    rows = [DenoiserRow(name=row) if isinstance(row, str) else row for row in settings.evaluate.denoisers]
    links = [link for row in rows if not row.weights for link in row.links if not link.weights]
    named = [*models, *(link.name for link in links)]
    targets = [name for name in dict.fromkeys(named) if is_class_target(name)]
    return [name for name in targets if hasattr(registry.load_class(name), "network")]


def _with_weights(function: StageFunction, settings: Settings, layout: Layout, options: RunOptions) -> Report:
    for target in _networks(settings):
        if not finished_fits(settings, layout, registry.find("denoisers", target).name):
            raise UserError(f"'{target}' is a network that was not fitted yet; put train among --stages")
    return function(settings, layout, options)
