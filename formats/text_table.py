"""Numbers of a text file whose layout is known: parsed in blocks, or read whole."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import ItemError
from cleansemg.formats.exponents import absurd_in_text
from cleansemg.formats.text_dialect import ALONE, BLANK, Dialect, parse, split_line

CHUNK_CHARACTERS = 1 << 22
MAX_LINE_CHARACTERS = 1 << 20


@dataclass(frozen=True)
class TextTable:
    """A text file of numbers.

    Attributes:
        path: of the file.
        dialect: how it is written.
        header_lines: lines before the first sample.
        width: columns of a row; shorter rows are filled with NaN, longer ones are an error.
        blank_is_sample: a blank line is a row without a value; otherwise it is passed over.
        errors: what to do about bytes that are no text: "strict" or "replace".
    """

    path: Path
    dialect: Dialect
    header_lines: int
    width: int
    blank_is_sample: bool = True
    errors: str = "strict"

    def chunks(self) -> Iterator[tuple[str, int]]:
        """Whole lines without the last line end, and the number of the first line (from 1).

        Raises:
            ItemError: bytes that are no text, or an endless line.
        """
        line = self.header_lines + 1
        with open(self.path, encoding=self.dialect.encoding, errors=self.errors, newline=None) as file:
            for _ in itertools.islice(file, self.header_lines):
                pass
            rest = ""
            try:
                while chunk := file.read(CHUNK_CHARACTERS):
                    whole, mark, rest = (rest + chunk).rpartition("\n")
                    if len(rest) > MAX_LINE_CHARACTERS:
                        raise ItemError(f"a line after line {line} is longer than {MAX_LINE_CHARACTERS} characters")
                    if mark:
                        yield whole, line
                        line += whole.count("\n") + 1
            except UnicodeDecodeError as error:
                raise ItemError(f"after line {line}: bytes that are no text ({error.reason})") from None
            if rest:
                yield rest, line

    def parse(self, text: str, line: int, columns: Sequence[int]) -> NDArray[np.float64]:
        """[n, l] the numbers of some columns.

        Args:
            text: whole lines, as `chunks` gives them.
            line: number of the first, for messages.
            columns: indexes.

        Raises:
            ItemError: a text among the numbers, or a row longer than the table; says where.
        """
        import pandas as pd

        if "\0" in text:
            raise ItemError(f"after line {line}: bytes that are no text")
        absurd = absurd_in_text(text)
        if absurd:
            raise ItemError(f"after line {line}: '{absurd}...' is not a number")
        if not text.strip("\n"):
            return np.empty((len(columns), 0))
        delimiter = self.dialect.delimiter
        width = self.width + 2  # two more, to notice rows that are too long; a first row of that width sets it
        beyond = [self.width, self.width + 1]
        first = {ALONE: "\x1f", BLANK: " "}.get(delimiter, delimiter).join(["0"] * width)
        try:
            table = pd.read_csv(
                io.StringIO(f"{first}\n{text}\n"),
                sep={ALONE: "\x1f", BLANK: r"\s+"}.get(delimiter, delimiter),
                decimal=self.dialect.decimal,
                header=None,
                dtype={**dict.fromkeys(range(width), str), **dict.fromkeys(columns, np.float64)},
                usecols=[*sorted(set(columns)), *beyond],
                skipinitialspace=delimiter != BLANK,
                skip_blank_lines=not self.blank_is_sample,
                engine="c",
                low_memory=False,  # else each of its pieces must be as wide as the first row
            ).iloc[1:]
            if table[beyond].notna().any(axis=None):
                raise ValueError("rows of different lengths")
        except ValueError as error:
            raise ItemError(self._cause(text, line, columns) or str(error)) from None
        return np.ascontiguousarray(table[[*columns]].to_numpy(np.float64).T)

    def read(self, columns: Sequence[int]) -> NDArray[np.float64]:
        """[n, T] the numbers of some columns, of the whole file; blank lines are rows of NaN. Raises as `parse`."""
        blocks = [np.empty((len(columns), 0))]
        for text, line in self.chunks():
            blank = not text.strip("\n")
            rows = np.full((len(columns), text.count("\n") + 1), np.nan) if blank else self.parse(text, line, columns)
            blocks.append(rows)
        return np.concatenate(blocks, axis=1)

    def _cause(self, text: str, line: int, columns: Sequence[int]) -> str:
        """What is wrong with a text that cannot be parsed, and where."""
        for number, row in enumerate(text.split("\n"), line):
            cells = split_line(row, self.dialect.delimiter)
            if any(cells[self.width :]):
                return f"rows of different lengths (line {number}: {len(cells)} cells, expected {self.width})"
            for column in columns:
                if column < len(cells) and isinstance(parse(cells[column], self.dialect.decimal), str):
                    return f"line {number}, column {column}: '{cells[column][:40]}' is not a number"
        return ""
