import json

import numpy as np
import pytest

from cleansemg.core.errors import UserError
from cleansemg.formats import ChannelInfo
from cleansemg.quality import assess_signal
from cleansemg.quality.models import load as load_quality
from cleansemg.recordings.report import RecordingMeter, as_json, good_already, quality_model
from cleansemg.recordings.summary_table import HEADINGS, lines_of

FS_HZ = 1000.0
CHANNELS = (ChannelInfo("biceps", "uV", 1e-6), ChannelInfo("raw", "adu", 2e-6, offset=512.0, column=1))


def recording(seconds=12.0, seed=0):
    x = 5e-5 * np.random.default_rng(seed).standard_normal((2, round(seconds * FS_HZ)))
    x[0, 3000:3500] = np.nan
    x[1, 8000:8300] = x[1, 8000]
    return x


def reports_of(x, model, size=1111):
    meter = RecordingMeter(CHANNELS, FS_HZ, model)
    for at in range(0, x.shape[1], size):
        meter.push(x[:, at : at + size])
    return meter.result()


def test_says_what_is_there_in_the_units_of_the_file(quality_weights):
    x = recording()
    biceps, raw = reports_of(x, load_quality(quality_weights))
    assert biceps.unit == "uV"
    assert biceps.rms == pytest.approx(50, rel=0.02)
    assert raw.rms == pytest.approx(25, rel=0.02)
    assert raw.mean == pytest.approx(512, abs=1)
    assert (biceps.gaps.count, biceps.gaps.seconds) == (1, pytest.approx(0.5))
    assert (raw.flat.count, raw.flat.seconds) == (1, pytest.approx(0.3))
    assert biceps.duration_s == 12.0
    assert biceps.median_frequency_hz == pytest.approx(260, abs=15)


def test_prediction_is_that_of_the_quality_network_whatever_the_blocks(quality_weights):
    x = recording()
    model = load_quality(quality_weights)
    for reports in (reports_of(x, model), reports_of(x, model, size=7919)):
        for report, wanted in zip(reports, assess_signal(x, FS_HZ, model), strict=True):
            assert report.snr.median_db == pytest.approx(np.median(wanted.windows.snr_db), abs=1e-4)
            assert report.snr.overall_db == pytest.approx(wanted.snr_db, abs=1e-4)
            assert report.snr.low_db <= report.snr.median_db <= report.snr.high_db
            assert report.kinds == pytest.approx(wanted.kinds, abs=1e-5)


def test_is_json_without_nan_even_of_nothing(quality_weights):
    empty = np.full((2, 3000), np.nan)
    for x, model in (
        (empty, load_quality(quality_weights)),
        (np.zeros((2, 3000)), None),
        (recording()[:, :1000], None),
    ):
        reports = reports_of(x, model)
        for report in reports:
            assert json.loads(json.dumps(as_json(report), allow_nan=False))["predicted_snr"] is None
        assert len(lines_of(reports)) == 3
    assert as_json(reports_of(empty, None)[0])["rms"] is None


def test_the_table_has_a_row_a_channel(quality_weights):
    t = np.arange(12_000) / FS_HZ
    x = recording() + 1e-4 * np.sin(2 * np.pi * 50 * t)
    lines = lines_of(reports_of(x, load_quality(quality_weights)))
    assert [cell.strip() for cell in lines[0].split("  ") if cell.strip()] == list(HEADINGS)
    assert lines[1].startswith("biceps")
    assert "50.00 Hz +" in lines[1]
    assert lines[1].endswith("1, 0.5 s")


def test_less_than_a_second_is_refused():
    meter = RecordingMeter(CHANNELS, FS_HZ, None)
    meter.push(np.zeros((2, 3)))
    with pytest.raises(UserError, match=r"3 samples, 0.003 s at 1000 Hz; at least 1 s"):
        meter.result()


def test_quality_model_absent_is_said_and_broken_is_refused(tmp_path, monkeypatch, caplog):
    from cleansemg.quality import models

    monkeypatch.setattr(models, "PRETRAINED", tmp_path)
    with pytest.raises(UserError, match="holds no weights; this installation of cleansemg is incomplete"):
        quality_model()
    with pytest.raises(UserError, match=r"nothing\.safetensors"):
        quality_model(tmp_path / "nothing.safetensors")


def test_good_recordings_are_told_apart(quality_weights):
    from dataclasses import replace

    reports = reports_of(recording(), load_quality(quality_weights))
    high = replace(reports[0], snr=replace(reports[0].snr, median_db=15.0))
    low = replace(reports[0], snr=replace(reports[0].snr, median_db=14.9))
    assert good_already([high, low, replace(low, snr=None)]) == [high]
