"""Checks the tables: recomputes every mean of Table 1 and of the tables beside it from the metrics of the shards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import npz
from cleansemg.evaluation.verification import bootstrap, comparisons, printed, shown
from cleansemg.evaluation.verification.bootstrap import Bootstrap
from cleansemg.evaluation.verification.findings import Finding
from cleansemg.evaluation.verification.folders import Results
from cleansemg.evaluation.verification.intervals import over_people
from cleansemg.evaluation.verification.scored import Rows, Scored, differences, read_csv, read_scored

HEADLINE = "SNRimp"
# one row per denoiser (and condition)
LONG = ("table1", "snr_by_kinds", "by_snr", "by_count", "by_database", "by_person")
COUNTS = ("n_mixtures", "n_subjects", "n_failed")

CONDITIONS: dict[str, Callable[[Scored, str], NDArray[np.bool_]]] = {
    "snr_db": lambda scored, text: scored.snr_db == float(text),
    "n_kinds": lambda scored, text: scored.n_kinds == int(text),
    "database": lambda scored, text: np.char.partition(scored.subject, "/")[:, 0] == text,
    "person": lambda scored, text: scored.subject == text,
}


def check(results: Results) -> Finding:
    """Finding `tables`: every checked number of the tables follows from the metrics of the shards."""
    finding = Finding("tables")
    folder = results.root / "tables"
    _check_sums(folder, finding)
    sets: dict[str, list[Scored]] = {}
    for one in results.of("denoised"):
        sets.setdefault(one.path.name, []).append(read_scored(one))
    path = folder / "table1.csv"
    if not sets or not path.is_file():
        if sets:
            finding.notes.append(f"{path} is not there: the stage `tables` was not run")
        return finding
    combined, grid = sets.get("combined", []), sets.get("grid", [])
    first = combined or next(iter(sets.values()))
    header, rows = read_csv(path, finding)
    count = 0
    how = bootstrap.read_settings(folder / "config.yaml", finding)
    if {"denoiser", "track"} <= set(header):
        for name in LONG:
            if name == "table1" or (folder / f"{name}.csv").is_file():
                count += _long(folder / f"{name}.csv", [grid, first] if name != "table1" else [first], how, finding)
        count += printed.beside(folder / "table1_published.csv", first, how, finding)
        count += _by_noise(folder / "by_noise.csv", grid or first, how, finding)
    elif {"method", "source"} <= set(header):
        count += printed.paper_layout(path, rows, first, how, finding)
    else:
        finding.problems.append(f"{path}: not a Table 1")
    for name in ("paired", "against_gain"):
        count += comparisons.check(folder / f"{name}.csv", first, how, finding)
    for name in ("table1", "table1_published", "by_noise"):
        if (folder / f"{name}.csv").is_file():
            for suffix in (".md", ".tex"):
                count += shown.check(folder / f"{name}{suffix}", folder / f"{name}.csv", finding)
    finding.summary = f"{count} numbers of the tables in {folder} follow from the metrics of the shards"
    return finding


def _check_sums(folder: Path, finding: Finding) -> None:
    """Check every file of the tables, including pictures, against the hashes written with them."""
    path = folder / "SHA256SUMS"
    if not path.is_file():
        if folder.is_dir():
            finding.notes.append(f"{path} is not there: pictures and tests of the tables cannot be checked")
        return
    finding.covered.add(path)
    for line in path.read_text(encoding="utf-8").splitlines():
        digest, separator, name = line.partition("  ")
        file = folder / name
        if not separator or not name or "/" in name:
            finding.problems.append(f"{path}: '{line[:80]}' is no line of hash and file")
        elif not file.is_file():
            finding.problems.append(f"{file}: missing")
        else:
            finding.covered.add(file)
            if npz.sha256(file) != digest:
                finding.problems.append(f"{file}: altered since the tables were made")


def _long(path: Path, candidates: Sequence[Sequence[Scored]], how: Bootstrap, finding: Finding) -> int:
    """Check a table of means per denoiser, or per denoiser and condition (SNR, number of kinds, database, person).

    Args:
        path: the CSV.
        candidates: the scores that it may come from, combined set or grid.
        how: resamples and confidence of the intervals; None: intervals are not checked.
        finding: the finding to which problems are added.

    Returns:
        Number of numbers checked.
    """
    header, rows = read_csv(path, finding)
    fitting = [every for every in candidates if every and _whos(rows) == {scored.who for scored in every}]
    if not fitting or not rows:
        finding.problems.append(f"{path}: its rows are not the denoisers that were evaluated")
        return 0
    conditions = [name for name in CONDITIONS if name in header]
    keys = [key for key in header if any(key in scored.keys for scored in fitting[0])]
    best: list[str] | None = None
    for every in fitting:
        known = {scored.who: scored for scored in every}
        for profile in every[0].having(keys):
            problems = [
                text
                for row in rows
                for text in _row(path, row, known[row["denoiser"], row["track"]], profile, keys, conditions, how)
            ]
            best = problems if best is None or len(problems) < len(best) else best
    finding.problems += best if best is not None else [f"{path}: no profile has the metrics {', '.join(keys)}"]
    limits = sum(f"{key}{end}" in header for key in keys for end in ("_low", "_high"))
    return len(rows) * (len(keys) + limits + sum(name in header for name in COUNTS))


def _row(
    path: Path,
    row: Mapping[str, str],
    scored: Scored,
    profile: str,
    keys: Sequence[str],
    conditions: Sequence[str],
    how: Bootstrap,
) -> list[str]:
    """The problems of one row; intervals are checked where the confidence is known."""
    mask = np.ones(len(scored.failed), bool)
    for name in conditions:
        mask &= CONDITIONS[name](scored, row[name])
    expected = _over_people(scored, profile, {key: key for key in keys}, mask, how, row)
    counts = (int(mask.sum()), len(set(scored.subject[mask].tolist())), int(scored.failed[mask].sum()))
    expected |= {name: count for name, count in zip(COUNTS, counts, strict=True) if name in row}
    who = " ".join([*scored.who, *(f"{name} {row[name]}" for name in conditions)])
    return differences(path, who, row, expected)


def _over_people(
    scored: Scored,
    profile: str,
    names: Mapping[str, str],
    mask: NDArray[np.bool_],
    how: Bootstrap,
    row: Mapping[str, str],
) -> dict[str, float]:
    """Means over people by column, and limits where the row has them and somebody says their confidence.

    `names` has column -> metric.
    """
    numbers: dict[str, float] = {}
    for name, key in names.items():
        values = scored.values[f"{profile}.{key}"][mask]
        confidence = 0.5 if how is None else how[1]
        mean, low, high = (one / scored.scales[key] for one in over_people(values, scored.subject[mask], confidence))
        numbers[name] = mean
        if how is not None and f"{name}_low" in row:
            numbers |= {f"{name}_low": low, f"{name}_high": high}
    return numbers


def _by_noise(path: Path, every: Sequence[Scored], how: Bootstrap, finding: Finding) -> int:
    """Check the table of SNR improvement on mixtures of one kind alone; returns how many numbers."""
    header, rows = read_csv(path, finding)
    known = {scored.who: scored for scored in every}
    if _whos(rows) != set(known):
        finding.problems.append(f"{path}: its rows are not the denoisers that were evaluated")
        return 0

    def wrong(profile: str) -> list[str]:
        problems = []
        for row in rows:
            scored = known[row["denoiser"], row["track"]]
            expected: dict[str, float] = {}
            for column, kind in enumerate(scored.kind_names):
                alone = scored.kinds[:, column] & (scored.n_kinds == 1)
                expected |= _over_people(scored, profile, {kind: HEADLINE}, alone, how, row)
                expected[f"n_{kind}"] = int(alone.sum())
            problems += differences(path, " ".join(scored.who), row, expected)
        return problems

    outcomes = sorted((wrong(profile) for profile in every[0].having([HEADLINE])), key=len)
    finding.problems += outcomes[0]
    return len(rows) * len(every[0].kind_names) * (4 if "PLI_low" in header else 2)


def _whos(rows: Rows) -> set[tuple[str, str]]:
    return {(row.get("denoiser", ""), row.get("track", "")) for row in rows}
