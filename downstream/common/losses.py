"""The losses by epoch that a network's folds leave behind, read back."""

from __future__ import annotations

import csv
from pathlib import Path

from core.errors import UserError

LOSSES = "losses.csv"

Losses = dict[int, tuple[float, float]]  # epoch -> training and validation loss


def fold_files(models: Path) -> list[Path]:
    """`losses.csv` of each fold below a model's folder, in their order; none where it is no network."""
    return sorted(models.glob(f"fold*/{LOSSES}"), key=lambda path: int(path.parent.name.removeprefix("fold")))


def read(path: Path) -> Losses:
    """One fold's losses.

    Raises:
        UserError: the file is not there.
    """
    try:
        lines = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    except FileNotFoundError:
        raise UserError(f"{path}: not there; fit the network first") from None
    return {int(line["epoch"]): (float(line["train_loss"]), float(line["valid_loss"])) for line in lines}
