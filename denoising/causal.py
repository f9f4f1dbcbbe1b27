"""Real-time denoisers: each output sample depends only on its input sample and earlier ones, and comes at once.

`Denoiser.causal` returns the causal form of a method that has one: `identity`, and `hp` (`causal_high_pass`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import InputError
from cleansemg.denoising.blocks import Gap, GapLog, checked_block, stretches


class CausalDenoiser(ABC):
    """Denoises a recording block by block; a block returns as many samples as it has.

    The output is bit for bit independent of how the samples are cut into blocks. A gap (NaN) stays a gap, and the
    channel starts again after it.

    Attributes:
        latency_s: 0, because no sample is held back.
        delay_s: group delay in seconds, at 100 Hz, of the filters that may be applied (see the subclass).
    """

    latency_s = 0.0
    delay_s = 0.0

    def __init__(self, fs_hz: float, n_channels: int) -> None:
        """Prepare for a recording.

        Args:
            fs_hz: sampling rate in hertz.
            n_channels: number of channels.

        Raises:
            InputError: the rate or the number of channels is not a positive number.
        """
        if not np.isfinite(fs_hz) or fs_hz <= 0:
            raise InputError(f"fs_hz must be a positive number of Hz, got {fs_hz!r}")
        if n_channels != int(n_channels) or n_channels < 1:
            raise InputError(f"n_channels is {n_channels!r}, at least 1")
        self.fs_hz, self.n_channels = float(fs_hz), int(n_channels)
        self._n_samples = 0
        self._in_gap = [True] * self.n_channels
        self._log = GapLog(self.n_channels)

    @property
    def n_gaps(self) -> int:
        """Number of gaps so far."""
        return self._log.n_gaps

    @property
    def gap_samples(self) -> NDArray[np.int64]:
        """[C] number of samples that arrived as NaN so far."""
        return self._log.samples.copy()

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """The gaps so far, the first 1000 of them."""
        return self._log.gaps

    def push(self, block: NDArray[np.floating]) -> NDArray[np.float32]:
        """Denoise the next samples.

        Args:
            block: [C, l], any unit, any length; NaN where there is no value.

        Returns:
            [C, l] float32, in the unit of `block`.

        Raises:
            InputError: the block has another shape or type, or an infinite value; no sample of it is used then.
        """
        array = checked_block(block, self.n_channels, self._n_samples)
        out = np.full(array.shape, np.nan, np.float32)
        for channel, row in enumerate(array):
            for start, stop, has_values in stretches(row):
                if not has_values:
                    self._log.missing(channel, self._n_samples + start, self._n_samples + stop)
                    self._in_gap[channel] = True
                    continue
                if self._in_gap[channel]:
                    self._log.present(channel)
                    self._start(channel, float(row[start]))
                    self._in_gap[channel] = False
                out[channel, start:stop] = self._run(channel, row[start:stop])
        self._n_samples += array.shape[1]
        return out

    def finish(self) -> NDArray[np.float32]:
        """[C, 0]: no sample is left. The method exists so that a causal form and `OverlapAdd` are used alike."""
        return np.empty((self.n_channels, 0), np.float32)

    @abstractmethod
    def _start(self, channel: int, first: float) -> None:
        """Reset a channel; its next sample is `first`."""

    @abstractmethod
    def _run(self, channel: int, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Denoise the next samples of a channel: [l] -> [l]."""


class CausalIdentity(CausalDenoiser):
    """Returns its input; no delay."""

    def _start(self, channel: int, first: float) -> None:
        pass

    def _run(self, channel: int, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return x
