"""Blocks of a stream, for denoising as samples come: their checks, their gaps, a buffer of the last samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import InputError

MAX_GAPS = 1000  # reported one by one; all are counted


@dataclass(frozen=True)
class Gap:
    """Samples of one channel that have no denoised value.

    Attributes:
        channel: from 0.
        start: first sample, from 0 at the stream's beginning.
        length: in samples.
        reason: "missing", they came as NaN; "short", they are too few between two gaps to be denoised.
    """

    channel: int
    start: int
    length: int
    reason: Literal["missing", "short"]


class GapLog:
    """The gaps of a stream as they come: the first `MAX_GAPS` one by one, all of them counted."""

    def __init__(self, n_channels: int) -> None:
        self.n_gaps = 0
        self.samples = np.zeros(n_channels, np.int64)  # [C] without a value
        self._closed: list[Gap] = []
        self._open: list[Gap | None] = [None] * n_channels

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Those so far, by start and channel; one that still lasts with its length so far."""
        gaps = [*self._closed, *(gap for gap in self._open if gap is not None)]
        return tuple(sorted(gaps, key=lambda gap: (gap.start, gap.channel))[:MAX_GAPS])

    def missing(self, channel: int, start: int, stop: int) -> None:
        """Samples that came as NaN; they may prolong a gap that still lasts."""
        before = self._open[channel]
        if before is None:
            self.n_gaps += 1
        else:
            start = before.start
        self.samples[channel] += stop - start - (before.length if before else 0)
        self._open[channel] = Gap(channel, start, stop - start, "missing")

    def present(self, channel: int) -> None:
        """A gap of this channel, if one lasted, has ended."""
        gap, self._open[channel] = self._open[channel], None
        if gap is not None:
            self._close(gap)

    def short(self, channel: int, start: int, stop: int) -> None:
        """Samples too few to be denoised."""
        self.n_gaps += 1
        self.samples[channel] += stop - start
        self._close(Gap(channel, start, stop - start, "short"))

    def _close(self, gap: Gap) -> None:
        if len(self._closed) < MAX_GAPS:
            self._closed.append(gap)


class Buffer:
    """The last samples of a stream [C, L], by their positions in it."""

    def __init__(self, n_channels: int, dtype: type[np.floating[Any]], start: int = 0) -> None:
        self.start = self.stop = start  # of what is kept
        self._offset = 0  # column of sample `start`
        self._store = np.empty((n_channels, 0), dtype)

    def append(self, block: NDArray[np.floating] | float, length: int) -> None:
        """Add `length` samples: a block [C, length], or one value for all."""
        length_before = self.stop - self.start
        if self._offset + length_before + length > self._store.shape[1]:
            # room for as much again, so that moving costs a copy a sample
            bigger = np.empty((len(self._store), 2 * (length_before + length)), self._store.dtype)
            bigger[:, :length_before] = self._store[:, self._offset : self._offset + length_before]
            self._store, self._offset = bigger, 0
        column = self._offset + length_before
        self._store[:, column : column + length] = block
        self.stop += length

    def drop(self, before: int) -> None:
        """Forget the samples before this one."""
        before = min(max(before, self.start), self.stop)
        self._offset += before - self.start
        self.start = before

    def part(self, start: int, stop: int) -> NDArray[Any]:
        """[C, stop - start], a view that holds until the next `append`."""
        if not self.start <= start <= stop <= self.stop:
            raise IndexError(f"samples {start} to {stop} of {self.start} to {self.stop}")
        column = self._offset - self.start
        return self._store[:, column + start : column + stop]


def checked_block(block: NDArray[np.floating], n_channels: int, first: int) -> NDArray[np.float64]:
    """A block of a stream that starts at sample `first`, as [C, l] float64; NaN may be in it.

    Raises:
        InputError: not real numbers, not [n_channels, l], or an infinite value.
    """
    array = np.asarray(block)
    if array.dtype.kind not in "fiu":
        raise InputError(f"expected real numbers, got an array of {array.dtype}")
    if array.ndim != 2 or len(array) != n_channels:
        raise InputError(f"expected a block [{n_channels}, l], got shape {array.shape}")
    array = array.astype(np.float64)
    infinite = np.isinf(array)
    if infinite.any():
        channel, sample = (int(i) for i in np.argwhere(infinite)[0])
        raise InputError(f"channel {channel} is infinite at sample {first + sample}; NaN is what marks a gap")
    return array


def stretches(row: NDArray[np.float64]) -> Iterator[tuple[int, int, bool]]:
    """Start, stop and whether there are values, of each stretch of a row with values alone or NaN alone.

    >>> list(stretches(np.array([1.0, 2.0, np.nan])))
    [(0, 2, True), (2, 3, False)]
    """
    present = ~np.isnan(row)
    bounds = [0, *(int(i) + 1 for i in np.flatnonzero(np.diff(present))), len(row)]
    for start, stop in pairwise(bounds):
        if stop > start:
            yield start, stop, bool(present[start])
