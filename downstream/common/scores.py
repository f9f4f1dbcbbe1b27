"""Measures of the quality of answers over classes, and their intervals over people by the jackknife.

Point values are computed by scikit-learn. The jackknife needs them without each person in turn; it computes the same
values from counts of each person. Measures are over the answers of all people together, and most are no means over
people, so that their interval is the jackknife's with a t quantile, which of a mean is the t interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleansemg.evaluation.stats.intervals import jackknife_interval

FloatArray = NDArray[np.float64]

MEASURES = ("accuracy", "f1", "precision", "recall", "balanced_accuracy", "specificity", "auc")


@dataclass(frozen=True)
class Answers:
    """A classifier's answers to one input.

    Attributes:
        label: [n] true class, from 0.
        predicted: [n] answered class.
        scores: [n, K] score of each class.
        person: [n] the person of each example.
    """

    label: NDArray[np.int64]
    predicted: NDArray[np.int64]
    scores: FloatArray
    person: NDArray[np.str_]

    @property
    def n_classes(self) -> int:
        return int(self.scores.shape[1])


@dataclass(frozen=True)
class Counts:
    """Counts from which the measures follow for any weights of the people.

    Attributes:
        confusion: [P, K, K] examples of true class i (row) answered as j (column).
        ordered: [K, P, P] number of pairs (an example of class k from person p, an example of another class from
            person q) in which the first has the higher score of class k; equal scores count 1/2.
    """

    confusion: FloatArray
    ordered: FloatArray


def measures(answers: Answers) -> dict[str, float]:
    """Compute every measure with scikit-learn, except specificity.

    Precision, recall, F1 and specificity are means over the classes that occur as label or answer; a class that is
    never answered has precision 0. Balanced accuracy is the mean recall of the classes that occur as label. AUC is the
    mean over classes of the one-against-rest AUC; NaN if a class does not occur as label. Without answers, all
    measures are NaN.
    """
    from sklearn import metrics

    label, predicted = answers.label, answers.predicted
    if not len(label):
        return dict.fromkeys(MEASURES, float("nan"))
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        label, predicted, average="macro", zero_division=0.0
    )
    values = {
        "accuracy": metrics.accuracy_score(label, predicted),
        "f1": f1,
        "precision": precision,
        "recall": recall,
        "balanced_accuracy": metrics.recall_score(label, predicted, labels=np.unique(label), average="macro"),
        "specificity": _specificity(confusion(answers)[None])[0],
        "auc": float("nan"),
    }
    classes = range(answers.n_classes)
    if set(label.tolist()) == set(classes) and answers.n_classes > 1:
        values["auc"] = np.mean([metrics.roc_auc_score(label == k, answers.scores[:, k]) for k in classes])
    return {name: float(values[name]) for name in MEASURES}


def confusion(answers: Answers) -> FloatArray:
    """Confusion matrix [K, K]: number of examples of true class i (row) answered as j (column)."""
    k = answers.n_classes
    cells = np.bincount(answers.label * k + answers.predicted, minlength=k * k)
    return cells.reshape(k, k).astype(np.float64)


def count(answers: Answers, people: Sequence[str]) -> Counts:
    """Count for each of `people`, which must be sorted and may include people without answers here."""
    owner = np.searchsorted(np.array(people), answers.person)
    n_people, k = len(people), answers.n_classes
    cells = np.bincount((owner * k + answers.label) * k + answers.predicted, minlength=n_people * k * k)
    ordered = np.zeros((k, n_people, n_people))
    for label in range(k):
        score, positive = answers.scores[:, label], answers.label == label
        for other in np.unique(owner[~positive]):
            below = np.sort(score[~positive & (owner == other)])
            wins = np.searchsorted(below, score[positive], "left") + np.searchsorted(below, score[positive], "right")
            ordered[label, :, other] = np.bincount(owner[positive], wins / 2, n_people)
    return Counts(cells.reshape(n_people, k, k).astype(np.float64), ordered)


def weighted(counts: Counts, weights: FloatArray) -> dict[str, FloatArray]:
    """Every measure [B] if person p counts `weights[b, p]` times; `weights` is [B, P]."""
    cells = np.tensordot(weights, counts.confusion, axes=1)  # [B, K, K]
    true, answered = cells.sum(axis=2), cells.sum(axis=1)  # [B, K]
    right = np.diagonal(cells, axis1=1, axis2=2)
    total = true.sum(axis=1)
    occurs = (true > 0) | (answered > 0)
    recall = _over(right, true)
    return {
        "accuracy": _over(right.sum(axis=1), total, np.nan),
        "f1": _mean(_over(2 * right, true + answered), occurs),
        "precision": _mean(_over(right, answered), occurs),
        "recall": _mean(recall, occurs),
        "balanced_accuracy": _mean(recall, true > 0),
        "specificity": _specificity(cells),
        "auc": _auc(counts, weights),
    }


def left_out(counts: Counts) -> dict[str, FloatArray]:
    """Every measure without each person in turn, [P]; a person without answers is not left out, for nothing changes."""
    present = counts.confusion.sum(axis=(1, 2)) > 0
    return weighted(counts, (1.0 - np.eye(len(present)))[present])


def left_out_gain(gain: FloatArray, person: NDArray[np.str_]) -> FloatArray:
    """Mean over examples of `gain` without each person in turn, [P].

    Args:
        gain: [n] value of each example.
        person: [n] the person of each example.
    """
    names, owner = np.unique(person, return_inverse=True)
    sums, counts = np.bincount(owner, gain, len(names)), np.bincount(owner, minlength=len(names))
    return _over(gain.sum() - sums, (len(gain) - counts).astype(np.float64), np.nan)


def limits(value: float, without: FloatArray, confidence: float) -> tuple[float, float]:
    """Interval of a measure, which lies between 0 and 1; NaN below two people."""
    low, high = np.clip(jackknife_interval(value, without, confidence), 0.0, 1.0)
    return float(low), float(high)


def _auc(counts: Counts, weights: FloatArray) -> FloatArray:
    n_of_class = counts.confusion.sum(axis=2)  # [P, K]
    positive = weights @ n_of_class  # [B, K]
    negative = weights @ (n_of_class.sum(axis=1, keepdims=True) - n_of_class)
    ordered = np.stack([((weights @ pairs) * weights).sum(axis=1) for pairs in counts.ordered], axis=1)  # [B, K]
    mean: FloatArray = _over(ordered, positive * negative, np.nan).mean(axis=1)
    return mean


def _specificity(cells: FloatArray) -> FloatArray:
    """Mean specificity over the occurring classes: [B, K, K] -> [B]."""
    true, answered = cells.sum(axis=2), cells.sum(axis=1)
    others = true.sum(axis=1, keepdims=True) - true
    wrong = answered - np.diagonal(cells, axis1=1, axis2=2)
    return _mean(_over(others - wrong, others), ((true > 0) | (answered > 0)) & (others > 0))


def _over(a: FloatArray, b: FloatArray, otherwise: float = 0.0) -> FloatArray:
    ratio: FloatArray = np.divide(a, b, out=np.full(np.shape(a), otherwise), where=b > 0)
    return ratio


def _mean(values: FloatArray, which: NDArray[np.bool_]) -> FloatArray:
    return _over(np.where(which, values, 0.0).sum(axis=1), which.sum(axis=1).astype(np.float64), np.nan)
