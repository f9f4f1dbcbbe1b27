"""Quality of a recording as its samples come: windows, their SNR and kinds of noise, in bounded memory.

A window is 2 s and starts 1 s after the one before; the last one of a stretch ends with it; a stretch of 1 to 2 s is
one window. Each is band-passed and resampled like the segments that the model was fitted to, with a quarter of a
second on both sides where there is one, so that the filters have settled.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import InputError, UserError

if TYPE_CHECKING:
    from cleansemg.quality.models import Predictor

Float64 = NDArray[np.float64]

LOWEST_FS_HZ = 200.0
SHORTEST_S = 1.0
WINDOW_S, HOP_S = 2.0, 1.0
CONTEXT_S = 0.25
AT_ONCE = 64  # windows in one pass of the network
SLIVER_S = 0.05
FLAT = 1e-9  # a window whose spread is below this part of its magnitude holds rounding alone
SPREAD = (0.1, 0.9)


@dataclass(frozen=True)
class Windows:
    """What the windows of one channel read; [w] rows in order of time.

    Attributes:
        start_s, length_s: from the first sample of the recording.
        snr_db: predicted SNR.
        power: mean square in the model's band, in the square of the input's unit.
        probability: [w, K] of each kind of noise that the model knows, in its order.
    """

    start_s: Float64
    length_s: Float64
    snr_db: Float64
    power: Float64
    probability: Float64


@dataclass(frozen=True)
class Quality:
    """Quality of one channel.

    Attributes:
        snr_db: of all windows together: power of the signal over that of the noise; NaN where no window could be read.
        snr_low_db, snr_high_db: 10th and 90th percentile over the windows; None for fewer than two.
        kinds: probability of each kind of noise, the mean over the windows.
        windows: what each window read.
        n_flat: windows left out because they hold a constant.
        gap_s: seconds of NaN.
        unread_s: seconds of stretches between gaps that are shorter than 1 s.
    """

    snr_db: float
    snr_low_db: float | None
    snr_high_db: float | None
    kinds: dict[str, float]
    windows: Windows
    n_flat: int
    gap_s: float
    unread_s: float


@dataclass
class _Channel:
    """One channel while its samples come: the stretch since the last gap, from where a window still needs it."""

    rows: list[tuple[float, float, float, float, Float64]] = field(default_factory=list)  # as `Windows`
    waiting: Float64 = field(default_factory=lambda: np.empty(0))
    waiting_from: int = 0  # sample of the recording that `waiting` begins with
    stretch_from: int = 0
    next_window: int = 0  # sample that the next window begins with
    n_flat: int = 0
    n_gap: int = 0
    n_unread: int = 0


@dataclass(frozen=True)
class _Pending:
    """A window that waits for its pass: samples with context, and how many of them are context."""

    channel: int
    start: int
    samples: Float64
    before: int
    length: int


class QualityMeter:
    """Assess a recording of any length block by block: `push`, `push`, ..., `result`."""

    def __init__(self, fs_hz: float, n_channels: int, model: Predictor | None = None) -> None:
        """Start.

        Args:
            fs_hz: sampling rate, at least 200 Hz.
            n_channels: of every block.
            model: a QASE-net; the one pretrained by default.

        Raises:
            InputError: a rate below 200 Hz or not finite, or no channel.
            UserError: no weights, or those of a model that takes one length only.
        """
        if not np.isfinite(fs_hz) or fs_hz < LOWEST_FS_HZ:
            raise InputError(f"fs_hz is {fs_hz!r}: quality is assessed from {LOWEST_FS_HZ:g} Hz up")
        if n_channels < 1:
            raise InputError(f"n_channels is {n_channels}, at least 1")
        self._model = pretrained_model() if model is None else model
        if not hasattr(self._model.network, "convolutions"):
            raise UserError(f"'{self._model.name}' takes signals of one length only, so it cannot assess recordings")
        self.fs_hz, self.n_channels = float(fs_hz), n_channels
        self._window, self._hop = round(WINDOW_S * fs_hz), round(HOP_S * fs_hz)
        self._shortest, self._context = int(np.ceil(SHORTEST_S * fs_hz)), round(CONTEXT_S * fs_hz)
        self._channels = [_Channel() for _ in range(n_channels)]
        self._pending: list[_Pending] = []
        self._n_samples = 0
        self._finished = False

    def push(self, block: NDArray[np.floating]) -> None:
        """Add the next samples [C, l], in any unit; NaN is a gap.

        Raises:
            InputError: another number of channels, infinite values, or numbers that are not real.
        """
        array = np.asarray(block)
        if array.dtype.kind not in "fiu":
            raise InputError(f"expected real numbers, got an array of {array.dtype}")
        if array.ndim != 2 or len(array) != self.n_channels:
            raise InputError(f"expected blocks of shape [{self.n_channels}, l], got {array.shape}")
        if self._finished:
            raise InputError("result() was asked for already; start a new QualityMeter")
        if np.isinf(array).any():
            raise InputError("the recording holds infinite values; only NaN marks a gap")
        for number, samples in enumerate(array):
            self._feed(number, samples.astype(np.float64))
        self._n_samples += array.shape[1]

    def result(self) -> list[Quality]:
        """The quality of each channel, of everything that was pushed; nothing can be pushed after it.

        Raises:
            InputError: the recording is shorter than 1 s.
        """
        if self._n_samples < self._shortest:
            raise InputError(f"the recording has {self._n_samples / self.fs_hz:.3g} s; quality needs {SHORTEST_S:g} s")
        if not self._finished:
            for number in range(self.n_channels):
                self._end_stretch(number)
            self._run_pending()
            self._finished = True
        return [self._quality(channel) for channel in self._channels]

    def _feed(self, number: int, samples: Float64) -> None:
        channel = self._channels[number]
        gap = np.isnan(samples)
        edges = np.flatnonzero(np.diff(gap)) + 1
        for part, is_gap in zip(np.split(samples, edges), gap[np.r_[0, edges]] if len(gap) else [], strict=False):
            if is_gap:
                self._end_stretch(number)
                channel.n_gap += len(part)
                end = channel.waiting_from + len(channel.waiting) + len(part)
                channel.waiting = np.empty(0)
                channel.waiting_from = channel.stretch_from = channel.next_window = end
                continue
            channel.waiting = np.concatenate([channel.waiting, part])
            # with all its context, a window is the same whatever the blocks were
            while channel.waiting_from + len(channel.waiting) >= channel.next_window + self._window + self._context:
                self._cut(number, channel.next_window, self._window)
                channel.next_window += self._hop
            # a last window that is moved back begins at most a hop before the next one would
            needed = max(channel.next_window - self._window - self._context, channel.stretch_from)
            channel.waiting = channel.waiting[max(needed - channel.waiting_from, 0) :].copy()
            channel.waiting_from = max(needed, channel.waiting_from)

    def _end_stretch(self, number: int) -> None:
        """Windows that end with the stretch."""
        channel = self._channels[number]
        end = channel.waiting_from + len(channel.waiting)
        length = end - channel.stretch_from
        if length == 0:
            return
        if length < self._shortest:
            channel.n_unread += length
            return
        while channel.next_window + self._window <= end:
            self._cut(number, channel.next_window, self._window)
            channel.next_window += self._hop
        # one more where enough is left: a few samples are not worth a window that repeats the one before
        covered = channel.next_window - self._hop + self._window if channel.next_window > channel.stretch_from else 0
        if end - covered > (SLIVER_S * self.fs_hz if covered else 0):
            start = max(end - self._window, channel.stretch_from)
            self._cut(number, start, end - start)
        channel.waiting, channel.waiting_from, channel.stretch_from, channel.next_window = np.empty(0), end, end, end

    def _cut(self, number: int, start: int, length: int) -> None:
        channel = self._channels[number]
        at = start - channel.waiting_from
        before = min(self._context, start - channel.stretch_from)
        samples = channel.waiting[at - before : at + length + self._context]
        inside = samples[before : before + length]
        if np.ptp(inside) <= FLAT * np.abs(inside).max():
            channel.n_flat += 1
            return
        self._pending.append(_Pending(number, start, samples.copy(), before, length))
        if len(self._pending) >= AT_ONCE:
            self._run_pending()

    def _run_pending(self) -> None:
        groups: dict[tuple[int, int, int], list[_Pending]] = {}
        for one in self._pending:
            groups.setdefault((one.before, one.length, len(one.samples)), []).append(one)
        for (before, length, _), group in groups.items():
            self._read(group, before, length)
        self._pending = []

    def _read(self, group: list[_Pending], before: int, length: int) -> None:
        from cleansemg.core import dsp
        from cleansemg.quality.prediction import predict

        model_hz = float(self._model.info.get("fs_hz", 1000.0))
        low_hz, high_hz = self._model.info.get("band_hz", (20.0, 500.0))
        raw = np.stack([one.samples for one in group])
        filtered = dsp.resample(dsp.band_pass(raw, low_hz, high_hz, self.fs_hz), self.fs_hz, model_hz)
        first = round(before * model_hz / self.fs_hz)
        inside = filtered[:, first : first + round(length * model_hz / self.fs_hz)]
        power = np.mean(inside**2, axis=1)
        snr_db, probability = predict(self._model, inside)
        for i, one in enumerate(group):
            channel = self._channels[one.channel]
            if power[i] <= (FLAT * np.abs(one.samples).max()) ** 2:  # a drift with nothing in the band
                channel.n_flat += 1
                continue
            row = (one.start / self.fs_hz, length / self.fs_hz, float(snr_db[i]), float(power[i]), probability[i])
            channel.rows.append(row)

    def _quality(self, channel: _Channel) -> Quality:
        rows = sorted(channel.rows, key=lambda row: row[0])
        start, length, snr_db, power = (np.array([row[i] for row in rows], np.float64) for i in range(4))
        probability = np.array([row[4] for row in rows], np.float64).reshape(-1, len(self._model.kinds))
        low = high = None
        if len(rows) > 1:
            low, high = (float(limit) for limit in np.quantile(snr_db, SPREAD))
        kinds = probability.mean(axis=0) if rows else np.full(len(self._model.kinds), np.nan)
        return Quality(
            snr_db=total_snr_db(snr_db, power),
            snr_low_db=low,
            snr_high_db=high,
            kinds=dict(zip(self._model.kinds, kinds.tolist(), strict=True)),
            windows=Windows(start, length, snr_db, power, probability),
            n_flat=channel.n_flat,
            gap_s=channel.n_gap / self.fs_hz,
            unread_s=channel.n_unread / self.fs_hz,
        )


def total_snr_db(snr_db: Float64, power: Float64) -> float:
    """SNR of windows together: each one's power is shared between signal and noise by its own SNR; NaN of nothing.

    >>> round(total_snr_db(np.array([10.0, 10.0]), np.array([1.0, 5.0])), 9)
    10.0
    >>> round(total_snr_db(np.array([60.0, -60.0]), np.array([1.0, 1.0])), 9)  # half signal, half noise
    0.0
    """
    if not len(snr_db):
        return float("nan")
    ratio = 10.0 ** (snr_db / 10.0)
    signal, noise = np.sum(power * ratio / (1 + ratio)), np.sum(power / (1 + ratio))
    return float(10.0 * np.log10(signal / noise))


@functools.cache
def pretrained_model() -> Predictor:
    """The pretrained QASE-net, read once.

    Raises:
        UserError: its weights are absent.
    """
    from cleansemg.quality import models

    return models.load()
