"""Stage segment: every kept window once, under an id of its own, with the right samples in it."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from scipy import signal as scipy_signal

from cleansemg.core.artifact import Artifact
from cleansemg.core.errors import ArtifactError, ItemError, UserError
from cleansemg.core.layout import Layout
from cleansemg.core.settings import PARTS
from cleansemg.core.stage import RunOptions
from cleansemg.data_pipeline import grading, qc, segmentation, subject_split
from cleansemg.data_pipeline.grading import SCHEMA as GRADES
from cleansemg.data_pipeline.segment_ids import require_unique, segment_id
from cleansemg.data_pipeline.segmentation import SCHEMA, SegmentRow, cut_subject, preprocess
from cleansemg.data_pipeline.settings import Segment, Split
from cleansemg.data_pipeline.windows import n_windows
from tests.data_pipeline.in_memory import DB2, DB3, FS_HZ, InMemory, files, settings_for

STAGES = (qc.run, grading.run, subject_split.run, segmentation.run)


def run_all(tmp_path, *classes, split=None, workers=1, **parameters):
    settings, layout = settings_for(*classes, split=split, **parameters), Layout(tmp_path)
    reports = [stage(settings, layout, RunOptions(workers=workers)) for stage in STAGES]
    return settings, layout, reports[-1]


def all_segments(layout, *columns):
    tables = [Artifact.open(layout.segments(part), SCHEMA) for part in PARTS]
    tables = [table.columns(*columns) for table in tables if table.manifest.shards]
    return {name: np.concatenate([table[name] for table in tables]) for name in columns}


@pytest.fixture(scope="module")
def three_exercises(tmp_path_factory):
    return run_all(
        tmp_path_factory.mktemp("three"), DB2, split=Split(), exercises=("E1", "E2", "E3"), n_subjects=2, n_channels=3
    )


def test_ids_hold_the_exercise_so_that_all_three_keep_all_segments(three_exercises):
    """Published ids leave the exercise out, and a third of the segments survives."""
    _, layout, report = three_exercises
    table = all_segments(layout, "segment_id", "subject", "exercise")
    # trials 4 + 5, exercises 3, channels 3, windows 2 (5 s give two of 2 s)
    assert len(table["segment_id"]) == len(set(table["segment_id"])) == (4 + 5) * 3 * 3 * 2
    assert np.unique(table["exercise"], return_counts=True)[1].tolist() == [54, 54, 54]
    assert "DB2_S1_E2_T003_C02_W001" in table["segment_id"]
    assert report.lines[2].startswith("test: 162 segments of 2 subjects, DB2 162; ")
    assert report.n_failures == 0


def test_every_kept_trial_channel_gives_all_its_windows_once(three_exercises):
    settings, layout, _ = three_exercises
    grades = Artifact.open(layout.grades, GRADES).load("DB2")
    expected = {
        segment_id(*where, window)
        for *where, start, stop, fs_hz, kept in zip(
            *(grades[n].tolist() for n in ("database", "subject", "exercise", "trial", "channel")),
            *(grades[n].tolist() for n in ("start_sample", "stop_sample", "fs_hz", "kept")),
            strict=True,
        )
        for window in range(n_windows(stop - start, fs_hz, settings.segment) if kept else 0)
    }
    assert set(all_segments(layout, "segment_id")["segment_id"]) == expected


def test_samples_are_those_of_the_trial_filtered_and_resampled(three_exercises):
    """Beside scipy's own calls, on the raw recording."""
    _, layout, _ = three_exercises
    table = all_segments(layout, "signal", *SegmentRow.__dataclass_fields__)
    reader = DB2("DB2", n_subjects=2, exercises=("E1", "E2", "E3"), n_channels=3)
    refs = {(ref.subject, ref.exercise): ref for ref in reader.list()}
    assert table["signal"].dtype == np.float32
    for row in (0, 7, 50, 161):
        recording = reader.read(refs[table["subject"][row], table["exercise"][row]])
        own = recording.label[table["start_sample"][row] :]
        assert own[0] == 1
        trial_start = 4000 + table["trial"][row] * 14_000
        raw = recording.signal[table["channel"][row], trial_start : trial_start + 10_000]
        sos = scipy_signal.butter(4, (20, 500), "bandpass", fs=FS_HZ, output="sos")
        clean = scipy_signal.resample_poly(scipy_signal.sosfiltfilt(sos, raw), 1, 2)
        window = table["window"][row]
        np.testing.assert_allclose(
            table["signal"][row], clean[window * 2000 : (window + 1) * 2000], rtol=1e-5, atol=1e-12
        )
        assert table["start_sample"][row] == trial_start + window * 4000
        assert table["channel_name"][row] == recording.channels[table["channel"][row]]
    assert set(table["grade"]) == {"A"}
    assert set(table["fs_native_hz"]) == {FS_HZ}


@pytest.mark.parametrize(
    ("fs_hz", "n", "expected"), [(1111.0, 5555, 5000), (1926.0, 9630, 5000), (2000.0, 9999, 5000), (1000.0, 4000, 4000)]
)
def test_lengths_at_the_rates_of_the_databases(fs_hz, n, expected):
    x = np.random.default_rng(0).standard_normal(n) * 1e-5
    assert len(preprocess(x, fs_hz, Segment())) == expected
    assert n_windows(n, fs_hz, Segment()) == expected // 2000


