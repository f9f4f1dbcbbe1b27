"""`kill -9` at random moments of every stage, then the same command again: the bytes of a run that was left alone."""

from __future__ import annotations

import shutil
import time

import numpy as np
import pytest

from cleansemg.downstream.common.running import STAGES as TASK_STAGES
from cleansemg.stages import STAGES
from tests.nursery import members
from tests.pipeline_runs import files
from tests.reliability.conftest import ROUNDS

LONG = ROUNDS > 1
PATIENCE_S = 60  # for workers to find out that they are orphans, on a busy machine


def differing(left: dict[str, bytes], right: dict[str, bytes]) -> list[str]:
    return sorted({*left, *right} - {name for name in left if left[name] == right.get(name)})


def kill_and_rerun(pipeline, stage, folder, seed, workers=1):
    """Kills at a write, then by the clock over what that left; then one run to the end."""
    rng = np.random.default_rng([seed, *stage.encode()])
    pipeline.restore(stage, folder)
    whole = pipeline.ended[stage]
    fates = [
        {"at_write": int(rng.integers(1, whole.writes + 1)), "late": bool(rng.integers(2))},
        {"after_s": float(rng.uniform(0, whole.seconds))},
    ]
    killed = 0
    for fate in fates:
        ended = pipeline.run(stage, folder, workers, **fate)
        assert ended.killed or ended.code == whole.code, ended.errors
        killed += ended.killed
    again = pipeline.run(stage, folder, workers)
    assert again.code == whole.code, again.errors
    assert differing(pipeline.after[stage], files(folder)) == [], f"{stage}, seed {seed}"
    return killed


@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_stage_of_the_benchmark_ends_with_the_same_bytes(benchmark, tmp_path, stage):
    killed = 0
    for seed in range(ROUNDS):
        folder = tmp_path / str(seed)
        killed += kill_and_rerun(benchmark, stage, folder, seed)
        shutil.rmtree(folder)
    assert killed >= ROUNDS  # the one at a write, at least


@pytest.mark.parametrize("stage", TASK_STAGES)
def test_a_killed_stage_of_a_task_ends_with_the_same_bytes(task, tmp_path, stage):
    killed = 0
    for seed in range(ROUNDS):
        folder = tmp_path / str(seed)
        killed += kill_and_rerun(task, stage, folder, seed)
        shutil.rmtree(folder)
    assert killed >= ROUNDS


PARALLEL = ["qc", "segment", "noise", "mix", "calibrate", "train", "evaluate"] if LONG else ["mix"]


@pytest.mark.parametrize("stage", PARALLEL)
def test_workers_do_not_outlive_a_killed_run(benchmark, tmp_path, stage):
    """The rerun starts at once, while workers of the killed run may still hold a shard."""
    for seed in range(ROUNDS):
        rng = np.random.default_rng([seed, *stage.encode(), 2])
        folder = tmp_path / str(seed)
        benchmark.restore(stage, folder)
        whole = benchmark.run(stage, folder, workers=2)
        assert whole.code == benchmark.ended[stage].code, whole.errors
        assert differing(benchmark.after[stage], files(folder)) == []
        shutil.rmtree(folder)

        benchmark.restore(stage, folder)
        killed = benchmark.run(stage, folder, workers=2, after_s=float(rng.uniform(0.3, 1.0)) * whole.seconds)
        again = benchmark.run(stage, folder, workers=2)
        assert again.code == whole.code, again.errors
        assert differing(benchmark.after[stage], files(folder)) == [], f"{stage}, seed {seed}"
        deadline = time.monotonic() + PATIENCE_S
        while (left := members(killed.session)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert left == [], f"workers {left} outlive the run that was killed"
        shutil.rmtree(folder)


def test_every_write_of_a_stage_may_be_the_last(benchmark, tmp_path):
    """Killed before its first file, then before its second, ...: each run goes on where the last one stopped."""
    stage = "mix"
    benchmark.restore(stage, tmp_path)
    for write in range(1, benchmark.ended[stage].writes + 1):
        assert benchmark.run(stage, tmp_path, at_write=2).killed or write > 1
    again = benchmark.run(stage, tmp_path)
    assert again.code == 0, again.errors
    assert differing(benchmark.after[stage], files(tmp_path)) == []
