"""Work that takes longer than a request: a piece at a time on a thread of its own, with progress and a way to stop."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from cleansemg.core.errors import ItemError, UserError

LOG = logging.getLogger(__name__)


class CancelledError(Exception):
    """Somebody asked to stop."""


@dataclass(frozen=True)
class State:
    """Of a job, at one moment.

    Attributes:
        label: what it does.
        share: of the work that is done, 0 to 1; None: not known.
        finished: nothing more will happen.
        error: why there is no result; None: there is one, or there will be.
        cancelled: it was stopped.
        notes: warnings.
    """

    label: str
    share: float | None = None
    finished: bool = False
    error: str | None = None
    cancelled: bool = False
    notes: tuple[str, ...] = ()


class Job:
    """One piece of work.

    Args:
        kind: a word by which the caller knows it again.
        work: is given the job; it calls `advance` now and then, which raises `CancelledError`.
        label: while it waits for its turn.
    """

    def __init__(self, kind: str, work: Callable[[Job], None], label: str = "waiting for another recording") -> None:
        self.kind, self.work = kind, work
        self._state = State(label)
        self._lock = threading.Lock()
        self._cancel = threading.Event()

    @property
    def state(self) -> State:
        with self._lock:
            return self._state

    def advance(self, label: str, share: float | None = None) -> None:
        """Say how far it is.

        Raises:
            CancelledError: it is to stop.
        """
        if self._cancel.is_set():
            raise CancelledError
        self._set(label=label, share=None if share is None else min(max(share, 0.0), 1.0))

    def note(self, text: str) -> None:
        """Keep a warning, once."""
        with self._lock:
            if text not in self._state.notes:
                self._state = replace(self._state, notes=(*self._state.notes, text))

    def cancel(self) -> None:
        """Ask it to stop."""
        self._cancel.set()

    def run(self) -> None:
        """Do it; every way to end is in `state` afterwards."""
        try:
            if self._cancel.is_set():
                raise CancelledError
            with _warnings_to(self):
                self.work(self)
        except CancelledError:
            self._set(finished=True, cancelled=True)
        except (UserError, ItemError) as error:
            self._set(finished=True, error=str(error))
        except Exception as error:  # the page tells, the terminal has the traceback, the server goes on
            LOG.exception("the page's work failed")
            what = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            self._set(finished=True, error=f"a mistake of the program ({what}); the terminal shows where")
        else:
            self._set(finished=True, share=1.0)

    def _set(self, **changes: object) -> None:
        with self._lock:
            self._state = replace(self._state, **changes)  # type: ignore[arg-type]


class Jobs:
    """The queue."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Job] = queue.SimpleQueue()
        # a daemon, so that a long window does not hold up the server's end
        threading.Thread(target=self._work_on, name="jobs", daemon=True).start()

    def submit(self, job: Job) -> Job:
        """Put it at the end."""
        self._queue.put(job)
        return job

    def _work_on(self) -> None:
        while True:
            self._queue.get().run()


@contextmanager
def _warnings_to(job: Job) -> Iterator[None]:
    """What the library warns of on this thread goes to the job, too."""
    thread = threading.get_ident()

    class Notes(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == thread:
                job.note(record.getMessage())

    handler = Notes(logging.WARNING)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
