"""SMR, SHR and OHM against scipy's Welch, and against spectra whose moments are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal as scipy_signal

from cleansemg.core.periodogram import welch
from cleansemg.data_pipeline.quality_measures import spectral_quality

FS_HZ = 2000.0


def measure(x, fs_hz=FS_HZ):
    return spectral_quality(x, fs_hz, 1024, 20.0, 0.8)


@pytest.mark.parametrize("n", [128, 129, 700, 1023, 1024, 1535, 1536, 1537, 10_000])
def test_welch_equals_scipy(n):
    x = np.random.default_rng(n).standard_normal((3, n)) + 5.0
    frequency_hz, power = welch(x, FS_HZ, 1024)
    expected_hz, expected = scipy_signal.welch(x, FS_HZ, "hann", min(n, 1024))
    np.testing.assert_allclose(frequency_hz, expected_hz)
    np.testing.assert_allclose(power, expected, rtol=1e-9, atol=1e-15)


def test_values_equal_the_definition_written_out():
    x = np.cumsum(np.random.default_rng(1).standard_normal((2, 6000)), axis=1)
    f, p = scipy_signal.welch(x, FS_HZ, "hann", 1024)
    m0, m1, m2 = (np.trapezoid(f**n * p, f) for n in range(3))
    found = measure(x)
    np.testing.assert_allclose(found.smr_db, 10 * np.log10(m0 / np.trapezoid(p[:, f <= 20], f[f <= 20])))
    np.testing.assert_allclose(found.shr_db, 10 * np.log10(m0 / np.trapezoid(p[:, f >= 800], f[f >= 800])))
    np.testing.assert_allclose(found.ohm, np.sqrt(m2 / m0) / (m1 / m0))


def test_white_noise_has_the_ohm_of_a_flat_spectrum():
    """Flat up to Nyquist N: M0 = N, M1 = N^2/2, M2 = N^3/3, so OHM = 2/sqrt(3); SHR = 10 log10(1/0.2) = 6.99 dB."""
    found = measure(np.random.default_rng(2).standard_normal((1, 400_000)))
    assert found.ohm[0] == pytest.approx(2 / np.sqrt(3), rel=0.01)
    assert found.shr_db[0] == pytest.approx(6.99, abs=0.1)


def test_a_tone_has_ohm_one_and_clean_bands():
    x = np.sin(2 * np.pi * 200 * np.arange(20_480) / FS_HZ)[None]
    found = measure(x)
    assert found.ohm[0] == pytest.approx(1.0, abs=1e-3)
    assert found.smr_db[0] > 50
    assert found.shr_db[0] > 60


def test_slow_movement_lowers_smr_and_hiss_lowers_shr():
    rng = np.random.default_rng(3)
    time_s = np.arange(10_000) / FS_HZ
    tone = np.sin(2 * np.pi * 200 * time_s)
    slow = tone + 2 * np.sin(2 * np.pi * 5 * time_s)
    hiss = tone + rng.standard_normal(10_000)
    found = measure(np.stack([slow, hiss]))
    assert found.smr_db[0] < 2
    assert found.shr_db[1] < 10
    assert found.shr_db[0] > 40


@pytest.mark.parametrize("power", range(-6, 7, 2))
def test_no_unit_matters_over_12_decades(power):
    x = np.cumsum(np.random.default_rng(4).standard_normal((2, 3000)), axis=1)
    for changed, kept in zip(measure(x * 10.0**power), measure(x), strict=True):
        np.testing.assert_allclose(changed, kept, rtol=1e-9)
