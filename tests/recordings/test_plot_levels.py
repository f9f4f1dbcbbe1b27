import numpy as np
import pytest

from cleansemg.recordings.plot_levels import density_unit, highest_hz, level_db, spectrum_range, top_db


def test_levels_are_in_the_unit_of_the_reports_and_tell_silence_from_gaps():
    density = np.array([1e-12, 1e-10, 0.0, np.nan])
    np.testing.assert_allclose(level_db(density, 1e-6), [0.0, 20.0, np.nan, np.nan], atol=1e-9)
    assert level_db(density, 1e-6, -1000.0)[2] == -1000.0
    assert density_unit("uV") == "dB re 1 uV²/Hz"


def test_axes_follow_what_has_power():
    levels = [np.array([np.nan, -10.0]), np.array([3.0, -50.0]), np.full(2, np.nan)]
    assert spectrum_range(levels) == [-77.0, 8.0]
    assert spectrum_range(levels[2:]) is None
    assert top_db(np.arange(1001.0)) == pytest.approx(998.0)
    assert top_db(levels[2]) is None
    assert (highest_hz(500.0), highest_hz(10_000.0)) == (250.0, 1000.0)
