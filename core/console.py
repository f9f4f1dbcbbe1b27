"""What a person sees: progress with a rate and an ETA, plain lines where nobody watches."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

PLAIN_INTERVAL_S = 15.0  # a log file gets a progress line at most this often


def setup_logging(quiet: bool = False) -> None:
    """Log lines of the library as plain text on stderr; `quiet` keeps warnings and errors only."""
    logging.basicConfig(
        level=logging.WARNING if quiet else logging.INFO, format="%(message)s", stream=sys.stderr, force=True
    )
    for noisy in ("matplotlib", "numba", "accelerate", "fontTools"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def progress(items: Iterable[T], total: int, label: str, unit: str = "shard") -> Iterator[T]:
    """Yield `items`, showing how far, how fast and how long still.

    A bar on a terminal; otherwise a log line at most every 15 s. Silent with `--quiet`.
    """
    log = logging.getLogger("cleansemg.core.console")
    if total == 0 or not log.isEnabledFor(logging.INFO):
        yield from items
        return
    if sys.stderr.isatty():
        yield from _bar(items, total, label, unit)
        return
    started = last = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if done < total and now - last >= PLAIN_INTERVAL_S:
            last = now
            rate = done / (now - started)
            log.info(
                "%s: %d of %d %ss, %.2f a second, %.0f s left",
                label, done, total, unit, rate, (total - done) / rate,
            )  # fmt: skip


def _bar(items: Iterable[T], total: int, label: str, unit: str) -> Iterator[T]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(f"{unit}s"),
        TextColumn("{task.fields[rate]}"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total, rate="")
        started = time.monotonic()
        for done, item in enumerate(items, start=1):
            yield item
            bar.update(task, advance=1, rate=f"{done / (time.monotonic() - started):.2f}/s")
