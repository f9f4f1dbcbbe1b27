"""Builds signals from spike trains and potentials: every discharge adds its unit's potential to every channel."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from cleansemg.data_pipeline.simulation.contraction import Contraction, SpikeTrains, discharge
from cleansemg.data_pipeline.simulation.motor_units import FloatArray, MotorUnitPool
from cleansemg.data_pipeline.simulation.potentials import Potentials


def contract(
    pool: MotorUnitPool,
    shapes: Potentials,
    contraction: Contraction,
    signal: FloatArray,
    rng: np.random.Generator,
) -> SpikeTrains:
    """Add one contraction of one muscle to `signal`, in place; returns the discharges.

    Units fire only where their whole potential fits into the contraction, so the samples before and after it are
    not changed.

    Args:
        pool: the muscle's motor units.
        shapes: their potentials.
        contraction: the force over time.
        signal: [C, T] in volts, T at least the duration of the contraction.
        rng: generator of all draws.

    Raises:
        ValueError: `signal` is too short or does not have the channels of `shapes`.
    """
    n_samples = round(contraction.duration_s * shapes.fs_hz)
    if signal.shape[0] != shapes.waveform.shape[2] or signal.shape[1] < n_samples:
        raise ValueError(
            f"signal is {signal.shape}: this contraction needs ({shapes.waveform.shape[2]}, {n_samples} or more)"
        )
    last_s = n_samples / shapes.fs_hz - shapes.after_s
    trains = discharge(pool, contraction.drive(pool, rng), shapes.before_s, last_s, rng)
    render(trains, shapes, signal)
    return trains


def render(trains: SpikeTrains, shapes: Potentials, signal: FloatArray) -> None:
    """Add the potentials of all discharges to `signal` [C, T] in volts, in place.

    Raises:
        ValueError: a potential does not fit into the signal.
    """
    if trains.time_s.size == 0:
        return
    n_phases, n_samples = shapes.waveform.shape[1], shapes.waveform.shape[3]
    step = np.rint(trains.time_s * shapes.fs_hz * n_phases).astype(np.int64)  # nearest sub-sample phase
    start = step // n_phases - shapes.lead
    if start.min() < 0 or start.max() + n_samples > signal.shape[1]:
        raise ValueError("a discharge lies so near an end of the signal that its potential does not fit")
    _compiled()(trains.unit, start, step % n_phases, shapes.waveform, signal)


@lru_cache(maxsize=1)
def _compiled() -> Callable[..., Any]:
    from numba import njit

    compiled: Callable[..., Any] = njit(cache=True)(_render_loop)
    return compiled


def _render_loop(unit: Any, start: Any, phase: Any, waveform: FloatArray, signal: FloatArray) -> None:
    n_channels, n_samples = waveform.shape[2], waveform.shape[3]
    for s in range(unit.size):
        for channel in range(n_channels):
            for n in range(n_samples):
                signal[channel, start[s] + n] += waveform[unit[s], phase[s], channel, n]
