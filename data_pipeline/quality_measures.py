"""Spectral quality of raw trials: SMR, SHR and OHM (A2), the same in volts as in microvolts.

Symbols: P(f) Welch's power spectral density; M0, M1, M2 trapezoid integrals of f^n P(f) over the whole axis.
    SMR = 10 log10(M0 / power up to 20 Hz)             signal to motion artefact
    SHR = 10 log10(M0 / power from 0.8 Nyquist up)     signal to high-frequency noise
    OHM = sqrt(M2 / M0) / (M1 / M0)                    deformation of the spectrum
They are the measures of Sinderby, Lindstrom and Grassino (1995, J Appl Physiol 79:1803) as the benchmark simplifies
them. No constant is added anywhere: every value is a ratio of powers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.periodogram import welch

FloatArray = NDArray[np.float64]


class SpectralQuality(NamedTuple):
    """SMR and SHR in dB and OHM (no unit); each [C]."""

    smr_db: FloatArray
    shr_db: FloatArray
    ohm: FloatArray


def spectral_quality(
    signal: FloatArray, fs_hz: float, welch_samples: int, smr_band_hz: float, shr_nyquist_fraction: float
) -> SpectralQuality:
    """SMR, SHR and OHM of each channel of a trial.

    Args:
        signal: [C, T] raw, any unit; finite, and no channel is constant.
        fs_hz: sampling rate in hertz.
        welch_samples: longest segment of Welch's method, in samples.
        smr_band_hz: upper edge of the motion-artefact band in hertz.
        shr_nyquist_fraction: lower edge of the high-frequency noise band, as a fraction of the Nyquist frequency.

    Returns:
        [C] each; SMR or SHR is infinite where its band has no power.
    """
    frequency_hz, power = welch(signal, fs_hz, welch_samples)
    m0, m1, m2 = (_integral(frequency_hz**order * power, frequency_hz) for order in range(3))
    slow = frequency_hz <= smr_band_hz
    fast = frequency_hz >= shr_nyquist_fraction * fs_hz / 2
    with np.errstate(divide="ignore"):
        return SpectralQuality(
            smr_db=10 * np.log10(m0 / _integral(power[:, slow], frequency_hz[slow])),
            shr_db=10 * np.log10(m0 / _integral(power[:, fast], frequency_hz[fast])),
            ohm=np.sqrt(m2 / m0) / (m1 / m0),
        )


def _integral(values: FloatArray, at: FloatArray) -> FloatArray:
    return np.asarray(np.trapezoid(values, at, axis=-1))
