"""Checks the tables: recomputes every mean of Table 1 and of the tables beside it from the metrics of the shards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import npz
from cleansemg.evaluation.verification import bootstrap, printed, shown
from cleansemg.evaluation.verification.bootstrap import Bootstrap
from cleansemg.evaluation.verification.findings import Finding
from cleansemg.evaluation.verification.folders import Results
from cleansemg.evaluation.verification.scored import Rows, Scored, differences, read_csv, read_scored

HEADLINE = "SNRimp"
LONG = ("table1", "snr_by_kinds", "by_snr", "by_count", "by_database")  # one row per denoiser (and condition)
COUNTS = ("n_mixtures", "n_subjects", "n_failed")

CONDITIONS: dict[str, Callable[[Scored, str], NDArray[np.bool_]]] = {
    "snr_db": lambda scored, text: scored.snr_db == float(text),
    "n_kinds": lambda scored, text: scored.n_kinds == int(text),
    "database": lambda scored, text: np.char.partition(scored.subject, "/")[:, 0] == text,
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
    """Check a table of means per denoiser, or per denoiser and condition (SNR, number of kinds, database).

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
    """The problems of one row; intervals are recomputed only where the means are right."""
    mask = np.ones(len(scored.failed), bool)
    for name in conditions:
        mask &= CONDITIONS[name](scored, row[name])
    expected: dict[str, float] = {key: scored.mean(profile, key, mask) / scored.scales[key] for key in keys}
    counts = (int(mask.sum()), len(set(scored.subject[mask].tolist())), int(scored.failed[mask].sum()))
    expected |= {name: count for name, count in zip(COUNTS, counts, strict=True) if name in row}
    who = " ".join([*scored.who, *(f"{name} {row[name]}" for name in conditions)])
    problems = differences(path, who, row, expected)
    if problems or how is None or f"{keys[0]}_low" not in row:
        return problems
    return differences(path, who, row, _intervals(scored, profile, {key: key for key in keys}, mask, how))


def _intervals(
    scored: Scored, profile: str, names: Mapping[str, str], mask: NDArray[np.bool_], how: tuple[int, float]
) -> dict[str, float]:
    """Limits of intervals by the name of their column; `names` maps column -> metric."""
    values = np.stack([scored.values[f"{profile}.{key}"][mask] for key in names.values()], axis=1)
    low, high = bootstrap.limits(values, scored.subject[mask], how[0], how[1], scored.seed)
    limits: dict[str, float] = {}
    for at, (name, key) in enumerate(names.items()):
        limits[f"{name}_low"] = float(low[at]) / scored.scales[key]
        limits[f"{name}_high"] = float(high[at]) / scored.scales[key]
    return limits


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
                expected |= {kind: scored.mean(profile, HEADLINE, alone), f"n_{kind}": int(alone.sum())}
                if how is not None and f"{kind}_low" in header:
                    expected |= _intervals(scored, profile, {kind: HEADLINE}, alone, how)
            problems += differences(path, " ".join(scored.who), row, expected)
        return problems

    outcomes = sorted((wrong(profile) for profile in every[0].having([HEADLINE])), key=len)
    finding.problems += outcomes[0]
    return len(rows) * len(every[0].kind_names) * (4 if "PLI_low" in header else 2)


def _whos(rows: Rows) -> set[tuple[str, str]]:
    return {(row.get("denoiser", ""), row.get("track", "")) for row in rows}
