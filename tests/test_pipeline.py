"""The whole pipeline on a small simulated set: in parallel, killed and resumed, in other shards, over bash."""

from __future__ import annotations

import csv
import math
import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from cleansemg.core.artifact import Artifact
from cleansemg.core.layout import Layout
from cleansemg.evaluation.test_set import SCHEMA as TEST_SET
from tests.conftest import ROOT
from tests.pipeline_runs import SMALL, command, files, run
from tests.processes import start


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
    assert sorted((row["denoiser"], row["track"]) for row in rows) == [
        ("fcn", "blind"), ("hp", "blind"), ("identity", "blind"), ("wiener_oracle", "oracle"),
    ]  # fmt: skip
    drawn = list(csv.DictReader((finished / "tables" / "table1_drawn.csv").open()))
    assert {row["track"] for row in drawn if row["denoiser"] == "hp"} == {"blind", "auto", "oracle", "published"}
    assert all(math.isfinite(float(row[name])) for row in rows for name in ("SNRimp", "RMSE", "LSD", "RMSE_MDF"))
    scores = {(row["denoiser"], row["track"]): float(row["SNRimp"]) for row in rows}
    assert f"{scores['identity', 'blind']:.3f}" == "0.000"
    assert scores.pop("wiener_oracle", None) is None
    assert max(scores, key=scores.__getitem__) == ("wiener_oracle", "oracle")


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_moments_and_rerun_gives_the_same_bytes(finished, tmp_path, seed):
    """However slow the machine is: after some kills, the last run has all the time that it needs."""
    rng = np.random.default_rng(seed)
    kills = 0
    for _ in range(6):
        process = start(
            command(tmp_path, "--quiet"),
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
    run(tmp_path, "--quiet")
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
        ["bash", "scripts/run_pipeline.sh", "--config", "configs/demo.yaml", "--output", str(tmp_path), *sets,
         "--stages", "all,calibrate,train,evaluate,tables"],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    assert differing(files(finished), files(tmp_path)) == []


def test_other_settings_are_refused_over_old_results(finished):
    before = files(finished)
    result = run(finished, "--stages", "mix", settings=[*SMALL, "mix.wgn_floor_db=-6"], code=2)
    assert "made under another configuration" in result.stderr
    assert "--force" in result.stderr
    assert differing(before, files(finished)) == []


def test_an_interrupted_run_says_how_to_go_on(tmp_path):
    process = start(
        [*command(tmp_path)[:1], "-u", *command(tmp_path)[1:]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline().startswith("qc:")  # the first stage is done, the next ones take a while
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "run the same command again" in errors
    assert "Traceback" not in errors
