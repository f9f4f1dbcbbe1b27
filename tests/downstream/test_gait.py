from __future__ import annotations

import csv
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cleansemg.core import registry
from cleansemg.core.config import load
from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.layout import Layout
from cleansemg.core.settings import Paths
from cleansemg.core.stage import RunOptions
from cleansemg.data_pipeline.readers.long_walking import LongWalkingReader
from cleansemg.data_pipeline.settings import Dataset
from cleansemg.downstream.common.running import run_task
from cleansemg.downstream.common.task import Examples, Fit, Stream, join
from cleansemg.downstream.gait import compare, pictures
from cleansemg.downstream.gait.cnn import GaitCnn, GaitNetwork
from cleansemg.downstream.gait.svm import GaitSvm, Search, gait_features
from cleansemg.downstream.gait.task import GaitTask
from cleansemg.downstream.gait.windows import Cutting, balanced, cut, equal_shares
from cleansemg.downstream.settings import Downstream
from cleansemg.evaluation.settings import Tables
from cleansemg.noise.settings import Noise, Source
from cleansemg.settings import Settings
from cleansemg.training.settings import Train
from tests.conftest import ROOT
from tests.layouts.long_walking import Walk, write_walker

CLASSES = ("stand", "start", "walk", "stop")
FS_HZ = 1000.0


