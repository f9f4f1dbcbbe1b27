"""Template subtraction and the detection of heartbeats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleansemg.core.errors import UserError
from cleansemg.core.seeding import generator
from cleansemg.denoising import NoiseLabels, load
from cleansemg.denoising.heartbeats import Detector, find_beats, likeness, look_like_a_heart, moving_mean, prominence
from cleansemg.denoising.ts import TemplateSubtraction
from tests.denoising.signals import FS_HZ, at_snr, emg, real_ecg, snr_db


def beats_at(positions: np.ndarray, n_samples: int) -> np.ndarray:
    t = np.arange(n_samples)
    waves = [np.exp(-0.5 * ((t - p) / 10) ** 2) - 0.4 * np.exp(-0.5 * ((t - p - 30) / 12) ** 2) for p in positions]
    return np.sum(waves, axis=0)


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 1000),
    n_beats=st.integers(2, 12),
    interval=st.integers(400, 1100),
    sign=st.sampled_from([-1.0, 1.0]),
)
def test_beats_are_found_where_they_are(seed: int, n_beats: int, interval: int, sign: float) -> None:
    rng = np.random.default_rng(seed)
    truth = 150 + np.cumsum(np.concatenate([[0], interval + rng.integers(-40, 41, n_beats - 1)]))
    n_samples = int(truth[-1]) + 200
    x = sign * beats_at(truth, n_samples) + 0.02 * rng.standard_normal(n_samples)
    (found,) = find_beats(x[None], FS_HZ, Detector())
    # what rises above a silent stretch may be found too; the beats must be there, to the sample or so
    assert all(np.abs(found.positions - p).min() <= 8 for p in truth)
    tall = found.positions[np.abs(found.filtered[found.positions]) > 0.5 * np.abs(found.filtered).max()]
    assert len(tall) == n_beats


def test_moving_mean_against_a_loop() -> None:
    x = np.random.default_rng(0).standard_normal((2, 50))
    for width in (1, 4, 7, 100):
        first = [max(i - width // 2, 0) for i in range(50)]
        last = [min(i - width // 2 + width, 50) for i in range(50)]
        expected = [[row[a:b].mean() for a, b in zip(first, last, strict=True)] for row in x]
        np.testing.assert_allclose(moving_mean(x, width), expected, atol=1e-12)


def test_equal_beats_vanish() -> None:
    truth = np.arange(300, 9800, 800)
    ecg = beats_at(truth, 10_000)[None] * 1e-3
    cleaned = TemplateSubtraction().denoise(ecg, FS_HZ)
    assert np.abs(cleaned).max() < 1e-3 * np.abs(ecg).max()


def test_two_beats_are_enough_and_one_is_not() -> None:
    two = 1e-3 * beats_at(np.array([500, 1300]), 2000)[None] + 1e-5 * generator(1).standard_normal((1, 2000))
    assert np.std(TemplateSubtraction().denoise(two, FS_HZ)) < 0.2 * np.std(two)
    one = 1e-3 * beats_at(np.array([900]), 2000)[None]
    for labels in (None, "ECG"):
        assert np.array_equal(TemplateSubtraction().denoise(one, FS_HZ, labels), one.astype(np.float32))


def test_oracle_touches_only_what_may_have_beats() -> None:
    truth = np.arange(300, 2000, 700)
    x = 1e-3 * beats_at(truth, 2000) + emg(2)
    estimate = TemplateSubtraction().denoise(x, FS_HZ, ["PLI+WGN", "MOA+ECG"])
    assert np.array_equal(estimate[0], x[0].astype(np.float32))
    assert np.std(estimate[1]) < 0.7 * np.std(x[1])


def test_blind_leaves_signals_without_ecg_alone() -> None:
    t = np.arange(2000) / FS_HZ
    rng = generator(2, "no ecg")
    pink = np.fft.irfft((rng.standard_normal((50, 1001)) + 1j * rng.standard_normal((50, 1001)))
                        / np.sqrt(np.maximum(np.arange(1001), 1)))  # fmt: skip
    for x in (emg(100), rng.standard_normal((50, 2000)), pink, np.sin(2 * np.pi * 50 * t)[None] + 0 * emg(1)):
        assert np.array_equal(TemplateSubtraction().denoise(x, FS_HZ), x.astype(np.float32))


def test_every_parameter_changes_the_output() -> None:
    rng = generator(3, "parameters")
    truth = np.cumsum(rng.integers(400, 900, 12))
    n_samples = int(truth[-1]) + 300
    x = 1e-3 * beats_at(truth, n_samples) + 3 * emg(1, n_samples)
    labels = NoiseLabels(np.array([[False, True, False, False, False]]), np.array([np.nan]))
    reference = TemplateSubtraction().denoise(x, FS_HZ, labels)
    for changes in (
        {"band_hz": (10.0, 30.0)}, {"order": 1}, {"cycle_s": 0.3}, {"event_s": 0.3}, {"refractory_s": 0.7},
        {"before_rr": 0.1}, {"after_rr": 0.2},
    ):  # fmt: skip
        changed = TemplateSubtraction(**changes).denoise(x, FS_HZ, labels)  # type: ignore[arg-type]
        assert not np.array_equal(changed, reference), changes
    clear = 3e-3 * beats_at(truth, n_samples)[None] + emg(1, n_samples)
    assert not np.array_equal(TemplateSubtraction().denoise(clear, FS_HZ), clear.astype(np.float32))
    for rule in ({"rate_bpm": (150.0, 200.0)}, {"min_likeness": 1.1}, {"min_prominence": 1e3}):
        strict = TemplateSubtraction(**rule)  # type: ignore[arg-type]
        assert np.array_equal(strict.denoise(clear, FS_HZ), clear.astype(np.float32)), rule


def test_refusals() -> None:
    with pytest.raises(UserError, match="at most 1, or beats would overlap"):
        load("ts", before_rr=0.7)
    with pytest.raises(UserError, match="event_s shorter than cycle_s"):
        load("ts", event_s=1.0)


@pytest.mark.realdata
def test_real_ecg_is_reduced_on_both_tracks(real_data: Path) -> None:
    ecg = real_ecg(real_data)
    pieces = ecg.reshape(-1, 2000)
    clean = emg(len(pieces))
    noisy = at_snr(clean, pieces, -10)
    for labels in (None, "ECG"):
        improvement = snr_db(clean, TemplateSubtraction().denoise(noisy, FS_HZ, labels)) + 10
        assert improvement.mean() > 4, labels
    # a minute in one piece has more beats to average
    long_clean = emg(len(ecg), ecg.shape[1])
    long_noisy = at_snr(long_clean, ecg, -10)
    assert (snr_db(long_clean, TemplateSubtraction().denoise(long_noisy, FS_HZ)) + 10).min() > 5


@pytest.mark.realdata
def test_the_blind_rule_tells_hearts_from_movement(real_data: Path) -> None:
    pieces = real_ecg(real_data).reshape(-1, 2000)
    method = TemplateSubtraction()
    heart = [look_like_a_heart(b, *method.heart_rule) for b in find_beats(pieces, FS_HZ, method.detector)]
    muscle = [look_like_a_heart(b, *method.heart_rule) for b in find_beats(emg(200), FS_HZ, method.detector)]
    assert np.mean(heart) > 0.8  # record 117 beats 50 times a minute: some pieces lack two whole beats
    assert np.mean(muscle) < 0.01
    beats = find_beats(pieces, FS_HZ, method.detector)
    assert np.median([likeness(b) for b in beats]) > 0.95
    assert np.median([prominence(b) for b in beats]) > 8
