"""XLSX workbooks: read whole, written row by row."""

from __future__ import annotations

import datetime as dt
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError, one_line
from cleansemg.formats.channel_selection import ReadOptions, nearest
from cleansemg.formats.header_cells import is_description
from cleansemg.formats.info import FileInfo, TableLayout
from cleansemg.formats.reblocking import fill_gaps, reblock
from cleansemg.formats.signal_file import SignalFile, SignalWriter, publish
from cleansemg.formats.table_files import sheet_names
from cleansemg.formats.table_shape import Row, choose_columns, find_shape, used_width
from cleansemg.formats.text_sniffing import SAMPLE_LINES, parse
from cleansemg.formats.text_writing import stamp_values
from cleansemg.formats.time_stamps import MissingSamples

MAX_ROWS = 1_048_576  # of a sheet, by the format
MAX_COLUMNS = 1024
MAX_CELLS = 40_000_000
MAX_BYTES = 1 << 30
MAX_RATIO = 200  # of unpacked to packed; sheets of numbers have 3 to 20
RATIO_FROM_BYTES = 1 << 26


class SheetFile(SignalFile):
    """One sheet of a workbook.

    Raises:
        UserError: damaged, absurdly large, several sheets to choose from, or no table of numbers.
    """

    def __init__(self, path: Path, options: ReadOptions) -> None:
        _refuse_bombs(path)
        sheet, rows = _load(path, options.sheet)
        width = max((len(row) for row in rows[:SAMPLE_LINES]), default=0)
        sample = [[*row, *[None] * (width - len(row))] for row in rows[:SAMPLE_LINES]]  # sheets end rows at will
        shape = find_shape(path, sample)
        header = [" ".join(f"{cell}" for cell in row if cell is not None) for row in rows[: shape.header_rows]]
        columns = choose_columns(path, shape, sample, [], header, options)
        layout = replace(columns.layout, preamble=tuple(header[: shape.preamble_rows]), sheet=sheet, delimiter="")
        chosen = [channel.column for channel in columns.channels]
        read = chosen if layout.time is None else [*chosen, layout.time.column]
        self._values = _numbers(path, sheet, rows, shape.header_rows, read)  # [n, T]
        info = FileInfo(path, "xlsx", columns.fs_hz, columns.channels, None, layout, columns.start_s)
        if layout.time is not None:
            missing = MissingSamples(path, layout.time)
            gaps = missing.before(self._values[-1], lambda row: row + shape.header_rows + 1)
            missing.report()
            self._values = np.concatenate(list(fill_gaps(self._values[:-1], gaps, 1 << 20)), axis=1)
        self.info = replace(info, n_samples=self._values.shape[1])

    def _blocks(self, max_samples: int) -> Iterator[NDArray[np.float64]]:
        yield from reblock([self._values], max_samples)


class SheetWriter(SignalWriter):
    """Writes a workbook of one sheet."""

    def _open(self) -> None:
        import openpyxl

        layout = self.info.layout
        assert isinstance(layout, TableLayout)  # noqa: S101 - cannot happen
        self._layout = layout
        self.temporary.touch()
        self._book = openpyxl.Workbook(write_only=True)
        self._sheet = self._book.create_sheet(layout.sheet or "EMG")
        self._rows = self._written = 0
        for line in layout.preamble:
            if not is_description(line):
                self._append([line])
        for cells, time in (
            (layout.names, layout.time.header if layout.time else ""),
            (layout.units, layout.time.unit_header if layout.time else ""),
        ):
            if cells is not None:
                row: list[Any] = list(cells)
                if layout.time is not None:
                    row.insert(layout.time.place, time)
                self._append(row)

    def _append(self, row: list[Any]) -> None:
        if self._rows == MAX_ROWS:
            raise UserError(f"{self.path}: xlsx holds at most {MAX_ROWS} rows; write .csv, .npz or .edf instead")
        self._sheet.append([self._text(cell) if isinstance(cell, str) else cell for cell in row])
        self._rows += 1

    def _text(self, text: str) -> Any:
        from openpyxl.cell import WriteOnlyCell
        from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

        cell = WriteOnlyCell(self._sheet, value=ILLEGAL_CHARACTERS_RE.sub(" ", text))
        cell.data_type = "s"  # a name that begins with '=' is no formula
        return cell

    def _write(self, block: NDArray[np.float64]) -> None:
        table = block.T
        if self._layout.time is not None:
            index = np.arange(self._written, self._written + block.shape[1])
            stamps = stamp_values(self._layout.time.first, self._layout.time.step, index)
            table = np.insert(table, self._layout.time.place, np.round(stamps, 12), axis=1)
        self._written += block.shape[1]
        for row in table.tolist():
            self._append([float(f"{cell:.12g}") if cell == cell else None for cell in row])  # noqa: PLR0124 - NaN

    def _commit(self) -> None:
        self._book.save(self.temporary)
        publish(self.temporary, self.path)

    def _discard(self) -> None:
        if not self._sheet.closed:  # openpyxl keeps rows in a temporary file of its own until it saves
            self._sheet.close()
            self._sheet._writer.cleanup()
        self.temporary.unlink(missing_ok=True)


