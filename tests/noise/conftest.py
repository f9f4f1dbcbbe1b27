"""Small libraries and recordings for the tests of the noise room."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cleansemg.noise.kinds import BENCHMARK_KINDS
from cleansemg.noise.pool import NoiseLibrary


@pytest.fixture(scope="session")
def library() -> NoiseLibrary:
    """Four pieces of 20 s of every kind, of different lengths and sizes."""
    rng = np.random.default_rng(7)
    return NoiseLibrary(
        {kind: [10.0**i * rng.standard_normal(20_000 + 100 * i) for i in range(4)] for kind in BENCHMARK_KINDS},
        line_hz={"PLI": [50.1, 49.9, 60.2, 59.8]},
    )


@pytest.fixture
def write_record() -> Callable[..., None]:
    """Write a WFDB record, format 16, from signals [T, leads]."""
    import wfdb

    def write(folder: Path, name: str, signals: np.ndarray, fs_hz: float, leads: tuple[str, ...] = ("I", "II")) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        n = signals.shape[1]
        wfdb.wrsamp(
            name, fs=fs_hz, units=["mV"] * n, sig_name=list(leads[:n]), p_signal=signals, fmt=["16"] * n,
            write_dir=str(folder),
        )  # fmt: skip

    return write
