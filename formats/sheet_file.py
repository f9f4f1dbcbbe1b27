"""XLSX workbooks: read whole, written row by row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import ItemError, UserError, one_line
from cleansemg.formats.blocks import fill_gaps, reblock
from cleansemg.formats.channel_selection import ReadOptions, nearest
from cleansemg.formats.header_cells import is_description
from cleansemg.formats.info import FileInfo, TableLayout
from cleansemg.formats.signal_file import SignalFile, SignalWriter, publish
from cleansemg.formats.table_shape import Row, find_shape, select_columns
from cleansemg.formats.text_dialect import SAMPLE_LINES
from cleansemg.formats.text_writer import stamp_values
from cleansemg.formats.time_stamps import MissingSamples
from cleansemg.formats.workbook import cell_value, open_workbook, read_numbers, read_rows

MAX_ROWS = 1_048_576  # of a sheet, by the format


class SheetFile(SignalFile):
    """One sheet of a workbook.

    Raises:
        UserError: damaged, absurdly large, several sheets to choose from, or no table of numbers.
    """

    def __init__(self, path: Path, options: ReadOptions) -> None:
        with open_workbook(path) as book:
            sheet = _only_sheet(book) if options.sheet is None else options.sheet
            names = [str(name) for name in book.sheetnames]
            if sheet not in names:
                raise ItemError(f"no sheet '{sheet}'{nearest(sheet, names)}; there are {', '.join(names)}")
            rows = read_rows(book, sheet)
        while rows and not rows[-1]:  # formatted, but empty
            rows.pop()
        first: list[Row] = [[cell_value(cell) for cell in row] for row in rows[:SAMPLE_LINES]]
        width = max((len(row) for row in first), default=0)
        sample = [[*row, *[None] * (width - len(row))] for row in first]  # sheets end rows at will
        shape = find_shape(path, sample)
        header = [" ".join(f"{cell}" for cell in row if cell is not None) for row in first[: shape.header_rows]]
        columns = select_columns(path, shape, sample, [], header, options)
        layout = replace(columns.layout, preamble=tuple(header[: shape.preamble_rows]), sheet=sheet, delimiter="")
        read = [channel.column for channel in columns.channels]
        if layout.time is not None:
            read.append(layout.time.column)
        self._values = read_numbers(rows[shape.header_rows :], read, sheet, shape.header_rows)  # [n, T]
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
                    row.insert(layout.time.position, time)
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
            table = np.insert(table, self._layout.time.position, np.round(stamps, 12), axis=1)
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


def _only_sheet(book: Any) -> str:
    """The sheet that holds anything."""
    filled = []
    for sheet in book.worksheets:  # sheets of charts hold no cells
        sheet.reset_dimensions()  # some programs write wrong ones
        try:
            rows = list(sheet.iter_rows(max_row=50, values_only=True))
        except Exception as error:  # damaged bytes make openpyxl raise anything, and it means one thing
            raise ItemError(f"a sheet is damaged ({one_line(error)})") from error
        if any(cell is not None for row in rows for cell in row):
            filled.append(str(sheet.title))
    if not filled:
        raise ItemError("all sheets are empty")
    if len(filled) > 1:
        raise ItemError(f"several sheets hold data; choose one with --sheet: {', '.join(filled)}")
    return filled[0]
