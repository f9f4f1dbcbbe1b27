import numpy as np
import pytest

from cleansemg.app import figures, tables
from cleansemg.app.figures import Side, View
from cleansemg.app.samples import Samples
from cleansemg.formats import ChannelInfo
from cleansemg.recordings import RecordingMeter
from tests.cleansemg.app_server import FS_HZ, like_emg

MILLIVOLTS = ChannelInfo("arm", "mV", 1e-3)


def side(folder, volts, channel):
    samples = Samples(folder, 1, FS_HZ)
    samples.append(volts[None])
    meter = RecordingMeter([channel], FS_HZ, None)
    meter.push(volts[None])
    return Side(samples, 0, meter.result()[0])


@pytest.fixture
def view_of(tmp_path):
    def make(before, after=None, channel=MILLIVOLTS, overlaid=False):
        done = None if after is None else side(tmp_path / "after", after, channel)
        return View(
            side(tmp_path / "before", before, channel), done, channel.volts_per_unit, channel.offset, overlaid, "k"
        )

    return make


@pytest.mark.parametrize(
    ("channel", "scale"),
    [(ChannelInfo("arm", "mV", 1e-3), 1e3), (ChannelInfo("arm", "adu", 1e-6, offset=2048.0), 1e6)],
)
def test_curves_are_in_the_files_unit_less_their_mean(view_of, channel, scale):
    x = like_emg(1, seconds=2)[0]  # 2000 samples: each is drawn
    figure = figures.time_plots(view_of(x, channel=channel))
    np.testing.assert_allclose(figure.data[0].y, scale * (x - x.mean()), atol=2e-6 * scale * np.abs(x).max())
    np.testing.assert_allclose(figure.data[0].x, np.arange(2000) / FS_HZ)


def test_before_and_after_share_their_scales(view_of):
    x = like_emg(1, seconds=4)[0]
    figure = figures.time_plots(view_of(x, 0.1 * x))
    assert figure.layout.yaxis.range == figure.layout.yaxis2.range
    assert [trace.zmax for trace in figure.data[2:]] == [figure.data[2].zmax] * 2
    # a tenth of the amplitude is 20 dB less
    louder, softer = (np.asarray(trace.z, np.float64) for trace in figure.data[2:])
    np.testing.assert_allclose(louder - softer, 20, atol=0.2)


def test_the_line_is_seen_at_its_frequency(view_of):
    x = like_emg(1, seconds=6)[0]
    view = view_of(x)
    curve = figures.spectra(view).data[0]
    assert abs(np.asarray(curve.x)[np.nanargmax(curve.y)] - 50) < 1
    heat = figures.time_plots(view).data[1]
    assert abs(np.asarray(heat.y)[np.nanargmax(np.nanmean(heat.z, axis=1))] - 50) <= 4


def test_a_zoom_draws_its_stretch_alone(view_of):
    x = like_emg(1, seconds=20)[0]
    figure = figures.time_plots(view_of(x), 3.0, 4.0)
    assert figure.layout.xaxis.range == (3.0, 4.0)
    assert len(figure.data[0].x) == 1001
    np.testing.assert_allclose(figure.data[0].y, 1e3 * (x[3000:4001] - x.mean()), atol=1e-6)
    times = np.asarray(figure.data[1].x)
    assert times.min() < 3.1
    assert times.max() > 3.9
    assert np.diff(times).max() < 0.13


def test_a_channel_without_a_value_is_drawn_empty(view_of):
    view = view_of(np.full(3000, np.nan), np.full(3000, np.nan))
    assert len(figures.time_plots(view).data) == 4
    assert np.isnan(np.asarray(figures.spectra(view).data[0].y, np.float64)).all()
    rows = dict(tables.quality_rows(view.before.report))
    assert rows["RMS"] == rows["Median frequency"] == rows["Power line"] == tables.NOTHING
    assert rows["Gaps"] == "1 (3 s)"


def test_a_constant_channel_is_drawn(view_of):
    view = view_of(np.full(3000, 1e-3))
    low, high = figures.time_plots(view).layout.yaxis.range
    assert low < 0 < high
    assert dict(tables.quality_rows(view.before.report))["Flat parts"] == "1 (3 s)"
