"""Work for the tests of the cluster: a worker imports it by name."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cleansemg.core.artifact import Failure
from cleansemg.core.errors import UserError
from cleansemg.core.stage import ShardResult


@dataclass(frozen=True)
class Item:
    """Something to work on that has a name."""

    name: str
    number: int
    folder: str = ""


def square(number: int) -> int:
    return number * number


def threads(_: int) -> tuple[int, list[int]]:
    """The process, and how many threads BLAS and torch may use in it."""
    import torch
    from threadpoolctl import threadpool_info

    time.sleep(0.1)  # or one worker has done all before the other is asked
    return os.getpid(), [torch.get_num_threads(), *(pool["num_threads"] for pool in threadpool_info())]


def slow_first(number: int) -> int:
    time.sleep(0.6 if number == 0 else 0.0)
    return number


def note(item: Item) -> int:
    """Leave a file, so that a test sees how far the cluster is."""
    Path(item.folder, item.name).touch()
    return item.number


def in_folder(name: str) -> str:
    return str(Path(name).absolute())


def refuse(number: int) -> int:
    if number == 3:
        raise UserError("three is not allowed")
    return number


def full(_: int) -> int:
    raise OSError(28, "No space left on device", "shard.npz")


def die(item: Item) -> int:
    if item.number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return item.number


def die_once(item: Item) -> ShardResult:
    """Kill the worker at the first try of one shard, in the middle of it; then as everybody else."""
    tried = Path(item.folder, f"tried_{item.number}")
    if item.number == 2 and not tried.exists():
        tried.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    return squares(item)


def slow_squares(item: Item) -> ShardResult:
    time.sleep(0.3)
    return squares(item)


def squares(item: Item) -> ShardResult:
    failures = [Failure(f"item {item.number}", "three is not allowed")] if item.number == 3 else []
    numbers = np.arange(item.number, item.number + 50)
    return ShardResult({"value": numbers**2, "name": np.array([f"n{n}" for n in numbers])}, failures)
