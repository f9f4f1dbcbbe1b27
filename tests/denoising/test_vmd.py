"""The decomposition against the library vmdpy, against the algorithm written out, and its invariances."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import vmdpy
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cleansemg.core.errors import InputError, UserError
from cleansemg.denoising.vmd import spectrum, vmd
from cleansemg.denoising.vmd_kernel import MAX_UPDATES, decompose
from tests.denoising.signals import emg

Signal = NDArray[np.float64]
ALPHA = 2000.0


def unit_rms(x: Signal) -> Signal:
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True))


def relative(difference: Signal) -> float:
    """RMS of a difference between decompositions of a unit-RMS signal, of the worst mode."""
    return float(np.sqrt(np.mean(difference**2, axis=-1)).max())


def n_updates(x: Signal, k: int, alpha: float = ALPHA, tau: float = 0.0, dc: bool = False, tol: float = 1e-7) -> int:
    return decompose(spectrum(unit_rms(x)), k, alpha, tau, dc, tol)[2]


def algorithm_2(x: Signal, k: int, alpha: float, tau: float, n_updates: int) -> tuple[Signal, Signal]:
    """The paper's algorithm in complex numbers on the mirrored signal, any length, `n_updates` times, uniform start."""
    length, front = len(x), len(x) // 2
    mirrored = np.concatenate([x[:front][::-1], x, x[front:][::-1]])
    f = np.fft.rfft(mirrored)[:-1]
    w = np.arange(length) / (2 * length)
    u = np.zeros((k, length), complex)
    centre = 0.5 / k * np.arange(k)
    multiplier = np.zeros(length, complex)
    for _ in range(n_updates):
        for i in range(k):
            others = u.sum(axis=0) - u[i]
            u[i] = (f - others - multiplier / 2) / (1 + alpha * (w - centre[i]) ** 2)
            power = np.abs(u[i]) ** 2
            centre[i] = (w * power).sum() / power.sum()
        multiplier = multiplier + tau * (u.sum(axis=0) - f)
    whole = np.fft.irfft(np.pad(u, ((0, 0), (0, 1))), 2 * length)
    return whole[:, front : front + length], centre


def compare_with_library(x: Signal, k: int, tau: float = 0.0, dc: bool = False, tol: float = 1e-7) -> None:
    modes, centre = vmd(x, k, ALPHA, tau, dc, tol)
    expected, _, path = vmdpy.VMD(x, ALPHA, tau, k, dc, 1, tol)
    assert n_updates(x, k, tau=tau, dc=dc, tol=tol) == len(path)
    # With a dual ascent the iteration does not settle, and amplifies rounding: 1e-9 after 499 updates.
    tolerance = 1e-10 if tau == 0 else 1e-6
    assert relative(modes - expected) < tolerance
    np.testing.assert_allclose(centre, path[-1], atol=tolerance)


@pytest.mark.parametrize(
    ("k", "tau", "dc"),
    [(1, 0.0, False), (3, 0.0, False), (6, 0.0, False), (6, 0.0, True), (4, 0.1, False), (2, 0.5, True)],
)
def test_agrees_with_the_library(k: int, tau: float, dc: bool) -> None:
    for x in unit_rms(emg(3, 600)):
        compare_with_library(x, k, tau, dc)


@pytest.mark.parametrize("n_samples", [2, 4, 6, 10, 998])
def test_agrees_with_the_library_on_short_even_lengths(n_samples: int) -> None:
    compare_with_library(unit_rms(np.random.default_rng(n_samples).standard_normal(n_samples)), 3)


@pytest.mark.realdata
def test_agrees_with_the_library_on_real_segments(real_data: Path) -> None:
    forearm = np.loadtxt(real_data / "muscletracker" / "Biopac" / "7_2_3.txt", delimiter=",")
    thigh = np.loadtxt(real_data / "uci_lower_limb" / "1Nsen.txt", skiprows=7)
    for segment in [*forearm[1000:3000].T, *thigh[4000:6000, :4].T]:
        compare_with_library(unit_rms(segment), 6)


