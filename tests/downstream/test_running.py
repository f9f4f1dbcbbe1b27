"""A toy task from recordings to its table: simulated people, one of them unreadable, two classifiers."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

from cleansemg import stages
from cleansemg.core import config
from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.layout import Layout
from cleansemg.core.stage import RunOptions
from cleansemg.data_pipeline.readers.simulated import SimulatedReader
from cleansemg.denoising import Denoiser, InputError
from cleansemg.downstream import table2
from cleansemg.downstream.common import assess, features, folds, report, results, streams
from cleansemg.downstream.common.contaminate import contaminate
from cleansemg.downstream.common.denoise import denoise
from cleansemg.downstream.common.network_model import NetworkModel
from cleansemg.downstream.common.running import parse_denoisers, run_task
from cleansemg.downstream.common.task import Examples, Model, Task
from cleansemg.settings import Settings
from cleansemg.training.recipe import Recipe, Schedule
from tests.conftest import ROOT
from tests.pipeline_runs import files

WINDOW = 250


def windows(stream, clean, n_features):
    """Windows inside one class, by its clean recording's labels."""
    if stream.signal.shape[1] < WINDOW:
        raise ItemError(f"{stream.signal.shape[1]} samples, shorter than a window of {WINDOW}")
    starts = [s for s in range(0, clean.signal.shape[1] - WINDOW + 1, WINDOW) if clean.label[s + WINDOW // 2] > 0]
    x = np.stack([stream.signal[:, s : s + WINDOW] for s in starts])
    n = len(starts)
    return Examples(
        x=np.log(features.rms(x.reshape(-1, WINDOW)).reshape(n, -1) + 1e-9)
        if n_features
        else x.astype(np.float32) * 1e4,
        y=clean.label[np.array(starts) + WINDOW // 2] - 1,
        person=np.full(n, stream.person),
        stream=np.full(n, stream.key),
        start=np.array(starts),
        repetition=clean.repetition[np.array(starts) + WINDOW // 2],
    )


class NearestMean(Model):
    name = "nearest"

    def examples(self, stream, clean):
        return windows(stream, clean, True)

    def fit(self, train, valid, fit):
        self.means = np.stack([train.x[train.y == k].mean(axis=0) for k in range(fit.n_classes)])

    def scores(self, x):
        return -np.abs(x[:, None] - self.means[None]).sum(axis=2)


class TinyNetwork(NetworkModel):
    name = "tiny"
    recipe = Recipe(loss="network", epochs=2, batch_size=16, patience=None, schedule=Schedule(kind="none"))
    class_weights = True

    def build(self, shape, n_classes):
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(int(np.prod(shape)), n_classes))

    def examples(self, stream, clean):
        return windows(stream, clean, False)


class ToyTask(Task):
    name = "toy"

    def __init__(self, classes=("first", "second"), leak=False):
        self.classes = tuple(classes)
        self.leak = leak

    def models(self):
        return {"nearest": NearestMean(), "tiny": TinyNetwork()}

    def folds(self, examples, protocol, seed):
        if protocol == "published" or self.leak:
            return folds.stratified_windows(examples, seed, n_folds=2, classes=self.classes)
        return folds.by_subject(examples, seed, n_folds=2, classes=self.classes)


class OneBroken(SimulatedReader):
    """S002 cannot be read, S005 is shorter than a window."""

    def read(self, ref):
        if ref.subject == "S002":
            raise ItemError("label file missing: S002_labels.csv")
        found = super().read(ref)
        if ref.subject == "S005":
            return replace(
                found, signal=found.signal[:, :400], label=found.label[:400], repetition=found.repetition[:400]
            )
        return found


class RefusesSome(Denoiser):
    """Refuses a stream that begins above zero."""

    name = "refuses"

    def _denoise(self, noisy, fs_hz, labels):
        if noisy[0, 0] > 0:
            raise InputError("begins above zero")
        return noisy.astype(np.float32)


class RefusesAll(Denoiser):
    name = "refuses_all"

    def _denoise(self, noisy, fs_hz, labels):
        raise InputError("never works")


def settings(**downstream) -> Settings:
    content = yaml.safe_load("""
        config_file: (test)
        seed: 7
        datasets:
          "tests.downstream.test_running:OneBroken":
            parameters: {n_subjects: 6, n_channels: 2, n_gestures: 2, n_repetitions: 2, contraction_s: 1.0, rest_s: 0.3}
        noise:
          piece_s: 10
          kinds:
            PLI: [{source: pli, pieces: {train: 1, valid: 1, test: 2}}]
            WGN: [{source: wgn, pieces: {train: 1, valid: 1, test: 2}}]
        train: {threads: 1}
        tables: {bootstrap_resamples: 100}
        downstream:
          task: tests.downstream.test_running:ToyTask
          denoisers: [identity, {name: hp, label: high}]
          n_kinds: [1, 2]
          snr_db: [0.0]
    """)
    content["downstream"].update(downstream)
    return Settings.model_validate(content)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    layout = Layout(tmp_path_factory.mktemp("toy"))
    return layout, run_task(settings(), layout, RunOptions())


def test_from_recordings_to_tables(finished):
    layout, reports = finished
    assert [report.stage for report in reports] == ["noise", "prepare", "contaminate", "denoise", "assess", "report"]
    rows = list(csv.DictReader((layout.tables / "toy_nearest.csv").open()))
    assert [row["input"] for row in rows] == ["clean", "noisy", "identity", "high"]
    clean, noisy, identity, high = rows
    assert {row["n_people"] for row in rows} == {"4"}  # six, less the unreadable and the short one
    assert {row["n_failed"] for row in rows} == {"0"}
    assert float(clean["accuracy_percent"]) > float(noisy["accuracy_percent"])
    assert float(clean["accuracy_low"]) <= float(clean["accuracy_percent"]) <= float(clean["accuracy_high"])
    assert {**identity, "input": ""} == {**noisy, "input": ""}
    assert float(high["over_noisy_percent"]) == pytest.approx(
        float(high["accuracy_percent"]) - float(noisy["accuracy_percent"]), abs=1e-6
    )
    text = (layout.tables / "toy_tiny.md").read_text()
    assert "LEAKS" not in text
    assert "1 recording(s) could not be read" in text
    for name in ("toy_nearest_confusion.png", "toy_tiny_accuracy.png"):
        assert (layout.tables / name).stat().st_size > 5000
    assert (layout.downstream("models", "tiny", "fold1", "curves.png")).exists()


def test_what_could_not_be_read_or_cut_is_recorded_and_the_rest_goes_on(finished):
    layout, reports = finished
    assert sum(report.n_failures for report in reports) == 3  # S002 is not read, S005 not cut for either model
    assert "S002/E1,label file missing: S002_labels.csv" in (layout.downstream("clean") / "failures.csv").read_text()
    cut = (layout.downstream("predictions", "nearest", "all") / "failures.csv").read_text()
    assert 'S005/E1,"200 samples, shorter than a window of 250"' in cut


def test_identity_gives_the_noisy_streams_back_bit_for_bit(finished):
    layout, _ = finished
    noisy, same = (streams.open_streams(layout.downstream(*names)) for names in (("noisy",), ("denoised", "identity")))
    pairs = list(zip(streams.each(noisy), streams.each(same), strict=True))
    assert len(pairs) == 5
    for (_, one), (_, other) in pairs:
        assert one.signal.tobytes() == other.signal.tobytes()
        assert (one.key, one.label.tolist()) == (other.key, other.label.tolist())


def test_two_workers_give_the_same_bytes(finished, tmp_path):
    layout, _ = finished
    shutil.copytree(layout.root / "noise", tmp_path / "noise")
    for stage in (streams.prepare, contaminate, denoise, assess.assess):
        stage(settings(), Layout(tmp_path), RunOptions(workers=2))
    names = ("clean", "noisy", "denoised", "predictions")
    one, two = ({name: files(root / "downstream" / name) for name in names} for root in (layout.root, tmp_path))
    assert len(one["predictions"]) == 2 * 4  # two folds, failures and manifest of two models
    assert one == two


def test_one_denoiser_by_its_label_lies_beside_all(finished):
    layout, _ = finished
    before = files(layout.downstream("predictions", "nearest", "all"))
    run_task(settings(), layout, RunOptions(), denoisers=["high"], models=["nearest"])
    rows = list(csv.DictReader((layout.tables / "toy_nearest_high.csv").open()))
    assert [row["input"] for row in rows] == ["clean", "noisy", "high"]
    assert files(layout.downstream("predictions", "nearest", "all")) == before


def test_a_network_without_weights_of_its_own_is_assessed_by_the_name_or_the_alias_it_was_prepared_by(finished):
    """`fcn_large`, alias FCN, has none in the box: its streams were made with --model-path."""
    layout, _ = finished
    shutil.copytree(layout.downstream("denoised", "identity"), layout.downstream("denoised", "fcn_large"))
    toy = settings(models=["nearest"])
    for name in ("FCN", "fcn_large"):
        assess.assess(toy, layout, RunOptions(), names=[name])
        report.report(toy, layout, RunOptions(), names=[name])
    assert (layout.tables / "toy_nearest_fcn_large.md").exists()
    assert not layout.downstream("predictions", "nearest", "FCN").exists()
    with pytest.raises(UserError, match="'fcn_large' twice"):
        assess.assess(toy, layout, RunOptions(), names=["FCN", "fcn_large"])


def test_a_version_is_cut_from_the_tested_streams_alone(finished, tmp_path):
    layout, _ = finished
    shutil.copytree(layout.downstream("clean"), tmp_path / "clean")
    clean = streams.open_streams(tmp_path / "clean")
    every, _ = assess.clean_examples(NearestMean(), clean)
    tested = every.select(np.flatnonzero(every.stream == every.stream[0]))
    for shard in clean.manifest.shards:
        if shard.name != streams.shard_name(str(every.stream[0])):
            (tmp_path / f"clean/{shard.name}.npz").unlink()
    noisy = streams.open_streams(layout.downstream("noisy"))
    version, uncut = assess.version_of(NearestMean(), tested, clean, noisy)
    assert version.start.tolist() == tested.start.tolist()
    assert uncut == []


class OneChannelLess(SimulatedReader):
    """S004 lacks its last channel."""

    def read(self, ref):
        found = super().read(ref)
        if ref.subject == "S004":
            return replace(found, signal=found.signal[:-1], channels=found.channels[:-1])
        return found


def test_recordings_of_other_channels_stop_a_run_before_it_denoises(tmp_path):
    toy = settings().model_dump(mode="json")
    (parameters,) = toy["datasets"].values()
    toy["datasets"] = {"tests.downstream.test_running:OneChannelLess": parameters}
    with pytest.raises(UserError, match=r"S001/E1' has the channels .* '.*S004/E1' has "):
        run_task(Settings.model_validate(toy), Layout(tmp_path), RunOptions())
    assert not (tmp_path / "downstream/noisy").exists()


def test_the_published_protocol_is_labelled_where_it_leaks(finished):
    layout, _ = finished
    published = settings(protocol="published", models=["nearest"])
    run_task(published, layout, RunOptions(), denoisers=["identity"])
    assert (
        "(LEAKS: people are tested who were also fitted on)"
        in (layout.tables / "toy_nearest_identity_published.md").read_text()
    )
    assert results.read(layout.downstream("predictions", "nearest", "identity_published"), published.tables).leaks


def test_a_split_that_shares_people_is_refused_under_protocol_subjects(finished):
    layout, _ = finished
    with pytest.raises(UserError, match="fold 1: a subject is in two parts"):
        assess.assess(settings(parameters={"leak": True}), layout, RunOptions(), names=["identity"])


def test_a_class_that_nobody_has_and_an_unknown_model_are_named(finished):
    layout, _ = finished
    with pytest.raises(UserError, match="nobody has class 'third'"):
        assess.assess(settings(parameters={"classes": ["first", "second", "third"]}), layout, RunOptions(), [])
    with pytest.raises(UserError, match="did you mean 'nearest'"):
        assess.assess(settings(models=["nearst"]), layout, RunOptions())


def test_a_denoiser_that_fails_is_counted_and_not_replaced(finished):
    layout, _ = finished
    names = [f"tests.downstream.test_running:{name}" for name in ("RefusesSome", "RefusesAll")]
    noisy = streams.open_streams(layout.downstream("noisy"))
    failing = [stream for _, stream in streams.each(noisy) if stream.signal[0, 0] > 0]
    assert 0 < len(failing) < 5
    reports = run_task(settings(), layout, RunOptions(), denoisers=names, models=["nearest"])
    assert (
        next(report.n_failures for report in reports if report.stage == "denoise") == len(failing) + 4
    )  # S005 is silent: nothing to refuse
    (folder,) = layout.downstream("predictions", "nearest").glob("refuses*")
    found = results.read(folder, settings().tables)
    clean, _, some, none = found.inputs
    assert some.n_people == len({stream.person for _, stream in streams.each(noisy)} - {s.person for s in failing}) - 1
    assert (some.n_examples + some.n_failed, none.n_examples, none.n_failed) == (
        clean.n_examples, 0, clean.n_examples,
    )  # fmt: skip
    assert np.isnan(none.values["accuracy"])
    text = next(layout.tables.glob("*refuses*.md")).read_text()
    assert "Failed: examples whose stream could not be mixed or denoised" in text


def test_parse_denoisers_refuses_all_and_more():
    with pytest.raises(UserError, match="--denoiser all,hp"):
        parse_denoisers(["all", "hp"])


@pytest.mark.parametrize(
    ("changes", "denoisers", "text"),
    [
        ({}, ["hpp"], "did you mean 'hp'?"),
        ({}, ["wiener_oracle"], "needs the noise kinds"),
        ({"task": None}, None, "downstream.task is not set"),
        ({"task": "gestures"}, None, "no task is called 'gestures'"),
        ({"models": ["nearst"]}, None, "did you mean 'nearest'?"),
    ],
)
def test_mistakes_are_said_before_any_work(tmp_path, changes, denoisers, text):
    with pytest.raises(UserError) as error:
        run_task(settings(**changes), Layout(tmp_path / "out"), RunOptions(), denoisers)
    assert text in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_path_that_is_set_for_the_benchmark_alone_is_explained(tmp_path, monkeypatch):
    monkeypatch.delenv("DATA_ROOT", raising=False)
    published = config.load(ROOT / "configs/downstream/gesture_published.yaml")
    with pytest.raises(
        UserError, match=r"or --set paths\.data_root=/path/to/data \(that of configs/config\.yaml is for"
    ):
        run_task(published, Layout(tmp_path), RunOptions(), denoisers=["hp"])


def test_the_command_line_says_a_mistake_in_one_line(tmp_path):
    config = tmp_path / "toy.yaml"
    config.write_text(yaml.safe_dump(settings().model_dump(mode="json", exclude={"config_file"})))
    script = "from cleansemg.downstream.common.running import main; main('toy')"
    result = subprocess.run(
        [sys.executable, "-c", script, "--config", str(config), "--output", str(tmp_path / "out"), "--denoiser", "hpp"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (result.returncode, result.stderr.count("\n")) == (2, 1), result.stderr[-1500:]
    assert "error: no denoiser is called 'hpp'; did you mean 'hp'?" in result.stderr


def test_the_stages_of_a_task_run_by_name_and_in_order():
    assert stages.of(Settings()) is stages.STAGES
    own = stages.of(settings())
    assert stages.parse("report, prepare", own) == ["prepare", "report"]
    assert stages.parse("all", own) == ["noise", "prepare", "contaminate", "denoise", "assess", "report"]
    assert [function.__name__ for _, function in stages.functions(["assess", "report"], own)] == ["assess", "report"]
    with pytest.raises(UserError, match="no stage is called 'mix'"):
        stages.parse("mix", own)


def test_table_2_has_ours_beside_the_printed_values(finished, tmp_path):
    layout, _ = finished
    path = table2.write({"gesture": layout.root, "fatigue": None}, {"gesture": "nearest"}, tmp_path, settings().tables)
    rows = {row["input"]: row for row in csv.DictReader(path.with_suffix(".csv").open())}
    assert list(rows)[:4] == ["clean", "noisy", "identity", "high"]
    assert rows["noisy"]["fatigue_accuracy_printed"] == "51.63"  # tables.md T2a
    assert (rows["TrustEMG-Net"]["gesture_f1_printed"], rows["TrustEMG-Net"]["gesture_f1_percent"]) == ("65.59", "")
    own = next(csv.DictReader((layout.tables / "toy_nearest.csv").open()))
    assert rows["clean"]["gesture_accuracy_percent"] == own["accuracy_percent"]
    assert "fatigue: not run." in path.read_text()
    assert "The printed networks are larger than those with pretrained weights" in path.read_text()
    with pytest.raises(UserError, match="--gesture FOLDER"):
        table2.write({"gesture": None, "fatigue": None}, {}, tmp_path)
    with pytest.raises(UserError, match=r"manifest\.json: not there"):
        table2.write({"gesture": tmp_path, "fatigue": None}, {}, tmp_path)
