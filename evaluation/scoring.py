"""Denoises a test set with one method, and scores every mixture, shard by shard."""

from __future__ import annotations

import csv
import hashlib
import io
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import npz
from cleansemg.core.artifact import MANIFEST, Artifact, Failure, Schema, read_manifest
from cleansemg.core.code_identity import of_modules
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.core.stage import Job, LastStep, RunOptions, ShardResult, StageResult, other_settings, run_stage
from cleansemg.denoising import Denoiser, NoiseLabels
from cleansemg.evaluation import metrics
from cleansemg.evaluation.candidates import Candidate
from cleansemg.evaluation.test_data import TestData
from cleansemg.noise.kinds import names_in
from cleansemg.noise.labels import Rule

if TYPE_CHECKING:
    from cleansemg.settings import Settings

log = logging.getLogger(__name__)

SCHEMA = Schema("denoised", 2, step="cleansemg run --stages evaluate")
# Parts of the project that have separate hashes in a row: metrics, the test set, the quality network.
ELSEWHERE = ("cleansemg.evaluation.metrics", "cleansemg.evaluation.test_set", "cleansemg.quality")
DIGEST_BYTES = 16
LABELS = ("mixture_id", "segment_id", "database", "subject", "snr_db", "n_kinds", "kinds")


@dataclass(frozen=True)
class ScoreJob:
    """What a worker needs to denoise and score one shard with one denoiser."""

    candidate: Candidate
    data: TestData
    shard: str
    profiles: tuple[str, ...]
    keep_waveforms: bool
    metrics: tuple[str, ...] = ()  # of the user, beside the project's


def evaluate(
    candidate: Candidate, data: TestData, settings: Settings, layout: Layout, options: RunOptions
) -> StageResult:
    """Run one denoiser over a test set; results are stored in `denoised/LABEL/TRACK/SET/`.

    Mixtures on which the denoiser fails are listed in `failures.csv` and have no metrics.

    Raises:
        UserError: the denoiser cannot be built.
        ArtifactError: results of another configuration or another test file are in the folder.
    """
    candidate.build()  # fails here, with one clear line, rather than in every shard
    keep = data.name in settings.evaluate.keep_waveforms
    folder = layout.denoised(candidate.label, candidate.track, data.name)
    if data.path.is_file() and not options.force:
        _require_same_file(folder, data)
    wanted = settings.evaluate
    about = {
        "denoiser": candidate.label,
        "track": candidate.track,
        "set": data.name,
        "metrics": metrics.described(wanted.profiles, wanted.metrics),
        **candidate.identity,
    }
    score_again = "scoring the stored waveforms again" if keep else "its waveforms are not stored, so denoising again"
    result = run_stage(
        folder,
        SCHEMA,
        [Job(name, ScoreJob(candidate, data, name, wanted.profiles, keep, wanted.metrics)) for name, _ in data.shards],
        score_shard,
        section=[candidate.settings, candidate.track, keep],
        inputs={},
        contents={"test_data": data.fingerprint},
        seed=settings.seed,
        options=options,
        label=f"{candidate.label} ({candidate.track}) on {data.name}",
        code={**of_modules(__name__, without=ELSEWHERE), **candidate.code},
        last_step=LastStep(metrics.code(wanted.profiles, wanted.metrics), rescore_shard, score_again),
        what="denoising again",
        info=about,
    )
    if data.name == "combined":
        _write_csv(result.artifact, folder / "metrics.csv")
    return result


def _require_same_file(folder: Path, data: TestData) -> None:
    """Check that a test file which a user names does not replace another one; the run's test set may change.

    Raises:
        ArtifactError: the folder holds results of another file.
    """
    if (folder / MANIFEST).exists() and read_manifest(folder, SCHEMA).inputs.get("test_data") != data.fingerprint:
        raise other_settings(folder)


def score_shard(job: ScoreJob) -> ShardResult:
    """Denoise and score one shard; a pure function of the job."""
    table = job.data.load(job.shard)
    denoised, causes = denoised_shard(job, table)
    arrays = _scored(job, table, denoised, np.array([cause is not None for cause in causes]))
    ids = arrays["mixture_id"]
    return ShardResult(arrays, [Failure(str(ids[i]), cause) for i, cause in enumerate(causes) if cause is not None])


def denoised_shard(job: ScoreJob, table: Mapping[str, NDArray[Any]]) -> tuple[NDArray[np.float32], list[str | None]]:
    """What a denoiser makes of a shard's mixtures: waveforms [n, L], NaN where it failed, and the causes."""
    noisy, fs_hz = np.asarray(table["noisy"]), _one_rate(table["fs_hz"], job)  # [n, L]
    labels = _track_labels(job.candidate.track, table, noisy, fs_hz)
    return _denoise(_denoiser(job.candidate), noisy, fs_hz, labels)


def rescore_shard(job: ScoreJob, stored: Mapping[str, NDArray[Any]], failures: Sequence[Failure]) -> ShardResult | None:
    """Score one shard again from its stored waveforms; None where it has none."""
    if "denoised" not in stored:
        return None
    return ShardResult(_scored(job, job.data.load(job.shard), stored["denoised"], stored["failed"]), failures)


