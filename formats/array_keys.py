"""Which variable of a npz or MAT file is the signal, and what the others say about it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError
from cleansemg.formats.channel_selection import Candidate, ReadOptions, nearest, select_channels, select_rate
from cleansemg.formats.header_cells import is_unit, split_unit
from cleansemg.formats.info import ArrayLayout, ChannelInfo

RATE_KEYS = (
    "fs_hz",
    "fs",
    "srate",
    "sampling_rate",
    "samplingrate",
    "sampling_rate_hz",
    "sample_rate",
    "samplerate",
    "sampling_frequency",
    "sfreq",
    "freq",
    "frequency",
)
UNIT_KEYS = ("unit", "units")
CHANNEL_KEYS = ("channels", "channel_names", "names", "ch_names", "labels_of_channels")
TIME_KEYS = ("time", "t", "time_s", "timestamps", "times")
START_KEYS = ("start_s",)
SHORT_TYPES = frozenset({"float32", "float16", "int16", "uint16", "int8", "uint8"})  # float32 holds them exactly


@dataclass(frozen=True)
class Variable:
    """One of a file, as its header describes it."""

    name: str
    shape: tuple[int, ...]
    numeric: bool

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def is_vector(self) -> bool:
        return self.size == max(self.shape, default=1)


@dataclass(frozen=True)
class SelectedArray:
    """What to read from a npy, npz or MAT file."""

    layout: ArrayLayout
    channels: tuple[ChannelInfo, ...]
    fs_hz: float
    n_samples: int
    start_s: float
    time: str


def pick_signal(path: Path, variables: Sequence[Variable], options: ReadOptions) -> Variable:
    """The only matrix of numbers, else the only vector that is no time and no rate.

    Raises:
        UserError: none, or several; says which.
    """
    by_name = {variable.name: variable for variable in variables}
    if options.key is not None:
        variable = by_name.get(options.key)
        if variable is None:
            hint = nearest(options.key, list(by_name))
            raise UserError(f"{path}: no variable '{options.key}'{hint}; there are {', '.join(by_name) or 'none'}")
        if not variable.numeric or not 1 <= len(variable.shape) <= 2 or not variable.size:
            raise UserError(f"{path}: '{variable.name}' is no table of real numbers (shape {list(variable.shape)})")
        return variable
    known = {*RATE_KEYS, *UNIT_KEYS, *CHANNEL_KEYS, *TIME_KEYS, *START_KEYS}
    usable = [
        v for v in variables if v.numeric and 1 <= len(v.shape) <= 2 and v.size > 1 and v.name.lower() not in known
    ]
    matrices = [v for v in usable if not v.is_vector]
    possible = matrices or usable
    if not possible:
        there = ", ".join(_shown(v) for v in variables[:20]) or "nothing"
        raise UserError(f"{path}: holds no table of real numbers (pickled objects are refused); it holds {there}")
    if len(possible) > 1:
        there = ", ".join(_shown(v) for v in possible[:20])
        raise UserError(f"{path}: several variables could be the signal; choose one with --key: {there}")
    return possible[0]


def _shown(variable: Variable) -> str:
    """Name and shape for a message; the name of a damaged file's may be of any length and letters."""
    return f"{ascii(variable.name[:64])[1:-1]} {list(variable.shape)}"


