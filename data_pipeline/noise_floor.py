"""How quiet a channel is when nothing happens, and the SNR of a trial against it (A2).

Two rules, and each trial-channel says which one gave its SNR:

- "rest": the recording's label marks rest. Floor: RMS over all its samples with label 0, as in the published code.
  Rest that is exactly 0 (simulated recordings) gives an SNR of plus infinity, which is a value, not an error.
- "quiet": nothing is marked as rest. All recordings of the subject without marked rest are cut into windows of
  `quiet_window_s`, each freed of its mean; floor: RMS over the quietest `quiet_fraction` of the windows of that
  channel name, where it is idle in a recording, too. The trial's own RMS is freed of its mean as well. Windows that
  hold one value throughout are dropouts, not quiet, and windows with missing values are not counted. A subject who
  never relaxes gets a floor that is too high, so an SNR that is too low: the rule errs towards rejecting.
"""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def snr_db(active_rms: float, floor_rms: float) -> float:
    """10 log10(active^2 / floor^2); plus infinity for a floor of exactly 0, NaN for an unknown one.

    >>> snr_db(2e-5, 2e-6), snr_db(2e-5, 0.0), snr_db(2e-5, math.nan)
    (20.0, inf, nan)
    """
    if math.isnan(floor_rms):
        return math.nan
    if floor_rms == 0.0:
        return math.inf
    return 20.0 * math.log10(active_rms / floor_rms)


def rest_rms(signal: FloatArray, label: NDArray[np.int64]) -> tuple[FloatArray, NDArray[np.int64]]:
    """RMS over the samples with label 0.

    Args:
        signal: [C, T].
        label: [T].

    Returns:
        [C] RMS over the finite ones (NaN where there are none), and [C] how many were not finite.
    """
    rest = signal[:, label == 0]
    finite = np.isfinite(rest)
    counts = finite.sum(axis=1)
    energy = np.square(rest, where=finite, out=np.zeros_like(rest)).sum(axis=1)
    rms = np.full(len(signal), np.nan)
    np.divide(energy, counts, out=rms, where=counts > 0)
    return np.sqrt(rms), rest.shape[1] - counts


class QuietFloor:
    """Collects the windows of one subject's recordings, by the name of the channel."""

    def __init__(self, window_s: float, fraction: float) -> None:
        self.window_s = window_s
        self.fraction = fraction
        self._powers: dict[str, list[FloatArray]] = defaultdict(list)

    def add(self, channels: tuple[str, ...], signal: FloatArray, fs_hz: float) -> None:
        """Add a recording [C, T]; a tail shorter than a window is left out."""
        length = max(2, round(self.window_s * fs_hz))
        n_windows = signal.shape[1] // length
        for name, values in zip(channels, signal, strict=True):
            windows = values[: n_windows * length].reshape(n_windows, length)
            usable = windows[np.isfinite(windows).all(axis=1)]
            usable = usable[np.ptp(usable, axis=1) > 0]
            self._powers[name].append(usable.var(axis=1))

    def rms(self, channel: str) -> float:
        """The floor of a channel; NaN where no window was usable."""
        powers = np.concatenate(self._powers[channel]) if self._powers[channel] else np.empty(0)
        if not powers.size:
            return math.nan
        quietest = np.sort(powers)[: max(1, math.ceil(self.fraction * powers.size))]
        return math.sqrt(float(quietest.mean()))
