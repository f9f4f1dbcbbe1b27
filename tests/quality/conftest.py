"""A small configuration about quality, run once: six simulated people, noise that is quick to make."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cleansemg.core import config
from cleansemg.core.layout import Layout
from cleansemg.core.stage import RunOptions
from cleansemg.quality import models
from cleansemg.settings import Settings
from cleansemg.training.quality import extraction, mixtures

CONTENT = {
    "title": "small",
    "seed": 3,
    "datasets": {
        "simulated": {
            "parameters": {
                "n_subjects": 6, "n_channels": 2, "n_gestures": 2, "n_repetitions": 2, "contraction_s": 2.5,
                "rest_s": 0.5, "seed": 3,
            }
        }
    },
    "grade": {"rule": "none"},
    "split": {"rule": "stratified", "valid_fraction": 0.2, "test_fraction": 0.34},
    "segment": {"window_s": 2},
    "noise": {
        "piece_s": 10,
        "kinds": {
            "PLI": [{"source": "pli", "pieces": {"train": 4, "valid": 2, "test": 2}}],
            "MOA": [{"source": "moa_simulated", "pieces": {"train": 4, "valid": 2, "test": 2}}],
            "WGN": [{"source": "wgn", "pieces": {"train": 4, "valid": 2, "test": 2}}],
            "Color": [{"source": "color", "pieces": {"train": 4, "valid": 2, "test": 2}}],
        },
    },
    "quality": {
        "models": ["qase"],
        "lengths_s": [1, 2],
        "draws": {"valid": 2, "test": 4},
        "clean_share": 0.1,
        "band_limited_share": 0.3,
        "parameters": {"qase": {"scale": "rms", "snr_unit_db": 4.0}},
        "recipe": {"epochs": 2, "batch_size": 8, "learning_rate": 0.001},
    },
    "tables": {"bootstrap_resamples": 100},
}  # fmt: skip


def settings_of(folder: Path, *overrides: str) -> Settings:
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump({**CONTENT, "paths": {"output": str(folder / "out")}}))
    return config.load(path, overrides)


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Layout]:
    """Segments, noise and fixed mixtures."""
    folder = tmp_path_factory.mktemp("quality")
    settings, layout = settings_of(folder), Layout(folder / "out")
    for step in (extraction.extract_semg, extraction.extract_ecg, mixtures.run):
        report = step(settings, layout, RunOptions())
        assert report.n_failures == 0
    return settings, layout


@pytest.fixture
def untrained() -> models.Predictor:
    """A QASE-net with the second head, as it is drawn."""
    import torch

    torch.manual_seed(1)
    network = models.build("qase", n_kinds=5, scale="rms").eval()
    info = {"fs_hz": 1000.0, "band_hz": [20.0, 500.0], "thresholds": [0.5] * 5}
    return models.Predictor("qase", network, info, "none")
