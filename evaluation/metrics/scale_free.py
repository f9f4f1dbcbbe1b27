"""How well the shape of the signal is recovered, whatever its scale, and with which gain the EMG comes out.

c is the clean, x the noisy and e the denoised segment; sums run over samples. SNR improvement on a grid that is
symmetric about 0 dB rewards turning a noisy signal down; these measures do not.

Source: J. Le Roux, S. Wisdom, H. Erdogan, J. R. Hershey, "SDR - half-baked or well done?", ICASSP 2019, 626-630. Their
means are not subtracted here: surface EMG has none, and an offset is an error.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleansemg.evaluation.metrics.batch import Batch
from cleansemg.evaluation.metrics.interface import Profile
from cleansemg.evaluation.metrics.waveform import FLOAT32_ROUNDING, snr_db

FloatArray = NDArray[np.float64]

LEAST_SHARE = FLOAT32_ROUNDING**2  # of the energy: what float32, in which results are stored, can still tell from none


def emg_gain(clean: FloatArray, estimate: FloatArray) -> FloatArray:
    """Gain of the clean signal in an estimate, sum c e / sum c^2: [n, L], [n, L] -> [n], without unit.

    It is the slope of the regression of the estimate on the clean signal through the origin: 1 is right, below 1 the
    method takes EMG away, 0 is a silent output.

    >>> clean = np.array([[1.0, -1.0, 2.0, 0.0]])
    >>> emg_gain(clean, 0.5 * clean), emg_gain(clean, 0 * clean), emg_gain(clean, clean + [[1, 1, 0, 3]])
    (array([0.5]), array([0.]), array([1.]))
    """
    gain: FloatArray = (clean * estimate).sum(axis=-1) / (clean * clean).sum(axis=-1)
    return gain


def si_sdr_db(clean: FloatArray, estimate: FloatArray) -> FloatArray:
    """Scale-invariant signal-to-distortion ratio in dB: [n, L], [n, L] -> [n].

    10 log10(sum (a c)^2 / sum (a c - e)^2) with a = sum c e / sum c^2 (Le Roux et al. 2019, eq. 3). It is
    r^2 / (1 - r^2) with r the cosine between the two signals, so an estimate with the wrong sign has the value of the
    right one. Both parts count as at least 2^-48 of the estimate's energy, the rounding of float32: values stay between
    -144.49 and 144.49 dB. A silent estimate holds nothing of the signal and has the lowest.

    >>> clean = np.array([[1.0, -1.0, 1.0, -1.0]]) * 1e-4
    >>> error = np.array([[1.0, 1.0, -1.0, -1.0]]) * 1e-5  # orthogonal to the clean signal
    >>> si_sdr_db(clean, clean + error).round(6), si_sdr_db(clean, 1e-3 * (clean + error)).round(6)
    (array([20.]), array([20.]))
    >>> si_sdr_db(clean, 3 * clean).round(2), si_sdr_db(clean, 0 * clean).round(2), si_sdr_db(clean, error).round(2)
    (array([144.49]), array([-144.49]), array([-144.49]))
    """
    explained, left, total = _shares(clean, estimate)
    floor = np.where(total > 0, LEAST_SHARE * total, 1.0)
    silent = total == 0
    ratio = np.maximum(explained, floor) / np.where(silent, floor, np.maximum(left, floor))
    lowest = 10 * np.log10(LEAST_SHARE)
    value: FloatArray = np.where(silent, lowest, 10 * np.log10(ratio))
    return value


def best_scaled_snr_db(clean: FloatArray, estimate: FloatArray) -> FloatArray:
    """SNR in dB of the multiple of an estimate that is nearest to the clean signal: [n, L], [n, L] -> [n].

    The best factor is sum c e / sum e^2, and the SNR then 1 / (1 - r^2) with r the cosine between the two; at most
    144.49 dB (the rounding of float32). Of a silent estimate, or one without anything of the signal, it is 0 dB: no
    multiple does better than silence.

    >>> clean = np.array([[1.0, -1.0, 1.0, -1.0]])
    >>> error = np.array([[1.0, 1.0, -1.0, -1.0]])
    >>> best_scaled_snr_db(clean, 7 * (clean + error)).round(4), best_scaled_snr_db(clean, 0 * clean)
    (array([3.0103]), array([0.]))
    >>> best_scaled_snr_db(clean, -2 * clean).round(2)
    array([144.49])
    """
    _, left, total = _shares(clean, estimate)
    share = np.where(total > 0, left / np.where(total > 0, total, 1.0), 1.0)
    value: FloatArray = -10 * np.log10(np.clip(share, LEAST_SHARE, 1.0))
    return value + 0.0


class SiSdrImprovement:
    """SI-SDR of the denoised minus SI-SDR of the noisy segment, dB; 0 where only the scale was changed."""

    def score(self, batch: Batch, profile: Profile) -> FloatArray:
        return si_sdr_db(batch.clean, batch.denoised) - si_sdr_db(batch.clean, batch.noisy)


class EmgGain:
    """Gain of the clean signal in the denoised one, without unit; 1 is right."""

    def score(self, batch: Batch, profile: Profile) -> FloatArray:
        return emg_gain(batch.clean, batch.denoised)


class OutputSnr:
    """SNR of the denoised segment, dB; at most 144.49, 0 for a silent output."""

    def score(self, batch: Batch, profile: Profile) -> FloatArray:
        return snr_db(batch.clean, batch.denoised)


class BestScaledSnrImprovement:
    """SNR of the denoised minus SNR of the noisy segment, each at its best scale, dB; 0 where only scales differ."""

    def score(self, batch: Batch, profile: Profile) -> FloatArray:
        return best_scaled_snr_db(batch.clean, batch.denoised) - best_scaled_snr_db(batch.clean, batch.noisy)


def _shares(clean: FloatArray, estimate: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Energy of the estimate along the clean signal, what is left of it, and all of it: [n] each.

    What is left is summed from the difference itself: total minus explained would cancel.
    """
    target = emg_gain(clean, estimate)[:, None] * clean
    rest = estimate - target
    return (target * target).sum(axis=-1), (rest * rest).sum(axis=-1), (estimate * estimate).sum(axis=-1)
