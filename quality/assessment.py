"""Quality of a recording in one call, and the kinds of noise as labels for denoisers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import InputError, UserError
from cleansemg.noise.labels import NoiseLabels
from cleansemg.quality.meter import Quality, QualityMeter, pretrained_model

if TYPE_CHECKING:
    from cleansemg.quality.models import Predictor


def assess_signal(x: NDArray[np.floating], fs_hz: float, model: Predictor | None = None) -> list[Quality]:
    """SNR and kinds of noise of a recording, with no clean reference.

    Args:
        x: [C, L] or [L], any unit; NaN is a gap.
        fs_hz: sampling rate, at least 200 Hz.
        model: a QASE-net; the one pretrained by default.

    Returns:
        One `Quality` a channel. The SNR is that within 20 to 500 Hz, or to the Nyquist frequency if that is lower.

    Raises:
        InputError: another shape, less than 1 s, a rate below 200 Hz, infinite values.
        UserError: no weights.
    """
    array = np.asarray(x)
    if array.ndim not in (1, 2) or array.size == 0:
        raise InputError(f"expected a recording as [C, L] or [L], got shape {array.shape}")
    channels = np.atleast_2d(array)
    meter = QualityMeter(fs_hz, len(channels), model)
    meter.push(channels)
    return meter.result()


# At 1 the auto track loses up to 0.05 dB to blind on drawn mixtures of validation people of the open set, at 0.05 up to
# 0.002 dB; on one kind of noise it gains 0.1 dB at both.
RULED_OUT = 0.05


def noise_labels(noisy: NDArray[np.floating], fs_hz: float, model: Predictor | None = None) -> NoiseLabels:
    """The kinds of noise that the network predicts in each signal: what a denoiser is given on the `auto` track.

    A kind counts as possible unless its probability is below `RULED_OUT` of the one that gave the best F1 on the
    validation mixtures: a denoiser treats it only where the signal shows it as well, so that a kind too many costs
    little, and one that is missed costs all that its treatment would gain. The line's frequency is left to the
    denoiser. A constant signal has no kind, and no label has a kind that the network does not know.

    Args:
        noisy: [n, L], each signal a recording of its own, as for `assess_signal`.
        fs_hz: sampling rate.
        model: a QASE-net with the second head; the one pretrained by default.

    Raises:
        InputError: as `assess_signal`.
        UserError: no weights, or a model without the second head.
    """
    predictor = pretrained_model() if model is None else model
    limits = np.array(predictor.info.get("thresholds") or [])
    if limits.shape != (len(predictor.kinds),):
        raise UserError(f"'{predictor.name}' was fitted without the kinds of noise (quality.kinds); it gives no labels")
    qualities = assess_signal(noisy, fs_hz, predictor)
    probability = np.array([[one.kinds[kind] for kind in predictor.kinds] for one in qualities])
    with np.errstate(invalid="ignore"):
        kinds = probability >= RULED_OUT * limits  # NaN, of a constant signal, is below any
    return NoiseLabels(kinds, np.full(len(kinds), np.nan), names=predictor.kinds)
