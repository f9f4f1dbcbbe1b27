"""The gesture task: classify the movement in a window of the envelope (protocol A11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from cleansemg.core.errors import UserError
from cleansemg.downstream.common import folds
from cleansemg.downstream.common.task import Examples, Fold, Model, Protocol, Task
from cleansemg.downstream.gesture.contrastive import ContrastiveRecipe
from cleansemg.downstream.gesture.model import STCNetModel, STCNetWithoutContrast
from cleansemg.downstream.gesture.windows import ENVELOPE_HZ, Cutting, Scaling


class GestureTask(Task):
    """Classify gestures from the envelope with STCNet.

    Args:
        movements: number of classes of each exercise, in order: [17, 23, 9] in DB2, [12, 17, 23] in DB1 and DB4.
        steps, step_samples, hop_s, pad, scaling: see `windows.Cutting`.
        size: full, the published 6.7 million parameters, or small.
        contrastive: values that override those of `ContrastiveRecipe`, the recipe of the first stage.
        warped: also augment the second stage.
        n_folds: number of folds over people, with the protocol `subjects`.
        train_repetitions, test_repetitions: repetitions in each part, with the protocol `published`.
        envelope: recordings are envelopes at 100 Hz (DB1): they are not filtered, and no noise can be mixed into them.

    Raises:
        ValueError: an invalid value of a parameter.
    """

    name = "gesture"

    def __init__(
        self,
        movements: Sequence[int] = (17, 23, 9),
        steps: int = 25,
        step_samples: int = 20,
        hop_s: float | None = None,
        pad: bool = True,
        scaling: Scaling = "minmax",
        size: str = "full",
        contrastive: Mapping[str, Any] | None = None,
        warped: bool = False,
        n_folds: int = 5,
        train_repetitions: Sequence[int] = (1, 3, 4, 6),
        test_repetitions: Sequence[int] = (2, 5),
        envelope: bool = False,
    ) -> None:
        if not movements or min(movements) < 1:
            raise ValueError(f"movements: a number of classes for each exercise, got {list(movements)}")
        if envelope and scaling == "log":
            raise ValueError("envelope: scaling: minmax is what DB1 is published with; log needs volts")
        self._cutting = Cutting(steps, step_samples, hop_s, pad, scaling, tuple(movements))
        self._size, self._warped, self._n_folds = size, warped, n_folds
        self._contrastive = replace(ContrastiveRecipe(), **(contrastive or {}))
        self._train, self._test = tuple(train_repetitions), tuple(test_repetitions)
        self.classes = tuple(f"movement {number}" for number in range(1, sum(movements) + 1))
        self.fs_hz = ENVELOPE_HZ if envelope else 1000.0
        self.band_hz = None if envelope else (20.0, 500.0)

    def models(self) -> dict[str, Model]:
        """STCNet after its contrastive stage, and without it."""
        both: tuple[STCNetModel, ...] = (
            STCNetModel(self._cutting, self._size, self._contrastive, self._warped),
            STCNetWithoutContrast(self._cutting, self._size, None, self._warped),
        )
        return {model.name: model for model in both}

    def folds(self, examples: Examples, protocol: Protocol, seed: int) -> list[Fold]:
        """Split by person; `published`: by repetition, all parts share people; the highest of training validates.

        Raises:
            UserError: no windows, a class with too few people, or a part without windows.
        """
        if not len(examples):
            raise UserError("gesture: the recordings hold no trial; labels are 0 throughout")
        if protocol == "published":
            return folds.by_repetition(examples, self._train, self._test)
        return folds.by_subject(examples, seed, n_folds=self._n_folds, classes=self.classes)
