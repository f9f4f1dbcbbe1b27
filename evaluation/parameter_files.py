"""Reads parameters of classical denoisers from files: a `config_tradition.yaml` or a `tradition_params.json`.

A method may have one of three forms:
    {parameters: {...}, search: {...}}      config_tradition.yaml; what is searched is not used here
    {blind: {parameters: {...}}, ...}       tradition_params.json of this project, a winner a track
    {PARAMETER: value, ...}                 any other file: for every track that the method has
Methods may be under a key `methods`. Names of methods may be aliases; names of parameters may lack the unit
and have another case (`cutoff`, `K`). One error lists everything that cannot be understood.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from cleansemg.core import yaml_text
from cleansemg.core.errors import UserError, did_you_mean
from cleansemg.core.registry import find, load_class
from cleansemg.denoising.base import TRACKS
from cleansemg.training.tradition_params import FORMAT

Parameters = dict[str, Any]

UNITS = ("hz", "db", "s")


def read_parameters(path: Path) -> dict[tuple[str, str], Parameters]:
    """Parameters by denoiser and track.

    Raises:
        UserError: the file is absent, is not YAML or JSON, or names an unknown method, parameter or track.
    """
    content = _load(path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a mapping of denoisers to parameters")
    if str(content.get("format", FORMAT)) != FORMAT:
        raise UserError(f"{path}: format is {content['format']!r}, expected {FORMAT!r}")
    methods = content.get("methods", content)
    if not isinstance(methods, dict):
        raise UserError(f"{path}: methods: expected a mapping of denoisers to parameters")
    parameters_by_row: dict[tuple[str, str], Parameters] = {}
    problems: list[str] = []
    for key, value in methods.items():
        for row, parameters in _method(str(key), value, problems).items():
            if row in parameters_by_row:
                problems.append(f"'{key}' is {row[0]}, which is there twice")
            parameters_by_row[row] = parameters
    if problems:
        raise UserError(f"{path}: not understood: {'; '.join(problems)}; mend or take out what is named")
    return parameters_by_row


def _load(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text) if path.suffix == ".json" else yaml_text.load(text)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file of parameters") from None
    except (ValueError, RecursionError, yaml.YAMLError, OSError) as error:
        raise UserError(f"{path}: cannot be read ({yaml_text.problem(error)})") from None


def _method(key: str, value: Any, problems: list[str]) -> dict[tuple[str, str], Parameters]:
    """The parameters of one method by denoiser and track; what is not understood is added to `problems`."""
    try:
        entry = find("denoisers", key)
        cls = load_class(entry.target)
    except UserError as error:
        problems.append(str(error))
        return {}
    if not isinstance(value, dict):
        problems.append(f"'{key}' holds {value!r}, expected a mapping of parameters")
        return {}
    tracks: tuple[str, ...] = cls.tracks
    if value and set(value) <= set(TRACKS):
        by_track = dict(value)
        for track in [track for track in by_track if track not in tracks]:
            problems.append(f"'{key}' has no {track} track{did_you_mean(track, tracks)}")
            del by_track[track]
        winners = {track: _winner(block) for track, block in by_track.items()}
        for track in [track for track, winner in winners.items() if winner is None]:
            problems.append(f"'{key}' has no winner on its {track} track, its calibration failed")
            del winners[track]
    elif value and set(value) <= {"parameters", "search"}:
        winners = dict.fromkeys(tracks, value.get("parameters") or {})
    else:
        winners = dict.fromkeys(tracks, value)
    known = inspect.signature(cls).parameters
    return {(entry.name, track): _named(key, winner, known, problems) for track, winner in winners.items()}


def _winner(block: Any) -> Any:
    return block["parameters"] if isinstance(block, dict) and "parameters" in block else block


def _named(key: str, values: Any, known: Mapping[str, inspect.Parameter], problems: list[str]) -> Parameters:
    """The parameters under the names of the class's arguments; unknown names are added to `problems`."""
    if not isinstance(values, dict):
        problems.append(f"'{key}' holds {values!r}, expected a mapping of parameters")
        return {}
    named: Parameters = {}
    for given, value in values.items():
        name = _known_name(str(given), known)
        problem = None
        if name is None:
            problem = f"'{key}' has no parameter '{given}'{did_you_mean(str(given), known)}"
        elif name in named:
            problem = f"'{key}' names its parameter '{name}' twice"
        else:
            named[name] = value
        if problem and problem not in problems:  # once for all tracks
            problems.append(problem)
    return named


def _known_name(given: str, known: Mapping[str, inspect.Parameter]) -> str | None:
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in known.values()):
        return given
    spellings = [given, given.lower(), *(f"{given.lower()}_{unit}" for unit in UNITS)]
    return next((spelling for spelling in spellings if spelling in known), None)
