"""Windows of the envelope, cut from the trials of a stream: the inputs of STCNet."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import ItemError
from cleansemg.data_pipeline.trials import most_frequent
from cleansemg.downstream.common.task import Examples, Float32, Stream

ENVELOPE_HZ = 100.0
Scaling = Literal["minmax", "log"]


@dataclass(frozen=True)
class Cutting:
    """Parameters of the windows.

    Attributes:
        steps, step_samples: S and T; a window is S * T samples of the envelope at 100 Hz.
        hop_s: distance between windows in a trial, s; None: only the first window of a trial.
        pad: whether a trial shorter than a window is padded with zeros; False: it is an error.
        scaling: minmax: scale each channel to 0..1 over its file, as published. log: volts, for a network that computes
            the logarithm; for files of a single trial, where minmax would remove the strength of the contraction.
        movements: number of classes of each exercise, in order.

    Raises:
        ValueError: a value out of range.
    """

    steps: int = 25
    step_samples: int = 20
    hop_s: float | None = None
    pad: bool = True
    scaling: Scaling = "minmax"
    movements: tuple[int, ...] = (17, 23, 9)

    def __post_init__(self) -> None:
        if self.steps < 1 or self.step_samples < 4:
            raise ValueError("steps must be at least 1, step_samples at least 4")
        if self.hop_s is not None and not self.hop_s > 0:
            raise ValueError(f"hop_s is in seconds above 0, got {self.hop_s}")
        if self.scaling not in ("minmax", "log"):
            raise ValueError(f"scaling is minmax or log, got '{self.scaling}'")

    @property
    def n_envelope(self) -> int:
        """Length of a window in samples of the envelope."""
        return self.steps * self.step_samples


def envelope(signal: Float32, fs_hz: float, scaling: Scaling) -> NDArray[np.float64]:
    """[C, L] in V -> [C, L]: rectified and, with `minmax`, each channel scaled to 0..1; the rate stays `fs_hz`."""
    rectified = np.abs(signal).astype(np.float64)
    if scaling == "log":
        return rectified
    low, high = rectified.min(axis=1, keepdims=True), rectified.max(axis=1, keepdims=True)
    scaled: NDArray[np.float64] = (rectified - low) / np.where(high > low, high - low, 1.0)
    return scaled


def block_maximum(x: NDArray[np.float64], block: int) -> NDArray[np.float64]:
    """[C, L] -> [C, L // block]: the maximum of each block of `block` samples; an incomplete last block is dropped."""
    n = x.shape[1] // block
    largest: NDArray[np.float64] = x[:, : n * block].reshape(len(x), n, block).max(axis=2)
    return largest


def trials(stream: Stream) -> list[tuple[int, int, int, int]]:
    """(start, stop, label, repetition) of each maximal run of labels > 0; values are the most frequent ones."""
    active = np.concatenate([[False], stream.label > 0, [False]]).astype(np.int8)
    edges = np.flatnonzero(np.diff(active)).tolist()
    return [
        (start, stop, most_frequent(stream.label[start:stop]), most_frequent(stream.repetition[start:stop]))
        for start, stop in zip(edges[::2], edges[1::2], strict=True)
    ]


def first_class(stream: Stream, movements: Sequence[int]) -> int:
    """Offset to add to the labels of a stream so that they are numbered over all exercises.

    Some databases number the movements of each exercise from 1 (DB1), others number them over all exercises (DB2). The
    second is assumed if the smallest label is greater than the number of movements in all earlier exercises.

    Raises:
        ItemError: an exercise or a label without a class.
    """
    match = re.match(r"E(\d+)", stream.name) if len(movements) > 1 else None
    exercise = int(match[1]) if match else 1
    if not 1 <= exercise <= len(movements):
        raise ItemError(f"exercise {exercise}, but movements: lists {len(movements)}")
    before, count, highest = sum(movements[: exercise - 1]), movements[exercise - 1], int(stream.label.max(initial=0))
    counts_through = bool((stream.label[stream.label > 0] > before).all())
    offset = 0 if counts_through else before
    if offset + highest > before + count:
        raise ItemError(f"label {highest}, but with movements: {list(movements)} exercise {exercise} "
                        f"ends with {before + count}")  # fmt: skip
    return offset


def cut(stream: Stream, cutting: Cutting) -> Examples:
    """Cut all trials of a stream into windows x [n, S, T, C].

    Raises:
        ItemError: a trial shorter than a window although `pad` is False, a sampling rate that is not a multiple of
            100 Hz, or an exercise or label without a class.
    """
    block = round(stream.fs_hz / ENVELOPE_HZ)
    if block < 1 or block * ENVELOPE_HZ != stream.fs_hz:
        raise ItemError(f"{stream.fs_hz:g} Hz is no multiple of the envelope's {ENVELOPE_HZ:g} Hz")
    offset = first_class(stream, cutting.movements)
    width = cutting.n_envelope
    hop = None if cutting.hop_s is None else max(1, round(cutting.hop_s * ENVELOPE_HZ))
    rectified = envelope(stream.signal, stream.fs_hz, cutting.scaling)
    x: list[Float32] = []
    rows: list[tuple[int, int, int]] = []  # class, first sample, repetition
    for start, stop, label, repetition in trials(stream):
        maxima = block_maximum(rectified[:, start:stop], block)  # [C, m]
        if maxima.shape[1] < width:
            if not cutting.pad:
                raise ItemError(
                    f"a window of {width / ENVELOPE_HZ:g} s is longer than the trial of "
                    f"{(stop - start) / stream.fs_hz:g} s at sample {start}; lower steps, or set pad: true"
                )
            maxima = np.pad(maxima, ((0, 0), (0, width - maxima.shape[1])))
        firsts = [0] if hop is None else range(0, maxima.shape[1] - width + 1, hop)
        for first in firsts:
            window = maxima[:, first : first + width].T  # [S T, C]
            x.append(window.reshape(cutting.steps, cutting.step_samples, -1).astype(np.float32))
            rows.append((offset + label - 1, start + first * block, repetition))
    n = len(rows)
    table = np.array(rows, np.int64).reshape(n, 3)
    empty = np.empty((0, cutting.steps, cutting.step_samples, len(stream.signal)), np.float32)
    return Examples(
        x=np.stack(x) if x else empty,
        y=table[:, 0],
        person=np.full(n, stream.person),
        stream=np.full(n, stream.key),
        start=table[:, 1],
        repetition=table[:, 2],
    )
