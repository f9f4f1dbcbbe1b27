"""Muscle fatigue: conduction velocity and firing rates fall and the drive rises, until the force cannot be held.

Symbols: F is the state of a muscle, from 0 (fresh) to 1 (the moment at which it fails). F rises linearly with time and
reaches 1 at the endurance time of the force. What depends on F:

- conduction velocity falls, in large (fast, fatigable) units more than in small ones (De Luca 1984, Crit Rev
  Biomed Eng 11:251-279; Merletti, Knaflitz, De Luca 1990, J Appl Physiol 69:1810-1820);
- every unit fires more slowly than the same drive makes it fire when fresh (Bigland-Ritchie et al. 1983, J Physiol
  340:335-346);
- the drive rises, so that more units are recruited and the force is held (Fuglevand, Zackowski, Huey, Enoka
  1993, J Physiol 460:549-572).

So the spectrum is compressed and the amplitude grows. Not modelled are the widening of the intracellular potential,
the slower twitches ("muscle wisdom") and blood flow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cleansemg.data_pipeline.simulation.contraction import CONTROL_HZ, Contraction, SpikeTrains, discharge
from cleansemg.data_pipeline.simulation.motor_units import FloatArray, MotorUnitPool
from cleansemg.data_pipeline.simulation.population import Limb, Muscle
from cleansemg.data_pipeline.simulation.potentials import Potentials
from cleansemg.data_pipeline.simulation.synthesis import render

WEAKEST_FORCE = 0.15  # a weaker contraction can be held for very long (Rohmert 1960)


@dataclass(frozen=True)
class FatigueParameters:
    """Changes from the fresh muscle to failure.

    Raises:
        ValueError: a parameter is out of range.
    """

    velocity_fall: float = 0.30  # of conduction velocity, relative, mean over units
    velocity_fall_range: float = 0.15  # last unit minus first
    rate_fall: float = 0.25  # of firing rates at the same drive, relative
    force_rise: float = 0.30  # the drive rises to that of a force higher by this fraction

    def __post_init__(self) -> None:
        if not 0 <= self.velocity_fall_range / 2 <= self.velocity_fall <= 0.5 or self.velocity_fall_range > 0.5:
            raise ValueError("velocity_fall must be 0 to 0.5, velocity_fall_range at most 0.5 and twice that")
        if not 0 <= self.rate_fall <= 0.6 or not 0 <= self.force_rise <= 2:
            raise ValueError("rate_fall must be 0 to 0.6, force_rise 0 to 2")


def endurance_s(force: float) -> float:
    """Endurance time in seconds of a force, a fraction of the maximum (Rohmert 1960, Int Z angew Physiol 18:123-164).

    Its value in minutes is -1.5 + 2.1 / f - 0.6 / f^2 + 0.1 / f^3; forces below 15 % count as 15 %.

    Raises:
        ValueError: the force is not within 0 to 1.

    >>> round(endurance_s(0.5), 1)
    66.0
    """
    if not 0 <= force <= 1:
        raise ValueError(f"force is {force:g}: it is a fraction of the maximum, 0 to 1")
    f = max(force, WEAKEST_FORCE)
    return 60 * (-1.5 + 2.1 / f - 0.6 / f**2 + 0.1 / f**3)


def tired(limb: Limb, state: float, parameters: FatigueParameters) -> Limb:
    """The limb with all its muscles in one state F, 0 to 1."""
    return replace(limb, muscles=tuple(_slowed(muscle, state, parameters) for muscle in limb.muscles))


def _slowed(muscle: Muscle, state: float, p: FatigueParameters) -> Muscle:
    rank = muscle.pool.rank
    fall = p.velocity_fall + p.velocity_fall_range * (rank - rank.mean())  # [U]
    velocity = muscle.fibres.velocity_m_per_s * (1 - state * fall)[:, None]  # [U, F]
    return replace(muscle, fibres=replace(muscle.fibres, velocity_m_per_s=velocity))


def contract_until_tired(
    pool: MotorUnitPool,
    shapes: Sequence[Potentials],
    contraction: Contraction,
    endurance: float,
    parameters: FatigueParameters,
    signal: FloatArray,
    rng: np.random.Generator,
) -> SpikeTrains:
    """Add one fatiguing contraction of one muscle to `signal`, in place; returns the discharges.

    Args:
        pool: the muscle's motor units.
        shapes: their potentials in states that are evenly spaced from F = 0 to 1; a discharge has the potential of
            the nearest state.
        contraction: the contraction; its force is that of the fresh muscle.
        endurance: seconds until F = 1; F stays at 1 afterwards.
        parameters: what changes with F.
        signal: [C, T] in volts, T at least the duration of the contraction.
        rng: generator of all draws.

    Raises:
        ValueError: `signal` is too short.
    """
    n_samples = round(contraction.duration_s * shapes[0].fs_hz)
    if signal.shape[1] < n_samples:
        raise ValueError(f"signal has {signal.shape[1]} samples: this contraction needs {n_samples}")
    profile = contraction.profile()
    time_s = np.arange(profile.size) / CONTROL_HZ
    state = np.minimum(time_s / endurance, 1)  # [K]
    fresh = pool.excitation(profile)
    drifting = contraction.drive(pool, rng)  # with the common drive on it
    fluctuation = np.divide(drifting, fresh, out=np.ones_like(fresh), where=fresh > 0)
    excitation = pool.excitation(np.minimum(profile * (1 + parameters.force_rise * state), 1)) * fluctuation

    # The renewal processes run in a warped time that slows down as the muscle tires: all intervals grow by the
    # same factor, whatever the drive.
    clock_s = np.concatenate([[0], np.cumsum(1 - parameters.rate_fall * state)[:-1]]) / CONTROL_HZ
    even_s = np.arange(int(clock_s[-1] * CONTROL_HZ) + 1) / CONTROL_HZ
    last_s = n_samples / shapes[0].fs_hz - max(shape.after_s for shape in shapes)
    limits = np.interp([shapes[0].before_s, last_s], time_s, clock_s)
    trains = discharge(pool, np.interp(even_s, clock_s, excitation), float(limits[0]), float(limits[1]), rng)
    fired_s = np.interp(trains.time_s, clock_s, time_s)

    level = np.rint(np.minimum(fired_s / endurance, 1) * (len(shapes) - 1)).astype(np.int64)
    for index, shape in enumerate(shapes):
        members = level == index
        render(SpikeTrains(trains.unit[members], fired_s[members], trains.n_units), shape, signal)
    return SpikeTrains(trains.unit, fired_s, trains.n_units)
