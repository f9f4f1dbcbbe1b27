from __future__ import annotations

import doctest
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleansemg.core.errors import ItemError
from cleansemg.data_pipeline.readers import samples
from cleansemg.formats import units


@given(st.lists(st.integers(0, 3), max_size=60))
def test_repetitions_number_the_runs_of_each_label(labels: list[int]) -> None:
    expected: list[int] = []
    seen: dict[int, int] = {}
    for value, run in itertools.groupby(labels):
        seen[value] = seen.get(value, 0) + 1
        expected += [seen[value] if value else 0] * len(list(run))
    assert samples.count_repetitions(np.array(labels, np.int64)).tolist() == expected


@given(st.integers(0, 5), st.integers(0, 5), st.integers(1, 3))
def test_only_the_gap_at_the_end_of_all_channels_is_left_out(n_values: int, n_gap: int, n_channels: int) -> None:
    signal = np.full((n_channels, n_values + n_gap), np.nan)
    signal[0, n_values - 1 : n_values] = 1.0  # the others, and all before, are gaps that stay
    assert samples.length_with_values(signal) == n_values


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((3, 2)), "has shape"),
        (np.array([1.0, np.nan]), "is nan at sample 1"),
        (np.array([1.0, np.inf]), "is inf at sample 1"),
        (np.array([1.0, -1e300]), "is -1e+300 at sample 1".replace("+", r"\+")),
        (np.array(["rest"]), "does not hold numbers"),
    ],
)
def test_labels_that_are_no_whole_numbers(values: np.ndarray, message: str) -> None:
    with pytest.raises(ItemError, match=f"'restimulus' {message}"):
        samples.whole_numbers(values, "restimulus")


@pytest.mark.parametrize("module", [samples, units])
def test_examples_in_docstrings(module: object) -> None:
    result = doctest.testmod(module, extraglobs={"np": np})
    assert result.attempted > 0
    assert result.failed == 0
