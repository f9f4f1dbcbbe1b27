from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleansemg.recordings.waveform import CLIPPED_RUN, FLAT_S, WaveformMeter

FS_HZ = 50.0  # a flat part is ten samples


def meter_of(x, cuts=()):
    meter = WaveformMeter(FS_HZ)
    for piece in np.split(np.asarray(x, float), cuts):
        meter.push(piece)
    meter.finish()
    return meter


def by_hand(x):
    """Clipped share, flat parts and gaps of a short signal, run by run."""
    runs = [(value, len(list(group))) for value, group in groupby("nan" if np.isnan(v) else v for v in x)]
    values = [v for v in x if not np.isnan(v)]
    gaps = [length for value, length in runs if value == "nan"]
    runs = [(value, length) for value, length in runs if value != "nan"]
    clipped = 0
    if values and min(values) < max(values):
        clipped = sum(n for value, n in runs if n >= CLIPPED_RUN and value in (min(values), max(values)))
    flat = [n for _, n in runs if n >= FLAT_S * FS_HZ]
    return clipped / max(len(values), 1), (len(flat), sum(flat) / FS_HZ), (len(gaps), sum(gaps) / FS_HZ)


pieces = st.lists(
    st.tuples(st.sampled_from([np.nan, -1.0, 0.0, 0.5, 1.0, 1.5]), st.integers(1, 14)), min_size=1, max_size=12
)


@settings(deadline=None, max_examples=150)
@given(pieces, st.lists(st.integers(0, 100), max_size=5))
def test_runs_are_those_counted_by_hand_whatever_the_blocks(parts, cuts):
    x = np.concatenate([np.full(length, value) for value, length in parts])
    meter = meter_of(x, sorted(min(cut, len(x)) for cut in cuts))
    clipped, flat, gaps = by_hand(x)
    assert meter.clipped_share == pytest.approx(clipped)
    assert (meter.flat.count, meter.flat.seconds) == (flat[0], pytest.approx(flat[1]))
    assert (meter.gaps.count, meter.gaps.seconds) == (gaps[0], pytest.approx(gaps[1]))
    values = x[~np.isnan(x)]
    if len(values):
        assert meter.mean == pytest.approx(values.mean(), abs=1e-12)
        assert meter.rms == pytest.approx(values.std(), abs=1e-12)
        assert (meter.minimum, meter.maximum) == (values.min(), values.max())
    else:
        assert meter.rms is None


def test_clipping_of_a_sine():
    x = np.clip(np.sin(2 * np.pi * np.arange(5000) / 100), -0.8, 0.8)
    assert meter_of(x, [333, 334, 1234]).clipped_share == pytest.approx(np.mean(np.abs(x) == 0.8))
    assert meter_of(np.sin(np.arange(5000))).clipped_share == 0


def test_small_signal_on_a_large_offset_keeps_its_rms():
    x = 1e-5 * np.random.default_rng(0).standard_normal(20_000)
    assert meter_of(x + 1.0, range(100, 20_000, 100)).rms == pytest.approx(x.std(), rel=1e-6)
