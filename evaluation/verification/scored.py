"""Reads the metrics of one denoised set for the tables, and compares fields of a CSV with numbers."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError
from cleansemg.evaluation.verification.findings import Finding
from cleansemg.evaluation.verification.folders import MANIFEST, Folder

DIGITS = 2e-8  # relative; CSVs have nine significant digits

Rows = list[dict[str, str]]


KINDS = ("PLI", "ECG", "MOA", "WGN", "Color")  # columns of sets that do not name theirs


@dataclass(frozen=True)
class Scored:
    """The columns of one denoised set that the tables use.

    Attributes:
        who: label and track.
        subject: [n] "database/subject".
        seed: seed of the run.
        values: by "profile.metric", [n].
        scales: by metric, the divisor in the tables.
        kind_names: [K] names of the columns of `kinds`.
    """

    who: tuple[str, str]
    snr_db: NDArray[np.float64]
    n_kinds: NDArray[np.int64]
    kinds: NDArray[np.bool_]
    failed: NDArray[np.bool_]
    subject: NDArray[np.str_]
    seed: int
    values: Mapping[str, NDArray[np.float64]]
    scales: Mapping[str, float]
    kind_names: tuple[str, ...] = KINDS

    @property
    def keys(self) -> set[str]:
        """Metrics of any profile."""
        return {name.partition(".")[2] for name in self.values}

    def having(self, keys: Sequence[str]) -> list[str]:
        """Profiles that have all these metrics."""
        return [profile for profile in self.profiles if all(f"{profile}.{key}" in self.values for key in keys)]

    @property
    def profiles(self) -> list[str]:
        """The profiles of its metrics."""
        return list(dict.fromkeys(name.partition(".")[0] for name in self.values))

    def mean(self, profile: str, key: str, rows: NDArray[np.bool_] | None = None) -> float:
        """Mean over rows that have a value; NaN where there is none."""
        values = self.values[f"{profile}.{key}"]
        values = values if rows is None else values[rows]
        finite = values[np.isfinite(values)]
        return float(finite.sum() / len(finite)) if len(finite) else float("nan")


def read_scored(folder: Folder) -> Scored:
    """Read the metrics of a denoised set.

    Raises:
        ArtifactError: a shard is unreadable or lacks a column.
        UserError: the manifest does not describe the metrics.
    """
    stored = next(iter(folder.tables()))[1] if folder.shards else {}
    names = [name for name in stored if "." in name]
    columns = folder.columns("database", "subject", "snr_db", "n_kinds", "kinds", "failed", *names)
    kind_names = stored["kind_names"][0].tolist() if "kind_names" in stored else KINDS
    people = zip(columns["database"].tolist(), columns["subject"].tolist(), strict=True)
    return Scored(
        who=(str(folder.info["denoiser"]), str(folder.info["track"])),
        snr_db=columns["snr_db"],
        n_kinds=columns["n_kinds"],
        kinds=columns["kinds"].astype(bool),
        failed=columns["failed"].astype(bool),
        subject=np.array([f"{database}/{subject}" for database, subject in people]),
        seed=folder.seed,
        values={name: columns[name] for name in names},
        scales={key: about.table_scale for key, about in metrics_of(folder).items()},
        kind_names=tuple(map(str, kind_names)),
    )


@dataclass(frozen=True)
class MetricAbout:
    """The description of one metric in a denoised set: its class, the unit of its values, the divisor in tables."""

    target: str
    unit: str
    table_scale: float


def metrics_of(folder: Folder) -> dict[str, MetricAbout]:
    """The descriptions of a denoised set's metrics, by key.

    Raises:
        UserError: its manifest does not describe the metrics, or has another form.
    """
    try:
        return {
            str(key): MetricAbout(str(about["class"]), str(about["unit"]), float(about["table_scale"]))
            for key, about in folder.info["metrics"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{folder.path / MANIFEST}: describes no metrics, as results of earlier versions do not "
            f"({type(error).__name__}: {error}); evaluate again with --force"
        ) from None


def read_csv(path: Path, finding: Finding) -> tuple[list[str], Rows]:
    """Header and rows of a table; both empty, with a problem in the finding, where it is missing."""
    if not path.is_file():
        finding.problems.append(f"{path}: missing")
        return [], []
    finding.covered.add(path)
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = [{key: value or "" for key, value in row.items() if key is not None} for row in reader]
        return list(reader.fieldnames or ()), rows


def same(shown: str, expected: float) -> bool:
    """Whether a field of a CSV is this number; empty stands for NaN."""
    if not shown or math.isnan(expected):
        return not shown and math.isnan(expected)
    try:
        value = float(shown)
    except ValueError:
        return False
    return abs(value - expected) <= max(DIGITS * abs(expected), 1e-12)


def differences(path: Path, who: str, row: Mapping[str, str], expected: Mapping[str, float]) -> list[str]:
    """One text for each field of a row that differs from the expected number."""
    return [
        f"{path}: {key} of {who} is {row.get(key)}, the shards give {value:.9g}"
        for key, value in expected.items()
        if not same(row.get(key, "?"), value)
    ]
