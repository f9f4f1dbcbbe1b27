r"""Denoises recordings of any length and number of channels in windows, with the memory of a few windows.

    input    |----------- W -----------|
                                 |----------- W -----------|        hop = W - V
                                 |- V -|
    weights  1111111111111111111111\
                                   /1111111111111111111111 ...       fades over the middle V/2 of the overlap V

The outer V/4 of a window is not used where another window has the samples, too: a method lacks context there. The
fades are raised cosines that sum to one, so what both windows agree on passes unchanged. The gaps (NaN) of a channel
cut it into stretches, each denoised as if it were alone. The rest of a stretch after its last whole window is denoised
in a whole window that ends with the stretch; a stretch shorter than a window is one short window.

Where a denoiser has a `lowest_hz`, as networks do, a window is first high-passed there: recordings have offsets and
drift that the training signals of such a method do not have, and that would set its scale.

The bounds of a window are samples of the recording, so rounding by resampling (`resampled`) does not accumulate.
Windows depend only on where stretches start and stop, so the output is bit for bit the same, however the samples are
cut into blocks.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.dsp import high_pass
from cleansemg.core.errors import InputError, ItemError, UserError
from cleansemg.denoising.base import Denoiser, FloatArray
from cleansemg.denoising.blocks import Buffer, Gap, GapLog, checked_block, stretches
from cleansemg.denoising.causal import CausalDenoiser
from cleansemg.denoising.resampled import with_resampling

WINDOW_S, OVERLAP_S = 4.0, 1.0
STREAMING_WINDOW_S, STREAMING_OVERLAP_S = 2.0, 0.5


@dataclass
class _Stretch:
    """Values of one channel without a gap; positions are samples of the stream."""

    start: int
    stop: int  # end of the samples so far
    planned: int | None = None  # end of the last planned window
    final: int = 0  # end of the final output
    tail: NDArray[np.float64] | None = None  # output of the last denoised window from `final` on


@dataclass(frozen=True)
class _Window:
    channel: int
    stretch: _Stretch
    start: int
    stop: int  # equal to start: no new samples, the stretch ended with its last window
    last: bool  # the stretch ends here


class OverlapAdd:
    """Denoises a recording as its samples arrive.

    The output has as many samples as the input, in order; `push` returns those that no later sample can change.

    A gap stays a gap: NaN in, NaN out. A stretch between gaps that is too short for the denoiser becomes NaN, too,
    and is reported. Constants are denoised like any other signal.

    Attributes:
        latency_s: longest time in seconds from a sample to its denoised value: one window. The length of a block and
            the computing time of the denoiser come on top.
        n_gaps: number of gaps so far.
        gap_samples: [C] number of samples without a denoised value so far.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        fs_hz: float,
        n_channels: int,
        window_s: float = WINDOW_S,
        overlap_s: float = OVERLAP_S,
    ) -> None:
        """Prepare for a recording.

        Args:
            denoiser: a denoiser with a blind track.
            fs_hz: sampling rate of the recording in hertz, at least 200 where the denoiser is made for another rate.
            n_channels: number of channels of the recording.
            window_s: length of a window in seconds.
            overlap_s: overlap of neighbouring windows in seconds, at most half a window; 0: windows do not overlap.

        Raises:
            InputError: the denoiser refuses the rate, there is no channel, or the window is too short for the denoiser.
            UserError: the denoiser needs labels, or the overlap does not fit the window.
        """
        if denoiser.needs_labels or "blind" not in denoiser.tracks:
            raise UserError(f"denoiser '{denoiser.name}' needs labels, which a recording does not have")
        if n_channels != int(n_channels) or n_channels < 1:
            raise InputError(f"n_channels is {n_channels!r}, at least 1")
        denoiser = with_resampling(denoiser)
        self._shortest = denoiser.shortest(fs_hz)
        for name, value in (("window_s", window_s), ("overlap_s", overlap_s)):
            if not np.isfinite(value) or value < 0:
                raise UserError(f"{name} is {value!r}, expected a number of seconds")
        self._width = round(window_s * fs_hz)
        self._quarter = round(overlap_s * fs_hz / 4)
        if self._width < self._shortest:
            raise InputError(
                f"window_s is {window_s:g}: '{denoiser.name}' needs {self._shortest / fs_hz:.3g} s at {fs_hz:g} Hz"
            )
        if 8 * self._quarter > self._width:
            raise UserError(f"overlap_s is {overlap_s:g}, at most half of window_s = {window_s:g}")
        self.latency_s = self._width / fs_hz
        self._denoiser, self._fs_hz, self._n_channels = denoiser, float(fs_hz), int(n_channels)
        self._hop = self._width - 4 * self._quarter
        self._fade_in = np.sin(np.pi / 2 * (np.arange(2 * self._quarter) + 0.5) / max(2 * self._quarter, 1)) ** 2
        self._input = Buffer(self._n_channels, np.float64)
        self._output = Buffer(self._n_channels, np.float32)
        self._stretches: list[_Stretch | None] = [None] * self._n_channels
        self._log = GapLog(self._n_channels)
        self._closed = ""  # why nothing more is taken

    @property
    def n_gaps(self) -> int:
        """Number of gaps so far."""
        return self._log.n_gaps

    @property
    def gap_samples(self) -> NDArray[np.int64]:
        """[C] number of samples without a denoised value so far."""
        return self._log.samples.copy()

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """The gaps so far, the first 1000 of them."""
        return self._log.gaps

    def push(self, block: FloatArray) -> NDArray[np.float32]:
        """Denoise the next samples.

        Args:
            block: [C, l], any unit, any length (0, too); NaN where there is no value.

        Returns:
            [C, m] float32: the next denoised samples that became final, in the unit of `block`.

        Raises:
            InputError: the block has another shape or an infinite value (no sample of it is used then), or the
                denoiser refuses a window.
            ItemError: the denoiser failed on a window.
            UserError: `finish` was called, or a window failed before.
        """
        self._check_open()
        array = checked_block(block, self._n_channels, self._input.stop)
        parts = [self._feed(array[:, at : at + self._hop]) for at in range(0, array.shape[1], self._hop)]
        return np.concatenate(parts, axis=1) if parts else np.empty((self._n_channels, 0), np.float32)

    def finish(self) -> NDArray[np.float32]:
        """End the recording and return the remaining denoised samples [C, m] float32; raises as `push` does."""
        self._check_open()
        windows = [w for channel in range(self._n_channels) for w in self._end(channel, self._input.stop)]
        self._denoise(windows)
        self._closed = "the recording was finished; make a new OverlapAdd for another"
        return self._release()

    def _check_open(self) -> None:
        if self._closed:
            raise UserError(self._closed)

    def _feed(self, block: NDArray[np.float64]) -> NDArray[np.float32]:
        """Process a block of at most one hop; returns the samples that became final."""
        first = self._input.stop
        self._input.append(block, block.shape[1])
        self._output.append(np.nan, block.shape[1])
        windows: list[_Window] = []
        for channel, row in enumerate(block):
            for start, stop, has_values in stretches(row):
                if has_values:
                    windows += self._extend(channel, first + start, first + stop)
                else:
                    windows += self._end(channel, first + start)
                    self._log.missing(channel, first + start, first + stop)
        self._denoise(windows)
        return self._release()

    def _extend(self, channel: int, start: int, stop: int) -> list[_Window]:
        """Add samples with values to a stretch; returns the windows that they complete."""
        stretch = self._stretches[channel]
        if stretch is None:
            stretch = self._stretches[channel] = _Stretch(start, stop, final=start)
            self._log.present(channel)
        stretch.stop = stop
        windows: list[_Window] = []
        while True:
            end = stretch.start + self._width if stretch.planned is None else stretch.planned + self._hop
            if end > stop:
                return windows
            windows.append(_Window(channel, stretch, end - self._width, end, last=False))
            stretch.planned = end

    def _end(self, channel: int, stop: int) -> list[_Window]:
        """End the stretch of a channel at `stop`; returns its last window, if there is one."""
        stretch, self._stretches[channel] = self._stretches[channel], None
        if stretch is None:
            return []
        if stretch.planned is None and stop - stretch.start < self._shortest:
            self._log.short(channel, stretch.start, stop)
            return []
        start = stop if stretch.planned == stop else max(stretch.start, stop - self._width)
        return [_Window(channel, stretch, start, stop, last=True)]

    def _denoise(self, windows: list[_Window]) -> None:
        """Denoise windows and join them to the output; windows of the same samples are one batch."""
        batches: dict[tuple[int, int, bool], list[_Window]] = defaultdict(list)
        for window in windows:
            batches[window.stop, window.start, window.last].append(window)
        for (stop, start, _), batch in sorted(batches.items()):  # in the order in which a channel has them
            rows = [window.channel for window in batch]
            estimates = self._estimates(rows, start, stop) if stop > start else np.empty((len(rows), 0))
            for window, estimate in zip(batch, estimates, strict=True):
                self._join(window, estimate)

    def _estimates(self, rows: list[int], start: int, stop: int) -> NDArray[np.float64]:
        noisy = self._input.part(start, stop)[rows]
        if self._denoiser.lowest_hz is not None:
            constant = np.ptp(noisy, axis=1) == 0
            noisy = high_pass(noisy, self._denoiser.lowest_hz, self._fs_hz)
            noisy[constant] = 0.0  # a network would amplify the rounding errors of an offset
        try:
            return self._denoiser.denoise(noisy, self._fs_hz).astype(np.float64)
        except (InputError, ItemError) as error:
            where = f"channels {', '.join(map(str, rows))}, samples {start} to {stop}"
            self._closed = f"denoising stopped at {where}: {error}"
            raise (InputError if isinstance(error, InputError) else ItemError)(self._closed) from error

    def _join(self, window: _Window, estimate: NDArray[np.float64]) -> None:
        stretch, start, stop = window.stretch, window.start, window.stop
        if start == stop:
            if stretch.tail is not None:
                self._write(window.channel, stretch.final, stretch.tail)
            return
        if stretch.tail is not None:
            fade_to = stretch.final + 2 * self._quarter
            new = estimate[stretch.final - start : fade_to - start]
            mixed = stretch.tail[: 2 * self._quarter] * (1 - self._fade_in) + new * self._fade_in
            self._write(window.channel, stretch.final, mixed)
            stretch.final = fade_to
        final = stop if window.last else stop - 3 * self._quarter
        self._write(window.channel, stretch.final, estimate[stretch.final - start : final - start])
        stretch.final, stretch.tail = final, estimate[final - start :].copy()

    def _write(self, channel: int, start: int, values: NDArray[np.float64]) -> None:
        self._output.part(start, start + len(values))[channel] = values

    def _release(self) -> NDArray[np.float32]:
        """Return the samples that are final in all channels, and drop those that no window will need."""
        stop = self._input.stop
        final = min(stop if stretch is None else stretch.final for stretch in self._stretches)
        needed = [
            stop if stretch is None else stretch.start if stretch.planned is None else stretch.planned - self._width
            for stretch in self._stretches
        ]
        out: NDArray[np.float32] = self._output.part(self._output.start, final).copy()
        self._output.drop(final)
        self._input.drop(min(needed))
        return out


