"""Modules of a user's folder: found by the names that the user gave, and by what these import; by nothing else.

The working folder is never on the import path: libraries try optional modules (`pyarrow`, `cython` ...), and a file of
such a name beside a recording must not run. A finder, last in line, looks there for the top-level modules that were
allowed, and for those that their own code imports.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cleansemg.settings import Settings

_TARGET = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


class _Finder:
    """Finds allowed modules in their folders; what is on the import path comes first."""

    def __init__(self) -> None:
        self.allowed: dict[str, str] = {}  # folder by top-level module
        self.loaded: dict[str, str] = {}  # likewise, of those that lie there: what they import may, too

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if path is not None:  # a submodule: its package says where
            return None
        folder = self.allowed.get(name) or self.loaded.get(_importer(sys._getframe(1)))
        if folder is None:
            return None
        spec = PathFinder.find_spec(name, [folder])
        if spec is not None:
            self.loaded[name] = folder
        return spec


_finder = _Finder()


def is_class_target(name: str) -> bool:
    """Whether a name is a class's, `package.module:Class`, or a chain's that has one, and not that of an entry."""
    return ":" in name


def allow(targets: Iterable[str], folder: Path | None = None) -> None:
    """Let `package.module:Class` be files of a folder; names without a colon are passed over.

    Args:
        targets: what the user typed, or what the configuration of a run names.
        folder: default: the working folder.
    """
    where = str(folder or Path.cwd())
    single = (name for target in targets for name in target.split("+") if is_class_target(name))
    tops = {name.partition(":")[0].partition(".")[0] for name in single}
    allow_folders(dict.fromkeys(sorted(tops - {""}), where))


def allow_folders(folders: Mapping[str, str]) -> None:
    """The same in another process: what `folders` returned in the first one."""
    _finder.allowed.update(folders)
    if _finder not in sys.meta_path:
        sys.meta_path.append(_finder)


def folders() -> dict[str, str]:
    """The folder of each top-level module that is allowed, for processes that must import the same."""
    return {**_finder.allowed, **_finder.loaded}


def typed_targets(arguments: Iterable[str]) -> list[str]:
    """Every `package.module:Class` in a command line: alone, after `--option=`, or between commas or plus signs."""
    words = (part for argument in arguments for part in re.split("[,+]", argument.rpartition("=")[2]))
    return [word for word in words if _TARGET.fullmatch(word)]


def targets_in(settings: Settings) -> Iterator[tuple[str, str]]:
    """Kind and name of all classes outside `configs/` that a configuration names."""
    rows = [*settings.evaluate.denoisers, *settings.downstream.denoisers]
    named: list[tuple[str, str]] = [("denoisers", row if isinstance(row, str) else row.name) for row in rows]
    named += [("denoisers", name) for name in (*settings.train.models, *settings.calibrate.methods)]
    named += [("noises", source.source) for sources in settings.noise.kinds.values() for source in sources]
    named += [("datasets", dataset.class_ or name) for name, dataset in settings.enabled_datasets.items()]
    named += [("metrics", name) for name in settings.evaluate.metrics]
    named += [("tasks", settings.downstream.task)] if settings.downstream.task else []
    single = [(kind, name) for kind, names in named for name in names.split("+")]  # of chains, every link
    yield from dict.fromkeys((kind, name) for kind, name in single if is_class_target(name))


def _importer(frame: FrameType | None) -> str:
    """Top-level name of the module whose code imports: the first frame that is not the import system's own."""
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        system = frame.f_code.co_filename.startswith("<frozen importlib") or name.partition(".")[0] == "importlib"
        if not system:
            return name.partition(".")[0]
        frame = frame.f_back
    return ""
