"""Progress of a training: a bar with loss and remaining time in a terminal, plain log lines otherwise."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from cleansemg.training.checkpoint import EpochResult

if TYPE_CHECKING:
    from rich.progress import Progress

log = logging.getLogger(__name__)

PLAIN_INTERVAL_S = 15.0  # minimum interval between plain lines within an epoch


class TrainingProgress:
    """Shows the number of trained mixtures and the fraction of time in the network; silent with `--quiet`."""

    def __init__(self, name: str, epochs: int, first_epoch: int, mixtures_per_epoch: int, shown: bool = True) -> None:
        self._name = name
        self._epochs = epochs
        self._total = epochs * mixtures_per_epoch
        self._done = self._skipped = first_epoch * mixtures_per_epoch
        self._shown = shown and log.isEnabledFor(logging.INFO)
        self._started = self._epoch_started = self._last_line = time.monotonic()
        self._epoch_samples = 0
        self._busy_s = 0.0
        self._bar: Progress | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> TrainingProgress:
        alone = multiprocessing.current_process().name == "MainProcess"  # bars of two processes overwrite each other
        if self._shown and alone and sys.stderr.isatty():
            self._bar = self._stack.enter_context(_bar())
            self._task = self._bar.add_task(self._name, total=self._total, completed=self._done, loss="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def advance(self, mixtures: int, loss: float, busy_s: float) -> None:
        """Count a finished batch; `busy_s` is the time for forward pass, backward pass and update, s."""
        self._done += mixtures
        self._epoch_samples += mixtures
        self._busy_s += busy_s
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, loss=f"loss {loss:.4g}")
        elif self._shown and time.monotonic() - self._last_line >= PLAIN_INTERVAL_S:
            self._last_line = time.monotonic()
            rate = (self._done - self._skipped) / (self._last_line - self._started)
            left_s = (self._total - self._done) / rate
            log.info(
                "%s: %d of %d mixtures, loss %.4g, %.0f a second, at most %.0f s left",
                self._name, self._done, self._total, loss, rate, left_s,
            )  # fmt: skip

    def trained(self) -> None:
        """Call after the training batches of an epoch, before its validation: computes the speed."""
        wall_s = max(time.monotonic() - self._epoch_started, 1e-9)
        self._speed = (
            f"{self._epoch_samples / wall_s:.0f} mixtures a second "
            f"({self._epoch_samples / max(self._busy_s, 1e-9):.0f} by the network alone: "
            f"busy {100 * self._busy_s / wall_s:.0f} %)"
        )

    def epoch_done(self, result: EpochResult, best: EpochResult) -> None:
        """Show the line of a finished epoch and reset the counters of the epoch."""
        line = (
            f"{self._name}: epoch {result.epoch} of {self._epochs}, train {result.train_loss:.5g}, "
            f"valid {result.valid_loss:.5g} (best {best.valid_loss:.5g}, epoch {best.epoch}), "
            f"learning rate {result.learning_rate:.3g}, {self._speed}"
        )
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False)
        elif self._shown:
            log.info("%s", line)
        self._epoch_started = self._last_line = time.monotonic()
        self._epoch_samples = 0
        self._busy_s = 0.0


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("mixtures"),
        TextColumn("{task.fields[loss]}"), TimeRemainingColumn(),
    )  # fmt: skip
    return Progress(*columns, console=Console(stderr=True), transient=True)
