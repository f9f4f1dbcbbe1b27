"""QASE-net's protocol (spec E) from end to end, on small files in the layouts of Ninapro DB2 and NSRDB."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from cleansemg.core import config
from cleansemg.core.artifact import Artifact
from cleansemg.core.layout import Layout
from cleansemg.core.seeding import generator
from cleansemg.core.stage import RunOptions
from cleansemg.noise.pool import SCHEMA as NOISE
from cleansemg.training.quality import fitting, testing
from cleansemg.training.quality.mixtures import Mixtures
from tests.layouts import ninapro, nsrdb

SMALL = (
    "noise.piece_s=12",
    "quality.models=[wldnn, cnn]",
    "quality.grid_db.train=[0, -15]",
    "quality.grid_db.valid=[-0.5]",
    "quality.grid_db.test=[0, -7.5, -15]",
    "quality.recipe={epochs: 2, batch_size: 8}",
    "quality.overrides={}",
    "tables.bootstrap_resamples=100",
)
TRAIN_RECORDS = [
    "16265",
    "16272",
    "16273",
    "16420",
    "16483",
    "16539",
    "16773",
    "16786",
    "16795",
    "17052",
    "17453",
    "18177",
]
TEST_RECORDS = ["18184", "19088", "19090", "19093", "19140", "19830"]


def _write_db2(root: Path, subjects: tuple[int, ...]) -> None:
    for subject in subjects:
        rng = generator(0, "quality protocol", subject)
        variables = ninapro.recording(rng, 2000.0, 1, 1, 2, 5.0, 2.0, 12)
        path = root / "DB2" / f"DB2_s{subject}" / f"S{subject}_E1_A1.mat"
        path.parent.mkdir(parents=True)
        scipy.io.savemat(path, variables, oned_as="row")


def _records(layout: Layout, part: str) -> list[str]:
    return sorted(Artifact.open(layout.noise(part), NOISE).columns("record")["record"].tolist())


def _channels(mixtures: Mixtures) -> set[str]:
    return {name.split("_C")[1][:2] for name in mixtures.segments.ids}


def test_published_protocol(tmp_path, monkeypatch) -> None:
    _write_db2(tmp_path, (1, 25, 33))
    nsrdb.write_nsrdb(tmp_path, seconds=40)
    monkeypatch.setenv("DATA_ROOT", str(tmp_path))
    settings = config.load(Path("configs/quality/qase_published.yaml"), SMALL)
    layout = Layout(tmp_path / "out")
    fitting.run(settings, layout, RunOptions())
    report = testing.run(settings, layout, RunOptions())

    train, valid, test = (Mixtures(layout, part) for part in ("train", "valid", "test"))
    assert [sorted(set(m.subject.tolist())) for m in (train, valid, test)] == [
        ["DB2/S1"], ["DB2/S25"], ["DB2/S33"],
    ]  # fmt: skip
    assert [_channels(m) for m in (train, valid, test)] == [{"00", "01", "02", "03"}, {"04", "05"}, {"08", "09"}]
    assert {m.segments.length for m in (train, valid, test)} == {10_000}
    assert [len(m) // len(m.segments) for m in (train, valid, test)] == [2, 1, 3]
    assert set(test.snr_db.tolist()) == {0.0, -7.5, -15.0}
    numbers = np.arange(len(test))
    assert test.noisy(numbers).shape == (len(test), 10_000)

    assert [record.split("@")[0] for record in _records(layout, "train")] == TRAIN_RECORDS
    assert [record.split("@")[0] for record in _records(layout, "valid")] == TEST_RECORDS
    assert [record.split("@")[0] for record in _records(layout, "test")] == TEST_RECORDS

    table = (layout.tables / "quality_table.md").read_text()
    assert "printed, CNN" in table
    assert "valid and test share 6 noise records" in table  # pitfall 13: labelled where it leaks
    assert any("share 6 noise records" in line for line in report.lines)


def test_the_whole_grids_are_those_of_the_paper(monkeypatch) -> None:
    monkeypatch.setenv("DATA_ROOT", "/nowhere")
    quality = config.load(Path("configs/quality/qase_published.yaml"), ()).quality
    assert quality.grid_db["train"] == tuple(-float(snr) for snr in range(16))
    for part in ("valid", "test"):
        assert quality.grid_db[part] == tuple(-0.5 * step for step in range(31))
    assert quality.keep == "last"
    recipe = fitting.resolve_recipe("qase", config.load(Path("configs/quality/qase_published.yaml"), ()))
    assert (recipe.learning_rate, recipe.batch_size, recipe.clip_norm) == (1e-4, 32, None)


@pytest.mark.parametrize("name", ["qase", "qase_ecg", "open"])
def test_other_configurations_are_read(name: str) -> None:
    settings = config.load(Path(f"configs/quality/{name}.yaml"), ())
    assert settings.protocol == "disjoint"
    if settings.quality.weights == "trained":
        for model in settings.quality.models:
            fitting.resolve_recipe(model, settings)
            fitting.models.build(model, **fitting.parameters_of(model, settings))
