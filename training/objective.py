"""The training objective: a network and its loss on a batch, as one module that also works on several devices.

- l1, l2: mean absolute or mean squared error of the scaled waveform;
- snr: negative SNR of the output in dB, mean over mixtures, the measure that the benchmark reports
  (scale-dependent; Le Roux et al., "SDR - half-baked or well done?", ICASSP 2019);
- network: the network's `training_loss(noisy, clean)`, for networks whose loss is not one of their output (diffusion).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from cleansemg.core.errors import UserError
from cleansemg.training.recipe import Recipe

QUIET = 1e-4  # of the mixture's energy; errors more than 40 dB below the mixture hardly count


def snr_loss(estimate: torch.Tensor, clean: torch.Tensor, noisy: torch.Tensor) -> torch.Tensor:
    """Negative mean SNR in dB, a scalar.

    A small fraction of the mixture's energy is added to the energies of signal and error, so that a perfect output has
    a finite loss and no mixture dominates the mean.

    Args:
        estimate: [n, L], output of the network.
        clean: [n, L], target.
        noisy: [n, L], mixture.
    """
    floor = QUIET * noisy.square().sum(dim=1)  # [n]
    error = (estimate - clean).square().sum(dim=1) + floor
    return 10.0 * torch.log10(error / (clean.square().sum(dim=1) + floor)).mean()


LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "l1": lambda estimate, clean, _: nn.functional.l1_loss(estimate, clean),
    "l2": lambda estimate, clean, _: nn.functional.mse_loss(estimate, clean),
    "snr": snr_loss,
}


class Objective(nn.Module):
    """A network and its loss: (noisy [n, L], clean [n, L]) -> scalar.

    Raises:
        UserError: recipe and network define different losses.
    """

    def __init__(self, network: nn.Module, recipe: Recipe, name: str) -> None:
        super().__init__()
        has_loss = hasattr(network, "training_loss")
        if has_loss and recipe.loss != "network":
            raise UserError(f"{name}: defines its loss itself, so its recipe needs loss: network, not {recipe.loss}")
        if recipe.loss == "network" and not has_loss:
            raise UserError(f"{name}: loss: network, but its network has no training_loss; choose {', '.join(LOSSES)}")
        self.network = network
        self._loss = recipe.loss
        self._half = recipe.precision == "bf16"

    def forward(self, noisy: torch.Tensor, clean: torch.Tensor) -> torch.Tensor:
        with torch.autocast(noisy.device.type, torch.bfloat16, enabled=self._half):
            if self._loss == "network":
                loss: torch.Tensor = self.network.training_loss(noisy, clean)  # type: ignore[operator]
                return loss.float()
            estimate = self.network(noisy)  # [n, L]
        return LOSSES[self._loss](estimate.float(), clean, noisy)
