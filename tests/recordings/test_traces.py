import numpy as np
import pytest

from cleansemg.recordings.traces import MAX_BINS, MAX_COLUMNS, Envelope, Spectrogram, Trace

FS_HZ = 1000.0


def pushed(collector, x, sizes=(1, 777, 64, 5000)):
    at, i = 0, 0
    while at < len(x):
        size = sizes[i % len(sizes)]
        collector.push(x[at : at + size])
        at, i = at + size, i + 1
    return collector


@pytest.mark.parametrize("length", [1, 999, 2001, 4096, 54321, 130_001])
def test_envelope_holds_the_extremes_of_every_bin(length):
    x = np.random.default_rng(length).standard_normal(length)
    x[length // 3 : length // 2] = np.nan
    envelope = pushed(Envelope(FS_HZ), x)
    middle_s, low, high = envelope.result()
    assert len(low) == len(high) == -(-length // envelope.size) <= 2 * MAX_BINS
    for i in range(0, len(low), 37):
        part = x[i * envelope.size : (i + 1) * envelope.size]
        if np.isnan(part).all():
            assert np.isnan(low[i])
            assert np.isnan(high[i])
        else:
            assert (low[i], high[i]) == (np.nanmin(part), np.nanmax(part))
    assert middle_s[0] == pytest.approx(0.5 * envelope.size / FS_HZ)


@pytest.mark.parametrize("seconds", [3, 150, 700])
def test_spectrogram_shows_a_tone_when_and_where_it_sounds(seconds):
    t = np.arange(round(seconds * FS_HZ)) / FS_HZ
    x = np.where(t < seconds / 2, np.sin(2 * np.pi * 80 * t), np.sin(2 * np.pi * 240 * t))
    time_s, frequency_hz, power = pushed(Spectrogram(FS_HZ), x).result()
    assert power.shape == (len(frequency_hz), len(time_s))
    assert len(time_s) <= 2 * MAX_COLUMNS
    assert time_s[-1] <= seconds
    step_s = time_s[1] - time_s[0]
    loudest_hz = frequency_hz[np.argmax(power, axis=0)]
    np.testing.assert_allclose(loudest_hz[time_s < seconds / 2 - step_s], 80, atol=4)
    np.testing.assert_allclose(loudest_hz[time_s > seconds / 2 + step_s], 240, atol=4)


def test_spectrogram_has_holes_where_there_are_gaps():
    x = np.random.default_rng(0).standard_normal(20_000)
    x[8000:12_000] = np.nan
    time_s, _, power = pushed(Spectrogram(FS_HZ), x).result()
    empty = np.isnan(power).all(axis=0)
    assert empty[(time_s > 8.3) & (time_s < 11.7)].all()
    assert not empty[(time_s < 7.7) | (time_s > 12.3)].any()


def test_excerpt_is_the_strongest_piece_without_a_gap():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(20_000)
    x[6000:8000] *= 5
    x[12_000:14_000] *= 9
    after = x.copy()
    after[13_000] = np.nan
    trace = Trace(FS_HZ)
    for at in range(0, len(x), 700):
        trace.push(x[at : at + 700], after[at : at + 700])
    excerpt = trace.excerpt()
    assert excerpt.start_s == 6.0
    np.testing.assert_array_equal(excerpt.before, x[6000:8000])
    short = Trace(FS_HZ)
    short.push(x[:1500], x[:1500])
    assert len(short.excerpt().before) == 1500
