"""The `auto` track on a recording: a method is given the kinds of noise that are predicted in each window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError
from cleansemg.denoising.base import Denoiser, FloatArray
from cleansemg.denoising.resampled import with_resampling
from cleansemg.noise.labels import NoiseLabels
from cleansemg.recordings.report import SHORTEST_S

if TYPE_CHECKING:
    from cleansemg.quality.models import Predictor

TRACKS = ("blind", "auto")


class AutoTrack(Denoiser):
    """A denoiser with an oracle track, its labels predicted signal by signal.

    The network needs 1 s, so that is the shortest signal; a stretch below it between two gaps is not denoised.
    """

    tracks = ("blind",)  # it needs no labels

    def __init__(self, denoiser: Denoiser, model: Predictor | None) -> None:
        """Wrap a denoiser.

        Args:
            denoiser: with a blind and an oracle track.
            model: the quality network, with the second head.

        Raises:
            UserError: the denoiser can't use the kinds of noise, or needs more than these; or there is no model.
        """
        if "oracle" not in denoiser.tracks:
            raise UserError(f"denoiser '{denoiser.name}' cannot use the kinds of noise; leave --track at blind")
        if "blind" not in denoiser.tracks:
            raise UserError(f"denoiser '{denoiser.name}' needs more than the kinds of noise; it has no auto track")
        if model is None:
            raise UserError("--track auto needs the quality network, and there are no weights of it")
        self.name, self.lowest_hz = denoiser.name, denoiser.lowest_hz
        self._denoiser, self._model = with_resampling(denoiser), model

    def shortest(self, fs_hz: float) -> int:
        """How many samples a signal has at least: those that the denoiser needs, and 1 s for the network."""
        return max(self._denoiser.shortest(fs_hz), int(np.ceil(SHORTEST_S * fs_hz)))

    def _denoise(self, noisy: NDArray[np.float64], fs_hz: float, labels: NoiseLabels | None) -> FloatArray:
        from cleansemg.quality import noise_labels

        return self._denoiser.denoise(noisy, fs_hz, noise_labels(noisy, fs_hz, self._model))
