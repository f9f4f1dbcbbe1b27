"""Support vector machine on eight features a channel, relative to the fresh muscle, and their change."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError
from cleansemg.downstream.common import features
from cleansemg.downstream.common.task import Examples, Fit, Float32, Model, Stream, join
from cleansemg.downstream.fatigue.windows import Cutting, as_examples, fresh

FEATURES = ("rms", "mav", "waveform_length", "zero_crossings", *features.SPECTRAL)


def window_features(windows: Float32, fs_hz: float) -> NDArray[np.float64]:
    """[n, C, L] -> [n, C, 8], in the order of `FEATURES`."""
    n, n_channels, size = windows.shape
    flat = windows.reshape(n * n_channels, size)
    time = [features.rms(flat), features.mav(flat), features.waveform_length(flat), features.zero_crossings(flat)]
    columns = np.concatenate([np.stack(time, axis=1), features.spectral(flat, fs_hz)], axis=1)
    return columns.reshape(n, n_channels, len(FEATURES))


class FatigueSvm(Model):
    """Radial basis functions, C = 10, classes balanced; features scaled by those of the clean fitting windows.

    Nothing is selected, so the validation people are fitted on, too.
    """

    name = "svm"

    def __init__(self, cutting: Cutting, reference: Literal["clean", "input"], n_classes: int) -> None:
        self._cutting, self._reference, self._n_classes = cutting, reference, n_classes
        self._pipeline: Any = None

    def examples(self, stream: Stream, clean: Stream) -> Examples:
        """[n, 16 C] features over their mean in the trial's fresh windows, and their change from window to window."""
        first, y = self._cutting.starts(stream)
        features = window_features(self._cutting.windows(stream, first), stream.fs_hz)  # [n, C, 8]
        if len(y):
            known = features
            if self._reference == "clean" and clean is not stream:
                known = window_features(self._cutting.windows(clean, first), clean.fs_hz)
            reference = known[fresh(y)].mean(axis=0)  # [C, 8]
            features = features / np.where(reference == 0, 1, reference)  # a silent channel stays at 0
        change = np.diff(features, axis=0, prepend=features[:1])
        x = np.concatenate([features.reshape(len(y), -1), change.reshape(len(y), -1)], axis=1)
        return as_examples(x, stream, first, y)

    def fit(self, train: Examples, valid: Examples, fit: Fit) -> None:
        """Fit to both.

        Raises:
            UserError: all examples have one class.
        """
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        both = join([train, valid])
        if len(set(both.y.tolist())) < 2:
            raise UserError(f"{fit.label}: all {len(both)} windows have one class; there is nothing to tell apart")
        self._pipeline = make_pipeline(StandardScaler(), SVC(C=10.0, gamma="scale", class_weight="balanced"))
        self._pipeline.fit(both.x, both.y)

    def scores(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """[n, K] decision values, one class against the rest; a class that was not fitted on comes last."""
        values = self._pipeline.decision_function(x)
        if values.ndim == 1:  # two classes have one value
            values = np.stack([-values, values], axis=1)
        scores = np.full((len(x), self._n_classes), values.min(initial=0) - 1)
        scores[:, self._pipeline.classes_] = values
        return scores
