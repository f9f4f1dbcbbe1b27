"""Baseline noise: the model has the spectrum that it draws, recorded rest is what the labels say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import welch

from cleansemg.core.errors import ItemError, UserError
from cleansemg.data_pipeline.recording import Recording, RecordingReader, RecordingRef
from cleansemg.noise.base import Request
from cleansemg.noise.baseline import AMPLIFIER_RMS_V, Baseline
from cleansemg.noise.baseline_rest import RestRecordings, joined

FS_HZ = 1000.0
REQUEST = Request("train", 4, FS_HZ, 60.0, 2025, None)
READER = f"{__name__}:People"


def slope(x, low_hz, high_hz, fs_hz=FS_HZ):
    f_hz, power = welch(x, fs_hz, nperseg=2048)
    inside = (f_hz >= low_hz) & (f_hz <= high_hz)
    return np.polyfit(np.log(f_hz[inside]), np.log(power[inside]), 1)[0]


@pytest.mark.parametrize("wanted", [-0.34, -0.9, -2.2])
def test_the_model_has_the_measured_slope_and_level(wanted):
    for piece in Baseline(slope=(wanted, wanted)).pieces(REQUEST):
        assert slope(piece.samples, 50, 250) == pytest.approx(wanted, abs=0.12)
        assert np.sqrt(np.mean(piece.samples**2)) == pytest.approx(AMPLIFIER_RMS_V)
        assert abs(piece.samples.mean()) < 1e-3 * AMPLIFIER_RMS_V


def test_the_model_is_band_limited():
    source = Baseline(slope=(-0.34, -0.34), high_pass_hz=(20, 20), low_pass_hz=(400, 400))
    (piece,) = source.pieces(replace(REQUEST, n_pieces=1, fs_hz=4000.0))
    f_hz, power = welch(piece.samples, 4000.0, nperseg=8192)
    flat = power * f_hz.clip(1) ** 0.34
    level = np.median(flat[(f_hz > 60) & (f_hz < 200)])
    at = {hz: 10 * np.log10(np.median(flat[np.abs(f_hz - hz) < 0.05 * hz]) / level) for hz in (20, 400, 800, 1600)}
    assert at[20] == pytest.approx(-3, abs=1.5)
    assert at[400] == pytest.approx(-3, abs=1)
    assert at[800] == pytest.approx(-12.3, abs=1)
    assert at[1600] == pytest.approx(-24.1, abs=1)


def test_draws_of_the_model_are_named():
    first, again = (list(Baseline().pieces(REQUEST)) for _ in range(2))
    assert all((a.samples == b.samples).all() for a, b in zip(first, again, strict=True))
    other = next(Baseline().pieces(replace(REQUEST, part="test")))
    assert not np.allclose(other.samples, first[0].samples)
    assert len({piece.subtype for piece in first}) == 4


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"slope": (0, -1)}, "slope is"),
        ({"high_pass_hz": (0, 20)}, "must lie between 0"),
        ({"high_pass_hz": (5, 450)}, "must lie between 0"),
        ({"rms_v": 0.0}, "rms_v is 0"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(ValueError, match=message):
        Baseline(**parameters)


class People(RecordingReader):
    """Five people: white noise of 1 microvolt at rest, of 1 millivolt in contractions; one file is broken."""

    def __init__(self, database="people", folder=None, n=5, rest_s=15.0):
        self.database, self.n, self.rest_s = database, n, rest_s

    def list(self):
        return [RecordingRef(self.database, f"P{i}", "E1", f"p{i}", f"hash{i}") for i in range(self.n)]

    def read(self, ref):
        if ref.subject == "P1":
            raise ItemError("p1: truncated")
        fs_hz = 2000.0
        rng = np.random.default_rng(int(ref.subject[1:]))
        label = np.concatenate([np.repeat([0, k], [int(self.rest_s * fs_hz), int(2 * fs_hz)]) for k in (1, 2)])
        signal = rng.standard_normal((2, len(label))) * np.where(label == 0, 1e-6, 1e-3)
        return Recording(self.database, ref.subject, ref.exercise, signal, fs_hz, ("a", "b"), label.astype(np.int64))


def rest_pieces(source, part, n=20):
    pieces, errors = [], []
    iterator = iter(source.pieces(Request(part, n, FS_HZ, 200.0, 2025, None)))
    while True:
        try:
            pieces.append(next(iterator))
        except StopIteration:
            return pieces, errors
        except ItemError as error:
            errors.append(str(error))


def test_rest_is_what_labels_say_and_people_stay_apart():
    people, n_errors = {}, 0
    for part in ("train", "valid", "test"):
        pieces, errors = rest_pieces(RestRecordings(READER), part)
        n_errors += len(errors)
        people[part] = {piece.record for piece in pieces}
        for piece in pieces:
            assert piece.samples.shape == (20_000,)
            assert np.abs(piece.samples).max() < 6e-6  # nothing of a contraction, no step where rests meet
    assert n_errors == 1
    assert sum(map(len, people.values())) == len(set().union(*people.values())) == 4


class Antagonists(People):
    """One channel contracts; of the two idle ones, of 10 s each, one is at rest and one works with it."""

    def read(self, ref):
        rng = np.random.default_rng(int(ref.subject[1:]))
        signal = rng.standard_normal((3, 20_001)) * np.array([[1e-3], [3e-6], [5e-5]]) + 1e-4
        channels = ("works", "rests", "helps")
        return Recording(self.database, ref.subject, ref.exercise, signal, 2000.0, channels,
                         idle_channels=frozenset(channels[1:]))  # fmt: skip


def test_an_idle_channel_rests_from_end_to_end_unless_it_is_loud():
    def of(**parameters):
        source = RestRecordings(f"{__name__}:Antagonists", longest_s=10.0, **parameters)
        return [piece.name for piece in rest_pieces(source, "train")[0]]

    both = of()
    assert {name.rpartition("_")[2] for name in both} == {"rests", "helps"}
    assert of(max_rms_v=1e-5) == [name for name in both if name.endswith("rests")]
    assert of(idle=False) == []
    with pytest.raises(ValueError, match="max_rms_v is 0"):
        RestRecordings(READER, max_rms_v=0)


def test_few_pieces_come_from_many_people():
    pieces, _ = rest_pieces(RestRecordings(READER, {"n": 10}), "train", n=4)
    assert len({piece.record for piece in pieces}) == 4


def test_channels_with_too_little_rest_are_left_out():
    assert rest_pieces(RestRecordings(READER, {"rest_s": 5.0}), "test")[0] == []
    with pytest.raises(UserError, match="has 2 people; train, valid and test need one each"):
        RestRecordings(READER, {"n": 2}).pieces(REQUEST)


def test_joining_keeps_the_power_and_drops_the_ends():
    rng = np.random.default_rng(0)
    x, at_rest = rng.standard_normal(40_000) + 3.0, np.zeros(40_000, bool)
    for start in range(0, 40_000, 4000):
        at_rest[start : start + 3000] = True
    rest = joined(x, at_rest, FS_HZ)
    assert len(rest) == 10 * 2500 - 9 * 50
    assert rest.std() == pytest.approx(1.0, abs=0.02)
    seams = np.concatenate([rest[k * 2450 : k * 2450 + 50] for k in range(1, 10)])
    assert seams.std() == pytest.approx(1.0, abs=0.1)
    assert joined(x, np.zeros(40_000, bool), FS_HZ).size == 0
