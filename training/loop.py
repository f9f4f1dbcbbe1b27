"""The training loop: the same on a CPU, one GPU, or many under `accelerate launch`.

An interrupted and resumed run ends with the same weights, bit for bit, as an uninterrupted one: batches and torch's
generator are keyed by the epoch, and everything else is in the checkpoint.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from torch import nn

from cleansemg.core.errors import UserError
from cleansemg.core.seeding import torch_seed
from cleansemg.training import checkpoint as checkpoints
from cleansemg.training import schedule
from cleansemg.training.batches import Batch, Share, Source, prefetch
from cleansemg.training.checkpoint import Checkpoint, CurvePoint, EpochResult, StateDict
from cleansemg.training.learning_curve import Scorer
from cleansemg.training.objective import Objective
from cleansemg.training.progress import TrainingProgress
from cleansemg.training.recipe import Recipe


@dataclass(frozen=True)
class Run:
    """One training: its name, seed and fingerprint, the path of its checkpoint, and what to call it on the screen."""

    name: str
    seed: int
    fingerprint: str
    checkpoint: Path
    label: str = ""  # empty: the name


@dataclass(frozen=True)
class Fitted:
    """A finished training: the weights of the best epoch, the results of all epochs, and the learning curve."""

    best: StateDict
    history: tuple[EpochResult, ...]
    curve: tuple[CurvePoint, ...] = ()

    @property
    def best_epoch(self) -> EpochResult:
        return self.history[schedule.best_epoch([r.valid_loss for r in self.history])]


def fit(
    network: nn.Module,
    source: Source,
    recipe: Recipe,
    run: Run,
    accelerator: Accelerator,
    scorer: Scorer | None = None,
) -> Fitted:
    """Fit a network; resume from `run.checkpoint` if it exists.

    Args:
        network: an initialised network, for denoisers [n, L] -> [n, L].
        source: the batches.
        recipe: the recipe.
        run: name, seed, fingerprint and the path of the checkpoint, which every epoch replaces.
        accelerator: device and processes.
        scorer: scores the network before the first and after every epoch, for its learning curve; None: no curve. It
            affects no weight.

    Raises:
        UserError: the loss is not finite (the checkpoint of the last finished epoch stays), the checkpoint belongs to
            another training, the batch size is not a multiple of the number of processes, or recipe and network
            define different losses.
    """
    share = Share(accelerator.process_index, accelerator.num_processes)
    if recipe.batch_size % share.world:
        raise UserError(f"{run.name}: batch_size {recipe.batch_size} does not divide over {share.world} processes")
    optimizer = _optimizer(network, recipe)
    saved = checkpoints.load(run.checkpoint, run.fingerprint)
    history: list[EpochResult] = []
    best: StateDict = {}
    curve: list[CurvePoint] = []
    if saved is not None:
        network.load_state_dict(saved.network)
        optimizer.load_state_dict(saved.optimizer)
        history, best, curve = list(saved.history), saved.best, list(saved.curve)
    objective, optimizer = accelerator.prepare(Objective(network, recipe, run.name), optimizer)
    shown = accelerator.is_main_process

    def score(mixtures: int) -> None:
        if scorer is not None and accelerator.is_main_process:
            curve.append(CurvePoint(mixtures, *scorer(accelerator.unwrap_model(objective).network)))

    if not history:
        score(0)
    with TrainingProgress(run.label or run.name, recipe.epochs, len(history), source.n_train, shown) as progress:
        while not schedule.is_finished(recipe, _valid_losses(history)):
            epoch = len(history)
            rate = schedule.learning_rate(recipe, _valid_losses(history))
            for group in optimizer.param_groups:
                group["lr"] = rate
            torch.manual_seed(torch_seed(run.seed, "train", run.name, "epoch", epoch, share.rank))
            batches = source.train(epoch, recipe.batch_size, share)
            train_loss = _train_epoch(objective, optimizer, batches, recipe, run, accelerator, progress, epoch)
            progress.trained()
            batches = source.valid(recipe.batch_size, share)
            torch.manual_seed(torch_seed(run.seed, "valid", run.name, share.rank))  # the same draws every epoch
            valid_loss = _validate(objective, batches, accelerator)
            _require_finite(valid_loss, "validation", run, epoch, rate)
            history.append(EpochResult(epoch + 1, train_loss, valid_loss, rate))
            state = checkpoints.copy_state(accelerator.unwrap_model(objective).network)
            best_epoch = schedule.best_epoch(_valid_losses(history))
            if best_epoch == epoch:
                best = state
            score(len(history) * source.n_train)
            if accelerator.is_main_process:
                checkpoint = Checkpoint(
                    run.fingerprint, state, best, optimizer.state_dict(), tuple(history), tuple(curve)
                )
                checkpoints.save(run.checkpoint, checkpoint)
            accelerator.wait_for_everyone()
            progress.epoch_done(history[-1], history[best_epoch])
    accelerator.free_memory()
    return Fitted(best, tuple(history), tuple(curve))


@contextlib.contextmanager
def reproducible(threads: int) -> Iterator[None]:
    """Context with `threads` torch threads and deterministic algorithms; it restores torch's random state."""
    # cuBLAS reads this at start; without it, its sums depend on what runs concurrently
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before_threads = torch.get_num_threads()
    before_mode = torch.get_deterministic_debug_mode()
    before_benchmark = torch.backends.cudnn.benchmark
    before_fill = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # otherwise torch fills new memory with NaN. On processors with AMX, bfloat16 convolutions (oneDNN of torch 2.13)
    # multiply such memory, the padding of their weight gradients, by zero, so the gradients become NaN
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    try:
        with torch.random.fork_rng():
            yield
    finally:
        torch.set_num_threads(before_threads)
        torch.set_deterministic_debug_mode(before_mode)
        torch.backends.cudnn.benchmark = before_benchmark
        torch.utils.deterministic.fill_uninitialized_memory = before_fill  # type: ignore[attr-defined]


