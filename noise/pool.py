"""Noise libraries for mixing: pieces of every kind in one flat array, addressed by kind, piece and offset.

`cleansemg.noise.library` builds them. `NoiseLibrary.open` also reads the published layout: folders
`{PLI,ECG,MOA,WGN,Color}/*.npy` in the library's folder or in `noise_pool/` below it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import npz
from cleansemg.core.artifact import MANIFEST, Artifact, Schema, read_manifest
from cleansemg.core.errors import ArtifactError, one_line
from cleansemg.noise.kinds import BENCHMARK_KINDS, columns_of

SCHEMA = Schema("noise-library", 1, step="cleansemg run --stages noise")
PUBLISHED_POOL = "noise_pool"


class NoiseLibrary:
    """All pieces of one part (train, valid or test), in memory.

    Attributes:
        folder: the folder that it was read from.
        fingerprint: a hash that identifies its contents.
        columns: column names of arrays with one column per kind: the benchmark's five, then its other kinds by name.
        kinds: the kinds that it has pieces of, in this order.
        flat: [total] float32, all pieces one after the other.
    """

    def __init__(
        self,
        pieces: Mapping[str, Sequence[NDArray[np.floating]]],
        names: Mapping[str, Sequence[str]] | None = None,
        line_hz: Mapping[str, Sequence[float]] | None = None,
        folder: Path = Path("(in memory)"),
        fingerprint: str = "",
        sources: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Build a library from pieces.

        Args:
            pieces: for each kind, its pieces, [T] each.
            names: for each kind, the names of the pieces; PLI_000, PLI_001, ... by default.
            line_hz: for some kinds, the power-line frequency of each piece; NaN by default.
            folder: the folder, for errors.
            fingerprint: a hash of the contents by default.
            sources: for each kind, the source of each piece; "" by default.
        """
        self.folder = folder
        self.columns = columns_of(kind for kind, of_kind in pieces.items() if len(of_kind))
        self.kinds = tuple(kind for kind in self.columns if len(pieces.get(kind, ())))
        ordered = [piece for kind in self.kinds for piece in pieces[kind]]
        joined = np.concatenate(ordered, dtype=np.float32, casting="same_kind") if ordered else np.zeros(0, np.float32)
        joined.setflags(write=False)
        self.flat: NDArray[np.float32] = joined
        lengths = np.array([len(piece) for piece in ordered], np.int64)
        starts = np.cumsum(lengths) - lengths
        counts = [len(pieces.get(kind, ())) for kind in self.columns]
        self._first = np.cumsum([0, *counts])  # of each kind, among all pieces
        self._lengths, self._starts = lengths, starts
        self._names = {
            kind: tuple(names[kind]) if names else tuple(f"{kind}_{i:03d}" for i in range(len(pieces[kind])))
            for kind in self.kinds
        }
        self._sources = {kind: tuple(sources[kind]) if sources else ("",) * len(pieces[kind]) for kind in self.kinds}
        lines = line_hz or {}
        self._line_hz = np.array([hz for kind in self.kinds for hz in lines.get(kind, [np.nan] * len(pieces[kind]))])
        self.fingerprint = fingerprint or hashlib.sha256(joined.tobytes()).hexdigest()

    @classmethod
    def open(cls, folder: Path) -> NoiseLibrary:
        """Open a library; recently opened ones are cached until their files change.

        Raises:
            ArtifactError: the library is absent, unfinished, altered or unreadable.
        """
        folder = Path(folder)
        if not (folder / MANIFEST).exists():
            pool = next((pool for pool in (folder, folder / PUBLISHED_POOL) if _published_files(pool)), None)
            if pool is not None:
                return _read_published(pool, _state_of(pool))
        return _read_artifact(folder, read_manifest(folder, SCHEMA).fingerprint, _state_of(folder, "*.npz"))

    def piece_names(self, kind: str) -> tuple[str, ...]:
        """Names of a kind's pieces; () where the library has none."""
        return self._names.get(kind, ())

    def piece_sources(self, kind: str) -> tuple[str, ...]:
        """The entry of configs/noises/ that made each of a kind's pieces; "" where the library does not say."""
        return self._sources.get(kind, ())

    def piece_lengths(self, kind: str) -> NDArray[np.int64]:
        """[pieces] number of samples of each piece of a kind."""
        column = self.columns.index(kind)
        return self._lengths[self._first[column] : self._first[column + 1]]

    def line_hz(self, kind: str) -> NDArray[np.float64]:
        """[pieces] power-line frequency in hertz of each piece of a kind; NaN where unknown or not a line."""
        column = self.columns.index(kind)
        return self._line_hz[self._first[column] : self._first[column + 1]]

    def line_hz_of(self, kinds: NDArray[np.bool_], piece: NDArray[np.integer]) -> NDArray[np.float64]:
        """[n] power-line frequency in hertz of each mixture: that of its first piece with one; NaN where none."""
        line = np.full(len(kinds), np.nan)
        for column in range(len(self.columns)):
            rows = kinds[:, column] & np.isnan(line)
            if rows.any():
                line[rows] = self._line_hz[self._first[column] + piece[rows, column]]
        return line

    def names_of(self, kinds: NDArray[np.bool_], piece: NDArray[np.integer]) -> NDArray[np.str_]:
        """[n, K] name of the piece of each kind in each mixture, "" where the kind is not there."""
        known = {kind: np.asarray(self.piece_names(kind)) for kind in self.kinds}
        width = max(names.dtype.itemsize // 4 for names in known.values())  # the library's, so that shards agree
        drawn = np.zeros(kinds.shape, dtype=f"<U{width}")
        for column, kind in enumerate(self.columns):
            rows = kinds[:, column]
            if rows.any():
                drawn[rows, column] = known[kind][piece[rows, column]]
        return drawn

    def segment(self, kind: str, piece: int, offset: int, length: int) -> NDArray[np.float32]:
        """[length] samples of one piece, read-only.

        Raises:
            ValueError: no column has this kind.
            IndexError: the kind has no such piece, or the excerpt reaches beyond its end.
        """
        column = self.columns.index(kind)
        if not 0 <= piece < len(self.piece_names(kind)):
            raise IndexError(f"{self.folder}: {kind} has {len(self.piece_names(kind))} pieces, asked for {piece}")
        row = self._first[column] + piece
        if not 0 <= offset <= self._lengths[row] - length:
            raise IndexError(f"{self.folder}: {kind} piece {piece} ends before sample {offset + length}")
        start = self._starts[row] + offset
        return self.flat[start : start + length]

    def positions(self, piece: NDArray[np.integer], offset: NDArray[np.integer], length: int) -> NDArray[np.int64]:
        """[n, K] first samples in `flat` of excerpts of `length` samples; -1 where `piece` is -1.

        Raises:
            IndexError: a piece does not exist, or an excerpt reaches beyond its end.
        """
        used = piece >= 0
        row = np.where(used, self._first[:-1] + piece, 0)
        if (used & (row >= self._first[1:])).any():
            raise IndexError(f"{self.folder}: a recipe asks for a piece that is not in this library")
        if not used.any():
            return np.full(piece.shape, -1, np.int64)
        if (used & ((offset < 0) | (offset > self._lengths[row] - length))).any():
            raise IndexError(f"{self.folder}: a recipe asks for samples beyond the end of a piece")
        at: NDArray[np.int64] = np.where(used, self._starts[row] + offset, -1).astype(np.int64)
        return at


@lru_cache(maxsize=4)
def _read_artifact(folder: Path, fingerprint: str, state: str) -> NoiseLibrary:
    pieces: dict[str, list[NDArray[np.float32]]] = defaultdict(list)
    names: dict[str, list[str]] = defaultdict(list)
    line_hz: dict[str, list[float]] = defaultdict(list)
    sources: dict[str, list[str]] = defaultdict(list)
    artifact = Artifact.open(folder, SCHEMA)
    source_of = artifact.manifest.info.get("sources", {})
    for shard, arrays in artifact:
        for row, kind in enumerate(map(str, arrays["kind"])):
            pieces[kind].append(arrays["noise"][row])
            names[kind].append(str(arrays["name"][row]))
            line_hz[kind].append(float(arrays["line_hz"][row]))
            sources[kind].append(str(source_of.get(shard.name, "")))
    return NoiseLibrary(pieces, names, line_hz, folder, fingerprint, sources)


@lru_cache(maxsize=4)
def _read_published(pool: Path, state: str) -> NoiseLibrary:
    pieces: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
    names: dict[str, list[str]] = defaultdict(list)
    for path in _published_files(pool):
        try:
            samples = np.load(path, allow_pickle=False)
        except npz.DAMAGED as error:
            raise ArtifactError(f"{path}: not a readable npy file ({one_line(error)})") from error
        if not isinstance(samples, np.ndarray):
            raise ArtifactError(f"{path}: not a npy file, but an archive")
        if samples.ndim != 1 or samples.dtype.kind not in "fiu":
            raise ArtifactError(f"{path}: expected one row of numbers, found shape {samples.shape} of {samples.dtype}")
        pieces[path.parent.name].append(samples)
        names[path.parent.name].append(path.stem)
    return NoiseLibrary(pieces, names, None, pool)


def _published_files(pool: Path) -> list[Path]:
    return [path for kind in BENCHMARK_KINDS for path in sorted((pool / kind).glob("*.npy"))]


def _state_of(folder: Path, pattern: str = "*/*.npy") -> str:
    """Names, sizes and times of files as text: it changes when a file changes, without reading any."""
    files = sorted(folder.glob(pattern))
    return " ".join(f"{path.name}:{path.stat().st_size}:{path.stat().st_mtime_ns}" for path in files)