def denoise_long(
    denoiser: Denoiser, noisy: FloatArray, fs_hz: float, window_s: float = WINDOW_S, overlap_s: float = OVERLAP_S
) -> NDArray[np.float32]:
    """Denoise a recording of any length that is in memory, with gaps or without.

    Args:
        denoiser: a denoiser with a blind track.
        noisy: [C, L] or [L], any unit; NaN where there is no value.
        fs_hz: sampling rate in Hz.
        window_s: as for `OverlapAdd`.
        overlap_s: as for `OverlapAdd`.

    Returns:
        float32, in the shape and unit of `noisy`; NaN in gaps, and between gaps that are too close to each other.

    Raises:
        InputError, ItemError, UserError: as `OverlapAdd`.
    """
    array = np.asarray(noisy)
    if array.ndim not in (1, 2) or array.size == 0:
        raise InputError(f"expected a recording as [C, L] or [L], got shape {array.shape}")
    channels = np.atleast_2d(array)
    stream = OverlapAdd(denoiser, fs_hz, len(channels), window_s, overlap_s)
    out = np.empty(channels.shape, np.float32)
    done = 0
    block = max(round(window_s * fs_hz), 1)
    for at in range(0, channels.shape[1], block):
        part = stream.push(channels[:, at : at + block])
        out[:, done : done + part.shape[1]] = part
        done += part.shape[1]
    out[:, done:] = stream.finish()
    return out.reshape(array.shape)


def best_streaming(
    denoiser: Denoiser, fs_hz: float, n_channels: int, window_s: float | None = None, overlap_s: float | None = None
) -> CausalDenoiser | OverlapAdd:
    """The form of a denoiser with the least latency: its causal form where it has one, else short windows.

    Both accept blocks by `push`, return the rest by `finish`, and have `latency_s` and `gaps`.

    Args:
        denoiser: a denoiser with a blind track.
        fs_hz: sampling rate in hertz.
        n_channels: number of channels of the stream.
        window_s: length of a window in seconds; None: the causal form (if `overlap_s` is None, too), else 2 s.
        overlap_s: overlap of neighbouring windows in seconds; None: a quarter of the window.

    Raises:
        InputError, UserError: as for `Denoiser.causal` and `OverlapAdd`.
    """
    if window_s is None and overlap_s is None:
        causal = denoiser.causal(fs_hz, n_channels)
        if causal is not None:
            return causal
    window = STREAMING_WINDOW_S if window_s is None else window_s
    overlap = window * STREAMING_OVERLAP_S / STREAMING_WINDOW_S if overlap_s is None else overlap_s
    return OverlapAdd(denoiser, fs_hz, n_channels, window, overlap)
