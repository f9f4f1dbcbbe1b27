"""The rows that every table shows beside the methods: floors, and ceilings that see the clean signal."""

from __future__ import annotations

import numpy as np
import pytest

from cleansemg.core.errors import InputError, UserError
from cleansemg.denoising import NoiseLabels, load, stft
from cleansemg.denoising.gain import gain_of
from cleansemg.denoising.psd_oracle import ExpectedSpectra
from cleansemg.denoising.psm_oracle import PhaseSensitiveMask, phase_sensitive_gain
from cleansemg.denoising.wiener_oracle import WienerOracle, wiener_gain
from cleansemg.quality import assess_signal
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
    np.testing.assert_allclose(stft.inverse(stft.transform(x, hop), hop, length), x, rtol=0, atol=1e-18)


def test_wiener_gain() -> None:
    signal, noise = np.array([[[1.0, 4.0, 0.0, 0.0]]]), np.array([[[1.0, 0.0, 9.0, 0.0]]])
    assert wiener_gain(signal, noise).tolist() == [[[0.5, 1.0, 0.0, 0.0]]]
    assert wiener_gain(1e-60 * signal, 1e-60 * noise).tolist() == [[[0.5, 1.0, 0.0, 0.0]]]


def test_phase_sensitive_gain() -> None:
    signal = np.array([[[1.0, 1.0, 1.0j, -1.0, 0.0]]], complex)
    noisy = np.array([[[2.0, 0.5, 1.0 + 1.0j, 1.0, 0.0]]], complex)
    # in phase; louder than the noisy bin; at 45 degrees: its projection; opposite; nothing at all
    for unit in (1.0, 1e-30):
        gains = phase_sensitive_gain(unit * signal, unit * noisy)
        np.testing.assert_allclose(gains, [[[0.5, 1.0, 0.5, 0.0, 0.0]]], rtol=1e-12)


@pytest.mark.parametrize("cls", [WienerOracle, PhaseSensitiveMask, ExpectedSpectra])
def test_without_noise_nothing_changes(cls: type) -> None:
    clean = emg(2)
    np.testing.assert_allclose(cls().denoise(clean, FS_HZ, told(clean)), clean, rtol=1e-5, atol=1e-11)


@pytest.mark.parametrize("seed", range(8))
def test_no_gains_between_0_and_1_are_nearer_in_any_bin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    hop = int(rng.integers(2, 200))
    clean, noise = rng.standard_normal((2, 1, 1500)) * rng.uniform(0.1, 10, (2, 1, 1))
    signal, noisy = stft.transform(clean, hop), stft.transform(clean + noise, hop)
    best = np.abs(signal - phase_sensitive_gain(signal, noisy) * noisy)
    powers = np.abs(signal) ** 2, np.abs(noisy - signal) ** 2
    for other in (wiener_gain(*powers), rng.uniform(0, 1, signal.shape), np.ones(signal.shape), np.zeros(signal.shape)):
        assert (best <= np.abs(signal - other * noisy) + 1e-12 * np.abs(noisy).max()).all()


@pytest.mark.parametrize("window_s", [0.032, 0.128, 0.512, 2.048])
@pytest.mark.parametrize("level_db", [-15, 0, 15])
def test_psm_oracle_is_above_the_ratio_mask_with_the_same_window(window_s: float, level_db: float) -> None:
    """Pitfall 22: what was called the ceiling is not one."""
    # of the transform it is a law (above); of the signal the inverse could take it back, and does not
    clean = emg(6)
    noise = np.random.default_rng(int(1000 * window_s)).standard_normal(clean.shape) + np.sin(2 * np.pi * 50.1 * T)
    noisy = at_snr(clean, noise, level_db)
    psm, ratio_mask = (cls([window_s]).denoise(noisy, FS_HZ, told(clean)) for cls in (PhaseSensitiveMask, WienerOracle))
    assert (snr_db(clean, psm) > snr_db(clean, ratio_mask)).all()


def test_ceilings_take_the_best_window_signal_by_signal() -> None:
    clean = emg(3)
    noisy = at_snr(clean, np.random.default_rng(3).standard_normal(clean.shape), 0.0)
    noisy[1] = at_snr(clean[1:2], np.sin(2 * np.pi * 50 * T)[None], -10.0)[0]
    for cls in (WienerOracle, PhaseSensitiveMask, ExpectedSpectra):
        alone = [snr_db(clean, cls([w]).denoise(noisy, FS_HZ, told(clean))) for w in (0.128, 0.512, 2.048)]
        together = snr_db(clean, cls([0.128, 0.512, 2.048]).denoise(noisy, FS_HZ, told(clean)))
        np.testing.assert_allclose(together, np.max(alone, axis=0), rtol=1e-6)


