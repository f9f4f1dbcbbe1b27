"""Every denoiser against the conformance checks, and the checks against denoisers that break them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cleansemg import denoising
from cleansemg.core.registry import entries, find, load_class, project_root
from cleansemg.denoising import Denoiser, NoiseLabels, load, networks
from cleansemg.denoising.conformance import CHECKS, run_checks
from cleansemg.denoising.loading import is_neural
from tests.denoising.small_networks import quick_form

ROOT = project_root()
ROWS = [(name, track) for name, entry in entries("denoisers").items() for track in load_class(entry.target).tracks]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("name", "track"), ROWS)
def test_denoiser_conforms(name: str, track: str) -> None:
    def fresh() -> Denoiser:
        torch.manual_seed(1)
        return load(name, weights=None, **quick_form(name))

    results = run_checks(fresh, [track])
    assert len(results) == len(CHECKS)
    assert not [f"{result.check}: {result.detail}" for result in results if not result.passed]


@pytest.mark.parametrize("name", sorted(entries("denoisers")))
def test_denoiser_is_complete(name: str) -> None:
    entry = find("denoisers", name)
    module = entry.target.partition(":")[0]
    assert (ROOT / (module.replace(".", "/") + ".py")).is_file()  # through the package's links
    if is_neural(load_class(entry.target)):
        assert module.rpartition(".")[0] == "cleansemg.denoising.networks"  # variants of a network share a file
    else:
        assert module == f"cleansemg.denoising.{name}"
    assert entry.summary
    assert load_class(entry.target).name == name
    document = (ROOT / "docs" / "denoisers.md").read_text()
    assert f"| `{name}` |" in document, "no row in the table of docs/denoisers.md"
    assert f"\n## {name}\n" in document, "no section in docs/denoisers.md"


def test_every_denoiser_has_an_entry() -> None:
    found = set()
    for package in (denoising, networks):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for cls in vars(importlib.import_module(module.name)).values():
                own = inspect.isclass(cls) and cls.__module__ == module.name
                if own and issubclass(cls, Denoiser) and not inspect.isabstract(cls) and cls.name:
                    found.add(f"{module.name}:{cls.__name__}")
    assert found == {entry.target for entry in entries("denoisers").values()}


class Broken(Denoiser):
    """A base for denoisers that each break one promise."""

    name = "broken"
    sign_equivariant = True

    def _denoise(self, noisy: NDArray[np.float64], fs_hz: float, labels: NoiseLabels | None) -> NDArray[np.float64]:
        return self.break_it(noisy)

    def break_it(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        raise NotImplementedError


class AbsoluteEpsilon(Broken):
    def break_it(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return x * x**2 / (x**2 + 1e-10)


class LooksAtNeighbours(Broken):
    def break_it(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return x - x.mean(axis=0, keepdims=True)


class Rectifies(Broken):
    def break_it(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.abs(x)


class Random(Broken):
    def break_it(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return x * np.random.default_rng().uniform(0.9, 1.1)


class EvenLengthsOnly(Broken):
    def break_it(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return x.reshape(len(x), -1, 2).reshape(len(x), -1)


class DividesByTheDeviation(Broken):
    def break_it(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(all="ignore"):
            return x / x.std(axis=1, keepdims=True) * x.std(axis=1, keepdims=True)


class ChangesItsInput(Broken):
    def denoise(self, noisy, fs_hz, labels=None):  # type: ignore[no-untyped-def]
        estimate = super().denoise(noisy, fs_hz, labels)
        noisy *= 0.5
        return estimate


class ChangesItsInputQuietly(ChangesItsInput):
    def break_it(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return x


class TakesAnything(Denoiser):
    name = "anything"
    tracks: ClassVar[tuple[str, ...]] = ("blind",)

    def denoise(self, noisy, fs_hz, labels=None):  # type: ignore[no-untyped-def]
        return np.asarray(noisy).astype(np.float64)

    def _denoise(self, noisy: NDArray[np.float64], fs_hz: float, labels: NoiseLabels | None) -> NDArray[np.float64]:
        return noisy


@pytest.mark.parametrize(
    ("cls", "checks"),
    [
        (AbsoluteEpsilon, {"keeps the scale"}),
        (LooksAtNeighbours, {"ignores its neighbours"}),
        (Rectifies, {"keeps the sign"}),
        (Random, {"gives the same twice"}),
        (EvenLengthsOnly, {"takes any length"}),
        (DividesByTheDeviation, {"copes with constants"}),
        (ChangesItsInputQuietly, {"leaves its input alone"}),
        (TakesAnything, {"returns float32 in the shape of its input", "refuses what is not a signal",
                         "checks its labels"}),
    ],
)  # fmt: skip
def test_checks_find_what_is_broken(cls: Callable[[], Denoiser], checks: set[str]) -> None:
    failed = {result.check for result in run_checks(cls) if not result.passed}
    assert checks <= failed
    assert "declares what it is" not in failed
