"""A run with a test set and two evaluated rows, and its export."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cleansemg.core.layout import Layout
from cleansemg.core.stage import RunOptions
from cleansemg.evaluation import evaluating, test_set
from cleansemg.evaluation.settings import Evaluate
from cleansemg.evaluation.submissions.export_test import export_test
from cleansemg.evaluation.submissions.target import open_target
from tests.evaluation.conftest import small_settings

CARD = {
    "method": "fourth-order high-pass at 20 Hz", "authors": ["A. Stranger", "B. <b>Bold</b>"], "contact": "a@example.org",
    "licence": "MIT", "training_data": "none", "saw_test_people": False, "hardware": "a laptop", "date": "2026-11-30",
    "code": "https://example.org/code",
}  # fmt: skip


@pytest.fixture(scope="session")
def results(ingredients, tmp_path_factory) -> Path:
    """A run: a grid of 162 mixtures of three people, rows identity, hp and psm_oracle."""
    layout = Layout(tmp_path_factory.mktemp("runs") / "small")
    layout.root.mkdir()
    for name in ("segments", "noise"):
        (layout.root / name).symlink_to(ingredients.root / name)
    settings = small_settings(round_to=2.0**-30).model_copy(
        update={"evaluate": Evaluate(denoisers=("identity", "hp", "psm_oracle"), profiles=("standard",))}
    )
    settings = settings.model_copy(update={"calibrate": settings.calibrate.model_copy(update={"methods": ()})})
    test_set.run(settings, layout, RunOptions())
    evaluating.run(settings, layout, RunOptions())
    return layout.root


@pytest.fixture(scope="session")
def target(results):
    return open_target(str(results))


@pytest.fixture(scope="session")
def exported(target, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("exports") / "noisy"
    export_test(target, "grid", folder)
    return folder


@pytest.fixture
def card(tmp_path) -> Path:
    path = tmp_path / "card.yaml"
    path.write_text(yaml.safe_dump(CARD))
    return path
