"""Simulated surface EMG of healthy, myopathic and neurogenic muscle: one channel, held contractions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from cleansemg.core.artifact import canonical_json
from cleansemg.core.errors import ItemError
from cleansemg.core.seeding import generator
from cleansemg.data_pipeline.recording import Recording, RecordingReader, RecordingRef
from cleansemg.data_pipeline.simulation.contraction import Contraction
from cleansemg.data_pipeline.simulation.neuromuscular import CONDITIONS, PatientMuscle, draw_patient_muscle
from cleansemg.data_pipeline.simulation.potentials import Potentials
from cleansemg.data_pipeline.simulation.synthesis import contract

MODEL_VERSION = 1  # rises when the same parameters give another signal
RAMP_S = 0.5
LABELS = {name: number for number, name in enumerate(CONDITIONS, 1)}


class SimulatedNeuromuscularReader(RecordingReader):
    """Simulates people of three groups, each with several contractions at a constant force.

    A recording is one trial, cut to where the force is held; its label is 1 control, 2 myopathy,
    3 neuropathy, as in emgdb. The model is described in docs/downstream/neuromuscular.md.

    Args:
        database: the name the recordings carry.
        folder: not used; there is nothing to read.
        n_per_group: people in each of the three groups.
        n_contractions: recordings a person.
        hold_s: duration of a recording.
        force: lowest and highest force, fractions of a healthy maximum; a contraction's is drawn between.
        fs_hz: sampling rate, at least 1000 Hz.
        seed: all draws.

    Raises:
        ValueError: a parameter out of range.
    """

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
        counts = {"n_per_group": (n_per_group, 1, 99), "n_contractions": (n_contractions, 1, 99)}
        for name, (value, low, high) in {**counts, "seed": (seed, 0, 2**63 - 1)}.items():
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise ValueError(f"{name} is {value!r}: expected a whole number from {low} to {high}")
        for name, (number, lowest, highest) in {
            "hold_s": (hold_s, 0.5, 600.0),
            "fs_hz": (fs_hz, 1000.0, 20_000.0),
        }.items():
            if isinstance(number, bool) or not isinstance(number, int | float) or not lowest <= number <= highest:
                raise ValueError(f"{name} is {number!r}: expected a number from {lowest:g} to {highest:g}")
        if len(force) != 2 or not 0.01 <= force[0] <= force[1] <= 0.5:
            raise ValueError(f"force is {list(force)}: expected low, high within 0.01 to 0.5")
        self.database = database
        self.n_per_group = n_per_group
        self.n_contractions = n_contractions
        self.hold_s = float(hold_s)
        self.force = (float(force[0]), float(force[1]))
        self.fs_hz = float(fs_hz)
        self.seed = seed

    def list(self) -> Sequence[RecordingRef]:
        """One reference a person and contraction; nothing is simulated yet."""
        people = [f"{condition}{n:02d}" for condition in CONDITIONS for n in range(1, self.n_per_group + 1)]
        return [
            RecordingRef(self.database, person, exercise, f"{person}/{exercise}", self._fingerprint(person, exercise))
            for person in people
            for exercise in (f"contraction{n:02d}" for n in range(1, self.n_contractions + 1))
        ]

    def read(self, ref: RecordingRef) -> Recording:
        """Simulate one recording; the same reference always gives the same signal."""
        if (ref.subject, ref.exercise) not in {(own.subject, own.exercise) for own in self.list()}:
            raise ItemError(
                f"{ref.database}/{ref.key}: not simulated; there are {self.n_per_group} people a group "
                f"with {self.n_contractions} contraction(s)"
            )
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

    def _fingerprint(self, subject: str, exercise: str) -> str:
        """Hash of what decides the signal; how many other people and contractions there are does not."""
        identity = {
            "model": MODEL_VERSION,
            "subject": subject,
            "exercise": exercise,
            "hold_s": self.hold_s,
            "force": list(self.force),
            "fs_hz": self.fs_hz,
            "seed": self.seed,
        }
        return hashlib.sha256(canonical_json(identity).encode()).hexdigest()[:32]


@lru_cache(maxsize=2)  # the contractions of a person follow one another
def _patient(seed: int, subject: str, fs_hz: float) -> tuple[PatientMuscle, Potentials]:
    patient = draw_patient_muscle(seed, subject, subject[:-2])
    return patient, patient.potentials(fs_hz)
