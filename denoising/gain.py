"""The floor that SNR improvement has to be measured against: the volume turned down by a blind estimate of the SNR.

    estimate = x s / (1 + s),  s = 10^(SNR / 10), the SNR that the quality network reads from the noisy signal x

s / (1 + s) is the Wiener gain of a signal and a noise with one SNR at all times and frequencies. It removes no noise:
signal and noise keep their ratio, so whatever is measured without scale (SI-SDR) does not change. Over an SNR grid
that is symmetric about 0 dB the SNR improvement is several decibels all the same, so an SNR improvement below that of
this row says nothing about denoising.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleansemg.denoising.base import Denoiser
from cleansemg.noise.labels import NoiseLabels
from cleansemg.quality import assess_signal
from cleansemg.quality.meter import SHORTEST_S


class Gain(Denoiser):
    """Multiplies a signal by s / (1 + s), with s read by the quality network from the whole of it.

    A signal in which the network reads nothing, because it is constant in its band, holds no surface EMG: its s is 0,
    and so is the output.
    """

    name = "gain"
    scale_tolerance = 1e-4  # float32 inside: the scaled input rounds differently in another unit
    uses_quality_network = True

    def shortest(self, fs_hz: float) -> int:
        """How many samples a signal has at least: 1 s, for the quality network.

        Raises:
            InputError: not a sampling rate.
        """
        return max(super().shortest(fs_hz), int(np.ceil(SHORTEST_S * fs_hz)))

    def _denoise(self, noisy: NDArray[np.float64], fs_hz: float, labels: NoiseLabels | None) -> NDArray[np.float64]:
        snr_db = np.array([quality.snr_db for quality in assess_signal(noisy, fs_hz)])
        return noisy * gain_of(snr_db)[:, None]


def gain_of(snr_db: NDArray[np.float64]) -> NDArray[np.float64]:
    """S / (1 + s) for SNRs in dB; 0 for NaN, which stands for no signal at all.

    >>> gain_of(np.array([0.0, 10.0, np.nan])).round(3).tolist()
    [0.5, 0.909, 0.0]
    """
    share = 1 / (1 + 10.0 ** (-np.asarray(snr_db, np.float64) / 10.0))
    return np.where(np.isnan(share), 0.0, share)
