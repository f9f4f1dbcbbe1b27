"""The causal form of `hp`: the same filters, run forwards only.

The noise of each channel is detected by the rules of the blind `hp`, on the last `LOOK_BACK_S` and again every
`LOOK_EVERY_S`: a power line gets notches, slow noise gets the high-pass. Before a channel has had `FIRST_LOOK_S`
without a gap, nothing is detected and the channel passes unchanged (with `slow_ratio=0`, it is high-passed from its
first sample). A new filter first runs over the last `LOOK_BACK_S`, and its output is faded in over `FADE_S`, so the
change makes no click.

One direction has half the effect, in decibels, of the zero-phase filter: 3 dB instead of 6 dB at the cut-off, half the
decibels below it, and -3 dB instead of -6 dB at the edges of a 2 Hz notch. It also has a delay that depends on the
frequency.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleansemg.denoising.blocks import Buffer
from cleansemg.denoising.causal import CausalDenoiser
from cleansemg.denoising.noise_detection import is_slow, without_line
from cleansemg.denoising.power_line import MIN_DURATION_S, PIECE_S, find_power_line

LOOK_BACK_S = PIECE_S
LOOK_EVERY_S = 1.0
FIRST_LOOK_S = MIN_DURATION_S
FADE_S = 0.1
RETUNE_HZ = 0.03  # a 2 Hz notch still attenuates a line this far from its centre by 30 dB
DELAY_AT_HZ = 100.0  # where surface EMG has most of its power


@dataclass(frozen=True)
class Filters:
    """The filters of a channel: notches at these harmonics of the line, and whether there is a high-pass."""

    line_hz: float = float("nan")
    harmonics: tuple[int, ...] = ()
    slow: bool = False


@dataclass
class _Chain:
    sos: NDArray[np.float64]  # [k, 6], k may be 0
    state: NDArray[np.float64]  # [k, 2]

    def run(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        from scipy import signal

        if not len(self.sos) or not len(x):
            return x
        y: NDArray[np.float64]
        y, self.state = signal.sosfilt(self.sos, x, zi=self.state)
        return y


@dataclass
class _Channel:
    past: Buffer
    filters: Filters
    chain: _Chain
    next_look: int
    fading: _Chain | None = None  # the filter that is faded out from sample `fade_from` of the stretch
    fade_from: int = 0


class CausalHighPass(CausalDenoiser):
    """The filters of `hp`, run forwards only: notches where there is a line, the high-pass where there is slow noise.

    `delay_s` is the delay of the high-pass, at 100 Hz or 0.4 of the sampling rate where that is lower. Only channels
    with slow noise have it. The notches are left out: they delay nothing a few hertz away.
    """

    def __init__(
        self,
        fs_hz: float,
        n_channels: int,
        *,
        cutoff_hz: float,
        order: int,
        notch_width_hz: float,
        n_harmonics: int,
        line_threshold: float,
        slow_ratio: float,
    ) -> None:
        """Prepare for a recording; the keyword parameters are those of `hp.HighPass`.

        Raises:
            InputError: the rate or the number of channels is not a positive number.
        """
        from scipy import signal

        super().__init__(fs_hz, n_channels)
        self.cutoff_hz, self.notch_width_hz, self.n_harmonics = cutoff_hz, notch_width_hz, n_harmonics
        self.line_threshold, self.slow_ratio = line_threshold, slow_ratio
        self.high_pass: NDArray[np.float64] = signal.butter(order, cutoff_hz, "highpass", fs=fs_hz, output="sos")
        self.delay_s = _group_delay_s(self.high_pass, min(DELAY_AT_HZ, 0.4 * self.fs_hz), self.fs_hz)
        self._look_back, self._look_every = round(LOOK_BACK_S * fs_hz), max(round(LOOK_EVERY_S * fs_hz), 1)
        n_fade = max(round(FADE_S * fs_hz), 1)
        self._fade_in = np.sin(np.pi / 2 * (np.arange(n_fade) + 0.5) / n_fade) ** 2
        self._channels: dict[int, _Channel] = {}

    def filters(self, channel: int) -> Filters:
        """The present filters of a channel."""
        state = self._channels.get(channel)
        return Filters(slow=self.slow_ratio == 0) if state is None else state.filters

    def _start(self, channel: int, first: float) -> None:
        filters = Filters(slow=self.slow_ratio == 0)
        chain = self._chain(filters, first)
        first_look = int(np.ceil(FIRST_LOOK_S * self.fs_hz))
        self._channels[channel] = _Channel(Buffer(1, np.float64), filters, chain, first_look)

    def _run(self, channel: int, x: NDArray[np.float64]) -> NDArray[np.float64]:
        state = self._channels[channel]
        parts: list[NDArray[np.float64]] = []
        while len(x):
            piece = x[: state.next_look - state.past.stop]
            x = x[len(piece) :]
            parts.append(self._filter(state, piece))
            state.past.append(piece[None], len(piece))
            state.past.drop(state.past.stop - self._look_back)
            if state.past.stop == state.next_look:
                self._look(state)
                state.next_look += self._look_every
        return np.concatenate(parts)

    def _filter(self, state: _Channel, x: NDArray[np.float64]) -> NDArray[np.float64]:
        y = state.chain.run(x)
        if state.fading is not None:
            at = state.past.stop - state.fade_from
            n = min(len(x), len(self._fade_in) - at)
            weight = self._fade_in[at : at + n]
            y = np.concatenate((state.fading.run(x[:n]) * (1 - weight) + y[:n] * weight, y[n:]))
            if at + n == len(self._fade_in):
                state.fading = None
        return y

    def _look(self, state: _Channel) -> None:
        """Detect the noise in the last samples; where that changes the filters, start the fade."""
        past = state.past.part(state.past.start, state.past.stop)[0]
        filters = self._judge(past, state.filters)
        if filters == state.filters:
            return
        chain = self._chain(filters, float(past[0]))
        chain.run(past)
        state.fading, state.fade_from = state.chain, state.past.stop
        state.filters, state.chain = filters, chain

    def _judge(self, past: NDArray[np.float64], before: Filters) -> Filters:
        line = find_power_line(past, self.fs_hz, n_harmonics=self.n_harmonics, threshold=self.line_threshold)
        rest = without_line(past, self.fs_hz, line, self.notch_width_hz)
        slow = self.slow_ratio == 0 or is_slow(rest, self.cutoff_hz, self.fs_hz, self.slow_ratio)
        if not line.harmonics:
            return Filters(slow=slow)
        near = abs(line.frequency_hz - before.line_hz) <= RETUNE_HZ  # False where there was none
        return Filters(before.line_hz if near else line.frequency_hz, line.harmonics, slow)

    def _chain(self, filters: Filters, first: float) -> _Chain:
        """The filters, with the state that an endless constant `first` leaves."""
        from scipy import signal

        sections = [np.empty((0, 6))]
        for k in filters.harmonics:
            frequency_hz = k * filters.line_hz
            b, a = signal.iirnotch(frequency_hz, frequency_hz / self.notch_width_hz, fs=self.fs_hz)
            sections.append(signal.tf2sos(b, a))
        if filters.slow:
            sections.append(self.high_pass)
        sos = np.concatenate(sections)
        return _Chain(sos, signal.sosfilt_zi(sos) * first if len(sos) else np.empty((0, 2)))


def _group_delay_s(sos: NDArray[np.float64], frequency_hz: float, fs_hz: float) -> float:
    from scipy import signal

    delays = [signal.group_delay((row[:3], row[3:]), w=[frequency_hz], fs=fs_hz)[1][0] for row in sos]
    return float(sum(delays)) / fs_hz
