"""What a signal's amplitudes say of it: samples at the rail of a converter, and an envelope in place of EMG."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

PILED = 2.0  # a rail holds more than so many times as many samples as the next value inside
ENVELOPE = "is an envelope at"
LOW_RATE_HZ = 250.0  # raw surface EMG is not sampled so slowly: its band would end at 125 Hz
SLOW_HZ = 10.0
SLOW_SHARE = 0.8  # of an envelope's power, without its mean
FLOOR = 0.25  # rest lies in this lowest part of an envelope's range; raw EMG lies about its middle


def clipping(signal: FloatArray, fs_hz: float) -> tuple[FloatArray, FloatArray]:
    """How much of a trial lies at the rails.

    A signal's largest value is a rail where more than twice as many samples have it as have the next smaller value, and
    likewise its smallest value: a signal that is not clipped has few samples at its extremes, however coarse its steps.

    Args:
        signal: [C, T] finite, any unit; constant in no channel.
        fs_hz: sampling rate.

    Returns:
        [C] share of the samples at a rail, and [C] the longest stay at one in seconds; 0 where there is no rail.

    >>> x = np.sin(np.arange(1000) * 0.1) + 0.01 * np.sin(np.arange(1000) * 1.7)
    >>> clipping(np.stack([x, np.clip(x, -1, 0.8)]), 1000.0)[0].round(1).tolist()
    [0.0, 0.2]
    """
    shares, stays = np.zeros(len(signal)), np.zeros(len(signal))
    for channel, values in enumerate(signal):
        at_rail = np.zeros(values.size, np.bool_)
        for x in (values, -values):
            highest = x.max()
            inside = x[x < highest]
            if np.count_nonzero(x == highest) > PILED * np.count_nonzero(inside == inside.max()):
                at_rail = at_rail | (x == highest)
                stays[channel] = max(stays[channel], _longest(x == highest) / fs_hz)
        shares[channel] = at_rail.mean()
    return shares, stays


def _longest(mask: NDArray[np.bool_]) -> int:
    """Samples of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def envelope_cause(signal: FloatArray, fs_hz: float) -> str | None:
    """Why a recording is an envelope, not EMG; None where it does not look like one.

    An envelope is never negative, rests in the lowest quarter of its range, and is slow: sampled at 250 Hz or less, or
    with 80 % of its power (without the mean) below 10 Hz. Codes of a converter that are never negative, because their
    middle was not subtracted, lie about the middle of their range.

    Args:
        signal: [C, T], any unit; NaN are left out.
        fs_hz: sampling rate.
    """
    for values in signal:
        finite = values[np.isfinite(values)]
        if finite.size < 2 or finite.min() < 0 or finite.min() == finite.max():
            return None
        if np.median(finite) - finite.min() > FLOOR * np.ptp(finite):
            return None
        if fs_hz > LOW_RATE_HZ and _slow_share(finite, fs_hz) < SLOW_SHARE:
            return None
    if not len(signal):
        return None
    return f"{ENVELOPE} {fs_hz:g} Hz, not raw EMG: no noise can be mixed into it, and nothing can be denoised"


def _slow_share(x: FloatArray, fs_hz: float) -> float:
    power = np.abs(np.fft.rfft(x - x.mean())) ** 2
    return float(power[np.fft.rfftfreq(x.size, 1 / fs_hz) <= SLOW_HZ].sum() / power.sum())
