"""What a quality network predicts of signals at its own rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleansemg.quality import models

BATCH = 64


def predict(
    predictor: models.Predictor, noisy: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What a model predicts of signals at its own rate, each by itself.

    Args:
        predictor: the model.
        noisy: [n, L] finite, any unit, in the band that the model was fitted to.

    Returns:
        SNR [n] in dB, and the probability of each kind that it knows [n, K]; NaN from a model without a second head.
    """
    import torch

    snr_db, probability = np.empty(len(noisy)), np.full((len(noisy), len(predictor.kinds)), np.nan)
    peak = np.abs(noisy).max(axis=1, keepdims=True)
    scaled = np.asarray(noisy / np.where(peak > 0, peak, 1.0), np.float32)  # float32 must not lose small units
    with torch.inference_mode():
        for first in range(0, len(noisy), BATCH):
            output = predictor.network(torch.from_numpy(scaled[first : first + BATCH])).double()
            snr_db[first : first + BATCH] = output[:, 0].numpy()
            if output.shape[1] > 1:
                probability[first : first + BATCH] = torch.sigmoid(output[:, 1:]).numpy()
    return snr_db, probability
