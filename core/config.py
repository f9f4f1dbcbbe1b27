"""Reading configurations: YAML with `extends:`, `${VAR}` and `--set a.b=value`, checked by pydantic models.

A configuration is a file, or the name of one that comes with the project: `demo`, `downstream/gesture`.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, ValidationError

from cleansemg.core import yaml_text
from cleansemg.core.errors import UserError, did_you_mean
from cleansemg.core.npz import atomic_write
from cleansemg.core.registry import KINDS, configs_folder, load_class, project_root
from cleansemg.core.settings import Section

if TYPE_CHECKING:
    from cleansemg.settings import Settings


log = logging.getLogger(__name__)
SETTINGS = "cleansemg.settings:Settings"  # it lies above every room, so it is named here, as stages are
VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def load(path: Path, overrides: Sequence[str] = ()) -> Settings:
    """Read, merge, expand and check one configuration.

    Args:
        path: the YAML file, or the name of a configuration of the project (`locate`); `extends: other.yaml` inside it
            is read first, relative to it.
        overrides: `a.b=value` texts, the value being YAML; they win over the file.

    Raises:
        UserError: no such file, not YAML, an unknown key (with the nearest valid one), a value of
            the wrong kind.
    """
    tree = _read(locate(Path(path)), parents=())
    for override in overrides:
        _set(tree, override)
    return check(_expand(tree), path)


def check(tree: Mapping[str, Any], path: Path) -> Settings:
    """The settings that a mapping holds; `path` is what errors name.

    Raises:
        UserError: an unknown key (with the nearest valid one), a value of the wrong kind.
    """
    try:
        settings: Settings = load_class(SETTINGS).model_validate({**tree, "config_file": str(path)})
    except ValidationError as error:
        raise UserError(f"{path}: {_explain(error)}") from None
    return settings


def locate(path: Path) -> Path:
    """The file of a configuration; says which is used where a file and one of the project have the same name.

    Args:
        path: a file; or the name of a configuration of the project, alone (`demo`) or as a path (`configs/demo.yaml`).

    Raises:
        UserError: neither; gives the nearest name.
    """
    path, packaged = path.expanduser(), _packaged(path)
    if path.is_file():
        if packaged is not None and packaged.resolve() != path.resolve():
            log.info("%s: this file is used, not the configuration of the project that is called so", path)
        return path
    if packaged is None:
        raise UserError(f"{path}: no such configuration{did_you_mean(_name(path), _names())}")
    file = path.with_name(f"{path.name}.yaml")
    if file.is_file() and file.resolve() != packaged.resolve():
        log.warning("%s: the configuration of the project is used, not the file here; for that, give %s", path, file)
    elif path.suffix:
        log.info("%s: there is no such file here; the configuration of the project that is called so is used", path)
    return packaged


def referenced(text: str, settings: Settings) -> Path:
    """A file that a configuration refers to: beside the configuration, or else in the project's `configs/`."""
    path = Path(text).expanduser()
    config_file = Path(settings.config_file)
    beside = (config_file.parent if config_file.is_file() else configs_folder()) / path
    return beside if beside.is_file() else configs_folder() / path


def save(settings: Settings, path: Path) -> None:
    """Write the resolved configuration, defaults included, so that it can be read back and run."""
    content = settings.model_dump(mode="json", exclude={"config_file"})
    atomic_write(path, yaml.safe_dump(content, sort_keys=False, width=110).encode())


def require_path(value: str, key: str, settings: Settings) -> Path:
    """A path of the configuration that a stage is about to use.

    A relative path is taken from the working folder.

    Raises:
        UserError: it still holds an unset variable; names the file, the key and the remedy.
    """
    value = VARIABLE.sub(_variable, value)  # a default of the schema was not in the file, so not expanded yet
    unset = VARIABLE.search(value)
    if unset:
        note = "" if settings.downstream.task is None else " (that of configs/config.yaml is for the benchmark alone)"
        raise UserError(
            f"{settings.config_file}: {key} needs ${{{unset[1]}}}, which is not set; "
            f"export {unset[1]}=/path/to/data, or --set {key}=/path/to/data{note}"
        )
    return Path(value).expanduser()


