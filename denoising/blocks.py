"""Blocks of a stream, for denoising as samples arrive: input checks, gaps, a buffer of the last samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import InputError

MAX_GAPS = 1000  # largest number of gaps that are listed; all are counted


@dataclass(frozen=True)
class Gap:
    """Samples of one channel that have no denoised value.

    Attributes:
        channel: index from 0.
        start: first sample, counted from 0 at the beginning of the stream.
        length: number of samples.
        reason: "missing": the samples arrived as NaN; "short": too few samples lie between two gaps to be denoised.
    """

    channel: int
    start: int
    length: int
    reason: Literal["missing", "short"]


class GapLog:
    """Records the gaps of a stream: it lists the first `MAX_GAPS` and counts all."""

    def __init__(self, n_channels: int) -> None:
        self.n_gaps = 0
        self.samples = np.zeros(n_channels, np.int64)  # [C] without a value
        self._closed: list[Gap] = []
        self._open: list[Gap | None] = [None] * n_channels

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """The gaps so far, sorted by start and channel; a gap that has not ended has its length so far."""
        gaps = [*self._closed, *(gap for gap in self._open if gap is not None)]
        return tuple(sorted(gaps, key=lambda gap: (gap.start, gap.channel))[:MAX_GAPS])

    def missing(self, channel: int, start: int, stop: int) -> None:
        """Record samples that arrived as NaN; they extend the channel's open gap, if there is one."""
        before = self._open[channel]
        if before is None:
            self.n_gaps += 1
        else:
            start = before.start
        self.samples[channel] += stop - start - (before.length if before else 0)
        self._open[channel] = Gap(channel, start, stop - start, "missing")

    def present(self, channel: int) -> None:
        """Close the channel's open gap, if there is one."""
        gap, self._open[channel] = self._open[channel], None
        if gap is not None:
            self._close(gap)

    def short(self, channel: int, start: int, stop: int) -> None:
        """Record a stretch of too few samples to be denoised."""
        self.n_gaps += 1
        self.samples[channel] += stop - start
        self._close(Gap(channel, start, stop - start, "short"))

    def _close(self, gap: Gap) -> None:
        if len(self._closed) < MAX_GAPS:
            self._closed.append(gap)


class Buffer:
    """The last samples of a stream [C, L], addressed by their positions in the stream."""

    def __init__(self, n_channels: int, dtype: type[np.floating[Any]], start: int = 0) -> None:
        self.start = self.stop = start  # of the stored samples
        self._offset = 0  # column of sample `start`
        self._store = np.empty((n_channels, 0), dtype)

    def append(self, block: NDArray[np.floating] | float, length: int) -> None:
        """Add `length` samples: a block [C, length], or one value for all."""
        length_before = self.stop - self.start
        if self._offset + length_before + length > self._store.shape[1]:
            # doubling the room keeps the average cost at one copy per sample
            bigger = np.empty((len(self._store), 2 * (length_before + length)), self._store.dtype)
            bigger[:, :length_before] = self._store[:, self._offset : self._offset + length_before]
            self._store, self._offset = bigger, 0
        column = self._offset + length_before
        self._store[:, column : column + length] = block
        self.stop += length

    def drop(self, before: int) -> None:
        """Delete the samples before this position."""
        before = min(max(before, self.start), self.stop)
        self._offset += before - self.start
        self.start = before

    def part(self, start: int, stop: int) -> NDArray[Any]:
        """[C, stop - start] samples, a view that is valid until the next `append`.

        Raises:
            IndexError: the samples are not all in the buffer.
        """
        if not self.start <= start <= stop <= self.stop:
            raise IndexError(f"samples {start} to {stop} of {self.start} to {self.stop}")
        column = self._offset - self.start
        return self._store[:, column + start : column + stop]


def checked_block(block: NDArray[np.floating], n_channels: int, first: int) -> NDArray[np.float64]:
    """Check a block of a stream that starts at sample `first`; returns [C, l] float64, which may hold NaN.

    Raises:
        InputError: the block does not hold real numbers, is not [n_channels, l], or has an infinite value.
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
    """Yield start, stop and True (values) or False (NaN) for each stretch of a row [l] with values or NaN only.

    >>> list(stretches(np.array([1.0, 2.0, np.nan])))
    [(0, 2, True), (2, 3, False)]
    """
    present = ~np.isnan(row)
    bounds = [0, *(int(i) + 1 for i in np.flatnonzero(np.diff(present))), len(row)]
    for start, stop in pairwise(bounds):
        if stop > start:
            yield start, stop, bool(present[start])
