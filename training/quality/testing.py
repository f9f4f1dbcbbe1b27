"""The last step: predictions for the test mixtures, their tables and scatter plots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import npz
from cleansemg.core.artifact import Schema
from cleansemg.core.code_identity import of_modules
from cleansemg.core.config import save
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.core.rendering import write
from cleansemg.core.stage import Job, Report, RunOptions, ShardResult, run_stage
from cleansemg.data_pipeline.leak_labels import leak_labels
from cleansemg.quality import models
from cleansemg.quality.prediction import predict
from cleansemg.training.quality import report
from cleansemg.training.quality.fitting import WEIGHTS
from cleansemg.training.quality.mixtures import Mixtures
from cleansemg.training.quality.scatter import write_scatter

if TYPE_CHECKING:
    from cleansemg.settings import Settings

SCHEMA = Schema("quality-predictions", 1, step="python training/quality/test.py")
SHARD_ROWS = 1000
# Code that does not affect predictions: tables, figures, and the data pipeline, whose fingerprint is an input.
NOT_PREDICTING = ("cleansemg.training.quality.report", "cleansemg.training.quality.scatter", "cleansemg.data_pipeline")


@dataclass(frozen=True)
class PredictJob:
    """Some test mixtures, of one length, for one model."""

    weights: Path
    sha256: str
    layout: Layout
    fingerprint: str  # of the mixtures, so that a worker does not use outdated data
    numbers: tuple[int, ...]


def run(settings: Settings, layout: Layout, options: RunOptions) -> Report:
    """Predict the test mixtures with every model of the configuration, and write tables and figures.

    Raises:
        UserError: no models, missing weights, weights of another model, or weights for another sampling rate.
        ArtifactError: the mixtures are missing.
    """
    if not settings.quality.models:
        raise UserError(f"{settings.config_file}: quality.models is empty: nothing to test")
    mixtures = Mixtures(layout, "test")
    fs_hz = settings.segment.fs_hz
    results: list[report.Predictions] = []
    n_failures = mixtures.manifest.n_failures
    for name in settings.quality.models:
        path = weights_of(name, settings, layout)
        sha256 = npz.sha256(path)
        predictor = models.load(path)
        if predictor.name != name:
            raise UserError(f"{path}: weights of '{predictor.name}', not of '{name}'")
        if predictor.info.get("fs_hz", fs_hz) != fs_hz:
            raise UserError(f"{path}: made for {predictor.info['fs_hz']:g} Hz, segment.fs_hz is {fs_hz:g}")
        jobs = [
            Job(f"{first:07d}_{len(chunk)}", PredictJob(path, sha256, layout, mixtures.manifest.fingerprint, chunk))
            for first, chunk in _chunks(mixtures)
        ]
        predicted = run_stage(
            layout.quality_predictions(name), SCHEMA, jobs, predict_shard,
            section={"model": name}, code={**of_modules(__name__, without=NOT_PREDICTING), "weights": sha256},
            what="predicting again",
            inputs={"mixtures": mixtures.manifest.fingerprint},
            seed=settings.seed, options=options, label=f"predict {name}",
        )  # fmt: skip
        columns = predicted.artifact.columns("snr_db", "predicted_db", "probability", "kinds", "n_samples", "subject")
        results.append(
            report.Predictions(
                name, models.count(predictor.network), fs_hz=fs_hz, kind_names=mixtures.library.columns,
                known_kinds=predictor.kinds, **columns,
            )
        )  # fmt: skip
    labels = leak_labels(layout)
    tables = report.tables(results, settings, labels)
    for key, table in tables.items():
        write([table], layout.tables, f"quality_{key}")
    for result in results:
        write_scatter(layout.tables / f"quality_{result.name}.png", result, settings.title)
    save(settings, layout.tables / "config.yaml")
    lines = [
        f"{row['model']:13} {row['n_mixtures']} mixtures  LCC {row['LCC']:.4f}  SRCC {row['SRCC']:.4f}  "
        f"MSE {row['MSE']:.3f}  MAE {row['MAE']:.3f} dB"
        for row in tables["table"].rows
        if row["source"] == report.OURS
    ]
    return Report("test", (*lines, *labels, f"tables and pictures: {layout.tables}"), n_failures)


def weights_of(name: str, settings: Settings, layout: Layout) -> Path:
    """The file of weights that the test step uses.

    Raises:
        UserError: the file is absent; the message explains how to create it.
    """
    if settings.quality.weights == "pretrained":
        return models.pretrained_weights(name)
    path = layout.quality_weights(name) / WEIGHTS
    if not path.exists():
        raise UserError(
            f"{path}: not there; train first: python training/quality/train.py --config {settings.config_file}, "
            "or use --set quality.weights=pretrained"
        )
    return path


def predict_shard(job: PredictJob) -> ShardResult:
    """Predict some mixtures; a pure function of the job."""
    predictor, mixtures = _model(job.weights, job.sha256), _mixtures(job.layout, job.fingerprint)
    numbers = np.array(job.numbers, np.int64)
    snr_db, probability = predict(predictor, mixtures.noisy(numbers))
    arrays: Mapping[str, NDArray[Any]] = {
        "mixture_id": mixtures.mixture_id[numbers],
        "subject": mixtures.subject[numbers],
        "snr_db": mixtures.snr_db[numbers],
        "kinds": mixtures.kinds[numbers],
        "n_samples": mixtures.n_samples[numbers],
        "predicted_db": snr_db,
        "probability": probability,
    }
    return ShardResult(arrays)


_OPENED: dict[str, Any] = {}  # cache: one model and one set of mixtures per process


def _model(path: Path, sha256: str) -> models.Predictor:
    if _OPENED.get("sha256") != sha256:
        _OPENED["model"], _OPENED["sha256"] = models.load(path), sha256
    model: models.Predictor = _OPENED["model"]
    return model


def _mixtures(layout: Layout, fingerprint: str) -> Mixtures:
    key = f"{layout.root}/{fingerprint}"
    if _OPENED.get("key") != key:
        _OPENED["mixtures"], _OPENED["key"] = Mixtures(layout, "test"), key
    mixtures: Mixtures = _OPENED["mixtures"]
    return mixtures


def _chunks(mixtures: Mixtures) -> list[tuple[int, tuple[int, ...]]]:
    chunks = []
    for numbers in mixtures.by_length():
        for first in range(0, len(numbers), SHARD_ROWS):
            chunk = tuple(numbers[first : first + SHARD_ROWS].tolist())
            chunks.append((chunk[0], chunk))
    return chunks
