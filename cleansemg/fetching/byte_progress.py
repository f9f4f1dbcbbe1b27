"""Progress of a download: a bar on a terminal, plain lines elsewhere, nothing with `--quiet`."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

from cleansemg.core.console import PLAIN_INTERVAL_S

log = logging.getLogger("cleansemg.core.console")


def size_text(n_bytes: float) -> str:
    """A number of bytes for people.

    >>> size_text(999), size_text(44_700_000), size_text(1.25e9)
    ('999 B', '44.7 MB', '1.2 GB')
    """
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= factor:
            return f"{n_bytes / factor:.1f} {unit}"
    return f"{n_bytes:.0f} B"


class ByteProgress:
    """Replaces the progress bar of huggingface_hub; takes those of its arguments that name the file and its size.

    Args:
        desc: the file's name.
        total: bytes in all.
        initial: bytes that an earlier run has left.
    """

    def __init__(self, *, desc: str = "", total: float | None = None, initial: int = 0, **_: Any) -> None:
        self._label, self._total, self._done, self._initial = desc, total, initial, initial
        self._shown = log.isEnabledFor(logging.INFO)
        self._bar: Any = None
        self._started = self._last = time.monotonic()

    def __enter__(self) -> ByteProgress:
        if self._shown and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
            from rich.progress import TransferSpeedColumn as Speed

            columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), Speed(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.add_task(self._label, total=self._total, completed=self._done)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, n_bytes: int = 1) -> None:
        """More bytes have come; fewer, where the server starts over."""
        self._done += n_bytes
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self._done)
        elif self._shown and now - self._last >= PLAIN_INTERVAL_S:
            self._last = now
            rate = max(self._done - self._initial, 1) / (now - self._started)
            left = f", {(self._total - self._done) / rate:.0f} s left" if self._total else ""
            total = f" of {size_text(self._total)}" if self._total else ""
            log.info("%s: %s%s, %s a second%s", self._label, size_text(self._done), total, size_text(rate), left)
