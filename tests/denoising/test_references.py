"""The rows that every table shows beside the methods: floors and ceiling."""

from __future__ import annotations

import numpy as np
import pytest

from cleansemg.core.errors import UserError
from cleansemg.denoising import NoiseLabels, load
from cleansemg.denoising.wiener_oracle import WienerOracle, _inverse, _transform, wiener_gain
from tests.denoising.signals import FS_HZ, at_snr, emg, snr_db

T = np.arange(2000) / FS_HZ


def told(clean: np.ndarray, kinds: tuple[bool, ...] = (True,) * 5) -> NoiseLabels:
    return NoiseLabels(np.tile(kinds, (len(clean), 1)), np.full(len(clean), np.nan), clean)


def test_floors() -> None:
    noisy = at_snr(emg(3), emg(3, name="noise"), 0)
    assert np.array_equal(load("identity").denoise(noisy, FS_HZ), noisy.astype(np.float32))
    assert not load("zero").denoise(noisy, FS_HZ).any()


@pytest.mark.parametrize("hop", [1, 2, 32, 128, 512])
@pytest.mark.parametrize("length", [1, 7, 777, 2000])
def test_gains_of_one_give_the_input_back(hop: int, length: int) -> None:
    x = 1e-5 * np.random.default_rng(hop + length).standard_normal((2, length))
    np.testing.assert_allclose(_inverse(_transform(x, hop), hop, length), x, rtol=0, atol=1e-18)


def test_gain() -> None:
    signal = np.array([[[1.0, 2.0, 0.0, 0.0]]], complex)
    noise = np.array([[[1.0, 0.0, 3.0, 0.0]]], complex)
    assert wiener_gain(signal, noise).tolist() == [[[0.5, 1.0, 0.0, 0.0]]]
    assert wiener_gain(1e-30 * signal, 1e-30 * noise).tolist() == [[[0.5, 1.0, 0.0, 0.0]]]


def test_without_noise_nothing_changes() -> None:
    clean = emg(2)
    np.testing.assert_allclose(WienerOracle().denoise(clean, FS_HZ, told(clean)), clean, rtol=1e-5, atol=1e-11)


@pytest.mark.parametrize("kind", ["line", "beats", "white"])
@pytest.mark.parametrize("level_db", [-15, -5, 5, 15])
def test_ceiling_is_above_hp(kind: str, level_db: float) -> None:
    clean = emg(8)
    noise = {
        "line": np.sin(2 * np.pi * 50.1 * T) + np.sin(2 * np.pi * 150.3 * T) / 3 + 0 * clean,
        "beats": np.exp(-0.5 * (((T + 0.3) % 0.8 - 0.4) / 0.01) ** 2) + 0 * clean,
        "white": np.random.default_rng(1).standard_normal(clean.shape),
    }[kind]
    noise = noise - noise.mean(axis=1, keepdims=True)
    noisy = at_snr(clean, noise, level_db)
    kinds = {"line": (True, False, False, False, False), "beats": (False, True, False, False, False),
             "white": (False, False, False, True, False)}[kind]  # fmt: skip
    ceiling = snr_db(clean, WienerOracle().denoise(noisy, FS_HZ, told(clean))).mean()
    hp = snr_db(clean, load("hp").denoise(noisy, FS_HZ, told(clean, kinds))).mean()
    assert ceiling > level_db + 1
    assert ceiling > hp + 1, (ceiling, hp)


def test_it_needs_the_truth() -> None:
    noisy = emg(2)
    with pytest.raises(UserError, match="needs labels"):
        load("wiener_oracle").denoise(noisy, FS_HZ)
    with pytest.raises(UserError, match="needs the clean signals"):
        load("wiener_oracle").denoise(noisy, FS_HZ, "PLI")
    with pytest.raises(UserError, match=r"clean signals of shape \(2, 100\)"):
        load("wiener_oracle").denoise(noisy, FS_HZ, told(noisy[:, :100]))
    with pytest.raises(UserError, match="windows_s"):
        load("wiener_oracle", windows_s=[0.1, -1])
