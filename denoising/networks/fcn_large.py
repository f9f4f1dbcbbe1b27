"""FCN of the TrustEMG and CleanSEMG benchmarks: 11,150,977 parameters, 81 times the FCN of `fcn.py`.

Source: Wang et al., "TrustEMG-Net", and the CleanSEMG benchmark. Ten layers, kernel 8, stride 2, no padding;
batch normalisation and ReLU follow every layer except the last:

    conv    1 -> 64 -> 128 -> 256 -> 512 -> 1024    lengths for L = 2000: 997, 495, 244, 119, 56
    deconv  1024 -> 512 -> 256 -> 128 -> 64 -> 1    119, 245, 496, 998, 2002; the first 2000 are used

The first two deconvolutions have an output padding of 1. Module names are those of the published
checkpoints, so these load unchanged. Initial weights: Xavier-uniform with zero biases in convolutions, torch's
default in deconvolutions. The paper states this for TrustEMG-Net, whose encoder is identical.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from cleansemg.denoising.neural import NeuralDenoiser


@dataclass(frozen=True)
class FCNLargeSize:
    """Hyper-parameters; the defaults are the published network's."""

    kernel: int = 8
    channels: tuple[int, int, int, int, int] = (64, 128, 256, 512, 1024)
    output_padding: tuple[int, int, int, int, int] = (1, 1, 0, 0, 0)


class Encode(nn.Module):
    """Convolution, batch normalisation, ReLU: [n, n_in, L] -> [n, n_out, about L / stride]."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int = 2, padding: int = 0) -> None:
        super().__init__()
        convolution = nn.Conv1d(n_in, n_out, kernel, stride=stride, padding=padding)
        nn.init.xavier_uniform_(convolution.weight)
        if convolution.bias is not None:
            nn.init.zeros_(convolution.bias)
        self.conv_1d = nn.Sequential(convolution, nn.BatchNorm1d(n_out), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.conv_1d(x)
        return y


class Decode(nn.Module):
    """Deconvolution of stride 2, batch normalisation, ReLU: [n, n_in, L] -> [n, n_out, about 2 L]."""

    def __init__(self, n_in: int, n_out: int, kernel: int, output_padding: int = 0) -> None:
        super().__init__()
        deconvolution = nn.ConvTranspose1d(n_in, n_out, kernel, stride=2, output_padding=output_padding)
        self.deconv_1d = nn.Sequential(deconvolution, nn.BatchNorm1d(n_out), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.deconv_1d(x)
        return y


class FCNLargeNetwork(nn.Module):
    """[n, L] -> [n, L]; L must be at least 218 at the published size."""

    def __init__(self, size: FCNLargeSize) -> None:
        super().__init__()
        self.size = size
        steps = list(zip((1, *size.channels[:-1]), size.channels, strict=True))
        self.encoder = nn.Sequential(*(Encode(n_in, n_out, size.kernel) for n_in, n_out in steps))
        backward = [(n_out, n_in) for n_in, n_out in reversed(steps)]
        *inner, last = zip(backward, size.output_padding, strict=True)
        self.decoder = nn.Sequential(
            *(Decode(n_in, n_out, size.kernel, padding) for (n_in, n_out), padding in inner),
            nn.ConvTranspose1d(*last[0], size.kernel, stride=2, output_padding=last[1]),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        length = x.shape[1]
        missing = self.padding(length)
        if missing:
            # Pad with mirrored samples, cropped below; zeros would add an edge that is not in the signal.
            x = torch.cat([x, x[:, -missing - 1 : -1].flip(1)], dim=1)
        y: torch.Tensor = self.decoder(self.encoder(x.unsqueeze(1)))  # [n, 1, at least L]
        return y.squeeze(1)[:, :length]

    def padding(self, length: int) -> int:
        """Number of samples to append to an input of `length` so that the output is at least as long; 0 for 2000."""
        padding = 0
        while self._output_length(length + padding) < length:
            padding += 1
        return padding

    def _output_length(self, length: int) -> int:
        for _ in self.size.channels:
            length = (length - self.size.kernel) // 2 + 1
        for extra in self.size.output_padding:
            length = 2 * (length - 1) + self.size.kernel + extra
        return length


class FCNLarge(NeuralDenoiser):
    """The large FCN."""

    name = "fcn_large"
    min_samples = 218  # five convolutions of kernel 8 and stride 2 then leave one sample
    Size = FCNLargeSize

    def build_network(self, size: FCNLargeSize) -> nn.Module:
        return FCNLargeNetwork(size)

    @classmethod
    def from_published(cls, state: Mapping[str, torch.Tensor]) -> tuple[dict[str, Any], dict[str, torch.Tensor]] | None:
        """Read `FCN_best.pth`: it has the same tensor names as here; the channels come from the shapes in the file."""
        default = FCNLargeSize().channels
        channels = encoder_channels(state, [f"encoder.{i}" for i in range(len(default))], default)
        return None if channels is None else ({"channels": channels}, dict(state))


def encoder_channels(
    state: Mapping[str, torch.Tensor], blocks: Sequence[str], default: Sequence[int]
) -> tuple[int, ...] | None:
    """Read the channels of an encoder's blocks from the shapes in a checkpoint.

    The most frequent length among the tensors of a block decides, so a single wrong tensor does not change the result
    and the later error names it.

    Args:
        state: tensors of the checkpoint by name.
        blocks: names of the encoder's blocks, in order.
        default: channels of a block that the checkpoint lacks.

    Returns:
        The channels of each block; None if the checkpoint has none of the blocks.
    """
    channels = []
    for block in blocks:
        tensors = [tensor for name, tensor in state.items() if name.startswith(f"{block}.conv_1d.") and tensor.dim()]
        lengths = Counter(len(tensor) for tensor in tensors if len(tensor))
        channels.append(lengths.most_common(1)[0][0] if lengths else None)
    if not any(channels):
        return None
    return tuple(n or usual for n, usual in zip(channels, default, strict=True))
