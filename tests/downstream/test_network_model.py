"""Network classifiers: fitted by the common loop, resumed, deterministic, and weighed by class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cleansemg.core.errors import UserError
from cleansemg.downstream.common import losses
from cleansemg.downstream.common.network_model import Classifier, NetworkModel
from cleansemg.downstream.common.task import Examples, Fit
from cleansemg.training.recipe import Recipe, Schedule


class Small(NetworkModel):
    name = "small"
    recipe = Recipe(
        loss="network", optimizer="adam", learning_rate=0.02, weight_decay=0.0, batch_size=8, epochs=4, patience=None,
        schedule=Schedule(kind="cosine"),
    )  # fmt: skip

    def build(self, shape, n_classes):
        channels, length = shape
        return nn.Sequential(
            nn.Conv1d(channels, 6, 5), nn.BatchNorm1d(6), nn.ReLU(), nn.Flatten(), nn.Dropout(0.2),
            nn.Linear(6 * (length - 4), n_classes),
        )  # fmt: skip

    def examples(self, stream, clean):
        raise NotImplementedError


class Weighted(Small):
    name = "weighted"
    class_weights = True


class Augmented(Small):
    name = "augmented"

    def augment(self, x, generator):
        return x + generator.standard_normal(x.shape).astype(np.float32)


def examples(n: int, seed: int, shares=(0.5, 0.5)) -> Examples:
    rng = np.random.default_rng(seed)
    y = rng.choice(len(shares), n, p=shares)
    tone = np.sin(np.outer(1 + y, np.arange(20)))[:, None]  # the class is the frequency
    x = (tone + 0.7 * rng.standard_normal((n, 2, 20))).astype(np.float32)
    text = np.array([f"P{i % 3}" for i in range(n)])
    return Examples(x, y, text, text, np.arange(n), np.zeros(n, np.int64))


def fit(folder: Path, **changes) -> Fit:
    return Fit(**{"folder": folder, "seed": 3, "recipe": {}, "label": "small fold 1", **changes})


def fitted(folder: Path, model=Small, **changes) -> NetworkModel:
    own = model()
    own.fit(examples(41, 1), examples(20, 2), fit(folder, **changes))
    return own


TEST = examples(300, 5)


def test_learns_and_leaves_its_record(tmp_path):
    model = fitted(tmp_path)
    scores = model.scores(TEST.x)
    assert (scores.argmax(axis=1) == TEST.y).mean() > 0.9
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, rtol=1e-12)
    assert len((tmp_path / "losses.csv").read_text().splitlines()) == 5
    assert (tmp_path / "curves.png").exists()
    assert not model.network.training


def test_the_best_epoch_by_validation_is_kept(tmp_path):
    model = fitted(tmp_path, recipe={"epochs": 6})
    losses = [float(line.split(",")[2]) for line in (tmp_path / "losses.csv").read_text().splitlines()[1:]]
    valid = examples(20, 2)
    own = nn.functional.nll_loss(torch.from_numpy(np.log(model.scores(valid.x))), torch.from_numpy(valid.y))
    assert float(own) == pytest.approx(min(losses), rel=1e-5, abs=1.2e-7)  # float32 scores next to one


def test_the_same_weights_again_and_after_a_stop_between_epochs(tmp_path):
    one, other = fitted(tmp_path / "one", Augmented), fitted(tmp_path / "other", Augmented)
    np.testing.assert_array_equal(one.scores(TEST.x), other.scores(TEST.x))
    assert (tmp_path / "one" / "losses.csv").read_bytes() == (tmp_path / "other" / "losses.csv").read_bytes()

    from cleansemg.training import loop

    real = loop.checkpoints.save

    def stop_after_two(path, checkpoint):
        real(path, checkpoint)
        if len(checkpoint.history) == 2:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.checkpoints, "save", stop_after_two)
        with pytest.raises(KeyboardInterrupt):
            fitted(tmp_path / "stopped", Augmented)
    resumed = fitted(tmp_path / "stopped", Augmented)
    np.testing.assert_array_equal(resumed.scores(TEST.x), one.scores(TEST.x))


def test_rows_do_not_depend_on_one_another(tmp_path):
    model = fitted(tmp_path)
    together = model.scores(TEST.x)
    alone = np.concatenate([model.scores(TEST.x[i : i + 1]) for i in range(0, 300, 30)])
    np.testing.assert_allclose(alone, together[::30], rtol=1e-5)


def test_class_weights_are_n_over_k_n_c(tmp_path):
    x, y = torch.zeros(3, 1), torch.tensor([0.0, 1.0, 1.0])
    network = nn.Linear(1, 2)
    with torch.no_grad():
        network.bias.copy_(torch.tensor([0.3, -0.4]))
    log_p = torch.log_softmax(network.bias, 0)
    # N = 3, K = 2: weights 3/2 and 3/4; torch divides by the sum of weights
    expected = -(1.5 * log_p[0] + 2 * 0.75 * log_p[1]) / 3.0
    loss = Classifier(network, np.array([1.5, 0.75], np.float32)).training_loss(x, y)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    rare = examples(60, 1, shares=(0.9, 0.1))
    plain, weighted = Small(), Weighted()
    for model in (plain, weighted):
        model.fit(rare, examples(30, 2), fit(tmp_path / model.name))
    assert weighted.scores(TEST.x)[:, 1].mean() > plain.scores(TEST.x)[:, 1].mean()


def test_classes_of_the_task_that_are_not_there_still_have_a_score(tmp_path):
    assert fitted(tmp_path, n_classes=5).scores(TEST.x).shape == (300, 5)


def test_a_last_batch_of_one_does_not_stop_batch_normalisation(tmp_path):
    assert fitted(tmp_path, recipe={"epochs": 1, "batch_size": 40}).network  # 41 examples


@pytest.mark.parametrize(
    ("recipe", "text"),
    [
        ({"learning_rat": 1}, "downstream.recipe.small: unknown recipe key 'learning_rat'; did you mean"),
        ({"loss": "l1"}, "a classifier has its own"),
        ({"schedule": {"kind": "cosin"}}, "downstream.recipe.small"),
    ],
)
def test_refused_recipes_name_where_they_are_from(tmp_path, recipe, text):
    with pytest.raises(UserError, match=text):
        fitted(tmp_path, recipe=recipe)


def test_no_validation_examples_is_said(tmp_path):
    with pytest.raises(UserError, match="small fold 1: no validation examples"):
        Small().fit(examples(10, 1), examples(0, 2), fit(tmp_path))


def test_another_fits_checkpoint_is_refused_unless_forced(tmp_path):
    fitted(tmp_path)
    with pytest.raises(UserError, match="--force"):
        fitted(tmp_path, recipe={"epochs": 2})
    fitted(tmp_path, recipe={"epochs": 2}, force=True)
    assert len((tmp_path / "losses.csv").read_text().splitlines()) == 3


def test_folds_of_an_earlier_run_are_not_shown(tmp_path: Path) -> None:
    for number in (1, 2, 3, 10):
        (tmp_path / f"fold{number}").mkdir()
        (tmp_path / f"fold{number}/losses.csv").write_text("epoch,train_loss,valid_loss\n1,1,1\n")
    assert [path.parent.name for path in losses.fold_files(tmp_path, 2)] == ["fold1", "fold2"]
