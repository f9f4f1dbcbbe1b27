"""The ceiling: Wiener gains on the short-time Fourier transform, computed from the true clean signal.

    G(t, f) = |S|^2 / (|S|^2 + |N|^2),  estimate = ISTFT(G X),  X = S + N

with S the transform of the clean signal and N that of noisy minus clean (the Wiener filter of Loizou, Speech
Enhancement, chapter 6, with the true spectra in place of estimates).

No single window suits every noise: 0.13 s follows heartbeats and movements, 2 s resolves a power line. So each
signal is filtered with every window of `windows_s`, and the estimate nearest to the clean signal is
returned. docs/denoisers.md has the measurement behind the windows.

Frames are Hann windows with a hop of a quarter window, from before the first sample to after the last one, so that
gains of 1 return the input everywhere, including the edges.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError
from cleansemg.denoising.base import Denoiser
from cleansemg.noise.labels import NoiseLabels

HOPS_PER_WINDOW = 4


class WienerOracle(Denoiser):
    """Time-varying Wiener gains from the true clean signal and noise."""

    name = "wiener_oracle"
    tracks = ("oracle",)
    needs_labels = True
    sign_equivariant = True

    def __init__(self, windows_s: Sequence[float] = (0.128, 0.512, 2.048)) -> None:
        """Set the lengths of the windows, in seconds.

        Raises:
            UserError: there is no window, or a length is not a positive number.
        """
        if not len(windows_s) or not all(np.isfinite(w) and w > 0 for w in windows_s):
            raise UserError(f"wiener_oracle: windows_s is {windows_s!r}, expected positive numbers of seconds")
        self.windows_s = tuple(windows_s)

    def _denoise(self, noisy: NDArray[np.float64], fs_hz: float, labels: NoiseLabels | None) -> NDArray[np.float64]:
        if labels is None or labels.clean is None:
            raise UserError("wiener_oracle needs the clean signals themselves: NoiseLabels(..., clean=[n, L])")
        clean = np.asarray(labels.clean, np.float64)
        if clean.shape != noisy.shape:
            raise UserError(f"wiener_oracle: clean signals of shape {clean.shape} for noisy ones of {noisy.shape}")
        if not np.isfinite(clean).all():
            raise UserError("wiener_oracle: a clean signal is not finite")
        hops = [max(1, round(window_s * fs_hz / HOPS_PER_WINDOW)) for window_s in self.windows_s]
        return np.concatenate([_best(x[None], s[None], hops) for x, s in zip(noisy, clean, strict=True)])


def _best(noisy: NDArray[np.float64], clean: NDArray[np.float64], hops: list[int]) -> NDArray[np.float64]:
    """[1, L] the estimate with the least squared error, of those with each hop."""
    estimates = []
    for hop in hops:
        gain = wiener_gain(_transform(clean, hop), _transform(noisy - clean, hop))
        estimates.append(_inverse(gain * _transform(noisy, hop), hop, noisy.shape[1]))
    return min(estimates, key=lambda estimate: float(((estimate - clean) ** 2).sum()))


def wiener_gain(signal: NDArray[np.complex128], noise: NDArray[np.complex128]) -> NDArray[np.float64]:
    """|S|^2 / (|S|^2 + |N|^2) [n, frames, bins]; 0 where both are negligible against the largest of their signal."""
    signal_power = np.abs(signal) ** 2
    total = signal_power + np.abs(noise) ** 2
    floor = np.finfo(np.float64).tiny + np.finfo(np.float64).eps ** 2 * total.max(axis=(-2, -1), keepdims=True)
    gain: NDArray[np.float64] = np.divide(signal_power, total, out=np.zeros_like(total), where=total > floor)
    return gain


def _window(hop: int) -> NDArray[np.float64]:
    n = HOPS_PER_WINDOW * hop
    return 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(n) + 0.5) / n)


def _transform(x: NDArray[np.float64], hop: int) -> NDArray[np.complex128]:
    """[n, L] -> [n, frames, bins]; zeros around the signal put every sample into four frames."""
    n = HOPS_PER_WINDOW * hop
    tail = -x.shape[1] % hop
    padded = np.pad(x, ((0, 0), (n - hop, n - hop + tail)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, n, axis=1)[:, ::hop]
    spectrum: NDArray[np.complex128] = np.fft.rfft(frames * _window(hop), axis=-1)
    return spectrum


def _inverse(spectrum: NDArray[np.complex128], hop: int, length: int) -> NDArray[np.float64]:
    """[n, length] the least-squares inverse (Griffin and Lim 1984).

    Frames are windowed again, added, and divided by the sum of the squared windows.
    """
    window = _window(hop)
    n = len(window)
    frames = np.fft.irfft(spectrum, n, axis=-1) * window
    total = np.zeros((len(frames), frames.shape[1] * hop + n - hop))
    weight = np.zeros(total.shape[1])
    for i in range(frames.shape[1]):
        total[:, i * hop : i * hop + n] += frames[:, i]
        weight[i * hop : i * hop + n] += window**2
    inside = slice(n - hop, n - hop + length)
    return total[:, inside] / weight[inside]
