"""Checks metrics against the signals: all rows by the relation of SNRimp, RMSE and PRD, a sample from the waveforms."""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.evaluation.verification.findings import Finding, Track
from cleansemg.evaluation.verification.folders import Columns, Folder, Results, Shard, mapped
from cleansemg.evaluation.verification.independent_metrics import FORMULAS, ROUNDING, Segment, recomputed
from cleansemg.evaluation.verification.scored import MetricAbout, metrics_of

RELATIVE = 1e-6  # of a metric, or of 1 dB, 1 %, 1 Hz; sums in another order differ by about 1e-12
LABELS = ("mixture_id", "segment_id", "database", "subject", "snr_db", "n_kinds", "kinds")


def check(results: Results, sample: int, track: Track) -> list[Finding]:
    """Findings `labels`, `metrics` (all rows) and `sampled` (from waveforms).

    Args:
        results: the folders.
        sample: number of rows of each denoiser that are recomputed from their waveforms; drawn from the run's seed.
        track: shows progress.
    """
    labels, tied, sampled = Finding("labels"), Finding("metrics"), Finding("sampled")
    n = n_tied = n_values = 0
    folders = results.of("denoised")
    for folder in track(folders, len(folders), "metrics"):
        data = results.test_set(folder.inputs.get("test_data"))
        if data is None:
            continue  # reported under `inputs`
        if [s.path.name for s in data.shards] != [s.path.name for s in folder.shards]:
            labels.problems.append(f"{folder.path}: its shards are not those of {data.path}")
            continue
        sampled_rows, about = _sample(folder, sample), metrics_of(folder)
        first = 0
        for source, shard in zip(data.shards, folder.shards, strict=True):
            mixtures, scores = mapped(source.path), mapped(shard.path)
            wrong = [name for name in LABELS if not np.array_equal(mixtures[name], scores[name])]
            if wrong:
                labels.problems.append(f"{shard.path}: '{wrong[0]}' is not that of {source.path}")
                continue
            n += shard.count
            n_tied += _tied(shard, mixtures, scores, tied)
            _digests(shard, scores, sampled)
            rows = sampled_rows[(sampled_rows >= first) & (sampled_rows < first + shard.count)] - first
            n_values += _from_waveforms(shard, mixtures, scores, rows, about, sampled)
            first += shard.count
        _metrics_csv(folder, labels)
    if n:
        labels.summary = f"{n} rows of {len(folders)} denoised sets are those of their test sets, in order; CSV alike"
    if n_tied:
        tied.summary = (
            f"SNRimp, RMSE and PRD of all {n_tied} rows agree with one another and with clean and noisy signals"
        )
    for key, target in sorted({(key, about.target) for folder in folders for key, about in metrics_of(folder).items()}):
        if key not in FORMULAS:
            sampled.notes.append(f"{key} is of {target}: it has no second formula here, so it was not recomputed")
    if n_values:
        sampled.summary = f"{n_values} values recomputed from waveforms, up to {sample} mixtures of each denoiser"
    elif n:
        sampled.notes.append("no waveforms were kept (evaluate.keep_waveforms), so none could be scored again")
    return [labels, tied, sampled]


def close(stored: float, expected: float, unit: str) -> bool:
    """Whether a stored metric equals the recomputed one; volts are small, so they have no absolute tolerance."""
    if math.isnan(stored) or math.isnan(expected):
        return math.isnan(stored) and math.isnan(expected)
    scale = abs(expected) if unit == "V" else max(abs(expected), 1.0)
    return abs(stored - expected) <= RELATIVE * scale


def _sample(folder: Folder, count: int) -> NDArray[np.int64]:
    rng = np.random.default_rng([folder.seed, *folder.name.encode()])
    return np.sort(rng.permutation(folder.count)[:count])


def _profiles(scores: Columns) -> dict[str, list[str]]:
    """Profile -> its metrics, by the names of the columns."""
    keys_by_profile: dict[str, list[str]] = {}
    for name in scores:
        profile, dot, key = name.partition(".")
        if dot:
            keys_by_profile.setdefault(profile, []).append(key)
    return keys_by_profile


