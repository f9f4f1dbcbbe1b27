"""The ideal ratio mask: Wiener gains from the realised spectra of the signal's own clean part and its noise.

    G(t, f) = |S|^2 / (|S|^2 + |N|^2),  estimate = ISTFT(G X),  X = S + N

with S the transform of the clean signal and N that of noisy minus clean (the Wiener filter of Loizou, Speech
Enhancement, chapter 6, with the true spectra in place of estimates; as a mask: Wang, Narayanan and Wang, "On training
targets for supervised speech separation", IEEE/ACM Trans. Audio Speech Lang. Process. 22(12), 1849-1858, 2014).

These gains leave out how the phases of S and N lie to one another, so they are not the best ones between 0 and 1: that
is `psm_oracle`, the ceiling.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleansemg.denoising.given_clean import OracleGains, ratio


class WienerOracle(OracleGains):
    """The ideal ratio mask, from the true clean signal and noise."""

    name = "wiener_oracle"

    def gain(
        self, signal: NDArray[np.complex128], noise: NDArray[np.complex128], step_s: float, step_hz: float
    ) -> NDArray[np.float64]:
        return wiener_gain(np.abs(signal) ** 2, np.abs(noise) ** 2)


def wiener_gain(signal_power: NDArray[np.float64], noise_power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Power of the signal over that of both; zero where both are nothing beside the largest of their row."""
    return ratio(signal_power, signal_power + noise_power)