def test_a_low_rate_keeps_its_upper_edge_below_nyquist():
    """At 1000 Hz the edge of 500 Hz is Nyquist itself: 495 Hz is used, and 300 Hz passes untouched."""
    tone = np.sin(2 * np.pi * 300 * np.arange(8000) / 1000)
    passed = preprocess(tone, 1000.0, Segment())[2000:6000]
    np.testing.assert_allclose(passed, tone[2000:6000], atol=2e-3)
    slow = preprocess(np.sin(2 * np.pi * 5 * np.arange(8000) / 1000), 1000.0, Segment())[2000:6000]
    assert np.abs(slow).max() < 1e-3


def test_resumed_after_a_kill_between_shards_gives_the_same_bytes(tmp_path):
    settings, layout, _ = run_all(tmp_path, DB2)
    before = files(tmp_path)
    for part in PARTS:
        (layout.segments(part) / "manifest.json").unlink()
    shard = next(layout.segments("train").glob("*.npz"))
    shard.write_bytes(shard.read_bytes()[:1000])  # cut short by a full disk
    segmentation.run(settings, layout, RunOptions())
    assert files(tmp_path) == before


def test_two_workers_give_the_same_bytes(tmp_path):
    run_all(tmp_path / "one", DB2, n_subjects=5)
    run_all(tmp_path / "two", DB2, n_subjects=5, workers=2)
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_another_data_set_changes_no_segment(tmp_path):
    _, alone, _ = run_all(tmp_path / "alone", DB2)
    _, both, _ = run_all(tmp_path / "both", DB3, DB2)
    for part in PARTS:
        left, right = (Artifact.open(layout.segments(part), SCHEMA) for layout in (alone, both))
        for shard, arrays in left:
            other = right.load(shard.name)
            for column in arrays:
                np.testing.assert_array_equal(arrays[column], other[column])


class Gone(InMemory):
    """Readable at quality control only."""

    name = "gone"
    broken = False

    def read(self, ref):
        if type(self).broken and ref.subject == "S2":
            raise ItemError("no such file")
        return super().read(ref)


def test_a_recording_that_fails_now_is_recorded_and_the_rest_kept(tmp_path, monkeypatch):
    settings, layout = settings_for(Gone), Layout(tmp_path)
    for stage in STAGES[:3]:
        stage(settings, layout, RunOptions())
    monkeypatch.setattr(Gone, "broken", True)
    report = segmentation.run(settings, layout, RunOptions())
    failures = [row for part in PARTS for row in csv.reader((layout.segments(part) / "failures.csv").open())]
    assert ["gone/S2/E1.mat", "no such file"] in failures
    assert report.n_failures == 1
    assert set(all_segments(layout, "subject")["subject"]) == {"S1", "S3", "S4"}


def test_recordings_that_changed_since_quality_control_are_refused(tmp_path):
    _, layout, _ = run_all(tmp_path, DB2)
    with pytest.raises(ArtifactError, match=r"'S1/E1\.mat' \(4 in all\) is new, gone or altered"):
        segmentation.run(settings_for(DB2, salt=1), layout, RunOptions())


class PartlyZero(InMemory):
    name = "partly_zero"

    def spoil(self, recording):
        recording.signal[0, :] *= np.arange(recording.signal.shape[1]) < 0
        return recording


def test_an_all_zero_segment_is_a_failure():
    reader = PartlyZero("partly_zero", n_subjects=1, n_trials=1)
    kept = [
        segmentation.AcceptedTrials(
            "partly_zero", "S1", "E1", 0, channel, f"ch{channel}", 1, 1, 4000, 14_000, FS_HZ, "S1/E1.mat", "A"
        )
        for channel in (0, 1)
    ]
    made = cut_subject(segmentation.SubjectJob(reader, tuple(reader.list()), tuple(kept), Segment()))
    assert made.arrays["channel"].tolist() == [1, 1]
    assert [(f.item, f.cause) for f in made.failures] == [
        ("partly_zero_S1_E1_T000_C00_W000", "every sample is 0"),
        ("partly_zero_S1_E1_T000_C00_W001", "every sample is 0"),
    ]


def test_a_recording_that_reads_shorter_now_is_a_failure():
    reader = DB2("DB2", n_subjects=1, n_trials=1)
    kept = segmentation.AcceptedTrials("DB2", "S1", "E1", 0, 0, "ch0", 1, 1, 4000, 10**6, FS_HZ, "S1/E1.mat", "A")
    made = cut_subject(segmentation.SubjectJob(reader, tuple(reader.list()), (kept,), Segment()))
    assert made.arrays["signal"].shape == (0, 2000)
    assert "do not hold channel 0, samples 4000 to 1000000" in made.failures[0].cause


class Clash(InMemory):
    """Subject S1 with exercise E1_E2, and subject S1_E1 with exercise E2, read the same in an id."""

    name = "clash"

    def list(self):
        refs = super().list()
        first, second = refs[0], refs[1]
        return [
            type(first)("clash", "S1", "E1_E2", "a.mat", "a"),
            type(first)("clash", "S1_E1", "E2", "b.mat", "b"),
            *(type(second)("clash", ref.subject, "E1", ref.key, ref.fingerprint) for ref in refs[1:]),
        ]

    def read(self, ref):
        plain = type(ref)(
            ref.database, "S1" if ref.subject.startswith("S1") else ref.subject, ref.exercise, ref.key, ""
        )
        return super().read(plain)


def test_ids_that_read_the_same_are_an_error(tmp_path):
    settings, layout = settings_for(Clash), Layout(tmp_path)
    for stage in STAGES[:3]:
        stage(settings, layout, RunOptions())
    with pytest.raises(UserError, match="segment id clash_S1_E1_E2_T000_C00_W000 is not unique"):
        segmentation.run(settings, layout, RunOptions())


def test_unique_ids_pass():
    require_unique(["a", "b"])
    with pytest.raises(UserError, match="segment id b is not unique"):
        require_unique(["b", "a", "b"])
