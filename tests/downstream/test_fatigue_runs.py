"""The fatigue task from files in Cerqueira's layout to its tables, in one command and in the published steps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from cleansemg.core import config
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.core.stage import RunOptions
from cleansemg.downstream.common.running import run_task
from cleansemg.downstream.fatigue import prepared
from tests.conftest import ROOT
from tests.layouts.cerqueira import write_tree
from tests.pipeline_runs import files
from tests.processes import python

NOISE = {
    "piece_s": 10,
    "kinds": {
        "WGN": [{"source": "wgn", "pieces": {"train": 1, "valid": 1, "test": 1}}],
        "Color": [{"source": "color", "pieces": {"train": 4, "valid": 4, "test": 4}}],
    },
}


@pytest.fixture(scope="module")
def cerqueira(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A tree in the original's layout with one report missing, and a configuration for it."""
    root = tmp_path_factory.mktemp("cerqueira")
    data = write_tree(root / "data", subjects=(1, 2, 4, 8), trials=(1, 2), trial_s=9.0)
    (data / "self_perceived_fatigue_index/subject_4/trial_2.csv").unlink()
    path = root / "fatigue.yaml"
    # not `extends`, which merges key by key: the kinds of noise that need recordings have to go
    content = yaml.safe_load((ROOT / "configs/downstream/fatigue_cerqueira.yaml").read_text())
    content["noise"] = NOISE
    content["downstream"]["parameters"] = {"window_s": 1.0, "step_s": 0.5, "n_folds": 4}
    content["downstream"].update(n_kinds=[1, 2], denoisers=["hp"])
    path.write_text(yaml.safe_dump(content))
    return path, data


def test_the_published_steps_from_files_to_a_table(cerqueira: tuple[Path, Path], tmp_path: Path) -> None:
    path, data = cerqueira
    made = config.load(path, [f"datasets.cerqueira.folder={data}"])
    reports = prepared.prepare(made, tmp_path, RunOptions(), [])
    assert [report.n_failures for report in reports[1:]] == [1, 0]  # the trial without a report, and nothing else
    failures = (tmp_path / "downstream/clean/failures.csv").read_text()
    assert "subject_4/trial_2.csv is missing" in failures

    reports = prepared.compare(tmp_path, [], RunOptions(), ["hp"], ["svm"])
    assert "7 streams" in reports[0].lines[0]
    table = (tmp_path / "tables/fatigue_svm_hp.md").read_text()
    assert all(re.search(rf"^\| {row} +\|", table, re.M) for row in ("clean", "noisy", "hp", "time alone"))
    assert "time alone: a classifier without any signal" in table
    assert "time alone" not in (tmp_path / "tables/fatigue_svm_hp_paired.md").read_text()

    own = files(tmp_path / "downstream/predictions/svm/hp")
    denoised = tmp_path / "downstream/denoised/hp"
    made = {path: path.stat().st_mtime_ns for path in denoised.glob("*.npz")}
    prepared.compare(tmp_path, ["downstream.protocol=published"], RunOptions(force=True), ["hp"], ["svm"])
    assert "leak" in (tmp_path / "tables/fatigue_svm_hp_published.md").read_text().lower()
    assert (tmp_path / "tables/fatigue_svm_hp.md").read_text() == table  # one protocol beside the other
    assert files(tmp_path / "downstream/predictions/svm/hp") == own
    assert {path: path.stat().st_mtime_ns for path in denoised.glob("*.npz")} == made  # --force denoises nothing anew


def test_force_denoises_anew_where_other_recordings_were_prepared(cerqueira: tuple[Path, Path], tmp_path: Path) -> None:
    path, data = cerqueira
    for snr_db in (0, 10):
        options = RunOptions(force=True)
        made = config.load(path, [f"datasets.cerqueira.folder={data}", f"downstream.snr_db=[{snr_db}]"])
        prepared.prepare(made, tmp_path, options, [])
        prepared.compare(tmp_path, [], options, ["hp"], ["svm"])


def test_from_files_to_a_table_in_one_command(cerqueira: tuple[Path, Path], tmp_path: Path) -> None:
    path, data = cerqueira
    made = config.load(path, [f"datasets.cerqueira.folder={data}", "downstream.models=[svm]"])
    reports = run_task(made, Layout(tmp_path), RunOptions())
    assert reports[-1].stage == "report"
    assert (tmp_path / "tables/fatigue_svm.csv").exists()
    assert (tmp_path / "tables/fatigue_svm_confusion.png").exists()


def test_nothing_prepared(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"preprocess_and_denoise\.py"):
        prepared.compare(tmp_path, [], RunOptions(), None, ["svm"])


@pytest.mark.parametrize("name", ["run.py", "preprocess_and_denoise.py", "fatigue_svm.py", "fatigue_cnn.py"])
def test_scripts_have_help(name: str) -> None:
    done = python(f"downstream/fatigue/{name}", "--help")
    assert done.returncode == 0, done.stderr
    assert "--denoiser" in done.stdout


@pytest.mark.parametrize("name", ["fatigue", "fatigue_cerqueira", "fatigue_published"])
def test_configurations_load(name: str) -> None:
    made = config.load(ROOT / f"configs/downstream/{name}.yaml")
    assert made.downstream.task == "fatigue"
    assert made.downstream.protocol == ("published" if name == "fatigue_published" else "subjects")
