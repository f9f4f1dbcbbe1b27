"""Plug-ins by name: a YAML file a method under `configs/KINDs/`, or `package.module:Class` for one's own.

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

from cleansemg.core.errors import UserError, did_you_mean

KINDS = ("denoisers", "noises", "datasets", "metrics", "tasks")


def project_root() -> Path:
    """The folder that holds `configs/`: $CLEANSEMG_ROOT, or where this code lies."""
    return Path(os.environ.get("CLEANSEMG_ROOT") or Path(__file__).resolve().parent.parent)


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
    module_name, colon, class_name = target.partition(":")
    if not colon or not module_name or not class_name:
        raise UserError(f"'{target}': expected package.module:Class")
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
def _entries(kind: str, root: Path) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for path in sorted((root / "configs" / kind).glob("*.yaml")):
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            raise UserError(f"{path}: not YAML ({getattr(error, 'problem', None) or error})") from None
        if not isinstance(content, dict) or "class" not in content:
            raise UserError(f"{path}: no key 'class' (package.module:Class)")
        found[path.stem] = Entry(
            kind=kind,
            name=path.stem,
            target=content.pop("class"),
            summary=content.pop("summary", ""),
            aliases=tuple(content.pop("aliases", ())),
            parameters=content.pop("parameters", None) or {},
            extra=content,
        )
    return found


def entries(kind: str) -> dict[str, Entry]:
    """All methods of a kind that the project ships, by name."""
    return dict(_entries(kind, project_root()))


def find(kind: str, name: str) -> Entry:
    """The entry called `name`, by its own name or an alias, or a class given as package.module:Class.

    Raises:
        UserError: nothing has that name; the message gives the nearest.
    """
    if ":" in name:
        cls = load_class(name)
        own_name = getattr(cls, "name", None) or name.rpartition(":")[2]
        summary = (inspect.getdoc(cls) or "").partition("\n")[0]
        return Entry(kind, own_name, name, summary)
    known = entries(kind)
    if name in known:
        return known[name]
    for entry in known.values():
        if name in entry.aliases:
            return entry
    raise UserError(f"no {kind[:-1]} is called '{name}'{did_you_mean(name, known)}")