def test_expected_spectra_lie_between_the_realised_ones_and_one_gain() -> None:
    clean = emg(3)
    noisy = at_snr(clean, np.random.default_rng(3).standard_normal(clean.shape), 0.0)
    ratio_mask = WienerOracle().denoise(noisy, FS_HZ, told(clean))
    no_smoothing = ExpectedSpectra(smooth_s=1e-3, smooth_hz=1e-3).denoise(noisy, FS_HZ, told(clean))
    np.testing.assert_array_equal(no_smoothing, ratio_mask)
    one_mean = ExpectedSpectra([0.128], smooth_s=1e3, smooth_hz=1e4).denoise(noisy, FS_HZ, told(clean))
    one_gain = load("gain_oracle").denoise(noisy, FS_HZ, told(clean))
    assert np.sqrt(np.mean((one_mean - one_gain) ** 2)) < 0.01 * noisy.std()
    between = snr_db(clean, ExpectedSpectra().denoise(noisy, FS_HZ, told(clean)))
    assert (snr_db(clean, one_gain) < between).all()
    assert (between < snr_db(clean, ratio_mask)).all()
    with pytest.raises(UserError, match="psd_oracle: smooth_hz is 0"):
        load("psd_oracle", smooth_hz=0)


def scale_free_db(clean: np.ndarray, estimate: np.ndarray) -> np.ndarray:
    """SI-SDR of Le Roux et al. 2019, from the correlation."""
    share = (clean * estimate).sum(axis=1) ** 2 / ((clean**2).sum(axis=1) * (estimate.astype(float) ** 2).sum(axis=1))
    return 10 * np.log10(share / (1 - share))


@pytest.mark.parametrize("level_db", [-15, -5, 0, 5, 15])
def test_gains_change_the_level_and_nothing_else(level_db: float) -> None:
    clean = emg(4)
    noisy = at_snr(clean, emg(4, name="noise", low_hz=200.0), level_db)
    read, true = load("gain").denoise(noisy, FS_HZ), load("gain_oracle").denoise(noisy, FS_HZ, told(clean))
    for estimate in (read, true):
        np.testing.assert_allclose(scale_free_db(clean, estimate), scale_free_db(clean, noisy), atol=1e-3)
    np.testing.assert_allclose(true, noisy * 10 ** (level_db / 10) / (1 + 10 ** (level_db / 10)), rtol=1e-6)
    snr_read = [quality.snr_db for quality in assess_signal(noisy, FS_HZ)]
    np.testing.assert_allclose(read, noisy * gain_of(np.array(snr_read))[:, None], rtol=1e-6)


def test_one_gain_improves_the_snr_by_the_law() -> None:
    clean, noise = emg(3), emg(3, name="noise")
    noise -= clean * (clean * noise).sum(axis=1, keepdims=True) / (clean**2).sum(axis=1, keepdims=True)
    for level_db in (-15.0, 0.0, 15.0):  # error clean (1 - g) + g noise, orthogonal: SNR 1 + s
        gained = load("gain_oracle").denoise(at_snr(clean, noise, level_db), FS_HZ, told(clean))
        np.testing.assert_allclose(snr_db(clean, gained), 10 * np.log10(1 + 10 ** (level_db / 10)), atol=1e-4)


def test_gain_needs_a_second_of_signal_and_silences_what_holds_none() -> None:
    with pytest.raises(InputError, match="'gain' needs 2000 samples at 2000 Hz"):
        load("gain").denoise(emg(1, 1999), 2000.0)
    assert not load("gain").denoise(np.full((1, 1000), 3e-4), FS_HZ).any()


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
    assert snr_db(clean, PhaseSensitiveMask().denoise(noisy, FS_HZ, told(clean))).mean() > ceiling
    hp = snr_db(clean, load("hp").denoise(noisy, FS_HZ, told(clean, kinds))).mean()
    assert ceiling > level_db + 1
    assert ceiling > hp + 1, (ceiling, hp)


@pytest.mark.parametrize("name", ["wiener_oracle", "psm_oracle", "psd_oracle", "gain_oracle"])
def test_they_need_the_truth(name: str) -> None:
    noisy = emg(2)
    with pytest.raises(UserError, match="needs labels"):
        load(name).denoise(noisy, FS_HZ)
    with pytest.raises(UserError, match=f"{name} needs the clean signals"):
        load(name).denoise(noisy, FS_HZ, "PLI")
    with pytest.raises(UserError, match=r"clean signals of shape \(2, 100\)"):
        load(name).denoise(noisy, FS_HZ, told(noisy[:, :100]))
    with pytest.raises(UserError, match="not finite"):
        load(name).denoise(noisy, FS_HZ, told(noisy * np.nan))


@pytest.mark.parametrize("name", ["wiener_oracle", "psm_oracle", "psd_oracle"])
def test_windows_are_checked(name: str) -> None:
    with pytest.raises(UserError, match=f"{name}: windows_s"):
        load(name, windows_s=[0.1, -1])
