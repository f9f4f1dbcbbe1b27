"""The Hampel gate against a slow reference made of scipy's median filter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import median_filter

from cleansemg.data_pipeline.hampel import removed_energy, running_median

FS_HZ = 500.0


def reference(signal, fs_hz, window_s=2.0, hop_s=1.0, half=40, threshold=5.0):
    """The protocol's words, one statement each."""
    window, hop = round(window_s * fs_hz), round(hop_s * fs_hz)
    found = []
    for start in range(0, len(signal) - window + 1, hop):
        spectrum = np.fft.rfft(signal[start : start + window])
        filtered = []
        for part in (spectrum.real, spectrum.imag):
            median = median_filter(part, size=2 * half + 1, mode="nearest")
            distance = np.abs(part - median)
            mad = median_filter(distance, size=2 * half + 1, mode="nearest")
            filtered.append(np.where(distance > threshold * 1.4286 * mad, median, part))
        before = np.sum(np.abs(spectrum) ** 2)
        after = np.sum(filtered[0] ** 2 + filtered[1] ** 2)
        found.append(np.clip((before - after) / before, 0, 1))
    return max(found)


def noisy_line(rng, n, line):
    time_s = np.arange(n) / FS_HZ
    return rng.standard_normal(n) + line * np.sin(2 * np.pi * 50 * time_s + 0.3)


@pytest.mark.parametrize("line", [0.0, 0.05, 0.3, 3.0])
@pytest.mark.parametrize("n", [1000, 1499, 2600])
def test_equals_the_reference(line, n):
    rng = np.random.default_rng([n, round(100 * line)])
    signal = np.stack([noisy_line(rng, n, line), np.cumsum(rng.standard_normal(n)), rng.standard_cauchy(n)])
    expected = [reference(channel, FS_HZ) for channel in signal]
    np.testing.assert_allclose(removed_energy(signal, FS_HZ, 2.0, 1.0, 40, 5.0), expected, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize(("half", "threshold"), [(1, 3.0), (5, 2.0), (40, 0.5), (600, 5.0)])
def test_equals_the_reference_for_other_settings(half, threshold):
    signal = noisy_line(np.random.default_rng(half), 1400, 0.5)
    expected = reference(signal, FS_HZ, 2.0, 0.2, half, threshold)
    found = removed_energy(signal[None], FS_HZ, 2.0, 0.2, half, threshold)
    np.testing.assert_allclose(found, [expected], rtol=1e-9, atol=1e-13)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-4, 4), min_size=1, max_size=70), st.integers(1, 12))
def test_running_median_with_ties_equals_scipy(values, half):
    x = np.array(values, np.float64)
    found = np.empty_like(x)
    running_median(x, half, np.empty(len(x) + 2 * half), found)
    np.testing.assert_array_equal(found, median_filter(x, size=2 * half + 1, mode="nearest"))


def test_a_strong_line_is_most_of_the_energy_and_noise_alone_is_not():
    rng = np.random.default_rng(3)
    signal = np.stack([noisy_line(rng, 2000, 20.0), noisy_line(rng, 2000, 0.0)])
    line, noise = removed_energy(signal, FS_HZ, 2.0, 1.0, 40, 5.0)
    assert line > 0.98
    assert noise < 0.05


def test_the_worst_window_decides():
    rng = np.random.default_rng(4)
    signal = rng.standard_normal(3000)
    signal[2000:] += 20 * np.sin(2 * np.pi * 50 * np.arange(1000) / FS_HZ)
    assert removed_energy(signal[None], FS_HZ, 2.0, 1.0, 40, 5.0)[0] > 0.98
    assert removed_energy(signal[None, :1000], FS_HZ, 2.0, 1.0, 40, 5.0)[0] < 0.05


def test_shorter_than_a_window_is_unknown():
    assert np.isnan(removed_energy(np.ones((2, 999)), FS_HZ, 2.0, 1.0, 40, 5.0)).all()


def test_zeros_have_nothing_to_remove():
    assert removed_energy(np.zeros((1, 1000)), FS_HZ, 2.0, 1.0, 40, 5.0).tolist() == [0.0]


@pytest.mark.parametrize("power", range(-6, 7, 3))
def test_no_unit_matters(power):
    signal = noisy_line(np.random.default_rng(5), 1500, 1.0)[None]
    args = (FS_HZ, 2.0, 1.0, 40, 5.0)
    np.testing.assert_allclose(removed_energy(signal * 10.0**power, *args), removed_energy(signal, *args), rtol=1e-9)
