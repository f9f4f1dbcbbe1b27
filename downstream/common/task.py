"""The interfaces of a downstream task and of its classifiers.

A *stream* is one recording with a label for each sample. A *model* cuts streams into examples; a *task* defines how the
examples are split. The model is fitted on clean examples, and is then frozen and run on clean, noisy and denoised
examples.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from cleansemg.core.layout import Layout
    from cleansemg.settings import Settings

Protocol = Literal["subjects", "published"]
Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Stream:
    """One recording at the task's rate.

    Attributes:
        database, subject, name: identify the stream, unique together (`name` is `Recording.exercise`).
        signal: [C, L] volts.
        label: [L] class number of each sample, from 1; 0 for none (rest). Each task defines its classes.
        repetition: [L] repetition of the class; 0 for none.
        fs_hz: sampling rate, Hz.
        channels: [C] names.
    """

    database: str
    subject: str
    name: str
    signal: Float32
    label: Int64
    repetition: Int64
    fs_hz: float
    channels: tuple[str, ...]

    @property
    def key(self) -> str:
        """DATABASE/SUBJECT/NAME, unique among streams."""
        return f"{self.database}/{self.subject}/{self.name}"

    @property
    def person(self) -> str:
        """DATABASE/SUBJECT, unique among people."""
        return f"{self.database}/{self.subject}"


@dataclass(frozen=True)
class Examples:
    """Inputs of a classifier and their classes, one row for each example.

    Attributes:
        x: [n, ...] inputs of the model.
        y: [n] class, from 0.
        person: [n] `Stream.person`.
        stream: [n] `Stream.key`.
        start: [n] first sample in the stream; unique together with `stream`.
        repetition: [n] repetition of the class; 0 for none.
    """

    x: NDArray[Any]
    y: Int64
    person: NDArray[np.str_]
    stream: NDArray[np.str_]
    start: Int64
    repetition: Int64

    def __len__(self) -> int:
        return len(self.y)

    def select(self, rows: NDArray[Any]) -> Examples:
        """The examples of some rows (indices or a mask)."""
        return Examples(
            self.x[rows], self.y[rows], self.person[rows], self.stream[rows], self.start[rows], self.repetition[rows]
        )


def join(parts: Sequence[Examples]) -> Examples:
    """Concatenate examples, in order; `parts` must not be empty."""
    return Examples(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in Examples.__dataclass_fields__)
    )


@dataclass(frozen=True)
class Fit:
    """Where and how a model is fitted.

    Attributes:
        folder: folder for the files of the model: checkpoints, curves, results of the grid search.
        seed: the configuration's.
        recipe: values that override the model's recipe (networks).
        label: name in progress messages; also a key of the random draws of the fit.
        n_classes: number of classes of the task; None: derived from the examples.
        threads: number of threads of a network; it affects the last digits.
        force: whether a checkpoint of another fit may be deleted.
    """

    folder: Path
    seed: int
    recipe: Mapping[str, Any]
    label: str
    n_classes: int | None = None
    threads: int = 1
    force: bool = False


@dataclass(frozen=True)
class Fold:
    """Rows of the training, validation and test examples."""

    train: Int64
    valid: Int64
    test: Int64

    def shares_people(self, examples: Examples) -> bool:
        """Whether a person with test examples also has training or validation examples."""
        fitted_people = {*examples.person[self.train].tolist(), *examples.person[self.valid].tolist()}
        return bool(fitted_people & set(examples.person[self.test].tolist()))


class Model(ABC):
    """One classifier of a task."""

    name: ClassVar[str]

    @abstractmethod
    def examples(self, stream: Stream, clean: Stream) -> Examples:
        """Cut a stream into examples.

        Args:
            stream: clean, noisy or denoised.
            clean: the clean stream of the same recording, for models that need it as a reference; labels are equal.

        Returns:
            The same examples in the same order for every version of a stream: the selection must not depend on the
            signal.

        Raises:
            ItemError: the stream cannot be cut.
        """

    @abstractmethod
    def fit(self, train: Examples, valid: Examples, fit: Fit) -> None:
        """Fit to `train`; model selection uses `valid`."""

    @abstractmethod
    def scores(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """Return a score for each class, [n, K]; the highest is the answer. A row must not depend on other rows."""


class Task(ABC):
    """A task: its classes, its models, and its split into parts.

    Attributes:
        name: name of the task.
        classes: names of the classes, by number from 0.
        fs_hz: sampling rate of the streams, Hz.
        band_hz: pass band of the filter that is applied to recordings first, Hz. None: the recordings are not raw
            signals but envelopes at `fs_hz`; they are used unchanged, without noise and denoising.
        same_channels: whether all recordings must have the same channels in the same order, because models use them
            together. False: models use one channel, whatever its name.
    """

    name: ClassVar[str]
    classes: tuple[str, ...]
    fs_hz: float = 1000.0
    band_hz: tuple[float, float] | None = (20.0, 450.0)
    same_channels: ClassVar[bool] = True

    @property
    def takes_noise(self) -> bool:
        """Whether noise can be mixed into the recordings."""
        return self.band_hz is not None

    @abstractmethod
    def models(self) -> dict[str, Model]:
        """New classifiers by name."""

    def controls(self) -> dict[str, Model]:
        """Return fresh classifiers that get no signal, by the name of their row; none by default.

        Each is fitted and tested in the folds of every other classifier and is a row in its table: what is not better
        than a control says nothing about signals.
        """
        return {}

    @abstractmethod
    def folds(self, examples: Examples, protocol: Protocol, seed: int) -> list[Fold]:
        """Split examples into training, validation and test; must not use `x`.

        With `subjects`, the parts of a fold share no person. `published` reproduces the split of the source.
        """

    def extras(
        self, settings: Settings, layout: Layout, names: Sequence[str] | None, models: Sequence[str]
    ) -> list[str]:
        """Write the task-specific results, besides tables and confusion matrices, below `layout.tables`.

        Args:
            settings: the configuration.
            layout: folders with finished predictions.
            names: the denoisers of the run; None: the configuration's.
            models: the classifiers of the run.

        Returns:
            Lines for the report that name the files.
        """
        return []
