"""The metrics of the ECG-removal and TrustEMG profiles against plain loops and scipy's own STFT."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal, stats

from cleansemg.core.errors import UserError
from cleansemg.core.seeding import generator
from cleansemg.evaluation import metrics
from cleansemg.evaluation.metrics import protocol_features
from cleansemg.evaluation.metrics.protocol_features import FRAMES, mean_frequency_hz
from cleansemg.evaluation.verification.independent_metrics import Segment, frame_mean_frequencies_hz, recomputed

FS_HZ = 1000.0
KEYS = ["SNRimp", "RMSE", "PRD", "RMSE_ARV", "RMSE_MNF", "KR", "R2", "CC"]


def signals(n: int, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Clean, noisy, denoised and where it is active, [n, length] each; in units of a peak."""
    random = generator(7, "protocol metrics", n, length)
    white = random.standard_normal((n, length + 6))
    clean = 0.1 * (white[:, 6:] - 0.7 * white[:, :-6])
    noise = 0.1 * random.standard_normal((n, length))
    active = (np.arange(length) // 700) % 2 == np.arange(n)[:, None] % 2
    return clean, clean + noise, 0.7 * clean + 0.4 * noise, active


def test_mean_frequency_of_ecg_paper_is_the_plain_loop():
    """Frames as librosa cuts them with center=True and zeros outside: a Hamming window of 128 in 256."""
    clean, *_ = signals(2, 1003)
    got = mean_frequency_hz(clean, FS_HZ, FRAMES["ecg_paper"])
    for row in range(2):
        np.testing.assert_allclose(got[row], frame_mean_frequencies_hz(clean[row], FS_HZ, "ecg_paper"), rtol=1e-9)


def test_mean_frequency_of_trustemg_is_scipys_stft():
    clean, *_ = signals(3, 2000)
    got = mean_frequency_hz(clean, FS_HZ, FRAMES["trustemg"])
    hertz, _, spectrum = signal.stft(clean, FS_HZ, "boxcar", 200, 0, 1024, boundary="constant")
    amplitude = np.abs(spectrum)[:, hertz >= 10]
    expected = (amplitude * hertz[hertz >= 10, None]).sum(1) / amplitude.sum(1)
    np.testing.assert_allclose(got, expected[:, :10], rtol=1e-9)  # the eleventh frame has no label of its own


@pytest.mark.parametrize("profile", metrics.PROTOCOL_PROFILES)
@pytest.mark.parametrize("length", [1003, 2000])
def test_every_metric_equals_the_independent_loop(profile, length):
    clean, noisy, denoised, active = signals(4, length)
    denoised[1, :300] = 0.0  # frames without any amplitude
    got = metrics.compute(clean, noisy, denoised, FS_HZ, profile, active=active)
    assert list(got) == KEYS
    for row in range(4):
        segment = Segment(clean[row], noisy[row], denoised[row], FS_HZ, profile, active[row])
        for key, value in recomputed(segment, KEYS).items():
            np.testing.assert_allclose(got[key][row], value, rtol=1e-9, err_msg=f"{key} {row}")


def test_the_independent_loop_reads_what_scipy_reads():
    c, x, e, active = (rows[0] for rows in signals(1, 2000))
    segment = Segment(c, x, e, FS_HZ, "ecg_paper", active)
    ratios = [np.subtract(*np.quantile(s, [0.975, 0.025])) / stats.iqr(s) for s in (c, e)]
    expected = {"CC": stats.pearsonr(c, e).statistic, "KR": abs(ratios[0] - ratios[1])}
    for key, value in expected.items():
        assert recomputed(segment, [key])[key] == pytest.approx(value, rel=1e-9)


def test_only_active_frames_count():
    """A tone in place of the signal where the subject rests changes nothing, where it contracts it does."""
    clean, noisy, _, _ = signals(1, 2000)
    active = np.zeros((1, 2000), np.bool_)
    active[:, :1000] = True
    spoilt = clean.copy()
    spoilt[:, 1100:] = np.sin(2 * np.pi * 40 * np.arange(900) / FS_HZ)
    for profile in metrics.PROTOCOL_PROFILES:
        here = metrics.compute(clean, noisy, spoilt, FS_HZ, profile, active=active)["RMSE_MNF"]
        there = metrics.compute(clean, noisy, spoilt, FS_HZ, profile, active=~active)["RMSE_MNF"]
        assert here == 0.0
        assert there > 50


def test_zero_output_has_finite_values_and_a_segment_at_rest_has_no_mean_frequency():
    clean, noisy, _, active = signals(2, 2000)
    for profile in metrics.PROTOCOL_PROFILES:
        got = metrics.compute(clean, noisy, np.zeros_like(clean), FS_HZ, profile, active=active)
        assert np.isfinite(got["RMSE_MNF"]).all()
        assert got["CC"].tolist() == [0.0, 0.0]
        assert np.isnan(got["KR"]).all()  # no spread, no ratio
        at_rest = metrics.compute(clean, noisy, noisy, FS_HZ, profile, active=np.zeros_like(active))
        assert np.isnan(at_rest["RMSE_MNF"]).all()


def test_what_is_refused():
    clean, noisy, denoised, active = signals(1, 2000)
    with pytest.raises(UserError, match=r"make it with segment\.cut: recordings"):
        metrics.compute(clean, noisy, denoised, FS_HZ, "ecg_paper")
    with pytest.raises(UserError, match=r"segments have 900 samples; profile 'ecg_paper' needs 1000"):
        metrics.compute(clean[:, :900], noisy[:, :900], denoised[:, :900], FS_HZ, "ecg_paper", active=active[:, :900])
    with pytest.raises(UserError, match="profile 'trustemg' is defined in samples at 1000 Hz"):
        metrics.compute(clean, noisy, denoised, 2000.0, "trustemg", active=active)


def test_the_general_profiles_do_not_have_them():
    assert not {"KR", "R2", "CC"} & set(metrics.catalogue())
    assert list(metrics.catalogue("trustemg")) == list(metrics.catalogue("ecg_paper")) == KEYS


@settings(max_examples=20, deadline=None)
@given(st.floats(1e-6, 1e6))
def test_frequencies_and_ratios_are_free_of_the_unit(scale):
    clean, _, denoised, _ = signals(1, 1000)
    frames = FRAMES["ecg_paper"]
    np.testing.assert_allclose(
        mean_frequency_hz(clean * scale, FS_HZ, frames), mean_frequency_hz(clean, FS_HZ, frames), rtol=1e-9
    )
    same = protocol_features.quantile_kurtosis(clean)
    np.testing.assert_allclose(protocol_features.quantile_kurtosis(scale * clean), same, rtol=1e-6, atol=1e-9)
    again = protocol_features.correlation(scale * clean, denoised)
    np.testing.assert_allclose(again, protocol_features.correlation(clean, denoised), rtol=1e-9)
