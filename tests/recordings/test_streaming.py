import io
import os

import numpy as np
import pytest

from cleansemg.core.errors import UserError
from cleansemg.denoising import load
from cleansemg.denoising.overlap_add import OverlapAdd, best_streaming
from cleansemg.recordings import streaming

FS_HZ = 1000.0


def signals(n_channels=2, n_samples=3000, seed=0):
    x = 1e-4 * np.random.default_rng(seed).standard_normal((n_channels, n_samples))
    x[0, 1000:1010] = np.nan
    return x.astype(np.float32)


def through(form, pipe, data, sizes=(1, 13, 4096)):
    """Bytes of any cut through a pipe."""
    out, at, i = io.BytesIO(), 0, 0
    while at < len(data):
        size = sizes[i % len(sizes)]
        for block in pipe.feed(data[at : at + size]):
            out.write(pipe.encode(form.push(block)))
        at, i = at + size, i + 1
    for block in pipe.end():
        out.write(pipe.encode(form.push(block)))
    out.write(pipe.encode(form.finish()))
    return out.getvalue()


@pytest.mark.parametrize("window_s", [None, 1.0])
@pytest.mark.parametrize("name", ["csv", "f32"])
def test_output_is_that_of_the_form_itself_whatever_the_cuts(name, window_s):
    x = signals()
    direct = best_streaming(load("hp"), FS_HZ, 2, window_s)
    assert isinstance(direct, OverlapAdd) == (window_s is not None)
    wanted = np.concatenate([direct.push(x), direct.finish()], axis=1)
    pipe = streaming.pipe_of(name, 2)
    data = pipe.encode(x)
    out = through(best_streaming(load("hp"), FS_HZ, 2, window_s), pipe, data)
    if name == "f32":
        got = np.frombuffer(out, "<f4").reshape(-1, 2).T
    else:
        got = np.loadtxt(io.BytesIO(out), delimiter=",", dtype=np.float32).T
    np.testing.assert_array_equal(got, wanted)


def test_csv_takes_empty_cells_windows_line_ends_and_no_last_line_end():
    pipe = streaming.pipe_of("csv", 2)
    blocks = [*pipe.feed(b"1,2\r\n3,\r\n nan , 4"), *pipe.end()]
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), [[1, 3, np.nan], [2, np.nan, 4]])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"1,2\n3\n", "line 2: 1 values, expected 2: '3'"),
        (b"1,2\n3,x\n", "line 2: not numbers between commas: '3,x'"),
        (b"1,2\n3,inf\n", "line 2: an infinite value"),
        (b"1,2\n\n", "line 2: 1 values, expected 2: ''"),
        (b"1,2\n\xff\xfe,3\n", "line 2: not numbers between commas"),
        (b"1,2\n" + b"9" * 70_000, "line 2: longer than"),
    ],
)
def test_a_malformed_line_is_named_and_what_came_before_it_is_kept(data, message):
    pipe = streaming.pipe_of("csv", 2)
    found = []
    with pytest.raises(UserError, match=message):
        found.extend(pipe.feed(data))
    assert len(found) == 1
    np.testing.assert_array_equal(found[0], [[1], [2]])


def test_frames_that_are_none():
    pipe = streaming.pipe_of("f32", 2)
    assert [block.shape for block in pipe.feed(b"\0" * 11)] == [(2, 1)]
    with pytest.raises(UserError, match="frame 2: 3 bytes, expected 8"):
        list(pipe.end())
    pipe = streaming.pipe_of("f32", 1)
    with pytest.raises(UserError, match="frame 2: an infinite value"):
        list(pipe.feed(np.array([1, np.inf], "<f4").tobytes()))
    with pytest.raises(UserError, match="did you mean 'csv'"):
        streaming.pipe_of("cvs", 1)


def test_states_its_latency():
    assert streaming.latency_of(best_streaming(load("identity"), FS_HZ, 1)) == "latency 0 samples (causal)"
    assert "filters delay by up to 1.9 ms" in streaming.latency_of(best_streaming(load("hp"), FS_HZ, 1))
    assert streaming.latency_of(best_streaming(load("vmd"), FS_HZ, 1)) == "latency 2 s (windows)"
    assert streaming.latency_of(best_streaming(load("hp"), FS_HZ, 1, 0.5)) == "latency 0.5 s (windows)"


def test_run_reads_until_the_source_ends_and_flushes():
    source, feed = os.pipe()
    os.write(feed, b"1\n2\n3\n")
    os.close(feed)
    out = io.BytesIO()
    streaming.run(best_streaming(load("identity"), FS_HZ, 1), streaming.pipe_of("csv", 1), source, out)
    os.close(source)
    assert out.getvalue() == b"1\n2\n3\n"
