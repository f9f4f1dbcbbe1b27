"""Stage qc: rows, failures, both rules for the SNR, resuming, and the same bytes however it is run."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest

from cleansemg.core.artifact import Artifact
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.core.stage import RunOptions
from cleansemg.data_pipeline import qc
from cleansemg.data_pipeline.qc import SCHEMA, subject_shard
from cleansemg.data_pipeline.recording import Recording
from cleansemg.data_pipeline.settings import Dataset, Qc
from cleansemg.data_pipeline.trial_measures import QcRow, SubjectJob, measure_subject, measure_trial
from cleansemg.settings import Settings
from tests.data_pipeline.in_memory import DB2, DB3, FS_HZ, InMemory, Spoilt, files, settings_for


def table_of(layout, database):
    return Artifact.open(layout.preprocessed(database), SCHEMA).columns(*QcRow.__dataclass_fields__)


def job_for(reader, subject="S1"):
    return SubjectJob(reader, tuple(ref for ref in reader.list() if ref.subject == subject), Qc())


class Unlabelled(InMemory):
    name = "unlabelled"

    def spoil(self, recording):
        return Recording(
            recording.database, recording.subject, recording.exercise, recording.signal + 1e-3, FS_HZ, recording.channels,
            trial_label=7, trial_repetition=2,
        )  # fmt: skip


class Silent(InMemory):
    name = "silent"

    def spoil(self, recording):
        recording.signal[:, recording.label == 0] = 0.0
        return recording


def test_one_row_a_trial_and_channel_with_where_it_came_from(tmp_path):
    layout = Layout(tmp_path)
    report = qc.run(settings_for(DB2, exercises=("E1", "E2")), layout, RunOptions())
    table = table_of(layout, "DB2")
    # S1 has 4 trials a recording, S2 5, S3 3, S4 4; two exercises of two channels each
    assert len(table["trial"]) == (4 + 5 + 3 + 4) * 2 * 2
    keys = list(zip(*(table[n].tolist() for n in ("subject", "exercise", "trial", "channel")), strict=True))
    assert len(set(keys)) == len(keys)
    assert table["start_sample"][:4].tolist() == [4000, 4000, 18000, 18000]
    assert table["stop_sample"][:4].tolist() == [14000, 14000, 28000, 28000]
    assert table["repetition"][:4].tolist() == [1, 1, 2, 2]
    assert table["key"][0] == "S1/E1.mat"
    assert set(table["snr_rule"]) == {"rest"}
    np.testing.assert_allclose(table["snr_db"], 20 * math.log10(50), atol=0.5)  # 5e-5 V against 1e-6 V
    assert (table["smr_db"] > 12).all()
    assert report.n_failures == 0
    assert report.lines[0].startswith("DB2: 64 trial-channels of 8 recordings, 4 subjects")


def test_the_index_says_the_same_in_readable_numbers(tmp_path):
    layout = Layout(tmp_path)
    qc.run(settings_for(DB2), layout, RunOptions())
    rows = list(csv.DictReader((layout.preprocessed("DB2") / "logs" / "qc_index.csv").open()))
    table = table_of(layout, "DB2")
    assert [row["subject"] for row in rows] == table["subject"].tolist()
    np.testing.assert_allclose([float(row["smr_db"]) for row in rows], table["smr_db"], rtol=1e-5)
    assert len(rows[0]["ohm"]) <= 8


def test_what_cannot_be_measured_is_a_failure_and_a_short_trial_is_a_row_without_measures(tmp_path):
    layout = Layout(tmp_path)
    report = qc.run(settings_for(Spoilt, n_subjects=3), layout, RunOptions())
    rows = list(csv.reader((layout.preprocessed("spoilt") / "failures.csv").open()))[1:]
    assert [tuple(row) for row in rows] == [
        ("spoilt/S1/E1/ch0", "1 samples at rest are not finite and were left out of the noise floor"),
        ("spoilt/S1/E1/T000/ch0", "1 of 10000 samples are not finite"),
        ("spoilt/S1/E1/T001/ch1", "constant at 3e-06 V"),
        ("spoilt/S2/E1.mat", "truncated after 12 bytes"),
    ]
    assert report.n_failures == 4
    table = table_of(layout, "spoilt")
    own = table["subject"] == "S1"
    pairs = set(zip(table["trial"][own].tolist(), table["channel"][own].tolist(), strict=True))
    assert (0, 0) not in pairs
    assert (1, 1) not in pairs
    assert {(0, 1), (1, 0), (2, 0), (2, 1), (3, 0)} <= pairs
    short = own & (table["trial"] == 2)
    assert np.isnan(table["smr_db"][short]).all()
    assert np.isnan(table["hampel"][short]).all()
    assert np.isfinite(table["snr_db"][own]).all()


def test_silent_rest_gives_an_infinite_snr_that_survives(tmp_path):
    layout = Layout(tmp_path)
    qc.run(settings_for(Silent), layout, RunOptions())
    assert np.isposinf(table_of(layout, "silent")["snr_db"]).all()
    rows = csv.DictReader((layout.preprocessed("silent") / "logs" / "qc_index.csv").open())
    assert {row["snr_db"] for row in rows} == {"inf"}


def test_without_labels_the_floor_comes_from_the_quietest_windows(tmp_path):
    layout = Layout(tmp_path)
    qc.run(settings_for(Unlabelled), layout, RunOptions())
    table = table_of(layout, "unlabelled")
    assert set(table["snr_rule"]) == {"quiet"}
    assert set(table["label"].tolist()) == {7}
    # 360 of 1000 Hz of white noise of 1e-6 V, less some for taking the quietest; the offset of 1 mV is no noise
    np.testing.assert_allclose(table["rest_rms"], 0.95 * 0.6e-6, rtol=0.1)
    assert (table["snr_db"] > 20).all()


class Idle(InMemory):
    """E1 and E2 are wholly one contraction of ch0 and ch1, and the other channel is idle meanwhile."""

    name = "idle"

    def spoil(self, recording):
        rng = np.random.default_rng(len(recording.subject))
        working = int(recording.exercise[1:]) - 1
        signal = rng.standard_normal((2, 20_000)) * np.where(np.arange(2) == working, 1e-4, 1e-6)[:, None]
        return Recording(
            recording.database, recording.subject, recording.exercise, signal, FS_HZ, ("ch0", "ch1"),
            trial_label=1 + working, idle_channels=frozenset({f"ch{1 - working}"}),
        )  # fmt: skip


def test_idle_channels_have_no_trial_and_give_the_floor():
    made = measure_subject(job_for(Idle("idle", exercises=("E1", "E2"))))
    assert list(zip(made.arrays["exercise"], made.arrays["channel_name"], strict=True)) == [
        ("E1", "ch0"),
        ("E2", "ch1"),
    ]
    np.testing.assert_allclose(made.arrays["snr_db"], 40, atol=1.0)
    assert not made.failures


@pytest.mark.parametrize("cls", [DB2, Unlabelled])
@pytest.mark.parametrize("power", [-6, -3, 3, 6])
def test_no_unit_matters_over_12_decades(cls, power):
    class Scaled(cls):
        def spoil(self, recording):
            plain = super().spoil(recording)
            return Recording(**{**plain.__dict__, "signal": plain.signal * 10.0**power})

    parameters = {"n_trials": 1, "n_subjects": 1}
    plain, scaled = (measure_subject(job_for(c(c.name, **parameters))).arrays for c in (cls, Scaled))
    for measure in ("smr_db", "shr_db", "ohm", "hampel", "snr_db"):
        np.testing.assert_allclose(scaled[measure], plain[measure], rtol=1e-8, err_msg=measure)
    np.testing.assert_allclose(scaled["rest_rms"], plain["rest_rms"] * 10.0**power, rtol=1e-9)


def test_a_trial_without_measurable_channels_measures_nothing():
    assert measure_trial(np.empty((0, 5000)), FS_HZ, Qc()).shape == (4, 0)
    assert np.isnan(measure_trial(np.ones((2, 127)), FS_HZ, Qc())).all()


def test_resumed_after_a_kill_between_shards_gives_the_same_bytes(tmp_path, monkeypatch):
    settings = settings_for(DB2)
    whole, killed = Layout(tmp_path / "whole"), Layout(tmp_path / "killed")
    qc.run(settings, whole, RunOptions())
    qc.run(settings, killed, RunOptions())
    folder = killed.preprocessed("DB2")
    (folder / "manifest.json").unlink()
    (folder / "s3.npz").unlink()
    (folder / "logs" / "qc_index.csv").unlink()
    measured = []
    monkeypatch.setattr(qc, "measure_subject", lambda job: measured.append(job.refs[0].subject) or measure_subject(job))
    qc.run(settings, killed, RunOptions())
    assert measured == ["S3"]
    assert files(killed.root) == files(whole.root)


def test_two_workers_give_the_same_bytes(tmp_path):
    one, two = Layout(tmp_path / "one"), Layout(tmp_path / "two")
    qc.run(settings_for(DB2), one, RunOptions(workers=1))
    qc.run(settings_for(DB2), two, RunOptions(workers=2))
    assert files(one.root) == files(two.root)


def test_another_data_set_changes_nothing(tmp_path):
    alone, both = Layout(tmp_path / "alone"), Layout(tmp_path / "both")
    qc.run(settings_for(DB2), alone, RunOptions())
    qc.run(settings_for(DB3, DB2), both, RunOptions())
    assert files(alone.preprocessed("DB2")) == files(both.preprocessed("DB2"))


def test_changed_recordings_are_refused_until_forced(tmp_path):
    layout = Layout(tmp_path)
    qc.run(settings_for(DB2), layout, RunOptions())
    with pytest.raises(UserError, match="--force"):
        qc.run(settings_for(DB2, salt=1), layout, RunOptions())
    qc.run(settings_for(DB2, salt=1), layout, RunOptions(force=True))


def test_nothing_enabled_is_an_error(tmp_path):
    with pytest.raises(UserError, match="none is enabled"):
        qc.run(Settings(datasets={"simulated": Dataset(enabled=False)}), Layout(tmp_path), RunOptions())


def test_two_recordings_of_one_name_are_an_error(tmp_path):
    with pytest.raises(UserError, match="share subject, exercise"):
        qc.run(settings_for(DB2, exercises=("E1", "E1")), Layout(tmp_path), RunOptions())


@pytest.mark.parametrize(("subject", "shard"), [("S01", "s01"), ("ID6", "id6"), ("a-b", "a-b")])
def test_plain_names_are_shard_names(subject, shard):
    assert subject_shard(subject) == shard


@pytest.mark.parametrize("subject", ["ID 1", "../x", "a/b", "\u00e9", "", "con:1"])
def test_other_names_are_made_safe_for_files(subject):
    assert set(subject_shard(subject)) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")
    assert subject_shard(subject)


def test_shard_names_of_similar_subjects_differ():
    names = [subject_shard(subject) for subject in ("a/b", "a b", "a_b", "a.b", "_a_b", "a__b")]
    assert len(set(names)) == len(names)


@pytest.mark.realdata
def test_real_recordings_pass_as_often_as_an_independent_welch_says(real_data):
    """Measured once with scipy.signal.welch, column by column, a file a trial: 310 of MuscleTracker's 890."""
    passed = []
    for path in sorted((real_data / "muscletracker" / "Biopac").glob("*.txt")):
        signal = np.loadtxt(path, delimiter=",", usecols=(0, 1)).T * 1e-3
        smr_db, shr_db, ohm, _ = measure_trial(np.ascontiguousarray(signal), 1000.0, Qc(welch_s=None))
        passed += ((smr_db > 12) & (shr_db > 15) & (ohm < 1.4)).tolist()
    assert len(passed) == 890
    assert sum(passed) == pytest.approx(310, abs=2)
