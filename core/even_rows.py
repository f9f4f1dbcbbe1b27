"""Some of n rows, evenly: two rules with different results, which both stay, since results depend on them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def first_to_last(n: int, at_most: int | None) -> NDArray[np.int64]:
    """`at_most` of n rows at even distances, the first and the last among them; all where None.

    >>> first_to_last(10, 4).tolist()
    [0, 3, 6, 9]
    """
    if at_most is None or at_most >= n:
        return np.arange(n)
    return np.linspace(0, n - 1, at_most).round().astype(np.int64)


def starts_of_parts(n: int, at_most: int | None) -> NDArray[np.int64]:
    """The first row of each of `at_most` equal parts of n rows; all rows where None.

    >>> starts_of_parts(10, 4).tolist()
    [0, 2, 5, 7]
    """
    count = n if at_most is None else min(n, at_most)
    return np.arange(count) * n // count
