"""The command lines that the published benchmark documents, as they stand, one after the other in one folder (pitfall 29)."""

from __future__ import annotations

import csv
import json
import os
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from cleansemg.denoising import load_network
from tests.conftest import ROOT
from tests.evaluation.test_evaluating import published_item
from tests.pipeline_runs import files

SMALL = {
    "title": "small",
    "seed": 1,
    "paths": {"output": "outputs"},
    "datasets": {
        "simulated": {"parameters": {"n_subjects": 5, "n_channels": 1, "n_gestures": 2, "n_repetitions": 1}},
        "absent": {"enabled": False},
    },
    "split": {"rule": "stratified", "valid_fraction": 0.2, "test_fraction": 0.3},
    "noise": {"piece_s": 12, "kinds": {"PLI": [{"source": "pli"}], "WGN": [{"source": "wgn"}]}},
    "mix": {"snr_db": [-10, 10], "n_kinds": [1, 2], "grid_segments": 2, "shard_size": 9},
    "calibrate": {"methods": ["all"]},
    "train": {
        "form": "small", "models": ["trustemg_rm"], "mixtures_per_epoch": 16, "valid_mixtures": 8,
        "recipe": {"epochs": 1, "batch_size": 8},
    },
    "evaluate": {"denoisers": ["identity", "hp", "ts", "trustemg_rm"]},
    "tables": {"bootstrap_resamples": 100},
}  # fmt: skip

PREPARE = "bash scripts/run_pipeline.sh --config configs/config.yaml --stages all"
SEQUENCE = """
bash scripts/run_train.sh --config configs/config.yaml --model TrustEMGNet_RM
python training/train_classical.py --config configs/config.yaml --trad-config configs/config_tradition.yaml \\
    --segments-root outputs/segments/data_crossDB_seg2s --noise-root outputs/noise/sEMG_noise_train \\
    --weights outputs/weights_tradition --methods all
python evaluation/evaluate_neural.py --config configs/config.yaml --model FCN \\
    --model-path outputs/weights_baseline/FCN/FCN_best.pth --test-data data/sample/test_combined.npz --output results/FCN/
python evaluation/evaluate_classical.py --config configs/config.yaml --trad-config configs/config_tradition.yaml \\
    --params data/sample/tradition_params.json --test-data data/sample/test_combined.npz --output results/hp/
bash scripts/run_evaluate.sh --test-data outputs/test_data/test_combined.npz
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """The project's tree with a small configuration, and the files that the published benchmark ships."""
    root = tmp_path_factory.mktemp("project")
    for name in (
        "scripts",
        "evaluation",
        "training",
        "data_pipeline",
        "noise",
        ".venv",
        "requirements.txt",
        "pyproject.toml",
    ):
        (root / name).symlink_to(ROOT / name)
    (root / "configs").mkdir()
    (root / "configs" / "config.yaml").write_text(yaml.safe_dump(SMALL))
    (root / "configs" / "config_tradition.yaml").write_text((ROOT / "tests" / "small_tradition.yaml").read_text())
    sample = root / "data" / "sample"
    sample.mkdir(parents=True)
    np.savez(sample / "test_combined.npz", data=np.array([published_item(row) for row in range(6)], dtype=object))
    (sample / "tradition_params.json").write_text(json.dumps({"hp": {"cutoff": 33}}))
    checkpoint = root / "outputs" / "weights_baseline" / "FCN" / "FCN_best.pth"
    checkpoint.parent.mkdir(parents=True)
    torch.save(load_network("FCN", None).network.state_dict(), checkpoint)
    return root


def bash(root: Path, line: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    path = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        shlex.split(line), cwd=root, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, f"{line}\n{done.stderr[-2000:]}"
    return done


@pytest.fixture(scope="module")
def prepared(project) -> Path:
    done = bash(project, PREPARE)
    stages = [line.partition(":")[0] for line in done.stdout.splitlines()]
    assert list(dict.fromkeys(stages)) == [
        "qc",
        "grade",
        "split",
        "segment",
        "noise",
        "mix",
    ]  # data alone, as published
    return project


def test_the_published_sequence_runs_as_it_stands(prepared):
    for line in SEQUENCE.strip().replace("\\\n", " ").splitlines():
        bash(prepared, line)
    rows = list(csv.DictReader((prepared / "outputs" / "tables" / "table1.csv").open()))
    assert {row["denoiser"] for row in rows} == {"identity", "hp", "ts", "trustemg_rm"}
    assert (prepared / "results/FCN/denoised/fcn_large/blind/combined/manifest.json").is_file()
    assert (prepared / "results/hp/denoised/hp/blind/combined/manifest.json").is_file()
    # the shards are the same input as the single file: everything is done, nothing is refused, no byte changes
    before = files(prepared / "outputs" / "denoised")
    bash(prepared, "bash scripts/run_evaluate.sh --set mix.sets=[combined]")
    assert files(prepared / "outputs" / "denoised") == before


def test_flags_and_groups_of_the_published_scripts(prepared):
    before = files(prepared / "outputs" / "segments")
    done = bash(
        prepared, "bash scripts/run_pipeline.sh --config configs/config.yaml --stages data --db simulated --gpu 0"
    )
    assert [line.partition(":")[0] for line in done.stdout.splitlines()][-1] == "segment"
    assert files(prepared / "outputs" / "segments") == before
    done = bash(prepared, "bash scripts/run_pipeline.sh --config configs/config.yaml --stages testdata,noise")
    assert {line.partition(":")[0] for line in done.stdout.splitlines()} == {"noise", "mix"}
    refused = bash(prepared, "bash scripts/run_pipeline.sh --db simulatd", code=2).stderr
    assert "has no database 'simulatd'; did you mean 'simulated'?" in refused
    assert (
        "no stage is called 'tabels'" in bash(prepared, "bash scripts/run_pipeline.sh --stages tabels", code=2).stderr
    )
    some = "--output results/some --set calibrate.methods=[] --set tables.bootstrap_resamples=100"
    bash(
        prepared,
        f"bash scripts/run_evaluate.sh --models hp,identity --test-data outputs/test_data/test_combined.npz {some}",
    )
    assert sorted(path.name for path in (prepared / "results/some/denoised").iterdir()) == ["hp", "identity"]


def test_methods_of_the_configuration_are_calibrated(prepared):
    line = "python training/train_classical.py --trad-config configs/config_tradition.yaml --weights results/calibrated"
    assert "no search for 'hp'" in bash(prepared, f"{line} --set calibrate.methods=[hp]", code=2).stderr
    bash(prepared, f"{line} --set calibrate.methods=[ts]")
    assert list(json.loads((prepared / "results/calibrated/tradition_params.json").read_text())["methods"]) == ["ts"]
