"""The two networks of this task, 1-D on the waveform and 2-D on an image of it.

No paper gives the numbers of either: the review that names them has no architecture, so kernels and widths are ours
(docs/downstream/neuromuscular.md). n windows, K classes, C feature maps. With K = 2 or 3 the first has 14,530 or
14,595 parameters, the second 23,650 or 23,715.
"""

from __future__ import annotations

import torch
from torch import nn

FEATURES = 64
DROPOUT = 0.5


class ConvNet(nn.Module):
    """Three blocks of convolution, mean over what is left of time (and frequency), dropout, one linear layer.

    Attributes:
        body: the blocks; Grad-CAM looks at their output.
        head: the linear layer, which transfer may fit anew.
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
    """On windows [n, 1, 2048]."""
    return ConvNet(
        nn.Sequential(
            nn.Conv1d(1, 16, 15, stride=2, padding=7), nn.BatchNorm1d(16), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(16, 32, 7, padding=3), nn.BatchNorm1d(32), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(32, FEATURES, 5, padding=2), nn.BatchNorm1d(FEATURES), nn.ReLU(),
        ),
        n_classes,
    )  # fmt: skip


def cnn2d(n_classes: int) -> ConvNet:
    """On images [n, 1, 64, 64]."""
    return ConvNet(
        nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, FEATURES, 3, padding=1), nn.BatchNorm2d(FEATURES), nn.ReLU(),
        ),
        n_classes,
    )  # fmt: skip


class OnImages(nn.Module):
    """An image of the waveform and a network on it, as one: gradients reach the samples.

    Args:
        image: [n, 1, L] -> [n, 1, 64, 64].
        network: on the images.
    """

    def __init__(self, image: nn.Module, network: ConvNet) -> None:
        super().__init__()
        self.image = image
        self.network = network

    @property
    def body(self) -> nn.Sequential:
        """As `ConvNet.body`."""
        return self.network.body

    @property
    def head(self) -> nn.Linear:
        """As `ConvNet.head`."""
        return self.network.head

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """[n, 1, L] -> [n, 64]."""
        return self.network.features(self.image(x))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[n, 1, L] -> logits [n, K]."""
        logits: torch.Tensor = self.network(self.image(x))
        return logits
