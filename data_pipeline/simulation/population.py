"""People: limbs that differ in fat, muscles, motor units and electrode positions, and the gestures they make.

Every draw is keyed by the seed and the names of what is drawn, so that a subject, a muscle or a gesture
is the same whatever else is simulated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from cleansemg.core.seeding import generator
from cleansemg.data_pipeline.simulation.motor_units import FloatArray, MotorUnitPool, PoolParameters
from cleansemg.data_pipeline.simulation.potentials import Fibres, Potentials, potentials
from cleansemg.data_pipeline.simulation.volume_conductor import ElectrodePair, LeadField, Tissue

# Fibre density of one unit in its territory. Fuglevand et al. 1993 use 20 per mm2; this lower density widens the
# territories and evens out the large units.
FIBRES_PER_M2 = 10e6
WEAKEST, STRONGEST = 0.04, 0.90  # force of any muscle in any gesture, fractions of its maximum


@dataclass(frozen=True)
class MuscleParameters:
    """One muscle: its shape, and how its fibres depend on the size of their motor unit.

    Raises:
        ValueError: a parameter is out of range.
    """

    half_width_m: float = 10e-3  # of the elliptic cross-section
    half_depth_m: float = 8e-3
    cover_m: float = 2e-3  # fascia between the fat and the nearest fibre
    largest_unit_fibres: float = 1400.0  # innervation number of the last unit
    fibres_drawn: int = 20  # number of fibres that represent a unit
    half_length_m: float = 55e-3  # end-plate to tendon
    end_plate_spread_m: float = 4e-3  # standard deviations
    tendon_spread_m: float = 5e-3
    mean_velocity_m_per_s: float = 4.0
    velocity_spread: float = 0.02  # between fibres of one unit, relative
    mean_diameter_m: float = 48e-6
    diameter_range_m: float = 20e-6  # last unit minus first
    velocity_slope_hz: float = 0.05e6  # m/s per m of diameter: Nandedkar and Stalberg 1983, 0.05 m/s per micrometre

    def __post_init__(self) -> None:
        if min(self.half_width_m, self.half_depth_m, self.cover_m, self.largest_unit_fibres, self.half_length_m) <= 0:
            raise ValueError("the dimensions of a muscle must be positive")
        if self.fibres_drawn < 1:
            raise ValueError("fibres_drawn must be at least 1")
        if self.mean_velocity_m_per_s - self.velocity_slope_hz * self.diameter_range_m / 2 <= 1.0:
            raise ValueError("the slowest fibres would conduct below 1 m/s: raise mean_velocity_m_per_s")


@dataclass(frozen=True)
class Muscle:
    """A muscle in the limb: its pool, its fibres and where it lies around the limb."""

    pool: MotorUnitPool
    fibres: Fibres
    around_m: float


@dataclass(frozen=True)
class Limb:
    """One subject's limb with its electrodes."""

    tissue: Tissue
    circumference_m: float
    pair: ElectrodePair
    electrodes_m: FloatArray  # [C, 2] around the limb, along from the end-plates
    muscles: tuple[Muscle, ...]

    def potentials(self, fs_hz: float) -> list[Potentials]:
        """The potentials of every muscle at every channel, near or far, at the sampling rate `fs_hz`."""
        field = LeadField.of(self.tissue, self.pair)
        return [potentials(muscle.fibres, field, self._electrodes_from(muscle), fs_hz) for muscle in self.muscles]

    def _electrodes_from(self, muscle: Muscle) -> FloatArray:
        around = self.electrodes_m[:, 0] - muscle.around_m
        shorter_way = (around + self.circumference_m / 2) % self.circumference_m - self.circumference_m / 2
        return np.column_stack([shorter_way, self.electrodes_m[:, 1]])


