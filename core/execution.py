"""Maps work over items, in this process or over local processes, with the same results in the same order."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


@contextlib.contextmanager
def single_threaded() -> Iterator[None]:
    """BLAS and torch use one thread inside: parallelism is over shards, and sums keep their order."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        torch = sys.modules.get("torch")
        if torch is None:
            yield
            return
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def _pinned(work: Callable[[In], Out], item: In) -> Out:
    with single_threaded():
        return work(item)


def map_items(work: Callable[[In], Out], items: Sequence[In], workers: int = 1) -> Iterator[Out]:
    """Yield `work(item)` for each item, in the order of `items`.

    Args:
        work: a function that can be pickled when `workers` > 1.
        items: what to work on.
        workers: local processes; 1 works in this process.
    """
    if workers <= 1 or len(items) <= 1:
        for item in items:
            yield _pinned(work, item)
        return
    from joblib import Parallel, delayed

    # A worker without work for a while is replaced: nothing a user could act on.
    warnings.filterwarnings("ignore", message="A worker stopped while some jobs", category=UserWarning)
    pool = Parallel(n_jobs=workers, backend="loky", return_as="generator", pre_dispatch="2*n_jobs")
    yield from pool(delayed(_pinned)(work, item) for item in items)
