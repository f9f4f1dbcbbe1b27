"""Silence: the floor in PRD (100 %) and, over a symmetric SNR grid, in SNR improvement (0 dB)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleansemg.denoising.base import Denoiser
from cleansemg.noise.labels import NoiseLabels


class Zero(Denoiser):
    """Returns zeros: an SNR of 0 dB whatever the input."""

    name = "zero"
    sign_equivariant = True

    def _denoise(self, noisy: NDArray[np.float64], fs_hz: float, labels: NoiseLabels | None) -> NDArray[np.float64]:
        return np.zeros_like(noisy)
