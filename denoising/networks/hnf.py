"""HNF: the half-normalised multi-kernel block, of which SDEMG and MSEMG consist.

Sources: SDEMG (Liu et al., ICASSP 2024), MSEMG (ICASSP 2025); the parallel kernels 3, 5, 9, 15 come from
DeepFilter, the normalisation of half the channels from DeScoD-ECG. With c channels:

    a  four convolutions c -> c/4, kernels 3, 5, 9, 15, dilation d
    b  concatenation of their outputs, convolution c -> c, kernel 9
    c  instance normalisation of the first c/2 channels, the others unchanged; leaky ReLU
    d  convolution c -> c, kernel 9; leaky ReLU
    e  plus the block's input

Every convolution pads by reflection and keeps the length. Module names are those of the published checkpoints.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

KERNELS = (3, 5, 9, 15)
KERNEL = 9
SLOPE = 0.2  # of the leaky ReLU
EPSILON = 1e-5  # of the instance normalisation


class ReflectConv1d(nn.Conv1d):
    """[n, n_in, L] -> [n, n_out, L]: convolution with reflection padding; initial weights Kaiming-normal, biases 0."""

    def __init__(self, n_in: int, n_out: int, kernel: int, dilation: int = 1) -> None:
        reach = dilation * (kernel // 2)
        super().__init__(n_in, n_out, kernel, dilation=dilation, padding=reach, padding_mode="reflect")
        nn.init.kaiming_normal_(self.weight)
        nn.init.zeros_(self.bias)  # type: ignore[arg-type]  # bias is not None


class HNFBlock(nn.Module):
    """[n, c, L] -> [n, c, L]; c must be a multiple of 4, and L greater than 7 * dilation."""

    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.filters = nn.ModuleList([ReflectConv1d(channels, channels // 4, k, dilation) for k in KERNELS])
        self.conv_1 = ReflectConv1d(channels, channels, KERNEL)
        self.conv_2 = ReflectConv1d(channels, channels, KERNEL)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.cat([convolution(x) for convolution in self.filters], dim=1)  # [n, c, L]
        normed, plain = self.conv_1(y).chunk(2, dim=1)  # [n, c/2, L] each
        y = torch.cat([functional.instance_norm(normed, eps=EPSILON), plain], dim=1)
        y = functional.leaky_relu(y, SLOPE)
        return functional.leaky_relu(self.conv_2(y), SLOPE) + x
