"""What the training loop asks of its data, and mixing ahead of the network in a background thread."""

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
    """Mixtures and their targets, in the scale that the network works in."""

    noisy: NDArray[np.float32]  # [n, L]
    clean: NDArray[np.float32]  # [n, L]


@dataclass(frozen=True)
class Share:
    """Which rows of every batch this process works on: `rank`, `rank` + `world`, ..."""

    rank: int = 0
    world: int = 1


class Source(Protocol):
    """Batches of mixtures."""

    n_train: int  # mixtures an epoch
    n_valid: int

    def train(self, epoch: int, batch_size: int, share: Share) -> Iterator[Batch]:
        """The batches of an epoch (from 0), all processes getting equally many rows of each."""

    def valid(self, batch_size: int, share: Share) -> Iterator[Batch]:
        """The validation batches, the same ones every time."""


def split(order: NDArray[np.int64], batch_size: int, share: Share, even: bool) -> Iterator[NDArray[np.int64]]:
    """The rows of each batch that fall to this process.

    With `even`, a last batch that the processes cannot share equally is cut; gradients are averaged
    over processes, so unequal parts would weigh mixtures differently.
    """
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        if even:
            rows = rows[: len(rows) // share.world * share.world]
        mine = rows[share.rank :: share.world]
        if len(mine):
            yield mine


def prefetch(items: Iterator[T]) -> Iterator[T]:
    """Yield `items`, making the next one in a thread while the current one is used."""
    with ThreadPoolExecutor(1, "mixing") as pool:
        upcoming = pool.submit(next, items, None)
        while (item := upcoming.result()) is not None:
            upcoming = pool.submit(next, items, None)
            yield item
