"""Assessing recordings: rates, lengths, gaps, flat stretches, blocks, errors; labels for denoisers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleansemg.core.errors import InputError, UserError
from cleansemg.noise.kinds import BENCHMARK_KINDS
from cleansemg.quality import QualityMeter, assess_signal, models, noise_labels
from cleansemg.quality.assessment import RULED_OUT
from cleansemg.quality.meter import total_snr_db


def _signal(n: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    return 1e-4 * np.random.default_rng(seed).standard_normal((channels, n))


@pytest.mark.parametrize("fs_hz", [200.0, 1000.0, 1111.0, 2000.0, 2148.1481])
@pytest.mark.parametrize("seconds", [1.0, 1.5, 2.0, 2.7, 7.3])
def test_any_rate_and_length(untrained, fs_hz: float, seconds: float) -> None:
    n = int(np.ceil(seconds * fs_hz))
    (found,) = assess_signal(_signal(n), fs_hz, untrained)
    windows = found.windows
    assert np.isfinite(found.snr_db)
    assert windows.start_s[0] == 0
    end = windows.start_s + windows.length_s
    assert n / fs_hz - 0.05 <= end[-1] <= n / fs_hz + 1e-9  # every sample is in a window, but for a sliver
    assert (windows.start_s[1:] <= end[:-1] + 1e-9).all()
    assert windows.length_s.max() <= 2.001
    assert len(windows.snr_db) == (1 if seconds <= 2 else int(np.ceil(round(seconds - 2, 6))) + 1)
    if len(windows.snr_db) > 1:
        assert found.snr_low_db <= np.median(windows.snr_db) <= found.snr_high_db
    else:
        assert found.snr_low_db is None
    assert list(found.kinds) == list(BENCHMARK_KINDS)
    assert all(0 <= p <= 1 for p in found.kinds.values())


@given(st.lists(st.integers(0, 900), max_size=30), st.integers(0, 3))
@settings(max_examples=20, deadline=None)
def test_blocks_do_not_matter(sizes: list[int], gaps: int) -> None:
    import torch

    torch.manual_seed(1)
    network = models.build("qase", n_kinds=5).eval()
    model = models.Predictor("qase", network, {"fs_hz": 1000.0}, "none")
    x = _signal(6300, 2)
    rng = np.random.default_rng(gaps)
    for _ in range(gaps):
        start = int(rng.integers(6000))
        x[0, start : start + int(rng.integers(1, 800))] = np.nan
    whole = assess_signal(x, 500.0, model)
    meter = QualityMeter(500.0, 2, model)
    at = 0
    for size in [*sizes, 6300]:
        meter.push(x[:, at : at + size])
        at = min(at + size, 6300)
    for one, other in zip(whole, meter.result(), strict=True):
        np.testing.assert_allclose(one.windows.start_s, other.windows.start_s)
        np.testing.assert_allclose(one.windows.snr_db, other.windows.snr_db, rtol=1e-4, atol=1e-4)
        assert (one.gap_s, one.unread_s, one.n_flat) == (other.gap_s, other.unread_s, other.n_flat)


def test_gaps_are_left_out(untrained) -> None:
    x = _signal(10_000)
    x[0, 3000:3500] = np.nan
    x[0, 4000:4100] = np.nan
    (found,) = assess_signal(x, 1000.0, untrained)
    assert found.gap_s == 0.6
    assert found.unread_s == 0.5  # 3.5 to 4.0 s is shorter than a second
    for start, length in zip(found.windows.start_s, found.windows.length_s, strict=True):
        inside = x[0, round(start * 1000) : round((start + length) * 1000)]
        assert np.isfinite(inside).all()
    ends = found.windows.start_s + found.windows.length_s
    assert 3.0 in ends.round(6)
    assert 10.0 in ends.round(6)
    assert 4.1 in found.windows.start_s.round(6)


def test_windows_around_a_gap_see_nothing_beyond_it(untrained) -> None:
    x = _signal(6000)
    x[0, 3000:3100] = np.nan
    (found,) = assess_signal(x, 1000.0, untrained)
    (alone,) = assess_signal(x[:, :3000], 1000.0, untrained)
    n = len(alone.windows.snr_db)
    np.testing.assert_allclose(found.windows.snr_db[:n], alone.windows.snr_db, rtol=1e-5, atol=1e-5)


def test_flat_windows_are_counted(untrained) -> None:
    x = _signal(12_000, 3)
    x[0, 4000:9000] = 0.3
    x[1] = 5.0
    x[2] = np.nan
    half, flat, gap = assess_signal(x, 1000.0, untrained)
    assert half.n_flat == 4
    assert np.isfinite(half.snr_db)
    assert flat.n_flat == 11
    assert np.isnan(flat.snr_db)
    assert all(np.isnan(p) for p in flat.kinds.values())
    assert np.isnan(gap.snr_db)
    assert gap.gap_s == 12.0


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e6])
def test_unit_and_offset_do_not_matter(untrained, unit: float) -> None:
    x = _signal(5000) * 1e4
    (one,) = assess_signal(x, 1000.0, untrained)
    (other,) = assess_signal((x + 10) * unit, 1000.0, untrained)
    np.testing.assert_allclose(one.windows.snr_db, other.windows.snr_db, atol=0.02)


def test_memory_stays_bounded(untrained) -> None:
    meter = QualityMeter(1000.0, 1, untrained)
    for number in range(40):
        meter.push(_signal(5000, seed=number))
        assert len(meter._channels[0].waiting) < 6000
        assert len(meter._pending) <= 64
    assert len(meter.result()[0].windows.snr_db) == 199


@pytest.mark.parametrize(
    ("x", "fs_hz", "message"),
    [
        (np.zeros((1, 999)), 1000.0, "needs 1 s"),
        (np.zeros((1, 2000)), 199.0, "200 Hz"),
        (np.zeros((1, 2000)), float("nan"), "200 Hz"),
        (np.full((1, 2000), np.inf), 1000.0, "infinite"),
        (np.zeros((1, 2, 2000)), 1000.0, "shape"),
        (np.zeros((0, 2000)), 1000.0, "shape"),
        (np.zeros((1, 2000), complex), 1000.0, "real numbers"),
    ],
)
def test_refused(untrained, x: np.ndarray, fs_hz: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        assess_signal(x, fs_hz, untrained)


def test_meter_refuses_other_blocks_and_late_ones(untrained) -> None:
    meter = QualityMeter(1000.0, 2, untrained)
    with pytest.raises(InputError, match=r"\[2, l\]"):
        meter.push(_signal(100, 3))
    meter.push(_signal(1500, 2))
    assert len(meter.result()) == len(meter.result()) == 2
    with pytest.raises(InputError, match="new QualityMeter"):
        meter.push(_signal(100, 2))
    with pytest.raises(InputError, match="at least 1"):
        QualityMeter(1000.0, 0, untrained)
    with pytest.raises(UserError, match="one length only"):
        QualityMeter(1000.0, 1, models.Predictor("wldnn", models.build("wldnn"), {}, ""))


def test_total_is_the_snr_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    signal, noise = rng.uniform(0.1, 3, 20), rng.uniform(0.1, 3, 20)
    expected = 10 * np.log10(signal.sum() / noise.sum())
    assert total_snr_db(10 * np.log10(signal / noise), signal + noise) == pytest.approx(expected)


def test_labels(untrained) -> None:
    noisy = np.concatenate([_signal(2000, 3), np.zeros((1, 2000))])
    found = noise_labels(noisy, 1000.0, untrained)
    quality = assess_signal(noisy[:3], 1000.0, untrained)
    expected = [[one.kinds[kind] >= 0.5 * RULED_OUT for kind in BENCHMARK_KINDS] for one in quality]
    np.testing.assert_array_equal(found.kinds, [*expected, [False] * 5])
    assert np.isnan(found.line_hz).all()
    assert found.clean is None
    untrained.info["thresholds"] = []
    with pytest.raises(UserError, match=r"quality\.kinds"):
        noise_labels(noisy, 1000.0, untrained)
