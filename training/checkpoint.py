"""The state of a training between two epochs: everything that an interrupted run needs to resume exactly.

It contains only plain tensors and containers, and is read with `weights_only=True`. It contains neither the state of
the random generator, because every epoch seeds torch by name, nor that of the schedule, a function of the history.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cleansemg.core.errors import UserError
from cleansemg.core.fingerprint import relation
from cleansemg.core.npz import atomic_write

StateDict = dict[str, torch.Tensor]


@dataclass(frozen=True)
class EpochResult:
    """One line of losses.csv."""

    epoch: int  # from 1
    train_loss: float
    valid_loss: float
    learning_rate: float


@dataclass(frozen=True)
class CurvePoint:
    """One line of learning_curve.csv: mean improvements on validation mixtures after some training mixtures."""

    mixtures: int
    snrimp_db: float
    si_sdrimp_db: float


@dataclass(frozen=True)
class Checkpoint:
    """The state after the last epoch of `history`; tensors are on the CPU."""

    fingerprint: str
    network: StateDict
    best: StateDict
    optimizer: dict[str, Any]
    history: tuple[EpochResult, ...]
    curve: tuple[CurvePoint, ...] = ()  # empty where nothing is scored


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write atomically: after an interruption, the file is either the previous checkpoint or this one."""
    content = {
        "fingerprint": checkpoint.fingerprint,
        "network": checkpoint.network,
        "best": checkpoint.best,
        "optimizer": checkpoint.optimizer,
        "history": [[r.epoch, r.train_loss, r.valid_loss, r.learning_rate] for r in checkpoint.history],
        "curve": [[p.mixtures, p.snrimp_db, p.si_sdrimp_db] for p in checkpoint.curve],
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    atomic_write(path, buffer.getvalue())


def load(path: Path, fingerprint: str) -> Checkpoint | None:
    """Read the checkpoint of an interrupted run; None if there is none.

    Raises:
        UserError: the checkpoint belongs to another training, or cannot be read.
    """
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        checkpoint = Checkpoint(
            fingerprint=content["fingerprint"],
            network=content["network"],
            best=content["best"],
            optimizer=content["optimizer"],
            history=tuple(EpochResult(int(e), t, v, r) for e, t, v, r in content["history"]),
            curve=tuple(CurvePoint(int(n), snr, si_sdr) for n, snr, si_sdr in content["curve"]),
        )
    except Exception as error:  # noqa: BLE001 - invalid files raise many types of errors
        reason = str(error).partition("\n")[0]
        raise UserError(f"{path}: not a checkpoint of this project ({reason}); start over with --force") from None
    difference = relation(checkpoint.fingerprint, fingerprint)
    if difference == "code":
        raise UserError(
            f"{path}: left by a training of other code, and what was fitted is never thrown away by itself; "
            "start this training over with --force, choose another --output, or undo the change"
        )
    if difference != "same":
        raise UserError(
            f"{path}: left by a training with another recipe or other data; "
            "choose another --output, or start this training over with --force"
        )
    return checkpoint


def copy_state(module: torch.nn.Module) -> StateDict:
    """Copy the weights and buffers of a module to the CPU."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in module.state_dict().items()}
