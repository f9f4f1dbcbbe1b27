"""The origin of results: data, split, failures, configuration, versions, hashes, the command that reproduces them."""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleansemg.core import npz
from cleansemg.core.artifact import MANIFEST, versions
from cleansemg.core.errors import ArtifactError
from cleansemg.core.rendering import Column, Table
from cleansemg.core.stage import FAILURES
from cleansemg.data_pipeline import subject_split
from cleansemg.evaluation.report.run import Run

SHOWN_CAUSES = 5  # of each stage; all are in its failures.csv


@dataclass(frozen=True)
class FailedItems:
    """The items that one stage could not process."""

    stage: str
    count: int
    first: Sequence[tuple[str, str]]  # item and cause


def failures(run: Run) -> list[FailedItems]:
    """The failed items of every stage of the run that has any."""
    failed = []
    for path in sorted(run.layout.root.rglob(FAILURES)):
        with open(path, encoding="utf-8", newline="") as file:
            rows = [(row.get("item") or "", row.get("cause") or "") for row in csv.DictReader(file)]
        if rows:
            failed.append(FailedItems(str(path.parent.relative_to(run.layout.root)), len(rows), rows[:SHOWN_CAUSES]))
    return failed


def data_tables(run: Run) -> list[Table]:
    """Tables of the subjects of each part, and of subjects and mixtures by database in the test set of Table 1."""
    tables = []
    if run.layout.split.exists():
        split = subject_split.load_split(run.layout.split)
        rows: list[dict[str, Any]] = [
            {"database": database, "part": part, "n": len(subjects), "subjects": ", ".join(subjects)}
            for database, parts in split.databases.items()
            for part, subjects in parts.items()
        ]
        columns = [
            Column("database", "database"),
            Column("part", "part"),
            Column("n", "n"),
            Column("subjects", "subjects"),
        ]
        notes = [*split.remarks, *([split.label] if split.label else [])]
        tables.append(Table(f"Split of subjects (rule: {split.rule}, seed {split.seed})", columns, rows, notes))
    by_subject: dict[str, list[int]] = {}
    names, counts = _unique(run)
    for name, count in zip(names, counts, strict=True):
        by_subject.setdefault(name.partition("/")[0], []).append(count)
    rows = [{"database": name, "subjects": len(counts), "mixtures": sum(counts)} for name, counts in by_subject.items()]
    columns = [Column("database", "database"), Column("subjects", "test subjects"), Column("mixtures", "mixtures")]
    tables.append(Table(f"Test set behind Table 1: {run.set_name}", columns, rows))
    return tables


def _unique(run: Run) -> tuple[list[str], list[int]]:
    import numpy as np

    names, counts = np.unique(run.main[0].subject, return_counts=True)
    return [str(name) for name in names], [int(count) for count in counts]


def artifacts(run: Run) -> list[Table]:
    """Tables of rows, failures and fingerprint of everything that a manifest describes, and of the tables' hashes.

    Raises:
        ArtifactError: a manifest cannot be read.
    """
    rows: list[dict[str, Any]] = []
    for path in sorted(run.layout.root.rglob(MANIFEST)):
        content = _manifest(path)
        counts = [int(shard["count"]) for shard in content["shards"]]
        rows.append(
            {
                "artifact": str(path.parent.relative_to(run.layout.root)), "holds": content["schema"],
                "rows": sum(counts), "failures": content["n_failures"], "fingerprint": str(content["fingerprint"])[:16],
            }
        )  # fmt: skip
    columns = [Column(key, key) for key in ("artifact", "holds", "rows", "failures", "fingerprint")]
    files = [
        {"file": f"tables/{path.name}", "sha256": npz.sha256(path)}
        for path in sorted(run.layout.tables.iterdir())
        if path.suffix in (".csv", ".yaml") and path.name != "costs.csv"
    ]
    hashes = Table("Files", [Column("file", "file"), Column("sha256", "SHA-256")], files)
    return [Table("Artifacts", columns, rows), hashes]


def library_versions(run: Run) -> Table:
    """Library versions of the results and of the report."""
    recorded: Mapping[str, str] = {}
    for path in sorted((run.layout.root / "denoised").rglob(MANIFEST)):
        recorded = _manifest(path)["versions"]
        break
    now = versions()
    rows = [
        {"what": name, "made": recorded.get(name, ""), "now": now.get(name, "")}
        for name in dict.fromkeys([*recorded, *now])
    ]
    columns = [Column("what", "library"), Column("made", "results"), Column("now", "report")]
    return Table("Versions", columns, rows)


def config_text(run: Run) -> str:
    """The text of the resolved configuration."""
    return (run.layout.tables / "config.yaml").read_text(encoding="utf-8")


def command(run: Run) -> str:
    """The command that repeats the run in another folder; the data must be where the configuration says."""
    config, again = run.layout.tables / "config.yaml", run.layout.root.with_name(run.layout.root.name + "_again")
    return f"cleansemg run --config {shlex.quote(str(config))} --output {shlex.quote(str(again))}"


def _manifest(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not {"schema", "shards", "n_failures", "fingerprint", "versions"} <= set(content):
            raise ValueError("keys are missing")
    except (OSError, ValueError, TypeError) as error:
        raise ArtifactError(f"{path}: not a manifest ({error})") from None
    return content
