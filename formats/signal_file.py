"""The two interfaces: a recording that is read in blocks, and one that is written in blocks."""

from __future__ import annotations

import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.npz import remove_leftovers
from cleansemg.formats.info import FileInfo, offset_of, scale_of

LOG = logging.getLogger(__name__)
BLOCK_SAMPLES = 65536


class SignalFile(ABC):
    """An opened recording; a context manager.

    Attributes:
        info: what is known about it.
    """

    info: FileInfo

    def blocks(self, max_samples: int = BLOCK_SAMPLES) -> Iterator[NDArray[np.float64]]:
        """The recording from its start, every time this is called.

        Args:
            max_samples: of a block, at least 1.

        Yields:
            [C, l] volts, 1 <= l <= max_samples; NaN where there is no value, and where the file says infinity.

        Raises:
            UserError: the file turns out to be damaged, or holds what is no number.
        """
        if max_samples < 1:
            raise ValueError(f"max_samples is {max_samples}, expected at least 1")
        scale, offset = scale_of(self.info.channels), offset_of(self.info.channels)
        infinite = 0
        try:
            for block in self._blocks(max_samples):
                volts = (block - offset) * scale
                bad = np.isinf(volts)
                if bad.any():
                    infinite += int(bad.sum())
                    volts[bad] = np.nan
                yield np.ascontiguousarray(volts)
        except ItemError as error:
            raise UserError(f"{self.info.path}: {error}") from error
        if infinite:
            LOG.warning("%s: %d infinite values taken as missing", self.info.path, infinite)

    @abstractmethod
    def _blocks(self, max_samples: int) -> Iterator[NDArray[np.float64]]:
        """[C, l] numbers as they stand in the file."""

    def close(self) -> None:  # noqa: B027 - most formats hold nothing open between blocks
        """Let go of the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class SignalWriter(ABC):
    """A recording being written; a context manager. Nothing is at the target until `commit`.

    Args:
        path: the target.
        info: its channels say in which unit the numbers are to stand in the file.

    Attributes:
        path: the target.
        info: of the file to be written.
        clipped: samples beyond what the file can hold, known after `commit`.
    """

    def __init__(self, path: Path, info: FileInfo) -> None:
        self.path = path
        self.info = info
        self.clipped = 0
        self.temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        self._scale, self._offset = scale_of(info.channels), offset_of(info.channels)
        self._done = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            remove_leftovers(path)
            self._open()
        except OSError as error:
            raise UserError(f"{path}: cannot be written ({error.strerror or error})") from error

    def write(self, block: NDArray[np.float64]) -> None:
        """Append samples.

        Args:
            block: [C, l] volts; NaN where there is no value.

        Raises:
            UserError: the disk is full, or the format holds no more.
            ValueError: another number of channels, or infinite values.
        """
        if self._done:
            raise ValueError(f"{self.path}: closed already")
        block = np.asarray(block, np.float64)
        if block.ndim != 2 or block.shape[0] != len(self.info.channels):
            raise ValueError(f"{self.path}: block of shape {block.shape}, expected [{len(self.info.channels)}, l]")
        if np.isinf(block).any():
            raise ValueError(f"{self.path}: infinite values; give NaN where there is no value")
        try:
            if block.shape[1]:
                self._write(block / self._scale + self._offset)
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written ({error.strerror or error})") from error

    def commit(self) -> None:
        """Finish the file and put it in its place.

        Raises:
            UserError: the disk is full, or the format cannot hold this recording.
        """
        if self._done:
            raise ValueError(f"{self.path}: closed already")
        try:
            self._commit()
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written ({error.strerror or error})") from error
        self._done = True
        if self.clipped:
            LOG.warning("%s: %d samples beyond the range of the file, set to its end", self.path, self.clipped)

    @abstractmethod
    def _open(self) -> None:
        """Create the temporary file."""

    @abstractmethod
    def _write(self, block: NDArray[np.float64]) -> None:
        """Append [C, l] numbers as they are to stand in the file."""

    @abstractmethod
    def _commit(self) -> None:
        """Finish, flush, and move to the target."""

    @abstractmethod
    def _discard(self) -> None:
        """Remove whatever is temporary; called once, after `commit` too."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done = True
        self._discard()


def publish(temporary: Path, target: Path) -> None:
    """Flush a finished temporary file to the disk and give it its name."""
    with open(temporary, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(temporary, target)
