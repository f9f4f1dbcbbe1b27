"""The page behind a real web server, for tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FS_HZ = 1000.0


@contextmanager
def running(folder: Path, max_upload_mb: float = 200.0) -> Iterator[str]:
    """Its address."""
    from waitress import create_server

    from cleansemg.app.server import HOST, build, max_bytes
    from cleansemg.app.sessions import Sessions

    with Sessions(parent=folder) as sessions:
        flask = build(sessions, max_upload_mb).server
        server = create_server(flask, host=HOST, port=0, threads=4, max_request_body_size=max_bytes(max_upload_mb))
        closing = threading.Event()

        def serve() -> None:
            try:
                server.run()
            except OSError:  # its sockets are taken away below while it waits for them
                if not closing.is_set():
                    raise

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://{HOST}:{server.effective_port}"
        finally:
            closing.set()
            server.close()
            thread.join(10)


def like_emg(n_channels: int = 2, seconds: float = 6.0, seed: int = 3) -> NDArray[np.float64]:
    """[C, L] volts: bursts of noise, a line of 50 Hz that is far stronger than its neighbours, an offset."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * FS_HZ)) / FS_HZ
    bursts = np.sin(2 * np.pi * time_s / 2) > 0
    x = 2e-4 * bursts * rng.standard_normal((n_channels, len(time_s))) + 2e-4 * np.sin(2 * np.pi * 50 * time_s)
    return x + 1e-5 * rng.standard_normal(x.shape) + 3e-4


def write_csv(path: Path, x: NDArray[np.float64], header: str = "time (s),biceps (mV),triceps (mV)") -> Path:
    """Millivolts behind a column of time."""
    time_s = np.arange(x.shape[1]) / FS_HZ
    np.savetxt(path, np.column_stack((time_s, 1e3 * x.T)), fmt="%.6f", delimiter=",", header=header, comments="")
    return path
