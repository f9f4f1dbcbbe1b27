"""Classifier of fatigue from the time since the start of a recording alone, without any signal.

Labels of fatigue grow with time, whatever the muscle does: on Cerqueira 2024, one study reaches a balanced accuracy of
0.556 from time alone, and 0.413 from EMG. So time alone is a row of every fatigue table.
"""

from __future__ import annotations

from cleansemg.downstream.common.task import Examples, Stream
from cleansemg.downstream.fatigue.svm import FatigueSvm
from cleansemg.downstream.fatigue.windows import Cutting, as_examples


class FatigueTime(FatigueSvm):
    """The classifier of `FatigueSvm`, fitted to one number: the time of a window's centre since the recording began."""

    name = "time alone"

    def __init__(self, cutting: Cutting, n_classes: int) -> None:
        super().__init__(cutting, "input", n_classes)

    def examples(self, stream: Stream, clean: Stream) -> Examples:
        """Return [n, 1] seconds from the start of the stream to the centre of each window."""
        first, y = self._cutting.starts(stream)
        centre_s = (first + self._cutting.samples(stream.fs_hz) / 2) / stream.fs_hz
        return as_examples(centre_s[:, None], stream, first, y)
