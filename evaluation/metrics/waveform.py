"""Distances between waveforms: SNR improvement, root-mean-square error, percentage root difference.

c is the clean, x the noisy and e the denoised segment; sums run over samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleansemg.evaluation.metrics.batch import Batch
from cleansemg.evaluation.metrics.framing import rms_difference
from cleansemg.evaluation.metrics.interface import Profile

FloatArray = NDArray[np.float64]

PUBLISHED_EPSILON = 1e-12  # volts squared
PUBLISHED_PERFECT_DB = 100.0
FLOAT32_ROUNDING = 2.0**-24  # half a unit in the last place of 1.0


def snr_db(clean: FloatArray, estimate: FloatArray, profile: Profile = "standard") -> FloatArray:
    """Signal-to-noise ratio in dB: [n, L], [n, L] -> [n].

    standard (and the papers' profiles): 10 log10(sum c^2 / sum (e - c)^2). The norm of the error counts as at least
    2^-24 of the clean signal's norm, the rounding of float32, in which results are stored. So no value exceeds
    20 log10(2^24) = 144.49 dB, and a perfect output does not make a mean infinite.

    published (CleanSEMG, spec A9): 10 log10(sum c^2 / (sum (e - c)^2 + 1e-12)), and 100 where the error's
    energy is below 1e-12 (whose unit is V^2: the value depends on the signals' unit).

    >>> clean = np.array([[1.0, -1.0, 1.0, -1.0]]) * 1e-4
    >>> snr_db(clean, 1.1 * clean).round(6)
    array([20.])
    >>> snr_db(clean, clean).round(2)
    array([144.49])
    >>> snr_db(clean / 1000, 1.1 * clean / 1000, "published")
    array([100.])
    """
    signal_energy = _energy(clean)
    error_energy = _energy(estimate - clean)
    if profile == "published":
        snr = 10 * np.log10(signal_energy / (error_energy + PUBLISHED_EPSILON))
        return np.where(error_energy < PUBLISHED_EPSILON, PUBLISHED_PERFECT_DB, snr)
    least = FLOAT32_ROUNDING**2 * signal_energy
    ratio_db: FloatArray = 10 * np.log10(signal_energy / np.maximum(error_energy, least))
    return ratio_db


def prd_percent(clean: FloatArray, denoised: FloatArray, profile: Profile = "standard") -> FloatArray:
    """Percentage root difference, 100 sqrt(sum (e - c)^2 / sum c^2): [n, L], [n, L] -> [n].

    published adds 1e-12 V^2 to the denominator (CleanSEMG, spec A9).

    >>> prd_percent(np.array([[3.0, 4.0]]), np.zeros((1, 2)))
    array([100.])
    """
    signal_energy = _energy(clean)
    if profile == "published":
        signal_energy = signal_energy + PUBLISHED_EPSILON
    prd: FloatArray = 100 * np.sqrt(_energy(denoised - clean) / signal_energy)
    return prd


class SnrImprovement:
    """SNR of the denoised minus SNR of the noisy segment, dB; exactly 0.0 where the two are equal."""

    def score(self, batch: Batch, profile: Profile) -> FloatArray:
        return snr_db(batch.clean, batch.denoised, profile) - snr_db(batch.clean, batch.noisy, profile)


class RootMeanSquareError:
    """sqrt(mean (e - c)^2), in the unit of the signals (V); the same in all profiles."""

    def score(self, batch: Batch, profile: Profile) -> FloatArray:
        return rms_difference(batch.clean, batch.denoised)


class PercentageRootDifference:
    """100 sqrt(sum (e - c)^2 / sum c^2), %."""

    def score(self, batch: Batch, profile: Profile) -> FloatArray:
        return prd_percent(batch.clean, batch.denoised, profile)


def _energy(x: FloatArray) -> FloatArray:
    energy: FloatArray = (x * x).sum(axis=-1)
    return energy
