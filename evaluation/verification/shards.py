"""Checks shards against their manifests in one pass: hashes, fingerprints, rows, finite values, failures."""

from __future__ import annotations

import csv
import json
import struct
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import npz
from cleansemg.core.errors import ArtifactError
from cleansemg.evaluation.verification.findings import Finding, Track
from cleansemg.evaluation.verification.folders import MANIFEST, Folder, Results, Shard

FINITE = frozenset({"signal", "clean", "noisy", "noise", "gain", "snr_db", "fs_hz", "scores"})  # finite in every row
CLEAN = "clean"  # the set without noise
MEASURED = frozenset({"quality", "grades"})  # whose numbers may be missing: what could not be measured is rejected
SCORES = ("SNRimp", "RMSE", "PRD")  # metrics that exist wherever a denoiser gave a result
SAFETENSORS = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}


def check(results: Results, track: Track) -> list[Finding]:
    """Findings `hashes`, `rows`, `finite` and `failures`."""
    hashes, rows, finite, failed = (Finding(name) for name in ("hashes", "rows", "finite", "failures"))
    hashes.problems += results.broken
    n_shards = n_files = n_rows = n_values = n_failures = 0
    pairs = [(folder, shard) for folder in results.folders for shard in folder.shards]
    problems: dict[str, list[tuple[str, str]]] = {folder.name: [] for folder in results.folders}
    for folder, shard in track(pairs, len(pairs), "shards"):
        if not shard.path.is_file():
            hashes.problems.append(f"{shard.path}: missing")
            continue
        if npz.sha256(shard.path) != shard.sha256:
            hashes.problems.append(f"{shard.path}: not the bytes that its manifest lists (SHA-256 differs)")
        hashes.covered.add(shard.path)
        n_shards += 1
        try:
            arrays = npz.map_arrays(shard.path)
        except ArtifactError as error:
            hashes.problems.append(str(error))
            continue
        problems[folder.name] += _meta(folder, shard, arrays, hashes)
        n_rows += shard.count
        rows.problems += _row_problems(shard, arrays)
        n_values += _finite(folder, shard, arrays, finite)
    for folder in results.folders:
        n_files += _folder(folder, hashes, finite)
        n_failures += folder.n_failures
        _failures(folder, problems[folder.name], failed)
    seeds = sorted({folder.seed for folder in results.folders})
    if len(seeds) > 1:
        hashes.problems.append(f"{results.root}: stages of different seeds: {', '.join(map(str, seeds))}")
    files = f", {n_files} weights files" if n_files else ""
    hashes.summary = f"{n_shards} shards{files} in {len(results.folders)} folders have the SHA-256 of their manifests"
    rows.summary = f"{n_rows} rows, as many as the manifests say"
    finite.summary = f"{n_values} values of signals, gains, scores and weights are finite"
    failed.summary = f"{n_failures} failed items in the manifests, the shards and failures.csv alike"
    return [hashes, rows, finite, failed]


def _meta(folder: Folder, shard: Shard, arrays: Mapping[str, NDArray[Any]], hashes: Finding) -> list[tuple[str, str]]:
    """The failures in a shard; also checks the shard's fingerprint."""
    if "meta.fingerprint" not in arrays or "meta.failures" not in arrays:
        hashes.problems.append(f"{shard.path}: not a shard, it carries no fingerprint")
        return []
    if str(arrays["meta.fingerprint"]) != folder.fingerprint:
        hashes.problems.append(f"{shard.path}: made under another configuration than its manifest")
    return [(str(item), str(cause)) for item, cause in np.array(arrays["meta.failures"]).reshape(-1, 2)]


def _row_problems(shard: Shard, arrays: Mapping[str, NDArray[Any]]) -> list[str]:
    columns = {name: array for name, array in arrays.items() if not name.startswith("meta.")}
    if not columns:
        return [f"{shard.path}: holds no column"]
    odd = [name for name, array in columns.items() if array.ndim < 1 or len(array) != shard.count]
    return [f"{shard.path}: '{odd[0]}' has not the {shard.count} rows of the manifest"] if odd else []


