"""Runs command lines in forked processes that have everything imported, and kills them or fills their disk.

Importing torch and its like takes seconds, most stages of a tiny run take less: so one process imports, and each
command is a fork of it that goes through the command line as a user's would. Between them go lines of JSON.
What a real process alone shows (signals, the import path, a shell) is tested with one: `tests.processes.start`.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import ROOT


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes:
        code: its exit code, negative where a signal ended it.
        seconds: how long it ran.
        writes: files that it put in place (in its own process).
        session: of it and its workers.
        output: what it wrote to stdout.
        errors: what it wrote to stderr.
    """

    code: int
    seconds: float
    writes: int
    session: int
    output: str
    errors: str

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL


class Nursery:
    """The process that imports and forks; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.nursery", str(folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def __enter__(self) -> Nursery:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def run(self, words: Sequence[str], env: Mapping[str, str] | None = None, cwd: Path = ROOT, **fate: Any) -> Outcome:
        """Run `python WORDS` in a folder.

        Args:
            words: `-m cleansemg ...`, or a script of the project and its arguments.
            env: the environment; default: that of this process.
            cwd: the folder; a script's path is relative to the project's.
            fate: `after_s`: killed so many seconds after its start; `at_write`: kills itself before it puts its n-th
                file in place (1 is the first), or after it with `late`; `full_at`: from its n-th write on, the disk is full.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"words": list(words), "env": dict(os.environ if env is None else env), "cwd": str(cwd), **fate}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the nursery is gone"
        output, errors = ((self._folder / name).read_text(errors="replace") for name in ("stdout", "stderr"))
        return Outcome(**json.loads(answer), output=output, errors=errors)


def members(session: int) -> list[int]:
    """Processes of a session that still run, zombies not counted."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def _serve(folder: Path) -> None:
    from cleansemg import stages
    from cleansemg.downstream.common import running

    for module in (
        "accelerate",
        "matplotlib.backends.backend_agg",
        "numba",
        "pandas",
        "cleansemg.__main__",
        "cleansemg.evaluation.pictures",
        "cleansemg.training.curves",
        "cleansemg.training.loop",
    ):
        importlib.import_module(module)
    stages.functions(list(stages.STAGES))
    stages.functions(list(running.STAGES), running.STAGES)
    for line in sys.stdin:
        request = json.loads(line)
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            _live(request, folder)
        code = _wait(child, request.get("after_s"))
        counted = folder / "writes"
        answer = {
            "code": code,
            "seconds": time.monotonic() - began,
            "writes": len(counted.read_bytes()) if counted.exists() else 0,
            "session": child,
        }
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _wait(child: int, after_s: float | None) -> int:
    """The exit code; kills the child, and not its workers, when its time has come."""
    deadline = None if after_s is None else time.monotonic() + after_s
    while True:
        done, status = os.waitpid(child, os.WNOHANG if deadline is not None else 0)
        if done:
            return os.waitstatus_to_exitcode(status)
        if deadline is not None and time.monotonic() >= deadline:
            os.kill(child, signal.SIGKILL)
            deadline = None
        time.sleep(0.002)


def _live(request: dict[str, Any], folder: Path) -> None:
    """The child: a session of its own, its output in files, its writes counted; never returns."""
    os.setsid()
    devnull = os.open(os.devnull, os.O_RDWR)
    output, errors = (os.open(folder / n, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600) for n in ("stdout", "stderr"))
    for target, source in ((0, devnull), (1, output), (2, errors)):
        os.dup2(source, target)
    counter = os.open(folder / "writes", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    replace, fsync = os.replace, os.fsync
    n_replaced = n_synced = 0

    def counted(*args: Any, **kwargs: Any) -> None:
        nonlocal n_replaced
        n_replaced += 1
        if n_replaced == request.get("at_write") and not request.get("late"):
            os.kill(os.getpid(), signal.SIGKILL)
        replace(*args, **kwargs)
        os.write(counter, b".")
        if n_replaced == request.get("at_write"):
            os.kill(os.getpid(), signal.SIGKILL)

    def filling(file: int) -> None:
        nonlocal n_synced
        n_synced += 1
        if n_synced >= request.get("full_at", sys.maxsize):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(file)

    os.replace, os.fsync = counted, filling
    code = 1
    try:
        _command(request["words"], request["env"], request["cwd"])
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _command(words: list[str], env: dict[str, str], cwd: str) -> None:
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    if words[:2] == ["-m", "cleansemg"]:
        from cleansemg.__main__ import main

        sys.argv = ["cleansemg", *words[2:]]
        sys.modules["__main__"].__package__ = None  # or the usage names this module
        sys.path[0] = str(Path(sys.executable).parent)  # where the console script lies
        main()
    else:
        sys.argv = words
        sys.path[0] = str(ROOT / Path(words[0]).parent)
        runpy.run_path(str(ROOT / words[0]), run_name="__main__")


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
