"""Recordings made on the spot, for the tests of the data stages."""

from __future__ import annotations

import numpy as np

from cleansemg.core import dsp
from cleansemg.core.errors import ItemError
from cleansemg.core.seeding import generator
from cleansemg.data_pipeline.recording import Recording, RecordingReader, RecordingRef
from cleansemg.data_pipeline.settings import Dataset, Split
from cleansemg.settings import Settings

FS_HZ = 2000.0
TRIAL_S, REST_S = 5.0, 2.0


class InMemory(RecordingReader):
    """Band-limited noise in trials of 5 s, much weaker at rest; every exercise has one gesture, three repetitions."""

    name = "memory"

    def __init__(self, database="memory", n_subjects=4, exercises=("E1",), n_trials=3, n_channels=2, salt=0):
        self.database = database
        self.subjects = [f"S{number}" for number in range(1, n_subjects + 1)]
        self.exercises, self.n_trials, self.n_channels, self.salt = tuple(exercises), n_trials, n_channels, salt

    def list(self):
        pairs = sorted((subject, exercise) for subject in self.subjects for exercise in self.exercises)
        return [RecordingRef(self.database, s, e, f"{s}/{e}.mat", f"{s}{e}{self.salt}") for s, e in pairs]

    def read(self, ref):
        rng = generator(self.salt, self.database, ref.subject, ref.exercise)
        n_trials = self.n_trials + int(ref.subject[1:]) % 3  # subjects differ in size
        rest, trial = round(REST_S * FS_HZ), round(TRIAL_S * FS_HZ)
        label = np.concatenate([np.r_[np.zeros(rest), np.ones(trial)]] * n_trials + [np.zeros(rest)]).astype(np.int64)
        repetition = np.where(label > 0, np.cumsum(np.diff(label, prepend=0) > 0), 0)
        noise = dsp.band_pass(rng.standard_normal((self.n_channels, label.size)), 40, 400, FS_HZ)
        signal = noise * np.where(label > 0, 5e-5, 1e-6)
        names = tuple(f"ch{channel}" for channel in range(self.n_channels))
        return self.spoil(Recording(self.database, ref.subject, ref.exercise, signal, FS_HZ, names, label, repetition))

    def spoil(self, recording: Recording) -> Recording:
        return recording


class DB2(InMemory):
    name = "DB2"


class DB3(InMemory):
    name = "DB3"


class Spoilt(InMemory):
    """One of each thing that can be wrong, in subject S1."""

    name = "spoilt"

    def read(self, ref):
        if ref.subject == "S2":
            raise ItemError("truncated after 12 bytes")
        return super().read(ref)

    def spoil(self, recording):
        if recording.subject != "S1":
            return recording
        signal, label = recording.signal.copy(), recording.label.copy()
        starts = np.flatnonzero(np.diff(label, prepend=0) > 0)
        signal[0, starts[0] + 100] = np.nan  # in trial 0 of channel 0
        signal[1, starts[1] : starts[1] + round(TRIAL_S * FS_HZ)] = 3e-6  # trial 1 of channel 1 is constant
        label[starts[2] + 100 : starts[2] + round(TRIAL_S * FS_HZ)] = 0  # trial 2 is short
        signal[0, 5] = np.inf  # at rest
        return Recording(
            recording.database, recording.subject, recording.exercise, signal, FS_HZ, recording.channels, label,
            recording.repetition,
        )  # fmt: skip


def named_settings(split: Split | None = None, **datasets) -> Settings:
    """Data sets by names of one's own: `mine={"part": "out_of_domain"}`, read by `InMemory`, and so are the others."""
    reader = f"{InMemory.__module__}:{InMemory.__name__}"
    return Settings(
        datasets={name: Dataset(**{"class": reader, **values}) for name, values in datasets.items()},
        split=split or Split(rule="stratified"),
    )


def settings_for(*classes: type[InMemory], split: Split | None = None, **parameters) -> Settings:
    datasets = {f"{cls.__module__}:{cls.__name__}": Dataset(parameters=parameters) for cls in classes}
    return Settings(datasets=datasets, split=split or Split(rule="stratified"))


def files(folder) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
