import os
import signal
import socket
import subprocess

import pytest

from tests.processes import process


def command(*arguments, **environment):
    return process(
        "app", "--no-browser", *arguments,
        env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_listens_on_this_machine_alone_and_clears_up(tmp_path, how):
    running = command("--port", "0", TMPDIR=str(tmp_path))
    try:
        line = running.stdout.readline()
        assert line.startswith("CleanSEMG is at http://127.0.0.1:"), running.stderr.read()
        port = int(line.split()[3].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10):
            pass
        with pytest.raises(ConnectionRefusedError):  # another address of this very machine
            socket.create_connection(("127.0.0.2", port), timeout=10)
        assert len(list(tmp_path.glob("cleansemg-app-*"))) == 1
        if how == signal.SIGTERM:
            taken = command("--port", str(port), TMPDIR=str(tmp_path))
            _, err = taken.communicate(timeout=60)
            assert taken.returncode == 2
            assert (
                err == f"error: --port {port}: something else listens there; give another port, or 0 for a free one\n"
            )
        running.send_signal(how)
        assert running.wait(30) == 0
        assert list(tmp_path.glob("cleansemg-app-*")) == []
        assert running.stderr.read() == ""
    finally:
        running.kill()
        running.communicate()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--max-upload-mb", "0"), "error: --max-upload-mb 0: expected megabytes, above 0 and at most 1e6"),
        (("--max-upload-mb", "nan"), "error: --max-upload-mb nan: expected megabytes, above 0 and at most 1e6"),
        (("--port", "99999"), "error: Invalid value for '--port'"),
    ],
)
def test_mistakes_are_one_line(arguments, message):
    _, err = command(*arguments).communicate(timeout=60)
    assert err.startswith(message)
    assert len(err.splitlines()) == 1
