"""Complete ensemble EMD with adaptive noise, equal to EMD-signal's serial `CEEMDAN` for the same noise seed.

Sources: M. E. Torres, M. A. Colominas, G. Schlotthauer and P. Flandrin, ICASSP 2011, 4144-4147; M. A. Colominas,
G. Schlotthauer and M. E. Torres, Biomed. Signal Process. Control 14, 19-29, 2014 (the improved form, in use here).
docs/decompositions.md has the rules.

Symbols: E_k(w) the k-th mode by EMD of the noise w, scaled so that E_1 has unit deviation; r_k what remains after
k modes; M(.) a signal less its first mode, its local mean.
    r_1 = x - <first mode of x + epsilon E_1(w)>          mean over trials, x of unit deviation
    r_k = <M(r_(k-1) + epsilon std(r_(k-1)) E_k(w))>      mode k is r_(k-1) - r_k

`CEEMDAN` is the denoiser that uses it; docs/denoisers.md has its rules.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError
from cleansemg.denoising import mode_treatment as treatment
from cleansemg.denoising.base import Denoiser
from cleansemg.denoising.compilation import announce
from cleansemg.denoising.emd import (
    RANGE_THR,
    SHORTEST,
    TOTAL_POWER_THR,
    check_max_imf,
    checked_batch,
    checked_signal,
    without_exponent,
)
from cleansemg.denoising.noise_detection import detect
from cleansemg.noise.labels import NoiseLabels

FloatArray = NDArray[np.float64]

EPSILON = 0.005  # standard deviation of the noise over that of the signal
CEEMDAN_RANGE_THR = 0.01
CEEMDAN_TOTAL_POWER_THR = 0.05
MAX_MODES = 101
LARGEST_SEED = 2**32 - 1
COMPILATION_S = 20
# energies of white noise by mode, over the first
EXPECTED_SHARES = (1.0, 0.45871, 0.30919, 0.19652, 0.14093, 0.084863, 0.06222, 0.05597)
CACHED_ENSEMBLES = 4  # of some 3 MB each for 20 trials of 2000 samples, 16 MB for 100


class CEEMDAN(Denoiser):
    """Decomposes a signal by CEEMDAN and treats the modes by the kinds of noise that are given or detected."""

    name = "ceemdan"
    tracks = ("blind", "oracle", "published")
    min_samples = 32

    def __init__(
        self,
        f_min_hz: float = 40.0,
        threshold_factor: float = 0.25,
        trials: int = 20,
        range_thr: float = 0.001,
        total_power_thr: float = 0.01,
        seed: int = 42,
    ) -> None:
        """Set the decomposition and the treatment.

        Args:
            f_min_hz: cut-off against movement and drift: slower modes are zeroed, the others are high-passed there.
            threshold_factor: thresholds for white and coloured noise, as multiples of the universal threshold.
            trials: number of noise realisations, see `ceemdan`.
            range_thr: limit of the remainder's range at which the decomposition ends, see `ceemdan`.
            total_power_thr: limit of the remainder's sum of absolute values at which it ends, see `ceemdan`.
            seed: seed of the ensemble's noise, which is the same for all signals of a length.

        Raises:
            UserError: a parameter is out of range.
        """
        self.f_min_hz = treatment.positive("ceemdan", "f_min_hz", f_min_hz)
        self.threshold_factor = treatment.positive("ceemdan", "threshold_factor", threshold_factor)
        _check(trials, EPSILON, seed, range_thr, total_power_thr, -1)
        self.trials = trials
        self.range_thr = range_thr
        self.total_power_thr = total_power_thr
        self.seed = seed

    def _denoise(self, noisy: FloatArray, fs_hz: float, labels: NoiseLabels | None) -> FloatArray:
        treatment.check_rate(self.name, self.f_min_hz, fs_hz)
        estimate = np.empty_like(noisy)
        for row, x in enumerate(noisy):
            noise = detect(x, fs_hz, self.f_min_hz, labels, row)
            modes = ceemdan(x, self.trials, EPSILON, self.seed, self.range_thr, self.total_power_thr)
            estimate[row] = treatment.treat(modes, noise, fs_hz, self.f_min_hz, EXPECTED_SHARES, self.threshold_factor)
        return estimate


class Ensemble(NamedTuple):
    """Modes of the noise of every trial."""

    modes: FloatArray  # [trials, k, L], zero where a trial has fewer
    counts: NDArray[np.int64]  # [trials]


def ceemdan(
    x: NDArray[np.floating],
    trials: int = 100,
    epsilon: float = EPSILON,
    seed: int = 42,
    range_thr: float | None = None,
    total_power_thr: float | None = None,
    max_imf: int = -1,
) -> FloatArray:
    """Decompose a signal into modes, averaged over trials with noise.

    The signal is scaled to unit standard deviation, and the modes are scaled back, so the unit does not matter.
    Published sEMG baselines use trials=20, range_thr=0.001, total_power_thr=0.01, seed=42.

    Args:
        x: [L], finite, any length and unit.
        trials: number of noise realisations.
        epsilon: standard deviation of the noise over that of the signal.
        seed: seed of the noise, which depends on the seed, `trials` and L, not on x.
        range_thr: stop when the remainder's range is below this, in standard deviations of x. A number also applies
            to the EMD of the noise, as in EMD-signal; None is 0.01 here and 0.001 in the EMD of the noise.
        total_power_thr: likewise for the remainder's sum of absolute values; None is 0.05 here and 0.005 there.
        max_imf: largest number of modes; -1 for all.

    Returns:
        [k, L] float64 in the unit of x: the modes, the fastest first, and the remainder last. They add up to x. For a
        constant, and for fewer than 3 samples, the only row is x.

    Raises:
        InputError: x is empty, not one-dimensional, not real or not finite.
        UserError: a parameter is out of range.
    """
    signal = checked_signal(x, "ceemdan")
    _check(trials, epsilon, seed, range_thr, total_power_thr, max_imf)
    binary, exponent = without_exponent(signal)
    deviation = float(np.std(binary))
    if len(signal) < SHORTEST or np.ptp(signal) == 0:
        return signal[None].copy()
    from cleansemg.denoising import sifting

    announce(sifting.mean_over_trials, COMPILATION_S)
    ensemble = noise_modes(seed, trials, len(signal), range_thr, total_power_thr)
    least_range = CEEMDAN_RANGE_THR if range_thr is None else range_thr
    least_total = CEEMDAN_TOTAL_POWER_THR if total_power_thr is None else total_power_thr

    s = binary / deviation
    first = np.empty_like(s)
    sifting.mean_over_trials(s, float(epsilon), 0, *ensemble, False, first)
    modes = [first]
    explained = first.copy()
    remainder = s - first  # the next mode is extracted from it
    while len(modes) < MAX_MODES and len(modes) != max_imf:
        unexplained = s - explained
        if np.ptp(unexplained) < least_range or np.sum(np.abs(unexplained)) < least_total:
            break
        if sifting.components_of_first(unexplained) == 1:
            break
        local_mean = np.empty_like(s)
        scale = float(epsilon * np.std(remainder))
        sifting.mean_over_trials(remainder, scale, len(modes), *ensemble, True, local_mean)
        modes.append(remainder - local_mean)
        explained += modes[-1]
        remainder = local_mean
    scaled: FloatArray = np.ldexp(np.stack([*modes, s - explained]) * deviation, exponent)
    return scaled


def ceemdan_batch(
    x: NDArray[np.floating],
    trials: int = 100,
    epsilon: float = EPSILON,
    seed: int = 42,
    range_thr: float | None = None,
    total_power_thr: float | None = None,
    max_imf: int = -1,
) -> list[FloatArray]:
    """`ceemdan` of every row of x [n, L], all with the same noise; rows may have different numbers of modes.

    Raises:
        InputError: x is not [n, L], or a row is refused.
        UserError: a parameter is out of range.
    """
    rows = checked_batch(x, "ceemdan")
    return [ceemdan(row, trials, epsilon, seed, range_thr, total_power_thr, max_imf) for row in rows]


@lru_cache(maxsize=CACHED_ENSEMBLES)
def noise_modes(
    seed: int, trials: int, n_samples: int, range_thr: float | None = None, total_power_thr: float | None = None
) -> Ensemble:
    """EMD of standard normal noise, each trial divided by the standard deviation of its first mode; cached, read-only.

    The generator is numpy's legacy one, because results are those of EMD-signal for the same seed.
    """
    from cleansemg.denoising import sifting

    noise = np.random.RandomState(seed).normal(size=(trials, n_samples))
    least_range = float(RANGE_THR if range_thr is None else range_thr)
    least_total = float(TOTAL_POWER_THR if total_power_thr is None else total_power_thr)
    decomposed = [sifting.decompose(w, -1, least_range, least_total) for w in noise]
    counts = np.array([len(modes) for modes in decomposed])
    scaled = np.zeros((trials, counts.max(), n_samples))
    for trial, modes in enumerate(decomposed):
        scaled[trial, : len(modes)] = modes / np.std(modes[0])
    scaled.flags.writeable = False
    counts.flags.writeable = False
    return Ensemble(scaled, counts)


def _check(
    trials: int,
    epsilon: float,
    seed: int,
    range_thr: float | None,
    total_power_thr: float | None,
    max_imf: int,
) -> None:
    check_max_imf(max_imf, "ceemdan")
    if trials < 1:
        raise UserError(f"ceemdan: trials is {trials}; at least 1")
    if not 0 <= epsilon < np.inf:
        raise UserError(f"ceemdan: epsilon is {epsilon}; the noise's deviation, 0 or more, in that of the signal")
    if not 0 <= seed <= LARGEST_SEED:
        raise UserError(f"ceemdan: seed is {seed}; from 0 to {LARGEST_SEED}")
    for name, value in (("range_thr", range_thr), ("total_power_thr", total_power_thr)):
        if value is not None and not 0 <= value < np.inf:
            raise UserError(f"ceemdan: {name} is {value}; 0 or more, or none for the default")
