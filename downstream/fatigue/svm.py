"""Support vector machine on eight features per channel, relative to the rested muscle, and on their changes."""

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
    """Compute the features of windows: [n, C, L] -> [n, C, 8], in the order of `FEATURES`."""
    n, n_channels, size = windows.shape
    flat = windows.reshape(n * n_channels, size)
    time = [features.rms(flat), features.mav(flat), features.waveform_length(flat), features.zero_crossings(flat)]
    columns = np.concatenate([np.stack(time, axis=1), features.spectral(flat, fs_hz)], axis=1)
    return columns.reshape(n, n_channels, len(FEATURES))


class FatigueSvm(Model):
    """SVM with an RBF kernel, C = 10 and balanced classes; features are standardised by the clean training windows.

    There is no model selection, so the validation windows are used for training, too.
    """

    name = "svm"

    def __init__(self, cutting: Cutting, reference: Literal["clean", "input"], n_classes: int) -> None:
        self._cutting, self._reference, self._n_classes = cutting, reference, n_classes
        self._pipeline: Any = None

    def examples(self, stream: Stream, clean: Stream) -> Examples:
        """Features [n, 16 C]: 8 C features over their means in the reference windows of the trial, and 8 C changes.

        A change is the difference to the previous window; 0 for the first window.

        Raises:
            ItemError: the stream is shorter than a window, or a channel contains NaN or infinity.
        """
        first, y = self._cutting.starts(stream)
        features = window_features(self._cutting.windows(stream, first), stream.fs_hz)  # [n, C, 8]
        if len(y):
            known = features
            if self._reference == "clean" and clean is not stream:
                known = window_features(self._cutting.windows(clean, first), clean.fs_hz)
            reference = known[fresh(y)].mean(axis=0)  # [C, 8]
            features = features / np.where(reference == 0, 1, reference)  # a silent channel has the value 0
        change = np.diff(features, axis=0, prepend=features[:1])
        x = np.concatenate([features.reshape(len(y), -1), change.reshape(len(y), -1)], axis=1)
        return as_examples(x, stream, first, y)

    def fit(self, train: Examples, valid: Examples, fit: Fit) -> None:
        """Fit to training and validation examples together.

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
        """Return one-against-rest decision values [n, K]; a class without training examples has the lowest value."""
        values = self._pipeline.decision_function(x)
        if values.ndim == 1:  # with two classes, there is one value
            values = np.stack([-values, values], axis=1)
        scores = np.full((len(x), self._n_classes), values.min(initial=0) - 1)
        scores[:, self._pipeline.classes_] = values
        return scores
