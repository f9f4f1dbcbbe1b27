"""Fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# One thread a process, read when torch and BLAS are loaded: threads of two processes on two cores wait for each other
# in busy loops. Tests of the numbers of threads drop it (`tests.processes.without_thread_limits`).
THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
for name in THREAD_LIMITS:
    os.environ.setdefault(name, "1")

# Files that take longest begin first, so that no worker has one left when the others are done.
LONG_FILES = (
    "tests/test_pipeline.py", "tests/cleansemg/test_adding.py", "tests/test_protocols.py",
    "tests/reliability/test_crash.py", "tests/reliability/test_full_disk.py", "tests/reliability/test_dask.py",
    "tests/test_pipeline_data.py", "tests/core/test_execution_cluster.py", "tests/training/test_calibration.py",
    "tests/training/test_neural.py", "tests/cleansemg/test_own_recordings.py", "tests/downstream/test_gesture.py",
)  # fmt: skip

# Two runs of the tests try the same examples; the long form, scripts/run_long_tests.sh, draws new ones.
settings.register_profile("cleansemg", derandomize=not os.environ.get("CLEANSEMG_FUZZ_CASES"))
settings.load_profile("cleansemg")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; `--dist loadfile --no-loadscope-reorder` hands them out in this order."""
    rank = {file: number for number, file in enumerate(LONG_FILES)}
    items.sort(key=lambda item: rank.get(item.nodeid.partition("::")[0], len(rank)))


def real_data_folder() -> Path | None:
    """$CLEANSEMG_DATA, or the folder beside the project, where it is there."""
    for candidate in (os.environ.get("CLEANSEMG_DATA"), ROOT.parent / "shared" / "data"):
        if candidate and Path(candidate).is_dir():
            return Path(candidate)
    return None


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real recordings; tests that use it are marked `realdata`."""
    folder = real_data_folder()
    if folder is None:
        pytest.skip("no real recordings: set CLEANSEMG_DATA, or run `cleansemg fetch open`")
    return folder
