"""The whole pipeline on recordings: small trees in Ninapro's layout, and real ones."""

from __future__ import annotations

import csv

import pytest

from cleansemg.core.artifact import Artifact
from cleansemg.core.layout import Layout
from cleansemg.data_pipeline.segmentation import SCHEMA as SEGMENTS
from cleansemg.evaluation.test_set import SCHEMA as TEST_SET
from tests.pipeline_runs import run


def test_ninapro_layout_from_config_to_table(tmp_path):
    """All six databases in their original layout, with their oddities, through configs/config.yaml."""
    from tests.layouts import machado, ninapro, nsrdb, nstdb

    data, out = tmp_path / "data", tmp_path / "out"
    ninapro.write_tree(data)
    machado.write_moa(data)
    nsrdb.write_nsrdb(data)
    nstdb.write_nstdb(data)
    settings = [
        "train.recipe={epochs: 1, batch_size: 4}", "train.mixtures_per_epoch=8", "train.valid_mixtures=4", "noise.piece_s=20",
        "mix.grid_segments=6", "tables.bootstrap_resamples=100", "evaluate.denoisers=[identity, zero, wiener_oracle, hp, ts, fcn]",
        "train.models=[fcn]", "calibrate.methods=[]",
    ]  # fmt: skip
    run(out, config="configs/config.yaml", settings=settings, env={"DATA_ROOT": str(data)}, workers=2, code=1)
    failures = "".join(path.read_text() for path in sorted(out.rglob("failures.csv")))
    causes = {line.partition(",")[2].split(" ", 1)[0] for line in failures.splitlines() if line != "item,cause"}
    assert causes == {
        "constant",
        "3",
    }  # a dead channel of DB3; three samples of NaN at rest in DB4: recorded, the rest kept
    layout = Layout(out)
    grades = list(csv.DictReader((layout.grades / "grades.csv").open()))
    kept = {
        (g["database"], g["subject"], g["exercise"], int(g["trial"]), int(g["channel"]))
        for g in grades
        if g["kept"] == "yes"
    }
    parts = {part: Artifact.open(layout.segments(part), SEGMENTS) for part in ("train", "valid", "test")}
    ids, trials, subjects = [], set(), {}
    for part, artifact in parts.items():
        table = artifact.columns("segment_id", "database", "subject", "exercise", "trial", "channel")
        ids += table["segment_id"].tolist()
        rows = list(
            zip(
                *(table[name].tolist() for name in ("database", "subject", "exercise", "trial", "channel")), strict=True
            )
        )
        trials |= set(rows)
        subjects[part] = {(database, subject) for database, subject, *_ in rows}
    assert len(ids) == len(set(ids))
    assert trials == kept
    assert {database for database, *_ in trials} == {"DB2", "DB3", "DB4", "DB7", "DB8", "DB10"}
    assert {exercise for database, _, exercise, *_ in trials if database == "DB2"} == {"E1", "E2", "E3"}
    assert {database for database, _ in subjects["test"]} == {"DB2"}
    assert not subjects["train"] & subjects["valid"]
    mixed = Artifact.open(layout.test_data("combined"), TEST_SET).columns("segment_id")["segment_id"]
    assert sorted(mixed) == sorted(parts["test"].columns("segment_id")["segment_id"])
    rows = list(csv.DictReader((layout.tables / "table1.csv").open()))
    assert len(rows) == 10
    assert (out / "test_data" / "test_combined.npz").exists()


@pytest.mark.realdata
def test_open_benchmark_from_raw_files_to_a_table(real_data, tmp_path):
    settings = [
        "train.models=[]",
        "evaluate.denoisers=[identity, zero, wiener_oracle, hp]",
        "mix.sets=[combined]",
        "evaluate.tracks=[blind]",
        "calibrate.methods=[]",
    ]
    run(tmp_path, config="configs/open.yaml", settings=settings, env={"CLEANSEMG_DATA": str(real_data)}, workers=2)
    grades = list(csv.DictReader((Layout(tmp_path).grades / "grades.csv").open()))
    passed: dict[str, list[bool]] = {}
    for grade in grades:
        spectral = float(grade["smr_db"]) > 12 and float(grade["shr_db"]) > 15 and float(grade["ohm"]) < 1.4
        passed.setdefault(grade["database"], []).append(spectral)
    assert {database: len(rows) for database, rows in passed.items()} == {
        "muscletracker": 890,
        "elderly_lower_limb": 90,
        "uci_lower_limb": 160,
    }
    assert sum(passed["muscletracker"]) == pytest.approx(310, abs=2)  # by an independent Welch, on the raw files
    assert sum(passed["elderly_lower_limb"]) == pytest.approx(85, abs=2)
    text = (tmp_path / "tables" / "table1.md").read_text()
    assert "a part of the data" not in text  # the split names 30 people of each, and all are there
