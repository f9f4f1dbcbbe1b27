"""Noise levels, what training draws of them, and the samplers on problems whose answer is known."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cleansemg.core.errors import UserError
from cleansemg.denoising.networks.diffusion import Sampling, diffuse, draw_levels, fast_steps, noise_levels, sample

T = 50
LEVELS = noise_levels(T)
SAMPLERS = [Sampling(), *(Sampling("fast", steps=k, eta=eta) for k in (1, 2, 5, 8, 10, 100) for eta in (0.0, 0.5, 1.0))]


def test_levels_against_the_formula_step_by_step() -> None:
    def f(t: float) -> float:
        return math.cos((t / T + 0.008) / 1.008 * math.pi / 2) ** 2

    alpha_bar = 1.0
    for t in range(1, T + 1):
        alpha_bar *= 1 - min(1 - f(t) / f(t - 1), 0.999)
        assert LEVELS[t].item() == pytest.approx(math.sqrt(alpha_bar), rel=1e-9)
    # golden: cos(0.508 / 1.008 * 90 deg) / cos(0.008 / 1.008 * 90 deg), half way down
    assert LEVELS[25].item() == pytest.approx(0.7027401, abs=1e-7)
    assert LEVELS[50].item() == pytest.approx(LEVELS[49].item() * math.sqrt(0.001), rel=1e-6)  # the clipped beta


@given(n_steps=st.integers(1, 400))
def test_levels_fall_from_one_and_stay_above_zero(n_steps: int) -> None:
    levels = noise_levels(n_steps)
    assert levels.shape == (n_steps + 1,)
    assert levels[0] == 1
    assert (levels.diff() < 0).all()
    assert levels[-1] > 0
    assert (1 - (levels[1:] / levels[:-1]) ** 2).max() <= 0.999 + 1e-12


def interval_shares(wrapped: bool, n: int = 100_000) -> torch.Tensor:
    """Which share of the drawn levels falls between n_t and n_(t-1), for t = 1..T."""
    torch.manual_seed(4)
    drawn = draw_levels(LEVELS, n, wrapped)
    assert drawn.shape == (n,)
    assert LEVELS[-1] <= drawn.min()
    assert drawn.max() <= 1
    return torch.histogram(drawn, bins=LEVELS.flip(0)).hist.flip(0) / n


def test_training_draws_every_interval_equally_often() -> None:
    error = math.sqrt(1 / T / 100_000)
    assert (interval_shares(False) - 1 / T).abs().max() < 4.5 * error


def test_the_published_draw_leaves_the_noisiest_interval_out() -> None:
    # step 0 spans all levels, and so reaches the noisiest interval by its width alone
    widths = -LEVELS.diff()
    expected = widths / widths.sum() / T
    expected[:-1] += 1 / T
    assert expected[-1] < 0.001
    assert (interval_shares(True) - expected).abs().max() < 4.5 * math.sqrt(1 / T / 100_000)


def test_levels_are_drawn_evenly_within_an_interval() -> None:
    torch.manual_seed(5)
    drawn = draw_levels(torch.tensor([1.0, 0.25]), 20_000)
    assert drawn.mean().item() == pytest.approx(0.625, abs=4 * 0.75 / math.sqrt(12 * 20_000))
    assert drawn.var().item() == pytest.approx(0.75**2 / 12, rel=0.03)


@pytest.mark.parametrize("t", [1, 10, 25, 40, 50])
def test_forward_noising(t: int) -> None:
    level = LEVELS[t].float()
    clean = torch.tensor([[0.8], [-0.3]]).expand(2, 40_000)
    noise = torch.randn(2, 40_000, generator=torch.Generator().manual_seed(t))
    x = diffuse(clean, level.expand(2), noise)
    spread = math.sqrt(1 - level.item() ** 2)
    for row in range(2):
        expected = level.item() * clean[row, 0].item()
        assert x[row].mean().item() == pytest.approx(expected, abs=4 * spread / 200)
        assert x[row].std().item() == pytest.approx(spread, rel=4 / math.sqrt(2 * 40_000))


def test_noising_keeps_unit_variance() -> None:
    draw = torch.Generator().manual_seed(0)
    x = diffuse(torch.randn(T, 20_000, generator=draw), LEVELS[1:].float(), torch.randn(T, 20_000, generator=draw))
    assert (x.var(dim=1) - 1).abs().max() < 5 * math.sqrt(2 / 20_000)


@pytest.mark.parametrize("sampling", SAMPLERS, ids=str)
def test_the_true_noise_leads_to_the_true_signal(sampling: Sampling) -> None:
    draw = torch.Generator().manual_seed(1)
    clean = torch.rand(3, 200, generator=draw, dtype=torch.float64) * 2 - 1
    calls = []

    def oracle(x: torch.Tensor, level: float) -> torch.Tensor:
        calls.append(level)
        return (x - level * clean) / math.sqrt(1 - level**2)

    found = sample(oracle, lambda: torch.randn(3, 200, generator=draw, dtype=torch.float64), LEVELS.tolist(), sampling)
    torch.testing.assert_close(found, clean, atol=1e-9, rtol=0)
    expected = T if sampling.sampler == "ancestral" else min(sampling.steps, T - 1)
    assert len(calls) == expected
    assert calls == sorted(calls)  # from noise to signal


# x_0 of variance 0.04, seen through noise of variance 0.02 as y = 0.3, is normal with this mean and deviation
PRIOR, NOISE, Y = 0.04, 0.02, 0.3
MEAN, DEVIATION = Y * PRIOR / (PRIOR + NOISE), math.sqrt(PRIOR * NOISE / (PRIOR + NOISE))


def gain(level: float) -> float:
    """How far the expected x_0 moves with x_t."""
    return DEVIATION**2 * level / (level**2 * DEVIATION**2 + 1 - level**2)


def perfect(x: torch.Tensor, level: float) -> torch.Tensor:
    """The noise to expect in x_t: what a perfect network would answer."""
    clean = MEAN + gain(level) * (x - level * MEAN)
    return (x - level * clean) / math.sqrt(1 - level**2)


def draws(n_steps: int, sampling: Sampling, n: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(2)
    return sample(
        perfect,
        lambda: torch.randn(1, n, generator=random, dtype=torch.float64),
        noise_levels(n_steps).tolist(),
        sampling,
    )[0]


def deviation_of_steps(path: list[float], eta: float) -> float:
    """Standard deviation of the samples of a perfect network: every step is linear in x and adds DDPM's variance."""
    variance = 1.0
    for n, m in pairwise(path):
        alpha = (n / m) ** 2
        if eta:  # DDPM, equations 6 and 7
            of_clean = m * (1 - alpha) / (1 - n**2)
            of_x = math.sqrt(alpha) * (1 - m**2) / (1 - n**2)
            added = (1 - alpha) * (1 - m**2) / (1 - n**2)
        else:  # DDIM, equation 13
            of_x = math.sqrt((1 - m**2) / (1 - n**2))
            of_clean = m - n * of_x
            added = 0.0
        variance = (of_clean * gain(n) + of_x) ** 2 * variance + added
    return math.sqrt(variance)


