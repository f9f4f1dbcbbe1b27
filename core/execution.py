"""Maps work over items: here, over local processes or on a cluster, with the same results in the same order."""

from __future__ import annotations

import contextlib
import os
import pickle
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from cleansemg.core import user_modules
from cleansemg.core.errors import UserError
from cleansemg.core.threads import single_threaded

In = TypeVar("In")
Out = TypeVar("Out")

ORPHAN_CHECK_S = 0.5
_watched: set[int] = set()  # parents that this process watches


def _pinned(work: Callable[[In], Out], item: In) -> Out:
    with single_threaded():
        return work(item)


def _in_worker(packed: bytes, folders: Mapping[str, str], parent: int) -> object:
    """In a local process: unpack a function and its item, which may be of classes of the user, and do the work."""
    user_modules.allow_folders(folders)
    if parent not in _watched:
        _watched.add(parent)
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    work, item = pickle.loads(packed)  # noqa: S301 - what `_map_on_processes` packed
    return _pinned(work, item)


def _end_with(parent: int) -> None:
    """End this process soon after its parent: a run that was killed must not leave anybody who writes."""
    while os.getppid() == parent:
        time.sleep(ORPHAN_CHECK_S)
    os._exit(1)


def map_items(
    work: Callable[[In], Out], items: Sequence[In], workers: int = 1, scheduler: str | None = None
) -> Iterator[Out]:
    """Yield `work(item)` for each item, in the order of `items`.

    Args:
        work: a function that can be pickled when it is to run in another process.
        items: what to work on.
        workers: local processes; 1 works in this process.
        scheduler: of a Dask cluster, tcp://HOST:PORT: its workers do the work, however many they are.

    Raises:
        UserError: a local process died; what `cleansemg.core.cluster.map_on_cluster` raises.
    """
    if scheduler is not None:
        from cleansemg.core.cluster import map_on_cluster

        yield from map_on_cluster(work, items, scheduler)
    elif workers <= 1 or len(items) <= 1:
        for item in items:
            yield _pinned(work, item)
    else:
        yield from _map_on_processes(work, items, workers)


@contextlib.contextmanager
def _safe_path() -> Iterator[None]:
    """Inside, a new Python process does not begin with the working folder on its import path."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before


def _map_on_processes(work: Callable[[In], Out], items: Sequence[In], workers: int) -> Iterator[Out]:
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    # A worker without work for a while is replaced: nothing a user could act on.
    warnings.filterwarnings("ignore", message="A worker stopped while some jobs", category=UserWarning)
    pool = Parallel(n_jobs=workers, backend="loky", return_as="generator", pre_dispatch="2*n_jobs")
    try:
        with _safe_path():
            yield from pool(
                delayed(_in_worker)(pickle.dumps((work, item)), user_modules.folders(), os.getpid()) for item in items
            )
    except TerminatedWorkerError as error:
        raise UserError(
            f"--workers {workers}: a process died, most often for want of memory; finished parts are kept: run again "
            "with fewer --workers, or smaller shards"
        ) from error
