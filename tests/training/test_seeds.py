"""Several training seeds and equal budgets: what is fitted, where it lies, what differs, and what is refused."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from cleansemg.core import weight_files
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.core.stage import RunOptions
from cleansemg.training import fit_files, neural
from cleansemg.training.batches import Share
from cleansemg.training.mixtures import Mixtures
from cleansemg.training.seeds import finished_fits
from tests.processes import python
from tests.training import workspace
from tests.training.test_neural import contents

SEEDS = "train.seeds=[1, 2]"


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> workspace.Workspace:
    monkeypatch.setenv("CLEANSEMG_ROOT", str(tmp_path))
    return workspace.make(tmp_path)


def train(space: workspace.Workspace, *overrides: str, **recipe: object) -> list[str]:
    return list(neural.run(space.settings(*overrides), space.layout, RunOptions(), None, recipe).lines)


def test_each_seed_has_a_fit_of_its_own(space: workspace.Workspace) -> None:
    lines = train(space, SEEDS)
    assert [line.partition(":")[0] for line in lines] == ["tiny@1", "tiny@2"]
    assert not (space.layout.weights("tiny") / fit_files.BEST).exists()
    folders = [space.layout.weights("tiny", seed) for seed in (1, 2)]
    assert [folder.name for folder in folders] == ["seed_1", "seed_2"]
    infos = [weight_files.read(folder / fit_files.BEST)[1] for folder in folders]
    assert [info["seed"] for info in infos] == [1, 2]
    assert len({contents(folder)[fit_files.BEST] for folder in folders}) == 2
    assert all("was trained already" in line for line in train(space, SEEDS))
    # a third seed leaves the others alone
    before = [contents(folder) for folder in folders]
    assert "was trained already" not in train(space, "train.seeds=[1, 2, 3]")[2]
    assert [contents(folder) for folder in folders] == before


def test_the_runs_seed_gives_the_same_fit_as_none(space: workspace.Workspace) -> None:
    train(space)
    train(space, "train.seeds=[2025]")
    assert contents(space.layout.weights("tiny", 2025)) == contents(space.layout.weights("tiny"))


def test_seeds_change_training_mixtures_and_not_those_of_validation(space: workspace.Workspace) -> None:
    first, second = (Mixtures.open(space.settings(), space.layout, clip=True, seed=seed) for seed in (1, 2))

    def batches(source: Mixtures, part: str) -> np.ndarray:
        made = source.train(0, 8, Share()) if part == "train" else source.valid(8, Share())
        return np.concatenate([batch.noisy for batch in made])

    assert not np.array_equal(batches(first, "train"), batches(second, "train"))
    np.testing.assert_array_equal(batches(first, "valid"), batches(second, "valid"))


def test_published_weights_are_those_of_the_first_seed(space: workspace.Workspace) -> None:
    train(space, SEEDS)
    published = space.layout.weights("TinyPublished") / "TinyPublished_best.pth"
    state = weight_files.read(published)[0]
    first = weight_files.read(space.layout.weights("tiny", 1) / fit_files.BEST)[0]
    assert all((state[name] == first[name]).all() for name in first)


def test_fits_with_some_of_the_seeds_are_not_enough(space: workspace.Workspace) -> None:
    assert finished_fits(space.settings(SEEDS), space.layout, "tiny") == {}
    train(space, "train.seeds=[1]")
    with pytest.raises(
        UserError, match=r"seed_2: 'tiny' is not fitted with seed 2 of train\.seeds yet; run: cleansemg"
    ):
        finished_fits(space.settings(SEEDS), space.layout, "tiny")
    train(space, SEEDS)
    assert list(finished_fits(space.settings("train.seeds=[2, 1]"), space.layout, "tiny")) == [2, 1]


def test_seeds_side_by_side_and_a_fit_that_was_stopped(space: workspace.Workspace) -> None:
    train(space, SEEDS)
    alone = [contents(space.layout.weights("tiny", seed)) for seed in (1, 2)]
    output = space.root / "beside"
    for folder in ("segments", "noise"):
        shutil.copytree(space.layout.root / folder, output / folder)
    together = python(
        "-m", "cleansemg", "run", "--config", space.config, "--output", output, "--stages", "train", "--workers", 2,
        "--set", "train.threads=1", "--set", SEEDS, env={**os.environ, "CLEANSEMG_ROOT": str(space.root)},
    )  # fmt: skip
    assert together.returncode == 0, together.stderr
    assert "tiny@2: epoch 3 of 3" in together.stderr
    assert [contents(Layout(output).weights("tiny", seed)) for seed in (1, 2)] == alone

    # as after a kill between the last epoch and the weights: the fit goes on from its checkpoint
    folder = space.layout.weights("tiny", 2)
    for name in ("manifest.json", fit_files.BEST, fit_files.LOSSES):
        (folder / name).unlink()
    train(space, SEEDS)
    assert [contents(space.layout.weights("tiny", seed)) for seed in (1, 2)] == alone


def test_a_budget_of_mixtures_gives_the_epochs_and_no_early_stop(space: workspace.Workspace) -> None:
    budget = ("train.mixtures_per_epoch=20", "train.mixtures=80")
    train(space, *budget)
    lines = (space.layout.weights("tiny") / fit_files.LOSSES).read_text().splitlines()
    assert len(lines) == 1 + 80 // 20
    recipe = weight_files.read(space.layout.weights("tiny") / fit_files.BEST)[1]["recipe"]
    assert (recipe["epochs"], recipe["patience"]) == (4, None)  # the YAML has 3 and 10


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("train.seeds=[1, 1]",), r"train\.seeds.*a seed is there twice"),
        (("train.seeds=[-1]",), r"train\.seeds"),
        (("train.mixtures=80",), r"mixtures: 80 is no multiple of mixtures_per_epoch \(None\); set both"),
        (("train.mixtures=70", "train.mixtures_per_epoch=20"), r"mixtures: 70 is no multiple of .* \(20\)"),
        (
            ("train.mixtures=80", "train.mixtures_per_epoch=20", "train.overrides.tiny.epochs=9"),
            r"overrides\.tiny\.epochs and mixtures exclude each other",
        ),
        (
            ("train.mixtures=80", "train.mixtures_per_epoch=20", "train.recipe.patience=9"),
            r"recipe\.patience and mixtures exclude each other",
        ),
    ],
)
def test_settings_that_make_no_sense(space: workspace.Workspace, overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        space.settings(*overrides)


def test_the_command_line_cannot_break_a_budget(space: workspace.Workspace) -> None:
    with pytest.raises(UserError, match=r"command line: epochs and train\.mixtures \(80\) exclude each other"):
        train(space, "train.mixtures=80", "train.mixtures_per_epoch=20", epochs=2)
