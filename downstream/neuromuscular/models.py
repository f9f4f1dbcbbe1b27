"""The two classifiers of this task: on the waveform of a window, or on an image of the waveform."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from torch import nn

from cleansemg.downstream.common.network_model import NetworkModel
from cleansemg.downstream.common.task import Examples, Fit, Float32, Stream
from cleansemg.downstream.neuromuscular import transfer, windows
from cleansemg.downstream.neuromuscular.images import Scalogram, Spectrogram
from cleansemg.downstream.neuromuscular.networks import ConvNet, OnImages, cnn1d, cnn2d
from cleansemg.downstream.neuromuscular.transfer import Transfer
from cleansemg.training.recipe import Recipe, Schedule

NETWORK = "network.safetensors"


@dataclass(frozen=True)
class Plan:
    """Parameters that both classifiers share.

    Attributes:
        classes: names of the classes, in order.
        window, hop: length and step of the windows, samples.
        band: lowest and highest centre frequency of the scalogram, cycles per sample.
        image: input of the 2-D network: spectrogram (stft) or scalogram (cwt).
        noise: maximum standard deviation of the noise added in training, relative to that of the window.
        shift: maximum circular shift of a window in training, as a fraction of its length.
        transfer: training and test data sets; None: no transfer.
    """

    classes: tuple[str, ...]
    window: int
    hop: int
    band: tuple[float, float]
    image: Literal["stft", "cwt"]
    noise: float
    shift: float
    transfer: Transfer | None


class WindowModel(NetworkModel):
    """A network on windows of one channel, with noise and time shift in training.

    Args:
        plan: parameters of windows and augmentation.
        head: whether the last layer is fitted to people of the target after fitting to the source.
    """

    recipe: ClassVar[Recipe] = Recipe(
        loss="network",
        optimizer="adam",
        learning_rate=1e-3,
        weight_decay=0.0,
        batch_size=32,
        epochs=30,
        patience=8,
        schedule=Schedule(kind="plateau", factor=0.5, patience=3),
    )
    class_weights: ClassVar[bool] = True

    def __init__(self, plan: Plan, head: bool = False) -> None:
        self.plan = plan
        self.head = head

    def examples(self, stream: Stream, clean: Stream) -> Examples:
        """Windows [n, 1, L]; see `windows.cut`."""
        return windows.cut(stream, self.plan.classes, self.plan.window, self.plan.hop)

    @abstractmethod
    def build(self, shape: tuple[int, ...], n_classes: int) -> ConvNet | OnImages:
        """A new network for windows [n, 1, L]."""

    def augment(self, x: Float32, generator: np.random.Generator) -> Float32:
        """Shift every window circularly by a random number of samples, then add white noise of a random level."""
        n, _, length = x.shape
        reach = round(self.plan.shift * length)
        shift = generator.integers(-reach, reach + 1, n)
        at = (np.arange(length) - shift[:, None]) % length  # [n, L]
        moved = np.take_along_axis(x, at[:, None], axis=2)
        level = generator.uniform(0, self.plan.noise, (n, 1, 1))
        return (moved + level * generator.standard_normal(x.shape)).astype(np.float32)

    def fit(self, train: Examples, valid: Examples, fit: Fit) -> None:
        """Fit as `NetworkModel.fit`; in a transfer, fit to the source and then, with `head`, the head to the target.

        Writes the weights to `fit.folder` / network.safetensors.
        """
        from safetensors.torch import save_file

        plan = self.plan
        fit = replace(fit, n_classes=len(plan.classes))
        if plan.transfer is None:
            super().fit(train, valid, fit)
        else:
            without_head = replace(fit, label=fit.label.replace("_head", ""))  # same network with and without
            super().fit(plan.transfer.source_rows(train), plan.transfer.source_rows(valid), without_head)
            if self.head:
                transfer.fit_head(
                    self.fitted, plan.transfer.target_rows(train), plan.transfer.target_rows(valid), plan.classes
                )
        save_file(self.network.state_dict(), fit.folder / NETWORK)

    def load(self, fit: Fit) -> None:
        """Load the weights that `fit` wrote to `fit.folder`."""
        from safetensors.torch import load_file

        network = self.build((1, self.plan.window), len(self.plan.classes))
        network.load_state_dict(load_file(fit.folder / NETWORK))
        self._network = network.eval()

    @property
    def fitted(self) -> ConvNet | OnImages:
        """The fitted network, with the attributes `body` and `head`; raises RuntimeError if it is not fitted."""
        network: nn.Module = self.network
        if not isinstance(network, ConvNet | OnImages):
            raise TypeError(f"{self.name}: {type(network).__name__} was not built here")
        return network


class Cnn1d(WindowModel):
    """Classifier of the waveform."""

    name = "cnn1d"

    def build(self, shape: tuple[int, ...], n_classes: int) -> ConvNet:
        """See `networks.cnn1d`."""
        return cnn1d(n_classes)


class Cnn2d(WindowModel):
    """Classifier of the log-magnitude spectrogram or scalogram."""

    name = "cnn2d"

    def build(self, shape: tuple[int, ...], n_classes: int) -> OnImages:
        """See `networks.cnn2d`."""
        length = shape[-1]
        image = Spectrogram(length) if self.plan.image == "stft" else Scalogram(length, self.plan.band)
        return OnImages(image, cnn2d(n_classes))
