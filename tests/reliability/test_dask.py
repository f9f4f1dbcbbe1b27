"""A whole run of the benchmark over a real scheduler with two worker processes, one of them killed on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from tests.core.clusters import cluster
from tests.pipeline_runs import command, files, run
from tests.processes import start
from tests.reliability.conftest import TINY

FAST = [
    *(text for text in TINY if not text.startswith("evaluate.denoisers")),
    "evaluate.denoisers=[identity, hp]",
    "evaluate.tracks=[blind]",
]
BEFORE_TRAINING = "qc,grade,split,segment,noise,mix,evaluate"
SHORT = [*FAST, "calibrate.methods=[]", "train.models=[]"]


def differing(left: dict[str, bytes], right: dict[str, bytes]) -> list[str]:
    return sorted({*left, *right} - {name for name in left if left[name] == right.get(name)})


def test_a_run_on_a_cluster_gives_the_bytes_of_a_serial_run(tmp_path):
    """The short form: without calibration and training, one worker killed in the middle."""
    run(tmp_path / "serial", "--stages", BEFORE_TRAINING, settings=SHORT)
    with cluster(tmp_path) as two:
        words = command(
            tmp_path / "cluster", "--stages", BEFORE_TRAINING, "--scheduler", two.address, settings=SHORT
        )  # fmt: skip
        process = start(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 240
        while not list((tmp_path / "cluster").rglob("test_data/*/*.npz")) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        two.workers[0].send_signal(signal.SIGKILL)  # while mixtures are made
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors[-2000:]
        assert two.workers[0].wait() == -signal.SIGKILL
    assert differing(files(tmp_path / "serial"), files(tmp_path / "cluster")) == []


@pytest.mark.slow
def test_every_stage_on_a_cluster_gives_the_bytes_of_a_serial_run(tmp_path):
    run(tmp_path / "serial", settings=FAST)
    with cluster(tmp_path) as two:
        run(tmp_path / "cluster", "--scheduler", two.address, settings=FAST)
    assert differing(files(tmp_path / "serial"), files(tmp_path / "cluster")) == []


def test_no_scheduler_is_one_line(tmp_path):
    env = {**os.environ, "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "1s"}
    result = run(
        tmp_path, "--stages", "noise", "--scheduler", "tcp://127.0.0.1:9", code=2, env=env, settings=SHORT
    )  # fmt: skip
    assert result.stderr.startswith("error: --scheduler tcp://127.0.0.1:9: no scheduler answers there")
    assert result.stderr.count("\n") == 1
