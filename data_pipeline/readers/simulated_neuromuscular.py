"""Simulated surface EMG of healthy, myopathic and neurogenic muscle: one channel, held contractions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

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
from cleansemg.data_pipeline.simulation.neuromuscular import CONDITIONS, PatientMuscle, draw_patient_muscle
from cleansemg.data_pipeline.simulation.potentials import Potentials
from cleansemg.data_pipeline.simulation.synthesis import contract

RAMP_S = 0.5
LABELS = {name: number for number, name in enumerate(CONDITIONS, 1)}


class SimulatedNeuromuscularReader(SimulationReader):
    """Simulates people of three groups; each person makes several contractions at a constant force.

    A recording is one trial, cut to the time in which the force is held; its label is 1 control, 2 myopathy,
    3 neuropathy, as in emgdb. docs/downstream/neuromuscular.md describes the model.

    Args:
        database: name of the database in the recordings.
        folder: not used.
        n_per_group: number of people in each of the three groups.
        n_contractions: number of recordings per person.
        hold_s: duration of a recording in seconds.
        force: lowest and highest force as fractions of a healthy maximum; the force of a contraction is drawn
            between them.
        fs_hz: sampling rate in hertz, 1000 to 20,000.
        seed: decides all draws.

    Raises:
        ValueError: a parameter is out of range.
    """

    decisive = ("hold_s", "force", "fs_hz", "seed")

    def __init__(
        self,
        database: str = "simulated_neuromuscular",
        folder: str | Path | None = None,
        *,
        n_per_group: int = 10,
        n_contractions: int = 4,
        hold_s: float = 8.2,
        force: Sequence[float] = (0.08, 0.25),
        fs_hz: float = 2000.0,
        seed: int = 2025,
    ) -> None:
        if len(force) != 2 or not 0.01 <= force[0] <= force[1] <= 0.5:
            raise ValueError(f"force is {list(force)}: expected low, high within 0.01 to 0.5")
        self.database = database
        self.n_per_group = whole_number("n_per_group", n_per_group, 1, 99)
        self.n_contractions = whole_number("n_contractions", n_contractions, 1, 99)
        self.seed = whole_number("seed", seed, 0, MAX_SEED)
        self.hold_s = number("hold_s", hold_s, 0.5, 600.0)
        self.fs_hz = number("fs_hz", fs_hz, LOWEST_FS_HZ, HIGHEST_FS_HZ)
        self.force = (float(force[0]), float(force[1]))
        self.extent = f"there are {n_per_group} people a group with {n_contractions} contraction(s)"

    def _recordings(self) -> Iterator[tuple[str, str]]:
        for condition in CONDITIONS:
            for person in range(1, self.n_per_group + 1):
                for contraction in range(1, self.n_contractions + 1):
                    yield f"{condition}{person:02d}", f"contraction{contraction:02d}"

    def _simulate(self, ref: RecordingRef) -> Recording:
        patient, shapes = _patient(self.seed, ref.subject, self.fs_hz)
        rng = generator(self.seed, "simulated_neuromuscular", ref.subject, ref.exercise)
        effort = Contraction(
            force=min(float(rng.uniform(*self.force)) * patient.effort, 0.9),
            duration_s=self.hold_s + 2 * RAMP_S,
            ramp_s=RAMP_S,
        )
        ramp, hold = round(RAMP_S * self.fs_hz), round(self.hold_s * self.fs_hz)
        signal = np.zeros((1, hold + 2 * ramp + 1))
        contract(patient.muscle.pool, shapes, effort, signal, rng)
        return Recording(
            database=self.database,
            subject=ref.subject,
            exercise=ref.exercise,
            signal=signal[:, ramp : ramp + hold],
            fs_hz=self.fs_hz,
            channels=("muscle",),
            trial_label=LABELS[patient.condition],
            trial_repetition=int(ref.exercise[-2:]),
        )


@lru_cache(maxsize=2)  # the contractions of one person are read one after the other
def _patient(seed: int, subject: str, fs_hz: float) -> tuple[PatientMuscle, Potentials]:
    patient = draw_patient_muscle(seed, subject, subject[:-2])
    return patient, patient.potentials(fs_hz)
