"""The open fatigue data set: simulated contractions that are held until the muscle fails; it needs no download."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.seeding import generator
from cleansemg.data_pipeline.readers.simulation import (
    HIGHEST_FS_HZ,
    LOWEST_FS_HZ,
    MAX_SEED,
    SimulationReader,
    number,
    whole_number,
)
from cleansemg.data_pipeline.recording import Recording, RecordingRef
from cleansemg.data_pipeline.simulation.contraction import Contraction
from cleansemg.data_pipeline.simulation.fatigue import FatigueParameters, contract_until_tired, endurance_s, tired
from cleansemg.data_pipeline.simulation.motor_units import MotorUnitPool
from cleansemg.data_pipeline.simulation.population import draw_limb
from cleansemg.data_pipeline.simulation.potentials import Potentials

N_STATES = 7  # states of the potentials from fresh to failure: steps of about 5 % in conduction velocity
PERCEIVED_AT = (0.35, 0.70)  # states F from which a person reports moderate and severe fatigue
PERCEPTION_SPREAD = 0.05  # standard deviation of these states between persons
RAMP_S = 0.5


class SimulatedFatigueReader(SimulationReader):
    """Simulates its recordings, one per subject and trial.

    In trial k a person holds a force until the prime mover, muscle (k - 1) mod C, fails; the other muscles help with
    less force and tire less. `label` is 0 at rest, where the signal is exactly 0, and otherwise 1 + the fatigue that
    the person reports (0 none, 1 moderate, 2 severe), which follows the state of the prime mover. `repetition` is the
    number of the trial, 0 at rest.

    Args:
        database: name of the database in the recordings.
        folder: not used.
        n_subjects, n_trials, n_channels: how many; `n_trials` is per subject.
        longest_s: longest contraction in seconds; it ends then even if the muscle has not failed.
        rest_s: rest before and after the contraction in seconds.
        fs_hz: sampling rate in hertz, 1000 to 20,000.
        seed: decides all draws.

    Raises:
        ValueError: a parameter is out of range.
    """

    decisive = ("n_channels", "longest_s", "rest_s", "fs_hz", "seed")
    exercise_key = "trial"

    def __init__(
        self,
        database: str = "simulated_fatigue",
        folder: str | Path | None = None,
        *,
        n_subjects: int = 12,
        n_trials: int = 3,
        n_channels: int = 4,
        longest_s: float = 90.0,
        rest_s: float = 1.0,
        fs_hz: float = 1000.0,
        seed: int = 2025,
    ) -> None:
        self.database = database
        self.n_subjects = whole_number("n_subjects", n_subjects, 1, 999)
        self.n_trials = whole_number("n_trials", n_trials, 1, 99)
        self.n_channels = whole_number("n_channels", n_channels, 1, 24)
        self.seed = whole_number("seed", seed, 0, MAX_SEED)
        self.longest_s = number("longest_s", longest_s, 5.0, 600.0)
        self.rest_s = number("rest_s", rest_s, 0.0, 60.0)
        self.fs_hz = number("fs_hz", fs_hz, LOWEST_FS_HZ, HIGHEST_FS_HZ)
        self.extent = f"there are {n_subjects} subjects with {n_trials} trial(s)"

    def _recordings(self) -> Iterator[tuple[str, str]]:
        trials = sorted(f"T{trial}" for trial in range(1, self.n_trials + 1))
        for subject in range(1, self.n_subjects + 1):
            for trial in trials:
                yield f"S{subject:03d}", trial

    def _simulate(self, ref: RecordingRef) -> Recording:
        trial = int(ref.exercise[1:])
        person = generator(self.seed, "simulated fatigue", ref.subject)
        stamina = float(np.exp(person.normal(0, 0.15)))
        parameters = FatigueParameters(
            velocity_fall=float(person.uniform(0.25, 0.38)),
            rate_fall=float(person.uniform(0.15, 0.35)),
            force_rise=float(person.uniform(0.2, 0.5)),
        )
        reported_at = np.array(PERCEIVED_AT) + person.normal(0, PERCEPTION_SPREAD)

        force = self._forces(ref.subject, trial)
        endurance = [stamina * endurance_s(float(f)) for f in force]
        prime = (trial - 1) % self.n_channels
        contraction = round(min(endurance[prime], self.longest_s) * self.fs_hz)
        rest = round(self.rest_s * self.fs_hz)
        signal = np.zeros((self.n_channels, contraction + 2 * rest))
        held = slice(rest, rest + contraction)
        pools, shapes = _limb(self.seed, ref.subject, self.n_channels, self.fs_hz, parameters)
        for index, pool in enumerate(pools):
            effort = Contraction(force=float(force[index]), duration_s=contraction / self.fs_hz, ramp_s=RAMP_S)
            rng = generator(self.seed, "simulated fatigue", ref.subject, "trial", trial, index)
            contract_until_tired(pool, shapes[index], effort, endurance[index], parameters, signal[:, held], rng)

        state = np.arange(contraction) / self.fs_hz / endurance[prime]
        label = np.zeros(signal.shape[1], np.int64)
        label[held] = 1 + np.searchsorted(reported_at, state, side="right")
        return Recording(
            database=self.database,
            subject=ref.subject,
            exercise=ref.exercise,
            signal=signal,
            fs_hz=self.fs_hz,
            channels=tuple(f"muscle{number}" for number in range(1, self.n_channels + 1)),
            label=label,
            repetition=np.where(label > 0, trial, 0),
        )

    def _forces(self, subject: str, trial: int) -> NDArray[np.float64]:
        """[C] forces of the prime mover and of the other muscles, as fractions of the maximum."""
        rng = generator(self.seed, "simulated fatigue", subject, "force", trial)
        prime = rng.uniform(0.50, 0.65)
        force = prime * rng.uniform(0.45, 0.80, self.n_channels)
        force[(trial - 1) % self.n_channels] = prime
        return np.asarray(force)


@lru_cache(maxsize=1)  # a worker reads the trials of one subject one after the other
def _limb(
    seed: int, subject: str, n_channels: int, fs_hz: float, parameters: FatigueParameters
) -> tuple[tuple[MotorUnitPool, ...], tuple[tuple[Potentials, ...], ...]]:
    """The motor-unit pools of a limb's muscles, and the potentials of each muscle in every state."""
    limb = draw_limb(seed, subject, n_channels)
    states = [tired(limb, float(state), parameters).potentials(fs_hz) for state in np.linspace(0, 1, N_STATES)]
    return tuple(muscle.pool for muscle in limb.muscles), tuple(zip(*states, strict=True))
