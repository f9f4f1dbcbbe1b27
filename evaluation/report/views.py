"""Tables in the form for the page's template: headings and cells as texts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cleansemg.core.rendering import Column, Table

SMALL_P = 1e-4


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: the shown text.
        small: small print below it: an interval or a difference.
        sort: value to sort by; None sorts by text.
    """

    text: str
    small: str = ""
    sort: float | None = None


@dataclass(frozen=True)
class View:
    """A table for the template; `numeric` says which columns are right-aligned."""

    title: str
    headings: Sequence[str]
    numeric: Sequence[bool]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str]


def view(table: Table, differences: Mapping[tuple[int, str], float] | None = None) -> View:
    """Convert a table; only columns with a heading are shown.

    Args:
        table: the table.
        differences: (row, column key) -> our value minus the cell's.
    """
    shown = [column for column in table.columns if column.heading is not None]
    rows = [
        [_cell(row, column, (differences or {}).get((position, column.key))) for column in shown]
        for position, row in enumerate(table.rows)
    ]
    numeric = [c.decimals is not None or any(row[i].sort is not None for row in rows) for i, c in enumerate(shown)]
    return View(table.title, [column.heading or "" for column in shown], numeric, rows, list(table.notes))


def number(value: float, decimals: int) -> str:
    """A number with a true minus sign, and no minus before zero."""
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")


def p_text(value: Any) -> str:
    """A p value as text; values below 0.0001 as "< 0.0001", a text unchanged, NaN and None as ""."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return value
    return "< 0.0001" if value < SMALL_P else f"{value:.4f}".rstrip("0").rstrip(".")


def _cell(row: Mapping[str, Any], column: Column, difference: float | None) -> Cell:
    value = row.get(column.key)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return Cell("")
    if not isinstance(value, int | float):
        return Cell(str(value))
    if column.key.startswith("p") and column.key.split("_")[0] == "p":
        return Cell(p_text(float(value)), "", float(value))
    if column.decimals is None:
        return Cell(f"{value:,}" if isinstance(value, int) else f"{value:g}", "", float(value))
    small = ""
    if column.interval is not None:
        ends = [row.get(key) for key in column.interval]
        if all(isinstance(end, int | float) and not math.isnan(end) for end in ends):
            small = " to ".join(number(float(end), column.decimals) for end in ends if end is not None)
    if difference is not None:
        sign = "+" if difference >= 0 else ""
        small = f"ours {sign}{number(difference, column.decimals)}"
    return Cell(number(float(value), column.decimals), small, float(value))
