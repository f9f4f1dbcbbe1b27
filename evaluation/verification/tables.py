"""Checks the tables: recomputes every mean of Table 1 and of the tables beside it from the metrics of the shards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import npz
from cleansemg.evaluation.verification import bootstrap, comparisons, derived, printed, shown
from cleansemg.evaluation.verification.bootstrap import Bootstrap
from cleansemg.evaluation.verification.findings import Finding
from cleansemg.evaluation.verification.folders import Results
from cleansemg.evaluation.verification.intervals import over_people
from cleansemg.evaluation.verification.noise_sources import sources_of
from cleansemg.evaluation.verification.scored import Rows, Scored, differences, read_csv, read_scored

HEADLINE = "SNRimp"
LONG = ("snr_by_kinds", "by_snr", "by_count", "by_database", "by_person")  # one row per denoiser and condition
HEADLINE_SETS = ("grid", "combined")  # Table 1 is of the first that was evaluated
ABROAD = "out_of_domain"
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
    header, rows = read_csv(path, finding)
    how = bootstrap.read_settings(folder / "config.yaml", finding)
    if {"denoiser", "track"} <= set(header):
        count = _benchmark(results, folder, sets, how, finding)
    elif {"method", "source"} <= set(header):
        first = sets.get("combined") or next(iter(sets.values()))
        count = printed.paper_layout(path, rows, first, how, finding)
        count += _by_noise(results, folder / "by_noise.csv", sets, first, how, finding)
        count += _comparisons(folder, "", first, how, finding)
    else:
        count = 0
        finding.problems.append(f"{path}: not a Table 1")
    for name in ("table1", "table1_drawn", "table1_published"):
        if (folder / f"{name}.csv").is_file():
            for suffix in (".md", ".tex"):
                count += shown.check(folder / f"{name}{suffix}", folder / f"{name}.csv", finding)
    finding.summary = f"{count} numbers of the tables in {folder} follow from the metrics of the shards"
    return finding


def _benchmark(
    results: Results, folder: Path, sets: Mapping[str, Sequence[Scored]], how: Bootstrap, finding: Finding
) -> int:
    """Check the tables of the benchmark; returns how many numbers."""
    name = next((name for name in HEADLINE_SETS if name in sets), next(iter(sets)))
    main, drawn = sets[name], sets.get("combined", sets[name])
    count = _long(folder / "table1.csv", main, sets, how, finding)
    if drawn is not main:
        count += _long(folder / "table1_drawn.csv", drawn, sets, how, finding)
    for table in LONG:
        if (folder / f"{table}.csv").is_file():
            count += _long(folder / f"{table}.csv", main, sets, how, finding)
    count += printed.beside(folder / "table1_published.csv", drawn, how, finding)
    count += _by_noise(results, folder / "by_noise.csv", sets, main, how, finding)
    count += _comparisons(folder, "", main, how, finding)
    count += _comparisons(folder, "_drawn", drawn, how, finding)
    count += _comparisons(folder, f"_{ABROAD}", sets.get(ABROAD, main), how, finding)
    if any(key.endswith("two_way_low") for key in read_csv(folder / "table1.csv", finding)[0]):
        finding.notes.append("intervals over people and noise records are resampled, so they are not recomputed")
    return count


def _comparisons(folder: Path, suffix: str, every: Sequence[Scored], how: Bootstrap, finding: Finding) -> int:
    return sum(
        comparisons.check(folder / f"{name}{suffix}.csv", every, how, finding) for name in ("paired", "against_gain")
    )


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


def _long(
    path: Path, every: Sequence[Scored], sets: Mapping[str, Sequence[Scored]], how: Bootstrap, finding: Finding
) -> int:
    """Check a table of means per denoiser, or per denoiser and condition (SNR, number of kinds, database, person).

    Args:
        path: the CSV.
        every: the scores that it comes from, where its rows name no set.
        sets: the scores of all sets, by name.
        how: resamples and confidence of the intervals; None: intervals are not checked.
        finding: the finding to which problems are added.

    Returns:
        Number of numbers checked.
    """
    header, rows = read_csv(path, finding)
    by_set: dict[str, Rows] = {}
    for row in rows:
        by_set.setdefault(row.get("set", ""), []).append(row)
    if not rows:
        finding.problems.append(f"{path}: its rows are not the denoisers that were evaluated")
    conditions = [name for name in CONDITIONS if name in header]
    keys = [key for key in header if any(key in scored.keys for scored in every)]
    for name, part in by_set.items():
        of_set = sets.get(name, every if not name else [])
        known = {scored.who: scored for scored in of_set}
        if _whos(part) != set(known):
            finding.problems.append(f"{path}: its rows are not the denoisers that were evaluated")
            continue
        outcomes = [
            [
                text
                for row in part
                for text in _row(path, row, known[row["denoiser"], row["track"]], profile, keys, conditions, how)
                + _derived(path, row, known[row["denoiser"], row["track"]], profile, of_set, sets, how)
            ]
            for profile in of_set[0].having(keys)
        ]
        no_profile = [f"{path}: no profile has the metrics {', '.join(keys)}"]
        finding.problems += sorted(outcomes, key=len)[0] if outcomes else no_profile
    limits = sum(f"{key}{end}" in header for key in keys for end in ("_low", "_high"))
    return len(rows) * (len(keys) + limits + sum(name in header for name in COUNTS))


def _derived(
    path: Path,
    row: Mapping[str, str],
    scored: Scored,
    profile: str,
    every: Sequence[Scored],
    sets: Mapping[str, Sequence[Scored]],
    how: Bootstrap,
) -> list[str]:
    if how is None or "skill" not in row:
        return []
    return differences(path, " ".join(scored.who), row, derived.columns(row, scored, profile, every, sets, how[1]))


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


def _by_noise(
    results: Results,
    path: Path,
    sets: Mapping[str, Sequence[Scored]],
    every: Sequence[Scored],
    how: Bootstrap,
    finding: Finding,
) -> int:
    """Check the table of SNR improvement on mixtures of one kind alone, or of one source; returns how many numbers."""
    header, rows = read_csv(path, finding)
    columns = [name.removeprefix("n_") for name in header if name.startswith("n_")]
    expected_rows = {
        (name, who) for name in {row.get("set", "") for row in rows} for who in _evaluated(name, sets, every)
    }
    if not rows or {(row.get("set", ""), (row["denoiser"], row["track"])) for row in rows} != expected_rows:
        finding.problems.append(f"{path}: its rows are not the denoisers that were evaluated")
        return 0
    sources: dict[tuple[str, str], NDArray[np.str_]] = {}

    def mask_of(name: str, column: str, scored: Scored) -> NDArray[np.bool_]:
        kind, _, source = column.partition(":")
        alone = scored.kinds[:, scored.kind_names.index(kind)] & (scored.n_kinds == 1)
        if source:
            if (name, kind) not in sources:
                sources[name, kind] = sources_of(results, name, kind)
            alone = alone & (sources[name, kind] == source)
        return np.asarray(alone, np.bool_)

    def wrong(profile: str) -> list[str]:
        problems = []
        for row in rows:
            name = row.get("set", "")
            scored = _evaluated(name, sets, every)[row["denoiser"], row["track"]]
            expected: dict[str, float] = {}
            for column in columns:
                if not row[f"n_{column}"] and name:  # a source of another set
                    continue
                alone = mask_of(name, column, scored)
                expected |= _over_people(scored, profile, {column: HEADLINE}, alone, how, row)
                expected[f"n_{column}"] = int(alone.sum())
            problems += differences(path, " ".join((*scored.who, name)), row, expected)
        return problems

    outcomes = sorted((wrong(profile) for profile in every[0].having([HEADLINE])), key=len)
    finding.problems += outcomes[0]
    return len(rows) * len(columns) * (4 if "PLI_low" in header else 2)


def _evaluated(
    name: str, sets: Mapping[str, Sequence[Scored]], every: Sequence[Scored]
) -> dict[tuple[str, str], Scored]:
    """The scores that rows of a set are of; without a name those of the table's only set."""
    return {scored.who: scored for scored in (sets.get(name, []) if name else every)}


def _whos(rows: Rows) -> set[tuple[str, str]]:
    return {(row.get("denoiser", ""), row.get("track", "")) for row in rows}
