"""Wavelet thresholding: golden thresholds, the transform, what each parameter does, and what it gains."""

from __future__ import annotations

import numpy as np
import pytest
import pywt

from cleansemg.core import dsp
from cleansemg.core.errors import UserError
from cleansemg.denoising import InputError, load
from cleansemg.denoising.wavelet import Wavelet, shrink, threshold_factor
from tests.denoising.signals import FS_HZ, at_snr, emg, snr_db


def white(n: int, n_samples: int = 2000) -> np.ndarray:
    return np.random.default_rng(11).standard_normal((n, n_samples))


def test_thresholds() -> None:
    # sqrt(2 ln 2048) and the minimax values of Donoho and Johnstone 1994, table 2: 1.669 at 128, 2.414 at 2048
    assert threshold_factor("universal", 2048) == pytest.approx(3.905, abs=1e-3)
    assert threshold_factor("minimax", 128) == pytest.approx(1.669, abs=0.02)
    assert threshold_factor("minimax", 2048) == pytest.approx(2.414, abs=0.02)
    assert threshold_factor("minimax", 32) == 0


@pytest.mark.parametrize("mode", ["soft", "hard", "garrote"])
def test_shrinkage_is_that_of_pywavelets(mode: str) -> None:
    coefficients = white(3, 500)
    limits = np.array([[0.3], [1.0], [2.5]])
    expected = np.stack([pywt.threshold(c, t[0], mode) for c, t in zip(coefficients, limits, strict=True)])
    np.testing.assert_allclose(shrink(coefficients, limits, mode), expected, atol=1e-14)
    assert np.array_equal(shrink(np.zeros((1, 9)), np.zeros((1, 1)), mode), np.zeros((1, 9)))


def test_recipe_step_by_step() -> None:
    x = 1e-4 * white(1, 1001)[0]
    parts = pywt.wavedec(x, "db7", level=4)
    sigma = np.median(np.abs(parts[-1])) / 0.6745
    limit = sigma * (0.3936 + 0.1829 * np.log2(1001))
    expected = pywt.waverec([parts[0], *(pywt.threshold(d, limit, "garrote") for d in parts[1:])], "db7")[:1001]
    np.testing.assert_allclose(load("wavelet", noise="finest").denoise(x, FS_HZ), expected, atol=1e-4 * np.abs(x).max())


def test_white_noise_is_removed_from_a_low_tone() -> None:
    tone = np.sin(2 * np.pi * 12 * np.arange(2000) / FS_HZ)[None].repeat(8, axis=0)
    noisy = at_snr(tone, white(8), 0)
    for rule, gain_db in (("universal", 10), ("minimax", 9)):
        for noise in ("floor", "finest"):
            assert snr_db(tone, Wavelet(rule=rule, noise=noise).denoise(noisy, FS_HZ)).min() > gain_db


def test_without_white_noise_nothing_is_removed() -> None:
    clean = dsp.band_pass(emg(20), 20.0, 250.0, FS_HZ)
    assert snr_db(clean, Wavelet(noise="finest").denoise(clean, FS_HZ)).max() < 25
    np.testing.assert_allclose(Wavelet().denoise(clean, FS_HZ), clean, rtol=1e-6, atol=1e-11)


def test_gains_on_emg_in_white_noise() -> None:
    """What surface EMG does to the usual choices."""
    clean = dsp.band_pass(emg(20), 20.0, 150.0, FS_HZ)
    noisy = at_snr(clean, np.random.default_rng(1).standard_normal(clean.shape), 0)
    usual = Wavelet(rule="universal", mode="soft", noise="level")
    assert snr_db(clean, usual.denoise(noisy, FS_HZ)).mean() == pytest.approx(0.1, abs=0.2)
    assert snr_db(clean, Wavelet(noise="finest").denoise(noisy, FS_HZ)).mean() == pytest.approx(3.2, abs=0.3)
    assert snr_db(clean, Wavelet().denoise(noisy, FS_HZ)).mean() > 3


@pytest.mark.parametrize(
    "change",
    [
        {"wavelet": "sym8"},
        {"level": 3},
        {"rule": "universal"},
        {"mode": "soft"},
        {"mode": "hard"},
        {"noise": "level"},
        {"noise": "finest"},
    ],
)
def test_every_parameter_changes_the_output(change: dict[str, object]) -> None:
    noisy = at_snr(emg(2), white(2), 0)
    reference = Wavelet().denoise(noisy, FS_HZ)
    changed = Wavelet(**change).denoise(noisy, FS_HZ)  # type: ignore[arg-type]
    assert np.abs(changed - reference).max() > 1e-2 * np.abs(reference).max()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"wavelet": "haarr"}, "'haarr' is not a discrete wavelet"),
        ({"wavelet": "bior3.3"}, "'bior3.3' is not orthogonal"),
        ({"level": 0}, "level is 0"),
        ({"rule": "sure"}, "rule is 'sure', expected one of universal, minimax"),
        ({"mode": "firm"}, "mode is 'firm'"),
        ({"noise": "all"}, "noise is 'all'"),
    ],
)
def test_unknown_choices_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Wavelet(**change)  # type: ignore[arg-type]


def test_a_signal_too_short_for_its_levels_is_refused() -> None:
    assert Wavelet().denoise(white(1, 208), FS_HZ).shape == (1, 208)
    with pytest.raises(InputError, match="needs 208 samples, got 207"):
        Wavelet().denoise(white(1, 207), FS_HZ)
    with pytest.raises(InputError, match="6 levels of db7 need 832 samples, got 800"):
        Wavelet(level=6).denoise(white(1, 800), FS_HZ)
