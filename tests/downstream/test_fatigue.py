from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedKFold

from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.registry import find
from cleansemg.core.seeding import generator
from cleansemg.data_pipeline.readers.simulated_fatigue import SimulatedFatigueReader
from cleansemg.downstream.common.task import Examples, Fit, Stream, join
from cleansemg.downstream.fatigue.cnn import DilatedCnn, FatigueCnn
from cleansemg.downstream.fatigue.svm import FEATURES, FatigueSvm, window_features
from cleansemg.downstream.fatigue.task import FatigueTask
from cleansemg.downstream.fatigue.windows import Cutting

FS_HZ = 1000.0
SHORT = Cutting(0.4, 0.2)


def stream(
    label: list[int], seconds: float = 1.0, subject: str = "S1", n_channels: int = 4, name: str = "T1"
) -> Stream:
    """Noise, `seconds` of each label."""
    track = np.repeat(label, round(seconds * FS_HZ)).astype(np.int64)
    rng = generator(0, "fatigue test", subject, name)
    signal = (1e-5 * (1 + track) * rng.standard_normal((n_channels, track.size))).astype(np.float32)
    names = tuple(f"ch{n}" for n in range(n_channels))
    return Stream("toy", subject, name, signal, track, np.where(track > 0, 1, 0), FS_HZ, names)


# windows


def test_windows_are_four_seconds_every_two() -> None:
    first, y = Cutting().starts(stream([1, 2, 3], 9.0))
    # 27 s: starts 0, 2, ..., 22; those of 6 and 8 and of 16 cross a change (at 9 and 18 s); the one of 14 ends with 18 s
    assert (first / FS_HZ).tolist() == [0, 2, 4, 10, 12, 14, 18, 20, 22]
    assert y.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_windows_without_a_report_are_left_out() -> None:
    first, y = Cutting().starts(stream([0, 1], 8.0))
    assert (first / FS_HZ).tolist() == [8, 10, 12]
    assert y.tolist() == [0, 0, 0]


def test_the_class_is_that_at_the_centre() -> None:
    one = stream([1], 4.0)
    one.label[1500:2500] = 3
    assert Cutting().starts(one)[1].tolist() == [2]


def test_a_window_longer_than_the_recording() -> None:
    with pytest.raises(ItemError, match=r"toy/S1/T1: 3\.0 s, shorter than a window of 4 s"):
        Cutting().starts(stream([1], 3.0))


def test_a_nan_is_refused_by_name() -> None:
    one = stream([1], 5.0)
    one.signal[2, 100] = np.nan
    for model in FatigueTask().models().values():
        with pytest.raises(ItemError, match="toy/S1/T1: ch2 holds NaN"):
            model.examples(one, one)


@pytest.mark.parametrize("bad", [{"window_s": 0}, {"step_s": 100}, {"reference": "noisy"}, {"valid_fraction": 1}])
def test_parameters_out_of_range(bad: dict[str, object]) -> None:
    with pytest.raises(UserError, match="task 'fatigue'"):
        find("tasks", "fatigue").build(**bad)


# features


def by_hand(x: np.ndarray) -> list[float]:
    """The eight features of one window, from their definitions."""
    x = x.astype(np.float64)
    centred = np.concatenate([x - x.mean(), np.zeros(4096 - x.size)])  # the next power of two
    basis = np.exp(-2j * np.pi * np.outer(np.arange(2049), np.arange(4096)) / 4096)
    power = np.abs(basis @ centred) ** 2 / 4096
    hertz = np.arange(2049) * FS_HZ / 4096
    half = next(hertz[k] for k in range(2049) if power[: k + 1].sum() >= power.sum() / 2)
    return [
        np.sqrt(sum(v * v for v in x) / x.size), sum(abs(v) for v in x) / x.size, sum(abs(b - a) for a, b in itertools.pairwise(x)),
        sum(a * b < 0 for a, b in itertools.pairwise(x)), (hertz * power).sum() / power.sum(), half, power.sum(), power.mean(),
    ]  # fmt: skip


def test_the_eight_features() -> None:
    one = stream([1], 4.0, n_channels=1)
    found = window_features(one.signal[None], FS_HZ)[0, 0]
    assert len(FEATURES) == 8
    assert found == pytest.approx(by_hand(one.signal[0]), rel=1e-6)


