"""The run_all.sh of the tasks: the commands that they come to, with an interpreter that prints its arguments."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from cleansemg.core import config
from tests.conftest import ROOT


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The scripts of the tasks in a project of their own; its interpreter says each command in a line."""
    root = tmp_path / "project"
    for path in [*ROOT.glob("downstream/*/run_all.sh"), *ROOT.glob("scripts/*.sh")]:
        target = root / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    for task in ("gesture", "fatigue", "gait", "neuromuscular"):
        (root / f"downstream/{task}/run.py").touch()
    python = root / "python"
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)
    (root / "scripts/environment.sh").write_text(f"cd '{root}'\nPYTHON={python}\n")
    return root


def commands(project: Path, task: str, *arguments: str, where: Path | None = None) -> list[str]:
    """What `run_all.sh` of a task runs."""
    done = subprocess.run(
        ["bash", project / f"downstream/{task}/run_all.sh", *arguments],
        cwd=where or project, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def test_paths_are_the_callers(project: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").touch()
    (tmp_path / "DB2").mkdir()
    (line,) = commands(project, "neuromuscular", "--config=mine.yaml", "--output", "out", where=tmp_path)
    assert line == f"downstream/neuromuscular/run.py --config {tmp_path}/mine.yaml --output {tmp_path}/out"
    first, *_ = commands(project, "gesture", "--db2-root=DB2", "--config", "configs/a.yaml", where=tmp_path)
    assert first.endswith(f"--db2-root {tmp_path}/DB2 --config configs/a.yaml")  # the project's, as documented
    first, *_ = commands(project, "gait", "--output=/out", "--quiet", where=tmp_path)
    assert first.endswith("--output /out --quiet")


def test_fatigue_reads_the_cache_that_it_is_given(project: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/config.yaml").touch()
    expected = [f"downstream/fatigue/fatigue_{model}.py --output-cache {tmp_path}/cache" for model in ("svm", "cnn")]
    assert commands(project, "fatigue", "--output-cache=cache", where=tmp_path) == expected
    assert commands(project, "fatigue", "--output-cache", "cache", where=tmp_path) == expected


def test_gesture_evaluates_all_of_its_configuration_for_table_2(project: Path) -> None:
    *prepared, last = commands(project, "gesture", "--output", "/out")
    assert last == "downstream/gesture/evaluate.py --output /out"
    settings = config.load(ROOT / "configs/downstream/gesture_published.yaml").downstream
    names = [row if isinstance(row, str) else row.name for row in settings.denoisers]
    assert sorted(line.split()[2] for line in prepared) == sorted(names)


def test_gesture_on_the_open_set_takes_denoisers(project: Path) -> None:
    assert commands(project, "gesture", "--open", "--denoiser", "hp") == ["downstream/gesture/run.py --denoiser hp"]
    assert commands(project, "gesture", "--open") == ["downstream/gesture/run.py"]
