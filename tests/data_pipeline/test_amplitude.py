"""Clipping, envelopes, and amplitudes that cannot be: what the quality control says of a signal's amplitudes."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from scipy import signal as scipy_signal

from cleansemg.core import dsp
from cleansemg.core.artifact import Artifact
from cleansemg.core.layout import Layout
from cleansemg.core.stage import RunOptions
from cleansemg.data_pipeline import grading, qc
from cleansemg.data_pipeline.amplitude import clipping, envelope_cause
from cleansemg.data_pipeline.grading import SCHEMA as GRADES
from cleansemg.data_pipeline.qc import SCHEMA
from cleansemg.data_pipeline.recording import Recording
from cleansemg.data_pipeline.settings import Qc
from cleansemg.data_pipeline.trial_measures import measure_trial
from tests.data_pipeline.in_memory import FS_HZ, InMemory, settings_for


def emg(n=20_000, fs_hz=FS_HZ, seed=0):
    return dsp.band_pass(np.random.default_rng(seed).standard_normal(n), 20, min(450.0, 0.45 * fs_hz), fs_hz)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.28])
@pytest.mark.parametrize("sides", [1, 2])
def test_the_share_at_the_rail_is_what_was_cut_off(share, sides):
    x = emg()
    high = np.quantile(x, 1 - share / sides)
    low = np.quantile(x, share / 2) if sides == 2 else -np.inf
    cut = np.clip(x, low, high)
    measured, stay_s = clipping(cut[None], FS_HZ)
    assert measured[0] == pytest.approx(np.mean((x >= high) | (x <= low)), abs=1e-4)
    longest = max(len(run) for run in "".join("x" if at else " " for at in x >= high).split())
    assert stay_s[0] >= longest / FS_HZ


@pytest.mark.parametrize("levels", [3, 7, 40, 1000])
def test_a_signal_of_few_steps_is_not_clipped(levels):
    """Integer codes have several samples at their extremes; a rail has more than the code next to it."""
    x = np.round(emg() / emg().std() * levels / 3)
    assert clipping(x[None], FS_HZ)[0][0] == 0
    if levels >= 40:
        assert clipping(np.clip(x, -np.inf, x.max() // 2)[None], FS_HZ)[0][0] > 0


def test_no_unit_matters():
    x = np.clip(emg(), -0.5, 0.5)
    one, two = clipping(x[None], FS_HZ), clipping(1e-6 * x[None], FS_HZ)
    assert one[0] == two[0] > 0
    assert one[1] == two[1]


class Clipped(InMemory):
    """Subject S2's converter is too small: 28 % of the samples of ch0 at its rails."""

    name = "clipped"

    def spoil(self, recording):
        if recording.subject == "S2":
            active = recording.signal[0, recording.label > 0]
            recording.signal[0] = np.clip(recording.signal[0], *np.quantile(active, [0.14, 0.86]))
        return recording


def test_a_clipped_channel_is_no_reference(tmp_path):
    layout, settings = Layout(tmp_path), settings_for(Clipped)
    qc.run(settings, layout, RunOptions())
    grading.run(settings, layout, RunOptions())
    table = Artifact.open(layout.grades, GRADES).columns("subject", "channel", "kept", "rule", "snr_db")
    at = (table["subject"] == "S2") & (table["channel"] == 0)
    assert (table["snr_db"][at] > 18).all()  # grade A by its SNR
    assert set(table["rule"][at]) == {"clipping"}
    assert table["kept"][~at].all()
    reasons = {row["reason"] for row in csv.DictReader((layout.grades / "grades.csv").open()) if row["reason"]}
    assert all(reason.startswith("clipping 0.2") for reason in reasons)


@pytest.mark.parametrize("fs_hz", [1000.0, 2000.0, 20_000.0])
def test_spectral_measures_mean_the_same_at_every_rate(fs_hz):
    """A drift of a tenth of the power at 8 Hz: 1024 samples at 20 kHz cannot tell it from the EMG beside it."""
    n = round(8 * fs_hz)
    x = emg(n, fs_hz)
    drift = np.sqrt(0.2) * x.std() * np.sin(2 * np.pi * 8 * np.arange(n) / fs_hz)
    smr_db = measure_trial((x + drift)[None], fs_hz, Qc())[0, 0]
    f_hz, power = scipy_signal.welch(x + drift, fs_hz, nperseg=round(2 * fs_hz))
    expected = 10 * np.log10(power.sum() / power[f_hz <= 20].sum())
    assert smr_db == pytest.approx(expected, abs=1.0)


