"""The filter chain: lines found and removed, clean signals left alone, the labels obeyed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from cleansemg.core import dsp
from cleansemg.core.errors import UserError
from cleansemg.denoising import InputError, NoiseLabels, load
from cleansemg.denoising.hp import HighPass
from cleansemg.denoising.power_line import find_power_line
from tests.denoising.signals import FS_HZ, at_snr, emg, snr_db

T = np.arange(2000) / FS_HZ


def line(frequency_hz: float, n: int, harmonics: int = 1) -> np.ndarray:
    phases = np.linspace(0, 5, n)[:, None]
    return sum(np.sin(2 * np.pi * k * frequency_hz * T + k * phases) / k for k in range(1, harmonics + 1))


def labels(kinds: str, n: int, line_hz: float = np.nan) -> NoiseLabels:
    rows = np.tile([kind in kinds for kind in ("PLI", "ECG", "MOA", "WGN", "Color")], (n, 1))
    return NoiseLabels(rows, np.full(n, line_hz), rule="published")


@pytest.mark.parametrize(("frequency_hz", "harmonics"), [(50.2, 1), (60.0, 1), (49.7, 5), (60.3, 5)])
def test_a_line_is_removed_blind(frequency_hz: float, harmonics: int) -> None:
    clean = emg(6, low_hz=60.0)
    noisy = at_snr(clean, line(frequency_hz, 6, harmonics), -10)
    improvement = snr_db(clean, HighPass().denoise(noisy, FS_HZ)) + 10
    assert improvement.mean() > 17, improvement
    assert improvement.min() > 14
    # the notch did it, not the high-pass
    assert (snr_db(clean, HighPass(line_threshold=1e9).denoise(noisy, FS_HZ)) + 10).max() < 5


def test_slow_noise_is_removed_blind_where_it_is_evident() -> None:
    clean = emg(10)
    slow = dsp.band_pass(emg(10, low_hz=5.0, name="slow"), 5.0, 20.0, FS_HZ)
    for snr, least_db in ((-10, 8), (0, 4)):
        estimate = HighPass().denoise(at_snr(clean, slow, snr), FS_HZ)
        assert (snr_db(clean, estimate) - snr).min() > least_db
    quiet = at_snr(clean, slow, 20)
    always = HighPass(slow_ratio=0)
    assert (snr_db(clean, always.denoise(quiet, FS_HZ)) - 20).mean() < -4  # what the rule is there to prevent
    assert (snr_db(clean, HighPass().denoise(quiet, FS_HZ)) - 20).mean() > -0.5


def test_a_clean_signal_passes_unless_the_high_pass_is_asked_for() -> None:
    clean = emg(20, low_hz=60.0)
    found = [np.isfinite(find_power_line(row, FS_HZ).frequency_hz) for row in clean]
    assert sum(found) <= 1  # 1 in 100 is what the rule promises
    quiet = clean[~np.array(found)]
    np.testing.assert_allclose(HighPass().denoise(quiet, FS_HZ), quiet, rtol=1e-6, atol=1e-12)
    estimate = HighPass(slow_ratio=0).denoise(quiet, FS_HZ)
    np.testing.assert_allclose(estimate, dsp.high_pass(quiet, 40, FS_HZ), rtol=1e-6, atol=1e-12)
    assert snr_db(quiet, estimate).min() > 20


def test_false_alarms_in_white_noise_stay_at_one_in_a_hundred() -> None:
    noise = np.random.default_rng(4).standard_normal((600, 2000))
    found = sum(np.isfinite(find_power_line(row, FS_HZ).frequency_hz) for row in noise)
    assert found <= 15  # 6 expected; a Poisson count of 6 exceeds 15 with a chance of 5e-4


@pytest.mark.parametrize("frequency_hz", [49.3, 50.0, 50.2, 59.5, 60.7])
def test_frequency_is_found(frequency_hz: float) -> None:
    noisy = at_snr(emg(5), line(frequency_hz, 5, 3), -5)
    for row in noisy:
        found = find_power_line(row, FS_HZ)
        assert found.frequency_hz == pytest.approx(frequency_hz, abs=0.05)
        assert {1, 2, 3} <= set(found.harmonics)
        assert found == find_power_line(-row, FS_HZ)


def test_a_line_at_45_hz_is_not_mains() -> None:
    noisy = at_snr(emg(5), line(45.0, 5), 0)
    assert not any(np.isfinite(find_power_line(row, FS_HZ).frequency_hz) for row in noisy)


def test_a_short_signal_is_not_searched() -> None:
    noisy = at_snr(emg(1), line(50.0, 1), -10)[0]
    assert np.isnan(find_power_line(noisy[:900], FS_HZ).frequency_hz)
    assert find_power_line(noisy[:900], FS_HZ, known_present=True).frequency_hz == pytest.approx(50, abs=0.5)
    assert find_power_line(noisy[:900], FS_HZ, known_hz=50.1).harmonics == (1,)


@pytest.mark.parametrize("known_hz", [50.2, np.nan])
def test_published_removes_the_line_and_keeps_the_band(known_hz: float) -> None:
    clean = emg(6)
    noisy = at_snr(clean, line(50.2, 6, 5), -10)
    estimate = HighPass().denoise(noisy, FS_HZ, labels("PLI", 6, known_hz))
    assert (snr_db(clean, estimate) + 10).mean() > 17
    low = signal.butter(8, 32, fs=FS_HZ, output="sos")  # 60 dB down at the line
    kept = np.std(signal.sosfilt(low, estimate)) / np.std(signal.sosfilt(low, clean))
    assert kept == pytest.approx(1, abs=0.1)  # no high-pass without ECG or MOA


def test_published_filters_by_kind() -> None:
    x = emg(1, low_hz=5.0)
    denoiser = HighPass()
    high = dsp.high_pass(x, 40, FS_HZ)
    band = dsp.band_pass(x, 20, 500, FS_HZ)
    for kinds, expected in {
        "": x,
        "ECG": high,
        "MOA": high,
        "ECG+MOA": high,
        "WGN": band,
        "Color": band,
        "WGN+ECG": dsp.high_pass(band, 40, FS_HZ),
    }.items():
        estimate = denoiser.denoise(x, FS_HZ, labels(kinds, 1))
        np.testing.assert_allclose(estimate, expected, rtol=1e-5, atol=1e-11, err_msg=kinds)


def test_every_parameter_changes_the_output() -> None:
    slow = dsp.low_pass(emg(2, low_hz=5.0, name="slow"), 25.0, FS_HZ) / 1e-4
    noisy = at_snr(emg(2), line(50.2, 2, 5) + 0.5 * emg(2, name="white") / 1e-4 + 3 * slow, -5)
    told = labels("PLI+ECG+WGN", 2)
    for given in (None, told):
        reference = HighPass().denoise(noisy, FS_HZ, given)
        changes = {"cutoff_hz": 20, "order": 2, "notch_width_hz": 8, "n_harmonics": 1}
        if given is None:
            changes["line_threshold"] = 1e9
            changes["slow_ratio"] = 1e9
        else:
            changes["band_hz"] = (30, 300)  # type: ignore[assignment]
        for name, value in changes.items():
            changed = HighPass(**{name: value}).denoise(noisy, FS_HZ, given)  # type: ignore[arg-type]
            assert np.abs(changed - reference).max() > 1e-2 * np.abs(reference).max(), name


def test_refusals() -> None:
    with pytest.raises(InputError, match="a cut-off of 40 Hz does not fit a sampling rate of 80 Hz"):
        load("hp").denoise(emg(1), 80.0)
    with pytest.raises(UserError, match="cutoff_hz is -1"):
        load("hp", cutoff_hz=-1)
    with pytest.raises(UserError, match="slow_ratio is -1"):
        load("hp", slow_ratio=-1)
    with pytest.raises(UserError, match="band_hz is"):
        load("hp", band_hz=(500, 20))
