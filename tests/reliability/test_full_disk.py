"""A disk that is full: one clear line, nothing accepted later that is not whole, and the same bytes once there is room."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest

from cleansemg.downstream.common.running import STAGES as TASK_STAGES
from cleansemg.stages import STAGES
from tests.pipeline_runs import files
from tests.reliability.conftest import ROUNDS
from tests.reliability.test_crash import differing


def fill_and_rerun(pipeline, stage, folder):
    """Full at the last write, what people read and what comes after the manifest; in the long form in the middle, too."""
    rng = np.random.default_rng([*stage.encode()])
    whole = pipeline.ended[stage]
    middle = {int(n) for n in rng.integers(1, whole.writes + 1, size=ROUNDS - 1)}
    for write in sorted({*middle, whole.writes}):
        filled = folder / str(write)
        pipeline.restore(stage, filled)
        full = pipeline.run(stage, filled, full_at=write)
        assert full.code == 2, full.errors
        last = full.errors.strip().splitlines()[-1]
        assert last.startswith("error: ")
        assert "full" in last
        assert "Traceback" not in full.errors
        assert not any(name.endswith(".tmp") for name in files(filled))
        again = pipeline.run(stage, filled)
        assert again.code == whole.code, again.errors
        assert differing(pipeline.after[stage], files(filled)) == []


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_of_the_benchmark_on_a_full_disk(benchmark, tmp_path, stage):
    fill_and_rerun(benchmark, stage, tmp_path)


@pytest.mark.parametrize("stage", TASK_STAGES)
def test_a_stage_of_a_task_on_a_full_disk(task, tmp_path, stage):
    fill_and_rerun(task, stage, tmp_path)


def test_a_file_system_that_is_really_full(benchmark, tmp_path):
    """A tmpfs that holds half of what the stage writes; needs the right to mount."""
    stage = "mix"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(tmp_path)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a tmpfs here: {mounted.stderr.strip()}")
    try:
        benchmark.restore(stage, tmp_path)
        made = sum(
            len(content) for name, content in benchmark.after[stage].items() if name not in benchmark.before[stage]
        )
        used = sum(len(content) for content in benchmark.before[stage].values())
        resize = f"remount,size={used + made // 2 + 200_000}"
        subprocess.run(["mount", "-o", resize, str(tmp_path)], check=True)
        full = benchmark.run(stage, tmp_path)
        assert full.code == 2, full.errors
        assert "the disk is full" in full.errors
        assert "Traceback" not in full.errors
        subprocess.run(["mount", "-o", "remount,size=256m", str(tmp_path)], check=True)
        again = benchmark.run(stage, tmp_path)
        assert again.code == 0, again.errors
        assert differing(benchmark.after[stage], files(tmp_path)) == []
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
