"""A quality network as it is drawn: what it reads means nothing, but it is always the same, and it is small."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.recordings.networks import write_untrained


@pytest.fixture(scope="session")
def quality_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_untrained(tmp_path_factory.mktemp("weights") / "qase.safetensors")
