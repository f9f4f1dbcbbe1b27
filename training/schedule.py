"""Learning rate and early stopping as functions of the validation losses so far.

These functions have no state, so a resumed run cannot differ from an uninterrupted one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from cleansemg.training.recipe import Recipe

PLATEAU_THRESHOLD = 1e-4  # a loss is better if it is lower than the best by more than this fraction (torch's default)


def learning_rate(recipe: Recipe, valid_losses: Sequence[float]) -> float:
    """The learning rate of the epoch that follows the epochs with these validation losses.

    Equal to torch's `ReduceLROnPlateau`, `MultiStepLR` and, without warm-up, `CosineAnnealingLR`, with one step after
    every epoch.
    """
    schedule = recipe.schedule
    rate = recipe.learning_rate
    if schedule.kind == "steps":
        for milestone in schedule.milestones:
            if len(valid_losses) >= milestone:
                rate *= schedule.factor
    elif schedule.kind == "plateau":
        best = float("inf")
        bad_epochs = 0
        for loss in valid_losses:
            if loss < best * (1 - PLATEAU_THRESHOLD):
                best = loss
                bad_epochs = 0
            else:
                bad_epochs += 1
            if bad_epochs > schedule.patience:
                rate *= schedule.factor
                bad_epochs = 0
    elif schedule.kind == "cosine":
        rate *= _cosine(recipe, len(valid_losses))
    return rate


def _cosine(recipe: Recipe, epoch: int) -> float:
    """The factor of the learning rate in an epoch, numbered from 0."""
    schedule = recipe.schedule

    def falling(at: int) -> float:
        return schedule.floor + (1 - schedule.floor) * (1 + math.cos(math.pi * min(at / recipe.epochs, 1.0))) / 2

    if epoch >= schedule.warmup_epochs:
        return falling(epoch)
    top = falling(schedule.warmup_epochs)
    return schedule.warmup_from + (top - schedule.warmup_from) * epoch / schedule.warmup_epochs


def best_epoch(valid_losses: Sequence[float]) -> int:
    """Index of the lowest loss, the first one on a tie."""
    return min(range(len(valid_losses)), key=lambda epoch: valid_losses[epoch])


def is_finished(recipe: Recipe, valid_losses: Sequence[float]) -> bool:
    """Whether all epochs are done, or the last `patience` epochs had no better validation loss."""
    if len(valid_losses) >= recipe.epochs:
        return True
    if recipe.patience is None or not valid_losses:
        return False
    return len(valid_losses) - 1 - best_epoch(valid_losses) >= recipe.patience
