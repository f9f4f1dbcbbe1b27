from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleansemg.core import registry
from cleansemg.core.errors import ItemError, UserError
from cleansemg.data_pipeline.readers.gait_states import NONE, STAND, START, STOP, WALK, StateRule, gait_states
from cleansemg.data_pipeline.readers.long_walking import NO_MUSCLE, LongWalkingReader
from tests.layouts.long_walking import CYCLE_S, NAMES, Walk, write_walker


def read(folder: Path, subject: str = "P1", **parameters):
    reader = LongWalkingReader("walking", folder, **parameters)
    return reader.read(next(ref for ref in reader.list() if ref.subject == subject))


def runs(label: np.ndarray, fs_hz: float) -> list[tuple[int, float]]:
    """(label, seconds) of each stretch."""
    edges = [0, *(np.flatnonzero(np.diff(label)) + 1), len(label)]
    return [(int(label[a]), (b - a) / fs_hz) for a, b in itertools.pairwise(edges)]


class TestStates:
    def test_a_walk_between_two_stands(self, tmp_path: Path) -> None:
        moving = write_walker(tmp_path, "P1", Walk((5.0, 6.0), (12,)))
        recording = read(tmp_path)
        assert (recording.signal.shape, recording.fs_hz) == ((10, len(moving)), 2000.0)
        found = runs(recording.label, 2000.0)
        assert [state for state, _ in found] == [STAND, NONE, START, WALK, STOP, NONE, STAND]
        seconds = [length for _, length in found]
        # Two cycles, and what lies between the first change and the first rise, are the start; as much is the stop.
        assert 2 * CYCLE_S - 0.1 <= seconds[2] <= 3 * CYCLE_S + 0.1
        assert 2 * CYCLE_S - 0.1 <= seconds[4] <= 3 * CYCLE_S + 0.1
        assert sum(seconds[2:5]) == pytest.approx(12 * CYCLE_S, abs=0.1)
        assert not (moving & (recording.label == STAND)).any()
        assert set(recording.repetition.tolist()) == {0, 1, 2}

    def test_somebody_who_only_stands(self, tmp_path: Path) -> None:
        write_walker(tmp_path, "P1", Walk((4.0,), ()))
        assert set(read(tmp_path).label.tolist()) == {STAND}

    def test_a_walk_that_the_recording_cuts_has_no_start_and_no_stop(self, tmp_path: Path) -> None:
        write_walker(tmp_path, "P1", Walk((0.0, 0.0), (12,)))
        assert set(read(tmp_path).label.tolist()) <= {NONE, WALK}

    def test_a_step_aside_is_neither_walking_nor_standing(self, tmp_path: Path) -> None:
        write_walker(tmp_path, "P1", Walk((4.0, 4.0), (2,)))
        recording = read(tmp_path)
        assert [state for state, _ in runs(recording.label, 2000.0)] == [STAND, NONE, STAND]

    def test_two_walks(self, tmp_path: Path) -> None:
        write_walker(tmp_path, "P1", Walk((3.0, 4.0, 3.0), (8, 9)))
        recording = read(tmp_path)
        order = [state for state, _ in runs(recording.label, 2000.0) if state != NONE]
        assert order == [STAND, START, WALK, STOP, STAND, START, WALK, STOP, STAND]
        assert recording.repetition[recording.label == WALK].max() == 2

    def test_more_cycles_make_longer_transitions(self, tmp_path: Path) -> None:
        write_walker(tmp_path, "P1")
        one, three = (read(tmp_path, rule={"transition_cycles": n}).label for n in (1, 3))
        assert (three == START).sum() - (one == START).sum() == pytest.approx(2 * CYCLE_S * 2000, abs=100)

    @settings(max_examples=15, deadline=None)
    @given(scale=st.floats(0.1, 50), offset=st.floats(-20, 20))
    def test_the_voltages_of_the_contacts_do_not_matter(self, scale: float, offset: float) -> None:
        phase = np.arange(6000) / 1100 % 1
        moving = (np.arange(9000) >= 1500) & (np.arange(9000) < 7500)
        foot = np.ones(9000)
        foot[1500:7500] = 1 + np.floor(4 * phase)
        other = np.ones(9000)
        other[1500:7500] = 1 + np.floor(4 * ((phase + 0.5) % 1))
        switches = np.stack([foot, other])
        expected = gait_states(switches, 1000.0, StateRule())
        assert {STAND, START, STOP} <= set(expected.tolist())
        assert not (moving & (expected == STAND)).any()
        np.testing.assert_array_equal(gait_states(scale * switches + offset, 1000.0, StateRule()), expected)
        upside_down = gait_states(offset - scale * switches, 1000.0, StateRule())
        np.testing.assert_array_equal(upside_down == STAND, expected == STAND)

    def test_noise_below_the_smallest_change_is_standing(self) -> None:
        noise = 0.01 * np.random.default_rng(1).standard_normal((2, 5000))
        assert set(gait_states(noise, 1000.0, StateRule()).tolist()) == {STAND}


