"""Read the losses by epoch that the fits of a network's folds wrote."""

from __future__ import annotations

import csv
from pathlib import Path

from cleansemg.core.errors import UserError

LOSSES = "losses.csv"

Losses = dict[int, tuple[float, float]]  # epoch -> training and validation loss


def fold_files(models: Path, n_folds: int) -> list[Path]:
    """Paths of `losses.csv` of each fold below a model's folder, in order; empty for models that are not networks.

    Args:
        models: the folder of the model; it may also contain folds of an earlier run with more folds.
        n_folds: number of folds of the predictions that are shown.
    """
    paths = [models / f"fold{number}" / LOSSES for number in range(1, n_folds + 1)]
    return [path for path in paths if path.exists()]


def read(path: Path) -> Losses:
    """Read the losses of one fold.

    Raises:
        UserError: the file does not exist.
    """
    try:
        lines = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    except FileNotFoundError:
        raise UserError(f"{path}: not there; fit the network first") from None
    return {int(line["epoch"]): (float(line["train_loss"]), float(line["valid_loss"])) for line in lines}
