"""The independent intervals and tests agree with those of the tables, and see a changed digit."""

import math

import numpy as np
import pytest

from cleansemg.evaluation.stats.intervals import person_interval
from cleansemg.evaluation.stats.paired import signed_rank
from cleansemg.evaluation.verification.comparisons import _exact_p
from cleansemg.evaluation.verification.intervals import means_of_people, over_people
from cleansemg.evaluation.verification.scored import same


def some(n_people, n=300):
    rng = np.random.default_rng(n_people)
    who = np.array([f"db/{i}" for i in rng.integers(n_people, size=n)])
    values = rng.normal(3, 2, n)
    values[::9] = np.nan
    return values, who


@pytest.mark.parametrize("n_people", [2, 3, 16, 30])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_the_interval_is_that_of_the_tables_to_their_last_digit(n_people, confidence):
    values, who = some(n_people)
    tables = person_interval(values[:, None], who, confidence)
    for ours, theirs in zip(over_people(values, who, confidence), tables, strict=True):
        assert same(f"{theirs[0]:.9g}", ours)
        assert not same(f"{theirs[0] * (1 + 1e-6):.9g}", ours)


def test_nothing_and_one_person_have_what_the_tables_leave_blank():
    assert all(math.isnan(one) for one in over_people(np.array([]), np.array([], str), 0.95))
    assert all(math.isnan(one) for one in over_people(np.array([np.nan]), np.array(["a"]), 0.95))
    mean, low, high = over_people(np.array([1.0, 2.0, np.nan]), np.array(["a", "a", "b"]), 0.95)
    assert mean == 1.5
    assert math.isnan(low)
    assert math.isnan(high)
    assert means_of_people(np.array([1.0, 2.0, np.nan]), np.array(["a", "a", "b"])) == {"a": 1.5}
    assert over_people(np.array([2.0, 2.0]), np.array(["a", "b"]), 0.95) == (2.0, 2.0, 2.0)


@pytest.mark.parametrize("n", [1, 2, 5, 16, 30, 50])
def test_the_exact_p_is_scipys(n):
    differences = np.random.default_rng(n).normal(0.4, 1, n)
    assert _exact_p(differences.tolist()) == pytest.approx(signed_rank(differences).p, rel=1e-12)


def test_ties_and_too_many_are_not_counted():
    assert _exact_p([1.0, -1.0, 2.0]) is None
    assert _exact_p([1.0, -1.0 - 1e-12, 2.0]) is None
    assert _exact_p([0.0, 0.0]) is None
    assert _exact_p(list(map(float, range(1, 60)))) is None
