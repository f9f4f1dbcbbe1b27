"""TrustEMG-Net and the variants of its ablation study: a U-Net, without or with a layer at its bottleneck.

Source: Wang et al., "TrustEMG-Net: Using Representation-Masking Transformer with U-Net for Surface
Electromyography Enhancement", and its public code. z [n, T, d] is the encoder's last output (T = 56, d = 1024):

    h = TransformerLayer(dropout(z + positions))    one layer, post-norm, 8 heads, 2d hidden units, dropout 0.1
    DM, direct mapping:           the decoder receives h
    RM, representation masking:   the decoder receives sigmoid(h) * z     (the final TrustEMG-Net)

    unet       no bottleneck                              16,724,417 parameters
    dm, rm     as above                                   25,124,289
    lstm       an LSTM d -> d instead of the layer        25,121,217
    skipall    a layer on each of the encoder's outputs   36,320,001, of which 8,399,872 are never used

Positions are encoded by sinusoids along time. The public code indexes them by the row of the batch instead: every step
of signal b gets the vector of position b. `positions_by_batch` reproduces that network for a batch of one: every step
of every signal gets the vector of position 0 ([0, 1, 0, 1, ...]), so an output does not depend on the other signals of
the batch. Published checkpoints need it. Module names are those of the checkpoints.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn import functional

from cleansemg.denoising.networks.fcn_large import encoder_channels
from cleansemg.denoising.networks.unet import DEPTH, MIN_SAMPLES, UNet
from cleansemg.denoising.neural import NeuralDenoiser

TABLE = 5000  # positions in the table of the public code
BASE = 10_000.0  # of the sinusoids' periods
FEEDFORWARD = 2  # hidden units of a transformer layer, as a multiple of its input width


@dataclass(frozen=True)
class UNetSize:
    """Hyper-parameters; the defaults are the published network's.

    Raises:
        ValueError: width is below 1.
    """

    width: int = 64  # channels of the first scale; each of the other four has twice as many as the previous one

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"width is {self.width}, at least 1")


@dataclass(frozen=True)
class TransformerSize(UNetSize):
    """Hyper-parameters with one transformer layer; all defaults except `positions_by_batch` are the published ones.

    Raises:
        ValueError: width is below 1, or heads does not divide the number of channels.
    """

    heads: int = 8
    dropout: float = 0.1
    positions_by_batch: bool = False  # behaviour of the published code, see above; its weights need it

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.heads < 1 or self.narrowest % self.heads:
            raise ValueError(f"heads is {self.heads}, must divide {self.narrowest}, the channels it attends to")

    @property
    def narrowest(self) -> int:
        """The smallest number of channels among the scales that have a transformer layer."""
        return self.width << (DEPTH - 1)


@dataclass(frozen=True)
class SkipAllSize(TransformerSize):
    """Hyper-parameters with a transformer layer on each scale."""

    unused_block: bool = True  # the published code builds a layer that it never runs, and counts its parameters

    @property
    def narrowest(self) -> int:
        """The channels of the first scale."""
        return self.width


class Positions(nn.Module):
    """[n, T, d] -> [n, T, d]: adds the position vectors, then applies dropout."""

    pe: torch.Tensor | None

    def __init__(self, d: int, dropout: float, by_batch: bool) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        # [5000, 1, d], only with `by_batch`: the published files hold this table
        self.register_buffer("pe", sinusoids(TABLE, d).unsqueeze(1) if by_batch else None)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # otherwise computed for each length, so that files of weights hold no constants
        table = sinusoids(x.shape[1], x.shape[2], x.device) if self.pe is None else self.pe[0]
        y: torch.Tensor = self.dropout(x + table)
        return y


def sinusoids(n: int, d: int, device: torch.device | None = None) -> torch.Tensor:
    """[n, d]: sines in the even features, cosines in the odd ones; periods from 2 pi to almost 20,000 pi positions."""
    position = torch.arange(n, dtype=torch.float32, device=device).unsqueeze(1)  # [n, 1]
    rate = torch.exp(torch.arange(0, d, 2, dtype=torch.float32, device=device) * (-math.log(BASE) / d))
    table = torch.empty(n, d, device=device)
    table[:, 0::2] = torch.sin(position * rate)
    table[:, 1::2] = torch.cos(position * rate[: d // 2])
    return table


class TransformerLayer(nn.TransformerEncoderLayer):
    """[n, T, d] -> [n, T, d]: the post-norm layer of torch.

    The steps are written out here because, outside training, the forward method of torch uses a kernel that stores all
    T x T attention weights at once: gigabytes for 60 s of signal on the first scale.
    """

    def __init__(self, d: int, size: TransformerSize) -> None:
        super().__init__(d, size.heads, FEEDFORWARD * d, size.dropout, batch_first=True)

    def forward(self, src: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        x = self.norm1(src + self.dropout1(self._attend(src)))
        hidden = self.dropout(functional.relu(self.linear1(x)))  # [n, T, 2d]
        y: torch.Tensor = self.norm2(x + self.dropout2(self.linear2(hidden)))
        return y

    def _attend(self, x: torch.Tensor) -> torch.Tensor:
        attention = self.self_attn
        projected = functional.linear(x, attention.in_proj_weight, attention.in_proj_bias)  # [n, T, 3d]
        # [n, T, 3, heads, d / heads] -> three of [n, heads, T, d / heads]
        n, steps, d = x.shape
        q, k, v = projected.reshape(n, steps, 3, attention.num_heads, d // attention.num_heads).permute(2, 0, 3, 1, 4)
        dropout = attention.dropout if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(q, k, v, dropout_p=dropout)
        y: torch.Tensor = attention.out_proj(mixed.transpose(1, 2).flatten(2))
        return y


class Transformer(nn.Module):
    """[n, T, d] -> [n, T, d]: one layer, with the tensor names of `torch.nn.TransformerEncoder`."""

    def __init__(self, d: int, size: TransformerSize) -> None:
        super().__init__()
        self.layers = nn.ModuleList([TransformerLayer(d, size)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class Bottleneck(UNet):
    """A U-Net whose last scale is mapped or masked by the layer `along_time` of a subclass."""

    def __init__(self, size: UNetSize, masks: bool) -> None:
        super().__init__(size.width)
        self.masks = masks

    def between(self, scales: list[torch.Tensor]) -> list[torch.Tensor]:
        """Return the skips unchanged and the last scale mapped or masked."""
        *skips, z = scales
        return [*skips, self.apply_to(z, self.along_time(z.transpose(1, 2)))]

    def along_time(self, x: torch.Tensor) -> torch.Tensor:
        """Map the last scale: [n, T, d] -> [n, T, d]; subclasses implement it."""
        raise NotImplementedError

    def apply_to(self, z: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        """Return z [n, d, T] masked by h [n, T, d], or h as [n, d, T] if this network does not mask."""
        h = h.transpose(1, 2)
        return h.sigmoid() * z if self.masks else h


class TransformerNetwork(Bottleneck):
    """A transformer layer at the bottleneck."""

    def __init__(self, size: TransformerSize, masks: bool) -> None:
        super().__init__(size, masks)
        d = self.channels[-1]
        self.positional_encoding = Positions(d, size.dropout, size.positions_by_batch)
        self.transformer_encoder = Transformer(d, size)

    def along_time(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.transformer_encoder(self.positional_encoding(x))
        return y


class LSTMNetwork(Bottleneck):
    """An LSTM at the bottleneck."""

    def __init__(self, size: UNetSize, masks: bool) -> None:
        super().__init__(size, masks)
        self.lstm = nn.LSTM(self.channels[-1], self.channels[-1], batch_first=True)

    def along_time(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.lstm(x)[0]
        return y


class SkipAllNetwork(Bottleneck):
    """A transformer layer on each scale, including the skips.

    `unused` is a sixth layer, for the bottleneck. The published class inherits it and never runs it; it is built here
    to match the published number of parameters.
    """

    def __init__(self, size: SkipAllSize, masks: bool) -> None:
        super().__init__(size, masks)
        self.positions = nn.ModuleList(Positions(d, size.dropout, size.positions_by_batch) for d in self.channels)
        self.transformers = nn.ModuleList(Transformer(d, size) for d in self.channels)
        if size.unused_block:
            self.unused = Transformer(self.channels[-1], size)

    def between(self, scales: list[torch.Tensor]) -> list[torch.Tensor]:
        """Return every scale mapped or masked."""
        layers = zip(scales, self.positions, self.transformers, strict=True)
        return [self.apply_to(z, transformer(positions(z.transpose(1, 2)))) for z, positions, transformer in layers]


class TrustEMG(NeuralDenoiser):
    """Base class of the variants; each defines its network, the size of the network, and whether it masks."""

    min_samples = MIN_SAMPLES
    Network: ClassVar[type[Bottleneck]]
    masks: ClassVar[bool] = False
    published: ClassVar[bool] = False  # whether checkpoints of the public code can be read

    def build_network(self, size: Any) -> nn.Module:
        return self.Network(size, self.masks)

    @classmethod
    def from_published(cls, state: Mapping[str, torch.Tensor]) -> tuple[dict[str, Any], dict[str, torch.Tensor]] | None:
        """Read `TrustEMGNet_UNetonly_best.pth`, `_DM_` or `_RM_`: same tensor names as here; the width is in the file.

        Every published file with a transformer holds the table of positions, so `positions_by_batch` is set. A file
        without the table was written by this project, with positions along time. DM and RM have the same names and
        shapes, so a file does not show which of the two it is.
        """
        width = _published_width(state) if cls.published else None
        if width is None:
            return None
        quirk = {"positions_by_batch": "positional_encoding.pe" in state} if cls.Size is TransformerSize else {}
        return {"width": width, **quirk}, dict(state)


class TrustEMGUNet(TrustEMG):
    """The U-Net alone."""

    name, Size, published = "trustemg_unet", UNetSize, True

    def build_network(self, size: UNetSize) -> nn.Module:
        return UNet(size.width)


class TrustEMGDM(TrustEMG):
    """TrustEMG-Net with direct mapping."""

    name, Size, Network, published = "trustemg_dm", TransformerSize, TransformerNetwork, True


class TrustEMGRM(TrustEMGDM):
    """TrustEMG-Net: representation masking."""

    name, masks = "trustemg_rm", True


class TrustEMGLSTMDM(TrustEMG):
    """An LSTM instead of the transformer, direct mapping."""

    name, Size, Network = "trustemg_lstm_dm", UNetSize, LSTMNetwork


class TrustEMGLSTMRM(TrustEMGLSTMDM):
    """An LSTM instead of the transformer, representation masking."""

    name, masks = "trustemg_lstm_rm", True


class TrustEMGSkipAllDM(TrustEMG):
    """Transformers on all scales, direct mapping."""

    name, Size, Network = "trustemg_skipall_dm", SkipAllSize, SkipAllNetwork


class TrustEMGSkipAllRM(TrustEMGSkipAllDM):
    """Transformers on all scales, representation masking."""

    name, masks = "trustemg_skipall_rm", True


def _published_width(state: Mapping[str, torch.Tensor]) -> int | None:
    """The width of the encoder in a checkpoint; None if the checkpoint has no such encoder."""
    default = [UNetSize().width * 2**i for i in range(DEPTH)]
    channels = encoder_channels(state, [f"down{i + 1}" for i in range(DEPTH)], default)
    return None if channels is None else max(channels[-1] // 2 ** (DEPTH - 1), 1)
