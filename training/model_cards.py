"""Shared code of the two commands for maintainers: copy a finished fit to the pretrained weights, describe its data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleansemg.core import config as configuration
from cleansemg.core import npz, registry
from cleansemg.core.artifact import Schema, read_manifest
from cleansemg.core.errors import UserError

if TYPE_CHECKING:
    from cleansemg.settings import Settings


def copy_weights(weights: Path, schema: Schema, picture: Path, folder: Path, name: str, at_most_bytes: int) -> Path:
    """Copy the weights and a figure of a finished fit; return the path of the new file of weights.

    Args:
        weights: the file of weights in the folder of the fit.
        schema: schema of that folder.
        picture: a PNG file.
        folder: folder of the pretrained weights.
        name: name of the new files, without extension.
        at_most_bytes: maximum size of the file of weights.

    Raises:
        ArtifactError: the fit is absent or unfinished.
        UserError: its weights were altered or are too large.
    """
    manifest = read_manifest(weights.parent, schema)
    content = weights.read_bytes()
    if npz.sha256(weights) != manifest.info["files"][weights.name]:
        raise UserError(f"{weights}: altered since it was trained; train it again")
    if len(content) > at_most_bytes:
        raise UserError(f"{weights}: {len(content)} bytes, at most {at_most_bytes} are shipped")
    path = folder / f"{name}.safetensors"
    npz.atomic_write(path, content)
    npz.atomic_write(folder / f"{name}.png", picture.read_bytes())
    return path


def write_card(path: Path, text: str) -> str:
    """Write the model card beside its weights; return a line with the paths and the size."""
    card = path.with_suffix(".md")
    npz.atomic_write(card, text.encode())
    return f"{path.stem}: {path} ({path.stat().st_size / 1e6:.2f} MB), {card}"


def describe_file(path: Path) -> str:
    """Describe a file by name, size and hash."""
    return f"`{path.name}`, {path.stat().st_size / 1e6:.2f} MB, SHA-256 `{npz.sha256(path)}`"


def describe_data(settings: Settings) -> str:
    """Describe the data sets and the sources of noise, with the parameters of the data sets."""
    names = (
        f"{name} ({describe_values(dataset.parameters)})" if dataset.parameters else name
        for name, dataset in settings.enabled_datasets.items()
    )
    kinds = (f"{kind} ({' and '.join(s.source for s in sources)})" for kind, sources in settings.noise.kinds.items())
    return f"{', '.join(names)}; noise {', '.join(kinds)}"


def describe_licence(settings: Settings) -> str:
    """Describe the licences of the weights and of the training data."""
    if is_simulated(settings):
        return "the project's (MIT); no recording of a person is in the data"
    return "the project's (MIT); sources and licences of the recordings are in configs/datasets/ and docs/noise.md"


def is_simulated(settings: Settings) -> bool:
    """Whether no recording of a person is among the data."""
    return all((dataset.class_ or name).startswith("simulated") for name, dataset in settings.enabled_datasets.items())


def describe_values(values: Mapping[str, Any]) -> str:
    """Format values as `a 1, b "x"`."""
    return ", ".join(f"{key} {json.dumps(value)}" for key, value in values.items())


def name_of_configuration(settings: Settings) -> str:
    """Path of the configuration relative to the root of the project; its file name if it is elsewhere."""
    path = configuration.locate(Path(settings.config_file)).resolve()
    root = registry.project_root()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
