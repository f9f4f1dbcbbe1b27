"""STCNet as a classifier of the task: an optional contrastive stage, then a stage fitted to the cross entropy."""

from __future__ import annotations

import hashlib
import io
import pickle
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cleansemg.core.errors import UserError, did_you_mean
from cleansemg.core.fingerprint import canonical_json, relation
from cleansemg.core.npz import atomic_write
from cleansemg.core.seeding import torch_seed
from cleansemg.downstream.common.network_model import NetworkModel
from cleansemg.downstream.common.task import Examples, Fit, Float32, Stream
from cleansemg.downstream.gesture import augmentation
from cleansemg.downstream.gesture.contrastive import ContrastiveRecipe, pretrain
from cleansemg.downstream.gesture.stcnet import SIZES, ContrastiveSTCNet, Encoder, Size, STCNet
from cleansemg.downstream.gesture.windows import Cutting, cut
from cleansemg.training import loop
from cleansemg.training.recipe import Recipe, Schedule

ENCODER = "encoder.pt"


class STCNetModel(NetworkModel):
    """STCNet with both stages, as published.

    The published code selects the epoch with the best result on the test set; here, the epoch with the lowest
    validation loss is selected.

    Args:
        cutting: defines the windows.
        size: widths of the layers, an entry of `SIZES`.
        contrastive: recipe of the first stage; None: without the first stage.
        warped: also augment the training windows of the second stage by magnitude warping; not published.

    Raises:
        UserError: an unknown size.
    """

    name = "stcnet"
    recipe = Recipe(
        loss="network",
        optimizer="adam",
        learning_rate=1e-4,
        weight_decay=1e-4,
        batch_size=64,
        epochs=100,
        patience=None,
        clip_norm=None,
        schedule=Schedule(kind="cosine", floor=0.01),
    )

    def __init__(
        self, cutting: Cutting, size: str = "full", contrastive: ContrastiveRecipe | None = None, warped: bool = False
    ) -> None:
        if size not in SIZES:
            raise UserError(f"task 'gesture': size is '{size}'{did_you_mean(size, SIZES)}")
        self.cutting = cutting
        self.size: Size = SIZES[size]
        self.contrastive = contrastive
        self.warped = warped
        self._encoder: dict[str, torch.Tensor] | None = None
        self._scale_on: torch.Tensor | None = None

    def examples(self, stream: Stream, clean: Stream) -> Examples:
        """Windows [n, S, T, C] of the envelope, see `windows.cut`; their positions depend only on the labels."""
        return cut(stream, self.cutting)

    def augment(self, x: Float32, generator: np.random.Generator) -> Float32:
        """With `warped`, warp the magnitude of each window with probability 1/2: [n, S, T, C] -> [n, S, T, C]."""
        if not self.warped:
            return x
        n, steps, samples, channels = x.shape
        flat = x.reshape(n, steps * samples, channels)
        rows = np.asarray(generator.random(n) < augmentation.CHANCE)
        changed = np.where(rows.reshape(n, 1, 1), augmentation.warp(flat, generator), flat)
        return changed.reshape(x.shape)

    def build(self, shape: tuple[int, ...], n_classes: int) -> nn.Module:
        """A new classifier for windows of shape [S, T, C]; its encoder comes from the first stage, if there was one."""
        encoder = self._fresh(shape)
        if self._encoder is not None:
            encoder.load_state_dict(self._encoder)
        return STCNet(encoder, n_classes, self.size, origin=str(self.contrastive or "none"))

    def fit(self, train: Examples, valid: Examples, fit: Fit) -> None:
        """Fit both stages; see `NetworkModel.fit`. The first stage does not use `valid`."""
        self._scale_on = torch.from_numpy(np.asarray(train.x, np.float32)) if self.cutting.scaling == "log" else None
        self._encoder = self._first_stage(train, self.contrastive, fit) if self.contrastive and len(train) else None
        super().fit(train, valid, fit)

    def _fresh(self, shape: tuple[int, ...]) -> Encoder:
        steps, step_samples, sensors = shape
        encoder = Encoder(steps, step_samples, sensors, self.size, log_input=self.cutting.scaling == "log")
        if self._scale_on is not None:
            encoder.set_scale(self._scale_on)
        return encoder

    def _first_stage(self, train: Examples, recipe: ContrastiveRecipe, fit: Fit) -> dict[str, torch.Tensor]:
        """Fit the encoder and return its weights; reads them from the folder if the same stage was finished before."""
        identity = self._identity(train, recipe, fit)
        path = fit.folder / ENCODER
        stored = _load(path, identity, fit.force)
        if stored is not None:
            return stored
        subject = np.unique(train.person, return_inverse=True)[1].astype(np.int64)
        with loop.reproducible(fit.threads):
            torch.manual_seed(torch_seed(fit.seed, "downstream", fit.label, "contrastive weights"))
            network = ContrastiveSTCNet(self._fresh(train.x.shape[1:]), self.size)
            x = np.asarray(train.x, np.float32)
            pretrain(network, x, train.y, subject, recipe, fit.seed, fit.label)
        state = {name: tensor.detach().clone() for name, tensor in network.encoder.state_dict().items()}
        fit.folder.mkdir(parents=True, exist_ok=True)
        _save(path, identity, state)
        return state

    def _identity(self, train: Examples, recipe: ContrastiveRecipe, fit: Fit) -> str:
        digest = hashlib.sha256()
        for part in (train.x, train.y):
            digest.update(np.ascontiguousarray(part).data)
        people = "\n".join(train.person.tolist())
        identity = [asdict(recipe), asdict(self.size), self.cutting.scaling, fit.seed, fit.label, fit.threads, people]
        digest.update(canonical_json(identity).encode())
        return f"{digest.hexdigest()[:32]}-{self.code_digest()}"


class STCNetWithoutContrast(STCNetModel):
    """The second stage alone, from random weights."""

    name = "stcnet_ce"


def _save(path: Path, fingerprint: str, state: dict[str, torch.Tensor]) -> None:
    buffer = io.BytesIO()
    torch.save({"fingerprint": fingerprint, "encoder": state}, buffer)
    atomic_write(path, buffer.getvalue())


def _load(path: Path, fingerprint: str, force: bool) -> dict[str, torch.Tensor] | None:
    """Read the encoder of an earlier run; None if there is none, or one of another recipe or other data.

    Raises:
        UserError: the encoder was fitted by other code, and `force` is False.
    """
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError):
        return None
    state: dict[str, torch.Tensor] = content["encoder"]
    difference = relation(str(content.get("fingerprint")), fingerprint)
    if difference == "code" and not force:
        raise UserError(
            f"{path}: fitted by other code, and what was fitted is never thrown away by itself; start it over with "
            "--force, choose another --output, or undo the change"
        )
    return state if difference == "same" else None
