"""The built-in data set: simulated surface EMG, laid out as a gesture data base, with nothing to download."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cleansemg.core.artifact import canonical_json
from cleansemg.core.errors import ItemError
from cleansemg.core.seeding import generator
from cleansemg.data_pipeline.recording import Recording, RecordingReader, RecordingRef
from cleansemg.data_pipeline.simulation.contraction import Contraction
from cleansemg.data_pipeline.simulation.population import draw_limb, trial_force
from cleansemg.data_pipeline.simulation.synthesis import contract

MODEL_VERSION = 1  # rises when the same parameters give another signal
LONGEST_RAMP_S = 0.5
LOWEST_FS_HZ = 1000.0  # below, the band of surface EMG (to 450 Hz) would not fit


class SimulatedReader(RecordingReader):
    """Simulates what it reads: subjects, channels, gestures and repetitions drawn by seed.

    One recording a subject and exercise: rest, then every gesture with all its repetitions, each followed
    by rest. `label` counts gestures from 1 through all exercises and is 0 at rest, where the signal is
    exactly 0. The model is described in docs/simulation.md.

    Args:
        database: the name the recordings carry.
        folder: not used; there is nothing to read.
        n_subjects, n_channels, n_gestures, n_repetitions, n_exercises: how much; gestures per exercise.
        contraction_s, rest_s: durations; ramps up and down are within the contraction, at most 0.5 s each.
        fs_hz: sampling rate, at least 1000 Hz.
        seed: all draws.

    Raises:
        ValueError: a parameter out of range.
    """

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
        counts = {
            "n_subjects": (n_subjects, 1, 999),
            "n_channels": (n_channels, 1, 24),
            "n_gestures": (n_gestures, 1, 100),
            "n_repetitions": (n_repetitions, 1, 1000),
            "n_exercises": (n_exercises, 1, 9),
            "seed": (seed, 0, 2**63 - 1),
        }
        for name, (value, low, high) in counts.items():
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise ValueError(f"{name} is {value!r}: expected a whole number from {low} to {high}")
        ranges = {
            "contraction_s": (contraction_s, 0.5, 600.0),
            "rest_s": (rest_s, 0.0, 600.0),
            "fs_hz": (fs_hz, LOWEST_FS_HZ, 20_000.0),
        }
        for name, (number, lowest, highest) in ranges.items():
            if isinstance(number, bool) or not isinstance(number, int | float) or not lowest <= number <= highest:
                raise ValueError(f"{name} is {number!r}: expected a number from {lowest:g} to {highest:g}")
        self.database = database
        self.n_subjects = n_subjects
        self.n_channels = n_channels
        self.n_gestures = n_gestures
        self.n_repetitions = n_repetitions
        self.n_exercises = n_exercises
        self.contraction_s = float(contraction_s)
        self.rest_s = float(rest_s)
        self.fs_hz = float(fs_hz)
        self.seed = seed

    def list(self) -> Sequence[RecordingRef]:
        """One reference a subject and exercise; nothing is simulated yet."""
        return [
            RecordingRef(
                self.database, subject, exercise, f"{subject}/{exercise}", self._fingerprint(subject, exercise)
            )
            for subject in (f"S{number:03d}" for number in range(1, self.n_subjects + 1))
            for exercise in (f"E{number}" for number in range(1, self.n_exercises + 1))
        ]

    def read(self, ref: RecordingRef) -> Recording:
        """Simulate one recording; the same reference always gives the same signal."""
        known = {(own.subject, own.exercise): index for index, own in enumerate(self.list())}
        if (ref.subject, ref.exercise) not in known:
            raise ItemError(
                f"{ref.database}/{ref.key}: not simulated; there are {self.n_subjects} subjects "
                f"with {self.n_exercises} exercise(s)"
            )
        exercise = known[ref.subject, ref.exercise] % self.n_exercises
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

    def _fingerprint(self, subject: str, exercise: str) -> str:
        """Hash of what decides the signal; how many other subjects there are does not."""
        identity = {
            "model": MODEL_VERSION,
            "subject": subject,
            "exercise": exercise,
            "n_channels": self.n_channels,
            "n_gestures": self.n_gestures,
            "n_repetitions": self.n_repetitions,
            "contraction_s": self.contraction_s,
            "rest_s": self.rest_s,
            "fs_hz": self.fs_hz,
            "seed": self.seed,
        }
        return hashlib.sha256(canonical_json(identity).encode()).hexdigest()[:32]
