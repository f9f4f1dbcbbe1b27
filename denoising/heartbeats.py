"""Detects heartbeats in a contaminated signal, and decides whether they are plausible as those of a heart.

Detection (Elgendi, "Fast QRS detection with an optimized knowledge-based method", PLoS ONE 8(9):e73557, 2013,
with the settings of the published template subtraction): the signal is band-passed and squared. A moving mean as long
as a QRS complex is compared with one as long as a heart cycle. A stretch in which the short mean is higher for at least
the length of a QRS complex holds a beat, at its largest deflection.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import dsp

IntArray = NDArray[np.int64]
SHAPE_HALF_WIDTH_S = 0.05  # half the length of a beat's shape: a QRS lasts 0.08 to 0.12 s
RATE_BPM = (35.0, 200.0)
MIN_LIKENESS, MIN_PROMINENCE = 0.8, 5.0


@dataclass(frozen=True)
class Detector:
    """Settings of the detection.

    Attributes:
        band_hz: band in which a beat stands out.
        order: order of the Butterworth band-pass.
        cycle_s: length of the moving mean over a heart cycle.
        event_s: length of the moving mean over a QRS complex, and the least length of a stretch that counts as one.
        refractory_s: least time between two beats; of two closer ones, the larger is retained.
    """

    band_hz: tuple[float, float] = (2.5, 50.0)
    order: int = 4
    cycle_s: float = 1.0
    event_s: float = 0.1
    refractory_s: float = 0.14


@dataclass(frozen=True)
class Beats:
    """Beats of one signal: their sample positions, ascending, and the band-passed signal they were detected in."""

    positions: IntArray
    filtered: NDArray[np.float64]  # [L]
    fs_hz: float

    @property
    def rate_bpm(self) -> float:
        """Heart rate in beats per minute, from the median interval; NaN with fewer than two beats."""
        if len(self.positions) < 2:
            return float("nan")
        return float(60 * self.fs_hz / np.median(np.diff(self.positions)))


def find_beats(x: NDArray[np.float64], fs_hz: float, detector: Detector) -> list[Beats]:
    """Find the beats of each signal.

    Args:
        x: [n, L], any unit.
        fs_hz: sampling rate in hertz.
        detector: the settings.

    Returns:
        One `Beats` per signal; it is empty for a signal that is constant in the band.
    """
    filtered = dsp.band_pass(x - x.mean(axis=1, keepdims=True), *detector.band_hz, fs_hz, detector.order)
    # filtering a constant leaves rounding errors, which are not a signal
    level = np.abs(x).max(axis=1, keepdims=True)
    filtered[np.abs(filtered).max(axis=1) <= 1e-9 * level[:, 0]] = 0.0
    energy = filtered**2
    event_width = round(detector.event_s * fs_hz)
    event = moving_mean(energy, event_width)
    cycle = moving_mean(energy, round(detector.cycle_s * fs_hz))
    refractory = round(detector.refractory_s * fs_hz)
    return [
        Beats(_peaks(row, above, event_width, refractory), row, fs_hz)
        for row, above in zip(filtered, event > cycle, strict=True)
    ]


def moving_mean(x: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Centred moving mean along the last axis, same shape; at the ends, over the samples inside the signal."""
    n = x.shape[-1]
    total = np.concatenate([np.zeros((*x.shape[:-1], 1)), np.cumsum(x, axis=-1)], axis=-1)
    start = np.maximum(np.arange(n) - width // 2, 0)
    stop = np.minimum(np.arange(n) - width // 2 + max(width, 1), n)
    mean: NDArray[np.float64] = (total[..., stop] - total[..., start]) / (stop - start)
    return mean


def _peaks(filtered: NDArray[np.float64], above: NDArray[np.bool_], width: int, refractory: int) -> IntArray:
    """[beats] positions: the largest deflection of each run of `above` with at least `width` samples.

    Of two positions within `refractory` samples, the larger one is retained.

    All deflections are measured on one side, up or down: the one on which the median run reaches farther. If each beat
    used its larger side, some beats of a two-sided QRS would be half a wave away from the others.
    """
    steps = np.diff(np.concatenate([[False], above, [False]]).astype(np.int8))
    bounds = zip(np.flatnonzero(steps == 1), np.flatnonzero(steps == -1), strict=True)
    runs = [(a, b) for a, b in bounds if b - a >= width]
    if not runs:
        return np.array([], np.int64)
    side = np.median([filtered[a:b].max() + filtered[a:b].min() for a, b in runs])
    upright = -filtered if side < 0 else filtered
    candidates = [int(a + np.argmax(upright[a:b])) for a, b in runs]
    peaks: list[int] = []
    for position in sorted(candidates, key=lambda p: -upright[p]):
        if all(abs(position - other) >= refractory for other in peaks):
            peaks.append(position)
    return np.array(sorted(peaks), np.int64)


def look_like_a_heart(
    beats: Beats,
    rate_bpm: tuple[float, float] = RATE_BPM,
    min_likeness: float = MIN_LIKENESS,
    min_prominence: float = MIN_PROMINENCE,
) -> bool:
    """Whether there are two beats or more, at a plausible rate, alike, and prominent."""
    low, high = rate_bpm
    return low <= beats.rate_bpm <= high and likeness(beats) >= min_likeness and prominence(beats) >= min_prominence


def likeness(beats: Beats) -> float:
    """Similarity of the beats: mean correlation of each beat's shape with the mean of the others, -1 to 1.

    Beats that an end of the signal cuts are left out; 0 with fewer than two whole beats.
    """
    half = round(SHAPE_HALF_WIDTH_S * beats.fs_hz)
    whole = beats.positions[(beats.positions >= half) & (beats.positions + half < len(beats.filtered))]
    if len(whole) < 2:
        return 0.0
    shapes = beats.filtered[whole[:, None] + np.arange(-half, half + 1)]  # [beats, samples]
    others = (shapes.sum(axis=0) - shapes) / (len(shapes) - 1)
    a = shapes - shapes.mean(axis=1, keepdims=True)
    b = others - others.mean(axis=1, keepdims=True)
    norm = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return float(np.mean(np.divide((a * b).sum(axis=1), norm, out=np.zeros_like(norm), where=norm > 0)))


def prominence(beats: Beats) -> float:
    """Median height of the beats over the RMS of the band-passed signal away from them.

    Infinite where the signal away from the beats is silent; 0 without beats, or without samples away from them.
    """
    half = round(SHAPE_HALF_WIDTH_S * beats.fs_hz)
    away = np.ones(len(beats.filtered), np.bool_)
    for position in beats.positions:
        away[max(position - half, 0) : position + half + 1] = False
    if not len(beats.positions) or not away.any():
        return 0.0
    height = float(np.median(np.abs(beats.filtered[beats.positions])))
    rest = float(np.sqrt(np.mean(beats.filtered[away] ** 2)))
    return height / rest if rest > 0 else float("inf")
