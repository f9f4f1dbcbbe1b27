"""Measures of agreement against scipy, scikit-learn's definition and laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cleansemg.training.quality.agreement import MEASURES, average_precision, intervals, lcc, mae, mse, srcc
from cleansemg.training.quality.fitting import thresholds


@given(st.lists(st.tuples(st.integers(-20, 20), st.integers(-20, 20)), min_size=3, max_size=60))
def test_correlations_are_those_of_scipy(pairs: list[tuple[int, int]]) -> None:
    true, predicted = np.array(pairs, float).T
    if np.ptp(true) == 0 or np.ptp(predicted) == 0:
        assert np.isnan(lcc(true, predicted))
        assert np.isnan(srcc(true, predicted))
        return
    assert lcc(true, predicted) == pytest.approx(stats.pearsonr(true, predicted).statistic, abs=1e-9)
    assert srcc(true, predicted) == pytest.approx(stats.spearmanr(true, predicted).statistic, abs=1e-9)
    assert mse(true, predicted) >= mae(true, predicted) ** 2 - 1e-9


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=50), st.randoms())
def test_average_precision_is_the_sum_over_thresholds(pairs: list[tuple[bool, int]], random) -> None:
    true, score = np.array([t for t, _ in pairs]), np.array([s for _, s in pairs], float)
    found = average_precision(true, score)
    if not true.any():
        assert np.isnan(found)
        return
    expected, recall = 0.0, 0.0
    for limit in sorted(set(score), reverse=True):
        chosen = score >= limit
        precision, now = true[chosen].mean(), true[chosen].sum() / true.sum()
        expected += precision * (now - recall)
        recall = now
    assert found == pytest.approx(expected)
    order = np.array(random.sample(range(len(true)), len(true)))
    assert average_precision(true[order], score[order]) == pytest.approx(found)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=2, max_size=40))
def test_threshold_has_the_best_f1(pairs: list[tuple[bool, int]]) -> None:
    true, score = np.array([[t] for t, _ in pairs]), np.array([[s / 9] for _, s in pairs])
    (limit,) = thresholds(score, true)

    def f1(at: float) -> float:
        said = score[:, 0] >= at
        return 2 * (said & true[:, 0]).sum() / max(said.sum() + true.sum(), 1)

    assert f1(limit) == pytest.approx(max(f1(at) for at in np.unique(score))) or not true.any()


def test_intervals_hold_the_value_and_need_two_subjects() -> None:
    rng = np.random.default_rng(0)
    true = rng.uniform(-15, 15, 400)
    subjects = np.repeat([f"S{i}" for i in range(8)], 50)
    predicted = true + rng.normal(0, 1, 400) + np.repeat(rng.normal(0, 1, 8), 50)
    found = intervals(true, predicted, subjects, 200, 0.95, 1)
    for name, measure in MEASURES.items():
        low, high = found[name]
        assert low < measure(true, predicted) < high
    assert found == intervals(true, predicted, subjects, 200, 0.95, 1)
    alone = intervals(true, predicted, np.full(400, "S0"), 200, 0.95, 1)
    assert all(np.isnan(low) and np.isnan(high) for low, high in alone.values())
