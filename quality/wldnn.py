"""WLDNN: the published baseline, a perceptron on waveform lengths (1,461 parameters).

The signal without its mean, at unit energy, in 50 windows of 200 samples (10 s at 1 kHz); of each the waveform length,
the sum of |x[i+1] - x[i]|; z-scored by the training set's mean and standard deviation; 50-20-20-1 with sigmoids.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from cleansemg.core.errors import UserError
from cleansemg.quality.qase import snr_loss


@dataclass(frozen=True)
class WLDNNSize:
    """Hyper-parameters; the defaults are the published ones."""

    windows: int = 50
    window_samples: int = 200
    width: int = 20
    n_kinds: int = 0  # has no second head
    snr_unit_db: float = 1.0

    def __post_init__(self) -> None:
        if self.n_kinds:
            raise UserError("wldnn predicts the SNR alone: it needs quality.kinds: false")


class WLDNN(nn.Module):
    """[n, windows * window_samples] -> [n, 1] SNR in dB; any unit."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, size: WLDNNSize) -> None:
        super().__init__()
        self.size = size
        self.layers = nn.Sequential(
            nn.Linear(size.windows, size.width), nn.Sigmoid(),
            nn.Linear(size.width, size.width), nn.Sigmoid(),
            nn.Linear(size.width, 1),
        )  # fmt: skip
        self.register_buffer("mean", torch.zeros(size.windows))
        self.register_buffer("std", torch.ones(size.windows))

    @property
    def min_samples(self) -> int:
        """The only length that it takes."""
        return self.size.windows * self.size.window_samples

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        lengths = waveform_lengths(x, self.size.windows, self.size.window_samples)
        y: torch.Tensor = self.layers((lengths - self.mean) / self.std)
        return y

    def training_loss(self, noisy: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Squared error of the SNR; `target` [n, 1 + K], SNR first."""
        return snr_loss(self(noisy)[:, 0], target[:, 0], self.size.snr_unit_db)

    def fit_scaling(self, batches: Iterable[torch.Tensor]) -> None:
        """Take the z-score's mean and standard deviation from signals [n, L]."""
        lengths = [waveform_lengths(x, self.size.windows, self.size.window_samples) for x in batches]
        every = torch.cat(lengths).double()
        std = every.std(dim=0, unbiased=False)
        self.mean.copy_(every.mean(dim=0))
        self.std.copy_(torch.where(std > 0, std, 1.0))


def waveform_lengths(x: torch.Tensor, windows: int, window_samples: int) -> torch.Tensor:
    """[n, windows] waveform length of each window of signals [n, windows * window_samples] at unit energy.

    Raises:
        UserError: another length.
    """
    if x.shape[1] != windows * window_samples:
        raise UserError(f"wldnn works on {windows * window_samples} samples (10 s at 1 kHz), got {x.shape[1]}")
    peak = x.abs().amax(dim=1, keepdim=True)
    x = x / torch.where(peak > 0, peak, 1.0)
    x = x - x.mean(dim=1, keepdim=True)
    norm = x.square().sum(dim=1, keepdim=True).sqrt()
    x = x / torch.where(norm > 0, norm, 1.0)
    return x.reshape(len(x), windows, window_samples).diff(dim=2).abs().sum(dim=2)
