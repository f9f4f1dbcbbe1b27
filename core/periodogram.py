"""Periodograms: windows, the power of pieces of a signal, and Welch's average of them.

The one place for the product, but for those that a definition or its speed ties to where they are:

- metrics (`evaluation/metrics`): frames, tapers and bands as papers have them, in memory that is used again;
- features of tasks (`downstream/common/features.py`): |X|^2 / N of a window without a taper, padded to a power of two;
- quality control's Hampel filter (`data_pipeline/hampel.py`), which needs the complex spectrum;
- the verification, which shares no code with what it verifies.

Two forms of Hann's window are in use, and both stay: results are compared to the last bit. Symmetric without its zeros
(`hann`) in the blind rules of denoisers and in reports of recordings, periodic (`welch`) as scipy has it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@lru_cache(maxsize=64)
def hann(n: int) -> FloatArray:
    """[n]: the symmetric Hann window of n + 2 samples less the zeros at its ends; read-only.

    >>> hann(3).tolist()
    [0.5, 1.0, 0.5]
    """
    window: FloatArray = np.hanning(n + 2)[1:-1]
    window.flags.writeable = False
    return window


def half_overlapping(x: FloatArray, n: int) -> FloatArray:
    """[L] -> [k, n]: the pieces of n samples that lie wholly in a signal, each n // 2 after the one before; a view."""
    return np.lib.stride_tricks.sliding_window_view(x, n)[:: max(n // 2, 1)]


def power(pieces: FloatArray, n_fft: int | None = None) -> FloatArray:
    """|DFT|^2 under `hann`: [..., n] -> [..., n_fft // 2 + 1].

    Args:
        pieces: with or without their means.
        n_fft: padded with zeros to so many samples; None: n.
    """
    spectrum: FloatArray = np.abs(np.fft.rfft(hann(pieces.shape[-1]) * pieces, n_fft)) ** 2
    return spectrum


def power_of_centred(pieces: FloatArray, n_fft: int | None = None) -> FloatArray:
    """The same of pieces less each its mean."""
    return power(pieces - pieces.mean(axis=-1, keepdims=True), n_fft)


def density_factor(n: int, fs_hz: float) -> float:
    """What `power` of n samples is multiplied by to be a one-sided density, in the unit squared per Hz.

    Bins at 0 Hz and at the Nyquist frequency, which have no mirror image, then read twice their density.
    """
    return 2 / (fs_hz * float(np.sum(hann(n) ** 2)))


def welch(signal: FloatArray, fs_hz: float, longest: int) -> tuple[FloatArray, FloatArray]:
    """Welch's power spectral density: Hann pieces of min(L, longest), half overlapping, each less its mean.

    Args:
        signal: [C, L].
        fs_hz: sampling rate.
        longest: samples of a piece.

    Returns:
        Frequencies [F] in Hz, and density [C, F] in the signal's unit squared per Hz; `scipy.signal.welch`
        returns the same, several times slower.

    Source: Welch, IEEE Trans. Audio Electroacoust. 15(2), 1967.
    """
    from scipy import fft

    length = min(signal.shape[-1], longest)
    window = _periodic_hann(length)
    pieces = np.lib.stride_tricks.sliding_window_view(signal, length, axis=-1)[:, :: length - length // 2]
    density = np.empty((len(signal), length // 2 + 1))
    for channel, rows in enumerate(pieces):  # one at a time stays in the processor's cache
        tapered = rows - rows.mean(axis=-1, keepdims=True)
        tapered *= window
        spectrum = fft.rfft(tapered, axis=-1, workers=1, overwrite_x=True)  # [K, F]
        parts = spectrum.view(np.float64)
        density[channel] = np.einsum("kf,kf->f", parts, parts).reshape(-1, 2).sum(axis=1)  # |X|^2, summed over pieces
    density /= pieces.shape[1] * fs_hz * np.sum(window**2)
    density[:, 1 : -1 if length % 2 == 0 else None] *= 2  # negative frequencies
    return fft.rfftfreq(length, 1 / fs_hz), density


@lru_cache(maxsize=64)
def _periodic_hann(n: int) -> FloatArray:
    from scipy.signal import get_window

    window: FloatArray = get_window("hann", n)
    return window