def test_64_features_relative_to_the_fresh_muscle() -> None:
    one = stream([1, 2, 3], 9.0)
    examples = FatigueSvm(Cutting(), "clean", 3).examples(one, one)
    assert examples.x.shape == (9, 64)
    assert examples.x[:3, :32].mean(axis=0) == pytest.approx(1)  # class 0 over its mean
    assert (examples.x[0, 32:] == 0).all()
    assert examples.x[1:, 32:] == pytest.approx(np.diff(examples.x[:, :32], axis=0))
    assert examples.x[3, 0] == pytest.approx(1.5, rel=0.1)  # RMS of label 2 over that of label 1


@settings(max_examples=10, deadline=None)
@given(gains=st.lists(st.floats(1e-6, 1e6), min_size=4, max_size=4))
def test_units_of_a_channel_do_not_matter(gains: list[float]) -> None:
    one = stream([1, 2], 0.6)
    other = replace(one, signal=one.signal * np.array(gains, np.float32)[:, None])
    for model in (FatigueSvm(SHORT, "clean", 3), FatigueCnn(SHORT, "clean")):
        assert model.examples(other, other).x == pytest.approx(model.examples(one, one).x, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("kind", ["svm", "cnn"])
def test_the_reference_is_the_clean_stream_or_the_own(kind: str) -> None:
    clean = stream([1, 2], 1.0)
    loud = replace(clean, signal=3 * clean.signal)
    known, own = (FatigueTask(0.4, 0.2, reference=reference).models()[kind] for reference in ("clean", "input"))  # type: ignore[arg-type]
    plain = known.examples(clean, clean).x
    assert own.examples(loud, clean).x == pytest.approx(plain, rel=1e-4, abs=1e-6)
    amplitude = (slice(None), slice(0, 3)) if kind == "svm" else slice(None)  # RMS, MAV, WL of the first channel
    assert known.examples(loud, clean).x[amplitude] == pytest.approx(3 * plain[amplitude], rel=1e-4)


@pytest.mark.parametrize("kind", ["svm", "cnn"])
def test_every_version_of_a_stream_has_the_same_examples(kind: str) -> None:
    clean = stream([0, 1, 2, 3], 1.0)
    model = FatigueTask(0.4, 0.2).models()[kind]
    a, b = model.examples(clean, clean), model.examples(replace(clean, signal=0 * clean.signal), clean)
    assert a.start.tolist() == b.start.tolist()
    assert a.y.tolist() == b.y.tolist()
    assert (b.x == 0).all()


@pytest.mark.parametrize("kind", ["svm", "cnn"])
def test_a_trial_that_starts_tired_and_a_silent_channel(kind: str) -> None:
    one = stream([2, 3], 1.0)
    one.signal[1] = 0
    x = FatigueTask(0.4, 0.2).models()[kind].examples(one, one).x
    assert np.isfinite(x).all()
    if kind == "svm":  # its first window is the reference
        assert x[0, :8] == pytest.approx(1)
        assert (x[:, 8:16] == 0).all()


def test_network_windows_are_over_the_rms_of_class_0() -> None:
    one = stream([1, 3], 1.0)
    x = FatigueCnn(SHORT, "clean").examples(one, one).x
    assert x.dtype == np.float32
    assert x.shape[1:] == (4, 400)
    rms = np.sqrt((one.signal[:, :1000].astype(np.float64) ** 2).mean(axis=1))
    assert x[0] == pytest.approx(one.signal[:, :400] / rms[:, None], rel=1e-5)


# models


def test_network_has_104579_parameters() -> None:
    network = DilatedCnn()
    counts = [sum(p.numel() for p in block.parameters()) for block in network.blocks]
    assert counts == [1152, 16_640, 28_864, 28_864, 28_864]  # models.md, 7.1
    assert sum(p.numel() for p in network.head.parameters()) == 195
    assert sum(p.numel() for p in network.parameters()) == 104_579


def test_network_sees_187_samples_none_of_them_later() -> None:
    torch.manual_seed(0)
    blocks = DilatedCnn().eval().blocks
    x = torch.randn(1, 4, 600)
    changed = x.clone()
    changed[..., 300] += 1.0
    with torch.no_grad():
        moved = (blocks(changed) - blocks(x)).abs().amax(dim=(0, 1)) > 0
    assert blocks(x).shape == (1, 64, 600)
    assert (int(moved.nonzero()[0]), int(moved.nonzero()[-1])) == (300, 300 + 186)


def test_a_block_is_the_published_one() -> None:
    """Padding both sides and dropping what is too long at the end gives the same."""
    torch.manual_seed(0)
    block = DilatedCnn().eval().blocks[1]
    x = torch.randn(2, 32, 50)
    both = torch.nn.functional.conv1d(x, block.conv.weight, block.conv.bias, padding=12, dilation=2)[..., :-12]
    expected = torch.nn.functional.gelu(block.norm(both)) + block.skip(x)
    assert torch.allclose(block(x), expected, atol=1e-6)


def labelled(n_people: int = 6, seconds: float = 1.2, models: str = "svm") -> Examples:
    model = FatigueTask(0.4, 0.2).models()[models]
    return join([model.examples(s, s) for s in (stream([1, 2, 3], seconds, f"S{n}") for n in range(n_people))])


def test_svm_is_the_published_one() -> None:
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    every = labelled()
    model = FatigueSvm(SHORT, "clean", 3)
    rows = np.arange(len(every))
    train, valid, test = (every.select(rows[rows % 3 == k]) for k in range(3))
    model.fit(train, valid, Fit(Path("unused"), 1, {}, "svm"))
    both = join([train, valid])
    scaler = StandardScaler().fit(both.x)
    svc = SVC(C=10, kernel="rbf", gamma="scale", class_weight="balanced").fit(scaler.transform(both.x), both.y)
    assert model.scores(test.x).argmax(axis=1).tolist() == svc.predict(scaler.transform(test.x)).tolist()
    assert model.scores(test.x[:1]) == pytest.approx(model.scores(test.x)[:1])


def test_svm_scores_have_a_column_a_class_even_where_one_was_not_fitted_on() -> None:
    every = labelled()
    two = every.select(np.flatnonzero(every.y != 1))
    model = FatigueSvm(SHORT, "clean", 3)
    model.fit(two, two, Fit(Path("unused"), 1, {}, "svm"))
    scores = model.scores(every.x)
    assert scores.shape == (len(every), 3)
    assert set(scores.argmax(axis=1).tolist()) == {0, 2}


def test_svm_with_one_class() -> None:
    every = labelled()
    one = every.select(np.flatnonzero(every.y == 1))
    with pytest.raises(UserError, match="have one class"):
        FatigueSvm(SHORT, "clean", 3).fit(one, one, Fit(Path("unused"), 1, {}, "svm fold 1"))


def test_network_learns(tmp_path: Path) -> None:
    every = labelled(3, models="cnn")
    parts = [every.select(np.flatnonzero(every.person == f"toy/S{n}")) for n in range(3)]
    model = FatigueCnn(SHORT, "clean")
    recipe = {"epochs": 6, "batch_size": 4}
    model.fit(parts[0], parts[1], Fit(tmp_path, 1, recipe, "cnn fold 1", n_classes=3))
    assert (model.scores(parts[2].x).argmax(axis=1) == parts[2].y).mean() > 0.6
    assert (tmp_path / "curves.png").exists()


def test_network_keeps_the_published_recipe(tmp_path: Path) -> None:
    recipe = FatigueCnn(Cutting(), "clean").resolve(Fit(tmp_path, 1, {}, "cnn"))
    assert (recipe.optimizer, recipe.learning_rate, recipe.weight_decay) == ("adam", 1e-3, 1e-4)
    assert (recipe.schedule.kind, recipe.schedule.floor, recipe.epochs) == ("cosine", 0, 40)
    assert (recipe.batch_size, recipe.clip_norm) == (64, 1.0)
    assert FatigueCnn.class_weights


# folds


def test_nobody_is_on_both_sides_by_default() -> None:
    every = labelled(7)
    found = FatigueTask(n_folds=3).folds(every, "subjects", 2025)
    assert len(found) == 3
    assert not any(fold.shares_people(every) for fold in found)
    assert sorted(np.concatenate([fold.test for fold in found]).tolist()) == list(range(len(every)))


def test_published_folds_are_the_sources_and_leak() -> None:
    every = labelled(4)
    found = FatigueTask().folds(every, "published", 2025)
    wanted = [test for _, test in StratifiedKFold(3, shuffle=True, random_state=42).split(every.x, every.y)]
    assert [fold.test.tolist() for fold in found] == [test.tolist() for test in wanted]
    for fold in found:
        assert fold.shares_people(every)
        assert not set(fold.test.tolist()) & {*fold.train.tolist(), *fold.valid.tolist()}  # selection does not see them
        assert len(fold.train) + len(fold.valid) + len(fold.test) == len(every)


def test_a_class_with_too_few() -> None:
    every = labelled(3)
    one_person = every.select(np.flatnonzero((every.y != 2) | (every.person == "toy/S0")))
    with pytest.raises(UserError, match="'severe'"):
        FatigueTask().folds(one_person, "subjects", 2025)
    rows = np.concatenate([np.flatnonzero(every.y != 2), np.flatnonzero(every.y == 2)[:3]])
    with pytest.raises(UserError, match=r"'severe': 3 window"):
        FatigueTask().folds(every.select(rows), "published", 2025)
    few = every.select(np.concatenate([np.flatnonzero(every.y == y)[:4] for y in range(3)]))
    with pytest.raises(UserError, match="12 windows: the smallest part of the split has 2, for 3 classes"):
        FatigueTask().folds(few, "published", 2025)


# whole runs


def test_fatigue_shows_in_people_who_were_not_fitted_on() -> None:
    """One muscle, four people: an SVM on its clean signal is far above chance, a third."""
    reader = SimulatedFatigueReader(n_subjects=4, n_trials=1, n_channels=1)
    task = FatigueTask(n_folds=4)
    parts = []
    for ref in reader.list():
        found = reader.read(ref)
        assert found.label is not None
        assert found.repetition is not None
        signal = found.signal.astype(np.float32)
        one = Stream(found.database, found.subject, found.exercise, signal, found.label, found.repetition, found.fs_hz, found.channels)  # fmt: skip
        parts.append(task.models()["svm"].examples(one, one))
    every = join(parts)
    right = []
    for fold in task.folds(every, "subjects", 2025):
        model = task.models()["svm"]
        model.fit(every.select(fold.train), every.select(fold.valid), Fit(Path("unused"), 1, {}, "svm"))
        right.extend(model.scores(every.x[fold.test]).argmax(axis=1) == every.y[fold.test])
    assert np.mean(right) > 0.6


# time alone


def _over_time(subject: str, name: str) -> Stream:
    """Noise of one strength throughout; the label grows with time."""
    one = stream([1, 2, 3], 12.0, subject, name=name)
    rng = generator(0, "time alone", subject, name)
    return replace(one, signal=rng.standard_normal(one.signal.shape).astype(np.float32))


def test_time_alone_tells_what_grows_with_time_and_the_signal_does_not(tmp_path: Path) -> None:
    """Labels that follow the clock, and signals that hold nothing: the control is right, the classifier is not."""
    task = FatigueTask()
    (control,) = task.controls().values()
    svm = task.models()["svm"]
    streams = [_over_time(f"S{person}", "T1") for person in range(1, 7)]
    fit = Fit(tmp_path, 0, {}, "test", 3)
    right = {}
    for name, model in (("time alone", control), ("svm", svm)):
        made = [model.examples(one, replace(one, signal=one.signal)) for one in streams]
        model.fit(join(made[:3]), join(made[3:4]), fit)
        tested = join(made[4:])
        right[name] = np.mean(model.scores(tested.x).argmax(axis=1) == tested.y)
    assert right["time alone"] == 1.0
    assert right["svm"] < 0.8


def test_time_alone_is_the_time_of_a_windows_centre_and_no_signal() -> None:
    one = _over_time("S1", "T1")
    (control,) = FatigueTask().controls().values()
    examples = control.examples(one, one)
    first, y = Cutting().starts(one)
    np.testing.assert_allclose(examples.x[:, 0], first / FS_HZ + 2.0)
    np.testing.assert_array_equal(examples.y, y)
    silent = replace(one, signal=np.full_like(one.signal, np.nan))
    np.testing.assert_array_equal(control.examples(silent, silent).x, examples.x)
