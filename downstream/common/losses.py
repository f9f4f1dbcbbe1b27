"""The losses by epoch that a network's folds leave behind, read back."""

from __future__ import annotations

import csv
from pathlib import Path

from cleansemg.core.errors import UserError

LOSSES = "losses.csv"

Losses = dict[int, tuple[float, float]]  # epoch -> training and validation loss


def fold_files(models: Path, n_folds: int) -> list[Path]:
    """`losses.csv` of each fold below a model's folder, in their order; none where it is no network.

    Args:
        models: the folder, in which folds of an earlier run with more of them may lie, too.
        n_folds: of the predictions that are shown.
    """
    paths = [models / f"fold{number}" / LOSSES for number in range(1, n_folds + 1)]
    return [path for path in paths if path.exists()]


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
