"""Logs that a numeric kernel has to be compiled first, which happens once per machine."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


@cache
def announce(kernel: Any, about_s: int) -> None:
    """Log once that `kernel`, a numba function with `cache=True`, will be compiled; no log where it is cached on disk.

    Args:
        kernel: the function that the caller is about to call, before its first call.
        about_s: approximate time of its compilation in seconds.
    """
    if is_cold(kernel):
        log.info("compiling numeric kernels, once (about %d s)", about_s)


def is_cold(kernel: Any) -> bool:
    """Whether numba finds no compiled code for `kernel`, in this process or on disk, that is as new as its source.

    numba stores one index per function, `FILE.FUNCTION-LINE.pyXY.nbi`, in the folder that `stats.cache_path` names.
    """
    if kernel.signatures:
        return False
    function = kernel.py_func
    source = Path(function.__code__.co_filename)
    pattern = f"{source.stem}.{function.__qualname__}-{function.__code__.co_firstlineno}.*.nbi"
    indices = Path(kernel.stats.cache_path).glob(pattern)
    written_s = max((index.stat().st_mtime for index in indices), default=0.0)
    return written_s < source.stat().st_mtime
