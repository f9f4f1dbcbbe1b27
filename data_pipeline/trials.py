"""Trials: the stretches of a recording in which the subject was asked to be active (A1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import ItemError
from cleansemg.data_pipeline.recording import Recording


@dataclass(frozen=True)
class Trial:
    """Samples `start` to `stop` (excluded) of a recording, at its native rate.

    Attributes:
        index: index of the trial in the recording, from 0.
        label, repetition: the most frequent value over the trial.
    """

    index: int
    start: int
    stop: int
    label: int
    repetition: int

    @property
    def n_samples(self) -> int:
        return self.stop - self.start


def find_trials(recording: Recording) -> list[Trial]:
    """The maximal runs of label > 0, in order; a recording without labels is one trial.

    Two gestures without rest between them are one run and so one trial. Its label is the one with more samples, or
    the smaller one where both have as many. A run may touch either end of the recording.

    Raises:
        ItemError: labels or repetitions do not have the length of the signal.
    """
    n_samples = recording.signal.shape[1]
    if recording.label is None:
        return [Trial(0, 0, n_samples, recording.trial_label, recording.trial_repetition)] if n_samples else []
    for name, track in (("label", recording.label), ("repetition", recording.repetition)):
        if track is not None and track.shape != (n_samples,):
            raise ItemError(f"'{name}' has shape {track.shape}, the signal has {n_samples} samples")
    active = np.concatenate([[False], recording.label > 0, [False]])
    edges = np.flatnonzero(np.diff(active.astype(np.int8)))
    runs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [
        Trial(index, start, stop, most_frequent(recording.label[start:stop]), _repetition(recording, start, stop))
        for index, (start, stop) in enumerate(runs)
    ]


def whole_recording(recording: Recording) -> Trial:
    """The whole recording, rest included, as one trial; its label and repetition are 0: no gesture."""
    return Trial(0, 0, recording.signal.shape[1], 0, 0)


def _repetition(recording: Recording, start: int, stop: int) -> int:
    return (
        recording.trial_repetition if recording.repetition is None else most_frequent(recording.repetition[start:stop])
    )


def most_frequent(values: NDArray[np.int64]) -> int:
    """The most frequent value; the smallest one where several are as frequent."""
    distinct, counts = np.unique(values, return_counts=True)
    return int(distinct[np.argmax(counts)])
