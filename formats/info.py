"""What is known about a recording's file: enough to read it, and to write another like it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.formats.units import VOLTS_PER_UNIT

RAW_UNIT = "adu"  # WFDB's word for a number straight from the converter


@dataclass(frozen=True)
class Coding:
    """How whole numbers in a file stand for values in the channel's unit (EDF, BDF, WFDB).

    Attributes:
        physical_min: the value that `code_min` stands for.
        physical_max: the value that `code_max` stands for.
        code_min: the smallest code in use.
        code_max: the largest.
        bits: of a stored code.
    """

    physical_min: float
    physical_max: float
    code_min: int
    code_max: int
    bits: int

    @property
    def units_per_code(self) -> float:
        return (self.physical_max - self.physical_min) / (self.code_max - self.code_min)


@dataclass(frozen=True)
class ChannelInfo:
    """One channel.

    Attributes:
        name: as the file has it, else ch1, ch2, ...
        unit: as the file has it or the user gave it; `adu` where the user gave a number.
        volts_per_unit: volts = (value - offset) * volts_per_unit.
        offset: in the file's own numbers.
        column: its index in the file, from 0.
        coding: of formats that store whole numbers.
    """

    name: str
    unit: str
    volts_per_unit: float
    offset: float = 0.0
    column: int = 0
    coding: Coding | None = None

    @property
    def is_voltage(self) -> bool:
        """Whether `unit` is the name of a voltage that describes the numbers alone."""
        factor = VOLTS_PER_UNIT.get(self.unit.strip().lower())
        return factor == self.volts_per_unit and not self.offset


@dataclass(frozen=True)
class TimeColumn:
    """A column of time stamps, or of sample numbers.

    Attributes:
        column: its index in the file.
        position: its index among the columns of a file that holds it and the selected channels.
        header: its cell in the line of names ("" without one).
        unit_header: its cell in the line of units.
        s_per_unit: seconds that 1 stands for; None: it counts samples.
        first: the first stamp, in the column's own unit.
        step: from stamp to stamp, in the column's own unit.
        resolution: of the stamps as written, in the column's own unit.
        uncertainty: relative, of `step`.
        decimals: digits after the mark.
    """

    column: int
    position: int
    header: str
    unit_header: str
    s_per_unit: float | None
    first: float
    step: float
    resolution: float
    uncertainty: float
    decimals: int


@dataclass(frozen=True)
class TableLayout:
    """How the numbers lie in a text file or a sheet.

    Attributes:
        header_lines: lines (rows) before the first sample.
        preamble: those that come before the line of names.
        names: cells of the line of names, one a selected channel; None without such a line.
        units: cells of a line of units below it; None without such a line.
        time: the column of time stamps.
        width: columns in the file.
        delimiter: between columns; a blank: any white space; "" in a file of one column, and in a sheet.
        decimal: the decimal mark.
        encoding: of the text.
        newline: what ends a line.
        sheet: its name.
    """

    header_lines: int
    preamble: tuple[str, ...]
    names: tuple[str, ...] | None
    units: tuple[str, ...] | None
    time: TimeColumn | None
    width: int
    delimiter: str = ","
    decimal: str = "."
    encoding: str = "utf-8"
    newline: str = "\n"
    sheet: str = ""


@dataclass(frozen=True)
class ArrayLayout:
    """How the numbers lie in a npy, npz or MAT file.

    Attributes:
        key: the variable that holds the signal ("" in npy).
        ndim: 1 or 2.
        time_first: [T, C], else [C, T].
        dtype: float32 or float64, of a file to be written like it.
        fs_key: the variable that holds the rate; "" without one.
        unit_key: likewise.
        channels_key: likewise.
        compressed: npz and MAT.
    """

    key: str = "signal"
    ndim: int = 2
    time_first: bool = True
    dtype: str = "float64"
    fs_key: str = "fs_hz"
    unit_key: str = "unit"
    channels_key: str = "channels"
    compressed: bool = False


@dataclass(frozen=True)
class Annotation:
    """A note in an EDF+ or BDF+ file: seconds from the start, seconds (None: a point in time), text."""

    onset_s: float
    duration_s: float | None
    text: str


@dataclass(frozen=True)
class EdfLayout:
    """What an EDF or BDF file says besides its signals: texts of the header, one record's length, annotations."""

    patient: str
    recording: str
    plus: bool
    record_s: str
    samples_per_record: int
    transducers: tuple[str, ...]
    prefilters: tuple[str, ...]
    annotations: tuple[Annotation, ...]


@dataclass(frozen=True)
class WfdbLayout:
    """What a WFDB header says besides its signals."""

    comments: tuple[str, ...]


Layout = TableLayout | ArrayLayout | EdfLayout | WfdbLayout


@dataclass(frozen=True)
class FileInfo:
    """A recording's file.

    Attributes:
        path: of the file.
        format: a key of `FORMATS`.
        fs_hz: sampling rate.
        channels: those selected, in their order.
        n_samples: None where only a full pass tells (text).
        start_s: the first time stamp where the file has some, else 0.
        start_datetime: when the recording began (EDF, BDF, WFDB).
        layout: what a writer needs to make a file like it.
    """

    path: Path
    format: str
    fs_hz: float
    channels: tuple[ChannelInfo, ...]
    n_samples: int | None
    layout: Layout
    start_s: float = 0.0
    start_datetime: datetime | None = None


def scale_of(channels: tuple[ChannelInfo, ...]) -> NDArray[np.float64]:
    """[C, 1] volts for 1 in the file."""
    return np.array([channel.volts_per_unit for channel in channels])[:, None]


def offset_of(channels: tuple[ChannelInfo, ...]) -> NDArray[np.float64]:
    """[C, 1] numbers in the file that stand for 0 V."""
    return np.array([channel.offset for channel in channels])[:, None]
