"""Clean segments of one part, by row: labels are in memory, signals are read from the shards on demand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import npz
from cleansemg.core.artifact import Artifact
from cleansemg.core.errors import UserError
from cleansemg.data_pipeline.segmentation import SCHEMA


class Segments:
    """The segments of a part, ordered by id, so results do not depend on the shards.

    Attributes:
        folder: folder of the artifact.
        fingerprint: fingerprint of the artifact.
        ids: [n] segment ids, sorted.
        subjects: [n] "database/subject".
        length: length of a segment, samples.
    """

    def __init__(self, folder: Path) -> None:
        """Open an artifact of segments and check every shard once.

        Raises:
            ArtifactError: absent, unfinished or altered; the message says what to run.
            UserError: the artifact holds no segment.
        """
        artifact = Artifact.open(folder, SCHEMA)
        if artifact.manifest.count == 0:
            raise UserError(f"{folder}: holds no segment; see failures.csv there, and the grades that are kept")
        self.folder = folder
        self.fingerprint = artifact.manifest.fingerprint
        labels = artifact.columns("segment_id", "database", "subject")
        order = np.argsort(labels["segment_id"], kind="stable")
        self.ids: NDArray[np.str_] = labels["segment_id"][order]
        subjects = [f"{d}/{s}" for d, s in zip(labels["database"], labels["subject"], strict=True)]
        self.subjects: NDArray[np.str_] = np.array(subjects)[order]
        counts = [shard.count for shard in artifact.manifest.shards]
        self._shard = np.repeat(np.arange(len(counts)), counts)[order]
        self._row = np.concatenate([np.arange(count) for count in counts])[order]
        self._signals = [npz.map_arrays(folder / f"{s.name}.npz")["signal"] for s in artifact.manifest.shards]
        self.length = int(self._signals[0].shape[1])

    def __len__(self) -> int:
        return len(self.ids)

    def signals(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Read the signals of some rows, [len(rows), L], V."""
        signals = np.empty((len(rows), self.length), np.float32)
        for i, row in enumerate(rows):
            signals[i] = self._signals[self._shard[row]][self._row[row]]
        return signals
