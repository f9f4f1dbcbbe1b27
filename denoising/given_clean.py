"""What the rows share that see the clean signal: their check of it, and gains on the short-time Fourier transform.

No single window suits every noise: 0.13 s follows heartbeats and movements, 2 s resolves a power line. So each signal
is filtered with every window of `windows_s`, and the estimate nearest to the clean signal is returned.
docs/denoisers.md has the measurement behind the windows.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError
from cleansemg.denoising import stft
from cleansemg.denoising.base import Denoiser
from cleansemg.noise.labels import NoiseLabels

WINDOWS_S = (0.128, 0.512, 2.048)


def clean_of(name: str, noisy: NDArray[np.float64], labels: NoiseLabels | None) -> NDArray[np.float64]:
    """The clean signals [n, L] of a batch, from its labels.

    Raises:
        UserError: they are not among the labels, of another shape, or not finite.
    """
    if labels is None or labels.clean is None:
        raise UserError(f"{name} needs the clean signals themselves: NoiseLabels(..., clean=[n, L])")
    clean = np.asarray(labels.clean, np.float64)
    if clean.shape != noisy.shape:
        raise UserError(f"{name}: clean signals of shape {clean.shape} for noisy ones of {noisy.shape}")
    if not np.isfinite(clean).all():
        raise UserError(f"{name}: a clean signal is not finite")
    return clean


class OracleGains(Denoiser):
    """Real gains on the short-time Fourier transform, computed from the clean signal; of several windows the best."""

    tracks = ("oracle",)
    needs_labels = True
    sign_equivariant = True

    def __init__(self, windows_s: Sequence[float] = WINDOWS_S) -> None:
        """Set the lengths of the windows, in seconds.

        Raises:
            UserError: none, or one that is not positive.
        """
        if not len(windows_s) or not all(np.isfinite(w) and w > 0 for w in windows_s):
            raise UserError(f"{self.name}: windows_s is {windows_s!r}, expected positive numbers of seconds")
        self.windows_s = tuple(windows_s)

    @abstractmethod
    def gain(
        self, signal: NDArray[np.complex128], noise: NDArray[np.complex128], step_s: float, step_hz: float
    ) -> NDArray[np.float64]:
        """Gains from 0 to 1, [n, frames, bins], for transforms of the clean signal and of the noise.

        `step_s` and `step_hz` are the distances of two frames and of two bins.
        """

    def _denoise(self, noisy: NDArray[np.float64], fs_hz: float, labels: NoiseLabels | None) -> NDArray[np.float64]:
        clean = clean_of(self.name, noisy, labels)
        best, least = np.empty_like(noisy), np.full(len(noisy), np.inf)
        for window_s in self.windows_s:
            hop = stft.hop_of(window_s, fs_hz)
            for row in range(len(noisy)):  # one at a time: the transform is four times as large as the signal
                estimate = self._filtered(noisy[row : row + 1], clean[row : row + 1], hop, fs_hz)
                error = float(((estimate - clean[row]) ** 2).sum())
                if error < least[row]:
                    best[row], least[row] = estimate[0], error
        return best

    def _filtered(
        self, noisy: NDArray[np.float64], clean: NDArray[np.float64], hop: int, fs_hz: float
    ) -> NDArray[np.float64]:
        signal, noise = stft.transform(clean, hop), stft.transform(noisy - clean, hop)
        gain = self.gain(signal, noise, hop / fs_hz, fs_hz / (stft.HOPS_PER_WINDOW * hop))
        return stft.inverse(gain * stft.transform(noisy, hop), hop, noisy.shape[1])


def ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Part / whole, [n, frames, bins]; zero where the whole is nothing beside the largest of its signal."""
    floor = np.finfo(np.float64).tiny + np.finfo(np.float64).eps ** 2 * whole.max(axis=(-2, -1), keepdims=True)
    quotient: NDArray[np.float64] = np.divide(part, whole, out=np.zeros_like(whole), where=whole > floor)
    return quotient
