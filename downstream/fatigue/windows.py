"""Windows of a trial, their classes, and the reference windows that normalise the trial."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import ItemError
from cleansemg.downstream.common.task import Examples, Float32, Int64, Stream


@dataclass(frozen=True)
class Cutting:
    """Windows of `window_s` seconds, one every `step_s` seconds.

    A window has the class of its centre. A window is left out if its centre has no label, or if its first and last
    sample have different labels.

    Raises:
        ValueError: a value out of range.
    """

    window_s: float = 4.0
    step_s: float = 2.0

    def __post_init__(self) -> None:
        if not 0.1 <= self.window_s <= 60 or not 0.01 <= self.step_s <= 60:
            raise ValueError("window_s must be 0.1 to 60 seconds, step_s 0.01 to 60")

    def starts(self, stream: Stream) -> tuple[Int64, Int64]:
        """First samples [n] and classes from 0 [n] of the windows; they depend only on the labels.

        Raises:
            ItemError: the stream is shorter than a window.
        """
        size, step = self.samples(stream.fs_hz), max(round(self.step_s * stream.fs_hz), 1)
        label = stream.label
        if len(label) < size:
            raise ItemError(
                f"{stream.key}: {len(label) / stream.fs_hz:.1f} s, shorter than a window of {self.window_s:g} s; "
                "leave the recording out, or set downstream.parameters.window_s"
            )
        first = np.arange(0, len(label) - size + 1, step)
        centre = label[first + size // 2]
        uniform = (label[first] == label[first + size - 1]) & (centre > 0)
        return first[uniform], centre[uniform] - 1

    def samples(self, fs_hz: float) -> int:
        """Length of a window in samples."""
        return round(self.window_s * fs_hz)

    def windows(self, stream: Stream, first: Int64) -> Float32:
        """Cut the windows [n, C, L] that start at `first`, in volts.

        Raises:
            ItemError: a channel contains NaN or infinity.
        """
        broken = np.flatnonzero(~np.isfinite(stream.signal).all(axis=1))
        if broken.size:
            raise ItemError(
                f"{stream.key}: {stream.channels[broken[0]]} holds NaN or infinity; leave the recording out"
            )
        every = np.lib.stride_tricks.sliding_window_view(stream.signal, self.samples(stream.fs_hz), axis=1)
        return np.ascontiguousarray(every[:, first].swapaxes(0, 1))


def fresh(y: Int64) -> NDArray[np.bool_]:
    """Mask [n] of the reference windows of a trial: those of class 0 or, without any, the first window."""
    reference: NDArray[np.bool_] = y == 0
    return reference if reference.any() else np.arange(len(y)) == 0


def as_examples(x: NDArray[np.floating], stream: Stream, first: Int64, y: Int64) -> Examples:
    """Examples of x [n, ...] with class, person, stream, first sample and repetition of each row."""
    n = len(y)
    return Examples(
        x=x,
        y=y,
        person=np.full(n, stream.person),
        stream=np.full(n, stream.key),
        start=first,
        repetition=stream.repetition[first],
    )
