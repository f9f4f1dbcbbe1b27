"""Dilated causal convolutions over windows of raw signal: the published fatigue network, 104,579 parameters."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import nn

from cleansemg.downstream.common.network_model import NetworkModel
from cleansemg.downstream.common.task import Examples, Stream
from cleansemg.downstream.fatigue.windows import Cutting, as_examples, fresh
from cleansemg.training.recipe import Recipe, Schedule

KERNEL = 7
WIDTHS = (32, 64, 64, 64, 64)
DILATIONS = (1, 2, 4, 8, 16)  # receptive field 1 + 6 * 31 = 187 samples
DROPOUT = 0.4


class CausalBlock(nn.Module):
    """Causal convolution, batch normalisation, GELU, and a residual connection."""

    def __init__(self, n_in: int, n_out: int, dilation: int) -> None:
        super().__init__()
        self.pad = (KERNEL - 1) * dilation
        self.conv = nn.Conv1d(n_in, n_out, KERNEL, dilation=dilation)
        self.norm = nn.BatchNorm1d(n_out)
        self.act = nn.GELU()
        self.skip = nn.Conv1d(n_in, n_out, 1) if n_in != n_out else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[n, n_in, L] -> [n, n_out, L]."""
        # the published code pads both sides and drops the end: the same result at a higher cost
        y = self.act(self.norm(self.conv(nn.functional.pad(x, (self.pad, 0)))))
        out: torch.Tensor = y + self.skip(x)
        return out


class DilatedCnn(nn.Module):
    """[n, C, L] -> logits [n, K]."""

    def __init__(self, n_channels: int = 4, n_classes: int = 3) -> None:
        super().__init__()
        inputs = (n_channels, *WIDTHS[:-1])
        blocks = [CausalBlock(*sizes) for sizes in zip(inputs, WIDTHS, DILATIONS, strict=True)]
        self.blocks = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(DROPOUT)
        self.head = nn.Linear(WIDTHS[-1], n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[n, C, L] -> [n, K]."""
        logits: torch.Tensor = self.head(self.dropout(self.blocks(x).mean(dim=-1)))  # mean over time
        return logits


class FatigueCnn(NetworkModel):
    """The network with the published recipe; the weights are those of the epoch with the lowest validation loss."""

    name = "cnn"
    class_weights = True
    recipe = Recipe(
        loss="network",
        optimizer="adam",
        learning_rate=1e-3,
        weight_decay=1e-4,
        batch_size=64,
        epochs=40,
        patience=None,
        clip_norm=1.0,
        schedule=Schedule(kind="cosine"),
    )

    def __init__(self, cutting: Cutting, reference: Literal["clean", "input"]) -> None:
        self._cutting, self._reference = cutting, reference

    def examples(self, stream: Stream, clean: Stream) -> Examples:
        """Windows [n, C, L], float32, divided by each channel's RMS over the samples of class 0 in the trial.

        The reference is the clean stream or the stream itself (`reference`); without class 0, the first window.

        Raises:
            ItemError: the stream is shorter than a window, or a channel contains NaN or infinity.
        """
        first, y = self._cutting.starts(stream)
        x = self._cutting.windows(stream, first)
        if len(y):
            known = clean if self._reference == "clean" else stream
            samples = known.signal[:, known.label == 1]
            if not samples.size:  # no class 0: the first window
                samples = self._cutting.windows(known, first)[fresh(y)][0]
            rms = np.sqrt(np.mean(np.square(samples, dtype=np.float64), axis=1))  # [C]
            x = (x / np.where(rms == 0, 1, rms)[:, None]).astype(np.float32)
        return as_examples(x, stream, first, y)

    def build(self, shape: tuple[int, ...], n_classes: int) -> nn.Module:
        """A new network for examples of shape [C, L]."""
        return DilatedCnn(shape[0], n_classes)
