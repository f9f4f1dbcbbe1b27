"""The first stage of STCNet: an encoder fitted by a contrastive loss over gestures and subjects.

Source: Khosla et al. 2020, "Supervised contrastive learning", eq. 2; the sum over gestures and subjects and the
values are those of STCNet's public code.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cleansemg.core.errors import UserError
from cleansemg.core.seeding import generator, torch_seed
from cleansemg.downstream.gesture import augmentation
from cleansemg.downstream.gesture.stcnet import ContrastiveSTCNet

log = logging.getLogger(__name__)

MOMENTUM, WEIGHT_DECAY = 0.9, 1e-4
WARM_UP_FROM, WARM_UP_EPOCHS, WARM_UP_BATCH = 0.01, 10, 256  # only batches larger than WARM_UP_BATCH use the warm-up
LAST_RATE = 1e-3  # final rate of the cosine, as a fraction of the initial rate


@dataclass(frozen=True)
class ContrastiveRecipe:
    """Recipe of the first stage; the defaults are the published ones.

    Attributes:
        epochs: passes over the windows; 0 fits nothing.
        batch_size: windows per batch; each window is used in two views.
        learning_rate: of SGD, before warm-up and cosine.
        gesture_weight: g in L = g * gestures + (1 - g) * subjects. The public code uses 0.5, its instructions 0.3.
        temperature: T of the softmax.
        base_temperature: T0; the loss is scaled by T / T0.

    Raises:
        ValueError: a value out of range.
    """

    epochs: int = 100
    batch_size: int = 1024
    learning_rate: float = 0.05
    gesture_weight: float = 0.3
    temperature: float = 0.07
    base_temperature: float = 0.07

    def __post_init__(self) -> None:
        if self.epochs < 0 or self.batch_size < 2 or not self.learning_rate > 0:
            raise ValueError("contrastive: epochs >= 0, batch_size >= 2 and learning_rate > 0, please")
        if not 0 <= self.gesture_weight <= 1:
            raise ValueError(f"contrastive: gesture_weight is from 0 to 1, got {self.gesture_weight}")


def supervised_contrastive(
    z: torch.Tensor, label: torch.Tensor, temperature: float = 0.07, base_temperature: float = 0.07
) -> torch.Tensor:
    """Mean over anchors i of -T/T0 times the mean over positives p of log softmax(z_i z_p / T) among all others.

    Args:
        z: [m, d] unit vectors, both views of each window.
        label: [m]; positives of an anchor are the other rows with its label. Anchors without positives are ignored.
        temperature: T.
        base_temperature: T0.

    Returns:
        A scalar.
    """
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    logits = (z @ z.T / temperature).masked_fill(itself, -torch.inf)
    log_share = logits - logits.logsumexp(dim=1, keepdim=True)  # [m, m]
    positive = (label[:, None] == label[None]) & ~itself
    counts = positive.sum(dim=1)
    has_any = counts > 0
    mean = log_share.masked_fill(~positive, 0.0).sum(dim=1)[has_any] / counts[has_any]
    return -(temperature / base_temperature) * mean.mean()


def subject_aware(
    gesture_code: torch.Tensor,
    subject_code: torch.Tensor,
    gesture: torch.Tensor,
    subject: torch.Tensor,
    recipe: ContrastiveRecipe,
) -> torch.Tensor:
    """Return g times the loss over gestures plus 1 - g times the loss over subjects, a scalar.

    The codes are [m, d] unit vectors, `gesture` and `subject` are labels [m].
    """
    temperatures = (recipe.temperature, recipe.base_temperature)
    by_gesture = supervised_contrastive(gesture_code, gesture, *temperatures)
    by_subject = supervised_contrastive(subject_code, subject, *temperatures)
    return recipe.gesture_weight * by_gesture + (1 - recipe.gesture_weight) * by_subject


def rate(recipe: ContrastiveRecipe, epoch: float) -> float:
    """The learning rate after `epoch` passes: a linear warm-up (only for large batches), then a cosine."""
    last = LAST_RATE * recipe.learning_rate

    def cosine(at: float) -> float:
        return last + (recipe.learning_rate - last) * (1 + math.cos(math.pi * at / recipe.epochs)) / 2

    warm_up = min(WARM_UP_EPOCHS, recipe.epochs) if recipe.batch_size > WARM_UP_BATCH else 0
    if epoch >= warm_up:
        return cosine(epoch)
    first = WARM_UP_FROM
    return first + (cosine(warm_up) - first) * epoch / warm_up


def pretrain(
    network: ContrastiveSTCNet,
    x: NDArray[np.float32],
    gesture: NDArray[np.int64],
    subject: NDArray[np.int64],
    recipe: ContrastiveRecipe,
    seed: int,
    name: str,
) -> list[float]:
    """Fit the encoder in place; return the mean loss of every epoch.

    Args:
        network: an initialised network.
        x: [n, S, T, C] training windows.
        gesture: [n] labels from 0.
        subject: [n] labels from 0.
        recipe: the recipe.
        seed: seed of the random draws.
        name: name of the fit; seed, name and epoch determine all random draws.

    Raises:
        UserError: the loss is not finite.
    """
    optimizer = torch.optim.SGD(
        network.parameters(), lr=recipe.learning_rate, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY
    )
    labels = torch.from_numpy(gesture), torch.from_numpy(subject)
    network.train()
    losses: list[float] = []
    for epoch in range(recipe.epochs):
        draws = generator(seed, "downstream", name, "contrastive", epoch)
        torch.manual_seed(torch_seed(seed, "downstream", name, "contrastive", epoch))
        order = draws.permutation(len(x))
        batches = [order[start : start + recipe.batch_size] for start in range(0, len(order), recipe.batch_size)]
        batches = [rows for rows in batches if len(rows) > 1] or batches
        total = 0.0
        for number, rows in enumerate(batches):
            for group in optimizer.param_groups:
                group["lr"] = rate(recipe, epoch + number / len(batches))
            views = np.concatenate([augmentation.view(x[rows], draws) for _ in range(2)])
            both = np.concatenate([rows, rows])
            codes = network(torch.from_numpy(views))
            loss = subject_aware(codes[0], codes[1], labels[0][both], labels[1][both], recipe)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += float(loss.detach())
        losses.append(total / len(batches))
        if not math.isfinite(losses[-1]):
            raise UserError(f"{name}: the contrastive loss became {losses[-1]} in epoch {epoch + 1}; lower its rate")
        log.info("%s: contrastive epoch %d of %d, loss %.4f", name, epoch + 1, recipe.epochs, losses[-1])
    network.eval()
    return losses
