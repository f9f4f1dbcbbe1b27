"""TrustEMG-Net and the variants of its ablation: a U-Net with something at its bottleneck.

Source: Wang et al., "TrustEMG-Net: Using Representation-Masking Transformer with U-Net for Surface
Electromyography Enhancement", and its public code. z [n, T, d] is the encoder's last output (T = 56, d = 1024):

    h = TransformerLayer(dropout(z + positions))    one layer, post-norm, 8 heads, 2d hidden units, dropout 0.1
    DM, direct mapping:           the decoder gets h
    RM, representation masking:   the decoder gets sigmoid(h) * z     (the final TrustEMG-Net)

    unet       no bottleneck                              16,724,417 parameters
    dm, rm     as above                                   25,124,289
    lstm       an LSTM d -> d in place of the layer       25,121,217
    skipall    a layer on each of the encoder's outputs   36,320,001, of which 8,399,872 are never executed

Positions are sinusoids along time. In the public code they are indexed by the sample in the batch instead: every
step of signal b gets the vector of position b. `positions_by_batch` is that network as it works for a batch of
one, the vector of position 0 ([0, 1, 0, 1, ...]) at every step of every signal, so that an output does not depend on
the neighbours even then. Published checkpoints turn it on. Module names are those of the checkpoints.
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
FEEDFORWARD = 2  # hidden units of a transformer layer, in widths of its input


@dataclass(frozen=True)
class UNetSize:
    """Hyper-parameters; the defaults are the published network's."""

    width: int = 64  # channels of the first scale; each of the other four has twice those of the one before

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"width is {self.width}, at least 1")


@dataclass(frozen=True)
class TransformerSize(UNetSize):
    """With one transformer layer; the defaults are the published network's but for `positions_by_batch`."""

    heads: int = 8
    dropout: float = 0.1
    positions_by_batch: bool = False  # quirk of the published code, see above; needed by its weights

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.heads < 1 or self.narrowest % self.heads:
            raise ValueError(f"heads is {self.heads}, must divide {self.narrowest}, the channels it attends to")

    @property
    def narrowest(self) -> int:
        """The fewest channels of a scale that has a transformer layer."""
        return self.width << (DEPTH - 1)


@dataclass(frozen=True)
class SkipAllSize(TransformerSize):
    """With a transformer layer on each scale."""

    unused_block: bool = True  # the published code builds and counts a layer that it never runs

    @property
    def narrowest(self) -> int:
        """The channels of the first scale."""
        return self.width


class Positions(nn.Module):
    """[n, T, d] -> [n, T, d]: adds the positions, then dropout."""

    pe: torch.Tensor | None

    def __init__(self, d: int, dropout: float, by_batch: bool) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        # with the quirk alone, [5000, 1, d]: the published files hold it
        self.register_buffer("pe", sinusoids(TABLE, d).unsqueeze(1) if by_batch else None)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # computed anew without it: any length, and nothing constant in the files of weights
        table = sinusoids(x.shape[1], x.shape[2], x.device) if self.pe is None else self.pe[0]
        y: torch.Tensor = self.dropout(x + table)
        return y


