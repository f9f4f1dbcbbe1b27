"""Variational mode decomposition (VMD): a signal as a sum of modes, each narrow around a centre frequency.

Dragomiretskiy and Zosso, "Variational Mode Decomposition", IEEE Trans. Signal Process. 62(3):531-544, 2014,
doi:10.1109/TSP.2013.2288675. Gives what the library vmdpy 0.2 gives with `init=1` on unit-RMS signals of even
length; `docs/vmd.md` says where it departs, and why. The iteration is in `vmd_kernel`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import UserError
from denoising.base import InputError


def vmd(
    x: ArrayLike, k: int, alpha: float, tau: float = 0.0, dc: bool = False, tol: float = 1e-7
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Decompose a signal, or each signal of a batch.

    The signal is scaled to unit RMS inside, and the modes are scaled back, so that `tol` means the same in volts
    and in microvolts. Deterministic and single-threaded; signals of a batch do not influence each other.

    Args:
        x: [L] or [n, L], any unit, finite; any length from 1.
        k: number of modes.
        alpha: weight of the bandwidth; larger gives narrower modes.
        tau: step of the dual ascent; 0 lets the modes leave noise unexplained.
        dc: keep the first mode at frequency 0.
        tol: the iteration ends when the mean square change of the modes' spectra falls below it, or after 499
            updates.

    Returns:
        Modes [k, L] in the unit of `x`, and their centre frequencies [k] in cycles a sample (0 to 0.5), both in the
        order of the starting frequencies i / 2k; [n, k, L] and [n, k] for a batch. A zero signal has zero modes, and
        its centre frequencies are the starting ones.

    Raises:
        InputError: `x` is empty, has another number of axes, is not real or not finite.
        UserError: a parameter is out of its range.
    """
    from denoising.vmd_kernel import decompose

    batch = _checked_signals(x)
    n_modes = _checked_parameters(k, alpha, tau, tol)
    modes = np.zeros((len(batch), n_modes, batch.shape[1]))
    centres = np.empty((len(batch), n_modes))
    for row, signal in enumerate(batch):
        # A division by the peak first: squares of the smallest and largest floats would not fit.
        peak = np.abs(signal).max()
        if peak == 0:
            centres[row] = np.arange(n_modes) * (0.5 / n_modes)
            continue
        scaled = signal / peak
        rms = np.sqrt(np.mean(scaled * scaled))
        spectra, centres[row], _ = decompose(
            spectrum(scaled / rms), n_modes, float(alpha), float(tau), bool(dc), float(tol)
        )
        modes[row] = waveforms(spectra) * rms * peak
    return (modes[0], centres[0]) if np.ndim(x) == 1 else (modes, centres)


def spectrum(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """[L] -> [L]: magnitudes, with sign, of the bins 0 to L - 1 of the mirrored signal of length 2L."""
    from scipy import fft

    bins: NDArray[np.float64] = fft.dct(signal, type=2)
    return bins


def waveforms(spectra: NDArray[np.float64]) -> NDArray[np.float64]:
    """[k, L] -> [k, L]: the inverse of `spectrum`, and on even lengths the reference's bin at the Nyquist frequency.

    The mirrored signal has nothing at the Nyquist frequency. The reference puts the real part of the bin below
    there: an alternating sequence of 1e-6 to 1e-5 of the RMS on surface EMG.
    """
    from scipy import fft

    modes: NDArray[np.float64] = fft.idct(spectra, type=2, axis=-1)
    length = modes.shape[-1]
    if length % 2 == 0:
        phase = np.pi * (length - 1) * (1 / (2 * length) - 0.5)  # half a sample, less the mirrored half before it
        alternating = (-1.0) ** (np.arange(length) + length // 2)
        modes += spectra[..., -1:] * (np.cos(phase) / (2 * length)) * alternating
    return modes


def _checked_signals(x: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(x)
    if array.dtype.kind not in "fiu":
        raise InputError(f"vmd: expected real numbers, got an array of {array.dtype}")
    if array.ndim not in (1, 2) or array.size == 0:
        raise InputError(f"vmd: expected signals as [n, L] or [L], got shape {array.shape}")
    batch = np.atleast_2d(array).astype(np.float64)
    bad = np.argwhere(~np.isfinite(batch))
    if len(bad):
        raise InputError(f"vmd: signal {bad[0, 0]} is not finite at sample {bad[0, 1]}; cut or mend it first")
    return batch


def _checked_parameters(k: int, alpha: float, tau: float, tol: float) -> int:
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise UserError(f"vmd: k is {k!r}, expected a whole number of modes from 1")
    if not (np.isfinite(alpha) and alpha > 0):
        raise UserError(f"vmd: alpha is {alpha!r}, expected a positive number")
    if not (np.isfinite(tau) and tau >= 0):
        raise UserError(f"vmd: tau is {tau!r}, expected 0 or a positive number")
    if not (np.isfinite(tol) and tol > 0):
        raise UserError(f"vmd: tol is {tol!r}, expected a positive number")
    return int(k)
