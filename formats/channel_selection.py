"""Which channels, in which unit, at which rate: from what the file states and what the user asks for."""

from __future__ import annotations

import difflib
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cleansemg.core.errors import UserError
from cleansemg.formats.info import RAW_UNIT, ChannelInfo, Coding
from cleansemg.formats.units import VOLTS_PER_UNIT, volts_per_unit

LOG = logging.getLogger(__name__)
MIN_FS_HZ = 200.0
MAX_FS_HZ = 1e6
RATE_TOLERANCE = 0.01
MAX_DAYS = 14.0

Channel = str | int


@dataclass(frozen=True)
class ReadOptions:
    """What the user asks for; None: whatever the file states.

    Attributes:
        fs_hz: sampling rate.
        unit: V, mV, uV, nV, or the number of volts that 1 in the file stands for.
        offset: the number in the file that stands for 0 V.
        channels: names, or indexes in the file from 0.
        sheet: of a workbook.
        key: the variable of a MAT or npz file.
        time: name or index of the column of time stamps; "none": there is none.
    """

    fs_hz: float | None = None
    unit: str | float | None = None
    offset: float = 0.0
    channels: Sequence[Channel] | None = None
    sheet: str | None = None
    key: str | None = None
    time: Channel | None = None


@dataclass(frozen=True)
class Candidate:
    """A channel that a file holds.

    Attributes:
        name: its name; "" without one.
        unit: as the file says; None: it says nothing.
        column: its index in the file.
        reason: why it cannot be a signal ("text"); "" where it can.
        coding: of formats that store whole numbers.
    """

    name: str
    unit: str | None
    column: int
    reason: str = ""
    coding: Coding | None = None


def select_rate(path: Path, stated_hz: float | None, options: ReadOptions, where: str) -> float:
    """The sampling rate: what the file states, else what the user gives.

    Args:
        path: of the file.
        stated_hz: what the file states; None: nothing.
        options: `fs_hz`.
        where: in the file, for the message.

    Raises:
        UserError: neither gives one, they differ by more than 1 %, or it is no rate of surface EMG.
    """
    asked = options.fs_hz
    if asked is not None and not (math.isfinite(asked) and asked > 0):
        raise UserError(f"--fs {asked:g} is not a sampling rate in Hz")
    fs_hz = asked if stated_hz is None else stated_hz
    if fs_hz is None:
        raise UserError(f"{path}: does not say its sampling rate; give --fs HZ")
    if asked is not None and abs(fs_hz - asked) > RATE_TOLERANCE * fs_hz:
        raise UserError(f"{path}: {where} says {fs_hz:.6g} Hz, --fs {asked:.6g} Hz; which is right?")
    if not math.isfinite(fs_hz) or not MIN_FS_HZ <= fs_hz <= MAX_FS_HZ:
        source = "--fs" if stated_hz is None else where
        raise UserError(
            f"{path}: {source} gives {fs_hz:.6g} Hz; surface EMG needs {MIN_FS_HZ:g} Hz or more (at most {MAX_FS_HZ:g})"
        )
    return float(fs_hz)


def select_channels(path: Path, candidates: Sequence[Candidate], options: ReadOptions) -> tuple[ChannelInfo, ...]:
    """The channels to read, each with its unit.

    Without `options.channels`: all whose unit is a voltage; all without a unit, too, where the user gave it or no
    channel has one. What is left out is logged.

    Raises:
        UserError: an unknown channel, none left, or a unit that neither gives or that both give differently.
    """
    asked = _asked_unit(options)
    if options.channels is not None:
        selected = _find(path, candidates, options.channels)
    else:
        usable = [
            c for c in candidates if not c.reason and (c.unit is None or _is_voltage(c.unit) or _is_raw(c.unit, asked))
        ]
        voltages = [c for c in usable if c.unit is not None]
        selected = usable if asked is not None or not voltages else voltages
        left = [f"'{c.name or c.column}' ({c.reason or c.unit or 'no unit'})" for c in candidates if c not in selected]
        if not selected:
            raise UserError(
                f"{path}: no channel is in volts: {', '.join(left) or 'it has none'}; give --channels and --unit"
            )
        if left:
            LOG.warning("%s: left out: %s", path, ", ".join(left))
    return tuple(_with_unit(path, candidate, asked, options) for candidate in selected)


