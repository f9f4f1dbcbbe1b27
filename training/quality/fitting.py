"""The stage that fits the quality models of a configuration; each has a separate folder of weights."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import npz
from cleansemg.core.artifact import Schema
from cleansemg.core.code_identity import of_modules
from cleansemg.core.console import setup_logging
from cleansemg.core.errors import ArtifactError, UserError
from cleansemg.core.execution import map_items
from cleansemg.core.layout import Layout
from cleansemg.core.seeding import torch_seed
from cleansemg.core.stage import Report, RunOptions, disk_error
from cleansemg.noise.kinds import columns_of
from cleansemg.quality import models
from cleansemg.training import recipe as recipes
from cleansemg.training.fit_files import CHECKPOINT
from cleansemg.training.fitting import NOT_FITTING, Fit
from cleansemg.training.quality import extraction, mixtures
from cleansemg.training.quality.source import QualitySource, is_ready
from cleansemg.training.recipe import Recipe

if TYPE_CHECKING:
    import torch

    from cleansemg.settings import Settings

log = logging.getLogger(__name__)

STAGE = "train"
SCHEMA = Schema("quality-weights", 1, step="python training/quality/train.py")
WEIGHTS = "weights.safetensors"
# The published training: Adam at 1e-4, batches of 32, 20 epochs, no other options.
PUBLISHED: Mapping[str, Any] = {
    "loss": "network", "optimizer": "adam", "learning_rate": 1e-4, "weight_decay": 0.0, "batch_size": 32, "epochs": 20,
    "patience": None, "clip_norm": None, "schedule": {"kind": "none"}, "normalise_clip": False,
}  # fmt: skip
PUBLISHED_BASELINE: Mapping[str, Any] = {"learning_rate": 1e-3, "epochs": 30}
SCALING_BATCHES = 128  # number of batches for the z-score of the baseline


@dataclass(frozen=True)
class Training:
    """The arguments of a worker that fits one model."""

    name: str
    recipe: Recipe
    settings: Settings
    layout: Layout
    options: RunOptions
    quiet: bool


def run(settings: Settings, layout: Layout, options: RunOptions) -> Report:
    """Fit `quality.models`; a model that was fitted with the same settings is not fitted again.

    Earlier steps that are missing are run first. An interrupted run is resumed and ends with the same files, byte for
    byte. `workers` / `quality.threads` models are fitted in parallel.

    Raises:
        UserError: an unknown model, an invalid recipe, parts that share subjects or noise records, or a loss that is
            not finite.
        ArtifactError: a folder holds the results of another training.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # idle threads must not spin, see cleansemg.training.neural
    named = list(dict.fromkeys(settings.quality.models))
    if not named:
        return Report(STAGE, ("nothing to train: quality.models is empty",))
    trainings = []
    for name in named:
        models.build(name, **parameters_of(name, settings))  # raises early for invalid parameters
        quiet = not log.isEnabledFor(logging.INFO)
        trainings.append(Training(name, resolve_recipe(name, settings), settings, layout, options, quiet))
    if not is_ready(settings, layout):
        log.info("mixtures are missing or unfinished: making what they need first")
        for step in (extraction.extract_semg, extraction.extract_ecg, mixtures.run):
            report = step(settings, layout, RunOptions(options.workers, scheduler=options.scheduler))
            for line in report.lines:
                log.info("%s: %s", report.stage, line)
    at_once = max(1, options.workers // settings.quality.threads)
    lines = list(map_items(_fit_one, trainings, at_once))
    return Report(STAGE, tuple(lines))


def parameters_of(name: str, settings: Settings) -> dict[str, Any]:
    """Parameters of a model: the number of kinds of its second head (0: no such head), and `quality.parameters`."""
    quality = settings.quality
    for key in quality.parameters:
        if key not in models.NAMES:
            models.build(key)  # raises for an unknown name, with a suggestion
    head = {"n_kinds": len(columns_of(settings.noise.kinds)) if quality.kinds else 0}
    return {**head, **quality.parameters.get(name, {})}


def resolve_recipe(name: str, settings: Settings) -> Recipe:
    """The recipe of a model; precedence: `quality.overrides` > `quality.recipe` > the published recipe.

    Raises:
        UserError: an unknown key, an invalid value, or a loss other than `network`.
    """
    quality = settings.quality
    layers: list[recipes.Layer] = [("the published recipe", PUBLISHED)]
    if name == models.BASELINE:
        layers.append(("the published recipe", PUBLISHED_BASELINE))
    layers.append((f"{settings.config_file}, quality.recipe", quality.recipe))
    layers.append((f"{settings.config_file}, quality.overrides.{name}", quality.overrides.get(name, {})))
    recipe = recipes.resolve(layers)
    if recipe.loss != "network":
        raise UserError(f"{settings.config_file}: quality.recipe: loss is '{recipe.loss}', these models have their own")
    return recipe


def thresholds(probability: NDArray[np.float64], kinds: NDArray[np.bool_]) -> list[float]:
    """Threshold of the probability of each kind, selected by the highest F1; 0.5 for a kind without positives.

    Args:
        probability: [n, K].
        kinds: [n, K] true kinds.

    >>> thresholds(np.array([[0.1], [0.4], [0.6], [0.9]]), np.array([[False], [True], [True], [True]]))
    [0.4]
    """
    limits = []
    for column in range(probability.shape[1]):
        order = np.argsort(-probability[:, column], kind="stable")
        sorted_p, true = probability[order, column], kinds[order, column]
        if not true.any():
            limits.append(0.5)
            continue
        hits = np.cumsum(true)
        f1 = 2 * hits / (np.arange(1, len(true) + 1) + hits[-1])
        last_of_ties = np.append(sorted_p[1:] != sorted_p[:-1], True)
        limits.append(float(sorted_p[int(np.argmax(np.where(last_of_ties, f1, -1.0)))]))
    return limits


def _fit_one(training: Training) -> str:
    setup_logging(training.quiet)  # a new process has no logging set up
    try:
        return _fit(training, QualitySource(training.settings, training.layout))
    except OSError as error:
        raise disk_error(training.layout.quality_weights(training.name), error) from error


def _fit(training: Training, source: QualitySource) -> str:
    import torch
    from accelerate import Accelerator

    from cleansemg.training import loop

    name, recipe, settings = training.name, training.recipe, training.settings
    quality = settings.quality
    fit = _fit_of(training, source)
    if not training.options.force:
        if fit.is_finished():
            return f"{name}: was trained already, {fit.describe()}"
        fit.checkpoint()  # raises for a checkpoint of another training, before anything changes
    fit.prepare(training.options.force)
    log.info("%s: recipe %s", name, recipes.describe(recipe))
    with loop.reproducible(quality.threads):
        torch.manual_seed(torch_seed(settings.seed, "quality", name, "initial weights"))
        network = models.build(name, **fit.parameters)
        if quality.init == "pretrained":
            _start_from_pretrained(network, name, fit.parameters)
        elif name == models.BASELINE:
            _fit_scaling(network, source, recipe)
        log.info("%s: %d weights, %d mixtures an epoch", name, models.count(network), source.n_train)
        fitted = loop.fit(network, source, recipe, fit.run, Accelerator(cpu=True, mixed_precision="no"))
        state, used = fitted.best, fitted.best_epoch
        if quality.keep == "last":
            last = fit.checkpoint()
            if last is None:
                raise ArtifactError(f"{fit.folder / CHECKPOINT}: gone while the training ran")
            state, used = last.network, fitted.history[-1]
        network.load_state_dict(state)
        about = {
            "fs_hz": settings.segment.fs_hz,
            "band_hz": list(settings.segment.band_hz),
            "snr_db": list(quality.snr_db),
            "lengths_s": list(quality.lengths_s),
            "kinds": list(columns_of(settings.noise.kinds)) if quality.kinds else [],
            "thresholds": _validation_thresholds(network, source) if quality.kinds else [],
        }
        fit.write(network, fitted.history, used, "model's own", about)
    return f"{name}: {fit.describe()}"


def _fit_of(training: Training, source: QualitySource) -> Fit:
    name, settings = training.name, training.settings
    parameters, quality = parameters_of(name, settings), settings.quality
    section = {
        "model": [name, parameters],
        "recipe": training.recipe.model_dump(mode="json"),
        "mixtures": source.section,
        "keep": quality.keep,
        "threads": quality.threads,
        **({} if quality.init == "random" else {"start": npz.sha256(models.pretrained_weights(name))}),
    }
    return Fit(
        "quality_model", name, training.layout.quality_weights(name), WEIGHTS, SCHEMA, parameters, training.recipe,
        section, source.inputs, settings.seed, of_modules(__name__, without=NOT_FITTING),
    )  # fmt: skip


def _start_from_pretrained(network: Any, name: str, parameters: Mapping[str, Any]) -> None:
    """Load the pretrained weights into a network of the same form.

    Raises:
        UserError: there are no pretrained weights for this model, or they have other parameters.
    """
    pretrained = models.load(models.pretrained_weights(name))
    theirs = pretrained.info["parameters"]
    different = [key for key, value in parameters.items() if theirs.get(key, value) != value]
    if different:
        raise UserError(
            f"quality.init: the pretrained weights have {different[0]} {theirs[different[0]]}, "
            f"not {parameters[different[0]]}; set quality.parameters.{name} as in configs/quality/qase.yaml"
        )
    network.load_state_dict(pretrained.network.state_dict())


def _fit_scaling(network: Any, source: QualitySource, recipe: Recipe) -> None:
    """Compute the z-score of the baseline from the first batches of the first epoch."""
    import itertools

    import torch

    from cleansemg.training.batches import Share

    batches = itertools.islice(source.train(0, recipe.batch_size, Share()), SCALING_BATCHES)
    network.fit_scaling(torch.from_numpy(batch.noisy) for batch in batches)


def _validation_thresholds(network: torch.nn.Module, source: QualitySource) -> list[float]:
    import torch

    from cleansemg.training.batches import Share

    network.eval()
    predicted, true = [], []
    with torch.inference_mode():
        for batch in source.valid(64, Share()):
            predicted.append(torch.sigmoid(network(torch.from_numpy(batch.noisy))[:, 1:]).double().numpy())
            true.append(batch.clean[:, 1:] > 0)
    return thresholds(np.concatenate(predicted), np.concatenate(true))
