"""What the readers share: handling of samples and labels after they are read from a file."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import ItemError

WHOLE = 2.0**53  # from here on, float64 cannot hold every whole number


def whole_numbers(values: NDArray[Any], name: str) -> NDArray[np.int64]:
    """Convert labels (a column, a row or 1-D; integers or floats) to [T] int64.

    Raises:
        ItemError: there are several rows and columns, or a value is not a whole number.
    """
    array = np.asarray(values)
    if array.size != max(array.shape, default=0):
        raise ItemError(f"'{name}' has shape {array.shape}, expected one value a sample")
    try:
        flat = array.reshape(-1).astype(np.float64)
    except (TypeError, ValueError):
        raise ItemError(f"'{name}' does not hold numbers ({array.dtype})") from None
    bad = np.flatnonzero(~(np.abs(flat) < WHOLE) | (flat != np.round(flat)))  # NaN fails this comparison
    if bad.size:
        raise ItemError(f"'{name}' is {flat[bad[0]]} at sample {bad[0]}, expected whole numbers")
    return flat.astype(np.int64)


def count_repetitions(label: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the runs of each label from 1.

    Args:
        label: [T], 0 at rest.

    Returns:
        [T]: k in the k-th run of a label, 0 at rest.

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
    """Number of samples up to the last one at which any channel has a value; 0 where all are NaN.

    Loggers pad short files at the end with NaN; a filter would spread one such NaN over the whole channel.
    Gaps inside, or gaps of some channels only, stay in the signal: quality control reports them.

    Args:
        signal: [C, T].
    """
    present = np.flatnonzero(~np.isnan(signal).all(axis=0))
    return int(present[-1]) + 1 if present.size else 0
