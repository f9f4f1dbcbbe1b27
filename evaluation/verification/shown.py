"""Checks Markdown and LaTeX tables: every number must be a rounded number of the same row in the CSV."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

from cleansemg.evaluation.verification.findings import Finding

NUMBER = re.compile(r"-?\d+(?:\.(\d+))?")


def check(path: Path, table: Path, finding: Finding) -> int:
    """Compare the first table of a Markdown or LaTeX file with its CSV.

    Args:
        path: `NAME.md` or `NAME.tex`.
        table: `NAME.csv`.
        finding: the finding to which problems are added.

    Returns:
        Number of numbers checked.
    """
    if not path.is_file():
        finding.problems.append(f"{path}: missing")
        return 0
    finding.covered.add(path)
    with open(table, encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    cells = _markdown(path) if path.suffix == ".md" else _latex(path)
    count = 0
    for line, row in zip(cells, rows, strict=False):
        numbers = [number for cell in line for number in NUMBER.finditer(_plain(cell)) if _is_number(cell)]
        row_values = [float(field) for field in row if _is_float(field)]
        for number in numbers:
            count += 1
            decimals = len(number[1] or "")
            unit = 0.51 * 10.0**-decimals
            if not any(abs(float(number[0]) - value) <= unit for value in row_values):
                finding.problems.append(f"{path}: {number[0]} in the row of {row[0]} is no number of {table.name}")
    if len(cells) < len(rows):
        finding.problems.append(f"{path}: {len(cells)} rows, {table.name} has {len(rows)}")
    return count


def _markdown(path: Path) -> list[list[str]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    start = next((i for i, line in enumerate(lines) if re.fullmatch(r"\|( :?-+:? \|)+", line)), len(lines))
    body = []
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            break
        body.append([cell.strip() for cell in line.strip("|").split("|")])
    return body


def _latex(path: Path) -> list[list[str]]:
    text = path.read_text(encoding="utf-8")
    inside = text.partition("\\midrule\n")[2].partition("\\bottomrule")[0]
    return [[cell.strip() for cell in line.removesuffix("\\\\").split("&")] for line in inside.splitlines() if line]


def _plain(cell: str) -> str:
    return cell.replace("$-$", "-").replace("−", "-")


def _is_number(cell: str) -> bool:
    """Whether a cell is a number, with or without its interval; names may hold digits, too."""
    return re.fullmatch(r"[-−$\d.,\[\]\s]+", cell) is not None


def _is_float(field: str) -> bool:
    try:
        return math.isfinite(float(field))
    except ValueError:
        return False
