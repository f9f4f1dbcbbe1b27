"""Images of a waveform: log-magnitude spectrogram and scalogram, 64 frequencies by 64 times.

In torch and without parameters, so that a saliency map of the 2-D network reaches the samples. The window comes
with zero mean and unit variance; log10(p + 1e-4) of a power p whose mean over such an image is near 1 reaches 40 dB
down, and what is lower counts alike: silence between discharges is not a feature.
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
    """Short-time Fourier transform: Hann, 128 samples, hop L / 64; bins 1 to 64 (the mean is left out).

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

    As PyWavelets' `cmor` with bandwidth 2 (6 / 2 pi)^2 and centre frequency 1, up to a factor a row; computed in the
    frequency domain, periodic at the ends, power averaged over L / 64 samples a column.

    Args:
        n_samples: L, a multiple of 64 and at least 128.
        band: lowest and highest centre frequency in cycles a sample.

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
    """[64] centre frequencies, cycles a sample."""
    return np.geomspace(*band, SIZE)


def morlet(n_samples: int, frequency: NDArray[np.float64]) -> NDArray[np.float32]:
    """[F, L] responses exp(-(f / f_c - 1)^2 omega_0^2 / 2) over positive frequencies, with the energy of white noise.

    Scaled so that white noise of unit variance has unit power in every row.
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
