"""The noise floor of a channel at rest, and the SNR of a trial over that floor (A2).

There are two rules; each trial-channel records which one gave its SNR:

- "rest": the recording's label marks rest. The floor is the RMS over all its samples with label 0, as in the published
  code. Rest that is exactly 0 (simulated recordings) gives an SNR of plus infinity, which is a value, not an error.
- "quiet": the recording's label marks no rest. All such recordings of the subject are cut into windows of
  `quiet_window_s`, and the mean of each window is subtracted. The floor is the RMS over the quietest `quiet_fraction`
  of the windows of all channels with that name, including recordings in which the channel is idle. The RMS of the
  trial is computed without its mean, too. Constant windows are dropouts and are not counted, nor are windows with
  missing values. A subject who never relaxes gets a floor that is too high and so an SNR that is too low: the rule
  rejects too much rather than too little.
"""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def snr_db(active_rms: float, floor_rms: float) -> float:
    """SNR in dB, 10 log10(active^2 / floor^2), of two RMS values in the same unit.

    It is plus infinity where the floor is exactly 0 and NaN where the floor is NaN (unknown).

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
        signal: [C, T], any unit.
        label: [T], 0 at rest.

    Returns:
        [C] RMS over the finite samples, in the unit of the signal (NaN where there are none), and [C] the number of
        samples that are not finite.
    """
    rest = signal[:, label == 0]
    finite = np.isfinite(rest)
    counts = finite.sum(axis=1)
    energy = np.square(rest, where=finite, out=np.zeros_like(rest)).sum(axis=1)
    rms = np.full(len(signal), np.nan)
    np.divide(energy, counts, out=rms, where=counts > 0)
    return np.sqrt(rms), rest.shape[1] - counts


class QuietFloor:
    """Collects the windows of one subject's recordings by channel name.

    Args:
        window_s: length of a window in seconds.
        fraction: fraction of the windows, the quietest ones, that make the floor.
    """

    def __init__(self, window_s: float, fraction: float) -> None:
        self.window_s = window_s
        self.fraction = fraction
        self._powers: dict[str, list[FloatArray]] = defaultdict(list)

    def add(self, channels: tuple[str, ...], signal: FloatArray, fs_hz: float) -> None:
        """Add a recording `signal` [C, T]; a tail shorter than a window is left out."""
        length = max(2, round(self.window_s * fs_hz))
        n_windows = signal.shape[1] // length
        for name, values in zip(channels, signal, strict=True):
            windows = values[: n_windows * length].reshape(n_windows, length)
            usable = windows[np.isfinite(windows).all(axis=1)]
            usable = usable[np.ptp(usable, axis=1) > 0]
            self._powers[name].append(usable.var(axis=1))

    def rms(self, channel: str) -> float:
        """The floor of a channel, in the unit of the signal; NaN where no window was usable."""
        powers = np.concatenate(self._powers[channel]) if self._powers[channel] else np.empty(0)
        if not powers.size:
            return math.nan
        quietest = np.sort(powers)[: max(1, math.ceil(self.fraction * powers.size))]
        return math.sqrt(float(quietest.mean()))
