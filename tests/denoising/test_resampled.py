"""Denoisers of one rate at other rates: what is kept, what is dropped, what is refused."""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cleansemg.core import dsp
from cleansemg.denoising import Denoiser, InputError, NoiseLabels, load, load_network
from cleansemg.denoising.causal import CausalIdentity
from cleansemg.denoising.resampled import Resampled, native, with_resampling
from tests.denoising.signals import emg

RATES_HZ = (200.0, 360.0, 999.7, 1111.0, 1259.26, 1926.0, 2000.0, 2048.0, 2148.1481, 2148.15, 4000.0, 10_240.0)


class Unchanged(Denoiser):
    """Made for 1 kHz, and does nothing; notes its input."""

    name = "unchanged"
    tracks: ClassVar[tuple[str, ...]] = ("blind", "oracle")
    sampling_rate_hz = 1000.0
    min_samples = 100
    received: tuple[tuple[int, ...], float, NoiseLabels | None]

    def _denoise(self, noisy: NDArray[np.float64], fs_hz: float, labels: NoiseLabels | None) -> NDArray[np.float64]:
        self.received = noisy.shape, fs_hz, labels
        return noisy


class Cleaner(Unchanged):
    """Returns the clean signals of its labels."""

    name = "cleaner"

    def _denoise(self, noisy: NDArray[np.float64], fs_hz: float, labels: NoiseLabels | None) -> NDArray[np.float64]:
        assert labels is not None
        assert labels.clean is not None
        return labels.clean


def sinusoids(fs_hz: float, n_samples: int, top_hz: float) -> NDArray[np.float64]:
    """[1, L]: 40 sinusoids up to a frequency."""
    rng = np.random.default_rng(5)
    t = np.arange(n_samples) / fs_hz
    phases = rng.uniform(0, 6, (40, 1))
    return np.sin(2 * np.pi * rng.uniform(5, top_hz, (40, 1)) * t + phases).sum(0, keepdims=True)


def ratio_db(error: NDArray[np.floating], signal: NDArray[np.floating]) -> float:
    return float(10 * np.log10(np.mean(np.square(error)) / np.mean(np.square(signal))))


def band_top_hz(fs_hz: float) -> float:
    return dsp.SHARP_PASS * min(fs_hz, 1000.0) / 2


@pytest.mark.parametrize("fs_hz", RATES_HZ)
def test_what_lies_in_the_band_comes_back_where_it_was(fs_hz: float) -> None:
    x = 1e-4 * sinusoids(fs_hz, int(3 * fs_hz) + 7, band_top_hz(fs_hz))
    y = Resampled(Unchanged()).denoise(x, fs_hz)
    assert y.shape == x.shape
    assert y.dtype == np.float32
    edge = round(0.3 * fs_hz)
    inner = slice(edge, -edge)
    assert ratio_db(y[:, inner] - x[:, inner], x[:, inner]) < -70  # also rules out a shift of 1/1000 of a sample
    assert ratio_db(y[:, :edge] - x[:, :edge], x) < -20  # beyond the edges nothing is known
    assert ratio_db(y[:, -edge:] - x[:, -edge:], x) < -20


@given(
    fs_hz=st.floats(200, 6000),
    n_samples=st.integers(1, 900),
    n=st.integers(1, 3),
    decade=st.integers(-9, 6),
)
@settings(deadline=None, max_examples=60)
def test_length_scale_and_offset_are_kept_at_any_rate(fs_hz: float, n_samples: int, n: int, decade: int) -> None:
    denoiser = Unchanged()
    rng = np.random.default_rng(n_samples)
    x = rng.standard_normal((n, n_samples))
    if n_samples < Resampled(denoiser).shortest(fs_hz):
        with pytest.raises(InputError, match="needs"):
            Resampled(denoiser).denoise(x, fs_hz)
        return
    y = Resampled(denoiser).denoise(x, fs_hz)
    assert y.shape == x.shape
    assert denoiser.received[0][1] >= denoiser.min_samples
    scaled = Resampled(denoiser).denoise(x * 10.0**decade, fs_hz) / 10.0**decade
    np.testing.assert_allclose(scaled, y, rtol=1e-4, atol=1e-5)
    constant = Resampled(denoiser).denoise(np.full((n, n_samples), 10.0**decade), fs_hz)
    np.testing.assert_allclose(constant, 10.0**decade, rtol=1e-6)


