import subprocess
import sys

import pytest

from cleansemg.core import artifact, invocation
from cleansemg.core.artifact import Artifact, Schema
from cleansemg.core.errors import ArtifactError
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def forget(monkeypatch):
    monkeypatch.setattr(invocation, "_options", [])


def test_an_error_of_python_code_names_the_stage(tmp_path):
    with pytest.raises(ArtifactError, match=r"run: cleansemg run --stages mix$"):
        Artifact.open(tmp_path, Schema("test-set", 1, step="cleansemg run --stages mix"))


def test_an_error_of_a_command_names_its_options(tmp_path):
    output = tmp_path / "my results"
    line = [sys.executable, "evaluation/make_tables.py", "--config", "demo", "--output", str(output), "--set", "seed=3"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    expected = f"run: cleansemg run --stages evaluate --config demo --output '{output}' --set seed=3"
    assert expected in done.stderr
    assert "FILE" not in done.stderr


def test_force_stands_last(tmp_path):
    (tmp_path / artifact.MANIFEST).write_text("{")
    with pytest.raises(ArtifactError, match="run: cleansemg run --stages qc --force"):
        Artifact.open(tmp_path, Schema("quality", 1, step="cleansemg run --stages qc"))