def stream(subject: str = "P1", label=None, n: int = 3000, name: str = "r", seed: int = 0) -> Stream:
    """Noise on two channels that is 1, 2, 3 ... times as large in label 1, 2, 3 ..."""
    label = np.repeat([1, 2, 3], n // 3) if label is None else np.asarray(label)
    rng = np.random.default_rng([seed, *subject.encode(), *name.encode()])
    signal = (rng.standard_normal((2, len(label))) * (1 + 3 * label) * 1e-5).astype(np.float32)
    return Stream("db", subject, name, signal, label, label, FS_HZ, ("a", "b"))


def examples(n_people: int = 4, cutting: Cutting | None = None, n: int = 3000) -> Examples:
    cutting = cutting or Cutting(classes=CLASSES[:3])
    return join([cut(stream(f"P{k}", n=n * (1 + k % 2)), cutting) for k in range(n_people)])


class TestWindows:
    def test_the_label_is_that_of_the_centre(self) -> None:
        label = np.r_[np.zeros(350), np.ones(250), np.full(400, 2)].astype(np.int64)
        found = cut(stream(label=label), Cutting(classes=CLASSES))
        # Windows of 200 every 100; centres at 100, 200, ..., 900; the first with a label is at 400.
        assert found.start.tolist() == [300, 400, 500, 600, 700, 800]
        assert found.y.tolist() == [0, 0, 1, 1, 1, 1]
        assert found.repetition.tolist() == [1, 1, 2, 2, 2, 2]
        np.testing.assert_array_equal(found.x[1], stream(label=label).signal[:, 400:600])

    def test_every_version_of_a_stream_gives_the_same_windows(self) -> None:
        clean = stream()
        silent = replace(clean, signal=np.zeros_like(clean.signal))
        for scope in ("training", "recording"):
            cutting = Cutting(classes=CLASSES, zscore=scope, per_class=7)
            one, other = cut(clean, cutting), cut(silent, cutting)
            np.testing.assert_array_equal(one.start, other.start)
            np.testing.assert_array_equal(one.y, other.y)
            assert np.bincount(one.y).tolist() == [7, 7, 7]
            assert np.isfinite(other.x).all()

    def test_a_recording_may_be_its_own_z_score(self) -> None:
        found = cut(stream(), Cutting(classes=CLASSES, zscore="recording", overlap=0.0))
        np.testing.assert_allclose(found.x.mean(axis=(0, 2)), 0, atol=1e-3)
        np.testing.assert_allclose(found.x.std(axis=(0, 2)), 1, rtol=1e-3)

    def test_a_window_longer_than_the_recording(self) -> None:
        with pytest.raises(ItemError, match=r"db/P1/r: lasts 0.15 s, a window 0.2 s"):
            cut(stream(n=150), Cutting(classes=CLASSES))

    def test_labels_that_are_no_class_and_labels_that_are_wrong(self) -> None:
        with pytest.raises(UserError, match=r"db/P1/r: label 3, but the task has 2 classes \(stand, start\)"):
            cut(stream(), Cutting(classes=CLASSES[:2]))
        wrong = stream(label=np.repeat([0, 1], 600))
        assert set(cut(wrong, Cutting(classes=CLASSES, relabel={"db/P1/r": "stop"})).y.tolist()) == {3}

    def test_balance_is_over_classes_and_then_over_people(self) -> None:
        every = examples()
        kept = np.flatnonzero((every.y != 2) | (np.arange(len(every)) % 3 == 0))  # fewer of class 2
        rows = balanced(every, kept, 5, "x")
        drawn = every.select(rows)
        assert len(set(np.bincount(drawn.y).tolist())) == 1
        assert len(np.unique(rows)) == len(rows)
        assert set(rows.tolist()) <= set(kept.tolist())
        by_person = [np.sum((drawn.y == 0) & (drawn.person == who)) for who in np.unique(every.person)]
        assert max(by_person) - min(by_person) <= 1  # although half of the people have twice as many
        np.testing.assert_array_equal(balanced(every, kept, 5, "x"), rows)
        assert not np.array_equal(balanced(every, kept, 6, "x"), rows)
        assert np.bincount(every.y[balanced(every, kept, 5, "x", limit=3)]).tolist() == [3, 3, 3]

    @given(st.lists(st.integers(0, 40), min_size=1, max_size=8), st.floats(0, 1))
    def test_equal_shares(self, available: list[int], part: float) -> None:
        total = int(part * sum(available))
        shares = equal_shares(np.array(available), total)
        assert shares.sum() == total
        assert (shares <= available).all()
        unspent = shares[shares < available]
        if unspent.size:
            assert shares.max() - unspent.min() <= 1  # nobody has less because another has more


class TestTask:
    def task(self, **parameters) -> GaitTask:
        return registry.find("tasks", "gait").build(**{"classes": list(CLASSES[:3]), **parameters})

    def test_people_are_disjoint_and_only_what_is_fitted_on_is_balanced(self) -> None:
        every = examples(6)
        rare = np.flatnonzero((every.y != 1) | (np.arange(len(every)) % 2 == 0))
        every = every.select(rare)
        folds = self.task(n_folds=3).folds(every, "subjects", 1)
        tested = np.concatenate([fold.test for fold in folds])
        assert sorted(tested.tolist()) == list(range(len(every)))
        for fold in folds:
            assert not fold.shares_people(every)
            assert not {*every.person[fold.valid]} & {*every.person[fold.train]}
            assert len(set(np.bincount(every.y[fold.train]).tolist())) == 1
            assert len(set(np.bincount(every.y[fold.test]).tolist())) > 1

    def test_the_published_split_leaks(self) -> None:
        every = examples(6)
        (fold,) = self.task().folds(every, "published", 1)
        assert fold.shares_people(every)
        kept = np.concatenate([fold.train, fold.valid, fold.test])
        assert len(np.unique(kept)) == len(kept)
        assert len(fold.test) == pytest.approx(0.2 * len(kept), abs=1)
        assert len(set(np.bincount(every.y[kept]).tolist())) == 1
        # the leak itself: a tested window of which half the samples are fitted on
        fitted = set(zip(every.stream[fold.train].tolist(), every.start[fold.train].tolist(), strict=True))
        tested = zip(every.stream[fold.test].tolist(), every.start[fold.test].tolist(), strict=True)
        assert any((key, start + step) in fitted for key, start in tested for step in (-100, 100))

    def test_a_class_with_one_subject(self) -> None:
        every = join([examples(3), cut(stream("P9", label=np.full(900, 4)), Cutting(classes=CLASSES))])
        with pytest.raises(UserError, match=r"class 'stop': 1 subject\(s\) \(db/P9\)"):
            self.task(classes=list(CLASSES)).folds(every, "subjects", 1)

    def test_refused_parameters(self, caplog: pytest.LogCaptureFixture) -> None:
        for parameters, message in (
            ({"classes": ["walk"]}, "at least two"),
            ({"overlap": 1.0}, "overlap is 1.0"),
            ({"zscore": "subject"}, "expected training or recording"),
            ({"relabel": {"a/b/c": "wlak"}}, "did you mean 'walk'"),
            ({"svm": {"gama": [1]}}, "unknown svm.gama; did you mean 'gamma'"),
            ({"svm": {"c": []}}, "svm.c is empty"),
            ({"window_s": 0.001}, "no windows of 0.001 s"),
            ({"per_class": 0}, "per_class is 0"),
        ):
            with pytest.raises(UserError, match=message):
                self.task(**parameters)
        with caplog.at_level(logging.WARNING):
            self.task(relabel={"db/P77/r": "walk"}).folds(examples(), "subjects", 1)
        assert "db/P77/r, which is not among the recordings" in caplog.text

    @pytest.mark.parametrize("name", ["gait", "gait_walking", "gait_published"])
    def test_the_configurations_build_their_task(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATA_ROOT", "/data")
        wanted = load(ROOT / "configs" / "downstream" / f"{name}.yaml").downstream
        task = registry.find("tasks", wanted.task).build(**wanted.parameters)
        assert set(task.models()) == {"cnn", "svm"}
        assert wanted.protocol == ("published" if name == "gait_published" else "subjects")
        documented = load(ROOT / "configs/downstream/fatigue_cerqueira.yaml").noise
        assert name == "gait" or load(ROOT / f"configs/downstream/{name}.yaml").noise == documented


# spec models.md, section 8: the study leaves padding, channels and rate open
@pytest.mark.parametrize(
    ("n_channels", "n_samples", "padding", "expected"),
    [
        (10, 400, 0, 404_116), (10, 400, 1, 412_308), (10, 200, 0, 199_316), (10, 200, 1, 207_508),
        (1, 400, 0, 403_684), (1, 400, 1, 411_876), (1, 200, 0, 198_884), (1, 200, 1, 207_076),
    ],
)  # fmt: skip
def test_parameters_of_the_network(n_channels: int, n_samples: int, padding: int, expected: int) -> None:
    network = GaitNetwork(n_channels, n_samples, 4, padding)
    assert sum(p.numel() for p in network.parameters()) == expected
    assert network(torch.zeros(2, n_channels, n_samples)).shape == (2, 4)


class TestModels:
    def fit(self, folder: Path, **recipe) -> Fit:
        return Fit(folder, 3, recipe, "test", n_classes=3)

    def test_the_cnn_learns_and_carries_its_z_score(self, tmp_path: Path) -> None:
        train, valid = examples(4, n=6000), examples(2)
        model = GaitCnn(Cutting(classes=CLASSES[:3]))
        model.fit(train, valid, self.fit(tmp_path, epochs=4, batch_size=16))
        np.testing.assert_allclose(model.network.mean[:, 0], train.x.mean(axis=(0, 2)), atol=1e-9)
        np.testing.assert_allclose(model.network.deviation[:, 0], train.x.std(axis=(0, 2)), rtol=1e-4)
        scores = model.scores(valid.x)
        assert (scores.argmax(axis=1) == valid.y).mean() > 0.8  # amplitude tells; chance is 0.33
        np.testing.assert_allclose(model.scores(valid.x[3:4]), scores[3:4], atol=1e-6)

    def test_the_recipe_is_the_study_s(self) -> None:
        recipe = GaitCnn(Cutting()).recipe
        assert (recipe.optimizer, recipe.learning_rate, recipe.batch_size, recipe.epochs) == ("adam", 1e-3, 64, 20)

    def test_features_are_those_of_their_definitions(self) -> None:
        x = np.random.default_rng(0).standard_normal((3, 2, 50)).astype(np.float32)
        found = gait_features(x, 0.7)
        for row in range(3):
            for channel in range(2):
                w = x[row, channel].astype(np.float64)
                step = [w[i + 1] - w[i] for i in range(49)]
                expected = [
                    sum(v * v for v in w) ** 0.5 / 50**0.5,
                    sum(abs(s) for s in step),
                    sum(w[i] * w[i + 1] < 0 for i in range(49)),
                    sum(abs(s) >= 0.7 for s in step),
                ]
                np.testing.assert_allclose(found[row, channel::2], expected, rtol=1e-9)

    def test_the_svm_searches_within_the_training_people(self, tmp_path: Path) -> None:
        train, valid = examples(4), examples(2)
        search = Search(c=(1.0, 10.0), gamma=("scale",), wamp_threshold=(0.3, 1.0), search_windows=20)
        model, other = (GaitSvm(Cutting(classes=CLASSES[:3]), search) for _ in range(2))
        model.fit(train, valid, self.fit(tmp_path / "a"))
        other.fit(train, replace(valid, y=valid.y[::-1].copy()), self.fit(tmp_path / "b"))
        np.testing.assert_array_equal(model.scores(valid.x), other.scores(valid.x))  # valid is not looked at
        scores = model.scores(valid.x)
        assert scores.shape == (len(valid), 3)
        assert (scores.argmax(axis=1) == valid.y).mean() > 0.8
        np.testing.assert_allclose(model.scores(valid.x[5:6]), scores[5:6], rtol=1e-9)
        with open(tmp_path / "a" / "grid.csv", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == 4
        best = max(float(row["balanced_accuracy"]) for row in rows)
        assert [float(row["balanced_accuracy"]) for row in rows if row["chosen"] == "1"] == [best]

    def test_the_svm_of_two_classes_and_of_a_class_that_nobody_fitted(self, tmp_path: Path) -> None:
        every = examples(4)
        two = every.select(np.flatnonzero(every.y != 1))
        model = GaitSvm(Cutting(classes=CLASSES[:3]), Search(c=(1.0,), gamma=("scale",), wamp_threshold=(0.3,)))
        model.fit(two, two, self.fit(tmp_path))
        scores = model.scores(two.x)
        assert scores.shape == (len(two), 3)
        assert set(scores.argmax(axis=1).tolist()) == {0, 2}
        with pytest.raises(UserError, match="needs two training people"):
            model.fit(every.select(np.flatnonzero(every.person == "db/P1")), two, self.fit(tmp_path))


def small_settings(data: Path, **downstream) -> Settings:
    return Settings(
        paths=Paths(data_root=str(data)),
        datasets={"long_walking": Dataset(folder="semg")},
        noise=Noise(piece_s=10, kinds={"PLI": [Source(source="pli")], "WGN": [Source(source="wgn")]}),
        tables=Tables(bootstrap_resamples=100, note="Walkers made up for a test."),
        train=Train(threads=1),
        downstream=Downstream(
            task="gait",
            parameters={
                "classes": list(CLASSES), "per_class": 8, "n_folds": 3, "zscore": "recording",
                "svm": {"c": [10.0], "gamma": ["scale"], "wamp_threshold": [0.3]},
            },
            n_kinds=(1, 2), denoisers=("hp",), recipe={"cnn": {"epochs": 2}}, **downstream,
        ),
    )  # fmt: skip


def test_from_records_to_tables(tmp_path: Path) -> None:
    """Seven walkers in the layout of the original, one of whom has a gap and is named, not lost in silence."""
    for number in range(7):
        gaps = [("semg LT HAM", 500, 510)] if number == 6 else []
        write_walker(tmp_path / "semg", f"P{number}", Walk((2.0, 2.0), (8,)), fs_hz=1000.0, gaps=gaps)
    wanted, layout = small_settings(tmp_path), Layout(tmp_path / "out")
    reports = run_task(wanted, layout, RunOptions())
    assert [report.n_failures for report in reports if report.stage == "prepare"] == [1]
    compare.write(wanted, layout)
    with open(layout.tables / "gait_cnn_svm.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["input"] for row in rows[::3]] == ["clean", "noisy", "hp"]
    for row in rows:
        assert float(row["difference"]) == pytest.approx(float(row["cnn"]) - float(row["svm"]), abs=1e-6)
        assert float(row["difference_low"]) <= float(row["difference_high"])
    assert (rows[0]["printed_cnn"], rows[0]["printed_svm"]) == ("90.2", "78.5")
    text = (layout.tables / "gait_cnn_svm.md").read_text()
    assert "persons disjoint" in text
    assert "derived here by a rule of ours" in text
    for name in ("gait_cnn", "gait_cnn_paired", "gait_cnn_svm", "gait_loss"):
        assert "Walkers made up for a test." in (layout.tables / f"{name}.md").read_text(), name
    with open(layout.tables / "gait_loss.csv", encoding="utf-8") as file:
        losses = list(csv.DictReader(file))
    # spec tables.md T8
    assert [losses[epoch - 1]["printed"] for epoch in (1, 4, 10, 20)] == ["1.042", "0.659", "0.379", "0.296"]
    assert [bool(row["training"]) for row in losses] == [True, True] + [False] * 18


def test_the_picture_of_the_states(tmp_path: Path) -> None:
    write_walker(tmp_path, "P1", Walk((2.0, 2.0), (7,)), fs_hz=500.0)
    reader = LongWalkingReader("walking", tmp_path)
    (ref,) = reader.list()
    recording = reader.read(ref)
    pictures.states(recording, reader.switches(ref).signal, tmp_path / "states.png")
    assert (tmp_path / "states.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="P1: no label a sample"):
        pictures.states(replace(recording, label=None), recording.signal, tmp_path / "none.png")


@pytest.mark.realdata
def test_two_files_of_2a_are_interchanged(real_data: Path) -> None:
    """What the configuration's `relabel` rests on: which muscles work in sitting and standing, in everybody."""
    reader = registry.find("datasets", "uci_lower_limb").build(
        database="uci_lower_limb", folder=real_data / "uci_lower_limb"
    )
    ratio = {}
    for ref in reader.list():
        if ref.exercise != "mar":
            rms = reader.read(ref).signal.std(axis=1)  # RF, BF, VM, ST
            ratio[ref.subject, ref.exercise] = (rms[0] + rms[2]) / (rms[1] + rms[3])  # extensors over flexors
    for (subject, exercise), value in ratio.items():
        extends = exercise == "sen" if subject != "2A" else exercise == "pie"
        assert (value > 1) == extends, (subject, exercise, value)
