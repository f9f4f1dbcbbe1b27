"""The two rules for the noise floor."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cleansemg.data_pipeline.noise_floor import QuietFloor, rest_rms, snr_db


def test_snr_of_amplitude_ratio_ten_is_20_db_in_any_unit():
    for power in range(-6, 7):
        assert snr_db(3.0 * 10.0**power, 0.3 * 10.0**power) == pytest.approx(20.0, abs=1e-9)


def test_silent_rest_is_infinitely_far_away_and_unknown_rest_is_unknown():
    assert snr_db(1e-5, 0.0) == math.inf
    assert math.isnan(snr_db(1e-5, math.nan))


def test_rest_rms_takes_samples_labelled_0_and_counts_what_is_not_finite():
    signal = np.array([[3.0, 4.0, 100.0], [np.nan, 2.0, 7.0], [np.nan, np.inf, 1.0], [0.0, 0.0, 1.0]])
    rms, lost = rest_rms(signal, np.array([0, 0, 1]))
    np.testing.assert_allclose(rms, [np.sqrt(12.5), 2.0, np.nan, 0.0])
    assert lost.tolist() == [0, 1, 2, 0]


def test_quiet_floor_finds_the_noise_between_bursts_whatever_the_offset():
    rng = np.random.default_rng(0)
    signal = rng.normal(0, 1e-6, 20_000)
    signal[5000:15_000] += rng.normal(0, 1e-4, 10_000)
    floor = QuietFloor(0.5, 0.2)
    floor.add(("a", "b"), np.stack([signal, signal + 1.0]), 1000.0)
    assert floor.rms("a") == pytest.approx(1e-6, rel=0.1)
    assert floor.rms("b") == pytest.approx(floor.rms("a"), rel=1e-6)


def test_quiet_floor_goes_over_all_recordings_of_the_channel():
    rng = np.random.default_rng(1)
    floor = QuietFloor(0.5, 0.5)
    floor.add(("a",), rng.normal(0, 1.0, (1, 5000)), 1000.0)
    loud = floor.rms("a")
    floor.add(("b", "a"), rng.normal(0, 0.1, (2, 5000)), 1000.0)
    assert loud == pytest.approx(1.0, rel=0.1)
    assert floor.rms("a") == pytest.approx(0.1, rel=0.1)


def test_dropouts_and_missing_values_are_not_quiet():
    rng = np.random.default_rng(2)
    signal = rng.normal(0, 1.0, 4000)
    signal[:1000] = 0.25
    signal[1200] = np.nan
    floor = QuietFloor(0.5, 1.0)
    floor.add(("a",), signal[None], 1000.0)
    expected = math.sqrt(np.mean([signal[s : s + 500].var() for s in range(1500, 4000, 500)]))
    assert floor.rms("a") == pytest.approx(expected)


def test_a_channel_without_usable_windows_has_no_floor():
    floor = QuietFloor(0.5, 0.05)
    floor.add(("a",), np.zeros((1, 4000)), 1000.0)
    floor.add(("b",), np.ones((1, 100)), 1000.0)
    assert math.isnan(floor.rms("a"))
    assert math.isnan(floor.rms("b"))


def test_stationary_noise_is_its_own_floor():
    """The rule's bias: a signal that never rests must stay under the 1.8 dB that separate grade C from reject."""
    signal = np.random.default_rng(3).standard_normal((1, 120_000))
    floor = QuietFloor(0.5, 0.05)
    floor.add(("a",), signal, 2000.0)
    assert 0 < snr_db(float(signal.std()), floor.rms("a")) < 1.8
