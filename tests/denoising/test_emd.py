"""EMD against the library EMD-signal on real, simulated and awkward signals, and its invariances."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PyEMD import EMD

from cleansemg.core.errors import InputError, UserError
from cleansemg.denoising import compilation
from cleansemg.denoising.emd import emd, emd_batch
from tests.denoising.emg_segments import Segments, agree, real_segments, simulated_segments, unit_rms
from tests.denoising.signals import emg

KERNEL = """
from numba import njit
@njit(cache=True)
def kernel(x):
    return x + 1
"""


def library(x: Segments, max_imf: int = -1) -> Segments:
    return EMD().emd(x, max_imf=max_imf)


def share_that_agrees(segments: Segments) -> float:
    """Below 1 only where the last digits decide: whether a sifting was the last, or which of two samples is higher."""
    return float(np.mean([agree(emd(x), library(x)) for x in unit_rms(segments)]))


@pytest.mark.realdata
def test_real_segments_give_what_the_library_gives(real_data: Path) -> None:
    assert share_that_agrees(real_segments(real_data, 24)) >= 0.95


def test_simulated_segments_give_what_the_library_gives() -> None:
    assert share_that_agrees(simulated_segments(20)) >= 0.95


@pytest.mark.slow
@pytest.mark.realdata
def test_a_thousand_segments_give_what_the_library_gives(real_data: Path) -> None:
    segments = np.concatenate([real_segments(real_data, 600), simulated_segments(400)])
    assert share_that_agrees(segments) >= 0.99


@pytest.mark.parametrize("max_imf", [1, 2, 5, 50])
def test_max_imf_is_the_library_s(max_imf: int) -> None:
    for x in unit_rms(emg(4, 501)):
        assert agree(emd(x, max_imf), library(x, max_imf))


@settings(deadline=None, max_examples=300)
@given(st.lists(st.integers(-3, 3), min_size=3, max_size=60))
def test_plateaus_zeros_and_short_signals_give_what_the_library_gives(values: list[int]) -> None:
    x = np.array(values, float)
    if not x.any():
        return
    x = unit_rms(x)
    ours, theirs = emd(x), library(x)
    assert ours.shape == theirs.shape
    assert np.abs(ours.sum(axis=0) - x).max() < 1e-12
    assert np.abs(ours - theirs).max() < 1e-8


@pytest.mark.parametrize("n_samples", [3, 4, 5, 7, 10, 33, 100, 777, 4001])
def test_any_length_gives_what_the_library_gives(n_samples: int) -> None:
    rng = np.random.default_rng(n_samples)
    for x in unit_rms(np.cumsum(rng.standard_normal((5, n_samples)), axis=1)):
        assert agree(emd(x), library(x))


def test_more_modes_than_were_reserved_are_kept() -> None:
    t = np.arange(200_000)
    x = unit_rms(np.sum([np.cos(2 * np.pi * t / 2.7 / 1.9**k + k) for k in range(16)], axis=0) + 1e-5 * t)
    modes = emd(x)
    assert len(modes) > 16
    np.testing.assert_allclose(modes.sum(axis=0), x, atol=1e-12)


@settings(deadline=None, max_examples=30)
@given(st.integers(3, 700), st.integers(0, 10_000))
def test_modes_add_up_to_the_signal(n_samples: int, seed: int) -> None:
    x = 1e-4 * np.random.default_rng(seed).standard_normal(n_samples) + 2e-5
    modes = emd(x)
    assert np.abs(modes.sum(axis=0) - x).max() <= 1e-13 * np.abs(x).max() * len(modes)


@pytest.mark.parametrize("decade", range(-9, 4))
def test_the_unit_does_not_matter(decade: int) -> None:
    """The library itself gives 2 modes in place of 9 for signals in volts."""
    x = emg(3, 1000)
    for row in x:
        expected = emd(row)
        assert agree(emd(row * 10.0**decade) / 10.0**decade / row.std(), expected / row.std())


def test_a_power_of_two_does_not_change_a_digit() -> None:
    x = emg(1)[0]
    np.testing.assert_array_equal(emd(np.ldexp(x, -600)), np.ldexp(emd(x), -600))


def test_the_sign_carries_over() -> None:
    for x in unit_rms(emg(4, 1001)):
        np.testing.assert_allclose(emd(-x), -emd(x), atol=1e-12)


def test_repeated_and_batched_calls_are_identical() -> None:
    x = emg(3, 801)
    for one, other, row in zip(emd_batch(x), emd_batch(x[::-1])[::-1], x, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, emd(row))


def test_single_precision_and_integers_are_taken() -> None:
    x = np.round(emg(1, 300)[0] * 1e7)
    np.testing.assert_array_equal(emd(x.astype(np.int32)), emd(x))
    np.testing.assert_array_equal(emd(x.astype(np.float32)), emd(x))


@pytest.mark.parametrize("x", [np.zeros(50), np.full(50, 3e-4), np.array([2.0]), np.array([1.0, 2.0]), np.arange(10.0)])
def test_a_signal_without_extrema_comes_back_as_the_one_row(x: Segments) -> None:
    np.testing.assert_allclose(emd(x), x[None], rtol=1e-15)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.array([1.0, np.nan, 2.0]), "sample 1 is nan"),
        (np.array([1.0, 2.0, -np.inf]), "sample 2 is -inf"),
        (np.zeros((2, 5)), "shape"),
        (np.zeros(0), "shape"),
        (np.zeros(5, complex), "real numbers"),
    ],
)
def test_what_is_no_signal_is_refused(x: Segments, message: str) -> None:
    with pytest.raises(InputError, match=message):
        emd(x)


def test_max_imf_zero_is_refused() -> None:
    with pytest.raises(UserError, match="max_imf is 0"):
        emd(np.arange(9.0), 0)


def test_compilation_is_announced_while_nothing_lies_on_disk(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some_kernel.py").write_text(KERNEL)

    def loaded() -> object:
        spec = importlib.util.spec_from_file_location("some_kernel", tmp_path / "some_kernel.py")
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.kernel

    caplog.set_level(logging.INFO, "cleansemg.denoising.compilation")
    cold = loaded()
    compilation.announce(cold, 3)
    assert "once (about 3 s)" in caplog.text
    assert cold(1.0) == 2.0
    assert not compilation.is_cold(cold)
    caplog.clear()
    compilation.announce(loaded(), 3)
    assert not caplog.text
