"""Real schedulers and workers in processes of their own, started as a user starts them."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import ROOT
from tests.processes import without_thread_limits


@dataclass
class Cluster:
    """A scheduler and what works for it; workers without a nanny, so that a dead one stays dead."""

    folder: Path
    address: str = ""
    scheduler: subprocess.Popen[bytes] | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, **env: str) -> None:
        self.scheduler, log = self._dask("scheduler", "--port", "0", "--host", "127.0.0.1", "--no-dashboard", **env)
        self.address = _wait_for(log, r"Scheduler at:\s+(tcp://\S+)")

    def add_workers(self, number: int) -> None:
        logs = []
        for _ in range(number):
            worker, log = self._dask(
                "worker", self.address, "--host", "127.0.0.1", "--nthreads", "1", "--no-dashboard", "--no-nanny",
                "--local-directory", str(self.folder),
            )  # fmt: skip
            self.workers.append(worker)
            logs.append(log)
        for log in logs:
            _wait_for(log, r"Registered to:\s+(\S+)")

    def stop(self) -> None:
        everything = [*self.workers, *([self.scheduler] if self.scheduler else [])]
        for process in everything:
            process.kill()
        for process in everything:
            process.wait()

    def _dask(self, *words: str, **env: str) -> tuple[subprocess.Popen[bytes], Path]:
        log = self.folder / f"{words[0]}_{len(self.workers)}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *words],
                cwd=self.folder,  # not the project's: a worker has to go to the folder of the run by itself
                env={**without_thread_limits(), "PYTHONPATH": str(ROOT), **env},
                stdout=out,
                stderr=out,
            )
        return process, log


@contextlib.contextmanager
def cluster(folder: Path, n_workers: int = 2, **env: str) -> Iterator[Cluster]:
    """A scheduler with workers, one thread each; `env` is the scheduler's."""
    started = Cluster(folder)
    try:
        started.start(**env)
        started.add_workers(n_workers)
        yield started
    finally:
        started.stop()


def _wait_for(log: Path, pattern: str, timeout_s: float = 180.0) -> str:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = re.search(pattern, log.read_text(errors="replace"))
        if found:
            return found[1]
        time.sleep(0.05)
    raise TimeoutError(f"{log}: {log.read_text(errors='replace')[-2000:]}")
