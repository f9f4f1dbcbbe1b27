"""CEEMDAN against the library EMD-signal, serial and with the same noise seed, and its invariances."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PyEMD import CEEMDAN

from cleansemg.core.errors import InputError, UserError
from cleansemg.denoising.ceemdan import ceemdan, ceemdan_batch, noise_modes
from tests.denoising.emg_segments import Segments, agree, real_segments, simulated_segments, unit_rms
from tests.denoising.signals import emg

PUBLISHED: dict[str, Any] = {"trials": 20, "range_thr": 0.001, "total_power_thr": 0.01}


class KeepsNoise(CEEMDAN):
    """The library, told to decompose the same noise once only: half of its work."""

    kept: ClassVar[dict[str, list[Segments]]] = {}

    def _decompose_noise(self) -> list[Segments]:
        key = f"{self.all_noises.shape} {self.all_noises[0, 0]} {self.EMD.range_thr} {self.EMD.total_power_thr}"
        if key not in self.kept:
            self.kept[key] = super()._decompose_noise()
        return list(self.kept[key])


def library(x: Segments, seed: int = 42, max_imf: int = -1, **parameters: Any) -> Segments:
    reference = KeepsNoise(parallel=False, **parameters)
    reference.noise_seed(seed)
    return reference.ceemdan(x, max_imf=max_imf)


def share_that_agrees(segments: Segments, **parameters: Any) -> float:
    """Below 1 only where the last digits decide a stopping rule, or which of two samples is higher."""
    return float(np.mean([agree(ceemdan(x, **parameters), library(x, **parameters)) for x in unit_rms(segments)]))


@pytest.mark.realdata
def test_real_segments_give_what_the_library_gives(real_data: Path) -> None:
    assert share_that_agrees(real_segments(real_data, 2), **PUBLISHED) == 1
    assert share_that_agrees(real_segments(real_data, 10, 701), **{**PUBLISHED, "trials": 4}) == 1


def test_simulated_segments_give_what_the_library_gives() -> None:
    assert share_that_agrees(simulated_segments(10, 500), **{**PUBLISHED, "trials": 4}) == 1


@pytest.mark.slow
@pytest.mark.realdata
def test_a_thousand_segments_give_what_the_library_gives(real_data: Path) -> None:
    """Twenty minutes, all of them the library's."""
    segments = np.concatenate([real_segments(real_data, 600), simulated_segments(400)])
    assert share_that_agrees(segments, **PUBLISHED) >= 0.99


@pytest.mark.parametrize(
    "parameters",
    [
        {"trials": 5},
        {"trials": 3, "epsilon": 0.2},
        {"trials": 1, "epsilon": 0.05, "seed": 0},
        {"trials": 3, "seed": 123456789},
        {"trials": 3, "range_thr": 0.5, "total_power_thr": 60.0},
        {"trials": 3, "range_thr": 1e-6},
        {"trials": 3, "total_power_thr": 400.0},
        {"trials": 3, "max_imf": 1},
        {"trials": 3, "max_imf": 4},
        {"trials": 3, "epsilon": 0.0},
    ],
    ids=str,
)
def test_every_parameter_is_the_library_s(parameters: dict[str, Any]) -> None:
    for x in unit_rms(emg(2, 401)):
        assert agree(ceemdan(x, **parameters), library(x, **parameters))


def test_every_parameter_changes_the_result() -> None:
    x = unit_rms(emg(1, 400))[0]
    basis = {"trials": 3, "epsilon": 0.05}
    for other in (
        {"trials": 4},
        {"epsilon": 0.1},
        {"seed": 1},
        {"range_thr": 1.0},
        {"total_power_thr": 200.0},
        {"max_imf": 2},
    ):
        assert not agree(ceemdan(x, **{**basis, **other}), ceemdan(x, **basis))  # type: ignore[arg-type]


def test_an_offset_and_a_drift_are_kept_as_the_library_keeps_them() -> None:
    for x in unit_rms(emg(2, 300)) + 5 + np.linspace(0, 3, 300):
        assert agree(ceemdan(x, trials=3), library(x, trials=3))


@pytest.mark.parametrize("n_samples", [3, 4, 5, 10, 11, 40])
def test_short_signals_give_what_the_library_gives(n_samples: int) -> None:
    for x in np.random.default_rng(n_samples).standard_normal((5, n_samples)):
        assert agree(ceemdan(x, trials=6), library(x, trials=6))


@pytest.mark.parametrize("n_samples", [3, 10, 101, 1000])
def test_modes_add_up_to_the_signal(n_samples: int) -> None:
    for x in emg(3, 1000)[:, :n_samples]:
        modes = ceemdan(x, **PUBLISHED)
        assert np.abs(modes.sum(axis=0) - x).max() <= 1e-13 * np.abs(x).max() * len(modes)


@pytest.mark.parametrize("decade", range(-9, 4))
def test_the_unit_does_not_matter(decade: int) -> None:
    for row in emg(2, 500):
        expected = ceemdan(row, trials=5) / row.std()
        assert agree(ceemdan(row * 10.0**decade, trials=5) / 10.0**decade / row.std(), expected)


def test_a_power_of_two_does_not_change_a_digit() -> None:
    x = emg(1, 500)[0]
    np.testing.assert_array_equal(ceemdan(np.ldexp(x, 700), 5), np.ldexp(ceemdan(x, 5), 700))


def test_without_noise_the_sign_carries_over() -> None:
    """With noise it does not: the noise keeps its own sign."""
    x = emg(1, 500)[0]
    np.testing.assert_allclose(ceemdan(-x, 2, 0.0), -ceemdan(x, 2, 0.0), atol=1e-12 * x.std())


def test_results_do_not_depend_on_neighbours_or_on_what_is_cached() -> None:
    x = emg(3, 401)
    batch = ceemdan_batch(x, 4)
    noise_modes.cache_clear()
    for modes, row in zip(batch, x, strict=True):
        ceemdan(row[:99], 7, seed=3)
        np.testing.assert_array_equal(ceemdan(row, 4), modes)


def test_noise_is_made_once_and_cannot_be_altered() -> None:
    first = noise_modes(5, 3, 200)
    assert noise_modes(5, 3, 200) is first
    with pytest.raises(ValueError, match="read-only"):
        first.modes[0, 0, 0] = 1
    np.testing.assert_allclose([modes[0].std() for modes in first.modes], 1)
    assert first.counts.min() > 2


@pytest.mark.parametrize("x", [np.zeros(50), np.full(50, 1.1e-4), np.array([2.0]), np.array([1.0, 2.0])])
def test_a_constant_comes_back_as_the_one_row(x: Segments) -> None:
    np.testing.assert_array_equal(ceemdan(x), x[None])


def test_what_is_not_finite_is_refused() -> None:
    with pytest.raises(InputError, match="ceemdan: sample 1 is nan"):
        ceemdan(np.array([1.0, np.nan, 2.0]))


@pytest.mark.parametrize(
    "parameters",
    [
        {"trials": 0},
        {"epsilon": -1.0},
        {"epsilon": np.nan},
        {"seed": -1},
        {"range_thr": -0.1},
        {"total_power_thr": np.nan},
        {"max_imf": 0},
    ],
    ids=str,
)
def test_a_parameter_out_of_range_is_refused(parameters: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"ceemdan: {next(iter(parameters))} is"):
        ceemdan(np.arange(9.0), **parameters)
