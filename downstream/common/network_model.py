"""Base class of the network classifiers of the tasks: fitting with the training loop of the denoisers, and scores."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cleansemg.core.code_identity import of_modules
from cleansemg.core.errors import UserError
from cleansemg.core.fingerprint import canonical_json, digest_of
from cleansemg.core.seeding import generator, torch_seed
from cleansemg.downstream.common.losses import LOSSES
from cleansemg.downstream.common.task import Examples, Fit, Float32, Model
from cleansemg.training import checkpoint, loop
from cleansemg.training import recipe as recipes
from cleansemg.training.batches import Batch, Share, split
from cleansemg.training.curves import write_curves, write_losses
from cleansemg.training.fitting import NOT_FITTING
from cleansemg.training.recipe import Recipe

CHECKPOINT, CURVES = "checkpoint.pt", "curves.png"
SCORED_AT_ONCE = 16  # windows of 4 s in four channels: activations fit in the cache, 1.5 times as fast as 128


class NetworkModel(Model):
    """A network [n, ...] -> logits [n, K] as a classifier, fitted to the cross entropy.

    A subclass sets `recipe` and implements `build` and `examples`.
    """

    recipe: ClassVar[Recipe]
    class_weights: ClassVar[bool] = False  # weight a class with n_c of N examples by N / (K n_c)

    _network: nn.Module | None = None

    @abstractmethod
    def build(self, shape: tuple[int, ...], n_classes: int) -> nn.Module:
        """A new network for examples of `shape` (without n); initial weights are drawn from torch's generator."""

    def augment(self, x: Float32, generator: np.random.Generator) -> Float32:
        """Return the augmented training batch [n, ...] of one epoch; must not modify `x`."""
        return x

    @property
    def network(self) -> nn.Module:
        """The fitted network.

        Raises:
            RuntimeError: the network is not fitted yet.
        """
        if self._network is None:
            raise RuntimeError(f"{self.name}: not fitted yet")
        return self._network

    def fit(self, train: Examples, valid: Examples, fit: Fit) -> None:
        """Fit to `train`, use the epoch with the lowest loss on `valid`; write checkpoint, losses and curves.

        An interrupted fit is resumed and ends with the same weights, bit for bit.

        Raises:
            UserError: an invalid recipe, no training or validation examples, a checkpoint of another fit, or a loss
                that is not finite.
        """
        from accelerate import Accelerator

        recipe = self.resolve(fit)
        if not len(train) or not len(valid):
            part = "validation" if len(train) else "training"
            raise UserError(f"{fit.label}: no {part} examples; add subjects or use fewer folds")
        n_classes = fit.n_classes or int(max(train.y.max(), valid.y.max())) + 1
        weights = _class_weights(train.y, n_classes) if self.class_weights else None
        with loop.reproducible(fit.threads):
            torch.manual_seed(torch_seed(fit.seed, "downstream", fit.label, "initial weights"))
            network = self.build(train.x.shape[1:], n_classes)
            fingerprint = self._fingerprint(network, recipe, train, valid, fit)
            fit.folder.mkdir(parents=True, exist_ok=True)
            if fit.force:
                _remove_foreign(fit.folder / CHECKPOINT, fingerprint)
            run = loop.Run(fit.label, fit.seed, fingerprint, fit.folder / CHECKPOINT)
            wrapped = Classifier(network, weights)
            accelerator = Accelerator(mixed_precision="no")
            fitted = loop.fit(wrapped, _Batches(self, train, valid, fit), recipe, run, accelerator)
            wrapped.load_state_dict(fitted.best)
        self._network = network.cpu().eval()
        write_losses(fit.folder / LOSSES, fitted.history)
        write_curves(fit.folder / CURVES, fitted.history, fitted.best_epoch, "cross entropy", fit.label)

    def resolve(self, fit: Fit) -> Recipe:
        """The model's recipe; values of the configuration override it.

        Raises:
            UserError: an unknown key, an invalid value, or a loss other than the cross entropy.
        """
        stated = self.recipe.model_dump(mode="json", exclude_unset=True)
        recipe = recipes.resolve(
            [(f"recipe of {self.name}", {**stated, "loss": "network"}), (f"downstream.recipe.{self.name}", fit.recipe)]
        )
        if recipe.loss != "network":
            raise UserError(f"downstream.recipe.{self.name}: loss: {recipe.loss}, but a classifier has its own")
        return recipe

    def scores(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """Return class probabilities [n, K]; `fit` must have run, otherwise RuntimeError."""
        network = self.network.eval()
        out = []
        with torch.no_grad():
            for start in range(0, len(x), SCORED_AT_ONCE):
                rows = torch.from_numpy(np.array(x[start : start + SCORED_AT_ONCE], np.float32))
                out.append(torch.softmax(network(rows).double(), dim=1).numpy())
        return np.concatenate(out) if out else np.empty((0, 0))

    def _fingerprint(self, network: nn.Module, recipe: Recipe, train: Examples, valid: Examples, fit: Fit) -> str:
        digest = hashlib.sha256()
        for part in (train, valid):
            digest.update(canonical_json([part.x.shape, str(part.x.dtype)]).encode())
            digest.update(np.ascontiguousarray(part.x).data)
            digest.update(np.ascontiguousarray(part.y).data)
        identity = [
            self.name,
            repr(network),
            recipe.model_dump(mode="json"),
            fit.seed,
            fit.label,
            fit.threads,
            self.class_weights,
        ]
        digest.update(canonical_json(identity).encode())
        return f"{digest.hexdigest()[:32]}-{self.code_digest()}"

    def code_digest(self) -> str:
        """Hash of the code that the fitted weights depend on."""
        return digest_of(of_modules(__name__, type(self).__module__, without=NOT_FITTING))


class Classifier(nn.Module):
    """A network with its loss for the training loop: x [n, ...], y [n] -> scalar."""

    def __init__(self, network: nn.Module, weights: Float32 | None) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("weights", None if weights is None else torch.from_numpy(weights), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, K]."""
        logits: torch.Tensor = self.network(x)
        return logits

    def training_loss(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Cross entropy, a scalar; y holds class numbers as float32, like all targets of the loop."""
        weights = cast("torch.Tensor | None", self.weights)
        return nn.functional.cross_entropy(self(x).float(), y.long(), weight=weights)


class _Batches:
    """Examples as the source of the training loop; the draws of order and augmentation are keyed by fit and epoch."""

    def __init__(self, model: NetworkModel, train: Examples, valid: Examples, fit: Fit) -> None:
        self._model, self._train, self._valid, self._fit = model, train, valid, fit
        self.n_train, self.n_valid = len(train), len(valid)

    def train(self, epoch: int, batch_size: int, share: Share) -> Iterator[Batch]:
        seed, label = self._fit.seed, self._fit.label
        order = generator(seed, "downstream", "order", label, epoch).permutation(self.n_train)
        if len(order) > batch_size and len(order) % batch_size == 1:
            order = order[:-1]  # batch normalisation is undefined for a batch of one
        for number, rows in enumerate(split(order, batch_size, share, even=True)):
            draws = generator(seed, "downstream", "augmentation", label, epoch, number, share.rank)
            x = np.asarray(self._train.x[rows], np.float32)
            yield Batch(self._model.augment(x, draws), self._train.y[rows].astype(np.float32))

    def valid(self, batch_size: int, share: Share) -> Iterator[Batch]:
        for rows in split(np.arange(self.n_valid), batch_size, share, even=False):
            yield Batch(np.asarray(self._valid.x[rows], np.float32), self._valid.y[rows].astype(np.float32))


def _remove_foreign(path: Path, fingerprint: str) -> None:
    try:
        checkpoint.load(path, fingerprint)
    except UserError:
        path.unlink()


def _class_weights(y: NDArray[np.int64], n_classes: int) -> Float32:
    """N / (K n_c) [K] for n_c examples of class c; 1 for a class without examples."""
    counts = np.bincount(y, minlength=n_classes)
    weights = np.where(counts > 0, len(y) / (n_classes * np.maximum(counts, 1)), 1.0)
    return weights.astype(np.float32)
