"""FCN: a small fully convolutional network with 137,801 parameters, the count in the table of the MSEMG paper.

Source: Wang et al., "ECG artifact removal from single-channel surface EMG using fully convolutional
networks", ICASSP 2023. Seven layers, kernel 16, no padding; the end of the output is cropped:

    layer    in -> out  stride   length, L = 2000
    conv      1 -> 80     2           993
    conv     80 -> 40     2           489
    conv     40 -> 20     1           474
    deconv   20 -> 20     1           489
    deconv   20 -> 40     2           992
    deconv   40 -> 80     2          1998
    deconv   80 -> 1      1          2013, of which the first 2000 are used

Batch normalisation and ELU follow every layer except the last.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from cleansemg.denoising.neural import NeuralDenoiser


@dataclass(frozen=True)
class FCNSize:
    """Hyper-parameters; the defaults are the published network's."""

    kernel: int = 16
    channels: tuple[int, int, int] = (80, 40, 20)


class FCNNetwork(nn.Module):
    """[n, L] -> [n, L]; L must be at least 106 at the published size."""

    def __init__(self, size: FCNSize) -> None:
        super().__init__()
        wide, middle, narrow = size.channels
        k = size.kernel
        self.layers = nn.Sequential(
            _layer(nn.Conv1d(1, wide, k, stride=2)),
            _layer(nn.Conv1d(wide, middle, k, stride=2)),
            _layer(nn.Conv1d(middle, narrow, k)),
            _layer(nn.ConvTranspose1d(narrow, narrow, k)),
            _layer(nn.ConvTranspose1d(narrow, middle, k, stride=2)),
            _layer(nn.ConvTranspose1d(middle, wide, k, stride=2)),
            nn.ConvTranspose1d(wide, 1, k),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
                nn.init.xavier_uniform_(module.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.layers(x.unsqueeze(1))  # [n, 1, about L + 13]
        return y.squeeze(1)[:, : x.shape[1]]


def _layer(convolution: nn.Conv1d | nn.ConvTranspose1d) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm1d(convolution.out_channels), nn.ELU())


class FCN(NeuralDenoiser):
    """The small FCN."""

    name = "fcn"
    min_samples = 106  # three convolutions of kernel 16 and strides 2, 2, 1 then leave one sample
    Size = FCNSize

    def build_network(self, size: FCNSize) -> nn.Module:
        return FCNNetwork(size)
