"""Short-time power spectra of profile `standard`: Hann windows of 200 ms, 20 to 500 Hz, without padding.

A Hann window is zero with zero slope at both ends, so the power-weighted mean frequency of a windowed sine
is the frequency of the sine, on a bin or between two; the side lobes of a boxcar would pull it towards the middle of
the band. A constant offset stays below 2 bins (10 Hz), outside the band, so the mean is not removed.

Every bin is limited to at least a floor 80 dB below the clean segment's mean power per bin. Without a floor, the
logarithm of an empty bin and the mean frequency of an empty window would not exist. 80 dB lies between
the noise of recordings (the electrode noise of surface EMG is 30 to 40 dB below a contraction) and the rounding of
float32 artifacts (about 150 dB below the signal), so it affects neither. An empty window therefore counts as
a flat spectrum.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from cleansemg.core.errors import UserError

FloatArray = NDArray[np.float64]

BAND_HZ = (20.0, 500.0)
FLOOR = 1e-8  # -80 dB
EMPTY_BAND = 1e-26  # share of a window's power: the float64 rounding error of a constant


@dataclass(frozen=True)
class BandSpectra:
    """Power at or above the floor, [n, windows, bins], in arbitrary but equal units."""

    frequencies_hz: FloatArray  # [bins], even steps
    clean: FloatArray
    denoised: FloatArray
    no_band: NDArray[np.bool_]  # [n], the clean segment has no power in the band


def band_spectra(clean_windows: FloatArray, denoised_windows: FloatArray, fs_hz: float) -> BandSpectra:
    """The spectra of two signals, limited to at least -80 dB re the clean signal's mean power per bin.

    Args:
        clean_windows: [n, windows, samples].
        denoised_windows: the same shape.
        fs_hz: sampling rate in hertz.
    """
    clean, frequencies_hz = band_power(clean_windows, fs_hz)
    denoised, _ = band_power(denoised_windows, fs_hz)
    mean_power = clean.mean(axis=(1, 2))  # [n]
    # A bin holds at most (sum of the window)^2 <= samples^2 times the mean square.
    largest = clean_windows.shape[-1] ** 2 * (clean_windows * clean_windows).mean(axis=(1, 2))
    no_band = mean_power <= EMPTY_BAND * largest
    floor = (FLOOR * mean_power)[:, None, None]
    np.maximum(clean, floor, out=clean)
    np.maximum(denoised, floor, out=denoised)
    return BandSpectra(frequencies_hz, clean, denoised, no_band)


def band_power(windows: FloatArray, fs_hz: float) -> tuple[FloatArray, FloatArray]:
    """One-sided |DFT|^2 of Hann windows in 20..500 Hz (both included), and the bins' frequencies in Hz.

    A bin at the Nyquist frequency has no mirror image, so its power is halved.

    Args:
        windows: [..., samples].
        fs_hz: sampling rate in hertz.

    >>> t_s = np.arange(200) / 1000
    >>> power, frequencies_hz = band_power(np.sin(2 * np.pi * 100 * t_s), 1000.0)
    >>> frequencies_hz[15:18], power[15:18].round(6)
    (array([ 95., 100., 105.]), array([ 625., 2500.,  625.]))
    """
    samples = windows.shape[-1]
    taper, band, frequencies_hz, has_nyquist = _plan(samples, float(fs_hz))
    transform = fft.rfft(windows * taper, axis=-1, workers=1)[..., band]
    power = squared_magnitude(transform)
    if has_nyquist:
        power[..., -1] *= 0.5
    return power, frequencies_hz


def squared_magnitude(z: NDArray[np.complex128], out: FloatArray | None = None) -> FloatArray:
    """|z|^2 without the square root of `abs`; it is computed in the memory of z and overwrites z."""
    parts = z.view(np.float64)  # real and imaginary parts in turn: contiguous, where z.real is not
    np.multiply(parts, parts, out=parts)
    power: FloatArray = np.add(parts[..., ::2], parts[..., 1::2], out=out)
    return power


@lru_cache(maxsize=16)
def _plan(samples: int, fs_hz: float) -> tuple[FloatArray, slice, FloatArray, bool]:
    frequencies_hz: FloatArray = np.arange(samples // 2 + 1, dtype=np.float64) * (fs_hz / samples)
    margin = 1e-9 * fs_hz
    inside = np.flatnonzero((frequencies_hz >= BAND_HZ[0] - margin) & (frequencies_hz <= BAND_HZ[1] + margin))
    if inside.size < 2:
        raise UserError(f"fs_hz={fs_hz:g} leaves nothing of {BAND_HZ[0]:g} to {BAND_HZ[1]:g} Hz; 100 Hz or more works")
    band = slice(int(inside[0]), int(inside[-1]) + 1)
    from scipy.signal import get_window  # loads scipy.stats as well, which tables do without

    taper: FloatArray = get_window("hann", samples)
    has_nyquist = samples % 2 == 0 and band.stop == samples // 2 + 1
    return taper, band, frequencies_hz[band], has_nyquist
