"""One recording on the page: as it was read, denoised, and the job that works on it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from cleansemg.app.jobs import Job
from cleansemg.app.samples import Samples
from cleansemg.formats import FileInfo, ReadOptions
from cleansemg.recordings import ChannelReport


@dataclass(frozen=True)
class Loaded:
    """A recording as it came."""

    reading: ReadOptions  # what the user stated about the file
    info: FileInfo
    reports: list[ChannelReport]
    samples: Samples
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Denoised:
    """A result.

    Attributes:
        channels: indexes of its channels among those loaded.
        before: a report for each of them.
        after: likewise.
        samples: read back from the file that is handed out.
        files: what can be taken away, by the word in the address.
        title: of the denoiser.
        command: that does the same.
        closing: a line on time and memory.
        notes: warnings.
    """

    channels: tuple[int, ...]
    before: list[ChannelReport]
    after: list[ChannelReport]
    samples: Samples
    files: dict[str, Path]
    title: str
    command: str
    closing: str
    notes: tuple[str, ...]


@dataclass
class Session:
    """One recording.

    Attributes:
        id: unguessable; whoever has it may see the recording.
        folder: of its files.
        used_s: when it was last asked for, on the monotonic clock.
        path: of the recording; of a WFDB record the header.
        loaded: what was read; None before, and where that failed.
        denoised: the last result.
        job: what is being done, or was done last.
    """

    id: str
    folder: Path
    used_s: float
    path: Path
    loaded: Loaded | None = None
    denoised: Denoised | None = None
    job: Job | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
