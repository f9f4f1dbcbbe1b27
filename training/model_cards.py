"""What the two commands for maintainers share: copy a finished fit to the pretrained weights, describe its data."""

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
    """Copy a finished fit's weights and a picture; returns the new file of weights.

    Args:
        weights: the file in the folder of the fit.
        schema: of that folder.
        picture: PNG.
        folder: of pretrained weights.
        name: of the new files.
        at_most_bytes: larger files are not shipped.

    Raises:
        UserError: the fit is not there, or its weights were altered or are too large to be shipped.
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
    """Write the card beside its weights; returns the line that says so."""
    card = path.with_suffix(".md")
    npz.atomic_write(card, text.encode())
    return f"{path.stem}: {path} ({path.stat().st_size / 1e6:.2f} MB), {card}"


def describe_file(path: Path) -> str:
    """Name, size and hash."""
    return f"`{path.name}`, {path.stat().st_size / 1e6:.2f} MB, SHA-256 `{npz.sha256(path)}`"


def describe_data(settings: Settings) -> str:
    """The data sets and sources of noise, with their parameters."""
    names = (
        f"{name} ({describe_values(dataset.parameters)})" if dataset.parameters else name
        for name, dataset in settings.enabled_datasets.items()
    )
    kinds = (f"{kind} ({' and '.join(s.source for s in sources)})" for kind, sources in settings.noise.kinds.items())
    return f"{', '.join(names)}; noise {', '.join(kinds)}"


def describe_licence(settings: Settings) -> str:
    """Of the weights, and of what they were fitted to."""
    if is_simulated(settings):
        return "the project's (MIT); no recording of a person is in the data"
    return "the project's (MIT); sources and licences of the recordings are in configs/datasets/ and docs/noise.md"


def is_simulated(settings: Settings) -> bool:
    """Whether no recording of a person is among the data."""
    return all(name.startswith("simulated") for name in settings.enabled_datasets)


def describe_values(values: Mapping[str, Any]) -> str:
    """As `a 1, b "x"`."""
    return ", ".join(f"{key} {json.dumps(value)}" for key, value in values.items())


def name_of_configuration(settings: Settings) -> str:
    """Its path from the project's root, or its file name where it lies elsewhere."""
    path = configuration.locate(Path(settings.config_file)).resolve()
    root = registry.project_root()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
