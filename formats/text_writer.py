"""Text files of numbers, written in blocks."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from cleansemg.formats.header_cells import is_description
from cleansemg.formats.info import TableLayout
from cleansemg.formats.signal_file import SignalWriter, publish
from cleansemg.formats.text_dialect import ALONE, BLANK

VALUE = "%.9g"  # 9 digits hold every code of a 24-bit converter
DELIMITERS = {"csv": ",", "tsv": "\t", "txt": "\t"}


class TextWriter(SignalWriter):
    """Writes a CSV, TSV or TXT file; `info.layout` says how."""

    _file: TextIO

    def _open(self) -> None:
        layout = self.info.layout
        assert isinstance(layout, TableLayout)  # noqa: S101 - cannot happen
        if layout.delimiter == ALONE and layout.time is not None:
            layout = replace(layout, delimiter=",")
        if layout.delimiter == ALONE and len(self.info.channels) > 1:
            layout = replace(layout, delimiter=",")
        self._layout = layout
        self._written = 0
        self._delimiter = {BLANK: " ", ALONE: ""}.get(layout.delimiter, layout.delimiter)
        self._file = open(self.temporary, "w", encoding=layout.encoding, newline="")  # noqa: SIM115 - closed by _discard
        for line in (*(line for line in layout.preamble if not is_description(line)), *self._header()):
            self._file.write(line + layout.newline)

    def _header(self) -> list[str]:
        layout = self._layout
        lines = []
        for cells, time in (
            (layout.names, layout.time.header if layout.time else ""),
            (layout.units, layout.time.unit_header if layout.time else ""),
        ):
            if cells is None:
                continue
            row = list(cells)
            if layout.time is not None:
                row.insert(layout.time.position, time)
            if not self._delimiter:
                lines.append(row[0])
                continue
            text = io.StringIO()
            csv.writer(text, delimiter=self._delimiter, lineterminator="").writerow(row)
            lines.append(text.getvalue())
        return lines

    def _write(self, block: NDArray[np.float64]) -> None:
        layout, time = self._layout, self._layout.time
        table = block.T
        formats = [VALUE] * block.shape[0]
        if time is not None:
            index = np.arange(self._written, self._written + block.shape[1])
            stamps = stamp_values(time.first, time.step, index)
            table = np.insert(table, time.position, stamps, axis=1)
            formats.insert(time.position, f"%.{stamp_decimals(time.step, time.first, time.decimals)}f")
        self._written += block.shape[1]
        row_format = self._delimiter.join(formats) + "\n"
        text = "".join([row_format % tuple(row) for row in table.tolist()])
        if np.isnan(block).any():
            text = text.replace("nan", "nan" if layout.delimiter in {BLANK, ALONE} else "")
        if layout.decimal != ".":
            text = text.replace(".", layout.decimal)
        self._file.write(text if layout.newline == "\n" else text.replace("\n", layout.newline))

    def _commit(self) -> None:
        self._file.close()
        publish(self.temporary, self.path)

    def _discard(self) -> None:
        self._file.close()
        self.temporary.unlink(missing_ok=True)


def stamp_values(first: float, step: float, index: NDArray[np.int64]) -> NDArray[np.float64]:
    """Time stamps of samples; from the rate where the step is one over a whole number, which rounds once."""
    rate = round(1 / step)
    if rate and abs(step * rate - 1) < 1e-12:
        return np.asarray(first + index / rate, np.float64)
    return np.asarray(first + index * step, np.float64)


def stamp_decimals(step: float, first: float, decimals: int) -> int:
    """Digits after the mark: as the input has, or as many (up to 9) as tell one sample from the next."""
    for digits in range(decimals, 9):
        if all(abs(round(value, digits) - value) <= 1e-9 * step for value in (step, first)):
            return digits
    return max(decimals, 9)
