"""The two classifiers of this task: the same windows, on the waveform or on an image of it."""

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
    """What both classifiers share.

    Attributes:
        classes: names, in order.
        window, hop: samples.
        band: centre frequencies of the scalogram, cycles a sample.
        image: of the 2-D network.
        noise: highest standard deviation of the noise that is added in training, of a window's.
        shift: a window is moved by up to this fraction of itself, around the end.
        transfer: which set is learnt from and which is asked about; None: one kind of people.
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
        plan: windows and augmentation.
        head: after fitting to the source, fit the last layer to the target's people.
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
        """A fresh network on windows [n, 1, L]."""

    def augment(self, x: Float32, generator: np.random.Generator) -> Float32:
        """Move every window around its end by a drawn number of samples, then add white noise of a drawn level."""
        n, _, length = x.shape
        reach = round(self.plan.shift * length)
        shift = generator.integers(-reach, reach + 1, n)
        at = (np.arange(length) - shift[:, None]) % length  # [n, L]
        moved = np.take_along_axis(x, at[:, None], axis=2)
        level = generator.uniform(0, self.plan.noise, (n, 1, 1))
        return (moved + level * generator.standard_normal(x.shape)).astype(np.float32)

    def fit(self, train: Examples, valid: Examples, fit: Fit) -> None:
        """Fit as `NetworkModel`; in a transfer to the source's people, and then perhaps the head to the target's.

        Leaves the weights in `fit.folder` / network.safetensors.
        """
        from safetensors.torch import save_file

        plan = self.plan
        fit = replace(fit, n_classes=len(plan.classes))
        if plan.transfer is None:
            super().fit(train, valid, fit)
        else:
            without_head = replace(fit, label=fit.label.replace("_head", ""))  # the same network as without the head
            super().fit(plan.transfer.source_rows(train), plan.transfer.source_rows(valid), without_head)
            if self.head:
                transfer.fit_head(
                    self.fitted, plan.transfer.target_rows(train), plan.transfer.target_rows(valid), plan.classes
                )
        save_file(self.network.state_dict(), fit.folder / NETWORK)

    def load(self, fit: Fit) -> None:
        """Take up the weights that a fit left in its folder."""
        from safetensors.torch import load_file

        network = self.build((1, self.plan.window), len(self.plan.classes))
        network.load_state_dict(load_file(fit.folder / NETWORK))
        self._network = network.eval()

    @property
    def fitted(self) -> ConvNet | OnImages:
        """The fitted network with its parts."""
        network: nn.Module = self.network
        if not isinstance(network, ConvNet | OnImages):
            raise TypeError(f"{self.name}: {type(network).__name__} was not built here")
        return network


class Cnn1d(WindowModel):
    """On the waveform."""

    name = "cnn1d"

    def build(self, shape: tuple[int, ...], n_classes: int) -> ConvNet:
        """See `networks.cnn1d`."""
        return cnn1d(n_classes)


class Cnn2d(WindowModel):
    """On the log-magnitude spectrogram or scalogram."""

    name = "cnn2d"

    def build(self, shape: tuple[int, ...], n_classes: int) -> OnImages:
        """See `networks.cnn2d`."""
        length = shape[-1]
        image = Spectrogram(length) if self.plan.image == "stft" else Scalogram(length, self.plan.band)
        return OnImages(image, cnn2d(n_classes))