def _scored(
    job: ScoreJob, table: Mapping[str, NDArray[Any]], denoised: NDArray[np.float32], failed: NDArray[np.bool_]
) -> dict[str, NDArray[Any]]:
    """The columns of a shard: labels, scores, and the waveforms where they are stored."""
    clean, noisy = np.asarray(table["clean"]), np.asarray(table["noisy"])  # [n, L]
    fs_hz = _one_rate(table["fs_hz"], job)
    active = np.asarray(table["active"]) if "active" in table else None  # [n, L] of test sets cut from whole recordings
    arrays: dict[str, NDArray[Any]] = {name: np.asarray(table[name]) for name in LABELS}
    arrays |= {name: np.asarray(table[name]) for name in ("kind_names",) if name in table}
    arrays["failed"] = failed
    for profile in job.profiles:
        done = ~failed
        where = active[done] if active is not None else None
        signals = (clean[done], noisy[done], denoised[done])
        scores = metrics.compute(*signals, fs_hz, profile, active=where, custom=job.metrics) if done.any() else {}
        for name in scores or metrics.catalogue(profile, job.metrics):
            column = np.full(len(clean), np.nan)
            if scores:
                column[done] = scores[name]
            arrays[f"{profile}.{name}"] = column
    arrays["digest"] = waveform_digests(denoised)
    if job.keep_waveforms:
        arrays["denoised"] = denoised
    return arrays


def waveform_digests(waveforms: NDArray[np.float32]) -> NDArray[np.uint8]:
    """[n, 16]: the first 16 bytes of the SHA-256 of each waveform [L] as little-endian float32.

    They stay where waveforms are not kept, so that a row that is denoised again can be compared.
    """
    rows = np.ascontiguousarray(waveforms, "<f4")
    digests = [hashlib.sha256(row.tobytes()).digest()[:DIGEST_BYTES] for row in rows]
    return np.frombuffer(b"".join(digests), np.uint8).reshape(len(rows), DIGEST_BYTES)


_BUILT: dict[str, Denoiser] = {}


def _denoiser(candidate: Candidate) -> Denoiser:
    """The denoiser, built once per process: reading weights for every shard would cost more than using them."""
    key = repr(candidate)  # holds the hash of the weights
    if key not in _BUILT:
        _BUILT.clear()
        _BUILT[key] = candidate.build()
    return _BUILT[key]


def _denoise(
    denoiser: Denoiser, noisy: NDArray[np.float32], fs_hz: float, labels: NoiseLabels | None
) -> tuple[NDArray[np.float32], list[str | None]]:
    """Denoise the whole batch at once; where that fails, signal by signal, so that a failure affects one signal only.

    Returns:
        The estimates [n, L] (NaN where the denoiser failed) and for each signal the cause of its failure, or None.
    """
    try:
        return denoiser.denoise(noisy, fs_hz, labels), [None] * len(noisy)
    except Exception as error:  # noqa: BLE001 - any failure of a method is a result to be recorded
        log.debug("batch failed (%s), trying one by one", error)
    estimates = np.full_like(noisy, np.nan)
    causes: list[str | None] = []
    for row in range(len(noisy)):
        one = None if labels is None else labels[row : row + 1]
        try:
            estimates[row] = denoiser.denoise(noisy[row : row + 1], fs_hz, one)[0]
            causes.append(None)
        except Exception as error:  # noqa: BLE001 - as above; it is recorded and counted
            causes.append(f"{type(error).__name__}: {error}")
    return estimates, causes


def _track_labels(
    track: str, table: Mapping[str, NDArray[Any]], noisy: NDArray[np.float32], fs_hz: float
) -> NoiseLabels | None:
    """The labels of a track: None (blind), the true kinds (oracle, published), or those that are predicted (auto)."""
    if track in ("oracle", "published"):
        return _labels(table, "published" if track == "published" else "evidence")
    if track == "auto":
        from cleansemg.quality import noise_labels

        return noise_labels(noisy, fs_hz)
    return None


def _labels(table: Mapping[str, NDArray[Any]], rule: Rule) -> NoiseLabels:
    kinds = np.asarray(table["kinds"], np.bool_)
    sources = np.asarray(table["noise_name"]).astype(str) if "noise_name" in table else None
    return NoiseLabels(
        kinds=kinds,
        line_hz=np.asarray(table["line_hz"], np.float64),
        clean=np.asarray(table["clean"], np.float64),
        names=names_in(table),
        rule=rule,
        sources=sources if sources is not None and sources.shape == kinds.shape else None,
    )


def _one_rate(fs_hz: NDArray[np.float64], job: ScoreJob) -> float:
    rates = np.unique(fs_hz)
    if len(rates) != 1:
        raise UserError(f"{job.data.path}: shard '{job.shard}' mixes sampling rates {rates.tolist()}")
    return float(rates[0])


def _write_csv(artifact: Artifact, path: Path) -> None:
    """Write the metrics of every mixture as CSV, with one shard in memory at a time."""
    npz.remove_leftovers(path)
    with npz.atomic_writer(path) as file:
        header: list[str] = []
        for _, arrays in artifact:
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            if not header:
                header = [name for name in arrays if arrays[name].ndim == 1]
                writer.writerow(header)
            columns: Sequence[Sequence[Any]] = [_texts(arrays[name]) for name in header]
            writer.writerows(zip(*columns, strict=True))
            file.write(text.getvalue().encode())


def _texts(column: NDArray[Any]) -> list[str]:
    if column.dtype.kind == "f":
        return [f"{value:.9g}" for value in column]
    return [str(value) for value in column]
