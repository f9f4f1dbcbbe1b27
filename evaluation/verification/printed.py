"""Tables that show printed numbers beside ours, and tables in a paper's layout: our rows of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cleansemg.evaluation.verification import bootstrap
from cleansemg.evaluation.verification.bootstrap import Bootstrap
from cleansemg.evaluation.verification.findings import Finding
from cleansemg.evaluation.verification.scored import Rows, Scored, differences, read_csv, same


def beside(path: Path, every: Sequence[Scored], how: Bootstrap, finding: Finding) -> int:
    """Our rows of the table with the printed numbers; those that were printed are not ours to check."""
    if not path.is_file():
        return 0
    header, rows = read_csv(path, finding)
    known = {(scored.who[0], f"this run, {scored.who[1]}"): scored for scored in every}
    keys = _metrics(header, "denoiser", "source")
    own_rows = [row for row in rows if row["source"].startswith("this run, ")]
    for row in own_rows:
        found = known.get((row["denoiser"], row["source"]))
        if found is None:
            finding.problems.append(f"{path}: {row['denoiser']}, {row['source']} was not evaluated")
            continue
        own = {key: found.mean("published", key) / found.scales[key] for key in keys}
        if how is not None and f"{keys[0]}_low" in header:
            values = np.stack([found.values[f"published.{key}"] for key in keys], axis=1)
            low, high = bootstrap.limits(values, found.subject, how[0], how[1], found.seed)
            for at, key in enumerate(keys):
                scale = found.scales[key]
                own |= {f"{key}_low": float(low[at]) / scale, f"{key}_high": float(high[at]) / scale}
        finding.problems += differences(path, " ".join(found.who), row, own)
    return len(own_rows) * (len(header) - 2)


def paper_layout(path: Path, rows: Rows, every: Sequence[Scored], how: Bootstrap, finding: Finding) -> int:
    """A paper's layout: means a SNR, then over SNRs; a column's unit is a power of ten, the same in every row."""
    known = {(scored.who[0], f"this run, {scored.who[1]}"): scored for scored in every}
    own_rows = [row for row in rows if row["source"].startswith("this run, ")]
    if sorted((row["method"], row["source"]) for row in own_rows) != sorted(known):
        finding.problems.append(f"{path}: its rows are not the denoisers that were evaluated")
        return 0
    keys = _metrics(list(rows[0]), "method", "source", "n", "failed")
    count = 0
    for key in keys:
        shown = [end for end in ("", "_low", "_high") if f"{key}{end}" in rows[0] and (not end or how is not None)]
        count += len(own_rows) * len(shown)
        mismatches = [len(own_rows) * len(shown)]
        for profile in every[0].profiles:
            if f"{profile}.{key}" in every[0].values:
                numbers = [_over_snrs(known[row["method"], row["source"]], profile, key, how) for row in own_rows]
                mismatches += [
                    sum(
                        not same(row[f"{key}{end}"], own[end] * 10.0**power)
                        for row, own in zip(own_rows, numbers, strict=True)
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
    """The mean over SNRs of means, and by "_low" and "_high" its interval."""
    groups = [scored.snr_db == snr for snr in np.unique(scored.snr_db)]
    means = np.array([scored.mean(profile, key, rows) for rows in groups])
    own = {"": float(means[np.isfinite(means)].mean()) if np.isfinite(means).any() else float("nan")}
    if how is not None:
        low, high = bootstrap.limits_over_groups(
            scored.values[f"{profile}.{key}"], groups, scored.subject, how[0], how[1], scored.seed
        )
        own |= {"_low": low, "_high": high}
    return own
