"""The schedule and the optimiser that came for the classifiers, and that older fingerprints stay."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from cleansemg.core.errors import UserError
from cleansemg.training.loop import _optimizer
from cleansemg.training.recipe import Recipe, Schedule, resolve
from cleansemg.training.schedule import learning_rate


@pytest.mark.parametrize(("epochs", "floor"), [(40, 0.0), (7, 0.01), (1, 0.001)])
def test_cosine_is_torchs(epochs, floor):
    recipe = Recipe(learning_rate=0.1, epochs=epochs, schedule=Schedule(kind="cosine", floor=floor))
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs, eta_min=0.1 * floor)
    for epoch in range(epochs):
        assert learning_rate(recipe, [1.0] * epoch) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
        optimizer.step()
        scheduler.step()


def test_warm_up_is_a_line_to_where_the_cosine_is():
    """The contrastive stage of STCNet: 10 epochs from 0.01 to the cosine of 0.05 over 100, floor 0.001."""
    schedule = Schedule(kind="cosine", floor=1e-3, warmup_epochs=10, warmup_from=0.2)
    recipe = Recipe(learning_rate=0.05, epochs=100, schedule=schedule)
    rates = np.array([learning_rate(recipe, [1.0] * epoch) for epoch in range(100)])
    top = 5e-5 + (0.05 - 5e-5) * (1 + np.cos(np.pi / 10)) / 2
    np.testing.assert_allclose(rates[:11], np.linspace(0.01, top, 11), rtol=1e-12)
    assert (np.diff(rates[10:]) < 0).all()
    assert rates[-1] > 5e-5


def test_sgd_has_momentum_and_decay():
    recipe = Recipe(optimizer="sgd", momentum=0.9, learning_rate=0.05, weight_decay=1e-4)
    own = _optimizer(nn.Linear(2, 1), recipe)
    assert isinstance(own, torch.optim.SGD)
    assert {k: own.defaults[k] for k in ("lr", "momentum", "weight_decay")} == {
        "lr": 0.05, "momentum": 0.9, "weight_decay": 1e-4,
    }  # fmt: skip


def test_a_recipe_without_the_new_fields_is_written_as_before():
    """These keys are in the fingerprints of the pretrained weights."""
    values = Recipe().model_dump(mode="json")
    assert list(values) == [
        "loss", "optimizer", "learning_rate", "betas", "weight_decay", "batch_size", "epochs", "patience",
        "clip_norm", "schedule", "normalise_clip", "precision",
    ]  # fmt: skip
    assert list(values["schedule"]) == ["kind", "factor", "patience", "milestones"]


def test_new_fields_are_written_where_they_are_used_and_read_back():
    recipe = Recipe(momentum=0.5, optimizer="sgd", schedule=Schedule(kind="cosine", floor=0.1))
    values = recipe.model_dump(mode="json")
    assert (values["momentum"], values["schedule"]["floor"]) == (0.5, 0.1)
    assert "warmup_epochs" not in values["schedule"]
    assert resolve([("file", values)]) == recipe


def test_warm_up_without_cosine_is_refused():
    with pytest.raises(UserError, match="belong to the schedule 'cosine', not 'plateau'"):
        resolve([("file", {"schedule": {"warmup_epochs": 3}})])
