"""`cleansemg stream` between two pipes."""

import os
import select
import subprocess
import sys

from tests.conftest import ROOT
from tests.processes import PIPES, process


def test_stream_answers_before_the_end_and_flushes_the_rest():
    with process("stream", "--fs", 1000, "--channels", 2, "--denoiser", "hp", **PIPES) as running:
        got = b""
        for line in (b"0.1,0.2\n", b"nan,0.3\n"):
            running.stdin.write(line)
            running.stdin.flush()
            assert select.select([running.stdout], [], [], 120)[0], "no answer while the pipe is open"
            got += os.read(running.stdout.fileno(), 1000)
        running.stdin.write(b"0.4,0.5")
        rest, err = running.communicate(timeout=120)
    assert running.returncode == 0, err
    assert err.splitlines()[0].startswith(b"hp: latency 0 samples (causal")
    rows = (got + rest).decode().splitlines()
    assert rows == ["0.100000001,0.200000003", "nan,0.300000012", "0.400000006,0.5"]


def test_stream_stops_at_a_malformed_line_and_when_nobody_reads():
    with process("stream", "--fs", 1000, "--denoiser", "identity", **PIPES) as running:
        out, err = running.communicate(b"1\n2\nthree\n4\n", timeout=120)
    assert running.returncode == 2
    assert out == b"1\n2\n"
    assert err.splitlines()[1:] == [b"error: line 3: not numbers between commas: 'three'"]
    with process("stream", "--fs", 1000, "--denoiser", "identity", **PIPES) as running:
        running.stdout.close()
        running.stdin.write(b"1\n" * 100)
        running.stdin.flush()
        running.stdin.close()
        err = running.stderr.read()
        assert running.wait(timeout=120) == 0, err
    assert err.splitlines() == [b"identity: latency 0 samples (causal)"]


def test_stream_without_stdin_is_one_line():
    closed = "import os, sys; os.close(0); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    command = ["-m", "cleansemg", "stream", "--fs", "1000", "--denoiser", "identity"]
    done = subprocess.run(
        [sys.executable, "-c", closed, *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("error: stdin is closed")
    assert "Traceback" not in done.stderr
