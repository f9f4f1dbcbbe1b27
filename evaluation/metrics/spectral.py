"""Distances between short-time spectra: log-spectral distance, mean and median frequency.

P_k is the power of one window in bin k at f_k Hz. Mean and median frequency: Phinyomark et al., Expert Syst.
Appl. 39 (2012) 7420, eqs. 23 and 24. Log-spectral distance: Gray and Markel, IEEE Trans. ASSP 24 (1976) 380, the
root-mean-square (L2) form. Windows, band and floor: `spectrum` (standard), `published_spectra` (published).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.spectral_moments import mean_frequency_hz, median_frequency_hz
from cleansemg.evaluation.metrics import published_spectra
from cleansemg.evaluation.metrics.batch import Batch
from cleansemg.evaluation.metrics.framing import rms_difference
from cleansemg.evaluation.metrics.interface import Profile
from cleansemg.evaluation.metrics.protocol_features import FRAMES, mean_frequency_error_hz

FloatArray = NDArray[np.float64]


def log_spectral_distance_db(clean_power: FloatArray, denoised_power: FloatArray) -> FloatArray:
    """Mean over windows of sqrt(mean_k (10 log10(P_k(e) / P_k(c)))^2), dB: [n, windows, bins] -> [n].

    Half the amplitude is a quarter of the power in every bin, a distance of 6.02 dB:

    >>> power = np.array([[[1.0, 2.0, 4.0], [3.0, 1.0, 1.0]]])
    >>> log_spectral_distance_db(power, power / 4).round(4)
    array([6.0206])
    """
    level_db = np.log10(denoised_power / clean_power)
    level_db *= level_db
    distance: FloatArray = 10 * np.sqrt(level_db.mean(axis=-1)).mean(axis=-1)
    return distance


class LogSpectralDistance:
    """Log-spectral distance over 20 to 500 Hz, dB."""

    def score(self, batch: Batch, profile: Profile) -> FloatArray:
        if profile == "published":
            return published_spectra.log_spectral_distance_db(batch.clean, batch.denoised, batch.fs_hz, batch.workspace)
        return log_spectral_distance_db(batch.spectra.clean, batch.spectra.denoised)


class MeanFrequencyError:
    """RMSE of the windows' mean frequencies over 20 to 500 Hz (ecg_paper, trustemg: from 10 Hz), Hz."""

    def score(self, batch: Batch, profile: Profile) -> FloatArray:
        if profile in FRAMES:
            return mean_frequency_error_hz(batch, FRAMES[profile])
        if profile == "published":
            return rms_difference(
                published_spectra.mean_frequency_hz(batch.clean, batch.fs_hz, batch.workspace),
                published_spectra.mean_frequency_hz(batch.denoised, batch.fs_hz, batch.workspace),
            )
        spectra = batch.spectra
        return rms_difference(
            mean_frequency_hz(spectra.clean, spectra.frequencies_hz),
            mean_frequency_hz(spectra.denoised, spectra.frequencies_hz),
        )


class MedianFrequencyError:
    """RMSE of the windows' median frequencies over 20 to 500 Hz, Hz."""

    def score(self, batch: Batch, profile: Profile) -> FloatArray:
        if profile == "published":
            return rms_difference(
                published_spectra.median_frequency_hz(batch.clean_windows, batch.fs_hz, batch.workspace),
                published_spectra.median_frequency_hz(batch.denoised_windows, batch.fs_hz, batch.workspace),
            )
        spectra = batch.spectra
        return rms_difference(
            median_frequency_hz(spectra.clean, spectra.frequencies_hz),
            median_frequency_hz(spectra.denoised, spectra.frequencies_hz),
        )
