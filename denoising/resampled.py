"""Runs a denoiser made for one sampling rate at any other from 200 Hz: resample, denoise, resample back.

Time: the denoiser gets the recording at its rate times p/q, with the smallest p and q that bring this within
`dsp.RATE_TOLERANCE` of the denoiser's rate; the output is resampled by q/p. Both grids start at the first sample, and
the two ratios are exactly inverse, so every sample returns at its original time, for any length and any rate
(1111 Hz, Delsys's 2148.1481 Hz). Only the denoiser's rate is rounded: by one part in 10,000, or 0.005 Hz for a line at
50 Hz.

Band: the result has nothing above the lower of the two Nyquist frequencies. A network made for 1000 Hz knows nothing
about a 2 kHz recording above 500 Hz and drops it. The pass band of `dsp.resample_sharp` ends at 0.94 of that Nyquist
frequency, and its stop band begins at it: 470 and 500 Hz.
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

LOWEST_HZ = 200.0  # a lower rate holds hardly anything of the band of surface EMG


class Resampled(Denoiser):
    """Wraps a denoiser made for one rate so that it works at any rate from 200 Hz.

    At the denoiser's rate, the output is that of the denoiser, digit for digit. At other rates, a signal must give at
    least `min_samples` samples after resampling, and the output has nothing above the denoiser's Nyquist frequency.

    Attributes:
        denoiser: the wrapped denoiser.
    """

    def __init__(self, denoiser: Denoiser) -> None:
        self.denoiser = denoiser
        self.name, self.tracks, self.needs_labels = denoiser.name, denoiser.tracks, denoiser.needs_labels
        self.known_kinds = denoiser.known_kinds
        self.lowest_hz, self.min_samples = denoiser.lowest_hz, denoiser.min_samples
        self.sign_equivariant, self.scale_tolerance = denoiser.sign_equivariant, denoiser.scale_tolerance

    def shortest(self, fs_hz: float) -> int:
        """The smallest number of samples that `denoise` accepts at a rate in hertz.

        Raises:
            InputError: `fs_hz` is not a positive number, or is below 200 Hz and not the denoiser's rate.
        """
        ratio = self._ratio(fs_hz)
        return (self.min_samples - 1) * ratio.denominator // ratio.numerator + 1

    def causal(self, fs_hz: float, n_channels: int) -> CausalDenoiser | None:
        """The causal form of the wrapped denoiser at its rate; None at other rates."""
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
        """The factor from the recording's rate to the denoiser's; 1 where no resampling is needed.

        Raises:
            InputError: `fs_hz` is not a positive number, or is below 200 Hz and not the denoiser's rate.
        """
        if not np.isfinite(fs_hz) or fs_hz <= 0:
            raise InputError(f"fs_hz must be a positive number of Hz, got {fs_hz!r}")
        native_hz = self._native_hz(fs_hz)
        if fs_hz == native_hz:
            return Fraction(1)
        if fs_hz < LOWEST_HZ:
            raise InputError(f"'{self.name}' works from {LOWEST_HZ:g} Hz on, got {fs_hz:g} Hz")
        return simple_ratio(float(fs_hz), native_hz)


def with_resampling(denoiser: Denoiser) -> Denoiser:
    """The denoiser itself where it accepts any rate, else the denoiser in `Resampled`."""
    return denoiser if denoiser.sampling_rate_hz is None else Resampled(denoiser)


def native(denoiser: Denoiser) -> Denoiser:
    """The denoiser inside `Resampled`; any other denoiser unchanged."""
    return denoiser.denoiser if isinstance(denoiser, Resampled) else denoiser
