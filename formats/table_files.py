"""CSV, TSV, TXT, XLSX and npz files as tables of numbers: rows are samples, columns channels."""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import npz
from cleansemg.core.errors import ArtifactError, ItemError, one_line
from cleansemg.formats.exponents import absurd_in_file

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


def sheet_names(path: Path) -> list[str]:
    """Sheets of a workbook.

    Raises:
        ItemError: not a workbook, or a damaged one.
    """
    workbook = _open_workbook(path)
    try:
        return [str(name) for name in workbook.sheetnames]
    finally:
        workbook.close()


def open_text(path: Path, layout: Layout) -> Table:
    """A text file.

    Raises:
        ItemError: missing, or without samples. Its `read` raises it for rows longer than the first, and for text
            among the numbers (says which line).
    """
    import pandas as pd

    delimiter = layout.delimiter_of(path)
    how: dict[str, Any] = {
        "sep": delimiter,
        "decimal": layout.decimal,
        "header": None,
        "skiprows": layout.header_lines,
        "skip_blank_lines": False,
        "skipinitialspace": True,
        "encoding": "utf-8-sig",
        "encoding_errors": "replace",
        "engine": "c",
    }
    names = _names(_header(path, layout.header_lines), delimiter)
    absurd = absurd_in_file(path)
    if absurd:
        raise ItemError(f"'{absurd}...' is not a number")
    try:
        width = pd.read_csv(path, dtype=str, nrows=1, **how).shape[1]
    except pd.errors.EmptyDataError:
        raise ItemError(
            f"holds no sample in the line after {layout.header_lines} header lines (empty lines count)"
        ) from None
    except (ValueError, OSError) as error:
        raise ItemError(f"cannot be read ({error})") from error

    def read(columns: Sequence[int]) -> NDArray[np.float64]:
        try:  # all columns, as rows that are too long go unnoticed when some are chosen
            table = pd.read_csv(path, dtype=dict.fromkeys(columns, np.float64), low_memory=False, **how)
        except pd.errors.ParserError as error:
            raise ItemError(f"rows of different lengths ({str(error).strip().splitlines()[-1]})") from None
        except ValueError as error:
            try:
                text = pd.read_csv(path, dtype=str, usecols=sorted(set(columns)), **how)
            except ValueError:
                raise ItemError(one_line(error)) from None
            raise ItemError(_first_text(text, layout) or one_line(error)) from None
        if not set(columns) <= set(table.columns):
            raise ItemError(f"rows of different lengths ({table.shape[1]} columns in all, {width} in the first row)")
        return np.asarray(table[list(columns)], np.float64)

    return Table(names, width, read)


def open_sheet(path: Path, sheet: str, layout: Layout) -> Table:
    """A sheet of a workbook, read in one pass.

    Raises:
        ItemError: missing file or sheet, or no samples. Its `read` raises it for text among the numbers (says which
            row).
    """
    workbook = _open_workbook(path)
    try:
        if sheet not in workbook.sheetnames:
            raise ItemError(f"no sheet '{sheet}'; there are {', '.join(workbook.sheetnames)}")
        worksheet = workbook[sheet]
        worksheet.reset_dimensions()  # some programs write wrong ones, and rows would be cut to them
        rows = worksheet.iter_rows(values_only=True)
        header = list(itertools.islice(rows, layout.header_lines))
        body = list(rows)
    except ItemError:
        raise
    except Exception as error:  # damaged bytes make openpyxl raise anything, and it means one thing
        raise ItemError(f"sheet '{sheet}' is damaged ({one_line(error)})") from error
    finally:
        workbook.close()
    width = max((len(row) for row in body), default=0)
    if width == 0:
        raise ItemError(f"sheet '{sheet}' holds no sample after {layout.header_lines} header lines")
    last = next((row for row in reversed(header) if any(cell is not None for cell in row)), ())
    names = ["" if cell is None else str(cell).strip() for cell in last]

    def read(columns: Sequence[int]) -> NDArray[np.float64]:
        table = np.full((len(body), len(columns)), np.nan)
        for index, row in enumerate(body):
            for place, column in enumerate(columns):
                cell = row[column] if column < len(row) else None
                if isinstance(cell, int | float):
                    table[index, place] = cell
                elif cell is not None:
                    raise ItemError(
                        f"sheet '{sheet}', row {index + layout.header_lines + 1}, column {column}: "
                        f"'{cell}' is not a number (header_lines: {layout.header_lines})"
                    )
        return table

    return Table(names, width, read)


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


def _header(path: Path, n_lines: int) -> list[str]:
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            return list(itertools.islice(file, n_lines))
    except FileNotFoundError:
        raise ItemError("no such file") from None


def _first_text(text: Any, layout: Layout) -> str:
    """Where a data frame of texts first holds one that is no number."""
    import pandas as pd

    stripped = text.apply(lambda column: column.str.strip().replace("", np.nan))
    numbers = stripped.apply(
        lambda column: pd.to_numeric(column.str.replace(layout.decimal, ".", regex=False), errors="coerce")
    )
    bad = np.argwhere((numbers.isna() & stripped.notna()).to_numpy())
    if not bad.size:
        return ""
    row, place = bad[0]
    return (
        f"line {row + layout.header_lines + 1}, column {text.columns[place]}: '{stripped.iat[row, place]}' is not a "
        f"number (header_lines: {layout.header_lines})"
    )


def _names(header: Sequence[str], delimiter: str) -> list[str]:
    last = next((line for line in reversed(header) if line.strip()), "")
    return [name.strip().strip('"') for name in last.rstrip("\r\n").split(delimiter)] if last else []


def _open_workbook(path: Path) -> Any:
    import openpyxl

    try:
        with zipfile.ZipFile(path) as archive:
            npz.require_plausible(archive)
        return openpyxl.load_workbook(path, read_only=True, data_only=True)
    except FileNotFoundError:
        raise ItemError("no such file") from None
    except Exception as error:  # as for a damaged sheet
        raise ItemError(f"truncated, or not an .xlsx workbook ({one_line(error)})") from error
