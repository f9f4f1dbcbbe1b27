"""Fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# Two runs of the tests try the same examples; the long form, scripts/run_long_tests.sh, draws new ones.
settings.register_profile("cleansemg", derandomize=not os.environ.get("CLEANSEMG_FUZZ_CASES"))
settings.load_profile("cleansemg")


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
