"""Tables that show printed numbers beside ours, and tables in a paper's layout: our rows of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evaluation.verification.findings import Finding
from evaluation.verification.scored import SCALE, Rows, Scored, differences, read_csv, same


def beside(path: Path, every: Sequence[Scored], finding: Finding) -> int:
    """Our rows of the table with the printed numbers; those that were printed are not ours to check."""
    if not path.is_file():
        return 0
    header, rows = read_csv(path, finding)
    known = {(scored.who[0], f"this run, {scored.who[1]}"): scored for scored in every}
    keys = [key for key in header if key not in ("denoiser", "source")]
    own_rows = [row for row in rows if row["source"].startswith("this run, ")]
    for row in own_rows:
        found = known.get((row["denoiser"], row["source"]))
        if found is None:
            finding.problems.append(f"{path}: {row['denoiser']}, {row['source']} was not evaluated")
            continue
        own = {key: found.mean("published", key) / SCALE.get(key, 1.0) for key in keys}
        finding.problems += differences(path, " ".join(found.who), row, own)
    return len(own_rows) * len(keys)


def paper_layout(path: Path, rows: Rows, every: Sequence[Scored], finding: Finding) -> int:
    """A paper's layout: means a SNR, then over SNRs; a column's unit is a power of ten, the same in every row."""
    known = {(scored.who[0], f"this run, {scored.who[1]}"): scored for scored in every}
    own_rows = [row for row in rows if row["source"].startswith("this run, ")]
    if sorted((row["method"], row["source"]) for row in own_rows) != sorted(known):
        finding.problems.append(f"{path}: its rows are not the denoisers that were evaluated")
        return 0
    keys = [key for key in rows[0] if key not in ("method", "source", "n", "failed")]
    for key in keys:
        mismatches = [len(own_rows)]
        for profile in every[0].profiles:
            if f"{profile}.{key}" in every[0].values:
                means = [_over_snrs(known[row["method"], row["source"]], profile, key) for row in own_rows]
                mismatches += [
                    sum(not same(row[key], mean * 10.0**power) for row, mean in zip(own_rows, means, strict=True))
                    for power in range(7)
                ]
        if min(mismatches):
            finding.problems.append(f"{path}: {min(mismatches)} numbers in column {key} do not follow from the shards")
    return len(own_rows) * len(keys)


def _over_snrs(scored: Scored, profile: str, key: str) -> float:
    means = np.array([scored.mean(profile, key, scored.snr_db == snr) for snr in np.unique(scored.snr_db)])
    return float(means[np.isfinite(means)].mean()) if np.isfinite(means).any() else float("nan")
