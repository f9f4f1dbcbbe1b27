"""The search space of a calibration: reads and checks `configs/config_tradition.yaml`, and builds the grids.

    {calibration: {segments: 200, draws: 1, snr_db: [...], n_kinds: [...]},
     methods: {NAME: {parameters: {...}, search: {PARAMETER: [value, ...]}}}}

The candidates of a method are all combinations of its searched values; `parameters` applies to all of them.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from cleansemg import denoising
from cleansemg.core import yaml_text
from cleansemg.core.errors import UserError, did_you_mean
from cleansemg.core.registry import Entry, find, load_class
from cleansemg.denoising.loading import is_neural

Count = Annotated[int, Field(ge=1)]
Parameters = dict[str, Any]

ALL = "all"


class _Values(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Calibration(_Values):
    """The validation mixtures on which candidates are scored."""

    segments: Count = 200  # maximum number, evenly distributed over subjects
    draws: Count = 1  # mixtures per segment
    snr_db: Annotated[tuple[float, ...], Field(min_length=1)] = (-15.0, -10.0, -5.0, 0.0, 5.0, 10.0, 15.0)
    n_kinds: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (1, 2, 3, 4, 5)


class Method(_Values):
    """One method: fixed values, and values to search."""

    parameters: Parameters = {}
    search: Annotated[dict[str, Annotated[tuple[Any, ...], Field(min_length=1)]], Field(min_length=1)]

    @field_validator("search")
    @classmethod
    def _values_differ(cls, search: dict[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
        for name, values in search.items():
            if any(value in values[:i] for i, value in enumerate(values)):
                raise ValueError(f"{name} holds a value twice")
        return search


class SearchFile(_Values):
    """The search file."""

    calibration: Calibration = Calibration()
    methods: dict[str, Method]


@dataclass(frozen=True)
class SearchSpace:
    """The grid of one method.

    Attributes:
        name: name for `denoising.load`.
        entry: registry entry, with the parameters of its YAML.
        fixed: parameters of every candidate; they override those of the entry.
        search: parameter -> searched values, in the order of the file.
        tracks: those that are searched, see `searched_tracks`.
    """

    name: str
    entry: Entry
    fixed: Parameters
    search: Mapping[str, tuple[Any, ...]]
    tracks: tuple[str, ...]

    def grid(self) -> list[Parameters]:
        """All combinations of the searched values; the last parameter changes fastest."""
        return combinations(self.search)

    def default_values(self) -> Parameters:
        """Default values of the searched parameters, from the method's YAML or, if absent there, from its class."""
        defaults = {name: p.default for name, p in inspect.signature(load_class(self.entry.target)).parameters.items()}
        return {name: self.entry.parameters.get(name, defaults.get(name)) for name in self.search}


def combinations(search: Mapping[str, Sequence[Any]]) -> list[Parameters]:
    """Return every combination of values; the last parameter changes fastest.

    >>> combinations({"k": [3, 4], "alpha": [500, 2000]})[:2]
    [{'k': 3, 'alpha': 500}, {'k': 3, 'alpha': 2000}]
    """
    return [dict(zip(search, values, strict=True)) for values in itertools.product(*search.values())]


def searched_tracks(tracks: Sequence[str]) -> tuple[str, ...]:
    """The tracks of a denoiser that have a search of their own: all but oracle, where there is a blind one.

    Oracle and auto have the rules of the blind track, and labels beside; with its winners, the difference between the
    tracks is that of the labels, and not of two searches.

    >>> searched_tracks(("blind", "oracle", "published"))
    ('blind', 'published')
    """
    return tuple(track for track in tracks if track != "oracle" or "blind" not in tracks)


def read(path: Path) -> tuple[Calibration, dict[str, SearchSpace]]:
    """Read and check a search file; every candidate is built once, so mistakes are reported before the search.

    Raises:
        UserError: the file is absent or not YAML; an unknown key, method or parameter; an invalid value; a method that
            occurs twice; or a method with a network.
    """
    file = _read_file(path)
    spaces: dict[str, SearchSpace] = {}
    for key, method in file.methods.items():
        space = _space(path, key, method)
        if space.name in spaces:
            raise UserError(f"{path}: methods: '{space.name}' twice, once as '{key}'")
        spaces[space.name] = space
    return file.calibration, spaces


def select(spaces: Mapping[str, SearchSpace], methods: str, path: Path) -> list[SearchSpace]:
    """Select search spaces by `methods`: `all`, or names and aliases separated by commas.

    Raises:
        UserError: a method without a search in the file, or no method.
    """
    if methods.strip() == ALL:
        names = list(spaces)
    else:
        texts = [text.strip() for text in methods.split(",") if text.strip()]
        names = [text if ":" in text else find("denoisers", text).name for text in texts]
    for name in names:
        if name not in spaces:
            raise UserError(f"{path}: methods: no search for '{name}'{did_you_mean(name, spaces)}")
    if not names:
        raise UserError(f"--methods: nothing to calibrate; there are: {ALL}, {', '.join(spaces) or 'none'}")
    return [spaces[name] for name in dict.fromkeys(names)]


def _read_file(path: Path) -> SearchFile:
    try:
        content = yaml_text.load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; the project's own is configs/config_tradition.yaml") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not YAML ({yaml_text.problem(error)})") from None
    try:
        return SearchFile.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{path}: {_explain(error)}") from None


def _explain(error: ValidationError) -> str:
    problems = error.errors()  # a misspelt key also causes an error for the missing key; report the misspelling
    first = next((problem for problem in problems if problem["type"] == "extra_forbidden"), problems[0])
    location = [str(part) for part in first["loc"]]
    where = ".".join(location) or "the file"
    if first["type"] == "extra_forbidden":
        models: dict[str, type[BaseModel]] = {"calibration": Calibration, "methods": Method}
        model = models[location[0]] if len(location) > 1 else SearchFile
        return f"unknown key '{where}'{did_you_mean(location[-1], model.model_fields)}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" + ("" if first["type"] == "missing" else f", got {first.get('input')!r}")


def _space(path: Path, key: str, method: Method) -> SearchSpace:
    where = f"{path}: methods.{key}"
    try:
        entry = find("denoisers", key)
        cls = load_class(entry.target)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    if is_neural(cls):
        raise UserError(f"{where}: has a network, which is trained: python training/train_neural.py --model {key}")
    both = sorted(set(method.parameters) & set(method.search))
    if both:
        raise UserError(f"{where}: '{both[0]}' is both given and searched; keep one")
    name = key if ":" in key else entry.name
    for candidate in combinations(method.search):
        try:
            denoising.load(name, **method.parameters, **candidate)
        except UserError as error:
            raise UserError(f"{where}: {error}") from None
    return SearchSpace(name, entry, dict(method.parameters), method.search, searched_tracks(cls.tracks))
