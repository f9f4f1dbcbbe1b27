"""What a picture of a recording needs, collected as its samples come, in bounded memory.

The whole waveform as its envelope (least and largest value of each of some hundred bins), the whole as a spectrogram,
and the 2 s in which the denoised signal is strongest. Bins and columns start fine; whenever there are twice as many as
asked for, neighbours are joined.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.periodogram import density_factor, half_overlapping, power_of_centred

Float64 = NDArray[np.float64]

MAX_BINS = 1000  # of an envelope
MAX_COLUMNS = 400  # of a spectrogram
FRAME_S = 0.25
EXCERPT_S = 2.0
HIGHEST_HZ = 1000.0  # of a spectrogram


class Envelope:
    """Least and largest value over bins of equal length.

    Attributes:
        fs_hz: sampling rate.
        size: samples in a bin.
    """

    def __init__(self, fs_hz: float) -> None:
        self.fs_hz, self.size = fs_hz, 1
        self._low, self._high = np.empty(0), np.empty(0)
        self._rest = np.empty(0)

    def push(self, x: Float64) -> None:
        """Add the next samples [l]; NaN where there is no value."""
        x = np.concatenate((self._rest, x))
        n = len(x) // self.size
        whole = x[: n * self.size].reshape(n, self.size)
        self._rest = x[n * self.size :].copy()
        # fmin and fmax pass over NaN
        self._low = np.concatenate((self._low, np.fmin.reduce(whole, axis=1)))
        self._high = np.concatenate((self._high, np.fmax.reduce(whole, axis=1)))
        while len(self._low) >= 2 * MAX_BINS:
            self._join()

    def result(self) -> tuple[Float64, Float64, Float64]:
        """Middles of the bins in s, least and largest values; NaN where a bin holds no value."""
        low, high = self._low, self._high
        if len(self._rest):
            low, high = np.append(low, np.fmin.reduce(self._rest)), np.append(high, np.fmax.reduce(self._rest))
        middle_s = np.asarray((np.arange(len(low)) + 0.5) * (self.size / self.fs_hz), np.float64)
        return middle_s, low, high

    def _join(self) -> None:
        if len(self._low) % 2:  # the last bin returns to the samples that wait, as its extremes
            last = np.full(self.size, self._low[-1])
            last[-1] = self._high[-1]
            self._rest = np.concatenate((last, self._rest))
            self._low, self._high = self._low[:-1], self._high[:-1]
        self._low = np.fmin(self._low[::2], self._low[1::2])
        self._high = np.fmax(self._high[::2], self._high[1::2])
        self.size *= 2


class Spectrogram:
    """Power over time and frequency: frames of 0.25 s, half overlapping, under a Hann window."""

    def __init__(self, fs_hz: float) -> None:
        self.fs_hz = fs_hz
        self.n = max(2 * round(FRAME_S * fs_hz / 2), 8)
        self.hop = self.n // 2
        self.frames = 1  # in a column
        frequency_hz = np.arange(self.n // 2 + 1) * fs_hz / self.n
        self.frequency_hz = frequency_hz[frequency_hz <= HIGHEST_HZ]
        self._factor = density_factor(self.n, fs_hz)
        self._columns = np.empty((0, len(self.frequency_hz)))
        self._waiting = np.empty((0, len(self.frequency_hz)))  # frames that do not fill a column
        self._rest = np.empty(0)

    def push(self, x: Float64) -> None:
        """Add the next samples [l]; a frame with a gap in it has no power."""
        x = np.concatenate((self._rest, x))
        if len(x) < self.n:
            self._rest = x
            return
        frames = half_overlapping(x, self.n)
        self._rest = x[len(frames) * self.hop :].copy()
        for start in range(0, len(frames), 256):  # a few at a time: overlapping frames are twice the signal
            power = power_of_centred(frames[start : start + 256])[:, : len(self.frequency_hz)]
            self._add(power * self._factor)

    def result(self) -> tuple[Float64, Float64, Float64]:
        """Middles of the columns in s, frequencies, power density [k, columns]; NaN where there is none."""
        columns = self._columns
        if len(self._waiting):
            columns = np.concatenate((columns, _mean(self._waiting[None])))
        step_s = self.frames * self.hop / self.fs_hz
        middle_s = np.asarray((np.arange(len(columns)) + 0.5) * step_s + self.hop / self.fs_hz / 2, np.float64)
        return middle_s, self.frequency_hz, columns.T

    def _add(self, power: Float64) -> None:
        power = np.concatenate((self._waiting, power))
        n = len(power) // self.frames
        whole = power[: n * self.frames].reshape(n, self.frames, len(self.frequency_hz))
        self._waiting = power[n * self.frames :].copy()
        self._columns = np.concatenate((self._columns, _mean(whole)))
        while len(self._columns) >= 2 * MAX_COLUMNS:
            if len(self._columns) % 2:
                self._waiting = np.concatenate((np.repeat(self._columns[-1:], self.frames, axis=0), self._waiting))
                self._columns = self._columns[:-1]
            self._columns = _mean(self._columns.reshape(len(self._columns) // 2, 2, -1))
            self.frames *= 2


@dataclass(frozen=True)
class Excerpt:
    """A short piece of both signals, from `start_s` on; volts."""

    start_s: float
    before: Float64
    after: Float64


class Trace:
    """One channel before and after, collected for its picture; [l] volts of both, sample by sample."""

    def __init__(self, fs_hz: float) -> None:
        self.fs_hz = fs_hz
        self.envelopes = (Envelope(fs_hz), Envelope(fs_hz))
        self.spectrograms = (Spectrogram(fs_hz), Spectrogram(fs_hz))
        self._length = round(EXCERPT_S * fs_hz)
        self._held = np.empty((2, 0))
        self._before = 0  # samples before those that are held
        self._best = -1.0
        self._excerpt: Excerpt | None = None

    def push(self, before: Float64, after: Float64) -> None:
        """Add the next samples of both; NaN where there is no value."""
        pair = np.stack((before, after)).astype(np.float64)
        for row, envelope, spectrogram in zip(pair, self.envelopes, self.spectrograms, strict=True):
            envelope.push(row)
            spectrogram.push(row)
        self._held = np.concatenate((self._held, pair), axis=1)
        while self._held.shape[1] >= self._length:
            self._consider(self._held[:, : self._length])
            self._held = self._held[:, self._length :].copy()
            self._before += self._length

    def excerpt(self) -> Excerpt:
        """The 2 s in which the denoised signal is strongest, without a gap where there is such a piece."""
        if self._excerpt is None:
            return Excerpt(self._before / self.fs_hz, self._held[0].copy(), self._held[1].copy())
        return self._excerpt

    def _consider(self, pair: Float64) -> None:
        strength = float(np.std(pair[1])) if np.isfinite(pair).all() else -0.5
        if strength > self._best:
            self._best = strength
            self._excerpt = Excerpt(self._before / self.fs_hz, pair[0].copy(), pair[1].copy())


def _mean(groups: Float64) -> Float64:
    """[n, m, k] -> [n, k], NaN passed over."""
    present = np.isfinite(groups)
    count = present.sum(axis=1)
    total = np.where(present, groups, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
