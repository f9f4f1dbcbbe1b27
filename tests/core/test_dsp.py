import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from cleansemg.core import dsp

RNG = np.random.default_rng(0)


def test_filters_agree_with_scipys_transfer_functions():
    """Zero phase means the squared magnitude of one pass; measured on a sine well inside the signal."""
    fs, n = 1000.0, 20_000
    for f, gain in ((10.0, 0.5**2), (20.0, 0.5)):  # -3 dB once, -6 dB both ways, at the cut-off
        x = np.sin(2 * np.pi * f * np.arange(n) / fs)
        y = dsp.high_pass(x, 20.0, fs)
        expected = abs(signal.sosfreqz(signal.butter(4, 20, "high", fs=fs, output="sos"), [f], fs=fs)[1][0]) ** 2
        measured = np.abs(y[5000:15000]).max()
        assert measured == pytest.approx(expected, rel=5e-3)
        assert measured <= gain + 1e-3


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 50), st.sampled_from([1e-6, 1.0, 1e6]))
def test_filters_take_any_length_and_scale(n, scale):
    x = RNG.normal(size=n)
    for y, z in ((dsp.band_pass(x, 20, 495, 1000), dsp.band_pass(x * scale, 20, 495, 1000)),):
        assert y.shape == x.shape
        np.testing.assert_allclose(z, y * scale, rtol=1e-9, atol=1e-12 * scale)


@pytest.mark.parametrize("fs", [360, 1000, 1111, 1259, 1926, 2000, 2048])
def test_resampling_keeps_a_sine_and_says_its_length(fs):
    n = fs * 3 + 1
    x = np.sin(2 * np.pi * 30 * np.arange(n) / fs)
    y = dsp.resample(x, fs, 1000)
    assert len(y) == dsp.resampled_length(n, fs, 1000)
    t = np.arange(len(y)) / 1000
    inside = slice(200, -200)
    np.testing.assert_allclose(y[inside], np.sin(2 * np.pi * 30 * t)[inside], atol=3e-3)
