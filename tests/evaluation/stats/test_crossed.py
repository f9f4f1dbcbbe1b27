"""The interval over seeds and people, against a standard analysis of variance, by its limits, and by its coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cleansemg.evaluation.stats.crossed import crossed_interval
from cleansemg.evaluation.stats.intervals import interval_of_means


def simulated(seeds: int, people: int, spreads: tuple[float, float, float], n: int, seed: int) -> np.ndarray:
    """[S, P, n] values with mean 0 and standard deviations of seeds, people, and what is left."""
    rng = np.random.default_rng(seed)
    a, b, e = spreads
    return (
        a * rng.standard_normal((seeds, 1, n))
        + b * rng.standard_normal((1, people, n))
        + e * rng.standard_normal((seeds, people, n))
    )


def test_variance_and_degrees_of_freedom_of_a_layout_computed_by_sums_of_squares() -> None:
    values = simulated(3, 8, (2.0, 3.0, 0.5), 1, 4)[..., 0]
    seeds, people = values.shape
    correction = values.sum() ** 2 / values.size
    of_seeds = (values.sum(axis=1) ** 2).sum() / people - correction
    of_people = (values.sum(axis=0) ** 2).sum() / seeds - correction
    squares = np.array([of_seeds, of_people]) / (freedom := np.array([2, 7]))
    variance = squares.sum() / values.size
    degrees = (variance * values.size) ** 2 / (squares**2 / freedom).sum()
    half = stats.t.ppf(0.975, degrees) * np.sqrt(variance)
    mean, low, high = crossed_interval(values[..., None], 0.95)
    np.testing.assert_allclose([mean[0], low[0], high[0]], values.mean() + np.array([0, -half, half]))


def test_equal_seeds_give_the_interval_over_people_and_equal_people_that_over_seeds() -> None:
    people = np.random.default_rng(1).standard_normal((12, 2))
    np.testing.assert_allclose(crossed_interval(np.stack([people, people]), 0.9), interval_of_means(people, 0.9))
    np.testing.assert_allclose(
        crossed_interval(np.stack([people, people], axis=1), 0.9), interval_of_means(people, 0.9)
    )


@pytest.mark.parametrize(
    ("seeds", "people", "spreads", "least"),
    [
        (3, 16, (0.3, 1.0, 0.3), 0.94),
        (3, 16, (0.5, 1.0, 0.5), 0.93),
        (2, 16, (0.2, 1.0, 0.2), 0.94),
        (3, 14, (0.0, 1.0, 1.0), 0.94),
        (2, 16, (0.5, 1.0, 0.5), 0.91),  # two seeds that differ half as much as people: too few to know it
    ],
)
def test_it_covers_the_mean_as_often_as_the_docs_say(
    seeds: int, people: int, spreads: tuple[float, float, float], least: float
) -> None:
    """Of 95 %; an interval over people alone, of the mean over seeds, covers less wherever seeds matter."""
    values = simulated(seeds, people, spreads, 4000, 7)

    def covered(limits: tuple[np.ndarray, np.ndarray, np.ndarray]) -> float:
        return float(((limits[1] <= 0) & (limits[2] >= 0)).mean())

    both, alone = covered(crossed_interval(values, 0.95)), covered(interval_of_means(values.mean(axis=0), 0.95))
    assert both > least
    assert spreads[0] == 0 or alone < both - 0.02


def test_people_without_a_value_and_too_few_of_either() -> None:
    values = np.arange(12.0).reshape(2, 3, 2)
    values[0, 1, 0] = np.nan
    mean, low, high = crossed_interval(values, 0.95)
    assert mean[0] == pytest.approx(np.mean(values[:, [0, 2], 0]))
    assert np.isfinite([low, high]).all()
    for short in (values[:1], values[:, 2:]):
        mean, low, high = crossed_interval(short, 0.95)
        assert np.isfinite(mean[1])
        assert np.isnan([low, high]).all()
    assert np.isnan(crossed_interval(np.full((2, 3, 1), np.nan), 0.95)).all()
