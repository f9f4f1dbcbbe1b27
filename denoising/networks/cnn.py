"""CNN_waveform of the TrustEMG and CleanSEMG benchmarks: 2,689,848 parameters; it denoises each chunk of 200
samples separately.

Source: the public code of TrustEMG-Net (Wang et al.). The signal is cut into chunks of 200 samples:

    conv     1 -> 64 -> 128 -> 256 -> 512    kernel 8, stride 2: lengths 97, 45, 19, 6
    dense    3072 -> 400, dropout 0.5
    dense    400 -> 200                      linear

Batch normalisation and ReLU follow every layer except the last. The paper's supplement lists the channels 16, 32, 64,
128 (475,464 parameters) instead of those in the code; they are the small form here. If the length is not a multiple of
200, the last chunk ends at the end of the signal and overlaps the previous one; only its last samples are used. In
training, batch normalisation runs over all chunks of a batch. Module names are those of the published checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from cleansemg.denoising.networks.fcn_large import Encode, encoder_channels
from cleansemg.denoising.neural import NeuralDenoiser

CHUNK = 200  # samples
KERNEL = 8


@dataclass(frozen=True)
class CNNSize:
    """Hyper-parameters; the defaults are the published code's."""

    channels: tuple[int, int, int, int] = (64, 128, 256, 512)
    hidden: int = 400
    dropout: float = 0.5


class Dense(nn.Module):
    """[m, a] -> [m, b]."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.dense = nn.Sequential(nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.dense(x)
        return y


class CNNNetwork(nn.Module):
    """[n, L] -> [n, L]; L must be at least 200."""

    def __init__(self, size: CNNSize) -> None:
        super().__init__()
        steps = zip((1, *size.channels[:-1]), size.channels, strict=True)
        self.encoder = nn.Sequential(*(Encode(n_in, n_out, KERNEL) for n_in, n_out in steps))
        length = CHUNK
        for _ in size.channels:
            length = (length - KERNEL) // 2 + 1
        self.FC = nn.Sequential(
            Dense(size.channels[-1] * length, size.hidden),
            nn.Dropout(size.dropout),
            nn.Linear(size.hidden, CHUNK),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        length = x.shape[1]
        rest = length % CHUNK
        whole = x[:, : length - rest]
        chunks = whole if not rest else torch.cat([whole, x[:, -CHUNK:]], dim=1)
        y: torch.Tensor = self.encoder(chunks.reshape(-1, 1, CHUNK))  # [n m, c, 6], m chunks per signal
        y = self.FC(y.flatten(1)).reshape(len(x), -1)  # [n, 200 m]
        if rest:
            y = torch.cat([y[:, : length - rest], y[:, -rest:]], dim=1)
        return y


class CNN(NeuralDenoiser):
    """The benchmark's CNN."""

    name = "cnn"
    min_samples = CHUNK
    Size = CNNSize

    def build_network(self, size: CNNSize) -> nn.Module:
        return CNNNetwork(size)

    @classmethod
    def from_published(cls, state: Mapping[str, torch.Tensor]) -> tuple[dict[str, Any], dict[str, torch.Tensor]] | None:
        """Read `CNN_waveform_best.pth`: it has the same tensor names as here; the shapes in the file give the sizes."""
        default = CNNSize()
        channels = encoder_channels(state, [f"encoder.{i}" for i in range(len(default.channels))], default.channels)
        if channels is None:
            return None
        bias = state.get("FC.0.dense.0.bias")
        hidden = len(bias) if bias is not None and bias.dim() == 1 else default.hidden
        return {"channels": channels, "hidden": hidden}, dict(state)
