"""The training stage end to end on a small FCN: files, resuming after a kill, precedence, refusals."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from cleansemg import denoising
from cleansemg.core import npz, registry, weight_files
from cleansemg.core.artifact import read_manifest
from cleansemg.core.errors import ArtifactError, UserError
from cleansemg.core.layout import Layout
from cleansemg.core.stage import RunOptions
from cleansemg.training import fit_files, fitting, neural
from cleansemg.training.recipe_layers import resolve_recipe
from tests.conftest import ROOT
from tests.processes import python, start
from tests.training import workspace

RESULTS = (
    fit_files.BEST, fit_files.LOSSES, fit_files.CURVES, fit_files.LEARNING_CURVE, fit_files.RECIPE, "manifest.json"
)  # fmt: skip


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> workspace.Workspace:
    monkeypatch.setenv("CLEANSEMG_ROOT", str(tmp_path))
    return workspace.make(tmp_path)


def train(space: workspace.Workspace, *overrides: str, force: bool = False, **recipe: object) -> list[str]:
    report = neural.run(space.settings(*overrides), space.layout, RunOptions(force=force), None, recipe)
    return list(report.lines)


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in RESULTS}


def test_files_and_what_they_say(space: workspace.Workspace) -> None:
    (line,) = train(space)
    folder = space.layout.weights("tiny")
    assert "tiny: 3 epochs, epoch 1 used" in line
    assert len((folder / fit_files.LOSSES).read_text().splitlines()) == 4
    manifest = read_manifest(folder, neural.SCHEMA)
    assert set(manifest.inputs) == {"segments/train", "segments/valid", "noise/train", "noise/valid"}
    saved = yaml.safe_load((folder / fit_files.RECIPE).read_text())
    assert (saved["epochs"], saved["learning_rate"], saved["optimizer"]) == (3, 0.003, "adam")

    # the weights work behind the common interface, and the published file holds the same ones
    noisy = np.random.default_rng(0).standard_normal((3, workspace.LENGTH)) * 1e-4
    trained = denoising.load_network("tiny", weights=folder / fit_files.BEST)
    estimate = trained.denoise(noisy, 1000.0)
    assert estimate.shape == noisy.shape
    checkpoint = space.layout.weights("TinyPublished") / "TinyPublished_best.pth"
    published = torch.load(checkpoint, weights_only=True)["model_state_dict"]
    state = trained.network.state_dict()
    assert published.keys() == state.keys()
    assert all(torch.equal(published[key], state[key].cpu()) for key in state)
    again = denoising.load("tiny", weights=checkpoint).denoise(noisy, 1000.0)
    np.testing.assert_array_equal(again, estimate)


def test_a_finished_training_is_left_alone_and_a_damaged_one_mended(space: workspace.Workspace) -> None:
    train(space)
    folder = space.layout.weights("tiny")
    first = contents(folder)
    times = {name: (folder / name).stat().st_mtime_ns for name in RESULTS}
    (line,) = train(space)
    assert "was trained already" in line
    assert times == {name: (folder / name).stat().st_mtime_ns for name in RESULTS}
    (folder / fit_files.BEST).write_bytes(b"damaged")
    (folder / fit_files.CURVES).unlink()
    train(space)  # from the checkpoint, without training again
    assert contents(folder) == first


def test_another_recipe_or_other_data_are_refused_without_force(space: workspace.Workspace) -> None:
    train(space)
    before = contents(space.layout.weights("tiny"))
    for overrides, recipe in [((), {"learning_rate": 0.1}), (("seed=1",), {}), (("train.snr_db=[0, 1]",), {}),
                              (("train.threads=2",), {}), (("mix.wgn_floor_db=-4",), {})]:  # fmt: skip
        with pytest.raises(ArtifactError, match=r"another recipe or on other data.*--force"):
            train(space, *overrides, **recipe)
    assert contents(space.layout.weights("tiny")) == before
    train(space, force=True, learning_rate=0.1)
    after = contents(space.layout.weights("tiny"))
    assert after[fit_files.BEST] != before[fit_files.BEST]
    assert yaml.safe_load(after[fit_files.RECIPE])["learning_rate"] == 0.1


def test_another_trainings_unfinished_state_is_refused_untouched(space: workspace.Workspace) -> None:
    train(space)
    folder = space.layout.weights("tiny")
    (folder / "manifest.json").unlink()  # as if it had been killed
    before = (folder / fit_files.RECIPE).read_bytes()
    with pytest.raises(UserError, match=r"checkpoint\.pt: left by a training with another recipe"):
        train(space, learning_rate=0.1)
    assert (folder / fit_files.RECIPE).read_bytes() == before


def test_a_folder_that_cannot_be_written_is_one_line(space: workspace.Workspace) -> None:
    space.layout.weights("tiny").parent.mkdir(parents=True)
    space.layout.weights("tiny").write_text("a file where the folder should be")
    with pytest.raises(UserError, match=r"tiny: (File exists|Not a directory)"):
        train(space)


def test_the_stronger_layer_wins(space: workspace.Workspace) -> None:
    entry = registry.find("denoisers", "tiny")

    def epochs(*overrides: str, **recipe: object) -> int:
        return resolve_recipe(entry, space.settings(*overrides), recipe).epochs

    assert epochs() == 3
    assert epochs("train.recipe.epochs=7") == 7
    assert epochs("train.recipe.epochs=7", "train.overrides.tiny.epochs=9") == 9
    assert epochs("train.recipe.epochs=7", "train.overrides.TinyPublished.epochs=8") == 8
    assert epochs("train.recipe.epochs=7", "train.overrides.tiny.epochs=9", epochs=2) == 2
    with pytest.raises(UserError, match="no denoiser is called 'tinny'; did you mean 'tiny'"):
        epochs("train.overrides.tinny.epochs=9")
    with pytest.raises(UserError, match=r"small\.yaml, train\.recipe: unknown recipe key 'epoch'"):
        epochs("train.recipe.epoch=7")


def test_the_small_form_is_fitted_and_loaded_again(space: workspace.Workspace) -> None:
    train(space, "train.form=small")
    trained = denoising.load_network("tiny", weights=space.layout.weights("tiny") / fit_files.BEST)
    assert trained.network.layers[0][0].weight.shape == (3, 1, 8)
    with pytest.raises(ArtifactError, match="trained with another recipe or on other data"):
        train(space)  # in full is another training


def test_fitting_goes_on_from_the_box(space: workspace.Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="'tiny' comes without weights; train it"):
        train(space, "train.init=pretrained")
    train(space, "train.form=small", epochs=2)
    box = space.root / "pretrained"
    box.mkdir()
    shutil.copy(space.layout.weights("tiny") / fit_files.BEST, box / "tiny.safetensors")
    monkeypatch.setattr(denoising.loading, "WEIGHTS_FOLDER", box)

    # with a rate too small to move anything, what comes out is what was in the box, in the box's form
    train(space, "train.init=pretrained", force=True, epochs=1, learning_rate=1e-12)
    first, _ = weight_files.read(box / "tiny.safetensors")
    after, info = weight_files.read(space.layout.weights("tiny") / fit_files.BEST)
    assert info["inputs"]["weights/init"] == npz.sha256(box / "tiny.safetensors")
    for name, tensor in first.items():
        if "running" not in name and "num_batches" not in name:
            torch.testing.assert_close(after[name], tensor, rtol=0, atol=1e-9)

    # other pretrained weights are another training
    shutil.copy(space.layout.weights("tiny") / fit_files.BEST, box / "tiny.safetensors")
    with pytest.raises(ArtifactError, match="trained with another recipe or on other data"):
        train(space, "train.init=pretrained", epochs=1, learning_rate=1e-12)


def test_nothing_to_train(space: workspace.Workspace) -> None:
    assert train(space, "train.models=[]") == ["nothing to train: train.models is empty"]


def test_a_method_without_network_is_refused(space: workspace.Workspace) -> None:
    (space.root / "configs" / "denoisers" / "plain.yaml").write_text("class: cleansemg.denoising.base:Denoiser\n")
    registry._entries.cache_clear()
    with pytest.raises(UserError, match="'plain' has no network to train; networks are: tiny"):
        train(space, "train.models=[plain]")


def test_precision_belongs_to_the_recipe(space: workspace.Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "fp16")
    with pytest.raises(UserError, match="mixed precision 'fp16': it is the recipe's"):
        train(space)


@pytest.mark.parametrize(("capability", "warned"), [("AVX2", True), ("AVX512", False)])
def test_bfloat16_on_a_processor_without_it_is_said(
    space: workspace.Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capability, warned
) -> None:
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: capability)
    train(space, "train.recipe.precision=bf16")
    assert ("has no bfloat16 arithmetic" in caplog.text) == warned


def command(space: workspace.Workspace, output: Path, *arguments: str) -> list[str]:
    return [
        sys.executable, str(ROOT / "training" / "train_neural.py"), "--config", str(space.config),
        "--model", "TinyPublished", "--output", str(output), "--set", "train.threads=1", *arguments,
    ]  # fmt: skip


def test_killed_and_run_again_gives_the_same_bytes(space: workspace.Workspace) -> None:
    arguments = ("--epochs", "12", "--recipe", "patience=null")
    environment = {**os.environ, "CLEANSEMG_ROOT": str(space.root)}
    words = command(space, space.layout.root, *arguments)
    folder = space.layout.weights("tiny")
    process = start(words, env=environment, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 240
        while not (folder / fitting.CHECKPOINT).exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(0.05)  # into a later epoch
    finally:
        process.send_signal(signal.SIGKILL)
        _, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors.decode()
    assert (folder / fitting.CHECKPOINT).exists()
    assert not (folder / "manifest.json").exists()

    again = python(*words[1:], env=environment)
    assert again.returncode == 0, again.stderr
    assert "train: tiny: 12 epochs" in again.stdout
    assert "epochs=12" in again.stderr  # the resolved value is printed
    assert "epoch 1 of 12" not in again.stderr  # it went on
    resumed = contents(folder)
    published = (space.layout.weights("TinyPublished") / "TinyPublished_best.pth").read_bytes()

    train(space, force=True, epochs=12, patience=None)
    assert contents(folder) == resumed
    assert (space.layout.weights("TinyPublished") / "TinyPublished_best.pth").read_bytes() == published


def test_networks_side_by_side_are_the_same(space: workspace.Workspace) -> None:
    other = yaml.safe_load((space.root / "configs" / "denoisers" / "tiny.yaml").read_text())
    other |= {"aliases": [], "published_name": None}
    (space.root / "configs" / "denoisers" / "other.yaml").write_text(yaml.safe_dump(other))
    registry._entries.cache_clear()
    models = "train.models=[tiny, other]"
    train(space, models)
    alone = {name: contents(space.layout.weights(name)) for name in ("tiny", "other")}

    output = space.root / "beside"
    for folder in ("segments", "noise"):
        shutil.copytree(space.layout.root / folder, output / folder)
    together = python(
        "-m", "cleansemg", "run", "--config", space.config, "--output", output, "--stages", "train", "--workers", 2,
        "--set", "train.threads=1", "--set", models, env={**os.environ, "CLEANSEMG_ROOT": str(space.root)},
    )  # fmt: skip
    assert together.returncode == 0, together.stderr
    assert "other: epoch 3 of 3" in together.stderr  # progress of both reaches the terminal
    assert "tiny: epoch 3 of 3" in together.stderr
    assert {name: contents(Layout(output).weights(name)) for name in alone} == alone


def test_command_line_mistakes_are_one_line(space: workspace.Workspace) -> None:
    environment = {**os.environ, "CLEANSEMG_ROOT": str(space.root)}
    for arguments, message in [
        (("--recipe", "epocs=3"), "error: command line: unknown recipe key 'epocs'; did you mean 'epochs'"),
        (("--recipe", "epochs=3", "--epochs", "4"), "error: --recipe epochs=... and --epochs are both given"),
    ]:
        result = python(*command(space, space.layout.root, *arguments)[1:], env=environment)
        assert result.returncode == 2
        assert result.stderr.strip().startswith(message)
        assert len(result.stderr.strip().splitlines()) == 1
