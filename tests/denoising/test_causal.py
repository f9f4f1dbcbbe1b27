"""Causal forms: answered at once, from the past alone, the same in any blocks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import signal

from cleansemg.core import dsp
from cleansemg.denoising import InputError, load
from cleansemg.denoising.blocks import Gap
from cleansemg.denoising.causal import CausalDenoiser
from cleansemg.denoising.causal_high_pass import CausalHighPass
from cleansemg.denoising.hp import HighPass
from tests.denoising.signals import FS_HZ, at_snr, emg, snr_db

SLOW = dsp.band_pass(np.random.default_rng(3).standard_normal((2, 8000)), 2.0, 15.0, FS_HZ)
LINE = sum(np.sin(2 * np.pi * 50.2 * k * np.arange(8000) / FS_HZ + k) / k for k in (1, 2, 3))[None]


def causal(n_channels: int = 2, fs_hz: float = FS_HZ, **parameters: float) -> CausalHighPass:
    return HighPass(**parameters).causal(fs_hz, n_channels)  # type: ignore[arg-type]


def in_blocks(denoiser: CausalDenoiser, x: NDArray[np.float64], cuts: list[int]) -> NDArray[np.float32]:
    bounds = [0, *sorted(cuts), x.shape[1]]
    parts = [denoiser.push(x[:, a:b]) for a, b in pairwise(bounds)]
    assert [part.shape[1] for part in parts] == list(np.diff(bounds))
    return np.concatenate([*parts, denoiser.finish()], axis=1)


def changing() -> NDArray[np.float64]:
    """[2, 8000]: EMG; a line comes at 2 s, slow noise at 4 s; a gap in one channel."""
    x = emg(2, 8000)
    x[:, 2000:] += 2e-4 * LINE[:, 2000:]
    x[:, 4000:] += 5e-4 * SLOW[:, 4000:] / SLOW.std()
    x[1, 5000:5100] = np.nan
    return x


@given(st.lists(st.integers(0, 8000), max_size=20))
@settings(deadline=None, max_examples=12)
def test_the_blocks_do_not_matter(cuts: list[int]) -> None:
    x = changing()
    one, two = causal(), causal()
    np.testing.assert_array_equal(in_blocks(one, x, cuts), two.push(x))
    assert [one.filters(c) for c in (0, 1)] == [two.filters(c) for c in (0, 1)]


def test_sample_by_sample_is_the_same() -> None:
    x = changing()[:, 1500:3100]
    np.testing.assert_array_equal(in_blocks(causal(), x, list(range(x.shape[1]))), causal().push(x))


def test_nothing_comes_from_the_future() -> None:
    x = changing()
    other = x.copy()
    other[:, 3500:] = np.random.default_rng(1).standard_normal((2, 4500))
    np.testing.assert_array_equal(causal().push(x)[:, :3500], causal().push(other)[:, :3500])


def test_its_filters_are_those_of_the_zero_phase_form() -> None:
    x = emg(2, 6000, low_hz=5.0)
    form = causal(slow_ratio=0, line_threshold=1e9)
    forward = form.push(x)
    both = dsp.zero_phase(form.high_pass, x)
    np.testing.assert_allclose(both, dsp.high_pass(x, 40.0, FS_HZ), rtol=0, atol=1e-12)
    backward = causal(slow_ratio=0, line_threshold=1e9).push(forward[:, ::-1].astype(np.float64))[:, ::-1]
    inner = slice(500, -500)
    np.testing.assert_allclose(backward[:, inner], both[:, inner], atol=1e-3 * both.std())


def test_a_line_is_found_and_removed() -> None:
    clean = emg(2, 8000, low_hz=60.0)
    noisy = at_snr(clean, np.repeat(LINE, 2, axis=0), -10)
    form = causal()
    estimate = form.push(noisy)
    for channel in (0, 1):
        assert form.filters(channel).line_hz == pytest.approx(50.2, abs=0.05)
        assert form.filters(channel).harmonics[:3] == (1, 2, 3)
    # the first second passes unchanged, as nothing is known of it
    np.testing.assert_array_equal(estimate[:, :1000], noisy[:, :1000].astype(np.float32))
    assert (snr_db(clean[:, 4000:], estimate[:, 4000:]) + 10).min() > 12


def test_slow_noise_is_removed_where_it_is() -> None:
    clean = emg(2, 8000, low_hz=60.0)
    noisy = clean.copy()
    noisy[1] = at_snr(clean, SLOW, -10)[1]
    form = causal(line_threshold=1e9)
    estimate = form.push(noisy)
    assert [form.filters(c).slow for c in (0, 1)] == [False, True]
    np.testing.assert_array_equal(estimate[0], noisy[0].astype(np.float32))
    rest = estimate[1, 2000:] - signal.sosfilt(form.high_pass, clean[1])[2000:]  # what the noise leaves
    assert 10 * np.log10(np.mean(rest**2) / np.mean((noisy[1] - clean[1]) ** 2)) < -20


def test_a_change_of_filters_makes_no_click() -> None:
    t = np.arange(3000) / FS_HZ
    x = np.cos(2 * np.pi * 3 * t)[None]  # at its height when it is first judged, at 1 s
    form = causal(1)
    y = form.push(x)[0]
    assert form.filters(0).slow
    np.testing.assert_array_equal(y[:1000], x[0, :1000].astype(np.float32))
    # the sinusoid's own slope, and that of a fade over 0.1 s; a switch would jump by 1
    assert np.abs(np.diff(y)).max() < (2 * np.pi * 3 + np.pi / 2 / 0.1) / FS_HZ
    assert np.abs(y[1100:]).max() < 1e-3  # the new filter has settled before it is heard


def test_after_a_gap_a_channel_starts_anew() -> None:
    x = changing()
    form = causal()
    y = form.push(x)
    np.testing.assert_array_equal(np.isnan(y), np.isnan(x))
    np.testing.assert_array_equal(y[1, 5100:], causal(1).push(x[1:, 5100:])[0])
    np.testing.assert_array_equal(y[0], causal(1).push(x[:1])[0])
    assert form.gaps == (Gap(1, 5000, 100, "missing"),)
    assert form.n_gaps == 1
    assert form.gap_samples.tolist() == [0, 100]


def test_an_offset_makes_no_step_at_the_start() -> None:
    x = np.full((1, 3000), 5.0)
    assert np.abs(causal(1, slow_ratio=0).push(x)).max() < 1e-9
    np.testing.assert_array_equal(causal(1).push(x), x)
    assert not causal(1).push(np.zeros((1, 3000))).any()


@pytest.mark.parametrize("fs_hz", [1000.0, 2000.0, 2148.1481])
def test_the_delay_is_what_is_stated(fs_hz: float) -> None:
    form = causal(1, fs_hz, slow_ratio=0, line_threshold=1e9)
    t = np.arange(round(2 * fs_hz)) / fs_hz

    def burst(delay_s: float) -> NDArray[np.float64]:
        return np.exp(-0.5 * ((t - 1 - delay_s) / 0.1) ** 2)

    y = form.push((burst(0) * np.sin(2 * np.pi * 100 * t))[None])[0]
    envelope = np.abs(signal.hilbert(y))
    centre = float(np.sum(envelope * t) / np.sum(envelope)) - 1
    assert centre == pytest.approx(form.delay_s, rel=0.05)
    assert 0.0015 < form.delay_s < 0.002  # of the analogue filter 2.61 / (2 pi 40 Hz) (40 / 100)^2 = 1.7 ms, and more
    assert form.latency_s == 0


def test_identity_has_one_and_others_do_not() -> None:
    x = changing()
    form = load("identity").causal(2000.0, 2)
    assert form is not None
    np.testing.assert_array_equal(form.push(x), x.astype(np.float32))
    assert form.delay_s == form.latency_s == 0
    for name in ("ts", "wavelet", "line_interpolation"):
        assert load(name).causal(FS_HZ, 2) is None


def test_every_parameter_reaches_it() -> None:
    x = changing()[:1]
    reference = causal(1).push(x)
    changes = {"cutoff_hz": 20, "order": 2, "notch_width_hz": 8, "n_harmonics": 1, "line_threshold": 1e9,
               "slow_ratio": 0}  # fmt: skip
    for name, value in changes.items():
        assert np.abs(causal(1, **{name: value}).push(x) - reference).max() > 1e-2 * np.abs(reference).max(), name


def test_refusals() -> None:
    with pytest.raises(InputError, match="a cut-off of 40 Hz does not fit a sampling rate of 80 Hz"):
        causal(1, 80.0)
    for fs_hz in (np.nan, np.inf):
        with pytest.raises(InputError, match="fs_hz must be"):
            causal(1, fs_hz)
    with pytest.raises(InputError, match="n_channels is 0"):
        causal(0)
    form = causal(2)
    form.push(np.ones((2, 10)))
    for bad, message in (
        (np.ones(10), "expected a block"),
        (np.ones((3, 10)), "expected a block"),
        (np.array([[1.0, 2], [3, np.inf]]), "channel 1 is infinite at sample 11"),
    ):
        with pytest.raises(InputError, match=message):
            form.push(bad)
    assert form.push(np.ones((2, 0))).shape == (2, 0)
