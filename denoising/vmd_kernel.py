"""The iteration of variational mode decomposition, on the real half spectrum of one signal.

Dragomiretskiy and Zosso, "Variational Mode Decomposition", IEEE Trans. Signal Process. 62(3), 2014, algorithm 2.

    f       spectrum of the signal           u_k     spectrum of mode k
    w       frequency, cycles a sample       w_k     centre frequency of mode k
    h       half the multiplier, lambda / 2  r       f - sum u_k - h, what no mode explains yet

What makes it fast:
- The mirrored signal is the even extension of the discrete cosine transform, only shifted. Its spectrum is a
  real sequence of L bins times a phase that depends on the bin alone, and every step of the algorithm is linear in
  the bin with real factors. So one real number a bin stands for the two complex ones of the full spectrum.
- r changes by (old u_k - new u_k), so no sum over modes is formed.
- A pass over the bins updates u_k and r and adds up the sums that the centre frequency and the stopping rule
  need. r + u_k, at the old w_k, is all that it reads: the pass vectorises.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

MAX_UPDATES = 499  # the reference computes 500 iterates, of which the first is zero
EPSILON = 2.0**-52

# Sums may be reordered, which lets them vectorise; NaN, infinities and division stay as IEEE 754 has them.
REORDERED_SUMS = {"reassoc", "contract", "nsz"}


@njit(cache=True, nogil=True, error_model="numpy")
def decompose(
    spectrum: NDArray[np.float64], n_modes: int, alpha: float, tau: float, dc: bool, tol: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Iterate until the modes change by less than `tol`, or 499 times.

    As in the public implementations, the result is the last iterate but one: the one after which the change fell below
    `tol`. There are at least two updates, because the iterate before the first is zero.

    Args:
        spectrum: [L] unnormalised discrete cosine transform, type 2, of a signal of unit RMS.
        n_modes: number of modes.
        alpha: weight of the bandwidth.
        tau: step of the dual ascent.
        dc: hold the first centre frequency at 0.
        tol: limit of the sum over modes of |change of u_k|^2 / 2L.

    Returns:
        Spectra of the modes [k, L], centre frequencies [k] in cycles per sample, number of updates.
    """
    n_bins = spectrum.size
    frequency = np.arange(n_bins) / (2.0 * n_bins)
    modes = np.zeros((2, n_modes, n_bins))
    centre = np.empty((2, n_modes))
    centre[:] = np.arange(n_modes) * (0.5 / n_modes)
    residual = spectrum.copy()
    half_multiplier = np.zeros(n_bins if tau > 0.0 else 0)
    n_updates = 0
    change = np.inf
    while n_updates < MAX_UPDATES and (n_updates < 2 or change > tol):
        old, new = n_updates % 2, 1 - n_updates % 2
        squares = 0.0
        for k in range(n_modes):
            energy, moment, difference = _update_mode(
                modes[old, k], modes[new, k], residual, frequency, alpha, centre[old, k]
            )
            squares += difference
            hold = (dc and k == 0) or not energy > 0.0
            centre[new, k] = centre[old, k] if hold else moment / energy
        if tau > 0.0:
            _ascend(residual, half_multiplier, tau)
        change = EPSILON + squares / (2.0 * n_bins)
        n_updates += 1
    last_but_one = (n_updates - 1) % 2
    return modes[last_but_one], centre[last_but_one], n_updates


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED_SUMS)
def _update_mode(
    old: NDArray[np.float64],
    new: NDArray[np.float64],
    residual: NDArray[np.float64],
    frequency: NDArray[np.float64],
    alpha: float,
    centre: float,
) -> tuple[float, float, float]:
    """Equations 27 and 31: write `new` and `residual`; returns the sums of |u|^2, w |u|^2 and |new - old|^2."""
    energy = 0.0
    moment = 0.0
    difference = 0.0
    for m in range(residual.size):
        w = frequency[m]
        offset = w - centre
        target = residual[m] + old[m]
        u = target / (1.0 + alpha * (offset * offset))
        step = u - old[m]
        new[m] = u
        residual[m] = target - u
        power = u * u
        energy += power
        moment += w * power
        difference += step * step
    return energy, moment, difference


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED_SUMS)
def _ascend(residual: NDArray[np.float64], half_multiplier: NDArray[np.float64], tau: float) -> None:
    """Equation 29: lambda += tau (sum u_k - f), with the residual that the next iteration starts from."""
    for m in range(residual.size):
        unexplained = residual[m] + half_multiplier[m]
        half_multiplier[m] -= 0.5 * tau * unexplained
        residual[m] = unexplained - half_multiplier[m]
