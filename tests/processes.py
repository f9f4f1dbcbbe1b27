"""Commands in processes of their own, which signals reach as they do in a user's terminal."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from tests.conftest import ROOT

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
