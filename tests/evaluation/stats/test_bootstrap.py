import time

import numpy as np

from cleansemg.evaluation.stats.bootstrap import bootstrap_of_sums, by_subject, group_bootstrap, subject_bootstrap


def test_equals_a_plain_bootstrap_in_distribution():
    rng = np.random.default_rng(0)
    subjects = np.repeat([f"s{i}" for i in range(12)], 20)
    values = (np.repeat(rng.normal(size=12), 20) + 0.1 * rng.normal(size=240))[:, None]
    low, high = subject_bootstrap(values, subjects, 4000, 0.95, seed=1)
    plain = []
    for _ in range(4000):
        chosen = rng.integers(12, size=12)
        plain.append(np.mean([values[i * 20 : (i + 1) * 20].mean() for i in chosen]))
    expected = np.quantile(plain, [0.025, 0.975])
    np.testing.assert_allclose([low[0], high[0]], expected, atol=0.05)


def test_covers_the_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(300):
        effect = rng.normal(size=30)
        values = (np.repeat(effect, 5) + rng.normal(size=150))[:, None]
        low, high = subject_bootstrap(values, np.repeat(np.arange(30).astype(str), 5), 300, 0.9, seed=2)
        hits += low[0] <= 0 <= high[0]
    assert 0.82 <= hits / 300 <= 0.95


def test_is_wider_than_segments_suggest_and_leaves_nan_out():
    subjects = np.array(["a"] * 50 + ["b"] * 50)
    values = np.stack([np.r_[np.zeros(50), np.ones(50)], np.r_[np.full(50, np.nan), np.ones(50)]], axis=1)
    low, high = subject_bootstrap(values, subjects, 500, 0.95, seed=1)
    assert (low[0], high[0]) == (0.0, 1.0)
    assert (low[1], high[1]) == (1.0, 1.0)


def test_one_subject_has_no_interval():
    low, high = subject_bootstrap(np.ones((5, 1)), np.array(["a"] * 5), 100, 0.95, seed=1)
    assert np.isnan(low[0])
    assert np.isnan(high[0])


def test_sums_by_subject_hold_what_the_bootstrap_needs():
    subjects = np.array(["b", "a", "b"])
    values = np.array([[1.0], [2.0], [np.nan]])
    sums, counts = by_subject(values, subjects)
    assert sums.tolist() == [[2.0], [1.0]]
    assert counts.tolist() == [[1.0], [1.0]]
    one = subject_bootstrap(values, subjects, 200, 0.9, seed=4)
    other = bootstrap_of_sums(sums, counts, 200, 0.9, seed=4)
    assert [limit.tolist() for limit in one] == [limit.tolist() for limit in other]


def test_ten_thousand_resamples_of_a_hundred_thousand_segments_take_seconds():
    rng = np.random.default_rng(0)
    subjects = np.array([f"db/{i}" for i in range(40)])[rng.integers(40, size=100_000)]
    values = rng.normal(size=(100_000, 9))
    started = time.process_time()
    low, high = subject_bootstrap(values, subjects, 10_000, 0.95, seed=1)
    assert time.process_time() - started < 10
    assert (low < high).all()


def test_means_over_groups_weigh_groups_alike():
    """Groups of equal size in every subject: the mean over groups is the mean over segments, and so is its interval."""
    rng = np.random.default_rng(8)
    subjects = np.repeat([f"s{i}" for i in range(6)], 8)
    groups = np.tile(np.repeat([0.0, -5.0], 4), 6)
    values = rng.normal(size=(48, 2))
    plain = subject_bootstrap(values, subjects, 300, 0.9, seed=3)
    np.testing.assert_allclose(group_bootstrap(values, groups, subjects, 300, 0.9, seed=3), plain, rtol=1e-12)

    few = groups == 0.0
    few[np.flatnonzero(few)[::3]] = False  # now they differ
    fewer = group_bootstrap(values[~few], groups[~few], subjects[~few], 300, 0.9, seed=3)
    assert not np.allclose(fewer, subject_bootstrap(values[~few], subjects[~few], 300, 0.9, seed=3))


def test_a_group_without_a_value_in_a_resample_is_left_out():
    subjects = np.array(["a", "a", "b"])
    values, groups = np.array([[1.0], [1.0], [1.0]]), np.array([0.0, 1.0, 0.0])
    low, high = group_bootstrap(values, groups, subjects, 100, 0.9, seed=1)
    assert (low[0], high[0]) == (1.0, 1.0)
    assert np.isnan(group_bootstrap(np.full((3, 1), np.nan), groups, subjects, 100, 0.9, seed=1)).all()
