"""A small denoising task and a small network, so that loops run in milliseconds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from cleansemg.core.seeding import generator
from cleansemg.training.batches import Batch, Share, split

LENGTH = 64


class SineSource:
    """Sines of random phase in white noise, drawn by name; `broken_from` makes the noise NaN from that epoch on."""

    def __init__(self, n_train: int = 48, n_valid: int = 12, broken_from: int | None = None) -> None:
        self.n_train, self.n_valid = n_train, n_valid
        self.broken_from = broken_from

    def train(self, epoch: int, batch_size: int, share: Share) -> Iterator[Batch]:
        order = generator(1, "order", epoch).permutation(self.n_train)
        for rows in split(order, batch_size, share, even=True):
            yield self._batch(rows, epoch, broken=self.broken_from is not None and epoch >= self.broken_from)

    def valid(self, batch_size: int, share: Share) -> Iterator[Batch]:
        for rows in split(np.arange(self.n_valid), batch_size, share, even=False):
            yield self._batch(rows, -1, broken=False)

    def _batch(self, rows: np.ndarray, epoch: int, broken: bool) -> Batch:
        clean, noisy = np.empty((2, len(rows), LENGTH), np.float32)
        for i, row in enumerate(rows):
            draw = generator(1, epoch, int(row))
            clean[i] = 0.5 * np.sin(0.4 * np.arange(LENGTH) + draw.uniform(0, 6.28))
            noisy[i] = clean[i] + 0.5 * draw.standard_normal(LENGTH)
        if broken:
            noisy[0, 0] = np.nan
        return Batch(noisy, clean)


class TinyNetwork(nn.Module):
    """Two convolutions with batch normalisation and dropout: everything that has a state or a draw."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(1, 6, 9, padding=4), nn.BatchNorm1d(6), nn.ELU(), nn.Dropout(0.1), nn.Conv1d(6, 1, 9, padding=4)
        )

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        return self.layers(noisy[:, None])[:, 0]  # [n, L]


class DrawingNetwork(TinyNetwork):
    """Fitted to an objective of its own that draws, as a diffusion model is."""

    def training_loss(self, noisy: torch.Tensor, clean: torch.Tensor) -> torch.Tensor:
        level = torch.rand(len(noisy), 1)
        noise = torch.randn_like(clean)
        return (self(level * noisy + (1 - level) * noise) - clean).square().mean()


def drawing_network(seed: int = 0) -> DrawingNetwork:
    torch.manual_seed(seed)
    return DrawingNetwork()


def tiny_network(seed: int = 0) -> TinyNetwork:
    torch.manual_seed(seed)
    return TinyNetwork()
