"""Windows of a trial, their class, and the reference that a trial's numbers are divided by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import ItemError
from cleansemg.downstream.common.task import Examples, Float32, Int64, Stream


@dataclass(frozen=True)
class Cutting:
    """Windows of `window_s`, one every `step_s`.

    A window has the class at its centre; one whose first and last sample have different labels, or that has no label,
    is left out.
    """

    window_s: float = 4.0
    step_s: float = 2.0

    def __post_init__(self) -> None:
        if not 0.1 <= self.window_s <= 60 or not 0.01 <= self.step_s <= 60:
            raise ValueError("window_s must be 0.1 to 60 seconds, step_s 0.01 to 60")

    def starts(self, stream: Stream) -> tuple[Int64, Int64]:
        """[n] first samples and [n] classes from 0; depend on labels alone.

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
        """Length of a window."""
        return round(self.window_s * fs_hz)

    def windows(self, stream: Stream, first: Int64) -> Float32:
        """[n, C, L] windows.

        Raises:
            ItemError: a channel that holds NaN or infinity.
        """
        broken = np.flatnonzero(~np.isfinite(stream.signal).all(axis=1))
        if broken.size:
            raise ItemError(
                f"{stream.key}: {stream.channels[broken[0]]} holds NaN or infinity; leave the recording out"
            )
        every = np.lib.stride_tricks.sliding_window_view(stream.signal, self.samples(stream.fs_hz), axis=1)
        return np.ascontiguousarray(every[:, first].swapaxes(0, 1))


def fresh(y: Int64) -> NDArray[np.bool_]:
    """[n] which windows are the reference: class 0, or the first one in a trial that has no window of class 0."""
    reference: NDArray[np.bool_] = y == 0
    return reference if reference.any() else np.arange(len(y)) == 0


def as_examples(x: NDArray[np.floating], stream: Stream, first: Int64, y: Int64) -> Examples:
    """Rows with who and where they are."""
    n = len(y)
    return Examples(
        x=x,
        y=y,
        person=np.full(n, stream.person),
        stream=np.full(n, stream.key),
        start=first,
        repetition=stream.repetition[first],
    )
