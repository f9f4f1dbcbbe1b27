"""Methods by name: a YAML file each under `configs/KINDs/`, a plug-in of another package, or `package.module:Class`.

The YAML names the class, so listing imports nothing and adding a method touches no list.
"""

from __future__ import annotations

import importlib
import inspect
import os
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from cleansemg.core import plugins
from cleansemg.core.class_checks import split_target
from cleansemg.core.errors import UserError, did_you_mean

KINDS = ("denoisers", "noises", "datasets", "metrics", "tasks")


def project_root() -> Path:
    """The folder that holds `configs/`: $CLEANSEMG_ROOT, or where this code lies."""
    return Path(os.environ.get("CLEANSEMG_ROOT") or Path(__file__).resolve().parent.parent)


def configs_folder() -> Path:
    """The folder `configs/` of the project.

    Raises:
        UserError: it is not there: $CLEANSEMG_ROOT is wrong, or the installation is damaged.
    """
    folder = project_root() / "configs"
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; {_remedy()}")
    return folder


@dataclass(frozen=True)
class Entry:
    """One method: what its YAML says."""

    kind: str
    name: str
    target: str  # package.module:Class
    summary: str = ""
    aliases: tuple[str, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)  # keys that one kind alone has

    def build(self, **overrides: Any) -> Any:
        """An instance, with the YAML's parameters and then `overrides`.

        Raises:
            UserError: the class can't be imported, or a parameter is unknown or refused.
        """
        parameters = {**self.parameters, **overrides}
        cls = load_class(self.target)
        try:
            known = inspect.signature(cls).parameters
        except (TypeError, ValueError):
            raise UserError(f"{self.target}: not a class that can be built from parameters") from None
        accepts_all = any(p.kind is p.VAR_KEYWORD for p in known.values())
        for key, value in parameters.items():
            if key not in known and not accepts_all:
                raise UserError(f"{self.kind[:-1]} '{self.name}': unknown parameter '{key}'{did_you_mean(key, known)}")
            wanted = _wanted(known[key].default, value) if key in known else ""
            if wanted:
                raise UserError(f"{self.kind[:-1]} '{self.name}': {key} is {value!r}, expected {wanted}")
        try:
            return cls(**parameters)
        except (TypeError, ValueError) as error:
            raise UserError(f"{self.kind[:-1]} '{self.name}': {error}") from error


def load_class(target: str) -> Any:
    """Import `package.module:Class`.

    Raises:
        UserError: the text has no colon, or the module or the class is not there.
    """
    module_name, class_name = split_target(target)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise UserError(f"'{target}': cannot import '{error.name}'") from error
    try:
        return getattr(module, class_name)
    except AttributeError:
        raise UserError(f"'{target}': module '{module_name}' has no '{class_name}'") from None


def _wanted(default: Any, value: Any) -> str:
    """What should be in the place of a text where the default is a number or several; "" where nothing is wrong."""
    if isinstance(default, int | float) and isinstance(value, str):
        return "true or false" if isinstance(default, bool) else "a number"
    numbers = isinstance(default, tuple) and default and all(isinstance(one, int | float) for one in default)
    if numbers and (isinstance(value, str) or (isinstance(value, list) and any(isinstance(v, str) for v in value))):
        return f"numbers, as {list(default)}"
    return ""


@lru_cache(maxsize=16)
def _entries(kind: str, folder: Path) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for path in sorted((folder / kind).glob("*.yaml")):
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            raise UserError(f"{path}: not YAML ({getattr(error, 'problem', None) or error})") from None
        if not isinstance(content, dict) or "class" not in content:
            raise UserError(f"{path}: no key 'class' (package.module:Class)")
        entries[path.stem] = Entry(
            kind=kind,
            name=path.stem,
            target=content.pop("class"),
            summary=content.pop("summary", ""),
            aliases=tuple(content.pop("aliases", ())),
            parameters=content.pop("parameters", None) or {},
            extra=content,
        )
    if not entries:
        raise UserError(f"{folder / kind}: there are no {kind} in it; {_remedy()}")
    return entries


def entries(kind: str) -> dict[str, Entry]:
    """All methods of a kind that the project ships, by name.

    Raises:
        UserError: there are none, or a YAML is broken.
    """
    return dict(_entries(kind, configs_folder()))


def plugin_entries(kind: str) -> tuple[list[Entry], list[str]]:
    """Those of other packages that can be used as far as can be told without importing them; why others cannot."""
    names = _names(kind)
    problems = {plugin: plugins.problem(plugin, kind, names) for plugin in plugins.plugins(kind)}
    usable = [_plugin_entry(kind, plugin) for plugin, problem in problems.items() if not problem]
    return usable, [problem for problem in problems.values() if problem]


def find(kind: str, name: str) -> Entry:
    """The entry called `name`, by its name or an alias, a plug-in's, or a class given as package.module:Class.

    Raises:
        UserError: nothing has that name; the message gives the nearest; or a plug-in of that name is broken.
    """
    if ":" in name:
        cls = load_class(name)
        label = getattr(cls, "name", None) or name.rpartition(":")[2]
        summary = (inspect.getdoc(cls) or "").partition("\n")[0]
        return Entry(kind, label, name, summary)
    known = entries(kind)
    if name in known:
        return known[name]
    for entry in known.values():
        if name in entry.aliases:
            return entry
    plugin = plugins.usable(name, kind, _names(kind))
    if plugin is not None:
        return _plugin_entry(kind, plugin)
    names = [*known, *(plugin.name for plugin in plugins.plugins(kind))]
    raise UserError(f"no {kind[:-1]} is called '{name}'{did_you_mean(name, names)}")


def _names(kind: str) -> frozenset[str]:
    return frozenset(name for entry in entries(kind).values() for name in (entry.name, *entry.aliases))


def _plugin_entry(kind: str, plugin: plugins.Plugin) -> Entry:
    return Entry(kind, plugin.name, plugin.target, f"Plug-in of {plugin.package}: {plugin.target}")


def _remedy() -> str:
    root = os.environ.get("CLEANSEMG_ROOT")
    return f"CLEANSEMG_ROOT is {root}; unset it, or set it to a folder with configs/" if root else "install it again"
