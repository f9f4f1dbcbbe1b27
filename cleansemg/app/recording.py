"""One recording on the page: what was read of it, what was made of it, and the work that goes on."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from cleansemg.app.jobs import Job
from cleansemg.app.samples import Samples
from cleansemg.formats import FileInfo
from cleansemg.recordings import ChannelReport


@dataclass(frozen=True)
class Said:
    """What the user says about the file; None and "": what the file says. As the arguments of `open_file`."""

    fs_hz: float | None = None
    unit: str | None = None
    offset: float = 0.0
    channels: tuple[str, ...] | None = None
    sheet: str | None = None
    key: str | None = None
    time: str | None = None

    def options(self) -> list[str]:
        """The same for the command line, but for the channels."""
        pairs = {
            "--fs": None if self.fs_hz is None else f"{self.fs_hz:.12g}",
            "--unit": self.unit,
            "--offset": f"{self.offset:.12g}" if self.offset else None,
            "--sheet": self.sheet,
            "--key": self.key,
            "--time": self.time,
        }
        return [part for option, value in pairs.items() if value is not None for part in (option, value)]


@dataclass(frozen=True)
class Loaded:
    """A recording as it came."""

    said: Said
    info: FileInfo
    reports: list[ChannelReport]
    samples: Samples
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Denoised:
    """A result.

    Attributes:
        chosen: indexes of its channels among those loaded.
        before: a report for each of them.
        after: likewise.
        samples: read back from the file that is handed out.
        files: what can be taken away, by the word in the address.
        title: of the denoiser.
        command: that does the same.
        closing: a line on time and memory.
        notes: warnings.
    """

    chosen: tuple[int, ...]
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
