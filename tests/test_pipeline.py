"""The whole pipeline, from recordings to tables: resumed, in parallel, in other shards, on Ninapro's layout, on real data."""

from __future__ import annotations

import csv
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from core.artifact import Artifact
from core.layout import Layout
from data_pipeline.segmentation import SCHEMA as SEGMENTS
from evaluation.test_set import SCHEMA as TEST_SET
from tests.conftest import ROOT

SMALL = [
    "datasets.simulated.parameters={n_subjects: 5, n_channels: 2, n_gestures: 2, n_repetitions: 1}",
    "noise.piece_s=12", "noise.kinds.ECG=[]", "noise.kinds.MOA=[]", "mix.n_kinds=[1, 2]", "mix.snr_db=[-10, 0, 10]",
    "mix.grid_segments=5", "mix.shard_size=9", "train.mixtures_per_epoch=16", "train.valid_mixtures=8",
    "train.recipe={epochs: 2, batch_size: 8}", "evaluate.denoisers=[identity, wiener_oracle, hp, fcn]",
    "tables.bootstrap_resamples=100",
]  # fmt: skip


def command(output, *more, config="configs/demo.yaml", settings=SMALL, workers=1):
    sets = [word for text in settings for word in ("--set", text)]
    return [
        sys.executable, "-m", "cleansemg", "run", "--config", config, "--output", str(output), "--workers", str(workers),
        *sets, *more,
    ]  # fmt: skip


def run(output, *more, code=0, env=None, **options):
    result = subprocess.run(
        command(output, *more, **options),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(env or {})},
    )
    assert result.returncode == code, result.stderr[-2000:]
    return result


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """One small run, with one worker."""
    folder = tmp_path_factory.mktemp("finished")
    run(folder)
    return folder


def differing(left: dict[str, bytes], right: dict[str, bytes]) -> list[str]:
    return sorted({*left, *right} - {name for name in left if left[name] == right.get(name)})


def test_two_workers_give_the_same_bytes(finished, tmp_path):
    run(tmp_path, workers=2)
    assert differing(files(finished), files(tmp_path)) == []


def test_the_table_is_finite_and_the_ceiling_is_on_top(finished):
    rows = list(csv.DictReader((finished / "tables" / "table1.csv").open()))
    assert [row["denoiser"] for row in rows] == ["identity", "wiener_oracle", "hp", "hp", "fcn"]
    assert all(math.isfinite(float(row[name])) for row in rows for name in ("SNRimp", "RMSE", "LSD", "RMSE_MDF"))
    scores = {(row["denoiser"], row["track"]): float(row["SNRimp"]) for row in rows}
    assert f"{scores['identity', 'blind']:.3f}" == "0.000"
    assert scores.pop("wiener_oracle", None) is None
    assert max(scores, key=scores.__getitem__) == ("wiener_oracle", "oracle")


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_moments_and_rerun_gives_the_same_bytes(finished, tmp_path, seed):
    rng = np.random.default_rng(seed)
    kills = 0
    for _ in range(40):
        process = subprocess.Popen(
            command(tmp_path, "--quiet"),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            process.wait(timeout=float(rng.uniform(3, 9)))
            break
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
    assert kills >= 1
    assert process.returncode == 0
    assert differing(files(finished), files(tmp_path)) == []


def test_another_shard_size_gives_the_same_values(finished, tmp_path):
    run(tmp_path, settings=[*SMALL, "mix.shard_size=4"])
    for name in ("combined", "grid"):
        left, right = (Artifact.open(Layout(root).test_data(name), TEST_SET) for root in (finished, tmp_path))
        columns = [a.columns("mixture_id", "noisy", "gain") for a in (left, right)]
        for column in columns[0]:
            np.testing.assert_array_equal(columns[0][column], columns[1][column])
    for table in ("table1.csv", "snr_by_kinds.csv", "by_noise.csv"):
        assert (finished / "tables" / table).read_bytes() == (tmp_path / "tables" / table).read_bytes()


def test_the_bash_pipeline_is_the_same_pipeline(finished, tmp_path):
    sets = [word for text in SMALL for word in ("--set", text)]
    subprocess.run(
        ["bash", "scripts/run_pipeline.sh", "--config", "configs/demo.yaml", "--stages", "all", "--output", str(tmp_path), *sets],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    assert differing(files(finished), files(tmp_path)) == []


def test_other_settings_are_refused_over_old_results(finished):
    before = files(finished)
    result = run(finished, "--stages", "mix", settings=[*SMALL, "mix.wgn_floor_db=-6"], code=2)
    assert "made under another configuration" in result.stderr
    assert "--force" in result.stderr
    assert differing(before, files(finished)) == []


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
        "train.models=[fcn]",
    ]  # fmt: skip
    run(out, config="configs/config.yaml", settings=settings, env={"DATA_ROOT": str(data)}, workers=2)
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
    assert len(rows) == 8
    assert (out / "test_data" / "test_combined.npz").exists()


@pytest.mark.realdata
def test_open_benchmark_from_raw_files_to_a_table(real_data, tmp_path):
    settings = ["train.models=[]", "evaluate.denoisers=[identity, zero, wiener_oracle, hp]", "mix.grid_segments=10"]
    run(tmp_path, config="configs/open.yaml", settings=settings, env={"CLEANSEMG_DATA": str(real_data)}, workers=2)
    grades = list(csv.DictReader((Layout(tmp_path).grades / "grades.csv").open()))
    passed: dict[str, list[bool]] = {}
    for grade in grades:
        spectral = float(grade["smr_db"]) > 12 and float(grade["shr_db"]) > 15 and float(grade["ohm"]) < 1.4
        passed.setdefault(grade["database"], []).append(spectral)
    assert 0.30 < np.mean(passed["muscletracker"]) < 0.40  # measured by an independent Welch: 0.352
    assert 0.85 < np.mean(passed["elderly_lower_limb"]) < 0.95  # 0.90
    text = (tmp_path / "tables" / "table1.md").read_text()
    assert "16 of 30 subjects" in text
    assert "10 of 30 subjects" in text


def test_an_interrupted_run_says_how_to_go_on(tmp_path):
    process = subprocess.Popen(command(tmp_path), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(4)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    if process.returncode != 0:
        assert process.returncode == 130
        assert "run the same command again" in errors
        assert "Traceback" not in errors
