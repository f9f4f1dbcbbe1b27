"""Read predictions and compute the results of each input."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.artifact import Artifact
from cleansemg.downstream.common import scores
from cleansemg.downstream.common.assess import LEAKS, SCHEMA
from cleansemg.downstream.common.scores import MEASURES, Answers
from cleansemg.downstream.common.streams import CLEAN, NOISY
from cleansemg.evaluation.settings import Tables
from cleansemg.evaluation.stats.comparisons import Comparison, compare_values, corrected
from cleansemg.evaluation.stats.intervals import jackknife_interval


@dataclass(frozen=True)
class InputResult:
    """Results of a classifier on one input: clean, noisy or one denoiser's streams.

    Attributes:
        name: name of the input.
        values: measure -> value, as a fraction (0 to 1).
        interval: measure -> lower and upper limit; NaN with fewer than two people.
        over_noisy: accuracy minus the accuracy of the noisy input, and its limits (the same resampled people in both),
            over the examples that both inputs have; NaN without a noisy input.
        confusion: [K, K] counts, true class by row.
        n_examples: number of tested examples.
        n_people: number of people they come from.
        n_failed: number of test examples without an answer because their stream failed.
        fold_accuracy: accuracy in each fold.
    """

    name: str
    values: Mapping[str, float]
    interval: Mapping[str, tuple[float, float]]
    over_noisy: tuple[float, float, float]
    confusion: NDArray[np.float64]
    n_examples: int
    n_people: int
    n_failed: int
    fold_accuracy: tuple[float, ...]


@dataclass(frozen=True)
class ModelResult:
    """One classifier of a task on all inputs."""

    task: str
    model: str
    protocol: str
    classes: tuple[str, ...]
    leaks: bool
    n_unread: int
    n_uncut: int
    n_people: int
    largest_class: float  # fraction of the tested examples that the most frequent class has
    inputs: tuple[InputResult, ...]
    pairs: tuple[Comparison, ...]  # accuracy of every two inputs except clean and controls, over people
    controls: tuple[str, ...] = ()  # names of the inputs that are no signals, see `Task.controls`

    @property
    def n_folds(self) -> int:
        """Number of folds; each has test examples."""
        return len(self.inputs[0].fold_accuracy)

    def input(self, name: str) -> InputResult | None:
        """The results of the input `name`; None if it does not exist."""
        return next((result for result in self.inputs if result.name == name), None)


def read(folder: Path, settings: Tables) -> ModelResult:
    """Read the predictions of one classifier and compute its results.

    Raises:
        ArtifactError: the predictions are absent, unfinished or altered.
    """
    artifact = Artifact.open(folder, SCHEMA)
    columns = artifact.columns("input", "label", "predicted", "scores", "person", "fold", "stream", "start", LEAKS)
    info = artifact.manifest.info
    names, controls = list(info["inputs"]), tuple(info.get("controls", ()))
    rows = {name: np.flatnonzero(columns["input"] == name) for name in names}
    tested = rows[names[0]]
    people = sorted(set(columns["person"][tested].tolist()))
    answers = {
        name: Answers(*(columns[key][at] for key in ("label", "predicted", "scores", "person")))
        for name, at in rows.items()
    }
    left_out = {name: scores.left_out(scores.count(given, people)) for name, given in answers.items()}
    values = {name: scores.measures(given) for name, given in answers.items()}
    right = _right(columns, rows)
    inputs = []
    for name in names:
        given, fold = answers[name], columns["fold"][rows[name]]
        correct = given.label == given.predicted
        over_noisy = (float("nan"),) * 3
        if NOISY in names:
            over_noisy = _gain(right, name, NOISY, settings)
        inputs.append(
            InputResult(
                name=name,
                values=values[name],
                interval={m: scores.limits(values[name][m], left_out[name][m], settings.confidence) for m in MEASURES},
                over_noisy=over_noisy,
                confusion=scores.confusion(given),
                n_examples=len(given.label),
                n_people=len(set(given.person.tolist())),
                n_failed=len(tested) - len(given.label),
                fold_accuracy=tuple(float(correct[fold == k].mean()) for k in np.unique(fold)),
            )
        )
    label = columns["label"][tested]
    return ModelResult(
        task=info["task"],
        model=info["model"],
        protocol=info["protocol"],
        classes=tuple(info["classes"]),
        leaks=bool(columns[LEAKS].any()),
        n_unread=int(info["n_unread"]),
        n_uncut=int(info["n_uncut"]),
        n_people=len(people),
        largest_class=float(np.bincount(label).max() / len(label)),
        inputs=tuple(inputs),
        pairs=_pairs(right, [name for name in names if name != CLEAN and name not in controls], settings),
        controls=controls,
    )


@dataclass(frozen=True)
class Right:
    """All examples for which at least one input has an answer.

    Attributes:
        person: [n] the person of each example.
        inputs: name -> [n] 1 for a correct answer, 0 for a wrong one, NaN for none.
    """

    person: NDArray[np.str_]
    inputs: Mapping[str, NDArray[np.float64]]


def _right(columns: Mapping[str, NDArray[Any]], rows: Mapping[str, NDArray[np.int64]]) -> Right:
    """Align the answers of all inputs; an example is identified by fold, stream and start."""
    position: dict[tuple[int, str, int], int] = {}
    places = {}
    for name, at in rows.items():
        keys = zip(*(columns[key][at].tolist() for key in ("fold", "stream", "start")), strict=True)
        places[name] = np.array([position.setdefault(key, len(position)) for key in keys], np.int64)
    right = {name: np.full(len(position), np.nan) for name in rows}
    person = np.empty(len(position), columns["person"].dtype)
    for name, at in rows.items():
        right[name][places[name]] = columns["label"][at] == columns["predicted"][at]
        person[places[name]] = columns["person"][at]
    return Right(person, right)


def _gain(right: Right, name: str, other: str, settings: Tables) -> tuple[float, float, float]:
    """Accuracy of one input minus that of another, over common examples, and its limits; NaN without any."""
    difference = right.inputs[name] - right.inputs[other]
    both = np.isfinite(difference)
    if not both.any():
        return (float("nan"),) * 3
    gain = float(difference[both].mean())
    without = scores.left_out_gain(difference[both], right.person[both])
    return gain, *jackknife_interval(gain, without, settings.confidence)


def _pairs(right: Right, names: Sequence[str], settings: Tables) -> tuple[Comparison, ...]:
    """Compare the accuracy of every two inputs over people, on the examples that both have."""
    comparisons = [
        compare_values(right.inputs[a] - right.inputs[b], right.person, ("", "accuracy", a, b), settings)
        for a, b in itertools.combinations(names, 2)
    ]
    return tuple(corrected(comparisons))
