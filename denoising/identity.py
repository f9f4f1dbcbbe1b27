"""The unchanged input: the floor that every method has to beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleansemg.denoising.base import Denoiser
from cleansemg.denoising.causal import CausalIdentity
from cleansemg.noise.labels import NoiseLabels


class Identity(Denoiser):
    """Returns its input: an SNR improvement of 0 dB."""

    name = "identity"
    sign_equivariant = True

    def _denoise(self, noisy: NDArray[np.float64], fs_hz: float, labels: NoiseLabels | None) -> NDArray[np.float64]:
        return noisy

    def causal(self, fs_hz: float, n_channels: int) -> CausalIdentity:
        """The causal form, which returns every sample unchanged."""
        return CausalIdentity(fs_hz, n_channels)
