"""Images of a waveform: log-magnitude spectrogram and scalogram, 64 frequencies by 64 times.

The transforms are written in torch and have no parameters, so gradients, and with them a saliency map of the 2-D
network, reach the samples. Windows have zero mean and unit variance, so the mean power p of an image is near 1. The
value of a pixel is log10(p + 1e-4), a range of 40 dB below the mean; lower powers have almost the same value, so
silence between discharges is not a feature.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

SIZE = 64
FLOOR = 1e-4
CYCLES = 6.0  # of the Morlet wavelet: omega_0 sigma_t


class Spectrogram(nn.Module):
    """Short-time Fourier transform: Hann window of 128 samples, hop L / 64; bins 1 to 64 (without the mean, bin 0).

    Args:
        n_samples: L, a multiple of 64 and at least 128.

    Raises:
        ValueError: another length.
    """

    def __init__(self, n_samples: int) -> None:
        super().__init__()
        self.hop = _hop(n_samples)
        self.register_buffer("taper", torch.hann_window(2 * SIZE), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[n, 1, L] -> [n, 1, 64, 64], low frequencies first."""
        taper = self.get_buffer("taper")
        spectrum = torch.stft(
            x[:, 0], 2 * SIZE, self.hop, window=taper, center=True, pad_mode="reflect", return_complex=True
        )  # [n, 65, 65]
        power = _squared(spectrum) / taper.square().sum()
        return torch.log10(power[:, None, 1:, :SIZE] + FLOOR)


class Scalogram(nn.Module):
    """Continuous wavelet transform with a Morlet wavelet, 64 frequencies spaced evenly in their logarithm.

    Equal to PyWavelets' `cmor` with bandwidth 2 (6 / 2 pi)^2 and centre frequency 1, except for a factor per row. It is
    computed in the frequency domain, with periodic ends; each column is the mean power over L / 64 samples.

    Args:
        n_samples: L, a multiple of 64 and at least 128.
        band: lowest and highest centre frequency, cycles per sample.

    Raises:
        ValueError: another length, or a band outside 0 to 0.5.
    """

    def __init__(self, n_samples: int, band: tuple[float, float] = (0.02, 0.45)) -> None:
        super().__init__()
        self.hop = _hop(n_samples)
        if not 0 < band[0] < band[1] <= 0.5:
            raise ValueError(f"band is {band}: expected low, high within 0 to 0.5 cycles a sample")
        response = torch.from_numpy(morlet(n_samples, centres(band)))
        self.register_buffer("response", response, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[n, 1, L] -> [n, 1, 64, 64], low frequencies first."""
        spectrum = torch.fft.fft(x)  # [n, 1, L]
        power = _squared(torch.fft.ifft(spectrum * self.get_buffer("response")))  # [n, 64, L]
        blocks = power.reshape(len(x), SIZE, SIZE, self.hop).mean(dim=3)  # [n, 64, 64]
        return torch.log10(blocks[:, None] + FLOOR)


def centres(band: tuple[float, float]) -> NDArray[np.float64]:
    """Centre frequencies [64], cycles per sample, evenly spaced in their logarithm."""
    return np.geomspace(*band, SIZE)


def morlet(n_samples: int, frequency: NDArray[np.float64]) -> NDArray[np.float32]:
    """Frequency responses [F, L], exp(-(f / f_c - 1)^2 omega_0^2 / 2) at positive frequencies f, otherwise 0.

    They are scaled so that white noise of unit variance has unit power in every row. `frequency` [F] holds the centre
    frequencies f_c, cycles per sample.
    """
    axis = np.fft.fftfreq(n_samples)
    response = np.exp(-(((axis / frequency[:, None]) - 1) ** 2) * CYCLES**2 / 2) * (axis > 0)
    response /= np.sqrt((response**2).mean(axis=1, keepdims=True))
    return np.asarray(response, np.float32)


def _squared(z: torch.Tensor) -> torch.Tensor:
    return z.real.square() + z.imag.square()


def _hop(n_samples: int) -> int:
    if n_samples < 2 * SIZE or n_samples % SIZE:
        raise ValueError(f"{n_samples} samples: an image needs a multiple of {SIZE}, at least {2 * SIZE}")
    return n_samples // SIZE