def test_at_2000_hz_the_window_is_the_published_one():
    x = emg()[None]
    np.testing.assert_array_equal(measure_trial(x, 2000.0, Qc()), measure_trial(x, 2000.0, Qc(welch_s=None)))
    assert (measure_trial(x, 1000.0, Qc()) != measure_trial(x, 1000.0, Qc(welch_s=None)))[0].all()


def envelope(fs_hz, seconds=60):
    """Rectified and smoothed EMG with a burst every four seconds, as an amplifier gives it."""
    n = round(seconds * 2000)
    strength = np.where(np.arange(n) / 2000 % 4 < 1.5, 1.0, 0.03)
    sos = scipy_signal.butter(2, 5, fs=2000, output="sos")
    smooth = np.maximum(scipy_signal.sosfilt(sos, np.abs(emg(n) * strength)), 0)
    return smooth[:: round(2000 / fs_hz)]


@pytest.mark.parametrize("fs_hz", [100.0, 1000.0])
def test_an_envelope_is_recognised(fs_hz):
    x = np.stack([envelope(fs_hz), 0.5 * envelope(fs_hz)])
    cause = envelope_cause(x, fs_hz)
    assert cause == (
        f"is an envelope at {fs_hz:g} Hz, not raw EMG: no noise can be mixed into it, and nothing can be denoised"
    )
    x[0, 5] = np.nan
    assert envelope_cause(x, fs_hz) == cause


@pytest.mark.parametrize("fs_hz", [200.0, 1000.0])
def test_emg_is_no_envelope(fs_hz):
    x = emg(20_000, fs_hz)
    codes = np.round(128 + 20 * x / x.std()).clip(0, 255)  # a converter's codes, their middle not subtracted
    for signal in (x, codes, np.abs(x) if fs_hz > 250 else x):
        assert envelope_cause(np.stack([signal, signal]), fs_hz) is None
    assert envelope_cause(np.stack([envelope(1000.0)[:20_000], x[:20_000]]), fs_hz) is None  # one channel of two
    assert envelope_cause(np.empty((0, 5)), fs_hz) is None


class Envelopes(InMemory):
    name = "envelopes"

    def spoil(self, recording):
        x = envelope(100.0)
        return Recording(
            recording.database, recording.subject, recording.exercise, np.stack([x, x]), 100.0, recording.channels,
            np.arange(len(x)) // 200 % 2, np.ones(len(x), np.int64),
        )  # fmt: skip


def test_a_data_set_of_envelopes_is_said_in_one_line(tmp_path):
    report = qc.run(settings_for(Envelopes), Layout(tmp_path), RunOptions())
    assert report.n_failures == 4
    (line,) = [line for line in report.lines if "are no EMG" in line]
    assert line.startswith(
        "envelopes: 4 recordings are no EMG (envelopes/S1/E1.mat is an envelope at 100 Hz, not raw EMG"
    )


class InMillivolts(InMemory):
    name = "millivolts"

    def spoil(self, recording):
        recording.signal[:] = self.factor * recording.signal
        return recording


@pytest.mark.parametrize(("factor", "questioned"), [(1.0, False), (1e3, True), (1e-3, True)])
def test_amplitudes_that_surface_emg_cannot_have_are_questioned(tmp_path, monkeypatch, factor, questioned):
    monkeypatch.setattr(InMillivolts, "factor", factor, raising=False)
    report = qc.run(settings_for(InMillivolts), Layout(tmp_path), RunOptions())
    lines = [line for line in report.lines if "QUESTIONABLE" in line]
    assert len(lines) == questioned
    if questioned:
        assert lines[0].startswith("millivolts: QUESTIONABLE AMPLITUDE: 32 of 32 trial-channels")
        assert lines[0].endswith("is the unit right? datasets.millivolts.parameters.unit")
    table = Artifact.open(Layout(tmp_path).preprocessed("millivolts"), SCHEMA).columns("rms_v")
    np.testing.assert_allclose(table["rms_v"], 5e-5 * factor * 0.6, rtol=0.1)  # 360 of 1000 Hz of white noise
