"""The stage that fits the neural denoisers of a configuration; each has a separate folder of weights."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleansemg.core import npz, registry
from cleansemg.core.artifact import Schema
from cleansemg.core.code_identity import of_entry, of_modules
from cleansemg.core.console import setup_logging
from cleansemg.core.errors import UserError
from cleansemg.core.execution import map_items
from cleansemg.core.layout import Layout
from cleansemg.core.registry import Entry
from cleansemg.core.seeding import torch_seed
from cleansemg.core.stage import Report, RunOptions, disk_error
from cleansemg.training import recipe as recipes
from cleansemg.training.fit_files import BEST
from cleansemg.training.fitting import NOT_FITTING, Fit
from cleansemg.training.recipe import Recipe
from cleansemg.training.recipe_layers import resolve_recipe
from cleansemg.training.seeds import label_of, seeds_of

if TYPE_CHECKING:
    from accelerate import Accelerator

    from cleansemg.settings import Settings
    from cleansemg.training.checkpoint import StateDict
    from cleansemg.training.mixtures import Mixtures

log = logging.getLogger(__name__)

STAGE = "train"
SCHEMA = Schema("weights", 1, step="cleansemg run --stages train")
LOSS_NAMES = {"l1": "mean absolute error", "l2": "mean squared error", "snr": "-SNR, dB", "network": "network's own"}


def run(
    settings: Settings,
    layout: Layout,
    options: RunOptions,
    models: Sequence[str] | None = None,
    recipe_overrides: Mapping[str, Any] | None = None,
) -> Report:
    """Fit networks; a network that was fitted with the same settings is not fitted again.

    Args:
        settings: the configuration.
        layout: folders of segments, noise and weights.
        options: `force` replaces the files of another training. On a CPU, `workers` / `train.threads` networks are
            fitted in parallel, with `train.threads` threads each; with `train.seeds`, each seed of a network is one of
            them. Neither affects a result.
        models: names or aliases; None: `train.models`.
        recipe_overrides: values that override the recipe of every file.

    Raises:
        UserError: an unknown model, a model without a network, an invalid recipe, parts that are not disjoint, or a
            loss that is not finite.
        ArtifactError: segments or noise are missing, or a folder holds the results of another training.
    """
    # Otherwise idle OpenMP threads of torch spin; if other programs need the cores, a step with two threads then needs
    # up to ten times as long. torch reads this at its first import; it does not affect results.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    named = settings.train.models if models is None else models
    entries = list({entry.name: entry for entry in (registry.find("denoisers", name) for name in named)}.values())
    if not entries:
        return Report(STAGE, ("nothing to train: train.models is empty",))
    for entry in entries:
        _require_network(entry)
    resolved = [resolve_recipe(entry, settings, recipe_overrides) for entry in entries]

    asked = os.environ.get("ACCELERATE_MIXED_PRECISION", "no")  # set by `accelerate launch`
    if asked != "no":
        raise UserError(f"accelerate asks for mixed precision '{asked}': it is the recipe's, --recipe precision=bf16")
    accelerator = _accelerator()
    quiet = not log.isEnabledFor(logging.INFO)
    trainings = [
        Training(entry, recipe, settings, layout, options, quiet, seed)
        for entry, recipe in zip(entries, resolved, strict=True)
        for seed in seeds_of(settings)
    ]
    at_once = _at_once(settings, options, accelerator)
    if at_once > 1:
        lines = list(map_items(_train_beside_others, trainings, at_once))
    else:
        lines = [_train_one(training, accelerator) for training in trainings]
    return Report(STAGE, tuple(lines) if accelerator.is_main_process else ())


@dataclass(frozen=True)
class Training:
    """The arguments of a worker that fits one network with one seed."""

    entry: Entry
    recipe: Recipe
    settings: Settings
    layout: Layout
    options: RunOptions
    quiet: bool
    seed: int | None  # of `train.seeds`; None: the run's

    @property
    def label(self) -> str:
        return label_of(self.entry.name, self.seed)

    @property
    def folder(self) -> Path:
        return self.layout.weights(self.entry.name, self.seed)


def _at_once(settings: Settings, options: RunOptions, accelerator: Accelerator) -> int:
    """Number of networks that are fitted in parallel: `workers` / `train.threads` on a CPU, 1 on a GPU."""
    if accelerator.num_processes > 1 or accelerator.device.type != "cpu":
        return 1
    return max(1, options.workers // settings.train.threads)


def _accelerator() -> Accelerator:
    from accelerate import Accelerator, DistributedDataParallelKwargs

    # The published SDEMG and skip-all TrustEMG-Net contain blocks that never run and therefore have no gradient.
    unused = DistributedDataParallelKwargs(find_unused_parameters=True)
    # The loop applies the precision of the recipe; Accelerate would use one precision for all models.
    return Accelerator(mixed_precision="no", kwargs_handlers=[unused])


def _has_wide_registers() -> bool:
    """Whether the CPU has AVX-512 or similar; otherwise bfloat16 is emulated, with AVX2 4 to 10 times slower."""
    import torch

    return torch.backends.cpu.get_cpu_capability() not in {"DEFAULT", "AVX2"}


def _train_beside_others(training: Training) -> str:
    setup_logging(training.quiet)  # a new process has no logging set up
    return _train_one(training, _accelerator())


def _train_one(training: Training, accelerator: Accelerator) -> str:
    from cleansemg.training.mixtures import Mixtures

    clip = training.recipe.normalise_clip
    source = Mixtures.open(training.settings, training.layout, clip, training.seed)
    try:
        return _train(training, source, accelerator)
    except OSError as error:
        raise disk_error(training.folder, error) from error


def _train(training: Training, source: Mixtures, accelerator: Accelerator) -> str:
    import torch

    from cleansemg.denoising.loading import PRETRAINED, load_network
    from cleansemg.training import learning_curve, loop

    entry, recipe, settings, label = training.entry, training.recipe, training.settings, training.label
    fit = _fit_of(training, source)
    main = accelerator.is_main_process
    finished = False
    if not training.options.force:
        finished = fit.is_finished()
        fit.checkpoint()  # raises for a checkpoint of another training, before anything changes
    accelerator.wait_for_everyone()  # all processes have checked before one of them changes anything
    if main:
        log.info("%s: recipe %s", label, recipes.describe(recipe))
    if finished:
        return f"{label}: was trained already, {fit.describe()}"
    if main:
        fit.prepare(training.options.force)
    accelerator.wait_for_everyone()

    with loop.reproducible(settings.train.threads):
        torch.manual_seed(torch_seed(fit.seed, "train", entry.name, "initial weights"))
        shipped = entry.name in registry.entries("denoisers")
        name = entry.name if shipped else entry.target
        first = PRETRAINED if settings.train.init == "pretrained" else None
        network = load_network(name, first, **{**fit.parameters, "device": "cpu"}).network
        n_weights = sum(p.numel() for p in network.parameters() if p.requires_grad)
        if main:
            log.info(
                "%s: %d weights, %d mixtures an epoch, %d for validation, on %s",
                label, n_weights, source.n_train, source.n_valid, accelerator.device,
            )  # fmt: skip
            if recipe.precision == "bf16" and accelerator.device.type == "cpu" and not _has_wide_registers():
                log.warning(
                    "%s: this processor has no bfloat16 arithmetic, so it takes several times as long as float32; "
                    "consider --recipe precision=float32", label,
                )  # fmt: skip
        scored = source.curve(settings.train.curve_mixtures)
        scorer = learning_curve.scorer(scored, recipe.normalise_clip, accelerator.device) if scored else None
        fitted = loop.fit(network, source, recipe, fit.run, accelerator, scorer)
        network.load_state_dict(fitted.best)
        if main:
            loss, used = LOSS_NAMES[recipe.loss], fitted.best_epoch
            info = fit.write(network.cpu(), fitted.history, used, loss, curve=fitted.curve)
            if training.seed == seeds_of(settings)[0]:
                _write_published(entry, training.layout, fitted.best, info)
    accelerator.wait_for_everyone()
    return f"{label}: {fit.describe()}"


def _fit_of(training: Training, source: Mixtures) -> Fit:
    """Describe the fit."""
    from cleansemg.denoising import loading

    entry, recipe, settings = training.entry, training.recipe, training.settings

    inputs = dict(source.inputs)
    parameters = parameters_of(entry, settings)
    if settings.train.init == "pretrained":
        inputs["weights/init"] = npz.sha256(loading.pretrained_weights(entry))
    parameters["clip"] = recipe.normalise_clip
    if settings.noise.band_hz is None:  # the inputs have a mean: part of the noise to remove
        parameters["centre"] = False
    section = {
        "model": [entry.name, entry.target, parameters],
        "recipe": recipe.model_dump(mode="json"),
        "mixtures": source.section,
        "threads": settings.train.threads,
        **settings.train.identity_of_curve,
    }
    seed = settings.seed if training.seed is None else training.seed
    code = {**of_modules(__name__, without=NOT_FITTING), **of_entry(entry)}
    return Fit(
        "denoiser", entry.name, training.folder, BEST, SCHEMA, parameters, recipe, section, inputs, seed, code,
        training.label,
    )  # fmt: skip


def parameters_of(entry: Entry, settings: Settings) -> dict[str, Any]:
    """Parameters of the network to fit: those of its YAML, of its small form, or of the pretrained weights.

    Raises:
        UserError: `train.init` is pretrained, and the network comes without weights.
    """
    from cleansemg.core import weight_files
    from cleansemg.denoising import loading

    if settings.train.init == "pretrained":
        path = loading.pretrained_weights(entry)
        return {**entry.parameters, **weight_files.read(path)[1].get("parameters", {})}
    small = entry.extra.get("small") or {}
    return {**entry.parameters, **(small if settings.train.form == "small" else {})}


def _write_published(entry: Entry, layout: Layout, state: StateDict, info: dict[str, Any]) -> None:
    """Write the same weights under the file name of the published commands, if the method has one."""
    from cleansemg.core import weight_files

    name = entry.extra.get("published_name")
    if name:
        weight_files.write_checkpoint(layout.weights(str(name)) / f"{name}_best.pth", state, info)


def _require_network(entry: Entry) -> None:
    from cleansemg.denoising.loading import is_neural

    if not is_neural(registry.load_class(entry.target)):
        names = [name for name, known in registry.entries("denoisers").items() if "training" in known.extra]
        raise UserError(f"denoiser '{entry.name}' has no network to train; networks are: {', '.join(names) or 'none'}")
