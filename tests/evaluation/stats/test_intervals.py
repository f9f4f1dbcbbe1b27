"""Intervals over people against scipy's t distribution, and how often they hold the true value."""

import numpy as np
import pytest
from scipy import stats

from cleansemg.evaluation.stats.intervals import (
    interval_of_means,
    jackknife_interval,
    person_interval,
    person_means,
    ratio_interval,
    two_way_interval,
)  # fmt: skip

RNG_SEED = 7


def some(n_people=9, n=200, quantities=3):
    rng = np.random.default_rng(RNG_SEED)
    who = rng.integers(n_people, size=n)
    values = rng.normal(size=(n_people, 1))[who] + rng.normal(size=(n, quantities))
    return values, np.array([f"db/{i}" for i in who])


def test_is_the_t_interval_of_the_means_of_people():
    values, subjects = some()
    values[::7, 1] = np.nan
    mean, low, high = person_interval(values, subjects, 0.9)
    for column in range(3):
        means = [np.nanmean(values[subjects == name, column]) for name in sorted(set(subjects.tolist()))]
        test = stats.ttest_1samp(means, 0.0)
        expected = test.confidence_interval(0.9)
        assert mean[column] == pytest.approx(np.mean(means), rel=1e-12)
        np.testing.assert_allclose([low[column], high[column]], expected, rtol=1e-12)


def test_every_person_counts_the_same():
    values = np.array([[0.0]] * 90 + [[10.0]] * 10)
    subjects = np.array(["a"] * 90 + ["b"] * 10)
    assert person_interval(values, subjects, 0.95)[0][0] == 5.0


def test_zero_lies_outside_exactly_where_the_t_test_rejects():
    rng = np.random.default_rng(1)
    means = rng.normal(0.7, 1, size=(8, 400))
    _, low, high = interval_of_means(means, 0.95)
    p = stats.ttest_1samp(means, 0.0).pvalue
    assert np.array_equal((low > 0) | (high < 0), p < 0.05)
    assert 0 < (p < 0.05).mean() < 1


@pytest.mark.parametrize("people", [8, 16, 30])
def test_covers_the_mean_as_often_as_it_promises(people):
    """Pitfall 25. 4,000 replications: the standard error of a coverage of 95 % is 0.35 points."""
    means = np.random.default_rng(people).normal(size=(people, 4000))
    _, low, high = interval_of_means(means, 0.95)
    assert np.mean((low <= 0) & (high >= 0)) == pytest.approx(0.95, abs=0.012)


def test_one_person_has_a_mean_and_no_limits_and_nobody_has_neither():
    mean, low, high = person_interval(np.array([[1.0, np.nan], [3.0, np.nan]]), np.array(["a", "a"]), 0.95)
    assert mean[0] == 2.0
    assert np.isnan(mean[1])
    assert np.isnan([*low, *high]).all()
    mean, low, high = interval_of_means(np.array([[1.0], [np.nan]]), 0.95)  # two people, one of them without a value
    assert mean[0] == 1.0
    assert np.isnan([low[0], high[0]]).all()


def test_a_person_without_a_value_is_left_out():
    values, subjects = some()
    gone = subjects == "db/3"
    values[gone, 0] = np.nan
    left = person_interval(values[~gone], subjects[~gone], 0.95)
    for all_people, fewer in zip(person_interval(values, subjects, 0.95), left, strict=True):
        assert all_people[0] == pytest.approx(fewer[0], rel=1e-12)
    assert np.isnan(person_means(values, subjects)).sum() == 1


def test_a_ratio_is_inside_exactly_where_the_t_test_does_not_reject_it():
    rng = np.random.default_rng(3)
    denominator = rng.normal(5, 1, 16)
    numerator = 0.3 * denominator + rng.normal(0, 0.5, 16)
    ratio, low, high = ratio_interval(numerator, denominator, 0.95)
    assert ratio == pytest.approx(numerator.mean() / denominator.mean())
    assert low < ratio < high
    for limit in (low, high):
        assert stats.ttest_1samp(numerator - limit * denominator, 0.0).pvalue == pytest.approx(0.05, abs=1e-9)


@pytest.mark.parametrize("people", [8, 16, 30])
def test_the_ratio_is_covered_as_often_as_it_promises(people):
    rng = np.random.default_rng(people)
    hits = 0
    for _ in range(1500):  # standard error 0.56 points
        denominator = rng.normal(5, 1.5, people)
        _, low, high = ratio_interval(0.4 * denominator + rng.normal(0, 1, people), denominator, 0.95)
        hits += low <= 0.4 <= high
    assert hits / 1500 == pytest.approx(0.95, abs=0.018)


def test_the_ends_of_the_scale_of_a_ratio_are_exact():
    denominator = np.random.default_rng(0).normal(5, 1, 12)
    assert ratio_interval(np.zeros(12), denominator, 0.95) == (0.0, 0.0, 0.0)
    assert ratio_interval(denominator, denominator, 0.95) == pytest.approx((1.0, 1.0, 1.0), abs=1e-12)


