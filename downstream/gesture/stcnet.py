"""STCNet: a temporal and a spatial convolution branch for each step, and a recurrent network over the steps.

The network of the published gesture task (spatio-temporal contrastive network). No paper is openly available, so the
sizes are those of its public code; nothing else comes from that code.

Symbols: S steps in a window, T samples in a step (the envelope at 100 Hz), C sensors, K classes.
Parameters, S = 25, T = 20: 6,712,897 for C = 12 and K = 49; 6,707,124 for C = 10 and K = 52; 6,714,436 for C = 12 and
K = 52; with the two heads of the contrastive stage instead of the classifier's head 11,938,576 (C = 12) and
11,931,264 (C = 10).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

WRAP = 2  # first sensors, repeated after the last one, so that the convolution wraps around the ring of electrodes
EMBEDDING = 128  # size of a contrastive head's output


@dataclass(frozen=True)
class Size:
    """Widths of the layers; the defaults are the published ones."""

    temporal: tuple[int, ...] = (16, 32, 64)  # channels of the residual blocks, the first with stride 1
    temporal_out: int = 64
    spatial: tuple[int, ...] = (16, 32)
    spatial_out: int = 32
    hidden: int = 200  # of each direction of the recurrent network
    head: int = 512
    block_dropout: float = 0.3
    recurrent_dropout: float = 0.2


SIZES = {
    "full": Size(),
    "small": Size((8, 16, 16), 16, (8, 16), 16, hidden=16, head=32),
}


class ResidualBlock(nn.Module):
    """Two convolutions of kernel 3 and a shortcut convolution of kernel 1; no activation after the sum."""

    def __init__(self, n_in: int, n_out: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(n_in, n_out, 3, stride, padding=1),
            nn.BatchNorm1d(n_out),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Conv1d(n_out, n_out, 3, padding=1),
            nn.BatchNorm1d(n_out),
        )
        self.shortcut = nn.Sequential(nn.Conv1d(n_in, n_out, 1, stride), nn.BatchNorm1d(n_out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[n, n_in, L] -> [n, n_out, ceil(L / stride)]."""
        summed: torch.Tensor = self.body(x) + self.shortcut(x)
        return summed


class Branch(nn.Module):
    """Residual blocks and two dense layers, the first with half as many units as inputs: [n, n_in, L] -> [n, n_out]."""

    def __init__(self, n_in: int, length: int, widths: tuple[int, ...], n_out: int, dropout: float) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for number, width in enumerate(widths):
            stride = 1 if number == 0 else 2
            blocks.append(ResidualBlock(n_in, width, stride, dropout))
            n_in, length = width, -(-length // stride)
        self.blocks = nn.Sequential(*blocks)
        flat = n_in * length
        self.dense = nn.Sequential(nn.Linear(flat, flat // 2), nn.ReLU(), nn.Linear(flat // 2, n_out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        summary: torch.Tensor = self.dense(self.blocks(x).flatten(1))
        return summary


class Encoder(nn.Module):
    """The encoder that both stages share: windows [n, S, T, C] -> [n, S * 2 * hidden].

    Args:
        steps, step_samples, sensors: S, T, C.
        size: widths of the layers.
        log_input: whether the input is the logarithm of the envelope, standardised by `set_scale`, or the envelope
            unchanged.
    """

    def __init__(self, steps: int, step_samples: int, sensors: int, size: Size, log_input: bool = False) -> None:
        super().__init__()
        self.log_input = log_input
        self.ring: torch.Tensor
        if log_input:
            self.register_buffer("floor", torch.ones(sensors))
            self.register_buffer("mean", torch.zeros(sensors))
            self.register_buffer("std", torch.ones(sensors))
        self.temporal = Branch(sensors, step_samples, size.temporal, size.temporal_out, size.block_dropout)
        self.spatial = Branch(step_samples, sensors + WRAP, size.spatial, size.spatial_out, size.block_dropout)
        joined = size.temporal_out + size.spatial_out
        self.recurrent = nn.LSTM(
            joined, size.hidden, 2, batch_first=True, dropout=size.recurrent_dropout, bidirectional=True
        )
        self.n_out = steps * 2 * size.hidden
        self.register_buffer("ring", torch.arange(sensors + WRAP) % sensors, persistent=False)

    def set_scale(self, x: torch.Tensor) -> None:
        """Set floor, mean and standard deviation of the logarithm, each [C], from the training windows [n, S, T, C]."""
        flat = x.reshape(-1, x.shape[-1])  # [n S T, C]
        # 1/1000 of the mean envelope, far below the noise of a sensor; without it, zero samples have no logarithm
        self.floor = (1e-3 * flat.mean(dim=0)).clamp_min(torch.finfo(flat.dtype).tiny)
        logarithm = flat.clamp_min(0).add(self.floor).log()
        self.mean = logarithm.mean(dim=0)
        self.std = logarithm.std(dim=0).clamp_min(1e-6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, steps = x.shape[:2]
        if self.log_input:
            x = ((x.clamp_min(0) + self.floor).log() - self.mean) / self.std
        step = x.flatten(0, 1)  # [n S, T, C]
        temporal = self.temporal(step.transpose(1, 2))  # sensors are channels: [n S, C, T] -> [n S, 64]
        spatial = self.spatial(step[:, :, self.ring])  # samples are channels: [n S, T, C + 2] -> [n S, 32]
        both = torch.cat([temporal, spatial], dim=1).reshape(n, steps, -1)  # [n, S, 96]
        states, _ = self.recurrent(both)  # [n, S, 2 hidden]
        flat: torch.Tensor = states.flatten(1)
        return flat


class STCNet(nn.Module):
    """The classifier: [n, S, T, C] -> [n, K] logits; `origin` names the source of the encoder's initial weights."""

    def __init__(self, encoder: Encoder, n_classes: int, size: Size, origin: str = "none") -> None:
        super().__init__()
        self.origin = origin
        self.encoder = encoder
        self.head = nn.Sequential(
            nn.Linear(encoder.n_out, size.head),
            nn.BatchNorm1d(size.head),
            nn.ReLU(),
            nn.Linear(size.head, n_classes),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.encoder(x))
        return logits

    def extra_repr(self) -> str:
        """Distinguish fits that start from different encoders."""
        return f"first stage: {self.origin}"


class ContrastiveSTCNet(nn.Module):
    """The network of the first stage: [n, S, T, C] -> unit vectors for gestures and for subjects, both [n, 128]."""

    def __init__(self, encoder: Encoder, size: Size) -> None:
        super().__init__()
        self.encoder = encoder
        self.gesture = _projection(encoder.n_out, size.head)
        self.subject = _projection(encoder.n_out, size.head)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        code = nn.functional.normalize(self.encoder(x), dim=1)
        return nn.functional.normalize(self.gesture(code), dim=1), nn.functional.normalize(self.subject(code), dim=1)


def _projection(n_in: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n_in, width), nn.ReLU(), nn.Linear(width, EMBEDDING))
