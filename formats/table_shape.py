"""From the first rows of a text file or a sheet to its shape: header, columns, names, units, time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError
from cleansemg.formats import header_cells
from cleansemg.formats.channel_selection import Candidate, ReadOptions, nearest, select_channels, select_rate
from cleansemg.formats.info import ChannelInfo, TableLayout
from cleansemg.formats.time_stamps import TimeStamps, count_decimals, measure

Cell = float | str | None
Row = Sequence[Cell]
NUMERIC_SHARE = 0.8  # of a column's cells, for it to be one of numbers
TAIL_ROWS = 200


@dataclass(frozen=True)
class Shape:
    """Where the samples begin, and what the rows above them say.

    Attributes:
        header_rows: rows above the first sample.
        names: cells of the row of names; None without one.
        units: cells of a row of units; None without one.
        preamble_rows: rows above the row of names.
        width: columns.
        numeric: [width] columns of numbers (or wholly empty ones).
        empty: [width] columns without any value in these rows.
    """

    header_rows: int
    names: tuple[str, ...] | None
    units: tuple[str, ...] | None
    preamble_rows: int
    width: int
    numeric: tuple[bool, ...]
    empty: tuple[bool, ...]


def find_shape(path: Path, rows: Sequence[Row]) -> Shape:
    """Tell the header from the samples.

    Raises:
        UserError: these rows hold no table of numbers.
    """
    filled = [row for row in rows if used_width(row)]
    if not filled:
        raise UserError(f"{path}: holds no sample")
    tail = _last_numbers(filled)
    width = Counter(len(row) for row in tail).most_common(1)[0][0] if tail else 0
    if not tail or sum(len(row) == width for row in tail) < 0.5 * len(tail):
        raise UserError(f"{path}: holds no table of numbers (rows are samples, columns channels)")
    first = _first_sample(path, rows, width, _numeric(tail, width))
    # the tail tells the header from the samples; whether a column is one of numbers, all samples say: it may be a gap
    body = [row for row in rows[first:] if used_width(row)]
    width = Counter(len(row) for row in body).most_common(1)[0][0]
    numeric = _numeric(body, width)
    first = _first_sample(path, rows, width, numeric)
    if first == 0 and _counts_columns(rows, first, width):
        first += 1  # a data frame without names was saved with the columns' numbers
    counts = [Counter(_kind(row[column]) for row in rows[first:] if column < len(row)) for column in range(width)]
    empty = [not (count["number"] or count["text"]) for count in counts]
    width = max((column + 1 for column in range(width) if not empty[column]), default=width)
    names, units, preamble_rows = _names(rows[:first], width)
    if names is not None:
        width = max(width, max((i + 1 for i, name in enumerate(names) if name), default=0))
        names = (*names, *[""] * width)[:width]
    empty += [True] * (width - len(empty))
    numeric += [False] * (width - len(numeric))
    usable = tuple(numeric[i] or empty[i] for i in range(width))
    return Shape(
        first, names, units and (*units, *[""] * width)[:width], preamble_rows, width, usable, tuple(empty[:width])
    )


def _last_numbers(filled: Sequence[Row]) -> Sequence[Row]:
    """The last rows in which some column is one of numbers; none where there are no such."""
    size = max(1, min(TAIL_ROWS, len(filled) // 2))
    for stop in range(len(filled), 0, -size):
        tail = filled[max(stop - size, 0) : stop]
        if any(_numeric(tail, max(map(len, tail)))):
            return tail
    return []


def _numeric(rows: Sequence[Row], width: int) -> list[bool]:
    """[width] which columns hold numbers: most of what is not empty."""
    kinds = [Counter(_kind(row[column]) for row in rows if column < len(row)) for column in range(width)]
    return [
        count["number"] > 0 and count["number"] >= NUMERIC_SHARE * (count["number"] + count["text"]) for count in kinds
    ]


def _first_sample(path: Path, rows: Sequence[Row], width: int, numeric: Sequence[bool]) -> int:
    first = next((i for i, row in enumerate(rows) if _is_sample(row, width, numeric)), None)
    if first is None:
        raise UserError(f"{path}: holds no table of numbers (rows are samples, columns channels)")
    return first


@dataclass(frozen=True)
class Columns:
    """What to read from a table.

    Attributes:
        channels: those selected.
        fs_hz: sampling rate.
        layout: of the table, still without what only text has.
        start_s: the first time stamp in seconds.
    """

    channels: tuple[ChannelInfo, ...]
    fs_hz: float
    layout: TableLayout
    start_s: float


def select_columns(
    path: Path, shape: Shape, rows: Sequence[Row], texts: Sequence[str], header: Sequence[str], options: ReadOptions
) -> Columns:
    """The signals, their rate and the column of time.

    Args:
        path: for messages.
        shape: of `rows`.
        rows: the first of the table, header included.
        texts: some cells of numbers as written, whose decimals tell the resolution of time: one a row, of the
            column that `time_column` finds; empty in a sheet.
        header: the lines above the samples, as text.
        options: the user's.

    Raises:
        UserError: see `select_channels` and `select_rate`; time stamps that make no sense.
    """
    described = header_cells.described_channels(header)
    candidates = _candidates(shape, described)
    body = rows[shape.header_rows :]
    time, unit_s = time_column(path, shape, rows, options)
    stated_hz = header_cells.stated_rate_hz(header)
    where = "the header"
    stamps: TimeStamps | None = None
    others = [c for c in candidates if c.column != time]
    if time is not None:
        values = column_values(body, time)
        counts = unit_s is None and header_cells.is_counter_name(_base_name(shape, time)) and options.time is None
        stamps = measure(path, values, texts, unit_s, counts, options.fs_hz or stated_hz)
        if stamps.s_per_unit is not None and stated_hz is None:
            stated_hz, where = stamps.fs_hz, "the column of time stamps"
    fs_hz = select_rate(path, stated_hz, options, where)
    if stamps is not None and stamps.fs_hz is not None and abs(stamps.fs_hz - fs_hz) > 0.01 * fs_hz:
        raise UserError(
            f"{path}: the header says {fs_hz:.6g} Hz, the stamps {stamps.fs_hz:.6g} Hz; mend it, or give --time none"
        )
    channels = select_channels(path, others, options)
    has_names = shape.names is not None or bool(described)
    layout = TableLayout(
        header_lines=shape.header_rows,
        preamble=(),
        names=tuple(_name_cell(shape, described, c) for c in channels) if has_names else None,
        units=tuple(shape.units[c.column] for c in channels) if shape.units else None,
        time=None if stamps is None or time is None else stamps.as_column(
            time,
            sum(c.column < time for c in channels),
            shape.names[time] if shape.names else "",
            shape.units[time] if shape.units else "",
        ),
        width=shape.width,
    )  # fmt: skip
    start_s = 0.0 if stamps is None or stamps.s_per_unit is None else stamps.first * stamps.s_per_unit
    return Columns(channels, fs_hz, layout, start_s)


def time_column(path: Path, shape: Shape, rows: Sequence[Row], options: ReadOptions) -> tuple[int | None, float | None]:
    """Index of the column of time stamps or sample numbers, and the seconds that its name says 1 stands for.

    A column is one by its name and because it (nearly) never falls; without a name, when it is the first and
    grows by the same step all along.

    Raises:
        UserError: the user names a column that does not exist or holds no numbers.
    """
    body = rows[shape.header_rows :]
    if options.time is not None and str(options.time).lower() != "none":
        names = [_base_name(shape, i) for i in range(shape.width)]
        matches = [i for i, name in enumerate(names) if name == options.time]
        if not matches and str(options.time).isdecimal() and int(options.time) < shape.width:
            matches = [int(options.time)]
        if not matches or not shape.numeric[matches[0]]:
            raise UserError(
                f"{path}: no column of numbers '{options.time}' for --time{nearest(str(options.time), names)}"
            )
        return matches[0], _unit_s(shape, matches[0])
    if options.time is not None:
        return None, None
    for column in range(shape.width):
        if not shape.numeric[column] or shape.empty[column]:
            continue
        name, unit = _name_and_unit(shape, column)
        named = header_cells.is_time_name(name, unit) or (unit is None and header_cells.is_counter_name(name))
        values = column_values(body, column)
        steps = np.diff(values[np.isfinite(values)])
        if named and steps.size and (steps > 0).any() and np.mean(steps < 0) <= 0.05:
            return column, _unit_s(shape, column)
        if (
            not name
            and unit is None
            and column == 0
            and shape.width > 1
            and steps.size >= 2
            and _uniform(values, steps)
        ):
            return column, None
    return None, None


def column_values(rows: Sequence[Row], column: int) -> NDArray[np.float64]:
    """[T] the numbers of a column; NaN where there is none."""
    cells = (row[column] if column < len(row) else None for row in rows)
    return np.array([cell if isinstance(cell, float) else np.nan for cell in cells])


def used_width(row: Row) -> int:
    """Cells up to the last that is not empty."""
    return next((i + 1 for i in range(len(row) - 1, -1, -1) if row[i] is not None), 0)


def _kind(cell: Cell) -> str:
    return "empty" if cell is None else "text" if isinstance(cell, str) else "number"


def _is_sample(row: Row, width: int, numeric: Sequence[bool]) -> bool:
    kinds = [_kind(cell) for cell in row[:width]]
    numbers = sum(kind == "number" and numeric[i] for i, kind in enumerate(kinds))
    text = any(kind == "text" and numeric[i] for i, kind in enumerate(kinds))
    return not text and numbers >= 1 and (len(row) >= width or numbers == sum(numeric))


def _counts_columns(rows: Sequence[Row], first: int, width: int) -> bool:
    """Whether what looks like the first sample numbers the columns, and what follows are no whole numbers."""
    after = [cell for row in rows[first + 1 :] for cell in row if isinstance(cell, float)]
    if width < 2 or not after or all(cell == round(cell) for cell in after if np.isfinite(cell)):
        return False
    cells = list(rows[first][:width])
    if cells and cells[0] is None:
        cells = cells[1:]  # above the index
    return len(cells) >= 2 and cells == [float(i) for i in range(len(cells))]


def _names(header: Sequence[Row], width: int) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None, int]:
    """Names, units, and how many rows are above them."""
    filled = [(i, row) for i, row in enumerate(header) if used_width(row)]
    if not filled or not _is_header(filled[-1][1], width):
        return None, None, len(header)
    last, row = filled[-1]
    cells = tuple(_text(cell) for cell in row)
    units = [cell.strip("[]() ") for cell in cells if cell]
    if (
        len(filled) > 1
        and units
        and all(header_cells.is_unit(cell) for cell in units)
        and _is_header(filled[-2][1], width)
    ):
        above, names = filled[-2]
        return tuple(_text(cell) for cell in names), cells, above
    return cells, None, last


def _is_header(row: Row, width: int) -> bool:
    used = used_width(row)
    if row and header_cells.is_description(", ".join(_text(cell) for cell in row)):
        return False
    return used <= width + 1 and sum(cell is not None for cell in row) >= max(1, (width + 1) // 2) and len(row) >= width


def _text(cell: Cell) -> str:
    return "" if cell is None else f"{cell:g}" if isinstance(cell, float) else cell.strip()


def _name_and_unit(shape: Shape, column: int) -> tuple[str, str | None]:
    if shape.names is None:
        return "", None
    if shape.units is not None:
        return shape.names[column], shape.units[column].strip("[]() ") or None
    return header_cells.split_unit(shape.names[column])


def _base_name(shape: Shape, column: int) -> str:
    return _name_and_unit(shape, column)[0]


def _unit_s(shape: Shape, column: int) -> float | None:
    return header_cells.time_unit(*_name_and_unit(shape, column))


def _candidates(shape: Shape, described: Sequence[tuple[str, str]]) -> list[Candidate]:
    candidates = []
    for column in range(shape.width):
        name, unit = _name_and_unit(shape, column)
        if shape.names is None and len(described) == shape.width:
            name, unit = described[column]
        if shape.empty[column] and not name:
            continue
        candidates.append(Candidate(name, unit, column, "" if shape.numeric[column] else "text"))
    return candidates


def _name_cell(shape: Shape, described: Sequence[tuple[str, str]], channel: ChannelInfo) -> str:
    if shape.names is not None:
        return shape.names[channel.column]
    return f"{described[channel.column][0]} ({described[channel.column][1]})"


def _uniform(values: NDArray[np.float64], steps: NDArray[np.float64]) -> bool:
    step = float(np.median(steps))
    if step <= 0 or not np.isfinite(values[0]):
        return False
    return bool((steps > 0).all()) and bool(np.mean(np.abs(steps - step) <= 0.5 * step) > 0.95)


__all__ = ["Columns", "Row", "Shape", "count_decimals", "find_shape", "select_columns", "time_column", "used_width"]
