"""One small run of the benchmark and one toy task, and copies of them that a test may spoil."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cleansemg.core import npz
from cleansemg.core.layout import Layout
from cleansemg.core.stage import RunOptions
from cleansemg.downstream.common.running import run_task
from tests.downstream.test_running import settings
from tests.pipeline_runs import SMALL, run

FEW = [
    text
    for text in SMALL
    if not text.startswith(("train.", "evaluate.denoisers", "calibrate.methods", "mix.grid_segments"))
]


@pytest.fixture(scope="session")
def benchmark(tmp_path_factory) -> Path:
    """Results of a run with two denoisers and no training."""
    folder = tmp_path_factory.mktemp("results")
    run(
        folder,
        settings=[
            *FEW, "train.models=[]", "evaluate.denoisers=[identity, hp]", "calibrate.methods=[]", "mix.grid_segments=3",
            "mix.sets=[combined, grid, clean]",
        ],
    )  # fmt: skip
    return folder


@pytest.fixture(scope="session")
def task(tmp_path_factory) -> Path:
    """Results of a toy task."""
    layout = Layout(tmp_path_factory.mktemp("task"))
    run_task(settings(models=["nearest"]), layout, RunOptions())
    return layout.root


@pytest.fixture
def copy(benchmark, tmp_path) -> Path:
    return Path(shutil.copytree(benchmark, tmp_path / "copy"))


@pytest.fixture
def task_copy(task, tmp_path) -> Path:
    return Path(shutil.copytree(task, tmp_path / "copy"))


def forge(path: Path, change: Callable[[dict], None]) -> None:
    """Change arrays of a shard and make its manifest fit, as one would who wants to get away with it."""
    arrays = npz.read(path)
    change(arrays)
    digest = npz.write(path, arrays)
    edit_manifest(path.parent, lambda m: next(s for s in m["shards"] if s["name"] == path.stem).update(sha256=digest))


def edit_manifest(folder: Path, change: Callable[[dict], None]) -> None:
    """Change a manifest, in the form that the program writes, its own hash included."""
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    del content["sha256"]
    change(content)
    text = json.dumps(content, indent=1, sort_keys=True) + "\n"
    content["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