def test_ratios_that_have_no_interval():
    ratio, low, high = ratio_interval(np.array([1.0, np.nan]), np.array([2.0, 1.0]), 0.95)  # one person
    assert ratio == 0.5
    assert np.isnan([low, high]).all()
    unclear = np.array([1.0, -1.2, 0.8, -0.5])  # a denominator that may be 0: every ratio is possible
    assert np.isfinite(ratio_interval(np.ones(4), unclear, 0.95)[0])
    assert np.isnan(ratio_interval(np.ones(4), unclear, 0.95)[1:]).all()
    assert np.isnan(ratio_interval(np.ones(3), np.array([1.0, -1.0, 0.0]), 0.95)).all()
    assert np.isnan(ratio_interval(np.array([]), np.array([]), 0.95)).all()


def test_the_jackknife_of_a_mean_is_the_t_interval_and_needs_everybody():
    values = np.random.default_rng(8).normal(size=11)
    without = (values.sum() - values) / 10
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.9)
    np.testing.assert_allclose(jackknife_interval(float(values.mean()), without, 0.9), expected, rtol=1e-10)
    assert np.isnan(jackknife_interval(1.0, np.array([1.0]), 0.9)).all()
    assert np.isnan(jackknife_interval(1.0, np.array([1.0, np.nan, 2.0]), 0.9)).all()
    assert np.isnan(jackknife_interval(float("nan"), np.array([1.0, 2.0]), 0.9)).all()


def crossed(rng, people, n_records, of_record, each=30):
    who = np.repeat(np.arange(people), each)
    record = rng.integers(n_records, size=len(who))
    values = rng.normal(0, 1, people)[who] + rng.normal(0, of_record, n_records)[record] + rng.normal(0, 1, len(who))
    return values[:, None], who, np.char.add("ECG:", record.astype(str))


def test_two_ways_cover_where_people_alone_do_not():
    rng = np.random.default_rng(5)
    two, one = 0, 0
    for seed in range(150):
        values, who, records = crossed(rng, 16, 10, 1.5)
        _, low, high = two_way_interval(values, who, records, 0.95, 200, seed)
        two += low[0] <= 0 <= high[0]
        _, low, high = person_interval(values, who, 0.95)
        one += low[0] <= 0 <= high[0]
    assert two / 150 > 0.92
    assert one / 150 < 0.85


def test_without_records_the_two_ways_are_the_bootstrap_deviation_over_people():
    values, subjects = some(n_people=12, n=600)
    mean, low, high = two_way_interval(values, subjects, np.full(600, ""), 0.95, 4000, seed=1)
    expected = person_interval(values, subjects, 0.95)
    np.testing.assert_allclose(mean, expected[0], rtol=1e-12)
    shrunk = np.sqrt(11 / 12)  # a bootstrap's variance is over n, an estimate's over n - 1
    np.testing.assert_allclose(high - low, shrunk * (expected[2] - expected[1]), rtol=0.05)


def test_one_record_of_a_kind_says_nothing_about_others_and_several_kinds_are_drawn_each_for_itself():
    rng = np.random.default_rng(2)
    values, who, records = crossed(rng, 12, 8, 0.5)
    plain = two_way_interval(values, who, records, 0.95, 300, seed=1)
    with_one = two_way_interval(values, who, np.char.add(records, "+MOA:em"), 0.95, 300, seed=1)
    np.testing.assert_allclose(with_one, plain, rtol=1e-12)
    motion = np.char.add("+MOA:", rng.integers(3, size=len(who)).astype(str))
    more = two_way_interval(values, who, np.char.add(records, motion), 0.95, 300, seed=1)
    assert more[2][0] - more[1][0] > plain[2][0] - plain[1][0]


def test_two_ways_share_draws_and_leave_out_nan_and_need_two_people():
    rng = np.random.default_rng(4)
    values, who, records = crossed(rng, 6, 5, 1.0)
    gaps = values.copy()
    gaps[::5] = np.nan
    both = two_way_interval(np.hstack([values, gaps]), who, records, 0.95, 200, seed=3)
    for column, alone in enumerate((values, gaps)):
        apart = two_way_interval(alone, who, records, 0.95, 200, seed=3)
        np.testing.assert_allclose([one[column] for one in both], [one[0] for one in apart], rtol=1e-12)
    present = ~np.isnan(gaps[:, 0])
    fewer = two_way_interval(gaps[present], who[present], records[present], 0.95, 200, seed=3)
    np.testing.assert_allclose([one[0] for one in fewer], [one[1] for one in both], rtol=1e-12)
    mean, low, high = two_way_interval(values, np.zeros(len(who)), records, 0.95, 200, seed=3)
    assert mean[0] == pytest.approx(values.mean())
    assert np.isnan([low[0], high[0]]).all()


def test_chunks_of_resamples_change_nothing(monkeypatch):
    values, who, records = crossed(np.random.default_rng(6), 5, 4, 1.0)
    whole = two_way_interval(values, who, records, 0.95, 250, seed=3)
    monkeypatch.setattr("cleansemg.evaluation.stats.intervals.CHUNK", 1000)
    np.testing.assert_allclose(two_way_interval(values, who, records, 0.95, 250, seed=3), whole, rtol=1e-12)
