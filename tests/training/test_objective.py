"""Losses, and which networks may be fitted to which."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from cleansemg.core.errors import UserError
from cleansemg.training.batches import Share
from cleansemg.training.objective import LOSSES, Objective, snr_loss
from cleansemg.training.recipe import Recipe
from tests.training.fakes import SineSource, tiny_network


class OwnObjective(nn.Module):
    """Fitted to a loss of its own, which draws."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        return self.gain * noisy

    def training_loss(self, noisy: torch.Tensor, clean: torch.Tensor) -> torch.Tensor:
        return (self.gain * noisy - clean + 0.1 * torch.randn_like(clean)).square().mean()


def signals() -> tuple[torch.Tensor, torch.Tensor]:
    batch = next(SineSource().train(0, 8, Share()))
    return torch.from_numpy(batch.noisy), torch.from_numpy(batch.clean)


def test_snr_loss_is_minus_the_mean_snr_in_db() -> None:
    noisy, clean = signals()
    estimate = 0.7 * noisy
    c, e = clean.double().numpy(), estimate.double().numpy()
    by_hand = np.mean([10 * np.log10(np.sum(a**2) / np.sum((b - a) ** 2)) for a, b in zip(c, e, strict=True)])
    # the floor of 1e-4 of the mixture's energy shifts it by less than this
    assert float(snr_loss(estimate, clean, noisy)) == pytest.approx(-by_hand, abs=0.01)


def test_snr_loss_is_bounded_and_blind_to_scale() -> None:
    noisy, clean = signals()
    perfect = float(snr_loss(clean, clean, noisy))
    assert -41 < perfect < -30  # 40 dB below the mixture, which is louder than the clean signal
    once = snr_loss(0.5 * noisy, clean, noisy)
    again = snr_loss(0.5 * 1e-3 * noisy, 1e-3 * clean, 1e-3 * noisy)
    assert float(again) == pytest.approx(float(once), abs=1e-4)
    assert torch.isfinite(snr_loss(noisy, torch.zeros_like(clean), noisy))


def test_every_loss_falls_towards_the_clean_signal() -> None:
    noisy, clean = signals()
    for name, loss in LOSSES.items():
        values = [float(loss(clean + share * (noisy - clean), clean, noisy)) for share in (1.0, 0.5, 0.1)]
        assert values == sorted(values, reverse=True), name


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_the_gradient_reaches_the_network(precision: str) -> None:
    noisy, clean = signals()
    objective = Objective(tiny_network(), Recipe(loss="snr", precision=precision), "tiny")
    loss = objective(noisy, clean)
    assert loss.dtype == torch.float32
    loss.backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in objective.network.parameters() if p.ndim > 1)


def test_a_network_with_its_own_objective_is_fitted_to_that() -> None:
    noisy, clean = signals()
    objective = Objective(OwnObjective(), Recipe(loss="network"), "odd")
    torch.manual_seed(1)
    first = float(objective(noisy, clean).detach())
    torch.manual_seed(1)
    assert float(objective(noisy, clean).detach()) == first
    with pytest.raises(UserError, match="odd: defines its loss itself, so its recipe needs loss: network, not l1"):
        Objective(OwnObjective(), Recipe(loss="l1"), "odd")
    with pytest.raises(
        UserError, match="tiny: loss: network, but its network has no training_loss; choose l1, l2, snr"
    ):
        Objective(tiny_network(), Recipe(loss="network"), "tiny")
