"""A recording, and the interface of all readers of recordings."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import DamagedFileError, ItemError


@dataclass(frozen=True)
class Recording:
    """One continuous multi-channel signal.

    Attributes:
        database, subject, exercise: identify the recording; together they are unique. `exercise` tells the
            recordings of one subject apart (Ninapro "E1", "E1A2"; MuscleTracker "M3R1").
        signal: [C, T] float64 in volts.
        fs_hz: sampling rate in hertz.
        channels: [C] names.
        label: [T] int, 0 at rest; None where the recording is one trial.
        repetition: [T] int; None where the recording is one trial.
        trial_label, trial_repetition: label and repetition of the one trial where `label` is None.
        idle_channels: names of channels that hold no trial here and only show the noise floor.
        has_rest: whether the label marks rest, so that a noise floor can be measured there.
    """

    database: str
    subject: str
    exercise: str
    signal: NDArray[np.float64]
    fs_hz: float
    channels: tuple[str, ...]
    label: NDArray[np.int64] | None = None
    repetition: NDArray[np.int64] | None = None
    trial_label: int = 0
    trial_repetition: int = 0
    idle_channels: frozenset[str] = frozenset()

    @property
    def has_rest(self) -> bool:
        return self.label is not None and bool((self.label == 0).any())


@dataclass(frozen=True)
class RecordingRef:
    """A reference to a recording that can be read; it is cheap to list, to pickle and to send to a worker.

    Attributes:
        key: identifies the recording for its reader, e.g. the path below the folder, with the sheet of a workbook.
        fingerprint: a hash that changes when the contents change.
    """

    database: str
    subject: str
    exercise: str
    key: str
    fingerprint: str


class RecordingReader(ABC):
    """Lists and reads the recordings of one database.

    A reader is built as `Reader(database=..., folder=..., **parameters)`; parameters come from the
    database's YAML. It must be picklable.
    """

    database: str

    @abstractmethod
    def list(self) -> Sequence[RecordingRef]:
        """All recordings, sorted by subject and exercise.

        Raises:
            UserError: the folder is absent or holds no recording; the message names it and says where to get the data.
        """

    @abstractmethod
    def read(self, ref: RecordingRef) -> Recording:
        """Read one recording.

        Raises:
            ItemError: the recording is missing, truncated, without a needed variable, or has another rate; the
                message names the file and the cause.
        """


class FileReader(RecordingReader):
    """A reader of files below a folder; its errors name the database and the recording."""

    folder: Path

    def read(self, ref: RecordingRef) -> Recording:
        """Read one recording; see `RecordingReader.read`."""
        try:
            return self._read(ref)
        except ItemError as error:
            advice = "; download it again" if isinstance(error, DamagedFileError) else ""
            raise ItemError(f"{self.database}: {ref.key}: {error}{advice}") from error

    @abstractmethod
    def _read(self, ref: RecordingRef) -> Recording:
        """Read one recording; an `ItemError` need not name the database or the recording, `read` adds both."""


def content_fingerprint(path: Path) -> str:
    """A cheap hash of a file, of its size, its first 64 KiB and its last 64 KiB."""
    block = 1 << 16
    digest = hashlib.sha256(str(path.stat().st_size).encode())
    with open(path, "rb") as file:
        digest.update(file.read(block))
        file.seek(max(0, path.stat().st_size - block))
        digest.update(file.read(block))
    return digest.hexdigest()[:32]
