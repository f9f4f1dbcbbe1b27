"""Windows cover a stream, and come back to where they were."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleansemg.core.errors import ItemError
from cleansemg.downstream.common import placement


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 3), st.integers(1, 90), st.integers(1, 40))
def test_cut_and_place_give_the_stream_back_bit_for_bit(n_channels, length, window):
    signal = np.random.default_rng(length).standard_normal((n_channels, length)).astype(np.float32)
    windows, first = placement.cut(signal, window)
    assert len(windows) == max(-(-length // window), 1)
    assert windows.shape[1:] == (n_channels, min(window, length))
    assert placement.assemble(windows, first, length).tobytes() == signal.tobytes()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 90), st.integers(1, 40))
def test_every_sample_comes_from_the_first_window_that_has_it(length, window):
    first = placement.starts(length, window)
    width = min(window, length)
    marked = np.stack([np.full((1, width), number, np.float32) for number in range(len(first))])
    placed = placement.assemble(marked, first, length)[0]
    expected = [next(i for i, start in enumerate(first) if start <= at < start + width) for at in range(length)]
    assert placed.tolist() == expected


def test_windows_that_do_not_make_up_the_stream_are_refused():
    windows, first = placement.cut(np.zeros((2, 10), np.float32), 4)
    assert first == [0, 4, 6]
    with pytest.raises(ItemError, match="2 windows for 3 places"):
        placement.assemble(windows[:2], first, 10)
    with pytest.raises(ItemError, match="leave samples 4 to 6 of 10 uncovered"):
        placement.assemble(windows[[0, 2]], [0, 6], 10)
    with pytest.raises(ItemError, match="end at sample 8 of 10"):
        placement.assemble(windows[:2], first[:2], 10)
    with pytest.raises(ItemError, match="reach beyond"):
        placement.assemble(windows, [0, 4, 7], 10)
