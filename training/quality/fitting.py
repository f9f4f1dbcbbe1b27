"""The stage that fits the quality models of a configuration, each into its own folder of weights."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from numpy.typing import NDArray

from cleansemg.core import artifact, npz
from cleansemg.core.artifact import Manifest, Schema
from cleansemg.core.console import setup_logging
from cleansemg.core.errors import ArtifactError, UserError
from cleansemg.core.execution import map_items
from cleansemg.core.layout import Layout
from cleansemg.core.seeding import torch_seed
from cleansemg.core.stage import Report, RunOptions, disk_error
from cleansemg.noise.settings import KIND_ORDER
from cleansemg.quality import models
from cleansemg.training import recipe as recipes
from cleansemg.training.quality import extraction, mixtures
from cleansemg.training.quality.source import QualitySource, is_ready
from cleansemg.training.recipe import Recipe

if TYPE_CHECKING:
    import torch

    from cleansemg.settings import Settings
    from cleansemg.training.loop import Fitted

log = logging.getLogger(__name__)

STAGE = "train"
SCHEMA = Schema("quality-weights", 1, "python training/quality/train.py --config FILE")
WEIGHTS, LOSSES, CURVES = "weights.safetensors", "losses.csv", "curves.png"
RECIPE, CHECKPOINT = "recipe.yaml", "checkpoint.pt"
OWN_FILES = (WEIGHTS, LOSSES, CURVES, RECIPE, CHECKPOINT, artifact.MANIFEST)
# The published training: Adam 1e-4, batches of 32, 20 epochs, nothing else.
PUBLISHED: Mapping[str, Any] = {
    "loss": "own", "optimizer": "adam", "learning_rate": 1e-4, "weight_decay": 0.0, "batch_size": 32, "epochs": 20,
    "patience": None, "clip_norm": None, "schedule": {"kind": "none"}, "normalise_clip": False,
}  # fmt: skip
PUBLISHED_BASELINE: Mapping[str, Any] = {"learning_rate": 1e-3, "epochs": 30}
SCALING_BATCHES = 128  # that the baseline takes its z-score from


@dataclass(frozen=True)
class Fit:
    """What a worker needs to fit one model."""

    name: str
    recipe: Recipe
    settings: Settings
    layout: Layout
    options: RunOptions
    quiet: bool


def run(settings: Settings, layout: Layout, options: RunOptions) -> Report:
    """Fit `quality.models`; one that is finished under the same settings is left as it is.

    Steps before this one that were not run are run first. A run that was stopped goes on, and ends with the same
    files, byte for byte. `workers` fit models side by side, `quality.threads` to each.

    Raises:
        UserError: an unknown model, a refused recipe, parts that share subjects or noise records, a folder with
            another training's results, a loss that is no longer finite.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as in cleansemg.training.neural: idle threads must not spin
    named = list(dict.fromkeys(settings.quality.models))
    if not named:
        return Report(STAGE, ("nothing to train: quality.models is empty",))
    fits = []
    for name in named:
        models.build(name, **parameters_of(name, settings))  # fails here, with one clear line
        quiet = not log.isEnabledFor(logging.INFO)
        fits.append(Fit(name, resolve_recipe(name, settings), settings, layout, options, quiet))
    if not is_ready(settings, layout):
        log.info("mixtures are missing or unfinished: making what they need first")
        for step in (extraction.extract_semg, extraction.extract_ecg, mixtures.run):
            report = step(settings, layout, RunOptions(options.workers, scheduler=options.scheduler))
            for line in report.lines:
                log.info("%s: %s", report.stage, line)
    at_once = max(1, options.workers // settings.quality.threads)
    lines = list(map_items(_fit_one, fits, at_once))
    return Report(STAGE, tuple(lines))


def parameters_of(name: str, settings: Settings) -> dict[str, Any]:
    """The parameters of a model: the second head where it is asked for, and `quality.parameters`."""
    quality = settings.quality
    for key in quality.parameters:
        if key not in models.NAMES:
            models.build(key)  # raises, with the nearest name
    head = {"n_kinds": len(KIND_ORDER) if quality.kinds else 0}
    return {**head, **quality.parameters.get(name, {})}


def resolve_recipe(name: str, settings: Settings) -> Recipe:
    """`quality.overrides` over `quality.recipe` over the published recipe.

    Raises:
        UserError: an unknown key or a refused value.
    """
    quality = settings.quality
    layers: list[recipes.Layer] = [("the published recipe", PUBLISHED)]
    if name == models.BASELINE:
        layers.append(("the published recipe", PUBLISHED_BASELINE))
    layers.append((f"{settings.config_file}, quality.recipe", quality.recipe))
    layers.append((f"{settings.config_file}, quality.overrides.{name}", quality.overrides.get(name, {})))
    found = recipes.resolve(layers)
    if found.loss != "own":
        raise UserError(f"{settings.config_file}: quality.recipe: loss is '{found.loss}', these models have their own")
    return found


def thresholds(probability: NDArray[np.float64], kinds: NDArray[np.bool_]) -> list[float]:
    """The probability from which each kind counts as there: the one with the highest F1.

    Args:
        probability: [n, K].
        kinds: [n, K] the truth.

    >>> thresholds(np.array([[0.1], [0.4], [0.6], [0.9]]), np.array([[False], [True], [True], [True]]))
    [0.4]
    """
    found = []
    for column in range(probability.shape[1]):
        order = np.argsort(-probability[:, column], kind="stable")
        sorted_p, true = probability[order, column], kinds[order, column]
        if not true.any():
            found.append(0.5)
            continue
        hits = np.cumsum(true)
        f1 = 2 * hits / (np.arange(1, len(true) + 1) + hits[-1])
        last_of_ties = np.append(sorted_p[1:] != sorted_p[:-1], True)
        found.append(float(sorted_p[int(np.argmax(np.where(last_of_ties, f1, -1.0)))]))
    return found


def _fit_one(fit: Fit) -> str:
    setup_logging(fit.quiet)  # a process of its own starts without
    try:
        return _fit(fit, QualitySource(fit.settings, fit.layout))
    except OSError as error:
        raise disk_error(fit.layout.quality_weights(fit.name), error) from error


def _fit(fit: Fit, source: QualitySource) -> str:
    import torch
    from accelerate import Accelerator

    from cleansemg.training import checkpoint, loop

    folder, quality = fit.layout.quality_weights(fit.name), fit.settings.quality
    parameters = parameters_of(fit.name, fit.settings)
    section = {
        "model": [fit.name, parameters],
        "recipe": fit.recipe.model_dump(mode="json"),
        "mixtures": source.section,
        "keep": quality.keep,
        "threads": quality.threads,
        **({} if quality.init == "random" else {"start": npz.sha256(models.pretrained_weights(fit.name))}),
    }
    own = artifact.fingerprint(SCHEMA, section, source.inputs, fit.settings.seed)
    if not fit.options.force:
        if _finished(folder, own):
            return f"{fit.name}: was trained already, {_describe(folder)}"
        checkpoint.load(folder / CHECKPOINT, own)  # refuses another training's before anything changes
    _prepare(folder, fit.options.force)
    log.info("%s: recipe %s", fit.name, recipes.describe(fit.recipe))
    npz.atomic_write(folder / RECIPE, yaml.safe_dump(fit.recipe.model_dump(mode="json"), sort_keys=False).encode())
    with loop.reproducible(quality.threads):
        torch.manual_seed(torch_seed(fit.settings.seed, "quality", fit.name, "initial weights"))
        network = models.build(fit.name, **parameters)
        if quality.init == "pretrained":
            _start_from_pretrained(network, fit.name, parameters)
        elif fit.name == models.BASELINE:
            _fit_scaling(network, source, fit.recipe)
        log.info("%s: %d weights, %d mixtures an epoch", fit.name, models.count(network), source.n_train)
        one = loop.Run(fit.name, fit.settings.seed, own, folder / CHECKPOINT)
        fitted = loop.fit(network, source, fit.recipe, one, Accelerator(cpu=True, mixed_precision="no"))
        state = fitted.best
        if quality.keep == "last":
            last = checkpoint.load(folder / CHECKPOINT, own)
            if last is None:
                raise ArtifactError(f"{folder / CHECKPOINT}: gone while the training ran")
            state = last.network
        network.load_state_dict(state)
        limits = _validation_thresholds(network, source) if quality.kinds else []
        _write(folder, fit, parameters, own, source, network, fitted, limits)
    return f"{fit.name}: {_describe(folder)}"


def _start_from_pretrained(network: Any, name: str, parameters: Mapping[str, Any]) -> None:
    """The pretrained weights into a network of the same form.

    Raises:
        UserError: none come for this model, or for another form of it.
    """
    there = models.load(models.pretrained_weights(name))
    different = [key for key, value in parameters.items() if there.info["parameters"].get(key, value) != value]
    if different:
        raise UserError(
            f"quality.init: the pretrained weights have {different[0]} {there.info['parameters'][different[0]]}, "
            f"not {parameters[different[0]]}; set quality.parameters.{name} as in configs/quality/qase.yaml"
        )
    network.load_state_dict(there.network.state_dict())


def _fit_scaling(network: Any, source: QualitySource, recipe: Recipe) -> None:
    """The z-score of the baseline, from the first batches of the first epoch."""
    import itertools

    import torch

    from cleansemg.training.batches import Share

    batches = itertools.islice(source.train(0, recipe.batch_size, Share()), SCALING_BATCHES)
    network.fit_scaling(torch.from_numpy(batch.noisy) for batch in batches)


def _validation_thresholds(network: torch.nn.Module, source: QualitySource) -> list[float]:
    import torch

    from cleansemg.training.batches import Share

    network.eval()
    found, true = [], []
    with torch.inference_mode():
        for batch in source.valid(64, Share()):
            found.append(torch.sigmoid(network(torch.from_numpy(batch.noisy))[:, 1:]).double().numpy())
            true.append(batch.clean[:, 1:] > 0)
    return thresholds(np.concatenate(found), np.concatenate(true))


def _finished(folder: Path, own: str) -> bool:
    if not (folder / artifact.MANIFEST).exists():
        return False
    manifest = artifact.read_manifest(folder, SCHEMA)
    if manifest.fingerprint != own:
        raise ArtifactError(
            f"{folder}: trained with another recipe or on other data; "
            "choose another --output, or start this training over with --force"
        )
    files = manifest.info["files"]
    return all((folder / name).exists() and npz.sha256(folder / name) == digest for name, digest in files.items())


def _prepare(folder: Path, force: bool) -> None:
    """Until this run is done the folder must not look finished; with `force`, nothing of the old one stays."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in OWN_FILES if force else (artifact.MANIFEST,):
        (folder / name).unlink(missing_ok=True)
    for path in folder.glob(".*.tmp"):
        path.unlink()


def _write(
    folder: Path,
    fit: Fit,
    parameters: Mapping[str, Any],
    own: str,
    source: QualitySource,
    network: Any,
    fitted: Fitted,
    limits: list[float],
) -> None:
    from cleansemg.core import weight_files
    from cleansemg.training.curves import write_curves, write_losses

    used = fitted.best_epoch if fit.settings.quality.keep == "best" else fitted.history[-1]
    info = {
        "quality_model": fit.name,
        "parameters": parameters,
        "recipe": fit.recipe.model_dump(mode="json"),
        "seed": fit.settings.seed,
        "inputs": source.inputs,
        "fingerprint": own,
        "epoch": used.epoch,
        "valid_loss": used.valid_loss,
        "fs_hz": fit.settings.segment.fs_hz,
        "band_hz": list(fit.settings.segment.band_hz),
        "snr_db": list(fit.settings.quality.snr_db),
        "lengths_s": list(fit.settings.quality.lengths_s),
        "thresholds": limits,
    }
    weight_files.write(folder / WEIGHTS, network, info)
    write_losses(folder / LOSSES, fitted.history)
    write_curves(folder / CURVES, fitted.history, used, "model's own", f"{fit.name}, seed {fit.settings.seed}")
    manifest = Manifest(
        schema=SCHEMA.name,
        schema_version=SCHEMA.version,
        fingerprint=own,
        seed=fit.settings.seed,
        inputs=source.inputs,
        shards=(),
        n_failures=0,
        versions=artifact.versions(),
        info={
            "epochs": len(fitted.history),
            "epoch": used.epoch,
            "valid_loss": used.valid_loss,
            "files": {name: npz.sha256(folder / name) for name in (WEIGHTS, LOSSES, CURVES, RECIPE)},
        },
    )
    artifact.write_manifest(folder, manifest)


def _describe(folder: Path) -> str:
    info = json.loads((folder / artifact.MANIFEST).read_text())["info"]
    return (
        f"{info['epochs']} epochs, used {info['epoch']} with validation loss {info['valid_loss']:.5g}; "
        f"weights in {folder / WEIGHTS}"
    )
