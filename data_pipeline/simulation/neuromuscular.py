"""Muscle after loss of motor neurons, and after loss of muscle fibres.

Neuropathy: motor units are lost, and the others adopt their fibres by collateral sprouting, so units are fewer and
larger. Sprouts end at scattered end-plates and conduct unevenly, so potentials are longer. The few remaining units
fire fast. Myopathy: the number of units stays the same, but each loses fibres; the remaining fibres vary in diameter
and are shortened by necrotic segments, so potentials are smaller, shorter and polyphasic. More units are recruited
early for the same force. The directions follow Stalberg et al. 2019, Clin Neurophysiol 130:1688-1729 and Preston and
Shapiro, Electromyography and Neuromuscular Disorders; the amounts are assumptions of this project.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cleansemg.core.seeding import generator
from cleansemg.data_pipeline.simulation.motor_units import MotorUnitPool, PoolParameters
from cleansemg.data_pipeline.simulation.population import Muscle, MuscleParameters, draw_muscle
from cleansemg.data_pipeline.simulation.potentials import Potentials, potentials
from cleansemg.data_pipeline.simulation.volume_conductor import ElectrodePair, LeadField, Tissue

CONDITIONS = ("control", "myopathy", "neuropathy")
WHOLE_DIAMETER_M = 48e-6  # mean of healthy fibres


@dataclass(frozen=True)
class PatientMuscle:
    """One person's muscle under one electrode pair.

    Attributes:
        condition: one of `CONDITIONS`.
        muscle: its pool and fibres.
        effort: factor from a force, as a fraction of a healthy maximum, to the same force as a fraction of this
            muscle's maximum.
        tissue: the volume conductor between muscle and electrodes.
        along_m: distance of the electrodes from the end-plates along the fibres, in metres.
    """

    condition: str
    muscle: Muscle
    effort: float
    tissue: Tissue
    along_m: float

    def potentials(self, fs_hz: float) -> Potentials:
        """The potentials of all units at the one electrode pair, at the sampling rate `fs_hz`."""
        field = LeadField.of(self.tissue, ElectrodePair())
        return potentials(self.muscle.fibres, field, np.array([[0.0, self.along_m]]), fs_hz)


def draw_patient_muscle(seed: int, subject: str, condition: str) -> PatientMuscle:
    """Draw one person of a group; what the condition does not change has the same distribution in all groups.

    Raises:
        ValueError: the condition is unknown.
    """
    if condition not in CONDITIONS:
        raise ValueError(f"condition is '{condition}': expected one of {', '.join(CONDITIONS)}")
    rng = generator(seed, "simulated_neuromuscular", subject, "muscle")
    tissue = Tissue(fat_m=float(rng.uniform(1e-3, 3e-3)))
    along_m = float(rng.uniform(24e-3, 34e-3))
    n_units = int(rng.integers(100, 161))
    fibres = float(rng.uniform(1000, 1800))
    half_length_m = float(rng.uniform(50e-3, 65e-3))
    velocity = float(rng.uniform(3.6, 4.3))
    if condition == "neuropathy":
        left = float(rng.uniform(0.2, 0.4))  # of the units
        pool = PoolParameters(
            n_units=round(n_units * left),
            minimum_rate_hz=float(rng.uniform(10, 13)),
            peak_rate_first_hz=45.0,
            peak_rate_last_hz=35.0,
            rate_gain_hz=2.0,
        )
        shape = MuscleParameters(
            largest_unit_fibres=fibres * float(rng.uniform(0.8, 1.0)) / left,  # most fibres of lost units are adopted
            half_length_m=half_length_m,
            mean_velocity_m_per_s=velocity,
            end_plate_spread_m=float(rng.uniform(8e-3, 11e-3)),
            velocity_spread=float(rng.uniform(0.04, 0.06)),
        )
        effort = float(rng.uniform(1.1, 1.5))
    elif condition == "myopathy":
        left = float(rng.uniform(0.25, 0.5))  # of each unit's fibres
        diameter_m = float(rng.uniform(38e-6, 44e-6))
        pool = PoolParameters(n_units=n_units, recruitment_range=float(rng.uniform(8, 14)))
        shape = MuscleParameters(
            largest_unit_fibres=fibres * left,
            fibres_drawn=8,  # few fibres are near the electrode: their potentials stay separate
            half_length_m=half_length_m * float(rng.uniform(0.55, 0.75)),
            mean_velocity_m_per_s=velocity - 0.05e6 * (WHOLE_DIAMETER_M - diameter_m),
            mean_diameter_m=diameter_m,
            velocity_spread=float(rng.uniform(0.06, 0.10)),
        )
        effort = float(rng.uniform(1.5, 2.5))
    else:
        pool = PoolParameters(n_units=n_units)
        shape = MuscleParameters(
            largest_unit_fibres=fibres, half_length_m=half_length_m, mean_velocity_m_per_s=velocity
        )
        effort = 1.0
    return PatientMuscle(condition, draw_muscle(rng, MotorUnitPool(pool), shape), effort, tissue, along_m)
