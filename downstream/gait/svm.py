"""The SVM that the gait study compares with its CNN: four features per channel, RBF kernel, grid search.

The study states neither the grid nor the threshold of WAMP. Here, C, gamma and the threshold are searched by
cross-validation over the training people.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError
from cleansemg.core.npz import atomic_write
from cleansemg.downstream.common import features
from cleansemg.downstream.common.task import Examples, Fit, Float32, Model, Stream
from cleansemg.downstream.gait.windows import Cutting, balanced, cut, moments

GRID = "grid.csv"


@dataclass(frozen=True)
class Search:
    """The grid search.

    Attributes:
        c: values of the penalty C.
        gamma: values of the kernel coefficient; "scale" is 1 / number of features, because features have unit variance.
        wamp_threshold: values of the threshold, in standard deviations of the channel.
        n_folds: number of folds over training people, at least 2.
        search_windows: maximum number of windows per class in the search.
        fit_windows: maximum number of windows per class in the final fit; None: all windows.

    Raises:
        ValueError: an empty list of values, or fewer than 2 folds.
    """

    c: Sequence[float] = (1.0, 10.0, 100.0)
    gamma: Sequence[float | str] = ("scale", 0.01, 0.003)
    wamp_threshold: Sequence[float] = (0.03, 0.1, 0.3)
    n_folds: int = 3
    search_windows: int = 400
    fit_windows: int | None = None

    def __post_init__(self) -> None:
        for name in ("c", "gamma", "wamp_threshold"):
            if not getattr(self, name):
                raise ValueError(f"svm.{name} is empty, expected at least one value")
        if self.n_folds < 2:
            raise ValueError(f"svm.n_folds is {self.n_folds}, expected at least 2")


def gait_features(x: Float32, wamp_threshold: float) -> NDArray[np.float64]:
    """RMS, WL, ZC and WAMP of each channel: z-scored windows [n, C, w] -> [n, 4 C], feature by feature."""
    n, n_channels, length = x.shape
    flat = x.reshape(n * n_channels, length)
    columns = [
        features.rms(flat),
        features.waveform_length(flat),
        features.zero_crossings(flat),
        features.wamp(flat, wamp_threshold),
    ]
    return np.concatenate([column.reshape(n, n_channels) for column in columns], axis=1)


class GaitSvm(Model):
    """RBF-SVM on `gait_features`."""

    name = "svm"

    def __init__(self, cutting: Cutting, search: Search) -> None:
        self.cutting = cutting
        self.search = search
        self._pipeline: Any = None
        self._scale: tuple[Float32, Float32] | None = None
        self._threshold = 0.0
        self._n_classes = 0

    def examples(self, stream: Stream, clean: Stream) -> Examples:
        """Windows [n, C, w]; `fit` and `scores` compute the features, which depend on the WAMP threshold."""
        return cut(stream, self.cutting)

    def fit(self, train: Examples, valid: Examples, fit: Fit) -> None:
        """Search the parameters by cross-validation over the training people, then fit to all of them; ignores `valid`.

        Writes the results of the search to grid.csv in `fit.folder`.

        Raises:
            UserError: fewer than two training people, or one class.
        """
        people = len(np.unique(train.person))
        if people < 2 or len(np.unique(train.y)) < 2:
            raise UserError(f"{fit.label}: the grid search needs two training people and two classes; add subjects")
        self._n_classes = fit.n_classes or int(train.y.max()) + 1
        self._scale = moments(train.x) if self.cutting.zscore == "training" else None
        every = np.arange(len(train))
        searched = train.select(balanced(train, every, fit.seed, fit.label, "search", limit=self.search.search_windows))
        rows = self._search(searched, min(self.search.n_folds, people))
        best = max(rows, key=lambda row: row["balanced_accuracy"])
        self._threshold = best["wamp_threshold"]
        selected = every
        if self.search.fit_windows is not None:
            selected = balanced(train, every, fit.seed, fit.label, "fit", limit=self.search.fit_windows)
        fitted = train.select(selected)
        self._pipeline = _pipeline().set_params(svc__C=best["c"], svc__gamma=best["gamma"])
        self._pipeline.fit(self._features(fitted.x, self._threshold), fitted.y)
        text = io.StringIO()
        writer = csv.DictWriter(text, [*rows[0], "chosen"], lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "chosen": int(row is best)} for row in rows)
        atomic_write(fit.folder / GRID, text.getvalue().encode())

    def scores(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """Return one-against-rest decision values [n, K]; -1000 for a class without training examples."""
        decision = np.asarray(self._pipeline.decision_function(self._features(x, self._threshold)), np.float64)
        if decision.ndim == 1:  # with two classes, there is one value: of the second class
            decision = np.stack([-decision, decision], axis=1)
        scores = np.full((len(x), self._n_classes), -1e3)
        scores[:, self._pipeline.classes_] = decision
        return scores

    def _search(self, train: Examples, n_folds: int) -> list[dict[str, Any]]:
        """Search the grid; returns one row for each candidate, with its mean balanced accuracy."""
        from sklearn.model_selection import GridSearchCV, GroupKFold

        grid = {"svc__C": list(self.search.c), "svc__gamma": list(self.search.gamma)}
        rows: list[dict[str, Any]] = []
        for threshold in self.search.wamp_threshold:
            search = GridSearchCV(_pipeline(), grid, scoring="balanced_accuracy", cv=GroupKFold(n_folds), refit=False)
            search.fit(self._features(train.x, threshold), train.y, groups=train.person)
            for tried, score in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True):
                rows.append(
                    {"wamp_threshold": threshold, "c": tried["svc__C"], "gamma": tried["svc__gamma"],
                     "balanced_accuracy": float(score)}
                )  # fmt: skip
        return rows

    def _features(self, x: NDArray[Any], threshold: float) -> NDArray[np.float64]:
        if self._scale is not None:
            x = (x - self._scale[0][:, None]) / self._scale[1][:, None]
        return gait_features(x, threshold)


def _pipeline() -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    return make_pipeline(StandardScaler(), SVC(kernel="rbf", decision_function_shape="ovr", cache_size=200))
