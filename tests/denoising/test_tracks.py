"""What the tracks do with labels: evidence beside them (oracle), or labels alone (published)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cleansemg import simulate
from cleansemg.core import dsp
from cleansemg.core.errors import UserError
from cleansemg.denoising import NoiseLabels, load
from cleansemg.denoising.hp import HighPass
from cleansemg.denoising.noise_detection import SHOWS_AS, from_both, from_signal
from cleansemg.noise.kinds import BENCHMARK_KINDS
from tests.denoising.noise_signals import labels
from tests.denoising.signals import FS_HZ, at_snr, emg, snr_db

METHODS = ("hp", "ts", "emd", "ceemdan", "vmd", "wavelet", "line_interpolation")
LEVELS_DB = (-15.0, -5.0, 5.0, 15.0)
N = 5
LINE_HZ = 50.3
CASES = ("PLI", "ECG", "MOA", "WGN", "Color", "PLI+WGN", "ECG+Color", "MOA+WGN+PLI")


def noise_of(kind: str, n: int, length: int) -> NDArray[np.float64]:
    """[n, length] unit RMS; every row another draw."""
    rng = np.random.default_rng(BENCHMARK_KINDS.index(kind))
    t = np.arange(length) / FS_HZ
    if kind == "PLI":
        phase = rng.uniform(0, 6, (n, 1))
        x = np.sin(2 * np.pi * LINE_HZ * t + phase) + 0.3 * np.sin(2 * np.pi * 3 * LINE_HZ * t + 2 * phase)
    elif kind == "ECG":
        beat_s = (t + rng.uniform(0, 0.8, (n, 1))) % 0.8 - 0.4
        x = dsp.band_pass(np.exp(-0.5 * (beat_s / 0.012) ** 2), 1.0, 200.0, FS_HZ)
    elif kind == "MOA":
        x = dsp.band_pass(rng.standard_normal((n, length)), 3.0, 25.0, FS_HZ)
    elif kind == "WGN":
        x = rng.standard_normal((n, length))
    else:
        spectrum = np.fft.rfft(rng.standard_normal((n, length)))
        spectrum /= np.maximum(np.fft.rfftfreq(length, 1 / FS_HZ), 20.0)
        x = np.fft.irfft(spectrum, length)
    return x / np.sqrt(np.mean(x**2, axis=1, keepdims=True))


@pytest.fixture(scope="module")
def mixtures() -> tuple[NDArray[np.float64], NDArray[np.float64], NoiseLabels]:
    """Clean, noisy and labels: every case at every level, on simulated EMG."""
    people = simulate(N).astype(np.float64)
    clean, noisy, kinds = [], [], []
    for case in CASES:
        added = np.sum([noise_of(kind, N, people.shape[1]) for kind in case.split("+")], axis=0)
        for level_db in LEVELS_DB:
            clean.append(people)
            noisy.append(at_snr(people, added, level_db))
            kinds.append(np.tile([kind in case.split("+") for kind in BENCHMARK_KINDS], (N, 1)))
    rows = np.concatenate(kinds)
    line_hz = np.where(rows[:, 0], LINE_HZ, np.nan)
    return np.concatenate(clean), np.concatenate(noisy), NoiseLabels(rows, line_hz)


@pytest.mark.parametrize("name", METHODS)
def test_oracle_is_never_below_blind(name: str, mixtures) -> None:
    clean, noisy, told = mixtures
    denoiser = load(name)
    blind, oracle = (snr_db(clean, denoiser.denoise(noisy, FS_HZ, given)) for given in (None, told))
    gain = (oracle - blind).reshape(len(CASES), len(LEVELS_DB), N).mean(axis=2)
    assert gain.mean() >= 0
    # of one case or level, five people; a notch at a weak line costs some EMG, too
    assert gain.mean(axis=1).min() > -0.1, dict(zip(CASES, gain.mean(axis=1).round(2).tolist(), strict=True))
    assert gain.mean(axis=0).min() > -0.1


@pytest.mark.parametrize("name", ["hp", "vmd"])
def test_a_given_line_costs_no_more_emg_than_its_evidence_is_worth(name: str) -> None:
    """A line 25 dB below a signal of 30 to 90 Hz, of which a whole notch takes more than it takes of the line."""
    clean = dsp.band_pass(np.random.default_rng(2).standard_normal((8, 2000)), 30.0, 90.0, FS_HZ)
    noisy = at_snr(clean, noise_of("PLI", 8, 2000), 25.0)
    denoiser = load(name)
    left = {
        rule: snr_db(
            clean, denoiser.denoise(noisy, FS_HZ, replace(labels("PLI", 8, rule=rule), line_hz=np.full(8, LINE_HZ)))
        )
        for rule in ("evidence", "published")
    }
    assert left["published"].mean() < 16
    assert left["evidence"].mean() > 21


@pytest.mark.parametrize("name", ["hp", "emd", "vmd"])
def test_labels_keep_a_method_from_taking_emg_for_noise(name: str) -> None:
    """EMG with much of its power below 40 Hz, as some people have, and white noise that is hardly there."""
    low = dsp.band_pass(np.random.default_rng(1).standard_normal((4, 2000)), 20.0, 38.0, FS_HZ)
    clean = dsp.band_pass(emg(4), 40.0, 250.0, FS_HZ) + 4e-4 * low
    noisy = at_snr(clean, noise_of("WGN", 4, 2000), 20.0)
    denoiser = load(name)
    blind = snr_db(clean, denoiser.denoise(noisy, FS_HZ)).mean()
    assert blind < 10  # taken for motion
    assert snr_db(clean, denoiser.denoise(noisy, FS_HZ, labels("WGN", rule="evidence"))).mean() > 19
    assert snr_db(clean, denoiser.denoise(noisy, FS_HZ, labels("MOA", rule="evidence"))).mean() == pytest.approx(blind)


@pytest.mark.parametrize("name", METHODS)
def test_what_is_given_and_not_seen_is_left_alone(name: str) -> None:
    clean = dsp.band_pass(emg(3), 60.0, 250.0, FS_HZ)
    denoiser = load(name)
    every = labels("PLI+ECG+MOA+WGN+Color", 3)
    kept = denoiser.denoise(clean, FS_HZ, replace(every, rule="evidence"))
    assert (snr_db(clean, kept) > 40).all()
    if "published" in denoiser.tracks and name != "ts":
        assert (snr_db(clean, denoiser.denoise(clean, FS_HZ, every)) < 35).all()


def test_noise_of_unknown_nature_may_show_itself_in_any_way() -> None:
    noisy = at_snr(emg(1), noise_of("MOA", 1, 2000) + noise_of("WGN", 1, 2000) + noise_of("PLI", 1, 2000), -5.0)[0]
    unknown = NoiseLabels(np.zeros((1, 5), bool), np.full(1, np.nan), others=(frozenset({"knocks"}),))
    assert from_both(noisy, FS_HZ, 40.0, unknown) == from_signal(noisy, FS_HZ, 40.0)
    nothing = from_both(noisy, FS_HZ, 40.0, labels("", 1, rule="evidence"))
    assert (nothing.line, nothing.ecg, nothing.slow, nothing.wide) == (None, False, False, False)
    assert all(unknown.may_hold(kinds).all() for kinds in SHOWS_AS.values())


def test_a_line_is_removed_at_its_given_frequency_and_from_less_evidence() -> None:
    clean = emg(6)
    noisy = at_snr(clean, np.sin(2 * np.pi * 57.0 * np.arange(2000) / FS_HZ)[None], -10.0)  # no mains: blind misses it
    told = labels("PLI", 6, 57.0, "evidence")
    for name in ("hp", "line_interpolation", "emd", "vmd"):
        denoiser = load(name)
        gain = snr_db(clean, denoiser.denoise(noisy, FS_HZ, told)) - snr_db(clean, denoiser.denoise(noisy, FS_HZ))
        assert (gain > 8).all(), (name, gain)


MOTION = np.ones((1, 4000)) * 1e-3 * np.sin(2 * np.pi * 30.0 * np.arange(4000) / FS_HZ)


@pytest.mark.parametrize(
    ("kinds", "record", "cutoff_hz"),
    [
        ("MOA", "em_0_471s", 20.0),
        ("MOA", "movement_012", 40.0),
        ("MOA", "", 40.0),
        ("Color", "bw_0_10s", 10.0),
        ("ECG+MOA", "em_0_471s", 40.0),
    ],
)
def test_the_published_track_high_passes_motion_by_its_source(kinds: str, record: str, cutoff_hz: float) -> None:
    told = labels(kinds, 1)
    told = replace(told, sources=np.where(told.kinds, record, ""))
    estimate = HighPass().denoise(MOTION, FS_HZ, told)
    np.testing.assert_allclose(estimate, dsp.high_pass(MOTION, cutoff_hz, FS_HZ, 4), rtol=1e-5, atol=1e-9)


def test_coloured_noise_that_is_no_wander_gets_the_band_pass() -> None:
    told = replace(labels("Color", 1), sources=np.full((1, 5), "Color_000_brown"))
    expected = dsp.band_pass(MOTION, 20.0, 500.0, FS_HZ, 4)
    np.testing.assert_allclose(HighPass().denoise(MOTION, FS_HZ, told), expected, rtol=1e-5, atol=1e-9)


def test_rule_and_sources_survive_other_columns_and_some_rows() -> None:
    told = NoiseLabels(
        np.array([[True, False], [False, True]]), np.full(2, np.nan), names=("MOA", "knocks"), rule="published",
        sources=np.array([["em_0_1s", ""], ["", "k_3"]]),
    )  # fmt: skip
    known = told.for_kinds(BENCHMARK_KINDS)
    assert known.rule == "published"
    assert known.record_of("MOA") == ["em", ""]
    assert known.record_of("ECG") == ["", ""]
    assert known[1:2].record_of("MOA") == [""]
    assert known[0:1].sources.tolist() == [["", "", "em_0_1s", "", ""]]
    assert known[1:2].others == (frozenset({"knocks"}),)


def test_a_method_without_a_published_rule_says_so() -> None:
    with pytest.raises(UserError, match="'wavelet' has no published track"):
        load("wavelet").denoise(emg(1), FS_HZ, labels("WGN", 1))
    with pytest.raises(UserError, match="'fcn' has no oracle track"):
        load("fcn", weights=None).denoise(emg(1), FS_HZ, "PLI")
