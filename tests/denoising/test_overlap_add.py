"""Recordings in windows: as many samples out as in, in any blocks, without seams, with their gaps."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cleansemg.core.errors import ItemError, UserError
from cleansemg.denoising import Denoiser, InputError, NoiseLabels, load
from cleansemg.denoising.blocks import Buffer, Gap, GapLog
from cleansemg.denoising.causal import CausalDenoiser
from cleansemg.denoising.hp import HighPass
from cleansemg.denoising.identity import Identity
from cleansemg.denoising.overlap_add import OverlapAdd, best_streaming, denoise_long
from tests.denoising.signals import FS_HZ, emg

NAN = np.nan


class Windowed(Denoiser):
    """Subtracts the mean of what it is given, so that every window leaves its own trace; needs 20 samples."""

    name = "windowed"
    min_samples = 20

    def __init__(self) -> None:
        self.calls: list[tuple[int, ...]] = []

    def _denoise(self, noisy: NDArray[np.float64], fs_hz: float, labels: NoiseLabels | None) -> NDArray[np.float64]:
        self.calls.append(noisy.shape)
        return noisy - noisy.mean(axis=1, keepdims=True)


class FailsOnLoud(Identity):
    def _denoise(self, noisy: NDArray[np.float64], fs_hz: float, labels: NoiseLabels | None) -> NDArray[np.float64]:
        if noisy.max() > 1:
            raise ItemError("too loud")
        return noisy


class At500(Identity):
    sampling_rate_hz = 500.0
    min_samples = 30


def pushed(stream: OverlapAdd, x: NDArray[np.float64], cuts: list[int]) -> NDArray[np.float32]:
    bounds = [0, *sorted(cuts), x.shape[1]]
    parts = [stream.push(x[:, a:b]) for a, b in pairwise(bounds)]
    return np.concatenate([*parts, stream.finish()], axis=1)


def linear() -> HighPass:
    """The part of `hp` that is the same filter in every window."""
    return HighPass(slow_ratio=0, line_threshold=1e9)


@st.composite
def streams(draw: st.DrawFn) -> tuple[NDArray[np.float64], list[int], list[int]]:
    """A recording with gaps, and two ways to cut it."""
    n_channels, n = draw(st.integers(1, 3)), draw(st.integers(1, 900))
    x = np.random.default_rng(n).standard_normal((n_channels, n)) + 3
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, n - 1))
        x[draw(st.integers(0, n_channels - 1)), start : start + draw(st.integers(1, 150))] = NAN
    cut = st.lists(st.integers(0, n), max_size=12)
    return x, draw(cut), draw(cut)


@given(streams(), st.sampled_from([0.0, 0.02, 0.04, 0.05]))
@settings(deadline=None, max_examples=150)
def test_the_blocks_do_not_matter(given_: tuple[NDArray[np.float64], list[int], list[int]], overlap_s: float) -> None:
    x, *cuts = given_
    made = [OverlapAdd(Windowed(), FS_HZ, len(x), 0.1, overlap_s) for _ in cuts]
    one, two = (pushed(stream, x, cut) for stream, cut in zip(made, cuts, strict=True))
    assert one.shape == x.shape
    assert one.dtype == np.float32
    np.testing.assert_array_equal(one, two)
    assert made[0].gaps == made[1].gaps
    assert made[0].n_gaps == made[1].n_gaps == len(made[0].gaps)
    # NaN where they came, and in what is too short, as reported; nowhere else
    expected = np.zeros(x.shape, bool)
    for gap in made[0].gaps:
        assert not expected[gap.channel, gap.start : gap.start + gap.length].any()
        expected[gap.channel, gap.start : gap.start + gap.length] = True
        assert np.isnan(x[gap.channel, gap.start : gap.start + gap.length]).all() == (gap.reason == "missing")
        assert gap.reason == "missing" or gap.length < Windowed.min_samples
    np.testing.assert_array_equal(np.isnan(one), expected)
    np.testing.assert_array_equal(made[0].gap_samples, expected.sum(1))


@given(streams())
@settings(deadline=None, max_examples=50)
def test_channels_and_stretches_do_not_see_each_other(
    given_: tuple[NDArray[np.float64], list[int], list[int]],
) -> None:
    x, cut, _ = given_
    together = pushed(OverlapAdd(Windowed(), FS_HZ, len(x), 0.1, 0.04), x, cut)
    for channel, row in enumerate(x):
        there = np.flatnonzero(~np.isnan(row))
        for stretch in np.split(there, np.flatnonzero(np.diff(there) > 1) + 1):
            if len(stretch) >= Windowed.min_samples:
                alone = denoise_long(Windowed(), row[stretch], FS_HZ, 0.1, 0.04)
                np.testing.assert_array_equal(together[channel, stretch], alone)


@given(st.integers(1, 700), st.sampled_from([0.0, 0.02, 0.05]))
@settings(deadline=None, max_examples=60)
def test_what_all_windows_agree_on_passes_unchanged(n: int, overlap_s: float) -> None:
    x = np.random.default_rng(n).standard_normal((2, n))
    np.testing.assert_allclose(denoise_long(Identity(), x, FS_HZ, 0.1, overlap_s), x, rtol=3e-7, atol=1e-12)


def test_windows_are_whole_ones() -> None:
    for n in (100, 101, 159, 160, 161, 1000, 1001):
        denoiser = Windowed()
        denoise_long(denoiser, np.ones((2, n)), FS_HZ, 0.1, 0.04)
        assert set(denoiser.calls) == {(2, 100)}, n
        assert len(denoiser.calls) == 1 + -(-(n - 100) // 60)
    short = Windowed()
    denoise_long(short, np.ones((2, 55)), FS_HZ, 0.1, 0.04)
    assert short.calls == [(2, 55)]


def test_no_seams_against_the_whole_at_once() -> None:
    x = emg(3, 30_000, low_hz=10.0) + 2e-3  # with an offset
    whole = linear().denoise(x, FS_HZ)
    error = np.abs(denoise_long(linear(), x, FS_HZ) - whole).max(axis=0)
    assert error.max() < 1e-4 * whole.std()
    hard = np.abs(denoise_long(linear(), x, FS_HZ, overlap_s=0) - whole).max()
    assert hard > 0.05 * whole.std()  # what the overlap is there to prevent


def test_a_network_jumps_no_more_at_borders_than_elsewhere() -> None:
    torch.manual_seed(2)
    network = load("fcn", weights=None, channels=(4, 3, 2))
    x = emg(2, 20_000)
    window, overlap = 2000, 500
    y = denoise_long(network, x, FS_HZ, window / FS_HZ, overlap / FS_HZ).astype(np.float64)
    rough = np.abs(np.diff(y, n=2))  # [C, L - 2]
    near = np.zeros(rough.shape[1], bool)
    for border in range(window, len(near), window - overlap):
        near[border - overlap - 20 : border + 20] = True
    assert 0.2 < near.mean() < 0.5
    assert rough[:, near].max() <= 1.2 * rough[:, ~near].max()
    assert rough[:, near].mean() <= 1.1 * rough[:, ~near].mean()


def test_latency_is_what_is_stated() -> None:
    n, rng = 3000, np.random.default_rng(1)
    x = rng.standard_normal((1, n))
    stream = OverlapAdd(Identity(), FS_HZ, 1, 0.4, 0.1)
    assert stream.latency_s == 0.4
    out, worst = 0, 0
    for t in range(n):
        out += stream.push(x[:, t : t + 1]).shape[1]
        worst = max(worst, t + 1 - out)
    assert worst == 399  # samples that came and are not out; the 400th lets one go
    assert out + stream.finish().shape[1] == n


def test_memory_does_not_grow() -> None:
    stream = OverlapAdd(Identity(), FS_HZ, 2, 0.4, 0.1)
    sizes = []
    for i in range(200):
        block = np.ones((2, 333))
        block[1, : i % 3] = NAN
        stream.push(block)
        sizes.append(stream._input._store.nbytes + stream._output._store.nbytes)
    assert max(sizes[100:]) <= max(sizes[:100]) < 2 * 8 * 10 * 400


def test_resampling_inside_windows_leaves_samples_in_place() -> None:
    fs_hz, n = 1234.567, 60_001
    t = np.arange(n) / fs_hz
    x = np.sin(2 * np.pi * 40 * t) + np.sin(2 * np.pi * 150 * t + 1)
    y = denoise_long(At500(), x, fs_hz)
    assert y.shape == x.shape
    assert np.abs(y - x)[600:-600].max() < 1e-3


def test_constants_and_silence_are_no_gaps() -> None:
    x = np.zeros((2, 5000))
    x[1] = 3e-3
    y = denoise_long(load("hp"), x, FS_HZ, 1.0, 0.25)
    assert not y[0].any()
    assert np.isfinite(y).all()


def test_gaps_are_reported_as_they_are_met() -> None:
    stream = OverlapAdd(Windowed(), FS_HZ, 2, 0.1, 0.04)
    x = np.ones((2, 300))
    x[0, 50:60] = NAN
    x[0, 70:75] = NAN
    x[1, 290:] = NAN
    stream.push(x[:, :55])
    assert stream.gaps == (Gap(0, 50, 5, "missing"),)
    stream.push(x[:, 55:])
    stream.finish()
    assert stream.gaps == (
        Gap(0, 50, 10, "missing"),
        Gap(0, 60, 10, "short"),
        Gap(0, 70, 5, "missing"),
        Gap(1, 290, 10, "missing"),
    )
    assert stream.gap_samples.tolist() == [25, 10]


def test_the_report_is_bounded() -> None:
    log = GapLog(1)
    for i in range(3000):
        log.missing(0, 2 * i, 2 * i + 1)
        log.present(0)
    assert log.n_gaps == log.samples[0] == 3000
    assert len(log.gaps) == 1000


def test_buffer_finds_samples_by_place() -> None:
    buffer, all_samples = Buffer(2, np.float64), np.random.default_rng(0).standard_normal((2, 5000))
    at = 0
    for length in np.random.default_rng(1).integers(0, 90, 100):
        buffer.append(all_samples[:, at : at + length], int(length))
        at += int(length)
        buffer.drop(at - 70)
        np.testing.assert_array_equal(buffer.part(buffer.start, at), all_samples[:, buffer.start : at])
    with pytest.raises(IndexError, match="samples 0 to 5"):
        buffer.part(0, 5)
    assert buffer._store.shape[1] < 700


def test_a_window_that_fails_stops_the_stream() -> None:
    stream = OverlapAdd(FailsOnLoud(), FS_HZ, 2, 0.1, 0.04)
    x = np.zeros((2, 400))
    x[1, 250] = 2.0
    with pytest.raises(ItemError, match="channels 0, 1, samples 180 to 280: too loud"):
        stream.push(x)
    for call in (lambda: stream.push(x), stream.finish):
        with pytest.raises(UserError, match="stopped at channels 0, 1, samples 180 to 280"):
            call()


def test_after_the_end_nothing_is_taken() -> None:
    stream = OverlapAdd(Identity(), FS_HZ, 1)
    assert stream.finish().shape == (1, 0)
    with pytest.raises(UserError, match="was finished"):
        stream.push(np.zeros((1, 5)))
    with pytest.raises(UserError, match="was finished"):
        stream.finish()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros(5), "expected a block"),
        (np.zeros((3, 5)), r"expected a block \[2, l\], got shape \(3, 5\)"),
        (np.zeros((2, 5), complex), "real numbers"),
        (np.array([["a"], ["b"]]), "real numbers"),
        (np.array([[0.0, 1], [2, -np.inf]]), "channel 1 is infinite at sample 8"),
    ],
)
def test_bad_blocks_are_refused_and_leave_the_stream_as_it_was(bad: NDArray[np.float64], message: str) -> None:
    stream = OverlapAdd(Identity(), FS_HZ, 2, 0.1, 0.04)
    stream.push(np.ones((2, 7)))
    with pytest.raises(InputError, match=message):
        stream.push(bad)
    assert stream.finish().shape == (2, 7)


def test_bad_settings_are_refused() -> None:
    for arguments, message in (
        ((Windowed(), FS_HZ, 0), "n_channels is 0"),
        ((Windowed(), NAN, 1), "fs_hz must be"),
        ((At500(), 150.0, 1), "works from 200 Hz on"),
        ((Windowed(), FS_HZ, 1, 0.01), "window_s is 0.01: 'windowed' needs 0.02 s at 1000 Hz"),
        ((Windowed(), FS_HZ, 1, 1.0, 0.6), "overlap_s is 0.6, at most half"),
        ((Windowed(), FS_HZ, 1, 1.0, -0.1), "overlap_s is -0.1"),
        ((Windowed(), FS_HZ, 1, np.inf), "window_s is inf"),
        ((load("wiener_oracle"), FS_HZ, 1), "needs labels"),
    ):
        with pytest.raises(UserError, match=message):
            OverlapAdd(*arguments)  # type: ignore[arg-type]
    for bad in (np.zeros((1, 2, 3)), np.zeros((2, 0)), np.float64(3.0)):
        with pytest.raises(InputError, match="expected a recording"):
            denoise_long(Identity(), bad, FS_HZ)  # type: ignore[arg-type]


def test_best_streaming_takes_the_causal_form_where_there_is_one() -> None:
    assert isinstance(best_streaming(load("hp"), 2000.0, 3), CausalDenoiser)
    windowed = best_streaming(Windowed(), 2000.0, 3)
    assert isinstance(windowed, OverlapAdd)
    assert windowed.latency_s == 2.0
