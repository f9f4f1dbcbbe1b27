"""Builds the reader of a database from its name in the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleansemg.core import config, registry
from cleansemg.core.errors import UserError
from cleansemg.data_pipeline.readers.listing import require_folder
from cleansemg.data_pipeline.recording import RecordingReader
from cleansemg.data_pipeline.settings import Dataset

if TYPE_CHECKING:
    from cleansemg.settings import Settings


def open_reader(name: str, settings: Settings) -> RecordingReader:
    """Build the reader of one database.

    Args:
        name: an entry of configs/datasets/, or the user's own class as `package.module:Class`.
        settings: `datasets.NAME` may name another folder (below `paths.data_root`, or absolute) and
            parameters that replace those of the entry.

    Raises:
        UserError: the name is unknown, a parameter is refused, or the folder is absent; the message then says where
            to get the database.
    """
    entry = registry.find("datasets", name)
    dataset = settings.datasets.get(name, Dataset())
    location: dict[str, Any] = {}
    folder = dataset.folder or entry.extra.get("folder")
    if folder is not None:
        location["folder"] = _resolve(name, str(folder), settings)
        require_folder(name, location["folder"])
    reader = entry.build(database=entry.name, **location, **dataset.parameters)
    if not isinstance(reader, RecordingReader):
        raise UserError(f"dataset '{name}': {entry.target} is not a RecordingReader")
    return reader


def _resolve(name: str, folder: str, settings: Settings) -> Path:
    path = config.require_path(folder, f"datasets.{name}.folder", settings)
    if path.is_absolute():
        return path
    return config.require_path(settings.paths.data_root, "paths.data_root", settings) / path