def sinusoids(n: int, d: int, device: torch.device | None = None) -> torch.Tensor:
    """[n, d]: sines on the even features, cosines on the odd ones, periods rising from 2 pi to 20,000 pi."""
    position = torch.arange(n, dtype=torch.float32, device=device).unsqueeze(1)  # [n, 1]
    rate = torch.exp(torch.arange(0, d, 2, dtype=torch.float32, device=device) * (-math.log(BASE) / d))
    table = torch.empty(n, d, device=device)
    table[:, 0::2] = torch.sin(position * rate)
    table[:, 1::2] = torch.cos(position * rate[: d // 2])
    return table


class TransformerLayer(nn.TransformerEncoderLayer):
    """[n, T, d] -> [n, T, d]: torch's post-norm layer.

    The steps are written out because torch's own forward leaves them, outside training, for a kernel that holds
    all T x T weights of the attention at once: gigabytes for a minute of signal on the first scale.
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
    """[n, T, d] -> [n, T, d]: one layer, under the name that torch's stack of layers gives it."""

    def __init__(self, d: int, size: TransformerSize) -> None:
        super().__init__()
        self.layers = nn.ModuleList([TransformerLayer(d, size)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class Bottleneck(UNet):
    """A U-Net whose last scale is mapped or masked by what a subclass has there."""

    def __init__(self, size: UNetSize, masks: bool) -> None:
        super().__init__(size.width)
        self.masks = masks

    def between(self, scales: list[torch.Tensor]) -> list[torch.Tensor]:
        """The skips as they are, the last scale mapped or masked."""
        *skips, z = scales
        return [*skips, self.apply_to(z, self.along_time(z.transpose(1, 2)))]

    def along_time(self, x: torch.Tensor) -> torch.Tensor:
        """[n, T, d] -> [n, T, d]."""
        raise NotImplementedError

    def apply_to(self, z: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        """Return z [n, d, T] masked by h [n, T, d], or h in its place."""
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
    """A transformer layer on each scale, so on the skips, too.

    `unused` is the layer at the bottleneck that the published class inherits beside its own five and never
    executes; it is built to have the published count.
    """

    def __init__(self, size: SkipAllSize, masks: bool) -> None:
        super().__init__(size, masks)
        self.positions = nn.ModuleList(Positions(d, size.dropout, size.positions_by_batch) for d in self.channels)
        self.transformers = nn.ModuleList(Transformer(d, size) for d in self.channels)
        if size.unused_block:
            self.unused = Transformer(self.channels[-1], size)

    def between(self, scales: list[torch.Tensor]) -> list[torch.Tensor]:
        """Every scale is mapped or masked."""
        layers = zip(scales, self.positions, self.transformers, strict=True)
        return [self.apply_to(z, transformer(positions(z.transpose(1, 2)))) for z, positions, transformer in layers]


class TrustEMG(NeuralDenoiser):
    """What the variants share; each names its network, the size of that, and whether it masks."""

    min_samples = MIN_SAMPLES
    Network: ClassVar[type[Bottleneck]]
    masks: ClassVar[bool] = False
    published: ClassVar[bool] = False  # its networks are read from checkpoints of the public code

    def build_network(self, size: Any) -> nn.Module:
        return self.Network(size, self.masks)

    @classmethod
    def from_published(cls, state: Mapping[str, torch.Tensor]) -> tuple[dict[str, Any], dict[str, torch.Tensor]] | None:
        """`TrustEMGNet_UNetonly_best.pth`, `_DM_`, `_RM_`: our own names, the file's width, the quirk on.

        Every published file with a transformer holds the table of positions; one without it is a network of ours, with
        positions along time. The names and shapes of DM and RM are the same: a file does not tell which it is.
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
    """An LSTM in place of the transformer, direct mapping."""

    name, Size, Network = "trustemg_lstm_dm", UNetSize, LSTMNetwork


class TrustEMGLSTMRM(TrustEMGLSTMDM):
    """An LSTM in place of the transformer, representation masking."""

    name, masks = "trustemg_lstm_rm", True


class TrustEMGSkipAllDM(TrustEMG):
    """Transformers on all scales, direct mapping."""

    name, Size, Network = "trustemg_skipall_dm", SkipAllSize, SkipAllNetwork


class TrustEMGSkipAllRM(TrustEMGSkipAllDM):
    """Transformers on all scales, representation masking."""

    name, masks = "trustemg_skipall_rm", True


def _published_width(state: Mapping[str, torch.Tensor]) -> int | None:
    """The width of the encoder in a checkpoint; None where it has no such encoder."""
    default = [UNetSize().width * 2**i for i in range(DEPTH)]
    channels = encoder_channels(state, [f"down{i + 1}" for i in range(DEPTH)], default)
    return None if channels is None else max(channels[-1] // 2 ** (DEPTH - 1), 1)