@pytest.mark.parametrize("tau", [0.0, 0.2])
@pytest.mark.parametrize("n_samples", [3, 5, 301, 300])
def test_agrees_with_the_algorithm_written_out(n_samples: int, tau: float) -> None:
    x = unit_rms(np.random.default_rng(n_samples).standard_normal(n_samples))
    modes, centre = vmd(x, 4, ALPHA, tau)
    expected, expected_centre = algorithm_2(x, 4, ALPHA, tau, n_updates(x, 4, tau=tau) - 1)
    if n_samples % 2 == 0:  # the reference's bin at the Nyquist frequency: an alternating sequence, and nothing else
        sign = (-1.0) ** np.arange(n_samples)
        assert 1e-9 < relative(modes - expected) < 0.1
        expected = expected + ((modes - expected) * sign).mean(axis=1, keepdims=True) * sign
    np.testing.assert_allclose(modes, expected, atol=1e-11)
    np.testing.assert_allclose(centre, expected_centre, atol=1e-12)


def test_keeps_the_last_sample_of_odd_lengths() -> None:
    x = unit_rms(emg(1, 501)[0])
    modes, _ = vmd(x, 6, 20.0)
    assert modes.shape == (6, 501)
    assert relative(modes.sum(axis=0) - x) < 0.2
    x[-1] += 30  # the modes follow a change of the last sample
    assert vmd(x, 6, 20.0)[0].sum(axis=0)[-1] > 10


@settings(max_examples=25, deadline=None)
@given(
    exponent=st.floats(-9, 3), n_samples=st.integers(20, 260), k=st.integers(1, 7), tau=st.sampled_from([0.0, 0.3]),
    seed=st.integers(0, 999),
)  # fmt: skip
def test_scale_and_sign(exponent: float, n_samples: int, k: int, tau: float, seed: int) -> None:
    x = unit_rms(np.random.default_rng(seed).standard_normal(n_samples))
    modes, centre = vmd(x, k, ALPHA, tau)
    assert np.array_equal(vmd(-x, k, ALPHA, tau)[0], -modes)
    scale = 2.0 ** round(exponent * np.log2(10))  # a power of two: nothing is rounded, all bits must agree
    scaled, scaled_centre = vmd(scale * x, k, ALPHA, tau)
    assert np.array_equal(scaled, scale * modes)
    assert np.array_equal(scaled_centre, centre)


@pytest.mark.parametrize("scale", [1e-9, 1e-6, 1e-3, 1.0, 1e3, 1e-200, 1e200])
def test_the_unit_does_not_matter(scale: float) -> None:
    x = unit_rms(emg(1, 800)[0])
    modes, centre = vmd(x, 5, ALPHA)
    scaled, scaled_centre = vmd(scale * x, 5, ALPHA)
    assert relative(scaled / scale - modes) < 1e-9
    np.testing.assert_allclose(scaled_centre, centre, atol=1e-10)


def test_the_library_returns_zeros_in_volts() -> None:
    """Why the signal is scaled inside."""
    volts = 1e-6 * unit_rms(emg(1, 600)[0])
    assert not vmdpy.VMD(volts, ALPHA, 0, 3, 0, 1, 1e-7)[0].any()
    assert np.sqrt(np.mean(vmd(volts, 3, ALPHA)[0].sum(axis=0) ** 2)) > 0.3e-6


def test_a_batch_is_its_signals() -> None:
    x = emg(3, 400)
    modes, centre = vmd(x, 4, ALPHA)
    assert modes.shape == (3, 4, 400)
    assert centre.shape == (3, 4)
    for row, signal in enumerate(x):
        alone, centre_alone = vmd(signal, 4, ALPHA)
        assert np.array_equal(modes[row], alone)
        assert np.array_equal(centre[row], centre_alone)
    again, _ = vmd(x.copy(), 4, ALPHA)
    assert np.array_equal(modes, again)


