"""Average the tables of a protocol's folds: mean and standard deviation over folds.

Reads tables/table1.csv and tables/config.yaml of each folder; writes tables/folds.csv, folds.md and folds.tex below
--output.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
import yaml

from cleansemg.core import config
from cleansemg.core.commandline import finish, run
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.core.rendering import Column, Table, write
from cleansemg.core.stage import Report
from cleansemg.data_pipeline.leak_labels import leak_labels
from cleansemg.evaluation import protocol_tables

if TYPE_CHECKING:
    from cleansemg.settings import Settings

THIS_RUN = "this run, "


def main(  # noqa: D103 - its help is the module's docstring
    folds: Annotated[list[Path], typer.Argument(help="Output folders of the folds.")],
    output: Annotated[Path, typer.Option(help="Where the table goes.")],
) -> int:
    table = average(folds)
    write([table], Layout(output).tables, "folds")
    return finish(
        [Report("folds", (f"{len(folds)} folds, {len(table.rows)} rows: {Layout(output).tables / 'folds.md'}",))]
    )


def average(folders: list[Path]) -> Table:
    """One row per method and track: mean and standard deviation (n - 1) over folds, in the units of the folds' tables.

    Raises:
        UserError: there are fewer than two folds, a fold has no tables, two are the same fold or have different
            settings, or their methods differ.
    """
    if len(folders) < 2:
        raise UserError("average_folds: one fold has no mean over folds; name two or more output folders")
    settings = [_settings(folder) for folder in folders]
    _require_folds(settings, folders)
    printed = protocol_tables.read_printed(settings[0])
    fold_rows = [_rows(folder) for folder in folders]
    for folder, one_fold in zip(folders[1:], fold_rows[1:], strict=True):
        if set(one_fold) != set(fold_rows[0]):
            other = sorted(set(one_fold) ^ set(fold_rows[0]))[0]
            raise UserError(f"{folder}: '{', '.join(other)}' was evaluated in some folds only")
    labels = list(dict.fromkeys(label for folder in folders for label in leak_labels(Layout(folder))))
    rows: list[dict[str, Any]] = []
    for method, source in fold_rows[0]:
        row: dict[str, Any] = {"method": method, "track": source.removeprefix(THIS_RUN), "folds": len(folders)}
        for column in printed.columns:
            values = np.array([_number(one_fold[method, source][column.metric]) for one_fold in fold_rows])
            row[column.metric], row[f"{column.metric}_std"] = float(values.mean()), float(values.std(ddof=1))
            row[f"{column.metric}_shown"] = (
                f"{values.mean():.{column.decimals}f} ± {values.std(ddof=1):.{column.decimals}f}"
            )
        rows.append(row)
    columns = [Column("method", "method"), Column("track", "track")]
    for column in printed.columns:
        columns += [
            Column(column.metric),
            Column(f"{column.metric}_std"),
            Column(f"{column.metric}_shown", column.heading),
        ]
    title = f"{printed.title}: mean ± standard deviation over {len(folders)} folds"
    title += " (protocol: published, leaking)" if labels else ""
    return Table(title, [*columns, Column("folds", "folds")], rows, labels)


def _settings(folder: Path) -> Settings:
    path = Layout(folder).tables / "config.yaml"
    try:
        settings = config.check(yaml.safe_load(path.read_text(encoding="utf-8")), path)
    except (OSError, yaml.YAMLError, UserError, UnicodeDecodeError, TypeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); make the tables of that fold first") from None
    if settings.tables.printed is None or settings.split.selection is None:
        raise UserError(f"{path}: not a fold of a published protocol (tables.printed and split.selections)")
    return settings


def _require_folds(settings: list[Settings], folders: list[Path]) -> None:
    """Check that the folders hold different folds of one configuration.

    Raises:
        UserError: they do not.
    """
    by_fold: dict[int, Path] = {}
    for fold_settings, folder in zip(settings, folders, strict=True):
        if fold_settings.split.fold in by_fold:
            raise UserError(f"{folder}: fold {fold_settings.split.fold}, as is {by_fold[fold_settings.split.fold]}")
        by_fold[fold_settings.split.fold] = folder
    contents = [
        fold_settings.model_dump(mode="json", exclude={"config_file": True, "paths": True, "split": {"fold"}})
        for fold_settings in settings
    ]
    for content, folder in zip(contents[1:], folders[1:], strict=True):
        different = [key for key, value in content.items() if value != contents[0][key]]
        if different:
            raise UserError(
                f"{folder}: '{different[0]}' is set otherwise than in {folders[0]}; folds differ in split.fold"
            )


def _rows(folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    path = Layout(folder).tables / "table1.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {
                (row["method"], row["source"]): row
                for row in csv.DictReader(file)
                if row["source"].startswith(THIS_RUN)
            }
    except (OSError, KeyError) as error:
        raise UserError(f"{path}: cannot be read ({error}); make the tables of that fold first") from None


def _number(text: str) -> float:
    return float(text) if text else float("nan")


main.__doc__ = __doc__

if __name__ == "__main__":
    run(main)
