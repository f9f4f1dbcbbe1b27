"""Writers of formats whose beginning depends on their end: samples wait in a temporary file beside the target."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from cleansemg.formats.signal_file import BLOCK_SAMPLES, SignalWriter


class Spool:
    """[T, C] float64 on disk: written once, then read as often as needed."""

    def __init__(self, path: Path, n_channels: int) -> None:
        self.path = path
        self.n_channels = n_channels
        self.n_samples = 0
        self._file: IO[bytes] = open(path, "wb+")  # noqa: SIM115 - closed by `remove`

    def append(self, block: NDArray[np.float64]) -> None:
        self._file.write(np.ascontiguousarray(block.T).data)
        self.n_samples += block.shape[1]

    def blocks(self, max_samples: int = BLOCK_SAMPLES) -> Iterator[NDArray[np.float64]]:
        """[C, l], from the start."""
        self._file.flush()
        start = 0
        while start < self.n_samples:
            length = min(max_samples, self.n_samples - start)
            self._file.seek(start * self.n_channels * 8)
            data = self._file.read(length * self.n_channels * 8)
            yield np.frombuffer(data, np.float64).reshape(length, self.n_channels).T
            start += length

    def remove(self) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)


class SpoolingWriter(SignalWriter):
    """Keeps the samples in `spool` until `_commit`."""

    spool: Spool

    def _open(self) -> None:
        self.spool = Spool(self.path.with_name(f".{self.path.name}.spool.{os.getpid()}.tmp"), len(self.info.channels))

    def _write(self, block: NDArray[np.float64]) -> None:
        self.spool.append(block)

    @abstractmethod
    def _commit(self) -> None: ...

    def _discard(self) -> None:
        self.spool.remove()
        self.temporary.unlink(missing_ok=True)

    def ranges(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Each channel's smallest and largest value, 0 where it has none."""
        low = np.full(len(self.info.channels), np.inf)
        high = -low
        for block in self.spool.blocks():
            low = np.fmin(low, np.fmin.reduce(block, axis=1))
            high = np.fmax(high, np.fmax.reduce(block, axis=1))
        return np.where(np.isfinite(low), low, 0.0), np.where(np.isfinite(high), high, 0.0)
