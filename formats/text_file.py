"""Text files of numbers (CSV, TSV, TXT), read in blocks."""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.formats.blocks import fill_gaps, reblock
from cleansemg.formats.channel_selection import ReadOptions
from cleansemg.formats.info import FileInfo, TableLayout
from cleansemg.formats.signal_file import SignalFile
from cleansemg.formats.table_shape import find_shape, select_columns, time_column
from cleansemg.formats.text_dialect import MISSING, parse, parse_line, sniff, split_line
from cleansemg.formats.text_table import TextTable
from cleansemg.formats.time_stamps import MissingSamples

LOG = logging.getLogger(__name__)
MAX_NOTES = 20  # lines after the last sample
SPACED_OUT = 0.4  # share of blank lines from which on they are a matter of layout, as every other line may be
_BLANK_LINE = re.compile(r"^ *$", re.MULTILINE)


class TextFile(SignalFile):
    """A CSV, TSV or TXT file.

    Raises:
        UserError: no table of numbers, or one that does not say enough; see `select_columns`.
    """

    def __init__(self, path: Path, file_format: str, options: ReadOptions) -> None:
        dialect, lines = sniff(path)
        rows = [parse_line(line, dialect.delimiter, dialect.decimal) for line in lines]
        shape = find_shape(path, rows)
        time, _ = time_column(path, shape, rows, options)
        header = lines[: shape.header_rows]
        texts = []
        if time is not None:
            cells = (split_line(line, dialect.delimiter) for line in lines[shape.header_rows :])
            texts = [row[time] for row in cells if time < len(row) and row[time].lower() not in MISSING]
        columns = select_columns(path, shape, rows, texts, header, options)
        layout = replace(
            columns.layout,
            preamble=tuple(header[: shape.preamble_rows]),
            delimiter=dialect.delimiter,
            decimal=dialect.decimal,
            encoding=dialect.encoding,
            newline=dialect.newline,
        )
        self.info = FileInfo(path, file_format, columns.fs_hz, columns.channels, None, layout, columns.start_s)
        self._layout: TableLayout = layout
        body = "\n".join(lines[shape.header_rows :]).rstrip(" \n")
        # stamps say themselves where something is missing
        spaced = len(_BLANK_LINE.findall(body)) >= SPACED_OUT * (body.count("\n") + 1)
        self._blank_is_sample = layout.time is None and not spaced
        self._table = TextTable(path, dialect, layout.header_lines, layout.width, self._blank_is_sample)

    def _blocks(self, max_samples: int) -> Iterator[NDArray[np.float64]]:
        yield from reblock(self._pieces(max_samples), max_samples)

    def _pieces(self, max_samples: int) -> Iterator[NDArray[np.float64]]:
        """[C, l] of any length."""
        path, time = self.info.path, self._layout.time
        missing = None if time is None else MissingSamples(path, time)
        columns = [channel.column for channel in self.info.channels]
        read = [*columns, time.column] if time else columns
        waiting = n_blank = 0  # blank lines, which are samples where another follows
        for whole, line in self._without_notes(read):
            text = whole.rstrip(" \n") if missing is None else whole
            if missing is None:
                inside = len(_BLANK_LINE.findall(text)) if text else 0
                n_blank += inside + (waiting if text else 0)
                while text and waiting and self._blank_is_sample:
                    length = min(waiting, max_samples)
                    yield np.full((len(columns), length), np.nan)
                    waiting -= length
                after = whole[len(text) :].count("\n")
                waiting = after if text else waiting + after + 1
            table = self._table.parse(text, line, read)
            if missing is None:
                yield table
                continue
            gaps = missing.before(table[-1], lambda row, text=text, line=line: _line_of(text, row, line))  # type: ignore[misc]
            yield from fill_gaps(table[:-1], gaps, max_samples)
        if missing is not None:
            missing.report()
        elif n_blank:
            taken = "taken as samples without a value" if self._blank_is_sample else "between samples passed over"
            LOG.warning("%s: %d blank lines %s", path, n_blank, taken)

    def _without_notes(self, columns: list[int]) -> Iterator[tuple[str, int]]:
        """The chunks of the table, without remarks after the last sample."""
        held: tuple[str, int] | None = None
        for chunk in self._table.chunks():
            if held is not None:
                yield held
            held = chunk
        if held is None:
            return
        text = held[0].rstrip(" \n")
        notes: list[str] = []
        while len(notes) < MAX_NOTES and text:
            before, _, last = text.rpartition("\n")
            if not self._is_note(last, columns):
                break
            text = before.rstrip(" \n")
            notes.append(last.strip())
        if notes:
            LOG.warning("%s: left out, after the last sample: %s", self.info.path, ", ".join(map(_shown, notes[::-1])))
        yield (text if notes else held[0]), held[1]

    def _is_note(self, line: str, columns: list[int]) -> bool:
        cells = [parse(cell, self._layout.decimal) for cell in split_line(line, self._layout.delimiter)]
        if len(cells) >= self._layout.width:  # a row of the table may hold texts, but not in these columns
            cells = [cells[column] for column in columns]
        return any(isinstance(cell, str) for cell in cells) and not any(isinstance(cell, float) for cell in cells)


def _shown(line: str) -> str:
    return repr(line if len(line) <= 60 else line[:57] + "...")


def _line_of(text: str, row: int, first: int) -> int:
    """Line of the row-th that is not blank."""
    filled = (number for number, line in enumerate(text.split("\n"), first) if line.strip(" "))
    return next(itertools.islice(filled, row, None), first)
