"""Maps work over the workers of a Dask cluster: few tasks in flight, and nothing but the code and files of this run.

The scheduler sees a task as bytes; a worker unpacks them after it has compared versions with the process that sent
them. Workers need one thread each, and the files of the run under the same paths.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import pickle
import queue
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cleansemg.core import artifact, registry, user_modules
from cleansemg.core.errors import UserError, one_line
from cleansemg.core.threads import single_threaded

if TYPE_CHECKING:
    from distributed import Client, Future

log = logging.getLogger(__name__)
In = TypeVar("In")
Out = TypeVar("Out")

CONNECT_S = 10.0
LOOK_S = 5.0  # how often the cluster is asked for its size
TASKS_A_WORKER = 3  # one that runs and two that wait
FEWEST_TASKS = 4
VERDICT_S = 0.5  # what waited on a worker that died is blamed with what ran: until all of it is known


def map_on_cluster(work: Callable[[In], Out], items: Sequence[In], scheduler: str) -> Iterator[Out]:
    """Yield `work(item)` for each item, in the order of `items`, worked on by a cluster.

    A worker that dies is replaced by another one; workers may come and go. What is in flight is bounded by the
    number of workers, not of items.

    Args:
        work: a function that can be pickled; the same item must give the same result on every machine.
        items: what to work on; an item's `name`, where it has one, stands in errors.
        scheduler: tcp://HOST:PORT, or tls://HOST:PORT.

    Raises:
        UserError: nobody answers there; the connection is lost; a worker runs other code or library versions, has
            several threads or does not see the run's folder; an item that kills every worker that tries it.
    """
    if not items:
        return
    client = _connect(scheduler)
    try:
        with _connection(scheduler):
            yield from _run(client, work, items, scheduler)
    finally:
        _close(client)


def _run(client: Client, work: Callable[[In], Out], items: Sequence[In], scheduler: str) -> Iterator[Out]:
    from distributed.scheduler import KilledWorker

    run, ours, folder = uuid.uuid4().hex[:12], identity(), str(Path.cwd())
    finished: queue.SimpleQueue[Future] = queue.SimpleQueue()
    numbers: dict[Future, int] = {}
    results: dict[int, Out] = {}  # that came before their turn
    due = submitted = 0
    at_most, workers = FEWEST_TASKS, 1
    looked = -LOOK_S
    while due < len(items):
        if time.monotonic() - looked >= LOOK_S:
            workers, looked = _count_workers(client, scheduler, workers), time.monotonic()
            at_most = max(FEWEST_TASKS, TASKS_A_WORKER * workers)
        while submitted < len(items) and len(numbers) < at_most:
            packed = pickle.dumps((work, items[submitted]))
            key = f"{_name(items[submitted], submitted)}-{run}-{submitted}"
            future = client.submit(execute, packed, ours, folder, user_modules.folders(), key=key, pure=False)
            numbers[future] = submitted
            future.add_done_callback(finished.put)
            submitted += 1
        try:
            done = finished.get(timeout=LOOK_S)
        except queue.Empty:
            continue
        number = numbers[done]
        try:
            results[number] = done.result(timeout=LOOK_S)
        except TimeoutError:
            if done.status == "error":  # the work's own
                raise
            finished.put(done)  # its worker died with it: it is made again
            continue
        except KilledWorker as error:
            time.sleep(VERDICT_S)
            killed = [n for future, n in numbers.items() if future.status == "error"]
            names = ", ".join(_name(items[n], n) for n in sorted(killed))
            raise UserError(
                f"{scheduler}: {names}: every worker that tried it died ({error.allowed_failures + 1}), the last at "
                f"{error.last_worker.address}; most often they need more memory (docs/scaling.md); finished "
                "parts are kept"
            ) from None
        except ModuleNotFoundError as error:
            raise UserError(
                f"{scheduler}: a worker cannot import '{error.name}'; install what is installed "
                "here, in the same versions"
            ) from error
        del numbers[done]
        del done
        while due in results:
            yield results.pop(due)
            due += 1


def execute(packed: bytes, theirs: dict[str, str], folder: str, modules: Mapping[str, str]) -> Any:
    """On a worker: compare versions, go to the folder of the run, unpack the task and do it in one thread.

    Args:
        packed: the pickled function and its item.
        theirs: `identity()` of the process that sent them.
        folder: its working directory, which relative paths start from.
        modules: where it finds the user's modules (`user_modules.folders`).

    Raises:
        UserError: another version, several threads, or no such folder.
    """
    from distributed import get_worker

    worker = get_worker()
    ours = identity()
    other = [f"{name} {ours[name]} (here: {theirs[name]})" for name in theirs if ours.get(name) != theirs[name]]
    if other:
        raise UserError(
            f"worker {worker.address} runs another version: {', '.join(other)}; install the same there, and restart it"
        )
    if worker.state.nthreads != 1:
        raise UserError(
            f"worker {worker.address} has {worker.state.nthreads} threads; start workers with --nthreads 1 and as many "
            "of them as there are cores (--nworkers)"
        )
    try:
        os.chdir(folder)
    except OSError as error:
        raise UserError(
            f"worker {worker.address} does not see {folder} ({error.strerror}); workers need the files of the run "
            "under the same paths"
        ) from None
    user_modules.allow_folders(modules)
    work, item = pickle.loads(packed)  # noqa: S301 - what the scheduler hands out, as all of Dask's own messages
    with single_threaded():
        return work(item)


@cache
def identity() -> dict[str, str]:
    """What decides a result besides settings: versions of libraries, and a hash of the project's files.

    Taken once a process, so that a worker which was started before the code changed does not pass for a new one.
    """
    configs = registry.configs_folder()
    folders = [Path(__file__).parent.parent, *(configs / kind for kind in registry.KINDS)]
    digest = hashlib.sha256()
    for folder in folders:
        for path in _files(folder):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(folder.parent).as_posix()} {content}\n".encode())
    return {**artifact.versions(), "code": digest.hexdigest()[:12]}


def _files(folder: Path) -> list[Path]:
    """All below a folder, those of linked folders, too; without hidden and compiled ones, and without settings."""
    paths = []
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if name not in {"__pycache__", "configs"} and not name.startswith(".")]
        paths += [Path(parent, name) for name in names if not name.startswith(".")]
    return sorted(paths)


def _connect(scheduler: str) -> Client:
    if not re.fullmatch(r"(tcp|tls)://\S+:\d+", scheduler):
        raise UserError(f"--scheduler {scheduler}: expected tcp://HOST:PORT, as `dask scheduler` prints it")
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        if error.name not in {"distributed", "dask"}:
            raise
        raise UserError("--scheduler needs Dask; run: pip install 'cleansemg[cluster]'") from None
    # Its lines tell of what is raised here as one error, with a traceback each.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        return Client(scheduler, timeout=CONNECT_S, set_as_default=False, name="cleansemg")
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"--scheduler {scheduler}: no scheduler answers there ({one_line(error)})") from None


@contextlib.contextmanager
def _connection(scheduler: str) -> Iterator[None]:
    """A lost scheduler is one line; an OSError of a task stays what it is."""
    from distributed.comm.core import CommClosedError

    try:
        yield
    except (CancelledError, CommClosedError):
        raise UserError(
            f"{scheduler}: the connection to the scheduler is lost; finished parts are kept: start it again, and run "
            "the same command"
        ) from None


def _close(client: Client) -> None:
    """Let go of what is still in flight; a scheduler that is gone has nothing to let go of."""
    with contextlib.suppress(OSError, RuntimeError):  # TimeoutError is an OSError
        client.close(timeout=CONNECT_S)


def _count_workers(client: Client, scheduler: str, before: int) -> int:
    workers = len(client.nthreads())
    if workers == 0 and before > 0:
        log.warning("%s: no worker there; waiting for one", scheduler)
    return workers


def _name(item: object, number: int) -> str:
    return str(getattr(item, "name", f"item {number}"))
