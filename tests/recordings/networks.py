"""Files of weights for tests."""

from __future__ import annotations

from pathlib import Path

from cleansemg.core import weight_files
from cleansemg.quality import models


def write_untrained(path: Path) -> Path:
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = models.build("qase", n_kinds=5, scale="rms")
    info = {
        "quality_model": "qase",
        "parameters": {"n_kinds": 5, "scale": "rms"},
        "fs_hz": 1000.0,
        "band_hz": [20.0, 500.0],
        "thresholds": [0.5, 0.5, 0.5, 0.5, 0.5],
    }
    weight_files.write(path, network, info)
    return path
