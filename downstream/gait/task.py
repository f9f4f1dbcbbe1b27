"""The gait task: classes, models and splits."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cleansemg.core.errors import did_you_mean
from cleansemg.core.layout import Layout
from cleansemg.downstream.common import folds
from cleansemg.downstream.common.task import Examples, Fold, Model, Protocol, Task
from cleansemg.downstream.gait.cnn import GaitCnn
from cleansemg.downstream.gait.svm import GaitSvm, Search
from cleansemg.downstream.gait.windows import Cutting, Scope, balanced

if TYPE_CHECKING:
    from cleansemg.settings import Settings

log = logging.getLogger(__name__)


class GaitTask(Task):
    """Gait state from windows of EMG: band-pass 20-450 Hz, windows of 200 ms with 50 % overlap, label of the centre.

    Args:
        classes: names of the labels 1, 2, ... of the data set.
        fs_hz: sampling rate of the streams, Hz; the pretrained networks work at 1000 Hz.
        window_s, overlap, zscore, per_class: see `Cutting`.
        relabel: corrected class of recordings whose file has a wrong label, {`DATABASE/SUBJECT/NAME`: class}.
        n_folds, valid_fraction: number of folds over people, and fraction of the people who are not tested.
        test_fraction: fraction of the windows that the published split tests.
        svm: values that override those of `Search`.

    Raises:
        ValueError: an invalid parameter.
        UserError: a window shorter than 8 samples, or a step shorter than 1 sample.
    """

    name = "gait"

    def __init__(
        self,
        classes: Sequence[str],
        fs_hz: float = 1000.0,
        window_s: float = 0.2,
        overlap: float = 0.5,
        zscore: Scope = "training",
        per_class: int | None = None,
        relabel: Mapping[str, str] | None = None,
        n_folds: int = 5,
        valid_fraction: float = 0.2,
        test_fraction: float = 0.2,
        svm: Mapping[str, Any] | None = None,
    ) -> None:
        if len(classes) < 2 or len(set(classes)) < len(classes):
            raise ValueError(f"classes {list(classes)}: expected at least two, all different")
        if not 0 <= overlap < 1:
            raise ValueError(f"overlap is {overlap}, expected 0 up to below 1")
        if zscore not in ("training", "recording"):
            raise ValueError(f"zscore is '{zscore}', expected training or recording")
        if per_class is not None and per_class < 1:
            raise ValueError(f"per_class is {per_class}, expected at least 1, or null for all")
        for key, name in (relabel or {}).items():
            if name not in classes:
                raise ValueError(f"relabel of {key}: '{name}'{did_you_mean(name, classes)}")
        unknown = sorted(set(svm or {}) - set(Search.__dataclass_fields__))
        if unknown:
            raise ValueError(f"unknown svm.{unknown[0]}{did_you_mean(unknown[0], Search.__dataclass_fields__)}")
        self.classes = tuple(classes)
        self.fs_hz = float(fs_hz)
        self.band_hz = (20.0, 450.0)
        self.cutting = Cutting(window_s, overlap, zscore, per_class, dict(relabel or {}), self.classes)
        self.cutting.samples(self.fs_hz)
        self.n_folds, self.valid_fraction, self.test_fraction = n_folds, valid_fraction, test_fraction
        self.search = Search(**(svm or {}))

    def models(self) -> dict[str, Model]:
        """The CNN and the SVM."""
        return {"cnn": GaitCnn(self.cutting), "svm": GaitSvm(self.cutting, self.search)}

    def folds(self, examples: Examples, protocol: Protocol, seed: int) -> list[Fold]:
        """Split examples into training, validation and test.

        `subjects`: split by person; training windows are balanced by class, validation and test windows are not.
        `published`: windows are balanced first, as in the study, and then split at random, so a test window may share
        half of its samples with a training window.

        Raises:
            UserError: a class with too few people or windows.
        """
        for key in sorted(set(self.cutting.relabel or {}) - set(examples.stream.tolist())):
            log.warning("gait: relabel names %s, which is not among the recordings", key)
        if protocol == "subjects":
            every = folds.by_subject(
                examples, seed, n_folds=self.n_folds, valid_fraction=self.valid_fraction, classes=self.classes
            )
            return [
                replace(fold, train=balanced(examples, fold.train, seed, "fold", number))
                for number, fold in enumerate(every)
            ]
        rows = balanced(examples, np.arange(len(examples)), seed, "published")
        split = folds.random_windows(
            examples.select(rows), seed, test_fraction=self.test_fraction, classes=self.classes
        )
        return [Fold(rows[fold.train], rows[fold.valid], rows[fold.test]) for fold in split]

    def extras(
        self, settings: Settings, layout: Layout, names: Sequence[str] | None, models: Sequence[str]
    ) -> list[str]:
        """Write the table of CNN against SVM and that of the loss by epoch, if both classifiers were run."""
        from cleansemg.downstream.gait import compare

        if {"cnn", "svm"} - set(models):
            return []
        return compare.write(settings, layout, names)
