"""The 1-D CNN of the gait study: two convolutions with 16 and 32 filters, and a dense layer of 128 units.

The study states: kernel 3 in the first convolution, max-pooling by 2 after each convolution, ReLU, Adam at 1e-3, cross
entropy, batches of 64, 20 epochs. The study does not state, so selected here: kernel 3 in the second convolution,
padding 1 in both, ReLU after the dense layer.

Symbols: C channels, w samples per window, K classes.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from cleansemg.downstream.common.network_model import NetworkModel
from cleansemg.downstream.common.task import Examples, Fit, Float32, Stream
from cleansemg.downstream.gait.windows import Cutting, cut, moments
from cleansemg.training.recipe import Recipe, Schedule

FILTERS = (16, 32)
HIDDEN = 128


class GaitNetwork(nn.Module):
    """[n, C, w] -> logits [n, K]; 412,308 parameters for C = 10, w = 400, K = 4 with padding 1.

    Args:
        n_channels: C.
        n_samples: w.
        n_classes: K.
        padding: padding of both convolutions, samples.
        scale: mean [C] and standard deviation [C] of the z-score; None: inputs are z-scored already.
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(
        self,
        n_channels: int,
        n_samples: int,
        n_classes: int,
        padding: int = 1,
        scale: tuple[Float32, Float32] | None = None,
    ) -> None:
        super().__init__()
        mean = torch.zeros(n_channels) if scale is None else torch.from_numpy(scale[0])
        deviation = torch.ones(n_channels) if scale is None else torch.from_numpy(scale[1])
        self.register_buffer("mean", mean[:, None])
        self.register_buffer("deviation", deviation[:, None])
        self.convolutions = nn.Sequential(
            nn.Conv1d(n_channels, FILTERS[0], 3, padding=padding), nn.ReLU(), nn.MaxPool1d(2),  # [n, 16, w/2]
            nn.Conv1d(FILTERS[0], FILTERS[1], 3, padding=padding), nn.ReLU(), nn.MaxPool1d(2),  # [n, 32, w/4]
        )  # fmt: skip
        with torch.no_grad():
            flat = self.convolutions(torch.zeros(1, n_channels, n_samples)).numel()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(flat, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, n_classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[n, C, w] -> logits [n, K], without softmax, which is part of the loss."""
        logits: torch.Tensor = self.layers(self.convolutions((x - self.mean) / self.deviation))
        return logits


class GaitCnn(NetworkModel):
    """`GaitNetwork` as a classifier of windows."""

    name = "cnn"
    recipe: ClassVar[Recipe] = Recipe(
        loss="network", optimizer="adam", learning_rate=1e-3, weight_decay=0.0, batch_size=64, epochs=20, patience=None,
        clip_norm=None, schedule=Schedule(kind="none"), normalise_clip=False,
    )  # fmt: skip

    def __init__(self, cutting: Cutting) -> None:
        self.cutting = cutting
        self._scale: tuple[Float32, Float32] | None = None

    def examples(self, stream: Stream, clean: Stream) -> Examples:
        """Windows [n, C, w]; see `windows.cut`."""
        return cut(stream, self.cutting)

    def fit(self, train: Examples, valid: Examples, fit: Fit) -> None:
        """Fit as `NetworkModel.fit`; with `zscore: training`, mean and deviation become part of the network."""
        self._scale = moments(train.x) if self.cutting.zscore == "training" else None
        super().fit(train, valid, fit)

    def build(self, shape: tuple[int, ...], n_classes: int) -> nn.Module:
        """A new network for examples of shape [C, w]."""
        return GaitNetwork(shape[0], shape[1], n_classes, scale=self._scale)
