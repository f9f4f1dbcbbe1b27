"""Denoisers of other packages: the entry points of the group `cleansemg.denoisers`.

A package registers one in its pyproject.toml:

    [project.entry-points."cleansemg.denoisers"]
    my_method = "my_package.my_module:MyDenoiser"

Listing them imports nothing. One that is broken is an error of one line where it is used, and nowhere else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from cleansemg.core import class_checks
from cleansemg.core.errors import UserError

GROUPS = {"denoisers": "cleansemg.denoisers"}  # by kind


@dataclass(frozen=True)
class Plugin:
    """One entry point.

    Attributes:
        name: of the denoiser.
        target: `package.module:Class`.
        package: that registers it, with its version.
    """

    name: str
    target: str
    package: str

    @property
    def label(self) -> str:
        """What names it in errors."""
        return f"entry point '{self.name}' = '{self.target}' of {self.package}"


@lru_cache(maxsize=4)
def plugins(kind: str) -> tuple[Plugin, ...]:
    """Every entry point of a kind, by name and package."""
    if kind not in GROUPS:
        return ()
    points = [
        Plugin(point.name, point.value.partition("[")[0].strip(), _package(point))
        for point in metadata.entry_points(group=GROUPS[kind])
    ]
    return tuple(sorted(set(points), key=lambda plugin: (plugin.name, plugin.package, plugin.target)))


def problem(plugin: Plugin, kind: str, project_names: frozenset[str]) -> str:
    """Why an entry point cannot be used, as far as can be told without importing it; "" where nothing is wrong."""
    if plugin.name in project_names:
        return f"{plugin.label}: the project has a {kind[:-1]} of that name, which is used; rename the entry point"
    others = [other for other in plugins(kind) if other.name == plugin.name and other != plugin]
    if others:
        return f"{plugin.label}: {others[0].label} has the same name; uninstall one of the two"
    if not re.fullmatch(r"[\w.]+:\w+", plugin.target):
        return f"{plugin.label}: expected package.module:Class"
    return ""


def require(plugin: Plugin, kind: str) -> None:
    """Import the class of an entry point.

    Raises:
        UserError: its module is absent or raises, or the class is not of the kind; names the entry point.
    """
    module = class_checks.import_module(plugin.target, plugin.label, Path("/"))
    class_checks.class_in(module, kind, plugin.target, plugin.label)


def usable(name: str, kind: str, project_names: frozenset[str]) -> Plugin | None:
    """The plug-in of a name, imported; None: there is none.

    Raises:
        UserError: there is one that cannot be used, or several.
    """
    named = [plugin for plugin in plugins(kind) if plugin.name == name]
    if not named:
        return None
    wrong = problem(named[0], kind, project_names)
    if wrong:
        raise UserError(wrong)
    require(named[0], kind)
    return named[0]


def _package(point: metadata.EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "an unnamed package"
