"""Metrics: against an independent loop, hand-computed values, and the laws that each profile keeps or breaks."""

from __future__ import annotations

import doctest
import importlib
import math
import pkgutil
from typing import get_args

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import signal, stats

from cleansemg.core import registry
from cleansemg.core.errors import UserError
from cleansemg.core.seeding import generator
from cleansemg.evaluation import metrics
from cleansemg.evaluation.metrics import published_spectra, spectral, waveform, window_features
from cleansemg.evaluation.metrics.framing import split_windows
from cleansemg.evaluation.verification.independent_metrics import (
    FORMULAS,
    Segment,
    published_levels_db,
    published_mean_frequencies_hz,
    recomputed,
)

FS_HZ = 1000.0
ALL = list(metrics.catalogue())
SCALED_WITH_UNIT = [key for key, info in metrics.catalogue().items() if info.unit == "V"]


def surface_emg(n: int, length: int = 2000, scale_v: float = 1e-4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coloured noise with bursts, a noisy and a half-cleaned version, [n, length] each."""
    random = generator(7, "metrics", str(n), str(length))
    white = random.standard_normal((n, length + 8))
    clean = white[:, 8:] - 0.6 * white[:, :-8] + 0.4 * white[:, 4:-4]
    clean *= scale_v * (1 + 0.9 * np.sin(np.arange(length) / 150))
    noise = scale_v * random.standard_normal((n, length))
    return clean, clean + noise, 0.8 * clean + 0.5 * noise


def sine(frequency_hz: float, length: int = 2000, amplitude_v: float = 1e-4) -> np.ndarray:
    return amplitude_v * np.sin(2 * np.pi * frequency_hz * np.arange(length) / FS_HZ)[None]


@pytest.mark.parametrize("profile", metrics.PROFILES)
@pytest.mark.parametrize("length", [200, 1535, 1536, 2000, 2137])
def test_every_metric_equals_the_independent_loop(profile, length):
    clean, noisy, denoised = surface_emg(5, length)
    denoised[1, :450] = 0.0  # still windows, runs of zeros, empty spectra
    denoised[2, ::7] = 0.0
    clean[3, 200:450] = 0.0
    if length < 450:
        clean[3] = noisy[3]
    got = metrics.compute(clean, noisy, denoised, FS_HZ, profile)
    keys = list(metrics.catalogue(profile))
    assert list(got) == keys
    for row in range(5):
        expected = recomputed(Segment(clean[row], noisy[row], denoised[row], FS_HZ, profile), keys)
        for key in keys:
            np.testing.assert_allclose(got[key][row], expected[key], rtol=1e-9, atol=1e-11, err_msg=f"{key} {row}")


@pytest.mark.parametrize("fs_hz", [500.0, 1259.26, 2000.0])
def test_standard_follows_the_sampling_rate(fs_hz):
    clean, noisy, denoised = surface_emg(2, 2000)
    got = metrics.compute(clean, noisy, denoised, fs_hz, "standard")
    expected = recomputed(Segment(clean[1], noisy[1], denoised[1], fs_hz, "standard"), ALL)
    for key in ALL:
        np.testing.assert_allclose(got[key][1], expected[key], rtol=1e-9, err_msg=key)


@pytest.mark.parametrize("profile", metrics.PROFILES)
def test_a_row_does_not_depend_on_its_neighbours(profile):
    clean, noisy, denoised = surface_emg(37, 2000)  # three batches
    together = metrics.compute(clean, noisy, denoised, FS_HZ, profile)
    for size in (1, 2, 5, 16):
        for start in range(0, 37, size):
            part = slice(start, start + size)
            alone = metrics.compute(clean[part], noisy[part], denoised[part], FS_HZ, profile)
            for key in together:
                assert np.array_equal(alone[key], together[key][part]), (key, size, start)


@pytest.mark.parametrize("profile", metrics.PROFILES)
def test_float32_strided_and_chosen_inputs_give_the_same(profile):
    clean, noisy, denoised = (x.astype(np.float32) for x in surface_emg(3))
    whole = metrics.compute(clean, noisy, denoised, FS_HZ, profile)
    wide = (np.asfortranarray(x.astype(np.float64)) for x in (clean, noisy, denoised))
    for key, values in metrics.compute(*wide, FS_HZ, profile).items():
        assert values.dtype == np.float64
        assert np.array_equal(values, whole[key])
    chosen = metrics.compute(clean, noisy, denoised, FS_HZ, profile, metrics=["RMSE_MDF", "snrimp"])
    assert list(chosen) == ["RMSE_MDF", "SNRimp"]
    assert all(np.array_equal(chosen[key], whole[key]) for key in chosen)


@settings(max_examples=40, deadline=None)
@example(exponent=-6.0, row=0)
@example(exponent=6.0, row=1)
@given(exponent=st.floats(-6, 6), row=st.integers(0, 3))
def test_standard_is_the_same_in_every_unit(exponent, row):
    scale = 10.0**exponent  # twelve decades around 1e-4 V
    signals = [x[row : row + 1] for x in surface_emg(4)]
    signals[2] = np.where(np.arange(2000) < 300, 0.0, signals[2])
    in_volts = metrics.compute(*signals, FS_HZ, "standard")
    scaled = metrics.compute(*(scale * x for x in signals), FS_HZ, "standard")
    for key in ALL:
        expected = in_volts[key] * (scale if key in SCALED_WITH_UNIT else 1.0)
        np.testing.assert_allclose(scaled[key], expected, rtol=1e-9, err_msg=key)


def test_published_depends_on_the_unit():
    signals = surface_emg(4)
    volts = metrics.compute(*signals, FS_HZ, "published")
    microvolts = metrics.compute(*(1e6 * x for x in signals), FS_HZ, "published")
    assert np.all(microvolts["LSD"] > 3 * volts["LSD"])


@pytest.mark.parametrize("profile", metrics.PROFILES)
def test_unchanged_input_improves_by_exactly_zero(profile):
    clean, noisy, _ = surface_emg(4)
    assert np.array_equal(metrics.compute(clean, noisy, noisy, FS_HZ, profile)["SNRimp"], np.zeros(4))
    perfect = metrics.compute(clean, clean, clean, FS_HZ, profile)
    expected = {"EMG_gain": 1.0, "SNR_out": 20 * np.log10(2.0**24)}  # the others measure errors, or improvement
    for key, values in perfect.items():
        assert np.array_equal(values, np.full(4, expected.get(key, 0.0))), key


@settings(max_examples=40, deadline=None)
@given(exponent=st.floats(-3, 3), negative=st.booleans())
def test_turning_a_signal_up_or_down_denoises_nothing(exponent, negative):
    clean, noisy, denoised = surface_emg(3)
    factor = (-1 if negative else 1) * 10.0**exponent
    free = ["SI_SDRimp", "SNRimp_scaled"]
    before = metrics.compute(clean, noisy, denoised, FS_HZ, metrics=[*free, "EMG_gain"])
    after = metrics.compute(clean, noisy, factor * denoised, FS_HZ, metrics=[*free, "EMG_gain"])
    for key in free:
        np.testing.assert_allclose(after[key], before[key], atol=1e-9)
    np.testing.assert_allclose(after["EMG_gain"], factor * before["EMG_gain"], rtol=1e-12)
    turned_down = metrics.compute(clean, noisy, factor * noisy, FS_HZ, metrics=free)
    assert all(np.abs(values).max() < 1e-9 for values in turned_down.values())


def test_the_loudness_rule_gains_in_snr_alone():
    """Pitfall 21: noisy s/(1+s) removes nothing, and SNR improvement over a symmetric grid says 4 to 5 dB."""
    clean, noisy, _ = surface_emg(3)
    noise = (noisy - clean) * np.sqrt((clean**2).sum(-1) / ((noisy - clean) ** 2).sum(-1))[:, None]
    gains, free = [], []
    for snr_db in (-15, -10, -5, 0, 5, 10, 15):
        s = 10 ** (snr_db / 10)
        x = clean + noise / np.sqrt(s)
        got = metrics.compute(clean, x, x * s / (1 + s), FS_HZ, metrics=["SNRimp", "SI_SDRimp"])
        gains.append(got["SNRimp"].mean())
        free.append(np.abs(got["SI_SDRimp"]).max())
    assert 4.0 < np.mean(gains) < 6.0
    assert max(free) < 1e-9


@pytest.mark.parametrize(("share", "sdr_db"), [(0.0, 144.49), (0.1, 20.0), (1.0, 0.0), (10.0, -20.0)])
def test_scale_free_measures_of_orthogonal_noise(share, sdr_db):
    clean, noise = sine(80.0), sine(200.0)  # whole periods: orthogonal, of one energy
    estimate = 0.3 * (clean + share * noise)
    got = metrics.compute(clean, clean + noise, estimate, FS_HZ, metrics=["SI_SDRimp", "EMG_gain", "SNRimp_scaled"])
    np.testing.assert_allclose(got["SI_SDRimp"], sdr_db, atol=0.005)  # that of the noisy one is 0 dB
    np.testing.assert_allclose(got["EMG_gain"], 0.3, rtol=1e-9)
    best = min(10 * np.log10(1 + 1 / share**2), 144.49) if share else 144.49
    np.testing.assert_allclose(got["SNRimp_scaled"], best - 10 * np.log10(2), atol=0.005)


@pytest.mark.parametrize("profile", metrics.PROFILES)
@pytest.mark.parametrize(("snr_db", "prd"), [(-15, 562.34), (0, 100.0), (15, 17.783)])  # spec I.2
def test_prd_of_the_unchanged_input_is_given_by_its_snr(profile, snr_db, prd):
    clean, noisy, _ = surface_emg(3)
    noise = noisy - clean
    gain = np.sqrt((clean**2).sum(-1) / (noise**2).sum(-1) / 10 ** (snr_db / 10))
    noisy = clean + gain[:, None] * noise
    got = metrics.compute(clean, noisy, noisy, FS_HZ, profile, metrics=["PRD"])["PRD"]
    np.testing.assert_allclose(got, prd, rtol=1e-4)


def test_zero_output_scores_what_the_formulas_say():
    clean, noisy, _ = surface_emg(3)
    silent = np.zeros_like(clean)
    standard = metrics.compute(clean, noisy, silent, FS_HZ, "standard")
    np.testing.assert_allclose(standard["PRD"], 100.0, rtol=1e-12)  # spec I.3
    assert np.array_equal(standard["EMG_gain"], np.zeros(3))
    assert np.array_equal(standard["SNR_out"], np.zeros(3))
    assert (standard["SI_SDRimp"] < -100).all()  # nothing of the signal is left
    np.testing.assert_allclose(standard["SNRimp"], -waveform.snr_db(clean, noisy), atol=1e-9)
    np.testing.assert_allclose(standard["RMSE_ZCR"], _rms(window_features.sign_changes(_windows(clean)) / 0.2))
    assert all(np.isfinite(values).all() for values in standard.values())
    # An emptied window reads as a flat spectrum, whose mean frequency is the middle of 20..500 Hz.
    frequencies_hz = 20 + 5.0 * np.arange(97)
    batch = metrics.Batch(clean, noisy, silent, FS_HZ)
    assert spectral.mean_frequency_hz(batch.spectra.denoised, frequencies_hz) == pytest.approx(260.0)
    published = metrics.compute(clean, noisy, silent, FS_HZ, "published")
    np.testing.assert_allclose(published["PRD"], 100.0, rtol=1e-6)
    assert np.isnan(published["RMSE_MNF"]).all()  # every frame is empty: there is no median of the others
    assert published_spectra.median_frequency_hz(_windows(silent), FS_HZ)[0, 0] == pytest.approx(20.508, abs=1e-3)


def _windows(x: np.ndarray) -> np.ndarray:
    return split_windows(x, 200)


def _rms(x: np.ndarray) -> np.ndarray:
    return np.sqrt((x**2).mean(-1))


def test_snr_of_a_perfect_output_is_capped_at_float32_rounding():
    clean, noisy, _ = surface_emg(2)
    cap_db = 20 * math.log10(2**24)
    assert cap_db == pytest.approx(144.494, abs=1e-3)
    improvement = metrics.compute(clean, noisy, clean, FS_HZ, "standard", metrics=["SNRimp"])["SNRimp"]
    np.testing.assert_allclose(improvement, cap_db - waveform.snr_db(clean, noisy), rtol=1e-12)
    stored = clean.astype(np.float32).astype(np.float64)  # nothing that is stored in float32 comes near the cap's side
    assert np.all(waveform.snr_db(clean, stored) > 140)


def test_published_epsilons():
    clean = np.full((1, 200), 1e-4)
    clean[:, ::2] *= -1  # energy 2e-6
    almost = clean.copy()
    almost[:, 0] += 0.999e-6  # error energy just below 1e-12
    assert waveform.snr_db(clean, almost, "published")[0] == 100.0
    almost[:, 0] = clean[:, 0] + 1.001e-6
    by_hand = 10 * math.log10(2e-6 / (1.001e-6**2 + 1e-12))  # 59.997 dB, 3 dB less than the true ratio
    assert waveform.snr_db(clean, almost, "published")[0] == pytest.approx(by_hand, abs=1e-6)
    assert waveform.snr_db(clean, almost)[0] == pytest.approx(by_hand + 3.0103, abs=0.01)
    tiny = 1e-8 * clean / 1e-4  # energy 2e-14: the epsilon is the denominator
    assert waveform.prd_percent(tiny, 0 * tiny, "published")[0] == pytest.approx(100 * math.sqrt(2e-14 / 1.02e-12))
    assert waveform.prd_percent(tiny, 0 * tiny)[0] == pytest.approx(100.0)


def test_the_published_spectra_are_scipys_stft():
    x = surface_emg(1, 2137)[0][0]
    hertz, _, spectrum = signal.stft(x, FS_HZ, np.hanning(512), 512, 384)
    band = (hertz >= 20) & (hertz <= 500)
    np.testing.assert_allclose(published_levels_db(x, FS_HZ), 10 * np.log10(np.abs(spectrum[band]) ** 2 + 1e-10).T)
    hertz, _, spectrum = signal.stft(x, FS_HZ, "boxcar", 200, 0, 1024, boundary="constant")
    band = (hertz >= 20) & (hertz < 500)
    amplitude = np.abs(spectrum[band])
    expected = (amplitude * hertz[band, None]).sum(0) / amplitude.sum(0)
    np.testing.assert_allclose(published_mean_frequencies_hz(x, FS_HZ), expected)


def test_published_lsd_needs_1536_samples():
    for length, is_nan in ((1535, True), (1536, False)):
        lsd = metrics.compute(*surface_emg(2, length), FS_HZ, "published", metrics=["LSD"])["LSD"]
        assert np.array_equal(np.isnan(lsd), [is_nan, is_nan])


def test_published_mean_frequency_of_empty_frames_is_the_median_of_the_others():
    x = np.concatenate([sine(100, 700), np.zeros((1, 1300))], axis=1)
    frames = published_spectra.mean_frequency_hz(x, FS_HZ)[0]
    assert frames.shape == (11,)
    np.testing.assert_allclose(frames[5:], np.median(frames[:4]), rtol=1e-12)


@pytest.mark.parametrize("frequency_hz", [30.0, 74.0, 75.0, 121.3, 260.0, 432.1])
def test_standard_reads_a_sine_at_its_own_frequency(frequency_hz):
    power, frequencies_hz = _standard_power(sine(frequency_hz))
    np.testing.assert_allclose(spectral.mean_frequency_hz(power, frequencies_hz), frequency_hz, atol=0.05)
    np.testing.assert_allclose(spectral.median_frequency_hz(power, frequencies_hz), frequency_hz, atol=0.6)


def _standard_power(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    spectra = metrics.Batch(x, x, x, FS_HZ).spectra
    return spectra.clean, spectra.frequencies_hz


def test_published_reads_74_hz_as_about_100():
    frames = published_spectra.mean_frequency_hz(sine(74.0), FS_HZ)
    assert 95 < frames.mean() < 130  # pitfall 16


def test_lsd_of_known_distances():
    clean = surface_emg(4)[0]
    only = {"metrics": ["LSD"]}
    halved = metrics.compute(clean, clean, clean / 2, FS_HZ, "standard", **only)["LSD"]
    np.testing.assert_allclose(halved, 20 * math.log10(2), rtol=1e-12)
    # Powers of two white noises are exponentially distributed in every bin, and the difference of their
    # logarithms is logistic: its standard deviation is pi / sqrt(3) nepers of power = 7.877 dB.
    random = generator(7, "metrics", "white")
    a, b = 1e-5 * random.standard_normal((2, 300, 2000))
    standard = metrics.compute(a, a, b, FS_HZ, "standard", **only)["LSD"].mean()
    assert standard == pytest.approx(10 / math.log(10) * math.pi / math.sqrt(3), rel=0.02)
    published = metrics.compute(a, a, b, FS_HZ, "published", **only)["LSD"].mean()
    assert published < 0.02  # pitfall 2
    # Ten times the amplitude on top: E (x + 20)^2 = 7.877^2 + 20^2.
    louder = metrics.compute(a, a, 10 * b, FS_HZ, "standard", **only)["LSD"].mean()
    assert louder == pytest.approx(math.hypot(20.0, 7.877), rel=0.01)


def test_lsd_floor_is_80_db_below_the_clean_signals_mean_power():
    clean = generator(7, "metrics", "floor").standard_normal((200, 2000)) * 1e-4
    lsd = metrics.compute(clean, clean, 0 * clean, FS_HZ, "standard", metrics=["LSD"])["LSD"].mean()
    # Level of an exponential variable re its mean: -2.507 dB on average, standard deviation 5.570 dB.
    assert lsd == pytest.approx(math.hypot(80 - 2.507, 5.570), rel=0.002)


def test_kurtosis_is_scipys_and_still_windows_read_zero():
    windows = _windows(surface_emg(3)[0])
    np.testing.assert_allclose(window_features.excess_kurtosis(windows, 0.0), stats.kurtosis(windows, axis=-1))
    clean = surface_emg(1)[0]
    still = clean.copy()
    still[:, :200] = 3e-4  # constant, with rounding in its mean
    got = metrics.compute(clean, clean, still, FS_HZ, "standard", metrics=["RMSE_Kurtosis"])["RMSE_Kurtosis"]
    np.testing.assert_allclose(got, abs(stats.kurtosis(clean[0, :200])) / math.sqrt(10))


def test_zero_crossings_of_a_sine():
    clean, denoised = sine(52.5), sine(102.5)  # phase chosen by half periods: 21 and 41 changes in 200 ms
    rate = metrics.compute(clean, clean, denoised, FS_HZ, "standard", metrics=["RMSE_ZCR"])["RMSE_ZCR"]
    assert rate[0] == pytest.approx(100.0, abs=5.0)


def test_constant_offset_does_not_move_the_standard_spectra():
    clean, noisy, denoised = surface_emg(2)
    keys = ["LSD", "RMSE_MNF", "RMSE_MDF"]
    before = metrics.compute(clean, noisy, denoised, FS_HZ, "standard", metrics=keys)
    after = metrics.compute(clean, noisy, denoised + 1e-3, FS_HZ, "standard", metrics=keys)
    for key in keys:
        np.testing.assert_allclose(after[key], before[key], rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c, x, d: (np.where(np.arange(40)[:, None] == 23, 0.0, c), x, d), "clean segment in row 23 is silent"),
        (lambda c, x, d: (c * 0 + 1e-4, x, d), "clean segment in row 0 has no power between 20 and 500 Hz"),
        (lambda c, x, d: (c, x, np.where(np.arange(40)[:, None] == 31, np.nan, d)), "denoised segment in row 31"),
        (lambda c, x, d: (c, np.where(np.arange(40)[:, None] == 5, np.inf, x), d), "noisy segment in row 5"),
        (lambda c, x, d: (c[:, :199], x[:, :199], d[:, :199]), "199 samples; metrics need 200"),
        (lambda c, x, d: (c, x[:, :-1], d), "one shape"),
        (lambda c, x, d: (c[0], x[0], d[0]), "one shape"),
    ],
)
def test_broken_input_is_named(change, message):
    with pytest.raises(UserError, match=message):
        metrics.compute(*change(*surface_emg(40)), FS_HZ, "standard")


def test_wrong_names_and_rates_are_named():
    signals = surface_emg(1)
    with pytest.raises(UserError, match="did you mean 'published'"):
        metrics.compute(*signals, FS_HZ, "publishd")
    with pytest.raises(UserError, match="defined in samples at 1000 Hz, got fs_hz=2000"):
        metrics.compute(*signals, 2000.0, "published")
    with pytest.raises(UserError, match="100 Hz or more"):
        metrics.compute(*signals, 50.0, "standard")
    with pytest.raises(UserError, match="no metric is called 'rmsee'"):
        metrics.compute(*signals, FS_HZ, "standard", metrics=["rmsee"])
    with pytest.raises(UserError, match="different names"):
        metrics.compute(*signals, FS_HZ, "standard", metrics=["RMSE", "rmse"])
    assert metrics.compute(*(x[:0] for x in signals), FS_HZ, "standard")["PRD"].shape == (0,)


class PeakError:
    """A metric from outside the project."""

    key = "Peak"
    unit = "V"
    better = "lower"

    def score(self, batch: metrics.Batch, profile: metrics.Profile) -> np.ndarray:
        return np.abs(batch.denoised - batch.clean).max(axis=-1)


def test_a_class_of_ones_own_is_a_metric():
    clean, noisy, denoised = surface_emg(3)
    got = metrics.compute(clean, noisy, denoised, FS_HZ, metrics=[f"{__name__}:PeakError", "PRD"])
    np.testing.assert_array_equal(got["Peak"], np.abs(denoised - clean).max(-1))
    assert metrics.select([f"{__name__}:PeakError"])[0].table_scale == 1.0


def test_every_registered_metric_is_described():
    """A file, a YAML, a line of documentation, and, as its test, an independent formula."""
    catalogue = {key: info for profile in get_args(metrics.Profile) for key, info in metrics.catalogue(profile).items()}
    assert len(catalogue) == len(registry.entries("metrics"))
    lines = (registry.project_root() / "docs" / "metrics.md").read_text().splitlines()
    fields = {"key", "display_name", "unit", "better", "table_scale", "decimals", "table_position"}
    for key, info in catalogue.items():
        assert set(info.entry.extra) - {"profiles"} == fields, key
        assert info.entry.summary
        assert key in info.entry.aliases
        assert any(line.startswith(f"| `{key}` |") for line in lines), f"{key}: no row in docs/metrics.md"
    assert catalogue.keys() == FORMULAS.keys()  # compared with the metrics in every profile, here and by `verify`
    rows = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert [key for key in rows if key in ALL][: len(ALL)] == ALL  # the order of the tables


@pytest.mark.parametrize("profile", get_args(metrics.Profile))
def test_a_better_output_scores_better(profile):
    """In the direction that the metric's YAML names."""
    clean, noisy, _ = surface_emg(3)
    active = np.ones(clean.shape, np.bool_)
    outputs = [clean + share * (noisy - clean) for share in (0.0, 0.5, 2.0)]
    scored = [metrics.compute(clean, noisy, e, FS_HZ, profile, active=active) for e in outputs]
    for key, info in metrics.catalogue(profile).items():
        best, middle, worst = (info.goodness(values[key]) for values in scored)
        assert np.all(best > middle), key
        assert np.all(middle > worst), key


def test_worked_examples_in_the_docstrings():
    attempted = 0
    for module in pkgutil.iter_modules(metrics.__path__, "cleansemg.evaluation.metrics."):
        result = doctest.testmod(importlib.import_module(module.name))
        assert result.failed == 0, module.name
        attempted += result.attempted
    assert attempted >= 20


@pytest.mark.realdata
def test_loop_and_batch_agree_on_recordings(real_data):
    file = sorted((real_data / "muscletracker" / "Biopac").glob("*.txt"))[0]
    x = np.loadtxt(file, delimiter=",")[:, 0] * 1e-3
    clean = x[: x.size // 1000 * 1000].reshape(-1, 1000)
    noise = generator(7, "metrics", "recordings").standard_normal(clean.shape) * clean.std(-1, keepdims=True)
    for profile in metrics.PROFILES:
        got = metrics.compute(clean, clean + noise, clean + 0.3 * noise, FS_HZ, profile)
        for row in range(len(clean)):
            signals = (clean[row], clean[row] + noise[row], clean[row] + 0.3 * noise[row])
            expected = recomputed(Segment(*signals, FS_HZ, profile), metrics.catalogue(profile))
            for key in expected:
                np.testing.assert_allclose(got[key][row], expected[key], rtol=1e-8, atol=1e-11, err_msg=key)
