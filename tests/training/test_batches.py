"""Splitting batches over processes, and mixing ahead."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleansemg.training.batches import Share, prefetch, split


@given(st.integers(1, 50), st.integers(1, 6), st.integers(1, 4))
def test_shares_cover_every_row_once(n: int, per_process: int, world: int) -> None:
    parts = [list(split(np.arange(n), per_process * world, Share(r, world), even=False)) for r in range(world)]
    rows = np.concatenate([rows for part in parts for rows in part])
    assert sorted(rows.tolist()) == list(range(n))


@given(st.integers(1, 50), st.integers(1, 6), st.integers(1, 4))
def test_even_shares_are_equal_and_lose_less_than_one_row_a_process(n: int, per_process: int, world: int) -> None:
    parts = [list(split(np.arange(n), per_process * world, Share(r, world), even=True)) for r in range(world)]
    lengths = [[len(rows) for rows in part] for part in parts]
    assert all(length == lengths[0] for length in lengths)
    assert n - sum(map(sum, lengths)) < world


def test_prefetch_keeps_order_and_passes_errors_on() -> None:
    def items() -> Iterator[int]:
        yield from range(3)
        raise ValueError("broken")

    ahead = prefetch(items())
    assert [next(ahead), next(ahead), next(ahead)] == [0, 1, 2]
    with pytest.raises(ValueError, match="broken"):
        next(ahead)
    assert list(prefetch(iter(()))) == []
