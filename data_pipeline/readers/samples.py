"""What every reader does with samples and labels once they are out of the file."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import ItemError

WHOLE = 2.0**53  # from here on, float64 has no fractions, and int64 soon ends


def whole_numbers(values: NDArray[Any], name: str) -> NDArray[np.int64]:
    """Labels as they come (column, row or 1-D; integers or floats) to [T] int64.

    Raises:
        ItemError: several rows and columns, or a value that is no whole number.
    """
    array = np.asarray(values)
    if array.size != max(array.shape, default=0):
        raise ItemError(f"'{name}' has shape {array.shape}, expected one value a sample")
    try:
        flat = array.reshape(-1).astype(np.float64)
    except (TypeError, ValueError):
        raise ItemError(f"'{name}' does not hold numbers ({array.dtype})") from None
    bad = np.flatnonzero(~(np.abs(flat) < WHOLE) | (flat != np.round(flat)))  # NaN is below nothing
    if bad.size:
        raise ItemError(f"'{name}' is {flat[bad[0]]} at sample {bad[0]}, expected whole numbers")
    return flat.astype(np.int64)


def count_repetitions(label: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the runs of each label from 1; 0 at rest.

    Args:
        label: [T], 0 at rest.

    Returns:
        [T]: k in the k-th run of a label.

    >>> count_repetitions(np.array([0, 1, 1, 0, 2, 0, 1])).tolist()
    [0, 1, 1, 0, 1, 0, 2]
    """
    repetition = np.zeros(label.shape, np.int64)
    if not label.size:
        return repetition
    starts = np.concatenate([[0], np.flatnonzero(np.diff(label)) + 1, [label.size]])
    runs: dict[int, int] = {}
    for start, stop in itertools.pairwise(starts):
        value = int(label[start])
        if value != 0:
            runs[value] = runs.get(value, 0) + 1
            repetition[start:stop] = runs[value]
    return repetition


def length_with_values(signal: NDArray[np.float64]) -> int:
    """Samples up to the last one at which any channel has a value.

    Loggers pad short files at the end; one such NaN would spread through a filter over a whole channel.
    Gaps inside, or of some channels only, are left for the quality control to see.

    Args:
        signal: [C, T].
    """
    present = np.flatnonzero(~np.isnan(signal).all(axis=0))
    return int(present[-1]) + 1 if present.size else 0
