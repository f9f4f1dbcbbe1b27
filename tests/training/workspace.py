"""A small run on disk: segments, noise, a configuration and a small FCN, made in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from cleansemg.core import artifact
from cleansemg.core import config as configuration
from cleansemg.core.artifact import Manifest, Schema
from cleansemg.core.layout import Layout
from cleansemg.core.seeding import generator
from cleansemg.data_pipeline.segmentation import SCHEMA as SEGMENTS
from cleansemg.noise.pool import SCHEMA as NOISE
from cleansemg.settings import Settings

LENGTH = 200
NOISE_SAMPLES = 600
MODEL = {
    "class": "cleansemg.denoising.networks.fcn:FCN",
    "summary": "a small FCN",
    "aliases": ["TinyPublished"],
    "parameters": {"kernel": 8, "channels": [6, 4, 4]},
    "published_name": "TinyPublished",
    "small": {"channels": [3, 2, 2]},
    "training": {
        "optimizer": "adam", "learning_rate": 0.003, "batch_size": 8, "epochs": 3, "patience": 10, "clip_norm": 10,
        "schedule": {"kind": "plateau", "factor": 0.5, "patience": 1},
    },
}  # fmt: skip


@dataclass(frozen=True)
class Workspace:
    """A project root with one model, a configuration, and the inputs of training."""

    root: Path
    config: Path
    layout: Layout

    def settings(self, *overrides: str) -> Settings:
        return configuration.load(self.config, ("train.threads=1", *overrides))


def make(root: Path, shard_size: int = 16, subjects_of_valid: tuple[str, ...] = ("S4", "S5")) -> Workspace:
    """Make the folders; `shard_size` changes how rows lie, never what they hold."""
    (root / "configs" / "denoisers").mkdir(parents=True)
    (root / "configs" / "denoisers" / "tiny.yaml").write_text(yaml.safe_dump(MODEL))
    config = root / "configs" / "small.yaml"
    config.write_text("train: {models: [tiny]}\nsegment: {window_s: 0.2}\nevaluate: {denoisers: [tiny]}\n")
    layout = Layout(root / "out")
    write_segments(layout.segments("train"), ("S1", "S2", "S3"), shard_size)
    write_segments(layout.segments("valid"), subjects_of_valid, shard_size)
    for part in ("train", "valid"):
        write_noise(layout.noise(part), part)
    return Workspace(root, config, layout)


def write_segments(folder: Path, subjects: tuple[str, ...], shard_size: int, per_subject: int = 16) -> None:
    """Bursts of noise with a muscle-like band, 16 segments a subject, in an order that is not sorted."""
    names = [(s, f"DB_{s}_E1_c0_t{i:02d}_w0") for i in range(per_subject) for s in subjects]
    arrays = {
        "segment_id": np.array([name for _, name in names]),
        "database": np.array(["DB"] * len(names)),
        "subject": np.array([subject for subject, _ in names]),
        "signal": np.stack([_signal(name) for _, name in names]).astype(np.float32),
    }
    _write(folder, SEGMENTS, arrays, shard_size, fingerprint=f"segments {subjects} {per_subject}")


def write_noise(folder: Path, part: str, record_prefix: str | None = None) -> None:
    """Three kinds, two pieces each."""
    draw = generator(5, "noise", part)
    t = np.arange(NOISE_SAMPLES)
    samples = {
        "PLI": [np.sin(2 * np.pi * 0.05 * t + phase) for phase in (0.3, 1.1)],
        "ECG": [np.exp(-(((t % 150) - 70 + s) ** 2) / 50) - 0.05 for s in (0, 9)],
        "WGN": [draw.standard_normal(NOISE_SAMPLES) for _ in range(2)],
    }
    kinds = [kind for kind, pieces in samples.items() for _ in pieces]
    numbers = [i for pieces in samples.values() for i in range(len(pieces))]
    n = len(kinds)
    arrays = {
        "noise": np.array([piece for pieces in samples.values() for piece in pieces], np.float32),
        "name": np.array([f"{kind}_{i}" for kind, i in zip(kinds, numbers, strict=True)]),
        "record": np.array([f"{record_prefix or part}/{kind}_{i}" for kind, i in zip(kinds, numbers, strict=True)]),
        "subtype": np.array([""] * n),
        "line_hz": np.array([50.0 if kind == "PLI" else np.nan for kind in kinds]),
        "kind": np.array(kinds),
    }
    _write(folder, NOISE, arrays, n, fingerprint=f"noise {part}")


def _signal(name: str) -> np.ndarray:
    draw = generator(3, name)
    white = draw.standard_normal(LENGTH + 2)
    return 1e-4 * (white[2:] - white[:-2]) * np.hanning(LENGTH)


def _write(folder: Path, schema: Schema, arrays: dict[str, np.ndarray], shard_size: int, fingerprint: str) -> None:
    count = len(next(iter(arrays.values())))
    shards = tuple(
        artifact.write_shard(
            folder, f"part{start:05d}", {k: a[start : start + shard_size] for k, a in arrays.items()}, fingerprint
        )
        for start in range(0, count, shard_size)
    )
    manifest = Manifest(schema.name, schema.version, fingerprint, 1, {}, shards, 0)
    artifact.write_manifest(folder, manifest)
