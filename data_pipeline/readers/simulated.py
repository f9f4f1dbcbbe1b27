"""The built-in data set: simulated surface EMG in the layout of a gesture database; it needs no download."""

from __future__ import annotations

from collections.abc import Iterator
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
from cleansemg.data_pipeline.simulation.population import draw_limb, trial_force
from cleansemg.data_pipeline.simulation.synthesis import contract

LONGEST_RAMP_S = 0.5


class SimulatedReader(SimulationReader):
    """Simulates its recordings: subjects, channels, gestures and repetitions are drawn from the seed.

    There is one recording per subject and exercise: rest, then every gesture with all its repetitions, each followed
    by rest. `label` numbers the gestures from 1 through all exercises and is 0 at rest, where the signal is
    exactly 0. docs/simulation.md describes the model.

    Args:
        database: name of the database in the recordings.
        folder: not used.
        n_subjects, n_channels, n_gestures, n_repetitions, n_exercises: how many; `n_gestures` is per exercise.
        contraction_s, rest_s: durations in seconds; a contraction includes its two ramps of at most 0.5 s each.
        fs_hz: sampling rate in hertz, 1000 to 20,000.
        seed: decides all draws.

    Raises:
        ValueError: a parameter is out of range.
    """

    decisive = (
        "n_channels", "n_gestures", "n_repetitions", "contraction_s", "rest_s", "fs_hz", "seed",
    )  # fmt: skip

    def __init__(
        self,
        database: str = "simulated",
        folder: str | Path | None = None,
        *,
        n_subjects: int = 10,
        n_channels: int = 4,
        n_gestures: int = 5,
        n_repetitions: int = 4,
        n_exercises: int = 1,
        contraction_s: float = 5.0,
        rest_s: float = 3.0,
        fs_hz: float = 2000.0,
        seed: int = 2025,
    ) -> None:
        self.database = database
        self.n_subjects = whole_number("n_subjects", n_subjects, 1, 999)
        self.n_channels = whole_number("n_channels", n_channels, 1, 24)
        self.n_gestures = whole_number("n_gestures", n_gestures, 1, 100)
        self.n_repetitions = whole_number("n_repetitions", n_repetitions, 1, 1000)
        self.n_exercises = whole_number("n_exercises", n_exercises, 1, 9)
        self.seed = whole_number("seed", seed, 0, MAX_SEED)
        self.contraction_s = number("contraction_s", contraction_s, 0.5, 600.0)
        self.rest_s = number("rest_s", rest_s, 0.0, 600.0)
        self.fs_hz = number("fs_hz", fs_hz, LOWEST_FS_HZ, HIGHEST_FS_HZ)
        self.extent = f"there are {n_subjects} subjects with {n_exercises} exercise(s)"

    def _recordings(self) -> Iterator[tuple[str, str]]:
        for subject in range(1, self.n_subjects + 1):
            for exercise in range(1, self.n_exercises + 1):
                yield f"S{subject:03d}", f"E{exercise}"

    def _simulate(self, ref: RecordingRef) -> Recording:
        exercise = int(ref.exercise[1:]) - 1
        contraction = round(self.contraction_s * self.fs_hz)
        rest = round(self.rest_s * self.fs_hz)
        n_samples = rest + self.n_gestures * self.n_repetitions * (contraction + rest)
        signal = np.zeros((self.n_channels, n_samples))
        label, repetition = np.zeros(n_samples, np.int64), np.zeros(n_samples, np.int64)

        limb = draw_limb(self.seed, ref.subject, self.n_channels)
        shapes = limb.potentials(self.fs_hz)
        start = rest
        for gesture in range(exercise * self.n_gestures + 1, (exercise + 1) * self.n_gestures + 1):
            for again in range(1, self.n_repetitions + 1):
                trial = slice(start, start + contraction)
                force = trial_force(self.seed, ref.subject, gesture, again, self.n_channels)
                for index, muscle in enumerate(limb.muscles):
                    rng = generator(self.seed, "simulated", ref.subject, "trial", gesture, again, index)
                    effort = Contraction(
                        force=float(force[index]),
                        duration_s=contraction / self.fs_hz,
                        ramp_s=min(LONGEST_RAMP_S, self.contraction_s / 5),
                    )
                    contract(muscle.pool, shapes[index], effort, signal[:, trial], rng)
                label[trial], repetition[trial] = gesture, again
                start += contraction + rest
        return Recording(
            database=self.database,
            subject=ref.subject,
            exercise=ref.exercise,
            signal=signal,
            fs_hz=self.fs_hz,
            channels=tuple(f"muscle{number}" for number in range(1, self.n_channels + 1)),
            label=label,
            repetition=repetition,
        )
