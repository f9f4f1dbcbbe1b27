"""Cut a stream into windows for the denoisers, and assemble the windows to a stream again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import ItemError


def starts(n_samples: int, window: int) -> list[int]:
    """First samples of adjacent windows; if samples remain, a last window ends at the end of the stream.

    A stream shorter than a window is one window.

    >>> starts(5, 2)
    [0, 2, 3]
    """
    if n_samples <= window:
        return [0]
    whole = list(range(0, n_samples - window + 1, window))
    return whole if n_samples % window == 0 else [*whole, n_samples - window]


def cut(signal: NDArray[np.float32], window: int) -> tuple[NDArray[np.float32], list[int]]:
    """Cut a signal [C, L] -> windows [m, C, w], w = min(`window`, L), and their first samples."""
    first = starts(signal.shape[1], window)
    width = min(window, signal.shape[1])
    return np.stack([signal[:, start : start + width] for start in first]), first


def assemble(windows: NDArray[np.float32], first: list[int], n_samples: int) -> NDArray[np.float32]:
    """[m, C, w] -> [C, L]: write each window to its position; where two overlap, the earlier one is used.

    Raises:
        ItemError: a sample without a window, a window beyond the end, or numbers of windows and starts that differ.
    """
    if len(windows) != len(first):
        raise ItemError(f"{len(windows)} windows for {len(first)} places")
    signal = np.empty((windows.shape[1], n_samples), np.float32)
    done = 0
    for window, start in zip(windows, first, strict=True):
        stop = start + window.shape[1]
        if start > done or stop > n_samples:
            raise ItemError(f"windows leave samples {done} to {start} of {n_samples} uncovered, or reach beyond")
        signal[:, done:stop] = window[:, done - start :]
        done = stop
    if done != n_samples:
        raise ItemError(f"windows end at sample {done} of {n_samples}")
    return signal
