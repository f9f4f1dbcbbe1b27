"""The fatigue task: none, moderate or severe, from windows of 4 s."""

from __future__ import annotations

from typing import Literal

import numpy as np

from cleansemg.downstream.common import folds
from cleansemg.downstream.common.task import Examples, Fold, Model, Protocol, Task
from cleansemg.downstream.fatigue.windows import Cutting

PUBLISHED_FOLDS, PUBLISHED_STATE = 3, 42


class FatigueTask(Task):
    """Classify fatigue as none, moderate or severe; stream labels are 1 + class, 0 where no rating exists.

    Args:
        window_s, step_s: length and step of the windows, s.
        n_folds: number of folds over subjects; `published` has 3 folds over windows.
        valid_fraction: fraction of the people (`published`: windows) that are not tested.
        reference: the values of a trial are divided by those of its windows without fatigue, from the clean stream
            (`clean`, as published; not available in practice) or from the stream itself (`input`).

    Raises:
        ValueError: a parameter out of range.
    """

    name = "fatigue"

    def __init__(
        self,
        window_s: float = 4.0,
        step_s: float = 2.0,
        n_folds: int = 5,
        valid_fraction: float = 0.2,
        reference: Literal["clean", "input"] = "clean",
    ) -> None:
        if reference not in ("clean", "input"):
            raise ValueError(f"reference is '{reference}': clean or input")
        if not 0 < valid_fraction < 1:
            raise ValueError(f"valid_fraction is {valid_fraction}: a fraction between 0 and 1")
        self.classes = ("none", "moderate", "severe")
        self.fs_hz = 1000.0
        self.band_hz = (20.0, 450.0)
        self.n_folds = n_folds
        self.valid_fraction = valid_fraction
        self.reference: Literal["clean", "input"] = reference
        self.cutting = Cutting(window_s, step_s)

    def models(self) -> dict[str, Model]:
        """The SVM and the network."""
        from cleansemg.downstream.fatigue.cnn import FatigueCnn
        from cleansemg.downstream.fatigue.svm import FatigueSvm

        svm = FatigueSvm(self.cutting, self.reference, len(self.classes))
        return {"svm": svm, "cnn": FatigueCnn(self.cutting, self.reference)}

    def controls(self) -> dict[str, Model]:
        """Time alone: fatigue grows with time, so the time since the start of a recording tells much of it."""
        from cleansemg.downstream.fatigue.time_alone import FatigueTime

        return {FatigueTime.name: FatigueTime(self.cutting, len(self.classes))}

    def folds(self, examples: Examples, protocol: Protocol, seed: int) -> list[Fold]:
        """Split by subject; `published` shuffles windows, so training and test share people and samples.

        Raises:
            UserError: a class with too few people or windows.
        """
        if protocol == "subjects":
            return folds.by_subject(
                examples, seed, n_folds=self.n_folds, valid_fraction=self.valid_fraction, classes=self.classes
            )
        return self._published(examples)

    def _published(self, examples: Examples) -> list[Fold]:
        """The published test folds, with the published random state; a fraction of the other windows validates."""
        from sklearn.model_selection import StratifiedKFold, train_test_split

        folds.require_windows(examples, PUBLISHED_FOLDS + 1, 1 / PUBLISHED_FOLDS, self.valid_fraction, self.classes)
        shuffled = StratifiedKFold(PUBLISHED_FOLDS, shuffle=True, random_state=PUBLISHED_STATE)
        published = []
        for others, test in shuffled.split(examples.y[:, None], examples.y):
            train, valid = train_test_split(
                others, test_size=self.valid_fraction, stratify=examples.y[others], random_state=PUBLISHED_STATE
            )
            published.append(Fold(np.sort(train), np.sort(valid), np.sort(test)))
        return published