def draw_muscle(
    rng: np.random.Generator,
    pool: MotorUnitPool | None = None,
    muscle: MuscleParameters | None = None,
    around_m: float = 0.0,
) -> Muscle:
    """Place the units of a pool in a muscle, and the fibres of each unit in its territory.

    The number of fibres of a unit is proportional to its twitch force. Its territory is a disc with 10 fibres per
    square millimetre. Fibre diameter and conduction velocity rise with the rank of the unit.

    Args:
        rng: generator of all draws.
        pool: the motor units; None: the default pool.
        muscle: shape and fibres; None: the defaults.
        around_m: position of the muscle around the limb, in metres.
    """
    pool = pool or MotorUnitPool()
    m = muscle or MuscleParameters()
    shape = (pool.parameters.n_units, m.fibres_drawn)
    count = m.largest_unit_fibres * pool.twitch / pool.twitch[-1]
    territory_m = np.sqrt(count / (np.pi * FIBRES_PER_M2))[:, None]

    ellipse = np.array([m.half_width_m, m.half_depth_m])
    centre = _in_disc(rng, (shape[0], 1)) * np.maximum(ellipse - territory_m[..., None], 0.1 * ellipse)
    position = (centre + _in_disc(rng, shape) * territory_m[..., None]) / ellipse
    position *= ellipse / np.maximum(np.linalg.norm(position, axis=-1, keepdims=True), 1)  # none outside the muscle

    diameter = m.mean_diameter_m + m.diameter_range_m * (pool.rank - pool.rank.mean())
    velocity = m.mean_velocity_m_per_s + m.velocity_slope_hz * (diameter - m.mean_diameter_m)
    end_plate = _spread_normal(rng, shape) * m.end_plate_spread_m
    tendon = np.stack([_spread_normal(rng, shape) for _ in range(2)], axis=-1) * m.tendon_spread_m
    fibres = Fibres(
        depth_m=m.cover_m + m.half_depth_m + position[..., 1],
        across_m=position[..., 0],
        end_plate_m=end_plate,
        ends_m=m.half_length_m + tendon - end_plate[..., None] * np.array([1.0, -1.0]),
        velocity_m_per_s=velocity[:, None] * (1 + m.velocity_spread * _spread_normal(rng, shape)),
        diameter_m=diameter,
        count=count,
    )
    return Muscle(pool, fibres, around_m)


def draw_limb(seed: int, subject: str, n_channels: int) -> Limb:
    """Draw the limb of one subject, with one muscle under each channel, side by side."""
    rng = generator(seed, "simulated", subject, "limb")
    tissue = Tissue(fat_m=float(rng.uniform(2.5e-3, 6.5e-3)))
    circumference_m = float(rng.uniform(0.22, 0.29))
    velocity = float(rng.uniform(3.6, 4.3))
    apart_m = min(0.03, circumference_m / n_channels)
    half_width_m = min(10e-3, 0.45 * apart_m)
    muscles, electrodes = [], []
    for channel in range(n_channels):
        muscle_rng = generator(seed, "simulated", subject, "muscle", channel)
        around_m = channel * apart_m + float(muscle_rng.normal(0, 0.05 * apart_m))
        pool = MotorUnitPool(PoolParameters(n_units=int(muscle_rng.integers(100, 161))))
        parameters = MuscleParameters(
            half_width_m=half_width_m,
            half_depth_m=float(muscle_rng.uniform(6.5e-3, 9.5e-3)),
            largest_unit_fibres=float(muscle_rng.uniform(1000, 1800)),
            half_length_m=float(muscle_rng.uniform(50e-3, 65e-3)),
            mean_velocity_m_per_s=velocity,
        )
        muscles.append(draw_muscle(muscle_rng, pool, parameters, around_m))
        electrodes.append(
            [around_m + float(muscle_rng.normal(0, 0.08 * apart_m)), float(muscle_rng.uniform(24e-3, 34e-3))]
        )
    return Limb(tissue, circumference_m, ElectrodePair(), np.array(electrodes), tuple(muscles))


def gesture_force(seed: int, gesture: int, n_muscles: int) -> FloatArray:
    """[M] force of each muscle in a gesture as fractions of its maximum; the same for every person.

    Prime movers contract strongly, the other muscles weakly (co-contraction).
    """
    rng = generator(seed, "simulated", "gesture", gesture)
    force = rng.uniform(0.06, 0.14, n_muscles)
    movers = rng.uniform(size=n_muscles) < 0.25
    movers[(gesture - 1) % n_muscles] = True
    return np.asarray(np.where(movers, rng.uniform(0.25, 0.65, n_muscles), force))


def trial_force(seed: int, subject: str, gesture: int, repetition: int, n_muscles: int) -> FloatArray:
    """[M] `gesture_force` for one person and repetition; it varies 20 % between persons, 8 % between repetitions."""
    person = generator(seed, "simulated", subject, "gesture", gesture).normal(0, 0.20, n_muscles)
    again = generator(seed, "simulated", subject, "gesture", gesture, repetition).normal(0, 0.08, n_muscles)
    force = gesture_force(seed, gesture, n_muscles) * np.exp(person + again)
    return np.asarray(np.clip(force, WEAKEST, STRONGEST))


def _spread_normal(rng: np.random.Generator, shape: tuple[int, int]) -> FloatArray:
    """Standard normal values [U, F]; each row has one value from each of F quantile intervals, in random order.

    So a few fibres represent the many of a unit: their ends do not cluster, which would put steps into the potential.
    """
    order = rng.permuted(np.broadcast_to(np.arange(shape[1]), shape), axis=1)
    return np.asarray(np.clip(ndtri((order + rng.uniform(size=shape)) / shape[1]), -2.5, 2.5))


def _in_disc(rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """Points [..., 2] distributed uniformly over the unit disc."""
    radius, angle = np.sqrt(rng.uniform(size=shape)), rng.uniform(0, 2 * np.pi, size=shape)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
