"""What knowing the spectra gives: Wiener gains from expected spectra in place of the realised ones.

    G(t, f) = P_S / (P_S + P_N),  P_S = |S|^2 and P_N = |N|^2, each a moving mean over `smooth_s` and `smooth_hz`

with S the transform of the clean signal and N that of noisy minus clean. The Wiener filter (Loizou, Speech Enhancement,
chapter 6) is the best linear estimate for signal and noise of known, slowly varying power spectra. A method that learns
these exactly, and nothing of the samples themselves, reaches this row; what lies between it and `psm_oracle` takes
knowledge of the single bins.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError
from cleansemg.denoising.given_clean import WINDOWS_S, OracleGains
from cleansemg.denoising.heartbeats import moving_mean
from cleansemg.denoising.wiener_oracle import wiener_gain


class ExpectedSpectra(OracleGains):
    """Wiener gains from the smoothed spectra of the true clean signal and noise."""

    name = "psd_oracle"

    def __init__(self, windows_s: Sequence[float] = WINDOWS_S, smooth_s: float = 0.25, smooth_hz: float = 10.0) -> None:
        """Set the windows and the smoothing.

        Args:
            windows_s: lengths of the windows in seconds; the best for a signal counts.
            smooth_s: how long the moving mean of the powers is; a frame where that is less.
            smooth_hz: how wide it is; a bin where that is less.

        Raises:
            UserError: one of them is not positive.
        """
        super().__init__(windows_s)
        for name, value in (("smooth_s", smooth_s), ("smooth_hz", smooth_hz)):
            if not np.isfinite(value) or value <= 0:
                raise UserError(f"psd_oracle: {name} is {value!r}, expected a positive number")
        self.smooth_s, self.smooth_hz = float(smooth_s), float(smooth_hz)

    def gain(
        self, signal: NDArray[np.complex128], noise: NDArray[np.complex128], step_s: float, step_hz: float
    ) -> NDArray[np.float64]:
        frames, bins = _odd(self.smooth_s / step_s), _odd(self.smooth_hz / step_hz)
        return wiener_gain(_smoothed(signal, frames, bins), _smoothed(noise, frames, bins))


def _odd(width: float) -> int:
    """The odd number nearest to a width, so that a moving mean is centred."""
    return 2 * round((width - 1) / 2) + 1 if width > 1 else 1


def _smoothed(spectrum: NDArray[np.complex128], frames: int, bins: int) -> NDArray[np.float64]:
    """[n, frames, bins]: the mean of the powers around each bin; at the ends over those that there are."""
    over_bins = moving_mean(np.abs(spectrum) ** 2, bins)
    smoothed: NDArray[np.float64] = moving_mean(over_bins.swapaxes(-1, -2), frames).swapaxes(-1, -2)
    return smoothed
