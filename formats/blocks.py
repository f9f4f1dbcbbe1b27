"""Pieces of a signal of any length, cut and joined into blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray


def reblock(pieces: Iterable[NDArray[np.float64]], max_samples: int) -> Iterator[NDArray[np.float64]]:
    """Join and cut [C, l] pieces into blocks of `max_samples`; the last may be shorter."""
    held: list[NDArray[np.float64]] = []
    n_held = 0
    for piece in pieces:
        start = 0
        while start < piece.shape[1]:
            length = min(max_samples - n_held, piece.shape[1] - start)
            held.append(piece[:, start : start + length])
            start, n_held = start + length, n_held + length
            if n_held == max_samples:
                yield held[0] if len(held) == 1 else np.concatenate(held, axis=1)
                held, n_held = [], 0
    if held:
        yield np.concatenate(held, axis=1)


def fill_gaps(
    block: NDArray[np.float64], missing: NDArray[np.int64], max_samples: int
) -> Iterator[NDArray[np.float64]]:
    """Put NaN where samples are missing.

    Args:
        block: [C, l].
        missing: [l] samples that are missing before each.
        max_samples: of NaN in one piece.
    """
    at = np.flatnonzero(missing)
    if not at.size:
        yield block
        return
    start = 0
    for index in at.tolist():
        if index > start:
            yield block[:, start:index]
        left = int(missing[index])
        while left:
            length = min(left, max_samples)
            yield np.full((block.shape[0], length), np.nan)
            left -= length
        start = index
    yield block[:, start:]
