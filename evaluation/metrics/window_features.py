"""Features of 200 ms windows in the time domain, and the error of the denoised signal's features.

ARV, zero crossings: Phinyomark, Phukpattaranont and Limsakul, Expert Syst. Appl. 39 (2012) 7420, eqs. 2 and 10
(here without an amplitude threshold). Each metric is the RMSE between the features of the two signals.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleansemg.evaluation.metrics.batch import Batch
from cleansemg.evaluation.metrics.framing import rms_difference, split_windows, window_samples
from cleansemg.evaluation.metrics.interface import Profile
from cleansemg.evaluation.metrics.protocol_features import ARV_SAMPLES

FloatArray = NDArray[np.float64]

PUBLISHED_STILL_STD = 1e-12  # volts
STILL_POWER = 1e-8  # -80 dB re the clean segment's mean square


def average_rectified_value(windows: FloatArray) -> FloatArray:
    """Mean of |x| in each window: [n, windows, samples] -> [n, windows].

    >>> average_rectified_value(np.array([[[1.0, -3.0], [0.0, 2.0]]]))
    array([[2., 1.]])
    """
    value: FloatArray = np.abs(windows).mean(axis=-1)
    return value


def sign_changes(windows: FloatArray) -> NDArray[np.int64]:
    """Changes of sign inside each window: [n, windows, samples] -> [n, windows].

    A zero has the sign of the sample before it, so crossing zero counts once and touching it does
    not count; zeros at the start of a window have the sign of its first other sample.

    >>> sign_changes(np.array([[[1.0, 0.0, -1.0, 0.0, -1.0, 2.0], [0.0, 0.0, -1.0, 0.0, 0.0, 3.0]]]))
    array([[2, 1]])
    """
    negative = windows < 0
    zero = windows == 0
    if zero.any():
        negative = _signs_carried_over_zeros(negative, zero)
    changes: NDArray[np.int64] = np.count_nonzero(negative[..., 1:] != negative[..., :-1], axis=-1)
    return changes


def excess_kurtosis(windows: FloatArray, still_power: FloatArray | float) -> FloatArray:
    """m4 / m2^2 - 3 with the moments about the window's mean: [n, windows, samples] -> [n, windows].

    A window whose variance is at most `still_power` has no shape and gets 0, the value of a Gaussian.

    >>> excess_kurtosis(np.array([[[1.0, -1.0, 1.0, -1.0], [5.0, 5.0, 5.0, 5.0]]]), 0.0)
    array([[-2.,  0.]])
    """
    deviation = windows - windows.mean(axis=-1, keepdims=True)
    squares = np.multiply(deviation, deviation, out=deviation)
    m2 = squares.mean(axis=-1)
    m4 = np.multiply(squares, squares, out=squares).mean(axis=-1)
    still = m2 <= still_power
    return np.where(still, 0.0, m4 / np.where(still, 1.0, m2 * m2) - 3.0)


class AverageRectifiedValueError:
    """RMSE of the average rectified values, in the unit of the signals (V); profiles differ in the window."""

    def score(self, batch: Batch, profile: Profile) -> FloatArray:
        length = ARV_SAMPLES.get(profile)
        if length is not None:
            return rms_difference(
                average_rectified_value(split_windows(batch.clean, length)),
                average_rectified_value(split_windows(batch.denoised, length)),
            )
        return rms_difference(
            average_rectified_value(batch.clean_windows), average_rectified_value(batch.denoised_windows)
        )


class ZeroCrossingRateError:
    """RMSE of the sign changes per second, Hz; the same in all profiles."""

    def score(self, batch: Batch, profile: Profile) -> FloatArray:
        duration_s = window_samples(batch.fs_hz) / batch.fs_hz
        return rms_difference(
            sign_changes(batch.clean_windows) / duration_s, sign_changes(batch.denoised_windows) / duration_s
        )


class KurtosisError:
    """RMSE of the excess kurtosis, no unit.

    A window is still where its variance is 80 dB below the clean segment's mean square (standard), or
    where its standard deviation is at most 1e-12 V (published, spec A9).
    """

    def score(self, batch: Batch, profile: Profile) -> FloatArray:
        still_power: FloatArray | float = PUBLISHED_STILL_STD**2
        if profile == "standard":
            still_power = STILL_POWER * (batch.clean * batch.clean).mean(axis=-1, keepdims=True)  # [n, 1]
        return rms_difference(
            excess_kurtosis(batch.clean_windows, still_power), excess_kurtosis(batch.denoised_windows, still_power)
        )


def _signs_carried_over_zeros(negative: NDArray[np.bool_], zero: NDArray[np.bool_]) -> NDArray[np.bool_]:
    samples = negative.shape[-1]
    position = np.where(zero, -1, np.arange(samples))
    source = np.maximum.accumulate(position, axis=-1)
    first_other = np.argmax(~zero, axis=-1)[..., None]  # 0 where the whole window is zero
    return np.take_along_axis(negative, np.where(source < 0, first_other, source), axis=-1)
