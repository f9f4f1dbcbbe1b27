"""The test segments (by id) and noise pieces (by index) behind the mixtures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import ArtifactError
from cleansemg.evaluation.verification.folders import Folder


@dataclass(frozen=True)
class Noise:
    """The pieces of a noise library.

    Attributes:
        pieces: by kind, in the order of the shards, float32 [T] each.
        names: their names, in the same order.
    """

    pieces: tuple[tuple[NDArray[np.float32], ...], ...]
    names: tuple[tuple[str, ...], ...]

    @classmethod
    def open(cls, folder: Folder, kinds: Sequence[str]) -> Noise:
        """Read the library of a folder, kinds in the given order.

        Raises:
            ArtifactError: a piece has another kind.
        """
        pieces: dict[str, list[NDArray[np.float32]]] = {kind: [] for kind in kinds}
        names: dict[str, list[str]] = {kind: [] for kind in kinds}
        for shard, columns in folder.tables():
            of_pieces = np.asarray(columns["kind"]).astype(str).tolist()
            for kind, name, samples in zip(
                of_pieces, np.asarray(columns["name"]).astype(str).tolist(), columns["noise"], strict=True
            ):
                if kind not in pieces:
                    raise ArtifactError(f"{shard.path}: unknown kind of noise '{kind}'")
                pieces[kind].append(samples)
                names[kind].append(name)
        return cls(tuple(tuple(pieces[k]) for k in kinds), tuple(tuple(names[k]) for k in kinds))

    def room(self, length: int) -> list[list[int]]:
        """Number of possible offsets of an excerpt of `length` samples in each piece of each kind."""
        return [[len(piece) - length + 1 for piece in of_kind] for of_kind in self.pieces]

    def excerpt(self, kind: int, piece: int, offset: int, length: int) -> NDArray[np.float64]:
        """[length] samples in float64.

        Raises:
            ArtifactError: the piece or the samples do not exist.
        """
        if not 0 <= piece < len(self.pieces[kind]):
            raise ArtifactError(f"piece {piece} of kind {kind} is not in the library")
        samples = self.pieces[kind][piece]
        if not 0 <= offset <= len(samples) - length:
            raise ArtifactError(f"samples from {offset} are not in piece {piece} of kind {kind}")
        return samples[offset : offset + length].astype(np.float64)


class Segments:
    """The segments of a part by id; signals stay on disk until they are used."""

    def __init__(self, folder: Folder) -> None:
        self._signals = []
        self._position: dict[str, tuple[int, int]] = {}
        for number, (_, columns) in enumerate(folder.tables()):
            self._signals.append(columns["signal"])
            for row, segment_id in enumerate(np.asarray(columns["segment_id"]).astype(str).tolist()):
                self._position[segment_id] = (number, row)

    def signal(self, segment_id: str) -> NDArray[np.float32]:
        """[L] float32 signal of one segment in volts.

        Raises:
            ArtifactError: no segment has this id.
        """
        if segment_id not in self._position:
            raise ArtifactError(f"segment '{segment_id}' is not among the test segments")
        number, row = self._position[segment_id]
        return np.asarray(self._signals[number][row])
