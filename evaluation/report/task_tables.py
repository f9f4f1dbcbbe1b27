"""The effect of denoising on tasks: reads the tables of finished task folders, without changes."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cleansemg.core.errors import UserError
from cleansemg.core.rendering import Column, Table

MEASURES = {
    "accuracy": "accuracy %",
    "f1": "F1 %",
    "balanced_accuracy": "balanced accuracy %",
    "auc": "AUC %",
    "over_noisy": "accuracy over noisy, points",
}
COUNTS = {"n_examples": "examples", "n_people": "people", "n_failed": "failed"}
PAIRED = "_paired"
MOST_BYTES = 1 << 22  # a table of results is a few kilobytes


@dataclass(frozen=True)
class TaskResult:
    """One task and classifier: measures by input, and paired tests where they exist."""

    table: Table
    paired: Table | None


def default_folders(results: Path) -> list[Path]:
    """Task folders beside the results: `RESULTS/../downstream/*` that hold tables."""
    beside = results.resolve().parent / "downstream"
    return sorted(path for path in beside.glob("*") if any((path / "tables").glob("*.csv")))


def read_tasks(folders: Sequence[Path]) -> list[TaskResult]:
    """The tables of task folders, in the order of the folders and by name.

    Raises:
        UserError: a folder is absent, holds no table of a task, or a table cannot be read.
    """
    results: list[TaskResult] = []
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"--task {folder}: no such folder")
        contents = {path.stem: _read(path) for path in sorted((folder / "tables").glob("*.csv"))}
        tasks = {
            name: rows for name, rows in contents.items() if rows and {"input", "accuracy_percent"} <= set(rows[0])
        }
        if not tasks:
            raise UserError(
                f"--task {folder}: holds no table of a task (tables/TASK_MODEL.csv); run: "
                f"cleansemg run --config configs/downstream/TASK.yaml --output {folder}"
            )
        for name, rows in tasks.items():
            paired = contents.get(f"{name}{PAIRED}")
            title, notes = _title_and_notes(folder / "tables" / f"{name}.md", name)
            results.append(TaskResult(_measures(title, rows, notes), _paired(name, paired) if paired else None))
    return results


def _title_and_notes(path: Path, name: str) -> tuple[str, list[str]]:
    """Title and notes of a table, from the Markdown file beside it; the notes describe the recordings."""
    if not path.is_file():
        return name, []
    lines = _text(path).splitlines()
    titles = [line.removeprefix("## ") for line in lines if line.startswith("## ")]
    notes = [line for line in lines if line.strip() and not line.startswith(("## ", "|"))]
    notes = [note.replace("Brackets:", "Small print:", 1) for note in notes]  # as intervals stand in the page
    return (titles[0] if titles else name), notes


def _read(path: Path) -> list[dict[str, str]]:
    try:
        reader = csv.DictReader(io.StringIO(_text(path), newline=""))
        return [{str(key): value or "" for key, value in row.items() if key} for row in reader]
    except csv.Error as error:
        raise UserError(f"{path}: cannot be read ({error})") from None


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UserError(f"{path}: {path.stat().st_size} bytes, no table of results")
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None


def _measures(title: str, rows: Sequence[Mapping[str, str]], notes: Sequence[str]) -> Table:
    columns = [Column("input", "input")]
    for key, heading in MEASURES.items():
        if any(row.get(f"{key}_percent") for row in rows):
            columns.append(Column(f"{key}_percent", heading, 1, (f"{key}_low", f"{key}_high")))
    columns += [Column(key, heading) for key, heading in COUNTS.items() if key in rows[0]]
    return Table(title, columns, [{key: _number(value) for key, value in row.items()} for row in rows], notes)


def _paired(name: str, rows: Sequence[Mapping[str, str]]) -> Table:
    columns = [
        Column("a", "a"),
        Column("b", "b"),
        Column("difference", "a - b, points of accuracy", 1, ("difference_low", "difference_high")),
        Column("effect", "effect", 2),
        Column("p", "p", 4),
        Column("p_holm", "p, Holm", 4),
        Column("n_people", "people"),
    ]
    return Table(f"{name}: paired", columns, [{k: _number(v) for k, v in row.items()} for row in rows])


def _number(text: str) -> float | int | str | None:
    """A field of a CSV as a number; None where it is empty; the text where it is not a number."""
    if not text:
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
