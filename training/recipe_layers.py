"""The recipe of one network, merged from all places that may say something about it, the strongest last.

YAML of the network < pretrained weights, for fine-tuning < `train.mixtures` < `train.recipe` < `train.overrides` <
command line (docs/training.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cleansemg.core import registry
from cleansemg.core.errors import UserError
from cleansemg.core.registry import Entry
from cleansemg.training import recipe as recipes
from cleansemg.training.recipe import Recipe
from cleansemg.training.settings import lengthens

if TYPE_CHECKING:
    from cleansemg.settings import Settings

FIXED_BY_WEIGHTS = ("loss", "normalise_clip", "optimizer", "betas", "weight_decay", "batch_size", "clip_norm")


def resolve_recipe(entry: Entry, settings: Settings, command_line: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe of one model, merged from all layers in order of precedence.

    Raises:
        UserError: an unknown key, an invalid value, an unknown model in `train.overrides`, or epochs beside
            `train.mixtures`.
    """
    layers: list[recipes.Layer] = [
        (f"configs/denoisers/{entry.name}.yaml, training", entry.extra.get("training") or {}),
        (f"{settings.config_file}, train.recipe", settings.train.recipe),
    ]
    if settings.train.init == "pretrained":
        layers.insert(1, ("the pretrained weights", _fitted_with(entry)))
    if settings.train.mixtures is not None:
        layers.insert(-1, ("train.mixtures", _budget(settings, command_line or {})))
    for name, values in settings.train.overrides.items():
        if registry.find("denoisers", name).name == entry.name:
            layers.append((f"{settings.config_file}, train.overrides.{name}", values))
    layers.append(("command line", command_line or {}))
    return recipes.resolve(layers)


def _budget(settings: Settings, command_line: Mapping[str, Any]) -> dict[str, Any]:
    """The epochs that follow from `train.mixtures`, all of which are run: every network sees as many mixtures.

    Raises:
        UserError: the command line says otherwise.
    """
    key = lengthens(command_line)
    if key:
        raise UserError(
            f"command line: {key} and train.mixtures ({settings.train.mixtures}) exclude each other: epochs follow "
            "from mixtures; give --set train.mixtures=N, or --set train.mixtures=null"
        )
    return {"epochs": settings.train.budget_epochs, "patience": None}


def _fitted_with(entry: Entry) -> dict[str, Any]:
    """Recipe values of the pretrained weights that fine-tuning uses by default, such as loss, scaling, optimiser."""
    from cleansemg.core import weight_files
    from cleansemg.denoising import loading

    recipe = weight_files.read(loading.pretrained_weights(entry))[1].get("recipe", {})
    return {key: recipe[key] for key in FIXED_BY_WEIGHTS if key in recipe}
