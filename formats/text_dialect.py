"""Encoding, line end, delimiter and decimal mark of a text file of numbers, from its beginning."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cleansemg.core.errors import UserError
from cleansemg.formats.table_shape import Row

SAMPLE_BYTES = 1 << 20
SAMPLE_LINES = 10000
SCORED_LINES = 100
BLANK = " "  # as a delimiter: any white space
ALONE = ""  # as a delimiter: one column
DIALECTS = (
    ("\t", "."), ("\t", ","), (";", "."), (";", ","), (",", "."), ("|", "."), ("|", ","),
    (BLANK, "."), (BLANK, ","), (ALONE, "."), (ALONE, ","),
)  # fmt: skip
MISSING = frozenset({"", "nan", "na", "n/a", "null", "none", "-nan", "#n/a", "<na>"})  # pandas takes the same as empty
_NUMBERS = {
    mark: re.compile(rf"[+-]?(\d+({re.escape(mark)}\d*)?|{re.escape(mark)}\d+)([eE][+-]?\d+)?") for mark in ".,"
}
_DIGIT = re.compile(r"\d")
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)


@dataclass(frozen=True)
class Dialect:
    """How a text file is written; fields as in `TableLayout`."""

    encoding: str
    newline: str
    delimiter: str
    decimal: str


def sniff(path: Path) -> tuple[Dialect, list[str]]:
    """The dialect, and the first lines (whole ones).

    Raises:
        UserError: empty, binary, or in an encoding that is not UTF-8, UTF-16 or Latin-1.
    """
    with open(path, "rb") as file:
        data = file.read(SAMPLE_BYTES)
        whole = not file.read(1)
    if not data.strip():
        raise UserError(f"{path}: is empty")
    encoding = _encoding(path, data, whole)
    text = codecs.getincrementaldecoder(encoding)("strict").decode(data)
    newline = "\r\n" if "\r\n" in text else "\n" if "\n" in text else "\r" if "\r" in text else "\n"
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not whole:
        lines = lines[:-1]
        if not lines:
            raise UserError(f"{path}: no table: its first line is longer than {SAMPLE_BYTES} bytes")
    lines = lines[:SAMPLE_LINES]
    filled = [line for line in lines if line.strip()]
    if len(filled) > SCORED_LINES:  # from all over the second half, as the end alone may be a gap
        numbers = [line for line in filled if _DIGIT.search(line)]
        filled = numbers[len(numbers) // 2 :: max(1, len(numbers) // (2 * SCORED_LINES))]
    delimiter, decimal = _delimiter(filled)
    return Dialect(encoding, newline, delimiter, decimal), lines


def split_line(line: str, delimiter: str) -> list[str]:
    """A line's cells as text, without white space and quotes around them."""
    if delimiter == ALONE:
        return [line.strip().strip('"')]
    if delimiter == BLANK:
        return [cell.strip('"') for cell in line.split()]
    if '"' in line:
        try:
            return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))]
        except (csv.Error, StopIteration):
            pass  # quotes that are no quotes: taken as they stand
    return [cell.strip() for cell in line.split(delimiter)]


def parse(cell: str, decimal: str) -> float | str | None:
    """A cell's number; None where it is empty; else its text."""
    if _NUMBERS[decimal].fullmatch(cell):
        return float(cell.replace(",", "."))
    if cell.lower() in MISSING:
        return None
    return float(cell) if _INFINITE.fullmatch(cell) else cell


def parse_line(line: str, delimiter: str, decimal: str) -> Row:
    """A line's cells; an empty line has none."""
    return (
        [parse(cell, decimal) for cell in split_line(line, delimiter)]
        if line.strip() or (delimiter == "\t" and line)
        else []
    )


def _encoding(path: Path, data: bytes, whole: bool) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif data.startswith(codecs.BOM_UTF8):
        encoding = "utf-8-sig"
    else:
        encoding = "utf-8"
        if b"\0" in data or sum(byte < 9 or 13 < byte < 32 for byte in data[:4096]) > 4:
            raise UserError(f"{path}: is binary, no text file of numbers")
    try:
        codecs.getincrementaldecoder(encoding)("strict").decode(data, final=whole)
    except UnicodeDecodeError:
        if encoding != "utf-8":
            raise UserError(f"{path}: its text is damaged ({encoding})") from None
        return "latin-1"
    return encoding


def _delimiter(lines: Sequence[str]) -> tuple[str, str]:
    """The dialect in which most cells are numbers and rows are equally long; the first of equals."""
    best, best_score = DIALECTS[-2], 0.0
    for delimiter, decimal in DIALECTS:
        score = _score(lines, delimiter, decimal)
        if score > best_score + 1e-9:
            best, best_score = (delimiter, decimal), score
    return best


def _score(lines: Sequence[str], delimiter: str, decimal: str) -> float:
    cells = [split_line(line, delimiter) for line in lines]
    widths = Counter(map(len, cells))
    width, n_rows = widths.most_common(1)[0] if widths else (0, 0)
    if width < 2 and delimiter not in {ALONE}:
        return 0.0
    filled = [cell for row in cells for cell in row if cell.lower() not in MISSING]
    if not filled:
        return 0.0
    numbers = sum(bool(_NUMBERS[decimal].fullmatch(cell)) for cell in filled)
    score = n_rows / len(cells) * numbers / len(filled)
    if any(set(cell) & set(";\t|") for cell in filled):  # another delimiter is inside the cells
        score *= 0.5
    if delimiter == "," and any(re.fullmatch(r"0\d+", cell) for row in cells for cell in row[1:]):
        score *= 0.5  # 0,05 is one number with a decimal comma, not 0 and 05
    if delimiter == BLANK and any(cell.endswith(",") for cell in filled):
        score *= 0.5
    if delimiter == BLANK and score < 0.5:  # sentences with a number in each
        return 0.0
    return score
