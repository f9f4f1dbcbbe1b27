"""Treatments of modes one by one, and the evidence that the blind track goes by."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleansemg.core import dsp
from cleansemg.denoising import mode_treatment as treatment
from cleansemg.denoising.emd import emd
from cleansemg.denoising.noise_detection import (
    DetectedNoise,
    emg_share_below,
    from_labels,
    from_signal,
    is_slow,
    share_below,
    white_noise,
    white_power,
)
from cleansemg.denoising.power_line import PowerLine
from tests.denoising.noise_signals import clean_emg, contaminated, labels
from tests.denoising.signals import FS_HZ, emg

T = np.arange(2000) / FS_HZ
SHARES = (1.0, 0.5, 0.25)


def tones(*frequencies_hz: float) -> np.ndarray:
    return np.stack([np.sin(2 * np.pi * f * T + 1) for f in frequencies_hz])


def rms(x: np.ndarray) -> np.ndarray:
    return np.sqrt(np.mean(x[..., 200:-200] ** 2, axis=-1))


def test_dominant_frequencies() -> None:
    modes = np.concatenate([tones(120.0, 50.5, 7.0) + 3.0, np.ones((1, 2000))])
    np.testing.assert_allclose(treatment.dominant_frequencies(modes, FS_HZ), [120.0, 50.5, 7.0, 0.0])


def test_a_line_is_notched_only_in_modes_that_hold_it() -> None:
    quiet = emg(1, low_hz=100.0)
    modes = np.concatenate([quiet, emg(1, name="b") + 1e-3 * tones(50.0)])
    treated = treatment.remove_line(modes, FS_HZ, PowerLine(50.0, (1,), 100.0))
    assert np.array_equal(treated[0], modes[0])
    np.testing.assert_allclose(treated[1], dsp.notch(modes[1], 50.0, 25.0, FS_HZ))


def test_slow_modes_are_dropped_and_others_high_passed() -> None:
    modes = tones(100.0, 50.0, 12.0)
    treated = treatment.remove_slow(modes, np.array([100.0, 50.0, 12.0]), 40.0, FS_HZ)
    np.testing.assert_allclose(treated[:2], dsp.high_pass(modes[:2], 40.0, FS_HZ))
    assert not treated[2].any()


def test_ecg_is_high_passed_in_the_six_modes_like_it() -> None:
    modes = tones(300, 250, 30, 25, 20, 15, 10, 5) * np.array([1, 1, 2, 2, 2, 2, 2, 2])[:, None]
    treated = treatment.remove_ecg(modes, FS_HZ)
    assert np.array_equal(treated[:2], modes[:2])
    np.testing.assert_allclose(treated[2:], dsp.high_pass(modes[2:], 30.0, FS_HZ))


def test_the_sources_thresholds_step_by_step() -> None:
    modes = np.random.default_rng(2).standard_normal((5, 2000))
    treated = treatment.remove_first_and_threshold(modes, SHARES, 0.25)
    sigma = np.median(np.abs(modes[0])) / 0.6745
    assert not treated[0].any()
    for k in (1, 2):
        limit = 0.25 * sigma * np.sqrt(SHARES[k] * 2 * np.log(2000))
        expected = np.sign(modes[k]) * np.maximum(np.abs(modes[k]) - limit, 0)
        np.testing.assert_allclose(treated[k], expected, atol=1e-4)
    assert np.array_equal(treated[3:], modes[3:])  # past the table
    alone = treatment.remove_first_and_threshold(modes[:1], SHARES, 0.25)
    assert np.array_equal(alone, modes[:1])  # nothing was decomposed


def test_shares_add_up_to_the_variance() -> None:
    modes = np.full((4, 100), 10.0)
    limits = (modes - treatment.threshold_to_variance(modes, SHARES, 4.0, 1.0))[:, 0]
    assert np.sum(limits[:3] ** 2) / (2 * np.log(100)) == pytest.approx(4.0)
    assert limits[3] == 0


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=60), st.floats(0, 6))
def test_intervals_are_shrunk_as_a_whole(values: list[float], limit: float) -> None:
    x = np.array(values)
    y = treatment.threshold_intervals(x, limit)
    assert np.all(np.abs(y) <= np.abs(x) + 1e-12)
    assert np.all(y * x >= 0)
    assert np.abs(y).max() == pytest.approx(max(np.abs(x).max() - limit, 0), abs=1e-9)
    np.testing.assert_allclose(treatment.threshold_intervals(x, 0.0), x)


def test_nothing_found_gives_the_signal_back() -> None:
    x = emg(1)[0]
    nothing = DetectedNoise(None, False, False, False)
    np.testing.assert_allclose(treatment.treat(emd(x), nothing, FS_HZ, 40.0, SHARES, 0.25), x, atol=1e-12)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("PLI", (True, False, False, False)),
        ("ECG", (False, True, True, False)),  # heartbeats are slow, too
        ("MOA", (False, False, True, False)),
        ("WGN", (False, False, False, True)),
    ],
)
def test_what_is_detected(kind: str, expected: tuple[bool, ...]) -> None:
    for at_db in (-10, -3):
        for x in contaminated(kind, at_db)[1]:
            for unit in (1e-6, 1.0, 1e6):
                noise = from_signal(unit * x, FS_HZ, 40.0)
                assert (noise.line is not None, noise.ecg, noise.slow, noise.wide) == expected


def test_clean_emg_shows_nothing() -> None:
    assert all(from_signal(x, FS_HZ, 40.0) == DetectedNoise(None, False, False, False) for x in clean_emg(10))
    assert from_signal(np.full(2000, 3.0), FS_HZ, 40.0) == DetectedNoise(None, False, False, False)


def test_what_is_given() -> None:
    x = contaminated("PLI", 0, 1)[1][0]
    assert from_labels(x, FS_HZ, labels("", 1), 0) == DetectedNoise(None, False, False, False)
    noise = from_labels(x, FS_HZ, labels("PLI+MOA+Color", 1, 50.2), 0)
    assert noise.line is not None
    assert noise.line.frequency_hz == 50.2
    assert (noise.ecg, noise.slow, noise.wide, noise.white_variance) == (False, True, True, None)


def test_the_white_floor_is_measured_through_emg_and_a_harmonic() -> None:
    noise = 5e-5 * np.random.default_rng(6).standard_normal((20, 2000))
    x = clean_emg(20) + noise + 1e-4 * np.sin(2 * np.pi * 450 * T)
    variances = np.array([white_power(row, FS_HZ) for row in x], float)
    assert np.median(variances) == pytest.approx(25e-10, rel=0.1)
    assert white_noise(clean_emg(1)[0], FS_HZ) is None
    assert white_power(x[0], 900.0) is None
    assert white_power(x[0, :200], FS_HZ) is None


def test_shares_below_a_frequency() -> None:
    # integral of the model by trapezoids on another grid
    f = np.linspace(20, 500, 100_001)
    density = f**2 / ((f**2 + 3600) * (f**2 + 14400) ** 2)
    for cutoff_hz in (30.0, 40.0, 60.0):
        expected = np.trapezoid(density[f < cutoff_hz], f[f < cutoff_hz]) / np.trapezoid(density, f)
        assert emg_share_below(cutoff_hz, FS_HZ) == pytest.approx(expected, abs=2e-3)
    assert share_below(tones(10.0)[0] + 2 * tones(100.0)[0] + 7, 40.0, FS_HZ) == pytest.approx(0.2, abs=1e-6)
    assert share_below(np.full(50, -1.3), 40.0, FS_HZ) == 0
    assert not is_slow(np.full(50, -1.3), 40.0, FS_HZ)
