"""The short-time Fourier transform of the ceilings, and its least-squares inverse.

Frames are Hann windows with a hop of a quarter window, from before the first sample to after the last one, so that
gains of 1 return the input everywhere, including the edges.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

HOPS_PER_WINDOW = 4


def hop_of(window_s: float, fs_hz: float) -> int:
    """Samples between the starts of two frames, for a window of about so many seconds."""
    return max(1, round(window_s * fs_hz / HOPS_PER_WINDOW))


def window(hop: int) -> NDArray[np.float64]:
    """[4 hop]: the Hann window, sampled between its zeros."""
    n = HOPS_PER_WINDOW * hop
    return 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(n) + 0.5) / n)


def transform(x: NDArray[np.float64], hop: int) -> NDArray[np.complex128]:
    """[n, L] -> [n, frames, bins]; zeros around the signal let every sample be in four frames."""
    n = HOPS_PER_WINDOW * hop
    tail = -x.shape[1] % hop
    padded = np.pad(x, ((0, 0), (n - hop, n - hop + tail)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, n, axis=1)[:, ::hop]
    spectrum: NDArray[np.complex128] = np.fft.rfft(frames * window(hop), axis=-1)
    return spectrum


def inverse(spectrum: NDArray[np.complex128], hop: int, length: int) -> NDArray[np.float64]:
    """[n, frames, bins] -> [n, length]: the signal whose transform is nearest to a spectrum.

    Windowed again, added up, over the sum of squares (D. W. Griffin and J. S. Lim, "Signal estimation from modified
    short-time Fourier transform", IEEE Trans. Acoust. Speech Signal Process. 32(2), 236-243, 1984, equation 6).
    """
    taper = window(hop)
    n = len(taper)
    frames = np.fft.irfft(spectrum, n, axis=-1) * taper
    total = np.zeros((len(frames), frames.shape[1] * hop + n - hop))
    weight = np.zeros(total.shape[1])
    for i in range(frames.shape[1]):
        total[:, i * hop : i * hop + n] += frames[:, i]
        weight[i * hop : i * hop + n] += taper**2
    inside = slice(n - hop, n - hop + length)
    return total[:, inside] / weight[inside]
