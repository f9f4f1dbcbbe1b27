"""Features of the ECG-removal and TrustEMG papers, and the metrics that only their profiles have.

Profile `ecg_paper`: MSEMG, SDEMG and the ICASSP 2023 FCN (spec B, C); `trustemg`: TrustEMG-Net (spec D). Both are
defined in samples at 1 kHz. Mean frequencies use only the active frames, so they need the recording's label.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError
from cleansemg.evaluation.metrics.batch import Batch
from cleansemg.evaluation.metrics.interface import Profile

FloatArray = NDArray[np.float64]

LOWEST_HZ = 10.0
ARV_SAMPLES: dict[Profile, int] = {"ecg_paper": 1000, "trustemg": 200}
GAUSSIAN_RATIO = 2.91  # (q97.5 - q2.5) / (q75 - q25) of a normal distribution
QUANTILES = (0.025, 0.25, 0.75, 0.975)


@dataclass(frozen=True)
class Frames:
    """The frames for the mean frequency of a signal; a frame is centred at each multiple of `hop`.

    Attributes:
        window: length of a frame in samples.
        hop: number of samples between frames.
        n_fft: length in samples after padding with zeros.
        taper: "boxcar" or "hamming" (symmetric: the public code passes the window as a function).
        outside: the assumed values before the first and after the last sample: "zeros" or "edge".
    """

    window: int
    hop: int
    n_fft: int
    taper: Literal["boxcar", "hamming"]
    outside: Literal["zeros", "edge"]


FRAMES: dict[Profile, Frames] = {
    "ecg_paper": Frames(128, 32, 256, "hamming", "zeros"),
    "trustemg": Frames(200, 200, 1024, "boxcar", "edge"),
}


def mean_frequency_hz(x: FloatArray, fs_hz: float, frames: Frames) -> FloatArray:
    """Amplitude-weighted mean frequency, sum f_k A_k / sum A_k, from 10 Hz up: [n, L] -> [n, ceil(L / hop)].

    A frame without any amplitude gets the value of a flat spectrum, the mean of the band.

    >>> t_s = np.arange(2000) / 1000
    >>> frequency = mean_frequency_hz(np.sin(2 * np.pi * 125 * t_s)[None], 1000.0, FRAMES["ecg_paper"])
    >>> frequency.shape, float(frequency[0, 30].round(1))
    ((1, 63), 127.0)
    >>> float(mean_frequency_hz(np.zeros((1, 200)), 1000.0, FRAMES["trustemg"])[0, 0].round(1))
    255.4
    """
    length = x.shape[-1]
    half = frames.window // 2
    count = -(-length // frames.hop)
    padded = (count - 1) * frames.hop + frames.window
    around = ((0, 0), (half, max(0, padded - half - length)))
    extended = np.pad(x, around) if frames.outside == "zeros" else np.pad(x, around, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(extended, frames.window, axis=-1)[:, :: frames.hop][:, :count]
    frequencies_hz = np.fft.rfftfreq(frames.n_fft, 1 / fs_hz)
    band = frequencies_hz >= LOWEST_HZ
    amplitude = np.abs(np.fft.rfft(windows * _taper(frames), n=frames.n_fft, axis=-1))[..., band]
    total = amplitude.sum(axis=-1)
    weighted = (amplitude * frequencies_hz[band]).sum(axis=-1)
    frequency: FloatArray = np.where(total > 0, weighted / np.where(total > 0, total, 1.0), frequencies_hz[band].mean())
    return frequency


def active_rms_difference(a: FloatArray, b: FloatArray, active: NDArray[np.bool_]) -> FloatArray:
    """sqrt(mean (a - b)^2) over the active entries of each row; NaN where there is none: [n, m] -> [n].

    >>> a, b = np.zeros((2, 2)), np.array([[3.0, 9.0], [1.0, 1.0]])
    >>> active_rms_difference(a, b, np.array([[True, False], [False, False]]))
    array([ 3., nan])
    """
    count = active.sum(axis=-1)
    squares = np.where(active, (a - b) ** 2, 0.0).sum(axis=-1)
    distance: FloatArray = np.sqrt(np.where(count > 0, squares / np.maximum(count, 1), np.nan))
    return distance


def mean_frequency_error_hz(batch: Batch, frames: Frames) -> FloatArray:
    """[n] RMSE in hertz of the mean frequencies over the frames whose centre is active.

    Raises:
        UserError: the test set has no labels of activity.
    """
    if batch.active is None:
        raise UserError(
            "mean frequencies of the profiles ecg_paper and trustemg are read where the subject is active, which this "
            "test set does not say: make it with segment.cut: recordings"
        )
    clean = mean_frequency_hz(batch.clean, batch.fs_hz, frames)
    denoised = mean_frequency_hz(batch.denoised, batch.fs_hz, frames)
    return active_rms_difference(clean, denoised, batch.active[:, :: frames.hop])


def quantile_kurtosis(x: FloatArray) -> FloatArray:
    """(q97.5 - q2.5) / (q75 - q25) - 2.91, about 0 for Gaussian noise: [n, L] -> [n].

    NaN where the middle half is flat. Crow and Siddiqui, J. Am. Stat. Assoc. 62 (1967) 353.

    >>> quantile_kurtosis(np.linspace(-1, 1, 1001)[None]).round(3)
    array([-1.01])
    """
    lowest, low, high, highest = np.quantile(x, QUANTILES, axis=-1)
    spread = high - low
    kurtosis: FloatArray = np.where(spread > 0, (highest - lowest) / np.where(spread > 0, spread, 1.0), np.nan)
    return kurtosis - GAUSSIAN_RATIO


def correlation(a: FloatArray, b: FloatArray) -> FloatArray:
    """Pearson's correlation: [n, L], [n, L] -> [n]; 0 where one of the two is constant.

    >>> correlation(np.array([[1.0, 2.0, 3.0]]), np.array([[5.0, 3.0, 1.0]])).round(6)
    array([-1.])
    """
    a = a - a.mean(axis=-1, keepdims=True)
    b = b - b.mean(axis=-1, keepdims=True)
    norm = np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1))
    value: FloatArray = np.where(norm > 0, (a * b).sum(axis=-1) / np.where(norm > 0, norm, 1.0), 0.0)
    return value


class KurtosisRatioError:
    """|KR(e) - KR(c)| with KR the result of `quantile_kurtosis`; no unit."""

    def score(self, batch: Batch, profile: Profile) -> FloatArray:
        return np.abs(quantile_kurtosis(batch.denoised) - quantile_kurtosis(batch.clean))


class CorrelationCoefficient:
    """Pearson's correlation of denoised and clean segment."""

    def score(self, batch: Batch, profile: Profile) -> FloatArray:
        return correlation(batch.clean, batch.denoised)


class Determination:
    """R2 as in the published code: the square of Pearson's correlation; no unit."""

    def score(self, batch: Batch, profile: Profile) -> FloatArray:
        squared: FloatArray = correlation(batch.clean, batch.denoised) ** 2
        return squared


@lru_cache(maxsize=4)
def _taper(frames: Frames) -> FloatArray:
    from scipy.signal import get_window

    taper: FloatArray = get_window(frames.taper, frames.window, fftbins=False)
    return taper
