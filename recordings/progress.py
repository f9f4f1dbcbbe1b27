"""Progress in minutes of signal, whatever the blocks; and what a run took of time and memory."""

from __future__ import annotations

import math
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from cleansemg.core.console import progress
from cleansemg.formats import FileInfo
from cleansemg.formats.info import TableLayout

SHORTEST = 3  # minutes from which on progress is worth a line
BLOCK_VALUES = 2**19  # of a block in memory, over all channels


class RunProgress:
    """Counts samples, and shows each minute of signal as it is done."""

    def __init__(self, info: FileInfo, label: str) -> None:
        samples = n_samples_about(info)
        total = 0 if samples is None else math.ceil(samples / info.fs_hz / 60)
        self._per_minute = 60 * info.fs_hz
        self._steps: Iterator[int] = iter(progress(range(max(total, 0)), total, label, "minute"))
        self._shown = 0
        self._active = total >= SHORTEST
        self.n_samples = 0
        self._started = time.monotonic()
        if self._active:
            next(self._steps, None)

    def add(self, n_samples: int) -> None:
        """So many samples more were read."""
        self.n_samples += n_samples
        while self._active and self.n_samples >= (self._shown + 1) * self._per_minute:
            self._shown += 1
            next(self._steps, None)

    def close(self) -> None:
        """The end: the bar is taken away."""
        if self._active:
            for _ in self._steps:
                pass

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._started


def n_samples_about(info: FileInfo) -> int | None:
    """Samples in a file; of text, by the length of its first lines."""
    if info.n_samples is not None:
        return info.n_samples
    if not isinstance(info.layout, TableLayout):
        return None
    skipped = info.layout.header_lines
    with open(info.path, "rb") as file:
        head = file.read(2**18)
        size = file.seek(0, 2)
    lines = head.split(b"\n")[skipped:-1]
    length = sum(len(line) + 1 for line in lines)
    return round(size * len(lines) / length) if length else None


def block_samples(n_channels: int) -> int:
    """Samples of a block such that its memory does not grow with the channels."""
    return max(min(BLOCK_VALUES // max(n_channels, 1), 65536), 1024)


def peak_memory_mb() -> float:
    """Resident memory of this process at its peak so far, MB; NaN where the system does not say."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux, where getrusage also counts what the process was forked from
        match = re.search(r"VmHWM:\s*(\d+) kB", status.read_text())
        if match:
            return int(match[1]) / 1024
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return math.nan
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024


def closing_line(n_samples: int, fs_hz: float, n_channels: int, seconds: float) -> str:
    """A closing line: length, time, real-time factor, peak memory."""
    duration_s = n_samples / fs_hz
    length = f"{duration_s / 60:.4g} min" if duration_s >= 120 else f"{duration_s:.3g} s"
    plural = "s" if n_channels > 1 else ""
    memory = peak_memory_mb()
    tail = f"; peak memory {memory:.0f} MB" if math.isfinite(memory) else ""
    return f"{length} of {n_channels} channel{plural} in {seconds:.3g} s: {seconds / duration_s:.2g} of real time{tail}"
