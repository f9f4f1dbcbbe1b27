"""Opens a test set, a folder or a file, and reads it in shards.

Equal contents have equal fingerprints: the shards of the mix stage and the single file that is written from them are
the same input, at any path. The fingerprint is a hash of the mixtures themselves, so an edited file has another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.artifact import Artifact
from cleansemg.core.errors import UserError
from cleansemg.evaluation import export
from cleansemg.evaluation.test_set import SCHEMA

Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class TestData:
    """A test set: a folder of shards, or one file cut into the same shards.

    Attributes:
        path: the folder or file.
        name: name of the set: "combined" or "grid"; a file is a combined set.
        fingerprint: hash of the contents, see `content_fingerprint`.
        shards: names and row counts.
    """

    __test__ = False  # not a test class, despite its name

    path: Path
    name: str
    fingerprint: str
    shards: tuple[tuple[str, int], ...]

    @classmethod
    def open(cls, path: Path) -> TestData:
        """Open a folder of the mix stage, the single file that it exports, or a published file.

        Raises:
            UserError: there is no file, it is not a test set, or a shard was altered.
        """
        if path.is_dir():
            artifact = Artifact.open(path, SCHEMA)
            shards = tuple((shard.name, shard.count) for shard in artifact.manifest.shards)
            digest = content_fingerprint((shard.name, columns) for shard, columns in artifact)
            return cls(path, path.name, digest, shards)
        if not path.exists():
            raise UserError(f"{path}: no such test set; make it: {SCHEMA.command}")
        columns = export.read(path)
        parts = export.shards(path, columns)
        digest = content_fingerprint((name, _rows(columns, rows)) for name, rows in parts.items())
        return cls(path, "combined", digest, tuple((name, rows.stop - rows.start) for name, rows in parts.items()))

    @property
    def count(self) -> int:
        return sum(rows for _, rows in self.shards)

    def load(self, shard: str) -> Columns:
        """The columns of one shard, checked against its hash where it has one."""
        if self.path.is_dir():
            return Artifact.open(self.path, SCHEMA).load(shard)
        columns = export.read(self.path)
        rows = export.shards(self.path, columns)[shard]
        return {name: np.array(array) for name, array in _rows(columns, rows).items()}


def content_fingerprint(shards: Iterable[tuple[str, Columns]]) -> str:
    """SHA-256 over the mixtures: for each shard its name, then name, type, shape and values of its sorted columns.

    Texts count by their characters, not by the width of their array.

    >>> narrow, wide = np.array(["S1", "S2"], "<U2"), np.array(["S1", "S2"], "<U9")
    >>> content_fingerprint([("a", {"subject": narrow})]) == content_fingerprint([("a", {"subject": wide})])
    True
    """
    digest = hashlib.sha256()
    for shard, columns in shards:
        digest.update(f"shard {shard}\n".encode())
        for name in sorted(columns):
            array = np.asarray(columns[name])
            kind = "text" if array.dtype.kind == "U" else array.dtype.str
            digest.update(f"column {name} {kind} {array.shape}\n".encode())
            if kind == "text":
                digest.update("".join(f"{len(text)}:{text}" for text in array.ravel().tolist()).encode())
            else:
                digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _rows(columns: Columns, rows: slice) -> dict[str, NDArray[Any]]:
    return {name: array[rows] for name, array in columns.items() if name != export.SHARD}
