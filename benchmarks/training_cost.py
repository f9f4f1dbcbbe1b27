"""What fitting costs: processor time per 1000 mixtures of each network of a configuration, on one thread.

    nice -n 5 python -m benchmarks.training_cost --config configs/open.yaml [--mixtures 96] [--minutes 12]

Each network is fitted by the training loop itself, in the form and with the recipe that the configuration gives it, to
random signals of 2000 samples: what a step costs does not depend on what is in the signals. A first epoch, in which
libraries compile and allocate, is not counted. Times are of the processor, so that other work on the machine disturbs
them little; drawing and mixing, 62 us a mixture, are not in them. The last columns say what one fit with the
configuration's `train.mixtures` takes, and how many mixtures fit into `--minutes`. The exit code is 1 where a fit
takes more than the 20 core-minutes that docs/training.md promises.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator

from cleansemg.core import config as configuration
from cleansemg.core import registry
from cleansemg.core.seeding import generator
from cleansemg.core.threads import single_threaded
from cleansemg.denoising.loading import load_network
from cleansemg.settings import Settings
from cleansemg.training import loop, neural
from cleansemg.training.batches import Batch, Share, split
from cleansemg.training.recipe import Recipe, Schedule
from cleansemg.training.recipe_layers import resolve_recipe

LENGTH = 2000
MOST_MINUTES = 20.0


@dataclass
class TimedSource:
    """Random mixtures; notes the processor's time at the start of each epoch and of each validation."""

    n_train: int
    n_valid: int = 16

    def __post_init__(self) -> None:
        rng = generator(0, "training cost")
        self._noisy = rng.standard_normal((self.n_train, LENGTH)).astype(np.float32).clip(-1, 1)
        self._clean = (0.5 * self._noisy).astype(np.float32)
        self.started: list[float] = []
        self.trained: list[float] = []

    def train(self, epoch: int, batch_size: int, share: Share) -> Iterator[Batch]:
        del epoch
        self.started.append(time.process_time())
        yield from self._batches(self.n_train, batch_size, share)

    def valid(self, batch_size: int, share: Share) -> Iterator[Batch]:
        self.trained.append(time.process_time())
        yield from self._batches(self.n_valid, batch_size, share)

    def _batches(self, n: int, batch_size: int, share: Share) -> Iterator[Batch]:
        for rows in split(np.arange(n), batch_size, share, even=True):
            yield Batch(self._noisy[rows], self._clean[rows])


def seconds_per_1000(name: str, recipe: Recipe, parameters: dict[str, object], n: int) -> float:
    """Processor time of the second of two epochs of `n` mixtures, in seconds per 1000."""
    short = recipe.model_copy(update={"epochs": 2, "patience": None, "schedule": Schedule(kind="none")})
    source = TimedSource(n)
    network = load_network(name, None, **{**parameters, "device": "cpu"}).network
    with tempfile.TemporaryDirectory() as folder, loop.reproducible(1):
        run = loop.Run(name, 0, "cost", Path(folder) / "checkpoint.pt")
        loop.fit(network, source, short, run, Accelerator(cpu=True))
    return 1000 * (source.trained[-1] - source.started[1]) / n


def measure(settings: Settings, n: int, minutes: float) -> bool:
    """Print a line for each network; returns whether every fit is within `MOST_MINUTES`."""
    print(f"{'network':12} {'form':6} {'weights':>9} {'s / 1000':>9} {'min a fit':>10} {f'in {minutes:g} min':>12}")
    within = True
    for model in settings.train.models:
        entry = registry.find("denoisers", model)
        recipe = resolve_recipe(entry, settings)
        parameters = neural.parameters_of(entry, settings)
        network = load_network(entry.name, None, **{**parameters, "device": "cpu"}).network
        weights = sum(p.numel() for p in network.parameters())
        seconds = seconds_per_1000(entry.name, recipe, parameters, n)
        seen = recipe.epochs * settings.train.mixtures_per_epoch if settings.train.mixtures_per_epoch else None
        fit_minutes = None if seen is None else seconds * seen / 60_000
        within &= fit_minutes is None or fit_minutes <= MOST_MINUTES
        form = "small" if parameters.items() >= (entry.extra.get("small") or {"": None}).items() else "full"
        shown = "" if fit_minutes is None else f"{fit_minutes:.1f}"
        print(f"{entry.name:12} {form:6} {weights:9} {seconds:9.1f} {shown:>10} {60_000 * minutes / seconds:12.0f}")
    return within


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("configs/open.yaml"))
    parser.add_argument("--mixtures", type=int, default=96, help="an epoch")
    parser.add_argument("--minutes", type=float, default=12.0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with single_threaded():
        return 0 if measure(configuration.load(arguments.config), arguments.mixtures, arguments.minutes) else 1


if __name__ == "__main__":
    sys.exit(main())
