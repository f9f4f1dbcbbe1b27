"""A task on top of the denoisers, and its classifiers: the interfaces.

A *stream* is one recording with a label for each sample. A *model* cuts examples out of streams; a
task says how these are split. The model is fitted on clean examples, and is then frozen and run on clean, noisy and
denoised ones.
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
        database, subject, name: who and what, together unique (`name` as `Recording.exercise`).
        signal: [C, L] volts.
        label: [L] class of each sample, 0 where there is none (rest); a task says what its classes are.
        repetition: [L] of the class, 0 where there is none.
        fs_hz: sampling rate.
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
        """Unique among streams."""
        return f"{self.database}/{self.subject}/{self.name}"

    @property
    def person(self) -> str:
        """The subject, told apart between databases."""
        return f"{self.database}/{self.subject}"


@dataclass(frozen=True)
class Examples:
    """What a classifier is fitted on or asked about, one row an example.

    Attributes:
        x: [n, ...] inputs of the model.
        y: [n] class, from 0.
        person: [n] `Stream.person`.
        stream: [n] `Stream.key`.
        start: [n] first sample in the stream; with `stream` unique.
        repetition: [n] repetition of the class; 0 where there is none.
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
        """Some rows."""
        return Examples(
            self.x[rows], self.y[rows], self.person[rows], self.stream[rows], self.start[rows], self.repetition[rows]
        )


def join(parts: Sequence[Examples]) -> Examples:
    """Rows of all, in order; at least one part."""
    return Examples(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in Examples.__dataclass_fields__)
    )


@dataclass(frozen=True)
class Fit:
    """Where and how a model is fitted.

    Attributes:
        folder: for what the model keeps: checkpoints, curves, the grid that was searched.
        seed: the configuration's.
        recipe: values over the model's own recipe (networks).
        label: what progress lines say; names the draws of the fit.
        n_classes: of the task; None: as many as the examples have.
        threads: of a network's arithmetic; decides the last digits.
        force: a checkpoint of another fit is in the way and may go.
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
    """Rows of the examples: what is fitted on, selected on and tested."""

    train: Int64
    valid: Int64
    test: Int64

    def shares_people(self, examples: Examples) -> bool:
        """Whether somebody tested is also fitted or selected on."""
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
            clean: the clean stream of the same recording, for rules that refer to it; labels are the same.

        Returns:
            The same examples in the same order for every version of a stream; none are left out for what
            the signal looks like.
        """

    @abstractmethod
    def fit(self, train: Examples, valid: Examples, fit: Fit) -> None:
        """Fit to `train`; whatever is selected is selected on `valid`."""

    @abstractmethod
    def scores(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """[n, K] of each class; the highest is the answer. Rows do not depend on one another."""


class Task(ABC):
    """A task: its classes, its models, and who is in which part.

    Attributes:
        name: of the task.
        classes: names of the classes, by number.
        fs_hz: rate at which it works.
        band_hz: of the recordings before all else. None: they are not signals but something made of them (an envelope),
            already at `fs_hz`; they are taken as they are, and nothing can be mixed into them or denoised.
        same_channels: of all recordings, in the same order, because models take them together. False: models take one
            channel, whatever its name.
    """

    name: ClassVar[str]
    classes: tuple[str, ...]
    fs_hz: float = 1000.0
    band_hz: tuple[float, float] | None = (20.0, 450.0)
    same_channels: ClassVar[bool] = True

    @property
    def takes_noise(self) -> bool:
        """Whether there is a noisy version of a recording."""
        return self.band_hz is not None

    @abstractmethod
    def models(self) -> dict[str, Model]:
        """Fresh classifiers by name."""

    @abstractmethod
    def folds(self, examples: Examples, protocol: Protocol, seed: int) -> list[Fold]:
        """Who is fitted on, selected on and tested; `x` is not looked at.

        With `subjects`, the parts of a fold share no person. `published` repeats the source's split.
        """

    def extras(
        self, settings: Settings, layout: Layout, names: Sequence[str] | None, models: Sequence[str]
    ) -> list[str]:
        """What the report of this task shows beyond tables and confusion matrices, written below `layout.tables`.

        Args:
            settings: the configuration.
            layout: of finished predictions.
            names: the denoisers of the run; None: the configuration's.
            models: the classifiers of the run.

        Returns:
            Lines for the report, with the files' names.
        """
        return []
