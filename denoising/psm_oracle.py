"""The ceiling of real gains: the phase-sensitive mask, from the signal's own clean part.

    G(t, f) = clip(Re(S X*) / |X|^2, 0, 1),  estimate = ISTFT(G X)

with S the transform of the clean signal and X that of the noisy one (Erdogan, Hershey, Watanabe and Le Roux,
"Phase-sensitive and recognition-boosted speech separation using deep recurrent neural networks", ICASSP 2015,
section 2.2). Of all gains between 0 and 1 these have the least squared error |S - G X|^2 in every bin.

That holds for the transform. The inverse projects G X onto what is the transform of some signal, so for the signal the
mask is next to the best: other gains could be better by what the projection leaves out. Methods that change phases or
subtract are not bounded by it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleansemg.denoising.given_clean import OracleGains, ratio


class PhaseSensitiveMask(OracleGains):
    """The best gains between 0 and 1 for every bin of the short-time Fourier transform."""

    name = "psm_oracle"

    def gain(
        self, signal: NDArray[np.complex128], noise: NDArray[np.complex128], step_s: float, step_hz: float
    ) -> NDArray[np.float64]:
        return phase_sensitive_gain(signal, signal + noise)


def phase_sensitive_gain(signal: NDArray[np.complex128], noisy: NDArray[np.complex128]) -> NDArray[np.float64]:
    """clip(Re(S X*) / |X|^2, 0, 1); zero where X is nothing beside the largest of its row."""
    gain: NDArray[np.float64] = np.clip(ratio((signal * noisy.conj()).real, np.abs(noisy) ** 2), 0.0, 1.0)
    return gain
