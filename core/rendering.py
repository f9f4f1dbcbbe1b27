"""A table as CSV with all digits, as Markdown and as LaTeX with the digits that mean something."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cleansemg.core.npz import atomic_write


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        key: the CSV's heading and the key in rows.
        heading: in Markdown and LaTeX; None keeps the column for the CSV alone.
        decimals: None for texts and whole numbers.
        interval: keys of the lower and upper limit, shown in brackets behind the value.
    """

    key: str
    heading: str | None = None
    decimals: int | None = None
    interval: tuple[str, str] | None = None


@dataclass(frozen=True)
class Table:
    """Rows by column key, with a title and what the reader has to know."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]]
    notes: Sequence[str] = ()


def write(tables: Sequence[Table], folder: Path, name: str, names: Mapping[str, str] | None = None) -> None:
    """Write `NAME.csv` (the first table), `NAME.md` and `NAME.tex` (all of them).

    Args:
        tables: the tables.
        folder: where the files go.
        name: of the files.
        names: what Markdown and LaTeX show in place of a text that is a whole cell or begins a title; the CSV keeps it.
    """
    atomic_write(folder / f"{name}.csv", to_csv(tables[0]).encode())
    shown = [_named(table, names) for table in tables] if names else tables
    atomic_write(folder / f"{name}.md", ("\n".join(to_markdown(table) for table in shown)).encode())
    atomic_write(folder / f"{name}.tex", ("\n".join(to_latex(table) for table in shown)).encode())


def _named(table: Table, names: Mapping[str, str]) -> Table:
    rows = [{k: names.get(v, v) if isinstance(v, str) else v for k, v in row.items()} for row in table.rows]
    first, comma, rest = table.title.partition(",")
    return replace(table, title=f"{names.get(first, first)}{comma}{rest}", rows=rows)


def to_csv(table: Table) -> str:
    """All columns; numbers with nine significant digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.key for column in table.columns])
    for row in table.rows:
        writer.writerow([_plain(row.get(column.key)) for column in table.columns])
    return text.getvalue()


def to_markdown(table: Table) -> str:
    """A heading, the table, the notes."""
    shown = [column for column in table.columns if column.heading is not None]
    rows = [[_shown(row, column) for column in shown] for row in table.rows]
    heads = [column.heading or "" for column in shown]
    widths = [max(2, *(len(line[i]) for line in [heads, *rows])) for i in range(len(shown))]  # room for a rule, `-:`
    right = [any(isinstance(row.get(c.key), int | float) for row in table.rows) for c in shown]
    rule = ["-" * (w - 1) + ":" if r else "-" * w for w, r in zip(widths, right, strict=True)]
    lines = [f"## {table.title}", "", _line(heads, widths, right), "|" + "|".join(f" {r} " for r in rule) + "|"]
    lines += [_line(row, widths, right) for row in rows]
    lines += ["", *(f"{note}\n" for note in table.notes)]
    return "\n".join(lines)


def shown_cells(table: Table) -> tuple[list[str], list[list[str]]]:
    """Headings and cells as Markdown and LaTeX show them, for other forms."""
    shown = [column for column in table.columns if column.heading is not None]
    return [column.heading or "" for column in shown], [[_shown(row, column) for column in shown] for row in table.rows]


def to_latex(table: Table) -> str:
    """A `table` environment for booktabs."""
    shown = [column for column in table.columns if column.heading is not None]
    alignment = "".join("l" if column.decimals is None else "r" for column in shown)
    body = [" & ".join(_escape(_shown(row, column)) for column in shown) + r" \\" for row in table.rows]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_escape(table.title)}}}",
            rf"\begin{{tabular}}{{{alignment}}}",
            r"\toprule",
            " & ".join(_escape(column.heading or "") for column in shown) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _plain(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def _shown(row: Mapping[str, Any], column: Column) -> str:
    text = _rounded(row.get(column.key), column.decimals)
    if column.interval is None or not text:
        return text
    low, high = (_rounded(row.get(key), column.decimals) for key in column.interval)
    return f"{text} [{low}, {high}]" if low and high else text


def _rounded(value: Any, decimals: int | None) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if decimals is None or isinstance(value, str):
        return str(value)
    return f"{value + 0.0:.{decimals}f}".replace("-0." + "0" * decimals, "0." + "0" * decimals)


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(cells, widths, right, strict=True)]
    return "| " + " | ".join(padded) + " |"


def _escape(text: str) -> str:
    for plain, latex in (
        ("\\", r"\textbackslash{}"),
        ("_", r"\_"),
        ("%", r"\%"),
        ("&", r"\&"),
        ("#", r"\#"),
        ("$", r"\$"),
    ):
        text = text.replace(plain, latex)
    return (
        text.replace("↑", r"$\uparrow$").replace("↓", r"$\downarrow$").replace("×", r"$\times$").replace("µ", r"$\mu$")
    )
