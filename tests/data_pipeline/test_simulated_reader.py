from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.signal import welch

from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.registry import find
from cleansemg.data_pipeline.readers.simulated import SimulatedReader
from cleansemg.data_pipeline.recording import Recording

SMALL = {"n_subjects": 2, "n_channels": 2, "n_gestures": 2, "n_repetitions": 2, "contraction_s": 2.0, "rest_s": 1.0}


def small(**changes: object) -> SimulatedReader:
    return SimulatedReader(**{**SMALL, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def recording() -> Recording:
    reader = small()
    return reader.read(reader.list()[0])


def test_layout(recording: Recording) -> None:
    assert recording.signal.shape == (2, 2000 * (1 + 4 * 3))
    assert recording.signal.dtype == np.float64
    assert recording.channels == ("muscle1", "muscle2")
    assert recording.has_rest
    assert recording.label is not None
    assert recording.repetition is not None
    starts = np.flatnonzero(np.diff(recording.label, prepend=0) > 0)
    assert (starts / 2000).tolist() == [1.0, 4.0, 7.0, 10.0]
    assert recording.label[starts].tolist() == [1, 1, 2, 2]
    assert recording.repetition[starts].tolist() == [1, 2, 1, 2]
    assert (recording.label > 0).sum() == 4 * 4000
    assert ((recording.label > 0) == (recording.repetition > 0)).all()


def test_rest_is_exactly_silent_and_contractions_are_not(recording: Recording) -> None:
    assert recording.label is not None
    assert (recording.signal[:, recording.label == 0] == 0).all()
    active = recording.signal[:, recording.label > 0]
    assert (np.sqrt((active**2).mean(axis=1)) > 5e-6).all()


def test_a_reference_always_gives_the_same_signal(recording: Recording) -> None:
    reader = pickle.loads(pickle.dumps(small(n_subjects=1)))
    again = reader.read(reader.list()[0])
    assert again.signal.tobytes() == recording.signal.tobytes()


def test_fewer_gestures_and_repetitions_are_a_part_of_more(recording: Recording) -> None:
    reader = small(n_gestures=1, n_repetitions=1)
    part = reader.read(reader.list()[0])
    assert np.array_equal(part.signal, recording.signal[:, : part.signal.shape[1]])


@pytest.mark.parametrize("change", [{"seed": 1}, {"fs_hz": 1000.0}, {"rest_s": 2.0}, {"n_channels": 3}])
def test_fingerprint_follows_the_parameters(change: dict[str, object]) -> None:
    assert small(**change).list()[0].fingerprint != small().list()[0].fingerprint


def test_references_are_unique_sorted_and_stable() -> None:
    refs = small(n_subjects=12, n_exercises=2).list()
    keys = [(ref.subject, ref.exercise) for ref in refs]
    assert len(set(keys)) == 24
    assert keys == sorted(keys)
    assert len({ref.fingerprint for ref in refs}) == 24
    assert small(n_subjects=12).list()[0] == small(n_subjects=2).list()[0]


def test_seed_and_subject_change_the_signal(recording: Recording) -> None:
    reader = small()
    other = reader.read(reader.list()[1])
    assert not np.array_equal(other.signal, recording.signal)
    seeded = small(seed=1)
    assert not np.array_equal(seeded.read(seeded.list()[0]).signal, recording.signal)


def test_exercises_hold_different_gestures() -> None:
    reader = small(n_exercises=2, n_subjects=1)
    labels = [set(np.unique(reader.read(ref).label)) for ref in reader.list()]
    assert labels == [{0, 1, 2}, {0, 3, 4}]


def test_unknown_reference_is_an_item_error() -> None:
    reader = small()
    with pytest.raises(ItemError, match="2 subjects"):
        reader.read(replace(reader.list()[0], subject="S077"))


@pytest.mark.parametrize(
    "change",
    [
        {"n_subjects": 0},
        {"n_channels": 2.0},
        {"n_gestures": True},
        {"n_repetitions": "4"},
        {"contraction_s": 0.1},
        {"rest_s": -1.0},
        {"fs_hz": 500.0},
        {"fs_hz": float("nan")},
        {"seed": -1},
    ],
)
def test_parameters_are_checked(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        small(**change)


def test_registered() -> None:
    entry = find("datasets", "simulated")
    reader = entry.build(database="simulated", folder=None)
    assert isinstance(reader, SimulatedReader)
    assert len(reader.list()) == 10
    with pytest.raises(UserError, match="n_subject"):
        entry.build(database="simulated", folder=None, n_subject=3)


@pytest.mark.parametrize("fs_hz", [1000.0, 2000.0])
def test_trials_pass_the_quality_control_of_the_benchmark(fs_hz: float) -> None:
    """SMR over 12 dB, SHR over 15 dB, OHM under 1.4, on every trial and channel (protocol A2)."""
    reader = SimulatedReader(n_subjects=3, n_repetitions=1, fs_hz=fs_hz)
    for ref in reader.list():
        recording = reader.read(ref)
        assert recording.label is not None
        for gesture in range(1, 6):
            f, power = welch(recording.signal[:, recording.label == gesture], fs_hz, "hann", 1024)
            m0, m1, m2 = (trapezoid(f**order * power, f) for order in range(3))
            low, high = f <= 20, f >= 0.8 * fs_hz / 2
            assert (10 * np.log10(m0 / trapezoid(power[:, low], f[low])) > 12).all()
            assert (10 * np.log10(m0 / trapezoid(power[:, high], f[high])) > 15).all()
            assert (np.sqrt(m2 / m0) / (m1 / m0) < 1.4).all()
            rms = np.sqrt((recording.signal[:, recording.label == gesture] ** 2).mean(axis=1))
            assert (rms > 5e-6).all()
            assert (rms < 5e-4).all()
