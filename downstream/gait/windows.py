"""Cut a stream into windows, and draw equal numbers of windows of each class for training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.even_rows import first_to_last
from cleansemg.core.seeding import generator
from cleansemg.downstream.common.task import Examples, Float32, Int64, Stream

Scope = Literal["training", "recording"]


@dataclass(frozen=True)
class Cutting:
    """How streams become examples.

    Attributes:
        window_s: length of a window, s.
        overlap: overlap of neighbouring windows, as a fraction of their length.
        zscore: source of the mean and standard deviation of each channel. training: all training windows, so windows
            still differ in amplitude. recording: the whole stream (clean, noisy or denoised).
        per_class: maximum number of windows of a class in a stream, evenly spaced; None: all.
        relabel: {`Stream.key`: name of the correct class}.
        classes: names of the labels 1, 2, ...
    """

    window_s: float = 0.2
    overlap: float = 0.5
    zscore: Scope = "training"
    per_class: int | None = None
    relabel: Mapping[str, str] | None = None
    classes: tuple[str, ...] = ()

    def samples(self, fs_hz: float) -> tuple[int, int]:
        """Length of a window and step to the next window, in samples.

        Raises:
            UserError: a window shorter than 8 samples, or a step shorter than 1 sample.
        """
        length = round(self.window_s * fs_hz)
        step = round(length * (1 - self.overlap))
        if length < 8 or step < 1:
            raise UserError(f"gait: no windows of {self.window_s:g} s with overlap {self.overlap:g} at {fs_hz:g} Hz")
        return length, step


def cut(stream: Stream, cutting: Cutting) -> Examples:
    """Cut a stream into windows [n, C, w]; windows whose centre has no label are left out; classes count from 0.

    Raises:
        ItemError: the stream is shorter than a window.
        UserError: the stream has a label without a class, or windows or steps are too short.
    """
    length, step = cutting.samples(stream.fs_hz)
    n_samples = stream.signal.shape[1]
    if n_samples < length:
        raise ItemError(
            f"{stream.key}: lasts {n_samples / stream.fs_hz:g} s, a window {cutting.window_s:g} s; "
            "leave the recording out or set downstream.parameters.window_s"
        )
    start = np.arange(0, n_samples - length + 1, step)
    label = _labels(stream, cutting)[start + length // 2]
    rows = np.flatnonzero(label > 0)
    if cutting.per_class is not None:
        by_class = [_at_most(rows[label[rows] == c], cutting.per_class) for c in range(1, len(cutting.classes) + 1)]
        rows = np.sort(np.concatenate(by_class))
    start, label = start[rows], label[rows]
    signal = stream.signal
    if cutting.zscore == "recording":
        mean, deviation = moments(signal[None])
        signal = ((signal - mean[:, None]) / deviation[:, None]).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(signal, length, axis=1)  # [C, L - w + 1, w]
    return Examples(
        x=np.ascontiguousarray(windows[:, start].transpose(1, 0, 2)),
        y=label - 1,
        person=np.full(len(start), stream.person),
        stream=np.full(len(start), stream.key),
        start=start,
        repetition=stream.repetition[start + length // 2],
    )


def moments(x: Float32) -> tuple[Float32, Float32]:
    """Mean [C] and standard deviation [C] over windows [n, C, w]; the deviation of a constant channel is set to 1."""
    mean = x.mean(axis=(0, 2), dtype=np.float64)
    deviation = x.std(axis=(0, 2), dtype=np.float64)
    return mean.astype(np.float32), np.where(deviation > 0, deviation, 1.0).astype(np.float32)


def balanced(examples: Examples, rows: Int64, seed: int, *names: str | int, limit: int | None = None) -> Int64:
    """Draw equal numbers of rows of each class and, within a class, of each person as far as possible.

    Args:
        examples: all examples.
        rows: rows to draw from.
        seed: the configuration's.
        names: names that key the random draw.
        limit: maximum number of rows per class; None: the number of rows of the rarest class.

    Returns:
        Rows [m], sorted.
    """
    y, person = examples.y[rows], examples.person[rows]
    classes, counts = np.unique(y, return_counts=True)
    if not len(rows):
        return rows
    wanted = int(counts.min()) if limit is None else min(int(counts.min()), limit)
    drawn = []
    for label in classes:
        of_label = rows[y == label]
        people, owner = np.unique(person[y == label], return_inverse=True)
        shares = equal_shares(np.bincount(owner), wanted)
        for number, (who, share) in enumerate(zip(people, shares, strict=True)):
            draw = generator(seed, "downstream", "balance", *names, int(label), str(who))
            drawn.append(draw.choice(of_label[owner == number], share, replace=False))
    return np.sort(np.concatenate(drawn))


def equal_shares(available: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """Divide `total` into shares as equal as `available` allows; returns [n].

    Args:
        available: [n] upper limits of the shares.
        total: sum of the shares, at most the sum of `available`.

    >>> equal_shares(np.array([2, 10, 10]), 9).tolist()
    [2, 4, 3]
    """
    shares = np.zeros_like(available)
    while (left := total - int(shares.sum())) > 0:
        open_ = np.flatnonzero(shares < available)
        each = left // len(open_)
        if each == 0:
            shares[open_[:left]] += 1
        else:
            shares[open_] = np.minimum(shares[open_] + each, available[open_])
    return shares


def _labels(stream: Stream, cutting: Cutting) -> Int64:
    known = len(cutting.classes)
    name = (cutting.relabel or {}).get(stream.key)
    if name is not None:
        return np.where(stream.label > 0, cutting.classes.index(name) + 1, 0)
    highest = int(stream.label.max(initial=0))
    if highest > known:
        raise UserError(
            f"{stream.key}: label {highest}, but the task has {known} classes ({', '.join(cutting.classes)}); "
            "set downstream.parameters.classes to those of the data set"
        )
    return stream.label


def _at_most(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return at most `most` of the rows, evenly spaced."""
    return rows[first_to_last(len(rows), most)]
