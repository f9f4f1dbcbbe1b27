"""Spectral interpolation: the peaks of a power line in the spectrum are lowered to the level beside them.

Source: D. T. Mewett, K. J. Reynolds and H. Nazeran, "Reducing power line interference in digitised electromyogram
recordings by spectrum interpolation", Med. Biol. Eng. Comput. 42(4), 524-531, 2004: within a few hertz of the line and
its harmonics, the magnitudes of the discrete Fourier transform are replaced by magnitudes interpolated from the bins on
either side; the phases stay the same. Unlike a notch, this leaves the EMG's power there.

If the signal is not a whole number of periods long, the line leaks: 15 dB above the EMG it reaches 20 Hz to either side
in 2 s. So the sinusoids of the line and its harmonics, at the detected frequency, are first fitted by least squares and
subtracted (as an adaptive canceller with a reference at the line's frequency does, but in one step). The interpolation
then removes what a line that is not quite stationary leaves. It only lowers magnitudes: where the fit has removed a
little of the EMG, too, the interpolation adds nothing.

The method is blind: the rule of `power_line` detects the line. A signal without a detected line passes unchanged.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from cleansemg.core.errors import UserError
from cleansemg.denoising.base import Denoiser
from cleansemg.denoising.noise_detection import find_line, given_line
from cleansemg.denoising.power_line import THRESHOLD
from cleansemg.noise.labels import NoiseLabels

FloatArray = NDArray[np.float64]

BESIDE_HZ = 4.0  # width on either side over which magnitudes are averaged for the interpolation
TUNING_HZ = 0.25  # how far the fit may move the detected frequency


class LineInterpolation(Denoiser):
    """Subtracts sinusoids at the power line and its harmonics, and interpolates the spectrum there."""

    name = "line_interpolation"
    tracks = ("blind", "oracle")
    min_samples = 32
    sign_equivariant = True

    def __init__(self, width_hz: float = 1.0, threshold: float = THRESHOLD, n_harmonics: int = 5) -> None:
        """Set the rule and the width.

        Args:
            width_hz: width of the interpolated band, half of it on either side.
            threshold: least power of a line over the median around it.
            n_harmonics: largest number of harmonics, the fundamental included.

        Raises:
            UserError: a parameter is not a positive number.
        """
        for name, value in (("width_hz", width_hz), ("threshold", threshold), ("n_harmonics", n_harmonics)):
            if not np.isfinite(value) or value <= 0:
                raise UserError(f"line_interpolation: {name} is {value!r}, expected a positive number")
        self.width_hz = float(width_hz)
        self.threshold = float(threshold)
        self.n_harmonics = int(n_harmonics)

    def _denoise(self, noisy: FloatArray, fs_hz: float, labels: NoiseLabels | None) -> FloatArray:
        estimate = noisy.copy()
        for row, x in enumerate(noisy):
            given_hz = float("nan")
            if labels is None:
                line = find_line(x, fs_hz, self.threshold, self.n_harmonics)
            else:
                line = given_line(x, fs_hz, labels[row : row + 1], self.threshold, self.n_harmonics)
                given_hz = float(labels.line_hz[row])
            if line is not None:
                known = np.isfinite(given_hz)
                frequency_hz = given_hz if known else tuned(x, fs_hz, line.frequency_hz, line.harmonics)
                rest = x - fitted(x, fs_hz, frequency_hz, line.harmonics)
                estimate[row] = interpolated(rest, fs_hz, [k * frequency_hz for k in line.harmonics], self.width_hz)
        return estimate


def fitted(x: FloatArray, fs_hz: float, frequency_hz: float, harmonics: tuple[int, ...]) -> FloatArray:
    """[L] the least-squares fit of sinusoids at multiples of a frequency to a signal [L]."""
    phase = 2 * np.pi * frequency_hz / fs_hz * np.arange(len(x))
    basis = np.stack([wave(k * phase) for k in harmonics for wave in (np.cos, np.sin)], axis=1)
    # a line is detected in 1 s or more, where the columns are almost orthogonal: the normal equations are exact enough
    sinusoids: FloatArray = basis @ np.linalg.solve(basis.T @ basis, basis.T @ x)
    return sinusoids


def tuned(x: FloatArray, fs_hz: float, frequency_hz: float, harmonics: tuple[int, ...]) -> float:
    """The frequency within 0.25 Hz at which the fit explains most energy: more exact than a peak of the periodogram."""
    scaled = x / np.abs(x).max()

    def left(candidate_hz: float) -> float:
        return -float(np.sum(fitted(scaled, fs_hz, candidate_hz, harmonics) ** 2))

    bounds = (frequency_hz - TUNING_HZ, frequency_hz + TUNING_HZ)
    optimum = optimize.minimize_scalar(left, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return float(optimum.x)


def interpolated(x: FloatArray, fs_hz: float, centres_hz: list[float], width_hz: float) -> FloatArray:
    """[L] the signal with the magnitudes within half a width of each frequency lowered.

    The limit is the straight line between the root-mean-square magnitudes on either side.
    """
    spectrum = np.fft.rfft(x)
    frequency_hz = np.fft.rfftfreq(len(x), 1 / fs_hz)
    for centre_hz in centres_hz:
        offset_hz = frequency_hz - centre_hz
        inside = np.abs(offset_hz) <= width_hz / 2
        beside = ~inside & (np.abs(offset_hz) <= width_hz / 2 + BESIDE_HZ)
        sides = [beside & (offset_hz < 0), beside & (offset_hz > 0)]
        if not inside.any() or not all(side.any() for side in sides):
            continue
        levels = [np.sqrt(np.mean(np.abs(spectrum[side]) ** 2)) for side in sides]
        wanted = np.interp(offset_hz[inside], [-width_hz / 2, width_hz / 2], levels)
        magnitude = np.abs(spectrum[inside])
        spectrum[inside] *= np.minimum(1.0, np.divide(wanted, magnitude, out=np.ones_like(wanted), where=magnitude > 0))
    cleaned: FloatArray = np.fft.irfft(spectrum, len(x))
    return cleaned
