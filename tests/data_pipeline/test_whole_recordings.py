"""Segments cut from whole recordings: decimated, over the recording's peak, with their activity."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal as scipy_signal

from cleansemg.core.artifact import Artifact
from cleansemg.core.errors import ItemError
from cleansemg.core.layout import Layout
from cleansemg.core.settings import PARTS
from cleansemg.core.stage import RunOptions
from cleansemg.data_pipeline import grading, qc, segmentation, subject_split
from cleansemg.data_pipeline.segmentation import SCHEMA, is_active, preprocess
from cleansemg.data_pipeline.settings import Activity, Grade, Segment, Split
from tests.data_pipeline.in_memory import FS_HZ, InMemory, settings_for

STAGES = (qc.run, grading.run, subject_split.run, segmentation.run)
WHOLE = {"cut": "recordings", "resampling": "decimate", "normalise": "recording_peak"}


def cut(tmp_path, segment, reader=InMemory):
    config = settings_for(reader, split=Split(rule="stratified"), n_channels=1)
    config = config.model_copy(update={"segment": segment, "grade": Grade(rule="none")})
    for stage in STAGES:
        stage(config, Layout(tmp_path), RunOptions())
    tables = [Artifact.open(Layout(tmp_path).segments(part), SCHEMA) for part in PARTS]
    found = [t.columns("segment_id", "signal", "active", "label", "window", "start_sample") for t in tables]
    return {name: np.concatenate([table[name] for table in found]) for name in found[0]}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return cut(tmp_path_factory.mktemp("whole"), Segment(**WHOLE))


def recording(subject="S2"):
    reader = InMemory(n_channels=1)
    return reader.read(next(ref for ref in reader.list() if ref.subject == subject))


def test_windows_hold_the_decimated_signal_over_its_peak(whole):
    raw = recording()
    sos = scipy_signal.butter(4, (20, 500), "bandpass", fs=FS_HZ, output="sos")
    expected = scipy_signal.sosfiltfilt(sos, raw.signal[0])[::2]
    expected = expected / np.abs(expected).max()
    ids = whole["segment_id"].tolist()
    n = len(expected) // 2000
    assert n == sum("_S2_" in name for name in ids)
    assert f"memory_S2_E1_T000_C00_W{n - 1:03d}" in ids
    for window in range(n):
        row = ids.index(f"memory_S2_E1_T000_C00_W{window:03d}")
        # scipy's own padding of the filter differs at the two ends of the recording
        inside = slice(200, 1800)
        part = expected[window * 2000 : (window + 1) * 2000]
        np.testing.assert_allclose(whole["signal"][row][inside], part[inside], atol=1e-6)
        np.testing.assert_array_equal(whole["active"][row], raw.label[::2][window * 2000 : (window + 1) * 2000] > 0)
        assert whole["start_sample"][row] == window * 4000
    peaks = [np.abs(whole["signal"][[f"_S{s}_" in name for name in ids]]).max() for s in (1, 2, 3, 4)]
    assert all(0.7 < peak <= 1.0 for peak in peaks)  # the largest sample may lie in the tail that is dropped
    assert set(whole["label"].tolist()) == {0, 1}  # the label that holds most of the window


def test_windows_without_activity_go(tmp_path, whole):
    some = cut(tmp_path, Segment(**WHOLE, activity=Activity(min_fraction=0.5)))
    expected = [name for name, active in zip(whole["segment_id"], whole["active"], strict=True) if active.mean() >= 0.5]
    assert some["segment_id"].tolist() == expected
    assert 0 < len(expected) < len(whole["segment_id"])
    kept = np.isin(whole["segment_id"], expected)
    np.testing.assert_array_equal(some["signal"], whole["signal"][kept])


def test_the_activity_rule():
    rng = np.random.default_rng(0)
    signal = rng.standard_normal(1000)
    active = np.arange(1000) < 100
    rule = Activity()
    assert not is_active(signal, active[::-1] & False, rule)
    assert not is_active(np.where(active, 1.001, 1.0) * signal, np.arange(1000) < 99, rule)  # under 10 %
    louder = np.where(active, 2.0, 1.0) * signal
    assert is_active(louder, active, rule)
    assert not is_active(louder, ~active, rule)  # louder at rest
    assert is_active(0 * signal, np.ones(1000, bool), rule)  # active throughout: no contrast is asked for
    contrast = louder[active].std() - louder[~active].std()
    assert is_active(louder, active, Activity(min_contrast=contrast))
    assert not is_active(louder, active, Activity(min_contrast=np.nextafter(contrast, 2)))


def test_decimation_keeps_samples_and_refuses_broken_ratios():
    x = np.random.default_rng(1).standard_normal(5001)
    segment = Segment(**WHOLE)
    assert len(preprocess(x, 2000.0, segment)) == 2501  # as many as `n_windows` counts with
    np.testing.assert_array_equal(preprocess(x, 1000.0, segment), preprocess(x, 1000.0, Segment()))
    with pytest.raises(ItemError, match="decimate cannot go from 1926 to 1000 Hz; use polyphase"):
        preprocess(x, 1926.0, segment)


def test_rules_on_recordings_need_recordings():
    with pytest.raises(ValueError, match="they need cut: recordings"):
        Segment(normalise="recording_peak")
    with pytest.raises(ValueError, match="they need cut: recordings"):
        Segment(activity=Activity())


class Unlabelled(InMemory):
    name = "unlabelled"

    def spoil(self, recording):
        from dataclasses import replace

        return replace(recording, label=None, repetition=None)


def test_a_recording_without_labels_is_active_throughout(tmp_path):
    table = cut(tmp_path, Segment(**WHOLE), Unlabelled)
    assert table["active"].all()
