"""Which results are too good: better than real gains computed from the clean signal, on more mixtures than chance has.

A denoiser that sees the noisy signal alone can be better than a mask from the clean one where noise is exactly what it
assumes, a steady line for instance, and only there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleansemg import denoising
from cleansemg.denoising import NoiseLabels
from cleansemg.evaluation import metrics
from cleansemg.noise.kinds import BENCHMARK_KINDS

CEILING = "psm_oracle"  # the phase-sensitive mask
METRIC = "SNRimp"
MARGIN_DB = 0.01  # above the ceiling by less is rounding
ALLOWED_SHARE = 0.05  # of the mixtures
FLAG = "has seen the clean signals?"
FLOORS = frozenset({"identity", "zero", "gain", "gain_oracle"})
CEILINGS = frozenset({"wiener_oracle", "psm_oracle", "psd_oracle"})


def ceiling_snr_improvement(
    clean: NDArray[np.float32], noisy: NDArray[np.float32], fs_hz: float, denoiser: str = CEILING
) -> NDArray[np.float64]:
    """SNR improvement in dB of the ceiling: [n, L], [n, L] in volts -> [n].

    Raises:
        UserError: signals that the ceiling or the metric refuses.
    """
    n = len(clean)
    labels = NoiseLabels(
        kinds=np.zeros((n, len(BENCHMARK_KINDS)), np.bool_),
        line_hz=np.full(n, np.nan),
        clean=np.asarray(clean, np.float64),
    )
    estimate = denoising.load(denoiser).denoise(noisy, fs_hz, labels)
    return metrics.compute(clean, noisy, estimate, fs_hz, metrics=[METRIC])[METRIC]


def share_above(improvement: NDArray[np.float64], ceiling: NDArray[np.float64]) -> float:
    """The share of mixtures on which an SNR improvement is above the ceiling's by more than rounding; [n] each, dB.

    >>> share_above(np.array([1.0, 9.0, np.nan, 5.0]), np.array([2.0, 8.0, 8.0, 4.999]))
    0.25
    """
    return float(np.mean(improvement > ceiling + MARGIN_DB))


def role_of(denoiser: str) -> str:
    """What a row of the project is: a floor, a ceiling, or a method."""
    return "floor" if denoiser in FLOORS else "ceiling" if denoiser in CEILINGS else "method"
