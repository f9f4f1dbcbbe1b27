"""Builds the reader of a database from its name in the configuration."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleansemg.core import config, registry
from cleansemg.core.errors import UserError
from cleansemg.core.registry import Entry
from cleansemg.core.settings import SplitPart
from cleansemg.data_pipeline.readers.listing import require_folder
from cleansemg.data_pipeline.recording import RecordingReader
from cleansemg.data_pipeline.settings import Dataset

if TYPE_CHECKING:
    from cleansemg.settings import Settings


FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # it stands in file names and in ids of segments


def entry_of(name: str, settings: Settings) -> Entry:
    """What reads the data set of a name: the entry of that name, or the one that `datasets.NAME.class` names.

    Raises:
        UserError: there is no such entry.
    """
    dataset = settings.datasets.get(name, Dataset())
    return registry.find("datasets", dataset.class_ or name)


def database_of(name: str, settings: Settings) -> str:
    """What a data set is called in recordings, ids and tables: its own name where it names its class.

    Raises:
        UserError: an own name that cannot be a file's.
    """
    if settings.datasets.get(name, Dataset()).class_ is None:
        return entry_of(name, settings).name
    if not FILE_NAME.fullmatch(name):
        raise UserError(
            f"{settings.config_file}: datasets: '{name}' cannot be a data set's name; it has letters, digits, . _ -"
        )
    return name


def databases_by_part(settings: Settings) -> dict[str, SplitPart]:
    """The databases whose people all go to one part, as `datasets.NAME.part` says, and that part."""
    return {
        database_of(name, settings): dataset.part
        for name, dataset in settings.enabled_datasets.items()
        if dataset.part is not None
    }


def open_reader(name: str, settings: Settings) -> RecordingReader:
    """Build the reader of one database.

    Args:
        name: an entry of configs/datasets/, the user's own class as `package.module:Class`, or a name of the user's
            for what `datasets.NAME.class` names.
        settings: `datasets.NAME` may name another folder (below `paths.data_root`, or absolute) and
            parameters that replace those of the entry.

    Raises:
        UserError: the name is unknown, a parameter is refused, or the folder is absent; the message then says where
            to get the database.
    """
    entry = entry_of(name, settings)
    dataset = settings.datasets.get(name, Dataset())
    location: dict[str, Any] = {}
    folder = dataset.folder or entry.extra.get("folder")
    if folder is not None:
        location["folder"] = _resolve(name, str(folder), settings)
        require_folder(name, location["folder"], entry.name)
    reader = entry.build(database=database_of(name, settings), **location, **dataset.parameters)
    if not isinstance(reader, RecordingReader):
        raise UserError(f"dataset '{name}': {entry.target} is not a RecordingReader")
    return reader


def _resolve(name: str, folder: str, settings: Settings) -> Path:
    path = config.require_path(folder, f"datasets.{name}.folder", settings)
    if path.is_absolute():
        return path
    return config.require_path(settings.paths.data_root, "paths.data_root", settings) / path
