"""Commands in processes of their own, which signals reach as they do in a user's terminal."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.conftest import ROOT, THREAD_LIMITS
from tests.nursery import Nursery

PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


def start(words: Sequence[str], **keywords: Any) -> subprocess.Popen[Any]:
    """Start a command in the project's folder.

    A shell starts what runs in its background with SIGINT ignored, and children inherit that: without the default
    disposition, tests that send the signal would wait for ever when the suite itself runs in the background.
    """
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGINT, signal.SIGHUP)}
    try:
        return subprocess.Popen(words, **{"cwd": ROOT, **keywords})
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def process(*arguments: object, **keywords: Any) -> subprocess.Popen[Any]:
    """Start `cleansemg ARGUMENTS`."""
    return start([sys.executable, "-m", "cleansemg", *map(str, arguments)], **keywords)


def python(*words: object, env: Mapping[str, str] | None = None, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run `python -m cleansemg ...` or `python SCRIPT ...` to its end, forked from a process that has all imported."""
    texts = [str(word) for word in words]
    done = _nursery().run(texts, env, cwd)
    return subprocess.CompletedProcess(texts, done.code, done.output, done.errors)


def without_thread_limits() -> dict[str, str]:
    """The environment, in which a process may use as many threads as there are cores."""
    return {name: value for name, value in os.environ.items() if name not in THREAD_LIMITS}


@cache
def _nursery() -> Nursery:
    folder = tempfile.TemporaryDirectory(prefix="nursery")
    nursery = Nursery(Path(folder.name))
    atexit.register(folder.cleanup)
    atexit.register(nursery.__exit__)
    return nursery
