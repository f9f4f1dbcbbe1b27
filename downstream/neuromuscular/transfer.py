"""Transfer: fit on one data set and test on another, optionally after fitting the last layer to people of the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from cleansemg.core.errors import UserError
from cleansemg.downstream.common.folds import by_subject, class_name
from cleansemg.downstream.common.task import Examples, Fold, Int64

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cleansemg.downstream.neuromuscular.networks import ConvNet, OnImages

INVERSE_PENALTIES = (0.01, 0.1, 1.0, 10.0)  # values of C, the inverse of the L2 penalty on the weights of the head
AT_ONCE = 128


@dataclass(frozen=True)
class Transfer:
    """Transfer from one data set of the configuration to another.

    Attributes:
        source: name of the training data set.
        target: name of the test data set.
        head: whether the last layer is also fitted to people of the target, in folds; needs 3 people per class there.

    Raises:
        ValueError: source and target are the same.
    """

    source: str
    target: str
    head: bool = True

    def __post_init__(self) -> None:
        if self.source == self.target:
            raise ValueError(f"transfer: source and target are both '{self.source}'")

    def source_rows(self, examples: Examples) -> Examples:
        """The examples of the source."""
        return examples.select(_rows_of(examples, self.source))

    def target_rows(self, examples: Examples) -> Examples:
        """The examples of the target."""
        return examples.select(_rows_of(examples, self.target))

    def folds(self, examples: Examples, seed: int, n_folds: int, classes: Sequence[str]) -> list[Fold]:
        """Split for a transfer: a fifth of the source's people validate, the others train; the target is tested.

        Without `head`, one fold tests all people of the target. With `head`, the target is split by subject into folds,
        and the rows of its people who are not tested are in train and valid, too; models that do not fit their head
        ignore these rows.

        Raises:
            UserError: a data set without windows, or a class of one of them with too few people.
        """
        rows = {name: _rows_of(examples, name) for name in (self.source, self.target)}
        for name, class_rows in rows.items():
            if not len(class_rows):
                raise UserError(f"transfer: no window of '{name}'; enable it under datasets:, or name another set")
        there = set(examples.y[rows[self.source]].tolist())
        for y, name in enumerate(classes):
            if y not in there:
                raise UserError(f"transfer: nobody in '{self.source}' has class '{name}'")
        first = by_subject(examples.select(rows[self.source]), seed, n_folds=5, classes=classes)[0]
        learnt = rows[self.source][np.sort(np.concatenate([first.train, first.valid]))]
        selecting = rows[self.source][first.test]
        if not self.head:
            return [Fold(learnt, selecting, rows[self.target])]
        try:
            splits = by_subject(examples.select(rows[self.target]), seed, n_folds=n_folds, classes=classes)
        except UserError as error:
            raise UserError(f"transfer to '{self.target}': {error}; or ask it as it is: transfer.head=false") from None
        there_too = rows[self.target]
        return [
            Fold(
                np.concatenate([learnt, there_too[fold.train]]),
                np.concatenate([selecting, there_too[fold.valid]]),
                there_too[fold.test],
            )
            for fold in splits
        ]


def fit_head(network: ConvNet | OnImages, train: Examples, valid: Examples, classes: Sequence[str]) -> None:
    """Replace the last layer of the network by a logistic regression on its features; the other layers stay unchanged.

    The penalty is selected by the lowest cross entropy on `valid`.

    Raises:
        UserError: a class without windows in `train`, or a cross entropy on `valid` that is not a number.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    for y in range(len(classes)):
        if y not in train.y:
            raise UserError(f"transfer: {class_name(y, classes)} has no window in the target to fit the head on")
    x, x_valid = _features(network, train), _features(network, valid)
    every = np.arange(len(classes))
    best, lowest = None, np.inf
    for c in INVERSE_PENALTIES:
        fitted = LogisticRegression(C=c, max_iter=1000, class_weight="balanced").fit(x, train.y)
        loss = log_loss(valid.y, fitted.predict_proba(x_valid), labels=every)
        if loss < lowest:
            best, lowest = fitted, loss
    if best is None:
        raise UserError("transfer: the head's loss on the target's validation windows is not a number")
    weight, bias = best.coef_, best.intercept_
    if len(classes) == 2:  # coef_ has one row: the second class against the first
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    with torch.no_grad():
        network.head.weight.copy_(torch.from_numpy(weight))
        network.head.bias.copy_(torch.from_numpy(bias))


def _features(network: ConvNet | OnImages, examples: Examples) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Features of the examples, [n, 64], in evaluation mode."""
    network.eval()
    with torch.no_grad():
        parts = [
            network.features(torch.from_numpy(np.array(examples.x[i : i + AT_ONCE], np.float32))).double().numpy()
            for i in range(0, len(examples), AT_ONCE)
        ]
    return np.concatenate(parts)


def _rows_of(examples: Examples, database: str) -> Int64:
    names = np.array([person.partition("/")[0] for person in examples.person.tolist()])
    return np.flatnonzero(names == database)