def _read(path: Path, parents: tuple[Path, ...]) -> dict[str, Any]:
    if path.resolve() in parents:
        raise UserError(f"{path}: 'extends' goes round in a circle")
    try:
        content = yaml_text.load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"{path}{where}: not YAML ({yaml_text.problem(error)})") from None
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a mapping of settings, found {type(content).__name__}")
    parent = content.pop("extends", None)
    if parent is None:
        return content
    if not isinstance(parent, str):
        raise UserError(f"{path}: extends: expected the name of one configuration, got {parent!r}")
    beside = path.parent / parent
    base = beside if beside.is_file() else _packaged(Path(parent))
    if base is None:
        raise UserError(f"{path}: extends: {beside}: no such configuration{did_you_mean(parent, _names())}")
    return _merge(_read(base, (*parents, path.resolve())), content)


def _packaged(path: Path) -> Path | None:
    """The file of a configuration of the project; None: none is called so."""
    name = _name(path)
    file = configs_folder() / f"{name}.yaml"
    inside = not path.is_absolute() and ".." not in path.parts and name.partition("/")[0] not in KINDS
    return file if inside and file.is_file() else None


def _name(path: Path) -> str:
    """What the project calls a configuration: `configs/demo.yaml` and `demo.yaml` are `demo`."""
    return path.as_posix().removeprefix("./").removeprefix("configs/").removesuffix(".yaml")


def _names() -> list[str]:
    """The configurations of the project: all files that hold nothing but settings."""
    names = []
    for file in sorted(configs_folder().rglob("*.yaml")):
        name = file.relative_to(configs_folder()).as_posix().removesuffix(".yaml")
        if _packaged(Path(name)) is not None:
            content = yaml_text.load(file.read_text(encoding="utf-8"))
            if isinstance(content, dict) and set(content) <= {"extends", *load_class(SETTINGS).model_fields}:
                names.append(name)
    return names


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings merge key by key; anything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _set(tree: dict[str, Any], override: str) -> None:
    dotted, equals, text = override.partition("=")
    keys = dotted.strip().split(".")
    if not equals or not all(keys):
        raise UserError(f"--set {override}: expected key.subkey=value")
    try:
        value = yaml_text.load(text)
    except yaml.YAMLError:
        raise UserError(f"--set {override}: the value is not YAML") from None
    node = tree
    for key in keys[:-1]:
        child = node.get(key)
        if child is None:
            child = node[key] = {}
        if not isinstance(child, dict):
            raise UserError(f"--set {override}: '{key}' is a value, not a section")
        node = child
    node[keys[-1]] = value


def _expand(value: Any) -> Any:
    """Replace environment variables by their values; an unset one stays, and is an error where it is used."""
    if isinstance(value, dict):
        return {key: _expand(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item) for item in value]
    if isinstance(value, str):
        return VARIABLE.sub(_variable, value)
    return value


def _variable(match: re.Match[str]) -> str:
    name, default = match[1], match[2]
    if name == "CLEANSEMG_ROOT":
        return str(project_root())
    return os.environ.get(name) or (default if default is not None else match[0])


def _explain(error: ValidationError) -> str:
    """The first problem in one line, with the nearest valid key for an unknown one."""
    # Where a text or a mapping may stand, a mapping is wrong as a text, too, which says nothing.
    mappings = [p for p in error.errors() if not (p["type"] == "string_type" and isinstance(p.get("input"), Mapping))]
    problems = mappings or error.errors()
    # a misspelt key also leaves a needed one out: the misspelling is the cause
    first = next((problem for problem in problems if problem["type"] == "extra_forbidden"), problems[0])
    sections = {section.__name__ for section in Section.__subclasses__()}  # pydantic names the form that was tried
    where = ".".join(
        str(part) for part in first["loc"] if part not in sections and not str(part).startswith("function-")
    )
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if first["type"] == "extra_forbidden":
        key = str(first["loc"][-1])
        return f"unknown key '{where}'{did_you_mean(key, _fields_at(first['loc'][:-1]))}{more}"
    return f"{where}: {first['msg'].removeprefix('Value error, ')}, got {first.get('input')!r}{more}"


def _fields_at(location: Sequence[int | str]) -> list[str]:
    """Names of the fields that the settings have at a location."""
    model: Any = load_class(SETTINGS)
    for part in location:
        field = model.model_fields.get(str(part)) if _is_model(model) else None
        model = _model_in(field.annotation) if field is not None else _model_in(model)
    return list(model.model_fields) if _is_model(model) else []


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _model_in(annotation: Any) -> Any:
    """The settings model inside `dict[str, M]`, `list[M]` or `M | None`."""
    if _is_model(annotation):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        inner = _model_in(part)
        if inner is not None:
            return inner
    return None