def require_one_rate(path: Path, rates_hz: Sequence[tuple[str, float]]) -> float:
    """The one sampling rate of all channels.

    Args:
        path: of the file.
        rates_hz: name and rate of each channel.

    Raises:
        UserError: there are several; lists them.
    """
    by_rate: dict[float, list[str]] = {}
    for name, rate in rates_hz:
        by_rate.setdefault(rate, []).append(name)
    if len(by_rate) > 1:
        groups = "; ".join(f"{rate:g} Hz: {', '.join(names)}" for rate, names in sorted(by_rate.items(), reverse=True))
        raise UserError(f"{path}: channels have different rates; choose some of one with --channels ({groups})")
    return next(iter(by_rate))


def check_length(path: Path, n_samples: int, n_channels: int, fs_hz: float) -> None:
    """Refuse what no recording is, before memory is reserved for it.

    Raises:
        UserError: longer than two weeks.
    """
    days = n_samples / fs_hz / 86400
    if days > MAX_DAYS:
        raise UserError(
            f"{path}: declares {n_samples} samples of {n_channels} channels, {days:.3g} days; at most {MAX_DAYS:g}"
        )


def nearest(name: str, names: Sequence[str]) -> str:
    """A hint at the names that are alike, or nothing."""
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(repr(match) for match in close)}?" if close else ""


def _asked_unit(options: ReadOptions) -> float | None:
    if options.unit is None:
        if options.offset:
            raise UserError("--offset needs --unit: the number of volts that 1 in the file stands for")
        return None
    unit: str | float = options.unit
    if isinstance(unit, str):
        try:
            unit = float(unit)
        except ValueError:
            unit = str(unit)
    try:
        factor = volts_per_unit(unit)
    except ValueError as error:
        raise UserError(f"--unit: {error}") from None
    if not math.isfinite(factor) or not math.isfinite(options.offset):
        raise UserError(f"--unit {options.unit} --offset {options.offset}: not finite")
    return factor


def _find(path: Path, candidates: Sequence[Candidate], asked: Sequence[Channel]) -> list[Candidate]:
    names = [candidate.name for candidate in candidates]
    selected: list[Candidate] = []
    for channel in asked:
        matches = [c for c in candidates if c.name == channel]
        if not matches and str(channel).strip().isdecimal():
            matches = [c for c in candidates if c.column == int(channel)]
        if not matches:
            there = ", ".join(f"{c.column} '{c.name}'" for c in candidates) or "none"
            raise UserError(f"{path}: no channel '{channel}'{nearest(str(channel), names)}; there are {there}")
        if len(matches) > 1:
            indexes = ", ".join(str(c.column) for c in matches)
            raise UserError(f"{path}: {len(matches)} channels are called '{channel}'; give the index: {indexes}")
        if matches[0].reason:
            raise UserError(f"{path}: channel '{channel}' is no signal ({matches[0].reason})")
        if matches[0] in selected:
            raise UserError(f"{path}: --channels names '{channel}' twice")
        selected += matches
    if not selected:
        raise UserError(f"{path}: --channels names no channel")
    return selected


def _with_unit(path: Path, candidate: Candidate, asked: float | None, options: ReadOptions) -> ChannelInfo:
    name = candidate.name or f"ch{candidate.column + 1}"
    if candidate.unit is not None and _is_voltage(candidate.unit):
        stated = volts_per_unit(candidate.unit)
        if asked is not None and not math.isclose(asked, stated):
            raise UserError(
                f"{path}: channel '{name}' is in {candidate.unit}, --unit says {options.unit}; which is right?"
            )
        return ChannelInfo(name, candidate.unit, stated, options.offset, candidate.column, candidate.coding)
    if asked is None:
        problem = f"is in '{candidate.unit}', which is no voltage" if candidate.unit else "has no unit"
        raise UserError(
            f"{path}: channel '{name}' {problem}; give --unit V, mV, uV, nV or volts for 1, or choose --channels"
        )
    unit = str(options.unit) if isinstance(options.unit, str) and _is_voltage(options.unit) else RAW_UNIT
    return ChannelInfo(name, unit, asked, options.offset, candidate.column, candidate.coding)


def _is_voltage(unit: str) -> bool:
    return unit.strip().lower() in VOLTS_PER_UNIT


def _is_raw(unit: str, asked: float | None) -> bool:
    """Numbers straight from the converter, of which the user says the worth."""
    return asked is not None and unit.strip().lower() in {RAW_UNIT, "nu", "code", "codes", "adc", "raw", "a.u.", "au"}
