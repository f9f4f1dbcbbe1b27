"""Wavelet thresholding: small wavelet coefficients count as noise and are shrunk.

    d_jk    coefficient k of the details of level j; level 1 is the finest
    sigma   standard deviation of the noise, from the median of |d|
    N       samples of the signal

- Donoho and Johnstone, "Ideal spatial adaptation by wavelet shrinkage", Biometrika 81(3), 1994: the universal
  threshold sigma sqrt(2 ln N), the minimax threshold, soft and hard shrinkage.
- Johnstone and Silverman, "Wavelet threshold estimators for data with correlated noise", J. R. Stat. Soc. B 59(2),
  1997: a sigma for every level, for noise that is not white.
- Gao, "Wavelet shrinkage denoising using the non-negative garrote", J. Comput. Graph. Stat. 7(4), 1998: between soft
  and hard.
- Phinyomark, Phukpattaranont and Limsakul, "The usefulness of wavelet transform to reduce noise in the sEMG signal",
  2011: a review of these choices for surface EMG.

Surface EMG itself resembles noise: its coefficients fill whole levels, so their median measures the signal. Therefore a
separate sigma for every level removes the EMG with the noise. A sigma from the finest level (250 to 500 Hz at 1000 Hz)
mistakes the EMG in that band for noise; on training subjects of the open set it loses 1 dB on average over kinds of
noise and SNRs. So the default measures sigma on the white floor at 400 to 470 Hz, where surface EMG has almost no
power, and only where white noise is detected (`noise_detection`): a signal without white noise passes unchanged. At
rates below about 950 Hz, and in signals shorter than 0.25 s, the floor cannot be measured and is not removed.
"""

from __future__ import annotations

import numpy as np
import pywt
from numpy.typing import NDArray

from cleansemg.core.errors import InputError, UserError
from cleansemg.denoising.base import Denoiser
from cleansemg.denoising.noise_detection import SHOWS_AS, find_line, white_noise, without_line
from cleansemg.noise.labels import NoiseLabels

NORMAL_MEDIAN = 0.6744897501960817  # median of |x| for a standard normal x
RULES = ("universal", "minimax")
SHRINKAGES = ("soft", "hard", "garrote")
NOISES = ("floor", "finest", "level")


class Wavelet(Denoiser):
    """Denoises by thresholds on the coefficients of a discrete wavelet transform."""

    name = "wavelet"
    tracks = ("blind", "oracle")
    min_samples = 208  # what the default's four levels of db7 need
    sign_equivariant = True

    def __init__(
        self, wavelet: str = "db7", level: int = 4, rule: str = "minimax", mode: str = "garrote", noise: str = "floor"
    ) -> None:
        """Set the transform and the threshold.

        Args:
            wavelet: an orthogonal wavelet of PyWavelets: "db7", "sym8", "coif5", ...
            level: number of levels of details; the approximation below them is not changed.
            rule: rule of the threshold in units of sigma, "universal" or "minimax".
            mode: shrinkage of the coefficients above the threshold: "soft", "hard" or "garrote".
            noise: source of sigma: the white "floor", where it is detected; the "finest" level for all levels; or each
                "level" separately.

        Raises:
            UserError: a parameter has an unknown or invalid value.
        """
        if wavelet not in pywt.wavelist(kind="discrete"):
            raise UserError(f"wavelet: '{wavelet}' is not a discrete wavelet of PyWavelets, as db7 or sym8 are")
        self.wavelet = pywt.Wavelet(wavelet)
        if not self.wavelet.orthogonal:
            raise UserError(f"wavelet: '{wavelet}' is not orthogonal, so it has no one threshold; take db7 or sym8")
        if isinstance(level, bool) or not isinstance(level, int) or level < 1:
            raise UserError(f"wavelet: level is {level!r}, expected a whole number from 1")
        self.level = level
        self.rule = _one_of("rule", rule, RULES)
        self.mode = _one_of("mode", mode, SHRINKAGES)
        self.noise = _one_of("noise", noise, NOISES)

    def _denoise(self, noisy: NDArray[np.float64], fs_hz: float, labels: NoiseLabels | None) -> NDArray[np.float64]:
        length = noisy.shape[1]
        if pywt.dwt_max_level(length, self.wavelet) < self.level:
            needed = (self.wavelet.dec_len - 1) * 2**self.level
            raise InputError(f"wavelet: {self.level} levels of {self.wavelet.name} need {needed} samples, got {length}")
        approximation, *details = pywt.wavedec(noisy, self.wavelet, level=self.level, axis=-1)  # coarsest first
        believed = np.ones(len(noisy), np.bool_) if labels is None else labels.may_hold(SHOWS_AS["white"])
        if self.noise == "floor":
            floor = np.array([[_floor_sigma(row, fs_hz)] for row in noisy])
            sigma = [floor for _ in details]
        else:
            sigma = [_sigma(d if self.noise == "level" else details[-1]) for d in details]
        factor = threshold_factor(self.rule, length)
        shrunk = [shrink(d, factor * s, self.mode) for d, s in zip(details, sigma, strict=True)]
        estimate: NDArray[np.float64] = pywt.waverec([approximation, *shrunk], self.wavelet, axis=-1)
        return np.where(believed[:, None], estimate[:, :length], noisy)


def threshold_factor(rule: str, n_samples: int) -> float:
    """Threshold over sigma for a signal of `n_samples`; "minimax" is 0 up to 32 samples.

    >>> round(threshold_factor("universal", 2000), 4)
    3.8989
    >>> round(threshold_factor("minimax", 2048), 4)
    2.4055
    """
    if rule == "universal":
        return float(np.sqrt(2 * np.log(n_samples)))
    return 0.3936 + 0.1829 * float(np.log2(n_samples)) if n_samples > 32 else 0.0


def shrink(coefficients: NDArray[np.float64], threshold: NDArray[np.float64], mode: str) -> NDArray[np.float64]:
    """Coefficients [n, m]: 0 up to the threshold [n, 1]; above it unchanged ("hard") or moved towards 0."""
    magnitude = np.abs(coefficients)
    above = magnitude > threshold
    if mode == "hard":
        gain = above.astype(np.float64)
    else:
        ratio = np.divide(threshold, magnitude, out=np.ones_like(magnitude), where=above)
        gain = 1 - ratio if mode == "soft" else 1 - ratio**2
    return coefficients * gain


def _sigma(details: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n, m] -> [n, 1] standard deviation of Gaussian noise, from the median of the magnitudes."""
    sigma: NDArray[np.float64] = np.median(np.abs(details), axis=-1, keepdims=True) / NORMAL_MEDIAN
    return sigma


def _floor_sigma(x: NDArray[np.float64], fs_hz: float) -> float:
    """Standard deviation of the detected white noise in a signal [L]; 0 where none is detected.

    It is the same at all levels, because the transform is orthonormal.
    """
    line = find_line(x, fs_hz)
    variance = white_noise(x if line is None else without_line(x, fs_hz, line), fs_hz)
    return 0.0 if variance is None else float(np.sqrt(variance))


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise UserError(f"wavelet: {name} is '{value}', expected one of {', '.join(allowed)}")
    return value
