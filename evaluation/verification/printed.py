"""Checks our rows in tables with printed numbers and in tables in a paper's layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cleansemg.evaluation.verification import bootstrap
from cleansemg.evaluation.verification.bootstrap import Bootstrap
from cleansemg.evaluation.verification.findings import Finding
from cleansemg.evaluation.verification.scored import Rows, Scored, differences, read_csv, same


def beside(path: Path, every: Sequence[Scored], how: Bootstrap, finding: Finding) -> int:
    """Check our rows of the table with printed numbers; returns how many numbers. Printed rows are not checked."""
    if not path.is_file():
        return 0
    header, rows = read_csv(path, finding)
    known = {(scored.who[0], f"this run, {scored.who[1]}"): scored for scored in every}
    keys = _metrics(header, "denoiser", "source")
    our_rows = [row for row in rows if row["source"].startswith("this run, ")]
    for row in our_rows:
        scored = known.get((row["denoiser"], row["source"]))
        if scored is None:
            finding.problems.append(f"{path}: {row['denoiser']}, {row['source']} was not evaluated")
            continue
        numbers_of_row = {key: scored.mean("published", key) / scored.scales[key] for key in keys}
        if how is not None and f"{keys[0]}_low" in header:
            values = np.stack([scored.values[f"published.{key}"] for key in keys], axis=1)
            low, high = bootstrap.limits(values, scored.subject, how[0], how[1], scored.seed)
            for at, key in enumerate(keys):
                scale = scored.scales[key]
                numbers_of_row |= {f"{key}_low": float(low[at]) / scale, f"{key}_high": float(high[at]) / scale}
        finding.problems += differences(path, " ".join(scored.who), row, numbers_of_row)
    return len(our_rows) * (len(header) - 2)


def paper_layout(path: Path, rows: Rows, every: Sequence[Scored], how: Bootstrap, finding: Finding) -> int:
    """Check a table in a paper's layout; returns how many numbers.

    Means are over each SNR, then over SNRs; the unit of a column is a power of ten, the same in every row.
    """
    known = {(scored.who[0], f"this run, {scored.who[1]}"): scored for scored in every}
    our_rows = [row for row in rows if row["source"].startswith("this run, ")]
    if sorted((row["method"], row["source"]) for row in our_rows) != sorted(known):
        finding.problems.append(f"{path}: its rows are not the denoisers that were evaluated")
        return 0
    keys = _metrics(list(rows[0]), "method", "source", "n", "failed")
    count = 0
    for key in keys:
        shown = [end for end in ("", "_low", "_high") if f"{key}{end}" in rows[0] and (not end or how is not None)]
        count += len(our_rows) * len(shown)
        mismatches = [len(our_rows) * len(shown)]
        for profile in every[0].profiles:
            if f"{profile}.{key}" in every[0].values:
                numbers = [_over_snrs(known[row["method"], row["source"]], profile, key, how) for row in our_rows]
                mismatches += [
                    sum(
                        not same(row[f"{key}{end}"], numbers_of_row[end] * 10.0**power)
                        for row, numbers_of_row in zip(our_rows, numbers, strict=True)
                        for end in shown
                    )
                    for power in range(7)
                ]
        if min(mismatches):
            finding.problems.append(f"{path}: {min(mismatches)} numbers in column {key} do not follow from the shards")
    return count


def _metrics(header: Sequence[str], *others: str) -> list[str]:
    return [key for key in header if key not in others and not key.endswith(("_low", "_high"))]


def _over_snrs(scored: Scored, profile: str, key: str, how: Bootstrap) -> dict[str, float]:
    """The mean over SNRs of the means at each SNR, under "", and its interval under "_low" and "_high"."""
    groups = [scored.snr_db == snr for snr in np.unique(scored.snr_db)]
    means = np.array([scored.mean(profile, key, rows) for rows in groups])
    limits_by_end = {"": float(means[np.isfinite(means)].mean()) if np.isfinite(means).any() else float("nan")}
    if how is not None:
        low, high = bootstrap.limits_over_groups(
            scored.values[f"{profile}.{key}"], groups, scored.subject, how[0], how[1], scored.seed
        )
        limits_by_end |= {"_low": low, "_high": high}
    return limits_by_end
