"""The two networks of this task: a 1-D network on the waveform, and a 2-D network on an image of the waveform.

No paper states their sizes: the review that mentions them contains no architecture, so kernels and widths are ours
(docs/downstream/neuromuscular.md). Symbols: n windows, K classes. For K = 2 and 3, the 1-D network has 14,530 and
14,595 parameters, the 2-D network 23,650 and 23,715.
"""

from __future__ import annotations

import torch
from torch import nn

FEATURES = 64
DROPOUT = 0.5


class ConvNet(nn.Module):
    """Three convolution blocks, mean over the remaining time (and frequency) axis, dropout, one linear layer.

    Attributes:
        body: the blocks; Grad-CAM uses their output.
        head: the linear layer, which a transfer may replace.
    """

    def __init__(self, body: nn.Sequential, n_classes: int) -> None:
        super().__init__()
        self.body = body
        self.dropout = nn.Dropout(DROPOUT)
        self.head = nn.Linear(FEATURES, n_classes)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """[n, 1, ...] -> [n, 64]."""
        maps: torch.Tensor = self.body(x)
        return maps.flatten(2).mean(dim=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[n, 1, ...] -> logits [n, K]."""
        logits: torch.Tensor = self.head(self.dropout(self.features(x)))
        return logits


def cnn1d(n_classes: int) -> ConvNet:
    """The 1-D network for windows [n, 1, L]."""
    return ConvNet(
        nn.Sequential(
            nn.Conv1d(1, 16, 15, stride=2, padding=7), nn.BatchNorm1d(16), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(16, 32, 7, padding=3), nn.BatchNorm1d(32), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(32, FEATURES, 5, padding=2), nn.BatchNorm1d(FEATURES), nn.ReLU(),
        ),
        n_classes,
    )  # fmt: skip


def cnn2d(n_classes: int) -> ConvNet:
    """The 2-D network for images [n, 1, 64, 64]."""
    return ConvNet(
        nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, FEATURES, 3, padding=1), nn.BatchNorm2d(FEATURES), nn.ReLU(),
        ),
        n_classes,
    )  # fmt: skip


class OnImages(nn.Module):
    """A transform to an image followed by a network on the image, as one module, so gradients reach the samples.

    Args:
        image: the transform, [n, 1, L] -> [n, 1, 64, 64].
        network: the network on the images.
    """

    def __init__(self, image: nn.Module, network: ConvNet) -> None:
        super().__init__()
        self.image = image
        self.network = network

    @property
    def body(self) -> nn.Sequential:
        """See `ConvNet.body`."""
        return self.network.body

    @property
    def head(self) -> nn.Linear:
        """See `ConvNet.head`."""
        return self.network.head

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """[n, 1, L] -> [n, 64]."""
        return self.network.features(self.image(x))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[n, 1, L] -> logits [n, K]."""
        logits: torch.Tensor = self.network(self.image(x))
        return logits
