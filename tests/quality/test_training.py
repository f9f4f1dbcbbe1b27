"""Training and test steps from end to end, small: resuming, tables, pictures, errors."""

from __future__ import annotations

import csv
import shutil

import numpy as np
import pytest

from cleansemg.core import weight_files
from cleansemg.core.errors import ArtifactError, UserError
from cleansemg.core.layout import Layout
from cleansemg.core.stage import RunOptions
from cleansemg.quality import models
from cleansemg.training import loop
from cleansemg.training.quality import fitting, pretrained, testing

from .conftest import settings_of


@pytest.fixture(scope="module")
def trained(workspace):
    settings, layout = workspace
    fitting.run(settings, layout, RunOptions())
    return settings, layout


def _changed(settings, **quality):
    return settings.model_copy(update={"quality": settings.quality.model_copy(update=quality)})


def test_weights_say_what_they_are(trained) -> None:
    settings, layout = trained
    folder = layout.quality_weights("qase")
    predictor = models.load(folder / fitting.WEIGHTS)
    assert predictor.info["lengths_s"] == [1.0, 2.0]
    assert predictor.info["seed"] == settings.seed
    assert len(predictor.info["thresholds"]) == 5
    assert models.count(predictor.network) == 129_366
    assert (folder / "curves.png").read_bytes()[:4] == b"\x89PNG"
    assert "was trained already" in fitting.run(settings, layout, RunOptions()).lines[0]


def test_a_killed_training_ends_with_the_same_bytes(trained, tmp_path, monkeypatch) -> None:
    settings, layout = trained
    expected = (layout.quality_weights("qase") / fitting.WEIGHTS).read_bytes()

    monkeypatch.setattr(Layout, "quality_weights", lambda self, model: tmp_path / model)
    real = loop.checkpoints.save
    calls = []

    def save_and_die(*args):
        real(*args)
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop.checkpoints, "save", save_and_die)
    with pytest.raises(KeyboardInterrupt):
        fitting.run(settings, layout, RunOptions())
    assert not (tmp_path / "qase" / "manifest.json").exists()
    fitting.run(settings, layout, RunOptions())
    assert (tmp_path / "qase" / fitting.WEIGHTS).read_bytes() == expected


def test_another_training_is_not_overwritten(trained) -> None:
    settings, layout = trained
    other = _changed(settings, clean_share=0.2)
    with pytest.raises(ArtifactError, match="--force"):
        fitting.run(other, layout, RunOptions())


def test_last_epoch_as_published(workspace, tmp_path, monkeypatch) -> None:
    settings, layout = workspace
    monkeypatch.setattr(Layout, "quality_weights", lambda self, model: tmp_path / model)
    plain = _changed(settings, keep="last", kinds=False, parameters={}, recipe={"epochs": 3, "learning_rate": 0.5})
    fitting.run(plain, layout, RunOptions())
    _, info = weight_files.read(tmp_path / "qase" / fitting.WEIGHTS)
    assert info["epoch"] == 3
    assert info["thresholds"] == []
    assert info["recipe"]["batch_size"] == 32


def test_published_recipe_is_the_default(tmp_path) -> None:
    settings = settings_of(tmp_path, "quality.recipe={}")
    recipe = fitting.resolve_recipe("qase", settings)
    assert (recipe.optimizer, recipe.learning_rate, recipe.batch_size, recipe.epochs) == ("adam", 1e-4, 32, 20)
    assert recipe.patience is None
    assert recipe.schedule.kind == "none"
    baseline = fitting.resolve_recipe("wldnn", settings)
    assert (baseline.learning_rate, baseline.epochs) == (1e-3, 30)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("quality.models=[qasse]", "did you mean 'qase'"),
        ("quality.recipe.learning_rte=1", "unknown recipe key"),
        ("quality.recipe.loss=l1", "have their own"),
        ("quality.parameters.qase.scale=max", "expected peak or rms"),
        ("quality.parameters.qasse.scale=rms", "did you mean 'qase'"),
        ("quality.models=[wldnn]", "quality.kinds: false"),
    ],
)
def test_mistakes_are_found_before_anything_runs(tmp_path, override, message) -> None:
    settings = settings_of(tmp_path, override)
    with pytest.raises(UserError, match=message):
        fitting.run(settings, Layout(tmp_path / "out"), RunOptions())
    assert not (tmp_path / "out").exists()


def test_tables_and_picture(trained) -> None:
    settings, layout = trained
    report = testing.run(settings, layout, RunOptions())
    assert report.n_failures == 0
    with (layout.tables / "quality_table.csv").open() as file:
        (row,) = csv.DictReader(file)
    mixtures = testing.Mixtures(layout, "test")
    predictor = models.load(layout.quality_weights("qase") / fitting.WEIGHTS)
    error = []
    for numbers in mixtures.by_length():
        predicted, probability = testing.predict(predictor, mixtures.noisy(numbers))
        error.append(predicted - mixtures.snr_db[numbers])
        assert ((probability >= 0) & (probability <= 1)).all()
    every = np.concatenate(error)
    assert float(row["MAE"]) == pytest.approx(np.abs(every).mean(), rel=1e-6)
    assert float(row["MSE"]) == pytest.approx((every**2).mean(), rel=1e-6)
    assert int(row["n_mixtures"]) == len(every)
    conditions = {r["condition"] for r in csv.DictReader((layout.tables / "quality_by_condition.csv").open())}
    assert {"1 s", "2 s", "-5 to 0 dB", "2 kinds"} <= conditions
    kinds = list(csv.DictReader((layout.tables / "quality_kinds.csv").open()))
    assert kinds[0]["ECG"] == ""  # no mixture holds it, so there is nothing to score
    assert (layout.tables / "quality_qase.png").read_bytes()[:4] == b"\x89PNG"
    first = (layout.tables / "quality_qase.png").read_bytes()
    testing.run(settings, layout, RunOptions(workers=2))
    assert (layout.tables / "quality_qase.png").read_bytes() == first


def test_test_step_without_weights_says_what_to_run(workspace, tmp_path, monkeypatch) -> None:
    settings, layout = workspace
    monkeypatch.setattr(Layout, "quality_weights", lambda self, model: tmp_path / model)
    with pytest.raises(UserError, match=r"training/quality/train\.py"):
        testing.run(settings, layout, RunOptions())
    with pytest.raises(UserError, match=r"quality\.models is empty"):
        testing.run(_changed(settings, models=()), layout, RunOptions())


def test_altered_mixtures_are_refused(workspace, tmp_path) -> None:
    _, layout = workspace
    shutil.copytree(layout.root, tmp_path / "out")
    own = Layout(tmp_path / "out")
    shard = next(own.quality_mixtures("test").glob("*.npz"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(bytes(content))
    with pytest.raises(ArtifactError, match="altered"):
        testing.Mixtures(own, "test")


def test_weights_and_a_card_are_copied(trained, tmp_path) -> None:
    settings, layout = trained
    testing.run(settings, layout, RunOptions())
    path = pretrained.copy_weights(layout, "qase", tmp_path, "qase_small")
    assert path.read_bytes() == (layout.quality_weights("qase") / fitting.WEIGHTS).read_bytes()
    card = pretrained.describe(settings, layout, "qase", path)
    assert "129,366 parameters" in card
    assert "| all |" in card
    assert "| threshold |" in card
    assert (tmp_path / "qase_small.png").exists()
    (layout.tables / "quality_qase.png").unlink()
    with pytest.raises(UserError, match=r"training/quality/test\.py"):
        pretrained.copy_weights(layout, "qase", tmp_path, "qase_small")
