"""Template subtraction: the mean heartbeat of a signal is subtracted at each of its beats.

Source: the template subtraction baseline of the ICASSP 2023 FCN paper, MSEMG, SDEMG and CleanSEMG. Beats come
from `heartbeats.find_beats`. With RR the shortest interval between two beats, a beat reaches from 0.25 RR before
to 0.45 RR after its largest deflection. The template is the mean of these stretches over all beats, and it is
subtracted at each beat. A beat that an end of the signal cuts contributes the samples that it has.

Signals that are changed:
    published   those labelled ECG
    oracle      those of the blind track that are labelled ECG or motion, or with noise of unknown nature
    blind       those whose beats are plausible as a heart's: 35 to 200 beats per minute, similar to one another
                (`likeness`) and higher than the signal between them (`prominence`)

A signal with fewer than two beats has no template. On the blind track, a signal whose beats are not plausible counts as
free of ECG. In both cases the estimate of the ECG is zero and the signal passes unchanged: that is the rule of the
method, not a failure.
"""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import InputError, UserError
from cleansemg.denoising.base import Denoiser
from cleansemg.denoising.heartbeats import (
    MIN_LIKENESS,
    MIN_PROMINENCE,
    RATE_BPM,
    Detector,
    IntArray,
    find_beats,
    look_like_a_heart,
)
from cleansemg.denoising.noise_detection import SHOWS_AS
from cleansemg.noise.labels import NoiseLabels

log = logging.getLogger(__name__)


class TemplateSubtraction(Denoiser):
    """Subtracts the mean heartbeat from every heartbeat."""

    name = "ts"
    tracks = ("blind", "oracle", "published")
    min_samples = 32
    sign_equivariant = True

    def __init__(
        self,
        band_hz: tuple[float, float] = (2.5, 50.0),
        order: int = 4,
        cycle_s: float = 1.0,
        event_s: float = 0.1,
        refractory_s: float = 0.14,
        before_rr: float = 0.25,
        after_rr: float = 0.45,
        rate_bpm: tuple[float, float] = RATE_BPM,
        min_likeness: float = MIN_LIKENESS,
        min_prominence: float = MIN_PROMINENCE,
    ) -> None:
        """Set the detection, the template and the blind rule.

        Args:
            band_hz: band of the detection.
            order: order of its Butterworth filter.
            cycle_s: length of the moving mean over a heart cycle.
            event_s: length of the moving mean over a QRS complex.
            refractory_s: least time between two beats.
            before_rr: reach of the template before a beat, as a fraction of the shortest interval between beats.
            after_rr: its reach after a beat, likewise.
            rate_bpm: lowest and highest heart rate in beats per minute that the blind rule accepts.
            min_likeness: least mean correlation of a beat with the others, blind rule.
            min_prominence: least height of the beats over the RMS between them, blind rule.

        Raises:
            UserError: a parameter is out of range.
        """
        if not 0 < band_hz[0] < band_hz[1]:
            raise UserError(f"ts: band_hz is {tuple(band_hz)}, expected low, high")
        if min(cycle_s, event_s, refractory_s, before_rr, after_rr) <= 0 or event_s >= cycle_s or order < 1:
            raise UserError("ts: order, cycle_s, event_s, refractory_s, before_rr and after_rr must be positive, "
                            "and event_s shorter than cycle_s")  # fmt: skip
        if before_rr + after_rr > 1:
            raise UserError(f"ts: before_rr + after_rr is {before_rr + after_rr:g}, at most 1, or beats would overlap")
        self.detector = Detector((float(band_hz[0]), float(band_hz[1])), order, cycle_s, event_s, refractory_s)
        self.before_rr = before_rr
        self.after_rr = after_rr
        self.heart_rule = (rate_bpm, min_likeness, min_prominence)

    def _denoise(self, noisy: NDArray[np.float64], fs_hz: float, labels: NoiseLabels | None) -> NDArray[np.float64]:
        if self.detector.band_hz[1] > fs_hz / 2:
            raise InputError(f"ts: a band up to {self.detector.band_hz[1]:g} Hz does not fit a rate of {fs_hz:g} Hz")
        estimate = noisy.copy()
        judged = labels is None or labels.rule == "evidence"
        if labels is None:
            rows = np.arange(len(noisy))
        else:
            rows = np.flatnonzero(labels.may_hold(SHOWS_AS["heart"]) if judged else labels.has("ECG"))
        if not len(rows):
            return estimate
        untouched = 0
        for row, beats in zip(rows, find_beats(noisy[rows], fs_hz, self.detector), strict=True):
            if len(beats.positions) >= 2 and (not judged or look_like_a_heart(beats, *self.heart_rule)):
                estimate[row] -= self._ecg(noisy[row], beats.positions)
            else:
                untouched += 1
        log.debug("ts: %d of %d signals without beats to subtract", untouched, len(rows))
        return estimate

    def _ecg(self, x: NDArray[np.float64], beats: IntArray) -> NDArray[np.float64]:
        """[L]: the template at each beat, zero elsewhere."""
        shortest = int(np.diff(beats).min())
        before, after = round(self.before_rr * shortest), round(self.after_rr * shortest)
        where = beats[:, None] + np.arange(-before, after)  # [beats, samples], beyond the ends of x too
        inside = (where >= 0) & (where < len(x))
        values = np.where(inside, x[np.clip(where, 0, len(x) - 1)], 0.0)
        template = values.sum(axis=0) / np.maximum(inside.sum(axis=0), 1)
        ecg = np.zeros_like(x)
        ecg[where[inside]] = np.broadcast_to(template, where.shape)[inside]
        return ecg