def test_the_shortest_signal_is_the_shortest() -> None:
    denoiser = Unchanged()
    for fs_hz in RATES_HZ:
        least = Resampled(denoiser).shortest(fs_hz)
        ratio = dsp.simple_ratio(fs_hz, 1000.0)
        assert -(-least * ratio // 1) >= denoiser.min_samples > -(-(least - 1) * ratio // 1)
        assert Resampled(denoiser).denoise(np.ones(least), fs_hz).shape == (least,)
        with pytest.raises(InputError, match=f"'unchanged' needs {least} samples at {fs_hz:g} Hz, got {least - 1}"):
            Resampled(denoiser).denoise(np.ones(least - 1), fs_hz)


@given(a=st.floats(200, 20_000), b=st.floats(200, 20_000))
def test_the_ratio_is_simple_and_near(a: float, b: float) -> None:
    ratio = dsp.simple_ratio(a, b)
    assert abs(float(ratio) * a / b - 1) <= dsp.RATE_TOLERANCE * 1.01
    assert max(ratio.numerator, ratio.denominator) <= 10_001 * max(a / b, b / a)
    assert dsp.simple_ratio(b, a) == 1 / ratio


def test_no_drift_over_hours() -> None:
    # 5 min at a rate that is no ratio of small numbers: a pulse near the end comes back at its own sample
    fs_hz, n = 1234.567, 370_371
    pulse = np.exp(-0.5 * ((np.arange(n) - (n - 2001)) / 4) ** 2)
    y = Resampled(Unchanged()).denoise(pulse[None], fs_hz)[0]
    np.testing.assert_allclose(y[n - 2051 : n - 1950], pulse[n - 2051 : n - 1950], atol=1e-4)


def test_what_lies_above_its_nyquist_frequency_is_dropped_without_aliasing() -> None:
    t = np.arange(6000) / 2000
    for frequency_hz in (505.0, 700.0, 990.0):
        x = np.sin(2 * np.pi * frequency_hz * t)[None]
        y = Resampled(Unchanged()).denoise(x, 2000.0)[:, 600:-600]
        assert ratio_db(y, x) < -70


def test_at_its_own_rate_nothing_is_resampled() -> None:
    x = emg(2)
    assert np.array_equal(Resampled(Unchanged()).denoise(x, 1000.0), x.astype(np.float32))
    network = load("fcn")
    assert isinstance(network, Resampled)
    assert np.array_equal(network.denoise(x, 1000.0), network.denoiser.denoise(x, 1000.0))
    assert np.array_equal(network.denoise(x, 1000.0), load_network("fcn").denoise(x, 1000.0))


def test_what_takes_any_rate_is_not_wrapped() -> None:
    for name in ("identity", "hp"):
        denoiser = load(name)
        assert not isinstance(denoiser, Resampled)
        assert with_resampling(denoiser) is native(denoiser) is denoiser
    inside = Unchanged()
    assert native(with_resampling(inside)) is inside


def test_a_causal_form_serves_the_rate_of_its_denoiser_alone() -> None:
    class Causal(Unchanged):
        def causal(self, fs_hz: float, n_channels: int) -> CausalIdentity:
            return CausalIdentity(fs_hz, n_channels)

    assert isinstance(Resampled(Causal()).causal(1000.0, 2), CausalIdentity)
    assert Resampled(Causal()).causal(2000.0, 2) is None
    assert Resampled(Unchanged()).causal(1000.0, 2) is None


def test_a_loaded_network_takes_other_rates() -> None:
    torch.manual_seed(1)
    network = load("fcn", weights=None, channels=(4, 3, 2))
    x = dsp.resample(emg(2, 4000), 1000.0, 2000.0)
    y = network.denoise(x, 2000.0)
    assert y.shape == x.shape
    by_hand = dsp.resample(network.denoise(dsp.resample(x, 2000.0, 1000.0), 1000.0), 1000.0, 2000.0)
    below = [dsp.low_pass(z, 300.0, 2000.0, order=8)[:, 500:-500] for z in (y, by_hand)]
    assert ratio_db(below[0] - below[1], below[1]) < -40  # their filters differ near 500 Hz
    assert network.denoise(x[0], 2000.0).shape == x[0].shape
    assert not network.denoise(np.zeros((1, 3000)), 2148.1481).any()
    with pytest.raises(InputError, match="works at 1000 Hz, got 2000 Hz; resample first"):
        Unchanged().denoise(x, 2000.0)


def test_labels_come_along() -> None:
    x = sinusoids(2000.0, 4000, 400.0)
    kinds = np.array([[True, False, False, False, False]])
    labels = NoiseLabels(kinds, np.array([50.2]), x)
    y = Resampled(Cleaner()).denoise(np.zeros_like(x), 2000.0, labels)
    assert ratio_db(y[:, 600:-600] - x[:, 600:-600], x) < -70
    denoiser = Unchanged()
    Resampled(denoiser).denoise(x, 2000.0, "PLI+ECG")
    received = denoiser.received[2]
    assert received is not None
    assert received.has("PLI").all()
    assert received.has("ECG").all()
    assert denoiser.received[1] == 1000.0


@pytest.mark.parametrize("fs_hz", [0.0, -1000.0, np.nan, np.inf, 199.9])
def test_rates_that_are_refused(fs_hz: float) -> None:
    with pytest.raises(InputError, match=r"works from 200 Hz on|must be a positive number"):
        Resampled(Unchanged()).denoise(np.ones((1, 500)), fs_hz)


def test_signals_that_are_refused() -> None:
    for bad in (np.full((1, 500), np.nan), np.ones((1, 2, 500)), np.ones((1, 0)), np.ones((1, 500), complex)):
        with pytest.raises(InputError):
            Resampled(Unchanged()).denoise(bad, 2000.0)


def test_resampling_places_samples() -> None:
    x = sinusoids(1000.0, 1000, 100.0)
    up = dsp.resample_sharp(x, Fraction(3))
    assert up.shape == (1, 3000)
    np.testing.assert_allclose(up[0, 600:-600:3], x[0, 200:-200], atol=1e-3 * np.abs(x).max())
    assert dsp.resample_sharp(x, Fraction(2, 3)).shape == (1, 667)