def _refuse_bombs(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(info.file_size for info in archive.infolist())
            packed = sum(info.compress_size for info in archive.infolist())
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError) as error:
        raise UserError(f"{path}: truncated, or no .xlsx workbook ({one_line(error)})") from None
    if unpacked > MAX_BYTES or (unpacked > RATIO_FROM_BYTES and unpacked > MAX_RATIO * max(1, packed)):
        raise UserError(
            f"{path}: unpacks to {unpacked / 1e6:.0f} MB from {packed / 1e6:.1f}; refused. Save the sheet as .csv"
        )


def _load(path: Path, wanted: str | None) -> tuple[str, list[Row]]:
    """The sheet's name and its rows."""
    import openpyxl

    try:
        names = sheet_names(path)
    except Exception as error:  # likewise
        raise UserError(f"{path}: {one_line(error)}") from error
    if wanted is not None and wanted not in names:
        raise UserError(f"{path}: no sheet '{wanted}'{nearest(wanted, names)}; there are {', '.join(names)}")
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        try:
            chosen = wanted if wanted is not None else _only_sheet(path, book)
            return chosen, list(_rows(path, book[chosen]))
        finally:
            book.close()
    except UserError:
        raise
    except Exception as error:  # damaged bytes make openpyxl raise anything, and it means one thing
        raise UserError(f"{path}: a sheet is damaged ({one_line(error)})") from error


def _only_sheet(path: Path, book: Any) -> str:
    """The sheet that holds anything."""
    filled = []
    for sheet in book.worksheets:  # sheets of charts hold no cells
        sheet.reset_dimensions()  # some programs write wrong ones
        rows = sheet.iter_rows(max_row=50, values_only=True)
        if any(cell is not None for row in rows for cell in row):
            filled.append(str(sheet.title))
    if not filled:
        raise UserError(f"{path}: all sheets are empty")
    if len(filled) > 1:
        raise UserError(f"{path}: several sheets hold data; choose one with --sheet: {', '.join(filled)}")
    return filled[0]


def _rows(path: Path, sheet: Any) -> Iterator[Row]:
    sheet.reset_dimensions()
    cells = 0
    for cells_of_row in sheet.iter_rows(values_only=True):
        row = [_cell(cell) for cell in cells_of_row]
        row = row[: used_width(row)]
        cells += max(1, len(row))
        if len(row) > MAX_COLUMNS or cells > MAX_CELLS:
            raise UserError(f"{path}: more than {MAX_COLUMNS} columns or {MAX_CELLS} cells; save the sheet as .csv")
        yield row


def _cell(cell: Any) -> float | str | None:
    if cell is None:
        return None
    if isinstance(cell, bool):
        return str(cell)
    if isinstance(cell, int | float):
        return float(cell)
    if isinstance(cell, dt.datetime | dt.time | dt.date | dt.timedelta):
        return str(cell)
    return parse(str(cell).strip(), ".")


def _numbers(path: Path, sheet: str, rows: list[Row], header: int, columns: list[int]) -> NDArray[np.float64]:
    body = rows[header:]
    while body and not body[-1]:  # formatted, but empty
        body = body[:-1]
    values = np.full((len(columns), len(body)), np.nan)
    for index, row in enumerate(body):
        for place, column in enumerate(columns):
            cell = row[column] if column < len(row) else None
            if isinstance(cell, str):
                raise UserError(
                    f"{path}: sheet '{sheet}', row {index + header + 1}, column {column}: '{cell[:40]}' is not a number"
                )
            if cell is not None:
                values[place, index] = cell
    return values
