"""Measures of the waveform of one channel as its samples come: amplitude, clipping, flat parts, gaps.

Clipping. An amplifier or converter at the end of its range repeats its extreme value. Samples count as clipped where
they equal the largest (or smallest) value of the whole channel in runs of at least `CLIPPED_RUN`. A signal of few codes
can reach that by chance, a few samples of it.

Flat. A run of one value of at least `FLAT_S`: an electrode that came off, a stretch filled up with a constant. A
channel of one value alone is flat, not clipped.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cleansemg.denoising.blocks import stretches
from cleansemg.recordings.spectra import AveragedSpectrum

Float64 = NDArray[np.float64]

CLIPPED_RUN = 3  # samples
FLAT_S = 0.2


@dataclass(frozen=True)
class Parts:
    """Stretches of a channel: how many, and how long together."""

    count: int
    seconds: float


@dataclass
class _Extreme:
    """Samples in runs at the highest value that any run had so far."""

    value: float = -np.inf
    samples: int = 0

    def add(self, value: float, length: int) -> None:
        if value > self.value:
            self.value, self.samples = value, 0
        if value == self.value:
            self.samples += length


@dataclass
class WaveformMeter:
    """One channel, block by block: `push`, ..., `finish`, then the properties.

    Attributes:
        fs_hz: sampling rate.
        n_samples: pushed so far, with or without a value.
        n_values: those with a value.
        mean: of the values, in the input's unit.
        minimum: likewise; infinity where there is no value.
        maximum: likewise.
        spectrum: of the same samples.
    """

    fs_hz: float
    n_samples: int = 0
    n_values: int = 0
    mean: float = 0.0
    minimum: float = np.inf
    maximum: float = -np.inf
    spectrum: AveragedSpectrum = field(init=False)
    _squares: float = 0.0  # sum of squared distances to the mean
    _run_value: float = np.nan
    _run_length: int = 0
    _n_flat: int = 0
    _flat_samples: int = 0
    _n_gaps: int = 0
    _in_gap: bool = False
    _high: _Extreme = field(default_factory=_Extreme)
    _low: _Extreme = field(default_factory=_Extreme)  # of the signal upside down

    def __post_init__(self) -> None:
        self.spectrum = AveragedSpectrum(self.fs_hz)

    def push(self, x: Float64) -> None:
        """Add the next samples [l]; NaN where there is no value."""
        for start, stop, has_values in stretches(x):
            if has_values:
                self._values(x[start:stop])
                self._in_gap = False
            else:
                self._n_gaps += not self._in_gap
                self._in_gap = True
                self._close_run()
                self.spectrum.end_stretch()
        self.n_samples += len(x)

    def finish(self) -> None:
        """Nothing more comes."""
        self._close_run()
        self.spectrum.end_stretch()

    @property
    def rms(self) -> float | None:
        """Root of the mean square distance to the mean; None where there is no value."""
        return float(np.sqrt(self._squares / self.n_values)) if self.n_values else None

    @property
    def clipped_share(self) -> float:
        """Of the values, those that are clipped."""
        if not self.n_values or self.minimum == self.maximum:
            return 0.0
        high = self._high.samples if self._high.value == self.maximum else 0
        low = self._low.samples if -self._low.value == self.minimum else 0
        return (high + low) / self.n_values

    @property
    def flat(self) -> Parts:
        return Parts(self._n_flat, self._flat_samples / self.fs_hz)

    @property
    def gaps(self) -> Parts:
        return Parts(self._n_gaps, (self.n_samples - self.n_values) / self.fs_hz)

    def _values(self, x: Float64) -> None:
        mean, squares = float(x.mean()), float(np.sum((x - x.mean()) ** 2))
        before, self.n_values = self.n_values, self.n_values + len(x)
        # Chan, Golub and LeVeque 1979: two parts' mean and squares make those of both
        self._squares += squares + (mean - self.mean) ** 2 * before * len(x) / self.n_values
        self.mean += (mean - self.mean) * len(x) / self.n_values
        self.minimum, self.maximum = min(self.minimum, float(x.min())), max(self.maximum, float(x.max()))
        self._runs(x)
        self.spectrum.push(x)

    def _runs(self, x: Float64) -> None:
        if x[0] != self._run_value:
            self._close_run()
        changes = np.flatnonzero(x[1:] != x[:-1]) + 1
        if not len(changes):
            self._run_value, self._run_length = float(x[0]), self._run_length + len(x)
            return
        self._run_value, self._run_length = float(x[0]), self._run_length + int(changes[0])
        self._close_run()
        lengths = np.diff(changes)
        for i in np.flatnonzero(lengths >= CLIPPED_RUN):
            self._count_run(float(x[changes[i]]), int(lengths[i]))
        self._run_value, self._run_length = float(x[-1]), len(x) - int(changes[-1])

    def _close_run(self) -> None:
        if self._run_length:
            self._count_run(self._run_value, self._run_length)
        self._run_value, self._run_length = np.nan, 0

    def _count_run(self, value: float, length: int) -> None:
        if length >= CLIPPED_RUN:
            self._high.add(value, length)
            self._low.add(-value, length)
        if length >= FLAT_S * self.fs_hz:
            self._n_flat += 1
            self._flat_samples += length
