"""The leaderboard: result files of many people and versions in one table, sorted, as a page, as Markdown and as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cleansemg.core.console import progress
from cleansemg.core.errors import UserError
from cleansemg.core.npz import atomic_write
from cleansemg.core.rendering import Column, Table, shown_cells, to_csv, to_markdown
from cleansemg.core.stage import disk_error
from cleansemg.evaluation.stats.intervals import person_interval
from cleansemg.evaluation.submissions.result_file import Result, read_result

HEADLINE = "SI_SDRimp"  # what rows are sorted by
SHOWN = (HEADLINE, "SNRimp", "SNRimp_scaled", "SNR_out", "EMG_gain")  # before all other metrics
CONFIDENCE = 0.95
PAGE = Path(__file__).parent / "assets" / "leaderboard.html.jinja"


@dataclass(frozen=True)
class Board:
    """What was written.

    Attributes:
        paths: the page, the Markdown, the CSV.
        n_results: rows.
        n_flagged: rows with a flag.
    """

    paths: tuple[Path, ...]
    n_results: int
    n_flagged: int


def make_board(files: Sequence[Path], output: Path, headline: str = HEADLINE) -> Board:
    """Write a leaderboard.

    Args:
        files: results; a folder stands for the .json files in it.
        output: the page; the table lies beside it as .md and .csv.
        headline: the metric that rows are sorted by.

    Raises:
        UserError: a file is no result, was edited, is of another test set or there twice; nothing can be written.
    """
    if output.suffix != ".html":
        raise UserError(f"--output {output}: expected a page such as leaderboard.html; .md and .csv come beside it")
    paths = [one for path in files for one in (sorted(path.glob("*.json")) if path.is_dir() else [path])]
    if not paths:
        raise UserError(f"{', '.join(map(str, files))}: holds no result (*.json); `cleansemg score` writes them")
    results = [read_result(path) for path in progress(paths, len(paths), "read", unit="result")]
    _require_comparable(results, headline)
    rows = sorted(map(_row, results), key=lambda row: (_rank(row, headline), row["name"]))
    table = _table(rows, results, headline)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(output, _page(rows, table).encode())
        atomic_write(output.with_suffix(".md"), to_markdown(table).encode())
        atomic_write(output.with_suffix(".csv"), to_csv(table).encode())
    except OSError as error:
        raise disk_error(output.parent, error) from error
    written = (output, output.with_suffix(".md"), output.with_suffix(".csv"))
    return Board(written, len(rows), sum(bool(row["flags"]) for row in rows))


def _require_comparable(results: Sequence[Result], headline: str) -> None:
    """Raises UserError where results are of different mixtures, one is there twice, or has no headline."""
    first = results[0]
    hashes: dict[str, Path] = {}
    for result in results:
        test_set, expected = result.content["set"], first.content["set"]
        if test_set["sha256"] != expected["sha256"] or test_set["root"] != expected["root"]:
            raise UserError(
                f"{result.path}: of the test set {_set_name(result)} ({test_set['sha256'][:12]}...), "
                f"{first.path} of {_set_name(first)} ({expected['sha256'][:12]}...); make a leaderboard for each"
            )
        if result.content["mixtures"]["ids"] != first.content["mixtures"]["ids"]:
            raise UserError(f"{result.path}: has other mixtures than {first.path}; score again")
        if headline not in result.values:
            raise UserError(f"{result.path}: has no {headline}, which rows are sorted by; score again")
        digest = result.content["sha256"]
        if digest in hashes:
            raise UserError(f"{result.path}: the same result as {hashes[digest]}; give it once")
        hashes[digest] = result.path


def _row(result: Result) -> dict[str, Any]:
    """One result's texts, and each metric's mean with its interval, in the metric's printed scale."""
    content = result.content
    keys = list(result.values)
    table = np.stack([result.values[key] for key in keys], axis=1)
    scales = np.array([content["metrics"][key]["table_scale"] for key in keys])
    limits = [one / scales for one in person_interval(table, result.persons, CONFIDENCE)]
    card = content["card"]
    row = {
        "name": content["name"],
        "role": content["role"],
        "track": content["track"],
        "flags": "; ".join(content["flags"]),
        "above_ceiling": 100 * (content["share_above_ceiling"] or 0.0),
        "authors": ", ".join(card["authors"]) if card else "CleanSEMG",
        "licence": card["licence"] if card else "MIT",
        "version": content["cleansemg"],
        "file": result.path.name,
        "card": card,
        "missing": int(np.isnan(table).any(axis=1).sum()),
    }
    for position, key in enumerate(keys):
        for end, values in zip(("", "_low", "_high"), limits, strict=True):
            row[f"{key}{end}"] = float(values[position])
    return row


def _rank(row: dict[str, Any], headline: str) -> float:
    value = row[headline]
    return float("inf") if np.isnan(value) else -value


def _table(rows: Sequence[dict[str, Any]], results: Sequence[Result], headline: str) -> Table:
    about = {key: one for result in results for key, one in result.content["metrics"].items()}
    order = [key for key in (headline, *SHOWN, *about) if key in about]
    columns = [Column("name", "method"), Column("role", "role"), Column("track", "track")]
    for key in dict.fromkeys(order):
        limits = (f"{key}_low", f"{key}_high")
        columns += [Column(key, _heading(about[key]), about[key]["decimals"], limits if key in SHOWN else None)]
        columns += [Column(one) for one in limits]
    columns += [
        Column("above_ceiling", "above psm_oracle, %", 1),
        Column("flags", "marked"),
        Column("missing", "without a value"),
        Column("authors", "authors"),
        Column("licence", "licence"),
        Column("version", "scored with"),
        Column("file", "result file"),
    ]
    first = results[0].content["set"]
    n_people = len(set(results[0].persons.tolist()))
    means = (
        f"Means over {n_people} people of each person's mean, over {first['mixtures']} mixtures; brackets: "
        f"{CONFIDENCE:.0%} intervals, Student's t over the people's means. Rows are sorted by {headline}."
    )
    bounds = (
        "Floors remove nothing (identity, zero, gain, gain_oracle); ceilings see the clean signal. Above psm_oracle: "
        "mixtures with an SNR improvement above that of the best real gains from the clean signal; above 5 % "
        "a method is marked."
    )
    test_set = f"Test set {_set_name(results[0])}, SHA-256 {first['sha256']}, root {first['root']}."
    notes = [means, bounds, test_set]
    return Table(f"Leaderboard: {_set_name(results[0])}", columns, rows, notes)


def _heading(about: dict[str, Any]) -> str:
    scale = "" if about["table_scale"] == 1 else f"{about['table_scale']:g} "
    unit = f"{scale}{about['unit']}".strip()
    arrow = {"higher": "↑", "lower": "↓", "one": "→ 1"}[about["better"]]
    return f"{about['display_name']}{f' ({unit})' if unit not in ('', '1') else ''} {arrow}"


def _set_name(result: Result) -> str:
    test_set = result.content["set"]
    return f"{test_set['frozen'] or 'of a run'}, {test_set['set']}"


def _page(rows: Sequence[dict[str, Any]], table: Table) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(PAGE.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    headings, cells = shown_cells(table)
    return environment.get_template(PAGE.name).render(
        title=table.title,
        headings=headings,
        rows=[({**row, "number": number}, line) for number, (row, line) in enumerate(zip(rows, cells, strict=True), 1)],
        notes=table.notes,
    )
