"""A small run, from segments to the test set, that the tests of this room share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cleansemg.core import artifact, dsp
from cleansemg.core.layout import Layout
from cleansemg.core.stage import RunOptions
from cleansemg.data_pipeline.segmentation import SCHEMA as SEGMENTS
from cleansemg.evaluation.settings import Evaluate, Mix, Tables
from cleansemg.noise.settings import Noise, Source
from cleansemg.settings import Settings

KINDS = {"PLI": "pli", "WGN": "wgn", "Color": "color"}


def small_settings(**mix) -> Settings:
    sources = {kind: [Source(source=name, pieces={"train": 2, "valid": 2, "test": 2})] for kind, name in KINDS.items()}
    return Settings(
        noise=Noise(piece_s=12, kinds=sources),
        mix=Mix(**{"snr_db": (-15.0, 0.0, 15.0), "n_kinds": (1, 2, 3), "shard_size": 7, **mix}),
        evaluate=Evaluate(denoisers=("identity", "zero", "wiener_oracle", "hp")),
        tables=Tables(bootstrap_resamples=200),
    )


def write_segments(folder: Path, subjects=("1", "2", "3"), per_subject=6, length=2000) -> None:
    """Band-limited noise of different strength, as the segment stage would leave it."""
    shards = []
    for number, subject in enumerate(subjects):
        rng = np.random.default_rng(number)
        raw = rng.normal(0, 1e-5 * (1 + rng.random((per_subject, 1)) * 9), (per_subject, length))
        n = np.arange(per_subject)
        text = np.array(["E1"] * per_subject)
        columns = {
            "signal": dsp.band_pass(raw, 20, 450, 1000).astype(np.float32),
            "segment_id": np.array([f"synthetic_S{subject}_E1_T000_C00_W{i:03d}" for i in n]),
            "database": np.array(["synthetic"] * per_subject), "subject": np.array([subject] * per_subject),
            "exercise": text, "channel_name": text, "trial": 0 * n, "channel": 0 * n, "window": n, "label": n % 3,
            "repetition": 0 * n, "start_sample": n * length, "grade": np.array(["A"] * per_subject),
            "fs_native_hz": np.full(per_subject, 1000.0),
        }  # fmt: skip
        shards.append(artifact.write_shard(folder, f"synthetic_s{subject}", columns, "by hand"))
    artifact.write_manifest(
        folder, artifact.Manifest(SEGMENTS.name, SEGMENTS.version, "by hand", 0, {}, tuple(shards), 0)
    )


@pytest.fixture(scope="session")
def ingredients(tmp_path_factory) -> Layout:
    """Test segments and noise libraries."""
    from cleansemg.noise.library import build_libraries

    layout = Layout(tmp_path_factory.mktemp("ingredients"))
    build_libraries(small_settings(), layout, RunOptions())
    write_segments(layout.segments("test"))
    return layout


@pytest.fixture
def layout(ingredients, tmp_path) -> Layout:
    """A run of one's own on the shared ingredients."""
    (tmp_path / "segments").symlink_to(ingredients.root / "segments")
    (tmp_path / "noise").symlink_to(ingredients.root / "noise")
    return Layout(tmp_path)
