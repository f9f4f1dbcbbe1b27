"""Empirical mode decomposition, equal to EMD-signal's `EMD` with its defaults and about fifty times as fast.

Source: N. E. Huang et al., "The empirical mode decomposition and the Hilbert spectrum for nonlinear and
non-stationary time series analysis", Proc. R. Soc. Lond. A 454, 903-995, 1998. docs/decompositions.md has the rules.

`EMD` is the denoiser that uses it; docs/denoisers.md has its rules.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import InputError, UserError
from cleansemg.denoising import mode_treatment as treatment
from cleansemg.denoising.base import Denoiser
from cleansemg.denoising.compilation import announce
from cleansemg.denoising.noise_detection import detect
from cleansemg.noise.labels import NoiseLabels

FloatArray = NDArray[np.float64]

RANGE_THR = 0.001
TOTAL_POWER_THR = 0.005
SHORTEST = 3  # samples; fewer have no extremum
COMPILATION_S = 15
EXPECTED_SHARES = (1.0, 0.4751, 0.2999, 0.2158, 0.1371, 0.0926, 0.0560, 0.0550)  # of white noise, over the first mode


class EMD(Denoiser):
    """Decomposes a signal by EMD and treats the modes by the kinds of noise that are given or detected."""

    name = "emd"
    tracks = ("blind", "oracle", "published")
    min_samples = 32

    def __init__(self, f_min_hz: float = 40.0, threshold_factor: float = 0.25, max_imf: int = 20) -> None:
        """Set the treatment.

        Args:
            f_min_hz: cut-off against movement and drift: slower modes are zeroed, the others are high-passed there.
            threshold_factor: thresholds for white and coloured noise, as multiples of the universal threshold.
            max_imf: largest number of modes; -1 for all.

        Raises:
            UserError: a parameter is out of range.
        """
        self.f_min_hz = treatment.positive("emd", "f_min_hz", f_min_hz)
        self.threshold_factor = treatment.positive("emd", "threshold_factor", threshold_factor)
        check_max_imf(max_imf, "emd")
        self.max_imf = max_imf

    def _denoise(self, noisy: FloatArray, fs_hz: float, labels: NoiseLabels | None) -> FloatArray:
        treatment.check_rate(self.name, self.f_min_hz, fs_hz)
        estimate = np.empty_like(noisy)
        for row, x in enumerate(noisy):
            noise = detect(x, fs_hz, self.f_min_hz, labels, row)
            modes = emd(x, self.max_imf)
            estimate[row] = treatment.treat(modes, noise, fs_hz, self.f_min_hz, EXPECTED_SHARES, self.threshold_factor)
        return estimate


def emd(x: NDArray[np.floating], max_imf: int = -1) -> FloatArray:
    """Decompose a signal into its intrinsic modes, the fastest first.

    The stopping rules have absolute thresholds. So the signal is scaled to unit RMS, and the modes are scaled back:
    the unit does not matter.

    Args:
        x: [L], finite, any length and unit.
        max_imf: largest number of modes; -1 for all.

    Returns:
        [k, L] float64, k >= 1, in the unit of x: the modes, and last the remainder, if there is one. They add
        up to x. For a constant, or a signal with fewer than three extrema, the only row is x.

    Raises:
        InputError: x is empty, not one-dimensional, not real or not finite.
        UserError: max_imf is neither -1 nor positive.
    """
    signal = checked_signal(x, "emd")
    check_max_imf(max_imf, "emd")
    binary, exponent = without_exponent(signal)
    rms = float(np.sqrt(np.mean(binary**2)))
    if len(signal) < SHORTEST or rms == 0:
        return signal[None].copy()
    from cleansemg.denoising import sifting

    announce(sifting.decompose, COMPILATION_S)
    modes = sifting.decompose(binary / rms, int(max_imf), RANGE_THR, TOTAL_POWER_THR)
    scaled: FloatArray = np.ldexp(modes * rms, exponent)
    return scaled


def emd_batch(x: NDArray[np.floating], max_imf: int = -1) -> list[FloatArray]:
    """`emd` of every row of x [n, L]; rows may have different numbers of modes.

    Raises:
        InputError: x is not [n, L], or a row is refused.
        UserError: max_imf is neither -1 nor positive.
    """
    return [emd(row, max_imf) for row in checked_batch(x, "emd")]


def checked_signal(x: NDArray[np.floating], method: str) -> FloatArray:
    """Check a signal and return it as [L] float64.

    Raises:
        InputError: it is empty, not one-dimensional, not real or not finite.
    """
    array = np.asarray(x)
    if array.dtype.kind not in "fiu":
        raise InputError(f"{method}: expected real numbers, got an array of {array.dtype}")
    if array.ndim != 1 or array.size == 0:
        raise InputError(f"{method}: expected one signal [L], got shape {array.shape}")
    signal = np.ascontiguousarray(array, np.float64)
    broken = np.flatnonzero(~np.isfinite(signal))
    if len(broken):
        raise InputError(f"{method}: sample {broken[0]} is {signal[broken[0]]}; {len(broken)} of {len(signal)} "
                         "samples are not finite: repair or leave out the signal")  # fmt: skip
    return signal


def checked_batch(x: NDArray[np.floating], method: str) -> NDArray[np.floating]:
    """Check the shape [n, L] of a batch and return it as an array.

    Raises:
        InputError: another shape.
    """
    array = np.asarray(x)
    if array.ndim != 2:
        raise InputError(f"{method}: expected a batch [n, L], got shape {array.shape}")
    return array


def check_max_imf(max_imf: int, method: str) -> None:
    """Check the largest number of modes.

    Raises:
        UserError: it is neither -1 nor positive.
    """
    if max_imf != -1 and max_imf < 1:
        raise UserError(f"{method}: max_imf is {max_imf}; give a positive number of modes, or -1 for all")


def without_exponent(x: FloatArray) -> tuple[FloatArray, int]:
    """The signal divided exactly by the power of two above its peak, so that its squares are in range; the exponent."""
    exponent = int(np.frexp(np.max(np.abs(x)))[1])
    return np.ldexp(x, -exponent), exponent
