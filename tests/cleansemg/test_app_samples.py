import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleansemg.app import samples as module
from cleansemg.app.figures import span_of
from cleansemg.app.samples import Samples
from cleansemg.core.errors import UserError


def stored(tmp_path, x, fs_hz=1000.0, block=37):
    made = Samples(tmp_path / "s", x.shape[0], fs_hz)
    for start in range(0, x.shape[1], block):
        made.append(x[:, start : start + block])
    return made


def test_parts_are_what_was_appended(tmp_path):
    x = np.random.default_rng(0).standard_normal((3, 500))
    made = stored(tmp_path, x)
    assert made.n_samples == 500
    for channel in range(3):
        np.testing.assert_array_equal(made.part(channel, 13, 487), x[channel, 13:487].astype(np.float32))
    assert len(made.part(0, 400, 9999)) == 100
    assert len(made.part(0, 600, 700)) == 0
    assert len(made.part(0, -50, -10)) == 0


def test_a_short_stretch_is_drawn_sample_by_sample(tmp_path):
    x = np.random.default_rng(0).standard_normal((1, 3000))
    time_s, volts = stored(tmp_path, x).curve(0, 1.0, 1.1)
    np.testing.assert_allclose(time_s, np.arange(1000, 1101) / 1000)
    np.testing.assert_array_equal(volts, x[0, 1000:1101].astype(np.float32))


def test_a_long_stretch_loses_no_extreme(tmp_path):
    x = np.random.default_rng(0).standard_normal((1, 50_000))
    x[0, 31_234] = 40.0  # one sample wide
    time_s, volts = stored(tmp_path, x, block=9000).curve(0, 0.0, 50.0, n_bins=500)
    assert len(volts) == 1000
    assert np.all(np.diff(time_s) > 0)
    assert volts.max() == 40.0
    assert abs(time_s[np.argmax(volts)] - 31.234) < 0.1
    for k in (0, 250, 499):  # independent oracle
        bin_ = x[0, k * 100 : (k + 1) * 100].astype(np.float32)
        assert (volts[2 * k], volts[2 * k + 1]) == (bin_.min(), bin_.max())


def test_gaps_stay_gaps(tmp_path):
    x = np.ones((1, 10_000))
    x[0, 2000:8000] = np.nan
    x[0, 8001] = np.nan  # alone in its bin: passed over
    time_s, volts = stored(tmp_path, x, block=1000).curve(0, 0.0, 10.0, n_bins=100)
    inside = (time_s > 2.1) & (time_s < 7.9)
    assert np.isnan(volts[inside]).all()
    assert np.isfinite(volts[~inside & ((time_s < 1.9) | (time_s > 8.1))]).all()


def test_more_than_the_page_takes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LIMIT_BYTES", 4000)
    made = Samples(tmp_path / "s", 1, 1000.0)
    made.append(np.zeros((1, 900)))
    with pytest.raises(UserError, match="cleansemg denoise"):
        made.append(np.zeros((1, 101)))


@settings(max_examples=200, deadline=None)
@given(
    st.none() | st.floats(allow_nan=True, allow_infinity=True),
    st.none() | st.floats(allow_nan=True, allow_infinity=True),
    st.floats(1.0, 1e5),
)
def test_any_zoom_is_a_stretch_of_the_recording(start_s, stop_s, duration_s):
    first, last = span_of(start_s, stop_s, duration_s)
    assert 0 <= first < last <= duration_s