@pytest.mark.parametrize(
    "sampling",
    [Sampling(), *(Sampling("fast", steps=k, eta=eta) for k in (5, 8, 49) for eta in (0.0, 1.0))],
    ids=str,
)
def test_samples_of_a_perfect_network(sampling: Sampling) -> None:
    n = 40_000
    found = draws(T, sampling, n)
    levels = LEVELS.tolist()
    steps = list(range(T, 0, -1)) if sampling.sampler == "ancestral" else fast_steps(levels, sampling.steps)
    path = [*(levels[t] for t in steps), 1.0]
    expected = deviation_of_steps(path, 1.0 if sampling.sampler == "ancestral" else sampling.eta)
    assert expected < DEVIATION  # few steps stay closer to the mean
    assert found.std().item() == pytest.approx(expected, rel=4.5 / math.sqrt(2 * n))
    # a start of white noise where the level is not yet 0 leaves a little of the mean out
    assert found.mean().item() == pytest.approx(MEAN, abs=4 * DEVIATION / math.sqrt(n) + 0.001)
    z = ((found - found.mean()) / found.std()).numpy()
    quantiles = np.quantile(z, [0.025, 0.1587, 0.5, 0.8413, 0.975])
    np.testing.assert_allclose(quantiles, [-1.96, -1, 0, 1, 1.96], atol=0.04)


@pytest.mark.parametrize("sampling", [Sampling(), Sampling("fast", steps=1500, eta=0.0)], ids=str)
def test_many_steps_give_the_posterior(sampling: Sampling) -> None:
    n = 5_000
    found = draws(1500, sampling, n)
    assert found.mean().item() == pytest.approx(MEAN, abs=4 * DEVIATION / math.sqrt(n))
    assert found.std().item() == pytest.approx(DEVIATION, rel=4 / math.sqrt(2 * n) + 0.01)


def test_estimates_are_clamped() -> None:
    found = sample(lambda x, level: -x - 1, lambda: torch.ones(1, 4), LEVELS.tolist(), Sampling())
    assert found.tolist() == [[1.0] * 4]


@settings(max_examples=60)
@given(n_levels=st.integers(2, 200), n_steps=st.integers(1, 60))
def test_fast_steps_fall_to_the_last(n_levels: int, n_steps: int) -> None:
    steps = fast_steps(noise_levels(n_levels).tolist(), n_steps)
    assert len(steps) == min(n_steps, n_levels - 1)
    assert steps[0] == n_levels - 1
    assert all(a > b for a, b in pairwise(steps))
    assert steps[-1] >= 1
    assert steps[-1] == 1 or n_steps == 1


@pytest.mark.parametrize(("n_steps", "ratio"), [(5, 6), (8, 3), (10, 2.6)])
def test_fast_steps_amplify_errors_evenly(n_steps: int, ratio: float) -> None:
    levels = LEVELS.tolist()

    def worst(steps: list[int]) -> float:
        path = [levels[t] for t in steps] + [1.0]
        return max(b / a for a, b in pairwise(path))

    assert worst(fast_steps(levels, n_steps)) < ratio
    assert worst([round(T - i * (T - 1) / (n_steps - 1)) for i in range(n_steps)]) > 100  # uniform in t


def test_only_the_random_samplers_draw_on() -> None:
    def count(sampling: Sampling) -> int:
        draws = []

        def draw() -> torch.Tensor:
            draws.append(1)
            return torch.zeros(1, 3)

        sample(lambda x, level: x, draw, LEVELS.tolist(), sampling)
        return len(draws)

    assert count(Sampling()) == T  # none at the last step
    assert count(Sampling("fast", steps=8, eta=1.0)) == 8
    assert count(Sampling("fast", steps=8, eta=0.0)) == 1


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"sampler": "fastest"}, "sampler is 'fastest'; did you mean 'fast'"),
        ({"steps": 0}, "steps is 0, at least 1"),
        ({"eta": 1.5}, "eta is 1.5, from 0 to 1"),
        ({"samples": 0}, "samples is 0, at least 1"),
    ],
)
def test_wrong_settings_are_named(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Sampling(**parameters)  # type: ignore[arg-type]
