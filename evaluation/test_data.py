"""Opens a test set, whatever it comes as, and hands it out in shards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import npz
from cleansemg.core.artifact import Artifact
from cleansemg.core.errors import UserError
from cleansemg.evaluation import export
from cleansemg.evaluation.test_set import SCHEMA

FILE_SHARD_ROWS = 1000


@dataclass(frozen=True)
class TestData:
    """A test set: a folder of shards, or one file cut into as many.

    Attributes:
        name: of the set: "combined" or "grid"; a file is a combined set.
        fingerprint: changes when the contents change.
        shards: names and row counts.
    """

    __test__ = False  # not a test, whatever pytest thinks of its name

    path: Path
    name: str
    fingerprint: str
    shards: tuple[tuple[str, int], ...]

    @classmethod
    def open(cls, path: Path) -> TestData:
        """Open a folder written by the mix stage, our single-file export, or a published file.

        Raises:
            UserError: nothing there, or not a test set.
        """
        if path.is_dir():
            artifact = Artifact.open(path, SCHEMA)
            shards = tuple((shard.name, shard.count) for shard in artifact.manifest.shards)
            return cls(path, path.name, artifact.manifest.fingerprint, shards)
        if not path.exists():
            raise UserError(f"{path}: no such test set; make it: {SCHEMA.command}")
        n = len(export.read(path)["clean"])
        starts = range(0, n, FILE_SHARD_ROWS)
        shards = tuple((f"rows_{start:09d}", min(FILE_SHARD_ROWS, n - start)) for start in starts)
        return cls(path, "combined", npz.sha256(path), shards)

    @property
    def count(self) -> int:
        return sum(rows for _, rows in self.shards)

    def load(self, shard: str) -> Mapping[str, NDArray[Any]]:
        """The columns of one shard, checked against its hash where it has one."""
        if self.path.is_dir():
            return Artifact.open(self.path, SCHEMA).load(shard)
        start = int(shard.removeprefix("rows_"))
        columns = export.read(self.path)
        return {name: np.array(array[start : start + FILE_SHARD_ROWS]) for name, array in columns.items()}
