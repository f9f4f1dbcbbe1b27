"""A denoiser made for one sampling rate, at any other from 200 Hz: resample, denoise, resample back.

Time: the rate that the denoiser sees is the recording's times p/q, with the smallest p and q that bring it within
`dsp.RATE_TOLERANCE` of the denoiser's; the way back is q/p. Both grids start at the first sample and one is an exact
multiple of the other, so every sample comes back at its own time, however long the recording and whatever its rate
(1111 Hz, Delsys's 2148.1481 Hz). What is rounded is the denoiser's rate alone: one part in 10,000, 0.005 Hz for a line
at 50 Hz.

Band: what lies above the lower of the two Nyquist frequencies is not in the result. A network made for 1000 Hz has
nothing to say about a 2 kHz recording above 500 Hz, and drops it. `dsp.resample_sharp` passes up to 0.94 of that
Nyquist frequency and stops from it on: 470 and 500 Hz.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.dsp import resample_sharp, simple_ratio
from cleansemg.core.errors import InputError
from cleansemg.denoising.base import Denoiser, FloatArray
from cleansemg.denoising.causal import CausalDenoiser
from cleansemg.noise.labels import NoiseLabels

LOWEST_HZ = 200.0  # below, hardly anything of the band of surface EMG is there


class Resampled(Denoiser):
    """A denoiser made for one rate, as one for any rate from 200 Hz.

    At the denoiser's rate it is that denoiser, digit for digit. At others it needs as many samples as become
    `min_samples`, and nothing above the denoiser's Nyquist frequency is in its output.

    Attributes:
        denoiser: the one inside.
    """

    def __init__(self, denoiser: Denoiser) -> None:
        self.denoiser = denoiser
        self.name, self.tracks, self.needs_labels = denoiser.name, denoiser.tracks, denoiser.needs_labels
        self.known_kinds = denoiser.known_kinds
        self.lowest_hz, self.min_samples = denoiser.lowest_hz, denoiser.min_samples
        self.sign_equivariant, self.scale_tolerance = denoiser.sign_equivariant, denoiser.scale_tolerance

    def shortest(self, fs_hz: float) -> int:
        """How many samples a signal has at least.

        Raises:
            InputError: not a sampling rate, or one below 200 Hz that is not the denoiser's.
        """
        ratio = self._ratio(fs_hz)
        return (self.min_samples - 1) * ratio.denominator // ratio.numerator + 1

    def causal(self, fs_hz: float, n_channels: int) -> CausalDenoiser | None:
        """That of the denoiser at its own rate; there is none at others."""
        return self.denoiser.causal(self._native_hz(fs_hz), n_channels) if self._ratio(fs_hz) == 1 else None

    def _denoise(self, noisy: NDArray[np.float64], fs_hz: float, labels: NoiseLabels | None) -> FloatArray:
        ratio = self._ratio(fs_hz)
        if ratio == 1:
            return self.denoiser.denoise(noisy, self._native_hz(fs_hz), labels)
        if labels is not None and labels.clean is not None:
            labels = replace(labels, clean=resample_sharp(labels.clean, ratio))
        estimate = self.denoiser.denoise(resample_sharp(noisy, ratio), self._native_hz(fs_hz), labels)
        return resample_sharp(estimate, 1 / ratio)[:, : noisy.shape[1]]

    def _native_hz(self, fs_hz: float) -> float:
        return float(self.denoiser.sampling_rate_hz or fs_hz)

    def _ratio(self, fs_hz: float) -> Fraction:
        """What a recording's rate is multiplied by; 1 where the denoiser takes the recording as it is."""
        if not np.isfinite(fs_hz) or fs_hz <= 0:
            raise InputError(f"fs_hz must be a positive number of Hz, got {fs_hz!r}")
        native_hz = self._native_hz(fs_hz)
        if fs_hz == native_hz:
            return Fraction(1)
        if fs_hz < LOWEST_HZ:
            raise InputError(f"'{self.name}' works from {LOWEST_HZ:g} Hz on, got {fs_hz:g} Hz")
        return simple_ratio(float(fs_hz), native_hz)


def with_resampling(denoiser: Denoiser) -> Denoiser:
    """The denoiser itself where it takes any rate, else `Resampled`."""
    return denoiser if denoiser.sampling_rate_hz is None else Resampled(denoiser)


def native(denoiser: Denoiser) -> Denoiser:
    """The denoiser inside `Resampled`; any other as it is."""
    return denoiser.denoiser if isinstance(denoiser, Resampled) else denoiser
