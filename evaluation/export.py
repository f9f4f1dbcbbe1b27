"""Writes a test set as one file, `test_combined.npz`, and reads that file or the published file of that name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import npz
from cleansemg.core.artifact import META_FAILURES, META_FINGERPRINT, Artifact
from cleansemg.core.errors import ArtifactError
from cleansemg.core.restricted_pickle import read_object_array
from cleansemg.noise.kinds import BENCHMARK_KINDS

PUBLISHED_KEY = "data"
PUBLISHED_FS_HZ = 1000.0
SHARD = "shard"  # column with the name of each row's shard
FILE_SHARD_ROWS = 1000  # rows per shard of files without that column
NEEDED = ("clean", "noisy", "snr_db", "n_kinds", "kinds", "fs_hz")


def write(artifact: Artifact, path: Path) -> str:
    """Join all shards of a test set in one npz, shard by shard; returns its SHA-256.

    The same shards give the same bytes; an existing file is replaced.
    """
    folder = artifact.folder
    shards = [npz.map_arrays(folder / f"{artifact.check(s.name).name}.npz") for s in artifact.manifest.shards]
    names = sorted(set(shards[0]) - {META_FINGERPRINT, META_FAILURES})

    def members() -> Iterator[tuple[str, np.dtype[Any], tuple[int, ...], Iterator[NDArray[Any]]]]:
        for name in names:
            # Texts may be longer in one shard than in another; result_type returns the widest type.
            dtype = np.result_type(*(shard[name].dtype for shard in shards))
            shape = (artifact.manifest.count, *shards[0][name].shape[1:])
            yield name, dtype, shape, (shard[name] for shard in shards)
        sources = [(shard.name, shard.count) for shard in artifact.manifest.shards]
        width = max(len(name) for name, _ in sources)
        texts = (np.full(count, name, f"<U{width}") for name, count in sources)
        yield SHARD, np.dtype(f"<U{width}"), (artifact.manifest.count,), texts

    npz.remove_leftovers(path)
    return npz.write_stream(path, members())


def read(path: Path) -> dict[str, NDArray[Any]]:
    """Open a single-file test set of this project (memory-mapped) or a published one (read whole).

    Returns:
        The columns of `cleansemg.evaluation.test_set`; from a published file those that it has, with signals in volts.

    Raises:
        ArtifactError: the file is not a test set, or holds objects other than data.
    """
    try:
        arrays = npz.map_arrays(path)
    except ArtifactError as error:
        if "pickled objects" in str(error):
            return dict(_published(path, path.stat().st_mtime_ns))
        raise
    missing = [name for name in NEEDED if name not in arrays]
    if missing:
        raise ArtifactError(
            f"{path}: not a test set, it has no array '{missing[0]}' (has: {', '.join(sorted(arrays))})"
        )
    n = len(arrays["clean"])
    for name, array in arrays.items():
        if len(array) != n:
            raise ArtifactError(f"{path}: '{name}' has {len(array)} rows, 'clean' has {n}")
    return arrays


def shards(path: Path, columns: Mapping[str, NDArray[Any]]) -> dict[str, slice]:
    """The shards of a single-file test set by name: those it was written from, else 1000 rows each.

    Raises:
        ArtifactError: the rows of a shard are not consecutive, or its name is not a valid file name.
    """
    n = len(columns["clean"])
    if SHARD not in columns:
        starts = range(0, n, FILE_SHARD_ROWS)
        return {f"rows_{start:09d}": slice(start, min(start + FILE_SHARD_ROWS, n)) for start in starts}
    names = np.asarray(columns[SHARD]).astype(str)
    edges = [0, *(np.flatnonzero(names[1:] != names[:-1]) + 1).tolist(), n] if n else []
    parts = {str(names[start]): slice(start, stop) for start, stop in pairwise(edges)}
    odd = [name for name in parts if not re.fullmatch(r"\w[\w.-]*", name)]
    if odd or len(parts) < len(edges) - 1:
        raise ArtifactError(
            f"{path}: its column '{SHARD}' names no shards ({odd[0]!r} is no name)"
            if odd
            else f"{path}: its column '{SHARD}' names no shards (rows of one do not stand together)"
        )
    return parts


@lru_cache(maxsize=1)  # pickles cannot be read in part, and shards are loaded one by one
def _published(path: Path, _changed_ns: int) -> dict[str, NDArray[Any]]:
    """The published layout (A8): dictionaries with signals divided by `scale` and clipped to [-1, 1].

    Signals are multiplied by their scale, as in the published metrics. What clipping removed is lost,
    so their SNR is only approximately the labelled one.
    """
    items = read_object_array(path, PUBLISHED_KEY)
    if items.ndim != 1 or not all(isinstance(item, dict) for item in items):
        raise ArtifactError(f"{path}: '{PUBLISHED_KEY}' is not a list of dictionaries")
    try:
        scale = np.array([float(item["scale"]) for item in items])[:, None]
        clean = np.stack([np.asarray(item["clean"], np.float64) for item in items]) * scale
        noisy = np.stack([np.asarray(item["noisy"], np.float64) for item in items]) * scale
        labels = [str(item["noise_types"]) for item in items]
        ids = np.array([str(item["segment_id"]) for item in items])
        columns: dict[str, NDArray[Any]] = {
            "mixture_id": np.array([f"{name}#{row}" for row, name in enumerate(ids)]),  # published ids repeat
            "segment_id": ids,
            "database": np.array([str(item["dataset"]) for item in items]),
            "clean": clean.astype(np.float32),
            "noisy": noisy.astype(np.float32),
            "snr_db": np.array([float(item["snr"]) for item in items]),
            "n_kinds": np.array([int(item["k"]) for item in items]),
        }
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path}: not a published test set ({type(error).__name__}: {error})") from None
    columns["subject"] = np.array([_subject(name) for name in ids])
    columns["kinds"] = np.array([[kind in label.split("+") for kind in BENCHMARK_KINDS] for label in labels])
    columns["line_hz"] = np.full(len(items), np.nan)
    columns["fs_hz"] = np.full(len(items), PUBLISHED_FS_HZ)
    return columns


def _subject(segment_id: str) -> str:
    """The subject in a published id, DB_subject_channel_trial_segment."""
    parts = segment_id.split("_")
    return parts[1] if len(parts) >= 2 else segment_id
