"""The data interface of the training loop, and prefetching: a background thread makes the next batch."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


@dataclass(frozen=True)
class Batch:
    """Inputs and targets of a network: for denoisers, scaled mixtures and scaled clean signals.

    Other models of the training loop use the same fields for inputs [n, ...] and targets [n, ...].
    """

    noisy: NDArray[np.float32]  # [n, L]
    clean: NDArray[np.float32]  # [n, L]


@dataclass(frozen=True)
class Share:
    """The rows of every batch that belong to this process: `rank`, `rank` + `world`, ..."""

    rank: int = 0
    world: int = 1


class Source(Protocol):
    """Batches of mixtures."""

    n_train: int  # mixtures per epoch
    n_valid: int

    def train(self, epoch: int, batch_size: int, share: Share) -> Iterator[Batch]:
        """Yield the batches of an epoch (from 0); all processes receive equal numbers of rows of each batch."""

    def valid(self, batch_size: int, share: Share) -> Iterator[Batch]:
        """Yield the validation batches, the same in every epoch."""


def split(order: NDArray[np.int64], batch_size: int, share: Share, even: bool) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of each batch that belong to this process.

    With `even`, each batch is shortened to a multiple of the number of processes: gradients are averaged over
    processes, so unequal shares would give mixtures unequal weights.
    """
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        if even:
            rows = rows[: len(rows) // share.world * share.world]
        mine = rows[share.rank :: share.world]
        if len(mine):
            yield mine


def prefetch(items: Iterator[T]) -> Iterator[T]:
    """Yield `items`; a thread makes the next item while the current one is used. An item None ends the iteration."""
    with ThreadPoolExecutor(1, "mixing") as pool:
        upcoming = pool.submit(next, items, None)
        while (item := upcoming.result()) is not None:
            upcoming = pool.submit(next, items, None)
            yield item