def test_the_input_is_left_alone() -> None:
    x = emg(1, 200)[0]
    before = x.copy()
    vmd(x, 3, ALPHA)
    assert np.array_equal(x, before)


def test_tones_come_apart() -> None:
    t = np.arange(1000)
    tones = [np.cos(2 * np.pi * f * t + 0.4) for f in (0.02, 0.11, 0.31)]
    modes, centre = vmd(np.sum(tones, axis=0), 3, ALPHA)
    np.testing.assert_allclose(centre, [0.02, 0.11, 0.31], atol=1e-3)
    inner = slice(100, 900)
    for mode, tone in zip(modes, tones, strict=True):
        assert np.corrcoef(mode[inner], tone[inner])[0, 1] > 0.999


def test_dc_holds_the_first_mode_at_zero() -> None:
    x = emg(1, 500)[0] + 2e-4
    modes, centre = vmd(x, 4, ALPHA, dc=True)
    assert centre[0] == 0
    assert modes[0].mean() == pytest.approx(2e-4, rel=0.1)


def test_dual_ascent_leaves_nothing_unexplained() -> None:
    tones = np.cos(np.outer([0.3, 1.3], np.arange(600))).sum(axis=0)
    slack, exact = (relative(vmd(tones, 2, ALPHA, tau)[0].sum(axis=0) - tones) for tau in (0.0, 0.3))
    assert slack > 0.01
    assert exact < 0.2 * slack


def test_constant_signal() -> None:
    modes, centre = vmd(np.full(101, 3.0), 3, ALPHA)
    np.testing.assert_allclose(modes.sum(axis=0), 3.0, rtol=0.01)
    assert np.isfinite(centre).all()  # the library divides 0 by 0 for modes without energy
    assert abs(centre[0]) < 1e-12


def test_zero_signal() -> None:
    modes, centre = vmd(np.zeros(50), 4, ALPHA)
    assert modes.shape == (4, 50)
    assert not modes.any()
    np.testing.assert_allclose(centre, [0, 0.125, 0.25, 0.375])


def test_one_sample() -> None:
    modes, _ = vmd([0.5], 2, ALPHA)
    assert modes.shape == (2, 1)
    assert modes.sum() == pytest.approx(0.5, rel=0.01)


def test_a_loose_tolerance_never_gives_the_zero_start() -> None:
    x = unit_rms(emg(1, 300)[0])
    assert n_updates(x, 3, tol=1e9) == 2
    assert vmd(x, 3, ALPHA, tol=1e9)[0].any()


def test_updates_are_limited() -> None:
    x = unit_rms(np.random.default_rng(5).standard_normal(300))
    assert n_updates(x, 6, tol=1e-300) == MAX_UPDATES
    compare_with_library(x, 6, tol=1e-300)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_finite_is_refused(value: float) -> None:
    x = emg(2, 100)
    x[1, 17] = value
    with pytest.raises(InputError, match="signal 1 is not finite at sample 17"):
        vmd(x, 3, ALPHA)


@pytest.mark.parametrize("x", [[], np.zeros((2, 2, 2)), np.zeros(5, complex), ["a", "b"], 3.0])
def test_other_than_signals_is_refused(x: object) -> None:
    with pytest.raises(InputError, match="vmd: expected"):
        vmd(x, 3, ALPHA)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "parameters",
    [
        {"k": 0},
        {"k": 2.5},
        {"k": True},
        {"alpha": 0},
        {"alpha": np.nan},
        {"tau": -1},
        {"tau": np.inf},
        {"tol": 0},
        {"tol": np.nan},
    ],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, float]) -> None:
    name = next(iter(parameters))
    with pytest.raises(UserError, match=f"vmd: {name} is .*, expected"):
        vmd(emg(1, 100)[0], **{"k": 3, "alpha": ALPHA, **parameters})  # type: ignore[arg-type]
