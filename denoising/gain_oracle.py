"""The gain s / (1 + s) with the true SNR s, from the clean signal: what turning the volume down can do at most.

As `gain`, but s is the energy (sum of squares) of the clean signal over that of noisy minus clean. What a method adds
to the SNR improvement of this row it does not owe to the volume.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleansemg.denoising.base import Denoiser
from cleansemg.denoising.given_clean import clean_of
from cleansemg.noise.labels import NoiseLabels


class GainOracle(Denoiser):
    """Multiplies a signal by s / (1 + s), with s its true SNR."""

    name = "gain_oracle"
    tracks = ("oracle",)
    needs_labels = True
    sign_equivariant = True

    def _denoise(self, noisy: NDArray[np.float64], fs_hz: float, labels: NoiseLabels | None) -> NDArray[np.float64]:
        clean = clean_of(self.name, noisy, labels)
        peak = np.maximum(np.abs(noisy).max(axis=1, keepdims=True), np.abs(clean).max(axis=1, keepdims=True))
        scale = np.where(peak > 0, peak, 1.0)  # squares of any unit stay in range
        signal = np.sum((clean / scale) ** 2, axis=1, keepdims=True)
        total = signal + np.sum(((noisy - clean) / scale) ** 2, axis=1, keepdims=True)
        gain: NDArray[np.float64] = np.divide(signal, total, out=np.zeros_like(signal), where=total > 0)
        return noisy * gain
