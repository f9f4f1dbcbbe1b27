"""CSV, TSV, TXT, XLSX and npz files as tables of numbers: rows are samples, columns channels."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import npz
from cleansemg.core.errors import ArtifactError, ItemError
from cleansemg.formats import workbook
from cleansemg.formats.text_dialect import Dialect, split_line
from cleansemg.formats.text_table import MAX_LINE_CHARACTERS, TextTable

Column = int | str  # an index from 0, or a name in the header
TEXT = (".csv", ".tsv", ".txt")
XLSX = ".xlsx"
NPZ = ".npz"
SUFFIXES = (*TEXT, XLSX, NPZ)


@dataclass(frozen=True)
class Layout:
    """How the numbers lie in a text file or a sheet.

    Attributes:
        header_lines: lines before the first sample; names of columns are in the last that is not empty.
        delimiter: between columns; None: a tab in .tsv, a comma elsewhere.
        decimal: the decimal mark.
    """

    header_lines: int = 0
    delimiter: str | None = None
    decimal: str = "."

    def delimiter_of(self, path: Path) -> str:
        return self.delimiter or ("\t" if path.suffix.lower() == ".tsv" else ",")


@dataclass(frozen=True)
class Table:
    """An opened table.

    Attributes:
        names: of its columns, as the header has them; empty without a header.
        width: how many columns there are.
        read: indexes of columns -> [T, n] float64, NaN where a cell is empty. What is in the other columns
            does not matter.
    """

    names: Sequence[str]
    width: int
    read: Callable[[Sequence[int]], NDArray[np.float64]]


def open_text(path: Path, layout: Layout) -> Table:
    """A text file.

    Raises:
        ItemError: missing, or without samples. Its `read` raises it for rows longer than the first, and for text
            among the numbers (says which line).
    """
    delimiter = layout.delimiter_of(path)
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            header = list(itertools.islice(file, layout.header_lines))
            first = file.readline(MAX_LINE_CHARACTERS).rstrip("\n")
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise ItemError("no such file" if missing else f"cannot be read ({error.strerror or error})") from None
    if not first.strip():
        lines = f"in the line after {layout.header_lines} header lines"
        raise ItemError(f"holds no sample {lines} (empty lines count)")
    width = len(split_line(first, delimiter))
    dialect = Dialect("utf-8-sig", "\n", delimiter, layout.decimal)
    table = TextTable(path, dialect, layout.header_lines, width, errors="replace")
    last = next((line for line in reversed(header) if line.strip()), "")
    names = [name.strip().strip('"') for name in last.rstrip("\n").split(delimiter)] if last else []
    return Table(names, width, lambda columns: _with_header(table.read, columns, layout))


def open_sheet(path: Path, sheet: str, layout: Layout) -> Table:
    """A sheet of a workbook.

    Raises:
        ItemError: missing file or sheet, or no samples. Its `read` raises it for text among the numbers (says which
            row).
    """
    with workbook.open_workbook(path) as book:
        if sheet not in book.sheetnames:
            raise ItemError(f"no sheet '{sheet}'; there are {', '.join(book.sheetnames)}")
        rows = workbook.read_rows(book, sheet)
    header, body = rows[: layout.header_lines], rows[layout.header_lines :]
    width = max(map(len, body), default=0)
    if width == 0:
        raise ItemError(f"sheet '{sheet}' holds no sample after {layout.header_lines} header lines")
    names = ["" if cell is None else str(cell).strip() for cell in next(filter(None, reversed(header)), ())]

    def read(columns: Sequence[int]) -> NDArray[np.float64]:
        return workbook.read_numbers(body, columns, sheet, layout.header_lines)

    return Table(names, width, lambda columns: _with_header(read, columns, layout))


def open_npz(path: Path, signal_key: str, fs_key: str | None) -> tuple[Table, float | None]:
    """The signal of an npz file ([T], [T, C] or [C, T], the longer axis being time), and the rate that it states.

    Returns:
        The table; and Hz, None without `fs_key`.

    Raises:
        ItemError: missing, damaged, pickled, or without one of the keys.
    """
    try:
        arrays = npz.read(path)
    except ArtifactError as error:
        raise ItemError(str(error).removeprefix(f"{path}: ")) from error
    for key in (signal_key, fs_key):
        if key is not None and key not in arrays:
            raise ItemError(f"has no '{key}'; it holds {', '.join(arrays) or 'nothing'}")
    signal = arrays[signal_key]
    if signal.dtype.kind not in "fiu" or signal.ndim not in (1, 2) or not signal.size:
        raise ItemError(f"'{signal_key}' is no table of numbers (shape {signal.shape}, {signal.dtype})")
    rows = signal.reshape(signal.shape[0], -1)
    table = rows.T if rows.shape[1] > rows.shape[0] else rows  # [T, C]
    fs_hz = None
    if fs_key is not None:
        try:
            fs_hz = float(arrays[fs_key].reshape(-1)[0])
        except (ValueError, IndexError):
            raise ItemError(f"'{fs_key}' does not hold a sampling rate") from None
    return Table([], table.shape[1], lambda columns: npz.float64(table[:, list(columns)])), fs_hz


def column_index(column: Column, names: Sequence[str], width: int) -> int:
    """Where a column is.

    Raises:
        ItemError: there is no such column.
    """
    if isinstance(column, int):
        if 0 <= column < width:
            return column
        raise ItemError(f"has no column {column}; columns are 0 to {width - 1}; is the delimiter right?")
    if column in names:
        return list(names).index(column)
    there = ", ".join(f"'{name}'" for name in names) or "none (is header_lines set?)"
    raise ItemError(f"has no column called '{column}'; names are {there}")


def _with_header(
    read: Callable[[Sequence[int]], NDArray[np.float64]], columns: Sequence[int], layout: Layout
) -> NDArray[np.float64]:
    """[T, n] what is read; an error says how many lines were taken for the header, as that may be what is wrong."""
    try:
        return read(columns).T
    except ItemError as error:
        raise ItemError(f"{error} (header_lines: {layout.header_lines})") from None
