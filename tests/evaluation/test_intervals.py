import numpy as np

from evaluation.intervals import subject_bootstrap


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
