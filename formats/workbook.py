"""Sheets of XLSX workbooks as rows of cells, and as numbers."""

from __future__ import annotations

import contextlib
import datetime as dt
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.archive_limits import refuse_zip_bomb
from cleansemg.core.errors import ItemError, one_line
from cleansemg.formats.table_shape import used_width
from cleansemg.formats.text_dialect import parse

MAX_COLUMNS = 1024
MAX_CELLS = 40_000_000
MAX_BYTES = 1 << 30  # unpacked: openpyxl holds all texts of a workbook in memory


@contextlib.contextmanager
def open_workbook(path: Path) -> Iterator[Any]:
    """A workbook as openpyxl reads it, with values in place of formulas.

    Raises:
        ItemError: missing, no workbook, damaged, or announcing far more than its size holds.
    """
    import openpyxl

    try:
        with zipfile.ZipFile(path) as archive:
            refuse_zip_bomb(archive)
            unpacked = sum(info.file_size for info in archive.infolist())
        if unpacked > MAX_BYTES:
            raise ItemError(f"unpacks to {unpacked / 1e6:.0f} MB; refused. Save the sheet as .csv")
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except ItemError:
        raise
    except FileNotFoundError:
        raise ItemError("no such file") from None
    except Exception as error:  # damaged bytes make openpyxl raise anything, and it means one thing
        raise ItemError(f"truncated, or not an .xlsx workbook ({one_line(error)})") from error
    try:
        yield book
    finally:
        book.close()


def sheet_names(path: Path) -> list[str]:
    """Sheets of a workbook; raises as `open_workbook`."""
    with open_workbook(path) as book:
        return [str(name) for name in book.sheetnames]


def read_rows(book: Any, sheet: str) -> list[Sequence[Any]]:
    """The rows of a sheet, each, without the empty cells at its end.

    Raises:
        ItemError: damaged, or more columns or cells than a recording has.
    """
    rows: list[Sequence[Any]] = []
    n_cells = 0
    try:
        worksheet = book[sheet]
        worksheet.reset_dimensions()  # some programs write wrong ones, and rows would be cut to them
        for cells in worksheet.iter_rows(values_only=True):
            row = cells if cells and cells[-1] is not None else cells[: used_width(cells)]
            n_cells += max(1, len(row))
            if len(row) > MAX_COLUMNS or n_cells > MAX_CELLS:
                raise ItemError(f"more than {MAX_COLUMNS} columns or {MAX_CELLS} cells; save the sheet as .csv")
            rows.append(row)
    except ItemError:
        raise
    except Exception as error:  # as above
        raise ItemError(f"sheet '{sheet}' is damaged ({one_line(error)})") from error
    return rows


def cell_value(cell: Any) -> float | str | None:
    """A cell's number; None where it is empty; else its text."""
    if cell is None:
        return None
    if isinstance(cell, bool | dt.datetime | dt.time | dt.date | dt.timedelta):
        return str(cell)
    return float(cell) if isinstance(cell, int | float) else parse(str(cell).strip(), ".")


def read_numbers(rows: Sequence[Sequence[Any]], columns: Sequence[int], sheet: str, above: int) -> NDArray[np.float64]:
    """[n, T] the numbers of some columns; NaN where a cell is empty.

    Args:
        rows: of samples.
        columns: indexes.
        sheet: its name, for messages.
        above: rows of the sheet above the first, for messages.

    Raises:
        ItemError: a text among the numbers.
    """
    values = np.full((len(columns), len(rows)), np.nan)
    for index, row in enumerate(rows):
        for series, column in enumerate(columns):
            if column >= len(row):
                continue
            cell = row[column]
            if type(cell) is not float and type(cell) is not int:
                cell = cell_value(cell)
            if isinstance(cell, str):
                where = f"sheet '{sheet}', row {index + above + 1}, column {column}"
                raise ItemError(f"{where}: '{cell[:40]}' is not a number")
            if cell is not None:
                values[series, index] = cell
    return values