def _optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            network.parameters(), lr=recipe.learning_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
        )
    kind = torch.optim.Adam if recipe.optimizer == "adam" else torch.optim.AdamW
    return kind(
        network.parameters(), lr=recipe.learning_rate, betas=recipe.betas, weight_decay=recipe.weight_decay
    )  # fmt: skip


def _train_epoch(
    objective: nn.Module,
    optimizer: Any,
    batches: Iterator[Batch],
    recipe: Recipe,
    run: Run,
    accelerator: Accelerator,
    progress: TrainingProgress,
    epoch: int,
) -> float:
    """Train on all batches of an epoch; return the mean loss over the mixtures."""
    objective.train()
    total, count = 0.0, 0
    for batch in prefetch(batches):
        started = time.monotonic()
        loss = _loss(objective, batch, accelerator)
        optimizer.zero_grad()
        accelerator.backward(loss)
        if recipe.clip_norm is not None:
            accelerator.clip_grad_norm_(objective.parameters(), recipe.clip_norm)
        optimizer.step()
        value = float(loss.detach())  # waits for the device, so the time below is that of the network
        _require_finite(value, "training", run, epoch, optimizer.param_groups[0]["lr"])
        rows = len(batch.noisy)
        total += value * rows
        count += rows
        progress.advance(rows * accelerator.num_processes, value, time.monotonic() - started)
    return _mean_over_processes(total, count, accelerator)


def _validate(objective: nn.Module, batches: Iterator[Batch], accelerator: Accelerator) -> float:
    """Return the mean loss over the validation mixtures."""
    bare = accelerator.unwrap_model(objective)  # the wrapper would wait for processes with one batch less
    bare.eval()
    if accelerator.num_processes > 1:
        for buffer in bare.buffers():  # running means of batch normalisation; the checkpoint holds those of rank 0
            broadcast(buffer, from_process=0)
    total, count = 0.0, 0
    with torch.no_grad():
        for batch in prefetch(batches):
            loss = _loss(bare, batch, accelerator)
            total += float(loss) * len(batch.noisy)
            count += len(batch.noisy)
    return _mean_over_processes(total, count, accelerator)


def _loss(objective: nn.Module, batch: Batch, accelerator: Accelerator) -> torch.Tensor:
    noisy = torch.from_numpy(batch.noisy).to(accelerator.device)  # [n, L]
    clean = torch.from_numpy(batch.clean).to(accelerator.device)  # [n, L]
    loss: torch.Tensor = objective(noisy, clean)
    return loss


def _mean_over_processes(total: float, count: int, accelerator: Accelerator) -> float:
    if accelerator.num_processes == 1:
        return total / count
    sums = torch.tensor([total, count], dtype=torch.float64, device=accelerator.device)
    reduced = accelerator.reduce(sums, reduction="sum")
    return float(reduced[0] / reduced[1])


def _require_finite(loss: float, which: str, run: Run, epoch: int, rate: float) -> None:
    if math.isfinite(loss):
        return
    state = f"the state after epoch {epoch} is kept in {run.checkpoint}" if epoch else "no epoch was finished"
    raise UserError(
        f"{run.name}: the {which} loss became {loss} in epoch {epoch + 1} (learning rate {rate:g}); "
        f"lower learning_rate or clip_norm and start over with --force; {state}"
    )


def _valid_losses(history: list[EpochResult]) -> list[float]:
    return [result.valid_loss for result in history]