def describe(
    path: Path,
    signal: Variable,
    companions: Mapping[str, NDArray[Any]],
    dtype: str,
    options: ReadOptions,
    stamps: Callable[[str, int], float | None],
) -> SelectedArray:
    """Axes, names, units and rate.

    Args:
        path: for messages.
        signal: the selected variable.
        companions: the small variables beside it.
        dtype: of the signal.
        options: the user's.
        stamps: (name, length) -> rate in Hz that a variable of time stamps gives; None: it holds no time stamps.

    Raises:
        UserError: see `select_rate` and `select_channels`.
    """
    keys = {name.lower(): name for name in companions}
    fs_key, unit_key, channels_key = (
        next((keys[k] for k in known if k in keys), "") for known in (RATE_KEYS, UNIT_KEYS, CHANNEL_KEYS)
    )
    names = _texts(companions[channels_key]) if channels_key else []
    shape = signal.shape if len(signal.shape) == 2 else (signal.size, 1)
    time_first = shape[0] >= shape[1]
    if names and len(names) in shape and shape[0] != shape[1]:
        time_first = len(names) == shape[1]
    n_samples, n_channels = shape if time_first else shape[::-1]
    if len(names) != n_channels:
        names, channels_key = [""] * n_channels, ""
    units = [text if is_unit(text) else None for text in (_texts(companions[unit_key]) if unit_key else [])]
    if len(units) == 1:
        units *= n_channels
    if len(units) != n_channels:
        units = [None] * n_channels
    candidates = []
    for column, (name, unit) in enumerate(zip(names, units, strict=True)):
        base, name_unit = (name, None) if unit else split_unit(name)
        candidates.append(Candidate(base, unit or name_unit, column))
    fs_hz, where = None, f"'{fs_key}'"
    if fs_key:
        fs_hz = _number(path, fs_key, companions[fs_key])
    time = ""
    for key in TIME_KEYS:
        stamps_hz = stamps(keys[key], n_samples) if key in keys else None
        if stamps_hz is not None:
            time = keys[key]
            if fs_hz is not None and abs(fs_hz - stamps_hz) > 0.01 * fs_hz:
                raise UserError(f"{path}: {where} says {fs_hz:.6g} Hz, '{time}' {stamps_hz:.6g} Hz")
            fs_hz, where = (stamps_hz, f"'{time}'") if fs_hz is None else (fs_hz, where)
            break
    start_s = float(np.asarray(companions[time], np.float64).reshape(-1)[0]) if time else 0.0
    if "start_s" in keys:
        start_s = _number(path, keys["start_s"], companions[keys["start_s"]])
    rate = select_rate(path, fs_hz, options, where)
    channels = select_channels(path, candidates, options)
    layout = ArrayLayout(
        signal.name, len(signal.shape), time_first, "float32" if dtype in SHORT_TYPES else "float64",
        fs_key, unit_key, channels_key,
    )  # fmt: skip
    return SelectedArray(layout, channels, rate, n_samples, start_s, time)


def rate_of_stamps(path: Path, name: str, stamps: NDArray[Any]) -> float:
    """Hz from [T] stamps in seconds.

    Raises:
        UserError: they are not evenly spaced.
    """
    values = np.asarray(stamps, np.float64).reshape(-1)
    span = float(values[-1] - values[0])
    step = span / (values.size - 1)
    expected = values[0] + np.arange(values.size) * step
    if not math.isfinite(step) or step <= 0 or np.abs(values - expected).max() > 0.5 * step:
        raise UserError(f"{path}: '{name}' is not evenly spaced; gaps in time are read from tables alone")
    fs_hz = 1 / step
    return float(round(fs_hz)) if abs(fs_hz - round(fs_hz)) < 1e-6 * fs_hz else fs_hz


def companions(layout: ArrayLayout, channels: Sequence[ChannelInfo], fs_hz: float, start_s: float) -> dict[str, Any]:
    """The variables that go beside a signal."""
    beside: dict[str, Any] = {layout.fs_key or "fs_hz": np.float64(fs_hz)}
    if all(channel.is_voltage for channel in channels):
        units = [channel.unit for channel in channels]
        beside[layout.unit_key or "unit"] = np.array(units[0] if len(set(units)) == 1 else units)
    beside[layout.channels_key or "channels"] = np.array([channel.name for channel in channels])
    if start_s:
        beside["start_s"] = np.float64(start_s)
    return beside


def _texts(values: NDArray[Any]) -> list[str]:
    """Texts of an array of text, or of MATLAB's cell of texts."""
    texts: list[str] = []
    for value in np.asarray(values).reshape(-1):
        text = value.reshape(-1)[0] if isinstance(value, np.ndarray) and value.size == 1 else value
        if not isinstance(text, str):
            return []
        texts.append(str(text).strip())
    return texts


def _number(path: Path, key: str, value: NDArray[Any]) -> float:
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "fiu":
        raise UserError(f"{path}: '{key}' holds no single number")
    return float(array.reshape(-1)[0])
