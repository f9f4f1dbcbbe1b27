"""The training loop on a small task: it learns, it resumes exactly, it stops on a broken loss."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator

from cleansemg.core.errors import UserError
from cleansemg.training import checkpoint as checkpoints
from cleansemg.training import loop
from cleansemg.training.batches import Source
from cleansemg.training.recipe import Recipe, Schedule
from tests.training.fakes import SineSource, drawing_network, tiny_network

RECIPE = Recipe(
    optimizer="adam", learning_rate=3e-3, weight_decay=0.0, batch_size=16, epochs=6, patience=None, clip_norm=1.0,
    schedule=Schedule(kind="plateau", factor=0.5, patience=0),
)  # fmt: skip


def fit(
    folder: Path, recipe: Recipe = RECIPE, source: Source | None = None, fingerprint: str = "one", seed: int = 0
) -> loop.Fitted:
    one = loop.Run("tiny", 7, fingerprint, folder / "checkpoint.pt")
    network = drawing_network(seed) if recipe.loss == "network" else tiny_network(seed)
    with loop.reproducible(1):
        return loop.fit(network, source or SineSource(), recipe, one, Accelerator(mixed_precision="no"))


def same_weights(first: checkpoints.StateDict, second: checkpoints.StateDict) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def test_loss_falls_and_the_best_epoch_is_kept(tmp_path: Path) -> None:
    fitted = fit(tmp_path, RECIPE.model_copy(update={"epochs": 15}))
    losses = [r.valid_loss for r in fitted.history]
    # mean |noise| of the input is 0.5 sqrt(2/pi) = 0.40: the network must do better than passing it on
    assert min(losses) < 0.25
    assert min(losses) < 0.6 * losses[0]
    assert fitted.best_epoch.valid_loss == min(losses)
    network = tiny_network()
    network.load_state_dict(fitted.best)
    network.eval()
    batch = next(SineSource().valid(12, loop.Share()))
    with torch.no_grad():
        loss = torch.nn.functional.l1_loss(network(torch.from_numpy(batch.noisy)), torch.from_numpy(batch.clean))
    assert float(loss) == pytest.approx(min(losses), rel=1e-4)


class StopError(Exception):
    """Stands for a kill between two epochs."""


class StoppingSource(SineSource):
    def __init__(self, stop_at: int) -> None:
        super().__init__()
        self.stop_at = stop_at

    def train(self, epoch, batch_size, share):  # type: ignore[no-untyped-def]
        for number, batch in enumerate(super().train(epoch, batch_size, share)):
            if epoch == self.stop_at and number == 1:
                raise StopError
            yield batch


@pytest.mark.parametrize(("stop_at", "loss"), [(1, "l1"), (4, "l1"), (3, "network")])
def test_a_stopped_run_ends_with_the_same_weights(tmp_path: Path, stop_at: int, loss: str) -> None:
    schedule = Schedule(kind="steps", factor=0.5, milestones=(2, 5))
    falling = RECIPE.model_copy(update={"schedule": schedule, "loss": loss})
    through = fit(tmp_path / "a", falling)
    with pytest.raises(StopError):
        fit(tmp_path / "b", falling, source=StoppingSource(stop_at))
    torch.rand(5)  # the state of torch's generator must not matter
    resumed = fit(tmp_path / "b", falling, seed=99)  # nor the first weights
    assert resumed.history == through.history
    assert same_weights(resumed.best, through.best)
    assert len({r.learning_rate for r in through.history}) == 3  # the schedule had something to forget


def test_a_finished_run_is_not_repeated(tmp_path: Path) -> None:
    first = fit(tmp_path)
    again = fit(tmp_path, source=StoppingSource(0))
    assert again.history == first.history


def test_nan_stops_and_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"tiny: the training loss became nan in epoch 3 .*after epoch 2 is kept in"):
        fit(tmp_path, source=SineSource(broken_from=2))
    kept = checkpoints.load(tmp_path / "checkpoint.pt", "one")
    assert kept is not None
    assert len(kept.history) == 2
    assert all(torch.isfinite(tensor).all() for tensor in kept.network.values())
    with pytest.raises(UserError, match=r"epoch 1 .*no epoch was finished"):
        fit(tmp_path / "b", source=SineSource(broken_from=0))


def test_a_broken_validation_loss_is_seen(tmp_path: Path) -> None:
    class BrokenValidation(SineSource):
        def valid(self, batch_size, share):  # type: ignore[no-untyped-def]
            for batch in super().valid(batch_size, share):
                yield dataclasses.replace(batch, clean=np.full_like(batch.clean, np.inf))

    with pytest.raises(UserError, match=r"tiny: the validation loss became inf in epoch 1 \(learning rate 0.003\)"):
        fit(tmp_path, source=BrokenValidation())
    assert not (tmp_path / "checkpoint.pt").exists()


def test_early_stopping(tmp_path: Path) -> None:
    frozen = RECIPE.model_copy(update={"learning_rate": 1e-30, "patience": 2, "epochs": 50})
    # weights stand still, only the running means of the normalisation move
    assert len(fit(tmp_path, frozen).history) < 50


def test_another_trainings_checkpoint_is_refused(tmp_path: Path) -> None:
    fit(tmp_path, RECIPE.model_copy(update={"epochs": 1}))
    with pytest.raises(UserError, match="another recipe or other data"):
        fit(tmp_path, fingerprint="two")
    (tmp_path / "checkpoint.pt").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(UserError, match="not a checkpoint"):
        fit(tmp_path)


def test_every_option_changes_the_result(tmp_path: Path) -> None:
    base = RECIPE.model_copy(update={"epochs": 2})
    changes = [
        {"loss": "l2"}, {"optimizer": "adamw", "weight_decay": 0.1}, {"learning_rate": 1e-3}, {"betas": (0.5, 0.9)},
        {"batch_size": 8}, {"clip_norm": 0.01}, {"precision": "bf16"},
        {"schedule": Schedule(kind="steps", factor=0.1, milestones=(1,))},
    ]  # fmt: skip
    reference = fit(tmp_path / "reference", base)
    for number, change in enumerate(changes):
        other = fit(tmp_path / str(number), base.model_copy(update=change))
        assert not same_weights(other.best, reference.best), change


def test_reproducible_gives_back_torchs_state() -> None:
    torch.manual_seed(3)
    torch.set_num_threads(2)
    before = torch.random.get_rng_state(), torch.get_num_threads(), torch.get_deterministic_debug_mode()
    with loop.reproducible(1):
        torch.rand(3)
        assert torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert (torch.get_num_threads(), torch.get_deterministic_debug_mode()) == before[1:]
    torch.set_num_threads(1)


def test_bfloat16_gradients_of_convolutions_are_finite_inside_reproducible() -> None:
    """On processors with AMX, deterministic torch makes them NaN unless fresh memory is left as it is."""
    fill = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    with loop.reproducible(1):
        torch.manual_seed(0)
        layers = torch.nn.Sequential(torch.nn.Conv1d(1, 64, 55, padding=27), torch.nn.Conv1d(64, 1, 55, padding=27))
        for _ in range(5):
            with torch.autocast("cpu", torch.bfloat16):
                loss = layers(torch.randn(16, 1, 2000)).float().square().mean()
            loss.backward()
        assert all(bool(torch.isfinite(p.grad).all()) for p in layers.parameters() if p.grad is not None)
    assert torch.utils.deterministic.fill_uninitialized_memory == fill


def test_batch_must_divide_over_processes(tmp_path: Path) -> None:
    class ThreeProcesses:
        process_index, num_processes = 0, 3

    one = loop.Run("tiny", 7, "f", tmp_path / "c.pt")
    with pytest.raises(UserError, match="batch_size 16 does not divide over 3 processes"):
        loop.fit(tiny_network(), SineSource(), RECIPE, one, ThreeProcesses())  # type: ignore[arg-type]


def test_checkpoint_is_plain(tmp_path: Path) -> None:
    fit(tmp_path, RECIPE.model_copy(update={"epochs": 1}))
    content = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    fields = {field.name for field in dataclasses.fields(checkpoints.Checkpoint)}
    assert set(content) == fields
