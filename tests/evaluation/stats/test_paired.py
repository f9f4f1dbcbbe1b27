"""Signed ranks and Holm's correction against enumeration and against definitions written out."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cleansemg.evaluation.stats.paired import holm, power_note, signed_rank, smallest_p

DIFFERENCES = st.lists(st.floats(-100, 100).filter(lambda x: abs(x) > 1e-3), min_size=1, max_size=9)


def every_sign(differences):
    """Two-sided p from all 2^n signs: how often |W+ - W-| is at least what was found."""
    ranks = stats.rankdata(np.abs(differences))
    found = abs(np.sum(np.sign(differences) * ranks))
    signs = np.array(list(itertools.product((-1, 1), repeat=len(differences))))
    return float(np.mean(np.abs(signs @ ranks) >= found - 1e-9))


@given(DIFFERENCES)
@settings(max_examples=60, deadline=None)
def test_p_is_that_of_all_signs_with_and_without_ties(values):
    differences = np.round(np.array(values), 1)
    differences = differences[differences != 0]
    if len(differences):
        found = signed_rank(differences)
        assert found.p == pytest.approx(every_sign(differences), abs=1e-9)
        assert found.exact


@given(DIFFERENCES)
@settings(max_examples=40, deadline=None)
def test_the_other_direction_has_the_same_p_and_the_opposite_effect(values):
    one, other = signed_rank(np.array(values)), signed_rank(-np.array(values))
    assert one.p == pytest.approx(other.p)
    assert one.effect == pytest.approx(-other.effect)
    assert -1 <= one.effect <= 1


def test_effect_is_the_share_of_rank_sums():
    found = signed_rank(np.array([3.0, -1.0, 2.0, 5.0]))  # ranks 3, 1, 2, 4
    assert found.effect == pytest.approx((9 - 1) / 10)


def test_zeros_are_left_out_and_nothing_but_zeros_shows_nothing():
    assert signed_rank(np.array([0.0, 1.0, 2.0, 3.0])).n == 3
    assert signed_rank(np.array([0.0, 1.0, 2.0, 3.0])).p == signed_rank(np.array([1.0, 2.0, 3.0])).p
    nothing = signed_rank(np.zeros(8))
    assert (nothing.n, nothing.p, nothing.effect) == (0, 1.0, 0.0)


def test_many_subjects_have_the_normal_approximation_and_say_so():
    rng = np.random.default_rng(1)
    found = signed_rank(rng.normal(0.3, 1, 120))
    assert not found.exact
    assert 0 < found.p < 0.05


def test_nan_is_refused():
    with pytest.raises(ValueError, match="finite"):
        signed_rank(np.array([1.0, np.nan]))


def test_under_the_null_p_is_at_most_alpha_as_often_as_it_says():
    rng = np.random.default_rng(7)
    p = np.array([signed_rank(rng.normal(size=12)).p for _ in range(600)])
    for alpha in (0.05, 0.2):
        assert np.mean(p <= alpha) <= alpha + 0.025
        assert np.mean(p <= alpha) >= alpha - 0.04


def stepwise(p, alpha):
    """Holm's procedure as he wrote it: reject from the smallest on while p <= alpha / (hypotheses left)."""
    rejected = set()
    for left, index in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        if p[index] > alpha / (len(p) - left):
            break
        rejected.add(index)
    return rejected


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=12), st.floats(0.001, 0.5))
@settings(max_examples=200, deadline=None)
def test_adjusted_p_rejects_what_the_stepwise_procedure_rejects(p, alpha):
    adjusted = holm(p)
    on_the_edge = any(abs(value - alpha) < 1e-9 for value in adjusted)
    if not on_the_edge:
        assert {i for i, value in enumerate(adjusted) if value <= alpha} == stepwise(p, alpha)
    assert (adjusted >= np.array(p) - 1e-15).all()
    assert (adjusted <= 1).all()


def test_holm_leaves_nan_out_of_the_family():
    adjusted = holm([0.01, np.nan, 0.02])
    assert adjusted[[0, 2]].tolist() == [0.02, 0.02]
    assert np.isnan(adjusted[1])
    assert len(holm([])) == 0


@pytest.mark.parametrize("n", [1, 4, 5, 6, 9])
def test_the_smallest_p_is_reached_where_all_signs_agree(n):
    assert signed_rank(np.arange(1.0, n + 1)).p == pytest.approx(smallest_p(n))


def test_notes_say_what_few_subjects_cannot_show():
    assert "cannot show a difference at all" in power_note(5, 3)
    assert "0.0625" in power_note(5, 3)
    assert "too few for 10 comparisons" in power_note(6, 10)
    assert power_note(6, 1) == ""
    assert power_note(12, 66) == ""