def _tied(shard: Shard, mixtures: Columns, scores: Columns, finding: Finding) -> int:
    """Check that RMSE and SNRimp follow from PRD and the energies of clean signal and noise; returns how many rows."""
    if "standard.PRD" not in scores:
        return 0
    done = ~np.asarray(scores["failed"], bool)
    clean = np.asarray(mixtures["clean"])[done].astype(np.float64)
    noise = np.asarray(mixtures["noisy"])[done].astype(np.float64) - clean
    signal, before = (clean * clean).sum(axis=1), (noise * noise).sum(axis=1)
    prd = np.asarray(scores["standard.PRD"])[done]
    after = (prd / 100) ** 2 * signal
    least = ROUNDING**2 * signal
    implied = {
        ("RMSE", "V"): np.sqrt(after / clean.shape[1]),
        ("SNRimp", "dB"): 10 * np.log10(np.maximum(before, least) / np.maximum(after, least)),
    }
    at = np.flatnonzero(done)
    for (key, unit), values in implied.items():
        stored = np.asarray(scores[f"standard.{key}"])[done]
        bad = [i for i in range(len(values)) if not close(float(stored[i]), float(values[i]), unit)]
        if bad:
            finding.problems.append(
                f"{shard.path}, row {at[bad[0]]}: standard.{key} is {stored[bad[0]]:.9g}, its PRD and signals give "
                f"{values[bad[0]]:.9g} ({len(bad)} such rows)"
            )
    return int(done.sum())


def _from_waveforms(
    shard: Shard,
    mixtures: Columns,
    scores: Columns,
    rows: NDArray[np.int64],
    about: Mapping[str, MetricAbout],
    finding: Finding,
) -> int:
    """Recompute the scores of some rows from their waveforms; returns how many scores."""
    if "denoised" not in scores:
        return 0
    count = 0
    for row in rows.tolist():
        if scores["failed"][row]:
            continue
        c, x, e = (np.asarray(a[row], np.float64) for a in (mixtures["clean"], mixtures["noisy"], scores["denoised"]))
        for profile, keys in _profiles(scores).items():
            active = np.asarray(mixtures["active"][row]) if "active" in mixtures else None
            for key, value in recomputed(
                Segment(c, x, e, float(mixtures["fs_hz"][row]), profile, active), keys
            ).items():
                count += 1
                stored = float(scores[f"{profile}.{key}"][row])
                if not close(stored, value, about[key].unit):
                    finding.problems.append(
                        f"{shard.path}, row {row}: {profile}.{key} is {stored:.9g}, its waveforms give {value:.9g}"
                    )
    return count


def _digests(shard: Shard, scores: Columns, finding: Finding) -> None:
    """Where waveforms are kept, the digests beside them are theirs: the first 16 bytes of SHA-256, float32."""
    if "denoised" not in scores or "digest" not in scores:
        return
    for row, (waveform, digest) in enumerate(zip(scores["denoised"], scores["digest"], strict=True)):
        if hashlib.sha256(np.asarray(waveform, "<f4").tobytes()).digest()[:16] != bytes(digest):
            finding.problems.append(f"{shard.path}, row {row}: its digest is not that of its waveform")


def _metrics_csv(folder: Folder, finding: Finding) -> None:
    """Check the CSV beside the shards of the combined set: it must have the same rows, with nine digits."""
    path = folder.path / "metrics.csv"
    if not path.is_file():
        if folder.path.name == "combined":
            finding.problems.append(f"{path}: missing")
        return
    finding.covered.add(path)
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        line = 1
        for _, columns in folder.tables():
            if sorted(header) != sorted(name for name in columns if columns[name].ndim == 1):
                finding.problems.append(f"{path}: other columns than its shards")
                return
            for row in zip(*(_texts(np.asarray(columns[name])) for name in header), strict=True):
                line += 1
                if tuple(next(reader, [])) != row:
                    finding.problems.append(f"{path}, line {line}: not what the shard holds")
                    return
        if next(reader, None) is not None:
            finding.problems.append(f"{path}, line {line + 1}: more rows than the shards have")


def _texts(values: NDArray[Any]) -> list[str]:
    if values.dtype.kind == "f":
        return [f"{value:.9g}" for value in values]
    return [str(value) for value in values]


def check_export(results: Results) -> Finding:
    """Finding `export`: the single file holds what the shards of the combined set hold."""
    finding = Finding("export")
    path = Path(results.root / "test_data" / "test_combined.npz")
    folder = next((one for one in results.of("test-set") if one.path.name == "combined"), None)
    if folder is None or not path.is_file():
        return finding
    finding.covered.add(path)
    whole: Mapping[str, NDArray[Any]] = mapped(path)
    first = 0
    for shard, columns in folder.tables():
        wrong = sorted((set(columns) | {"shard"}) ^ set(whole)) or [
            name
            for name, column in columns.items()
            if not np.array_equal(whole[name][first : first + shard.count], column, equal_nan=column.dtype.kind == "f")
        ]
        if not wrong and set(whole["shard"][first : first + shard.count].tolist()) - {shard.path.stem}:
            wrong = ["shard"]
        if wrong:
            finding.problems.append(f"{path}: '{wrong[0]}' is not that of {shard.path}")
        first += shard.count
    if any(len(column) != first for column in whole.values()):
        finding.problems.append(f"{path}: not as many rows as the shards ({first})")
    finding.summary = f"{path.name} holds the {first} mixtures of the shards"
    return finding