class TestReader:
    def test_muscles_are_in_volts_and_in_their_places(self, tmp_path: Path) -> None:
        write_walker(tmp_path, "P1", fs_hz=1500.0)
        recording = read(tmp_path)
        assert recording.channels == tuple(NAMES[i] for i in (2, 3, 4, 5, 6, 9, 10, 11, 12, 13))
        assert recording.fs_hz == 1500.0
        # In standing the layout writes 3 uV.
        assert recording.signal[:, :5000].std() == pytest.approx(3e-6, rel=0.05)

    def test_a_header_that_states_millivolts_for_everything(self, tmp_path: Path) -> None:
        """As the published S1.hea does, also for switches and joints: the EMG's numbers are microvolts."""
        write_walker(tmp_path / "true", "P1")
        write_walker(tmp_path / "published", "P1", stated="mV")
        true = read(tmp_path / "true")
        parameters = registry.find("datasets", "long_walking").parameters
        published = read(tmp_path / "published", **parameters)
        np.testing.assert_allclose(published.signal, true.signal, rtol=1e-12)
        np.testing.assert_array_equal(published.label, true.label)
        assert read(tmp_path / "published").signal.std() == pytest.approx(1e3 * true.signal.std())  # the header's word
        assert NO_MUSCLE.search("RT HIP")  # S1 has no goniometer on the left leg, and two on the right
        assert NO_MUSCLE.search("RT KNEE")

    def test_a_missing_signal(self, tmp_path: Path) -> None:
        write_walker(tmp_path, "P1", drop=["knee LT"])
        with pytest.raises(ItemError, match=r"walking: P1.hea: has 13 signals .*expected 14, .*name them"):
            read(tmp_path)
        names = {
            "footswitches": ["foot-switch LT", "foot-switch RT"],
            "muscles": [name for name in NAMES if name.startswith("semg")],
            "n_signals": None,
        }
        assert read(tmp_path, **names).channels == tuple(names["muscles"])
        write_walker(tmp_path, "P1", drop=["semg RT HAM"])
        with pytest.raises(ItemError, match="has no signal 'semg RT HAM'"):
            read(tmp_path, **names)

    def test_a_goniometer_is_no_muscle(self, tmp_path: Path) -> None:
        write_walker(tmp_path, "P1")
        with pytest.raises(ItemError, match="signal 'knee LT' is in 'deg', which is no voltage"):
            read(tmp_path, muscles=[1, 2])
        with pytest.raises(ItemError, match="signal 'foot-switch RT' is no muscle"):
            read(tmp_path, footswitches=[0], muscles=[7, 2])

    def test_a_tail_without_values_is_cut_and_a_gap_is_an_error(self, tmp_path: Path) -> None:
        write_walker(tmp_path, "P1", gaps=[("semg LT HAM", 40000, -1)])
        assert read(tmp_path).signal.shape[1] == 40000
        write_walker(tmp_path, "P1", gaps=[("semg LT HAM", 1000, 1004)])
        with pytest.raises(ItemError, match=r"P1.hea: signal 'semg LT HAM' has 4 gaps, the first at 0.50 s"):
            read(tmp_path)
        write_walker(tmp_path, "P1", gaps=[("foot-switch LT", 0, -1)])
        with pytest.raises(ItemError, match=r"holds no sample|signal 'foot-switch LT' holds no value"):
            read(tmp_path)

    def test_a_truncated_file(self, tmp_path: Path) -> None:
        write_walker(tmp_path, "P1")
        (tmp_path / "P1.dat").write_bytes((tmp_path / "P1.dat").read_bytes()[:1000])
        with pytest.raises(ItemError, match=r"walking: P1.hea: truncated or damaged"):
            read(tmp_path)

    def test_parameters(self, tmp_path: Path) -> None:
        entry = registry.find("datasets", "long_walking")
        for parameters, message in (
            ({"rule": {"pause": 1}}, "rule: .*'pause'.*longest_pause_s"),
            ({"rule": {"transition_cycles": 0}}, "transition_cycles is 0"),
            ({"muscles": [0, 2]}, "share a signal"),
            ({"muscles": []}, "at least one"),
        ):
            with pytest.raises(UserError, match=message):
                entry.build(database="long_walking", folder=tmp_path, **parameters)
        with pytest.raises(UserError, match=r"get it from https://physionet.org/content/semg"):
            LongWalkingReader("long_walking", tmp_path).list()