def _finite(folder: Folder, shard: Shard, arrays: Mapping[str, NDArray[Any]], finite: Finding) -> int:
    """Check that values are finite; returns how many were checked."""
    wanted = frozenset() if folder.schema in MEASURED else FINITE
    if folder.path.name == CLEAN:
        wanted = wanted - {"snr_db"}  # without noise the SNR has no bound
    names = [name for name in arrays if name in wanted and arrays[name].dtype.kind == "f"]
    n = 0
    for name in names:
        n += arrays[name].size
        if not np.isfinite(arrays[name]).all():
            finite.problems.append(f"{shard.path}: '{name}' holds NaN or infinity")
    if folder.schema != "denoised" or "failed" not in arrays:
        return n
    done = ~np.asarray(arrays["failed"], bool)
    scores = [name for name in arrays if name.rpartition(".")[2] in SCORES]
    for name in [*scores, *(["denoised"] if "denoised" in arrays else [])]:
        values = np.asarray(arrays[name])
        if len(values) != len(done):
            continue  # reported under `rows`
        n += values[done].size
        if not np.isfinite(values[done]).all():
            finite.problems.append(f"{shard.path}: '{name}' is not finite in a row that did not fail")
        if values[~done].size and np.isfinite(values[~done]).any():
            finite.problems.append(f"{shard.path}: '{name}' has a value in a row that failed")
    return n


def _folder(folder: Folder, hashes: Finding, finite: Finding) -> int:
    """Check the manifest's text, unlisted files, and hashes of files other than shards; returns the number of those."""
    manifest = folder.path / MANIFEST
    if not folder.canonical:
        hashes.problems.append(f"{manifest}: edited, its text is not the one that the program has written")
    hashes.covered.add(manifest)
    listed = {shard.path for shard in folder.shards}
    if len(listed) != len(folder.shards):
        hashes.problems.append(f"{manifest}: lists a shard twice")
    hashes.problems += [f"{path}: in no manifest" for path in sorted(folder.path.glob("*.npz")) if path not in listed]
    hashes.problems += [f"{path}: left of a killed run" for path in sorted(folder.path.glob(".*.tmp"))]
    files = folder.info.get("files", {})
    if not isinstance(files, dict):
        return 0
    for name, digest in files.items():
        path = folder.path / str(name)
        hashes.covered.add(path)
        if not path.is_file():
            hashes.problems.append(f"{path}: missing")
        elif npz.sha256(path) != digest:
            hashes.problems.append(f"{path}: not the bytes that its manifest lists (SHA-256 differs)")
        elif path.suffix == ".safetensors" and not _weights_are_finite(path):
            finite.problems.append(f"{path}: a weight is not finite")
    return len(files)


def _weights_are_finite(path: Path) -> bool:
    """Whether all weights of a safetensors file are finite.

    The file has 8 bytes of length, a JSON header with dtype and offsets of each tensor, and the tensors.
    """
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    for name, tensor in header.items():
        if name != "__metadata__" and tensor["dtype"] in SAFETENSORS:
            first, last = tensor["data_offsets"]
            values = np.frombuffer(content[8 + length + first : 8 + length + last], SAFETENSORS[tensor["dtype"]])
            if not np.isfinite(values).all():
                return False
    return True


def _failures(folder: Folder, in_shards: list[tuple[str, str]], failed: Finding) -> None:
    path = folder.path / "failures.csv"
    if not path.is_file():
        if folder.shards:
            failed.problems.append(f"{path}: missing")
        return
    failed.covered.add(path)
    with open(path, encoding="utf-8", newline="") as file:
        table = [tuple(row) for row in csv.reader(file)]
    carried: Counter[tuple[str, ...]] = Counter(in_shards)
    listed = Counter(table[1:])
    if not table or table[0] != ("item", "cause"):
        failed.problems.append(f"{path}: does not begin with item,cause")
    elif listed.total() != folder.n_failures:
        failed.problems.append(f"{path}: {listed.total()} failures, the manifest says {folder.n_failures}")
    elif carried - listed:
        item = next(iter(carried - listed))[0]
        failed.problems.append(f"{path}: the failure of '{item}' in a shard is not listed")
