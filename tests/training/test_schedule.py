"""Learning rate and early stopping, against torch's schedulers."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cleansemg.training.recipe import Recipe, Schedule
from cleansemg.training.schedule import best_epoch, is_finished, learning_rate

LOSSES = st.lists(st.sampled_from([1.0, 0.99995, 0.9, 0.8, 0.5]), max_size=25)


def torch_rate(make: object, losses: list[float], with_loss: bool) -> float:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = make(optimizer)  # type: ignore[operator]
    for loss in losses:
        optimizer.step()
        scheduler.step(*((loss,) if with_loss else ()))
    return float(optimizer.param_groups[0]["lr"])


@given(LOSSES, st.integers(0, 4))
def test_plateau_is_torchs(losses: list[float], patience: int) -> None:
    recipe = Recipe(learning_rate=0.1, schedule=Schedule(kind="plateau", factor=0.5, patience=patience))
    expected = torch_rate(
        lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=patience, eps=0.0), losses, True
    )
    assert learning_rate(recipe, losses) == pytest.approx(expected, rel=1e-12)


@given(LOSSES)
def test_steps_are_torchs(losses: list[float]) -> None:
    recipe = Recipe(learning_rate=0.1, schedule=Schedule(kind="steps", factor=0.1, milestones=(3, 10)))
    expected = torch_rate(lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [3, 10], 0.1), losses, False)
    assert learning_rate(recipe, losses) == pytest.approx(expected, rel=1e-12)


def test_none_stays() -> None:
    assert learning_rate(Recipe(learning_rate=0.3, schedule=Schedule(kind="none")), [1.0] * 50) == 0.3


def test_stops_after_patience_epochs_without_a_better_loss() -> None:
    recipe = Recipe(epochs=10, patience=3)
    assert not is_finished(recipe, [])
    assert not is_finished(recipe, [1.0, 0.5, 0.6, 0.5])  # an equal loss is not better
    assert is_finished(recipe, [1.0, 0.5, 0.6, 0.5, 0.7])
    assert best_epoch([1.0, 0.5, 0.6, 0.5, 0.7]) == 1
    assert is_finished(Recipe(epochs=2, patience=None), [1.0, 0.9])
    assert not is_finished(Recipe(epochs=99, patience=None), [0.1] + [1.0] * 60)
