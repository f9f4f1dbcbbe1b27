"""Variational mode decomposition (VMD): a signal as a sum of modes, each narrow around a centre frequency.

Dragomiretskiy and Zosso, "Variational Mode Decomposition", IEEE Trans. Signal Process. 62(3):531-544, 2014,
doi:10.1109/TSP.2013.2288675. Returns what the library vmdpy 0.2 returns with `init=1` on unit-RMS signals of even
length; `docs/vmd.md` lists where it departs, and why. The iteration is in `vmd_kernel`.

`VMD` is the denoiser that uses it; docs/denoisers.md has its rules.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cleansemg.core.errors import InputError, UserError
from cleansemg.denoising import mode_treatment as treatment
from cleansemg.denoising.base import Denoiser
from cleansemg.denoising.compilation import announce
from cleansemg.denoising.noise_detection import DetectedNoise, detect
from cleansemg.noise.labels import NoiseLabels

EMG_FROM_HZ = 20.0  # modes below are outside the band of surface EMG
GRID = 2048  # frequencies on which the gains of modes are averaged
COMPILATION_S = 10


class VMD(Denoiser):
    """Decomposes a signal by VMD and treats the modes by the kinds of noise that are given or detected.

    The residual that no mode explains stays in the estimate, except under white or coloured noise: there it counts as
    noise and is dropped.
    """

    name = "vmd"
    tracks = ("blind", "oracle", "published")
    min_samples = 32

    def __init__(
        self,
        k: int = 6,
        alpha: float = 2000.0,
        threshold_factor: float = 0.25,
        f_min_hz: float = 40.0,
        tol: float = 1e-7,
    ) -> None:
        """Set the decomposition and the treatment.

        Args:
            k: number of modes.
            alpha: weight of the bandwidth; larger gives narrower modes.
            threshold_factor: thresholds for white and coloured noise, as multiples of the universal threshold.
            f_min_hz: cut-off against movement and drift: slower modes are zeroed, the others are high-passed there.
            tol: limit at which the iteration ends, see `vmd`.

        Raises:
            UserError: a parameter is out of range.
        """
        self.k = _checked_parameters(k, alpha, 0.0, tol)
        self.alpha = float(alpha)
        self.threshold_factor = treatment.positive("vmd", "threshold_factor", threshold_factor)
        self.f_min_hz = treatment.positive("vmd", "f_min_hz", f_min_hz)
        self.tol = float(tol)

    def _denoise(self, noisy: NDArray[np.float64], fs_hz: float, labels: NoiseLabels | None) -> NDArray[np.float64]:
        treatment.check_rate(self.name, self.f_min_hz, fs_hz)
        estimate = np.empty_like(noisy)
        for row, x in enumerate(noisy):
            noise = detect(x, fs_hz, self.f_min_hz, labels, row)
            modes, centres = vmd(x, self.k, self.alpha, tol=self.tol)
            estimate[row] = self._treat(x, modes, centres, noise, fs_hz)
        return estimate

    def _treat(
        self,
        x: NDArray[np.float64],
        modes: NDArray[np.float64],
        centres: NDArray[np.float64],
        noise: DetectedNoise,
        fs_hz: float,
    ) -> NDArray[np.float64]:
        unexplained = x - modes.sum(axis=0)
        rows = np.concatenate([modes, unexplained[None]])  # [k + 1, L]
        if noise.line is not None:
            rows = treatment.remove_line(rows, fs_hz, noise.line)
        if noise.ecg:
            rows = treatment.remove_ecg(rows, fs_hz)
        if noise.slow:
            centres_hz = np.append(centres * fs_hz, np.inf)
            rows = treatment.remove_slow(rows, centres_hz, self.f_min_hz, fs_hz)
        if noise.wide:
            modes = rows[:-1]
            if noise.white_variance is None:
                variances = (np.median(np.abs(modes), axis=1) / treatment.NORMAL_MEDIAN) ** 2
            else:
                variances = noise.white_variance * white_shares(centres, self.alpha)
            limits = treatment.thresholds(variances, len(x), self.threshold_factor)
            rows = np.stack([treatment.threshold_intervals(m, t) for m, t in zip(modes, limits, strict=True)])
            rows[centres * fs_hz < EMG_FROM_HZ] = 0.0
        cleaned: NDArray[np.float64] = rows.sum(axis=0)
        return cleaned


def white_shares(centres: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    """[k] share of the variance of white noise in each mode; centre frequencies [k] are in cycles per sample.

    Once the iteration has converged, u_k = (r + u_k) / (1 + alpha d_k^2) with d_k = f - w_k (the update of a mode in
    algorithm 2, alpha as in the public implementations), so u_k = r / (alpha d_k^2), and for s = r + sum u_j

        u_k = s a_k / (1 + sum a_j),   a_k = 1 / (alpha d_k^2)

    which is a filter; its squared gain is averaged over frequencies.
    """
    f = (np.arange(GRID) + 0.5) / (2 * GRID)
    weight = 1 / np.maximum(alpha * (f - centres[:, None]) ** 2, np.finfo(np.float64).tiny)  # [k, GRID]
    weight = np.minimum(weight, 1e12)  # a centre on the grid
    gain = weight / (1 + weight.sum(axis=0))
    shares: NDArray[np.float64] = np.mean(gain**2, axis=1)
    return shares


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
        dc: hold the first mode at frequency 0.
        tol: the iteration ends when the mean square change of the modes' spectra falls below it, or after 499
            updates.

    Returns:
        Modes [k, L] in the unit of `x`, and their centre frequencies [k] in cycles per sample (0 to 0.5), both in the
        order of the starting frequencies i / 2k; [n, k, L] and [n, k] for a batch. A zero signal has zero modes, and
        its centre frequencies are the starting ones.

    Raises:
        InputError: `x` is empty, has another number of axes, is not real or not finite.
        UserError: a parameter is out of range.
    """
    from cleansemg.denoising.vmd_kernel import decompose

    announce(decompose, COMPILATION_S)
    batch = _checked_signals(x)
    n_modes = _checked_parameters(k, alpha, tau, tol)
    modes = np.zeros((len(batch), n_modes, batch.shape[1]))
    centres = np.empty((len(batch), n_modes))
    for row, signal in enumerate(batch):
        # Divide by the peak first: squares of the smallest and largest floats would underflow or overflow.
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
    """[L] -> [L] signed magnitudes of the bins 0 to L - 1 of the mirrored signal of length 2L."""
    from scipy import fft

    bins: NDArray[np.float64] = fft.dct(signal, type=2)
    return bins


def waveforms(spectra: NDArray[np.float64]) -> NDArray[np.float64]:
    """[k, L] -> [k, L] the inverse of `spectrum`; for even lengths, plus the reference's bin at the Nyquist frequency.

    The mirrored signal has nothing at the Nyquist frequency. The reference copies the real part of the bin below
    into it: an alternating sequence of 1e-6 to 1e-5 of the RMS on surface EMG.
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
