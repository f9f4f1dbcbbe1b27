"""The stage that calibrates classical denoisers: a grid search on validation mixtures, separately for each track.

Every candidate is one shard, so the search can run in parallel and be resumed. The score is the mean improvement
of the signal-to-noise ratio over all mixtures (the `standard` SNRimp of the evaluation).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cleansemg import denoising
from cleansemg.core import config
from cleansemg.core.artifact import Failure, Schema
from cleansemg.core.code_identity import of_entry, of_modules
from cleansemg.core.layout import Layout
from cleansemg.core.stage import Job, Report, RunOptions, ShardResult, StageResult, disk_error, run_stage
from cleansemg.denoising import NoiseLabels
from cleansemg.noise.kinds import named_columns
from cleansemg.training import calibration_set, search_space, tradition_params
from cleansemg.training.calibration_set import CalibrationSet
from cleansemg.training.search_space import Calibration, SearchSpace

if TYPE_CHECKING:
    from cleansemg.settings import Settings

log = logging.getLogger(__name__)

STAGE = "calibrate"
SCHEMA = Schema("calibration", 1, step="cleansemg run --stages calibrate")
DATA = ("cleansemg.data_pipeline",)  # the segments' fingerprint includes its code
FLOAT32_ROUNDING = 2.0**-24  # results are stored in float32, so the error is at least its rounding error


@dataclass(frozen=True)
class CandidateJob:
    """One candidate on one track."""

    denoiser: str
    parameters: Mapping[str, Any]
    track: str
    mixtures: CalibrationSet


def run(
    settings: Settings,
    layout: Layout,
    options: RunOptions,
    *,
    trad_config: Path | None = None,
    segments_root: Path | None = None,
    noise_root: Path | None = None,
    weights: Path | None = None,
    methods: str | None = None,
) -> Report:
    """Search every selected method's grid and write `tradition_params.json`.

    With `calibrate.repeat`, the search is repeated on a second, independent set of draws of the same segments, and file
    and report say whether it selects the same parameters. Those of the first set are used in any case.

    Args:
        settings: the configuration.
        layout: folders of the run's segments and noise.
        options: workers, and `force` to replace another calibration in the folder.
        trad_config: the search file; None: `calibrate.trad_config` beside the configuration or below configs/.
        segments_root: folder with the parts of the segments, of which `valid` is used; None: the run's.
        noise_root: noise library; None: the run's validation noise.
        weights: folder of the results; None: the run's `weights_tradition`.
        methods: `all`, or names separated by commas; None: `calibrate.methods`. Without methods, nothing is done.

    Raises:
        UserError: see `search_space.read`, `search_space.select` and `calibration_set.make`; or the disk is full or not
            writable.
        ArtifactError: segments or noise are missing, or the folder holds another calibration.
    """
    methods = ",".join(settings.calibrate.methods) if methods is None else methods
    if not methods:
        return Report(STAGE, ("nothing to calibrate: calibrate.methods is empty",))
    path = trad_config or config.referenced(settings.calibrate.trad_config, settings)
    calibration, spaces = search_space.read(path)
    selected = search_space.select(spaces, methods, path)
    segments = (segments_root / "valid") if segments_root else layout.segments("valid")
    folder = weights or layout.weights_classical
    noise = noise_root or layout.noise("valid")
    mixtures = calibration_set.make(settings, calibration, segments, noise)
    sets = [mixtures]
    if settings.calibrate.repeat:
        sets.append(calibration_set.make(settings, calibration, segments, noise, second=True))
    try:
        if options.force:  # the old file must not be mistaken for a finished result
            (folder / tradition_params.FILE).unlink(missing_ok=True)
        results = [
            _search(space, one, calibration, settings, folder, options, second=number == 1)
            for space in selected
            for number, one in enumerate(sets)
        ]
        summary = tradition_params.write(folder, SCHEMA, results[0].artifact.manifest)
    except OSError as error:
        raise disk_error(folder, error) from error
    unmixed = [len(one.failures) for one in sets] * len(selected)
    n_failures = len(mixtures.failures) + sum(len(r.failures) - n for r, n in zip(results, unmixed, strict=True))
    return Report(STAGE, (_describe(mixtures, noise_root), *summary), n_failures)


def snr_improvement_db(
    clean: NDArray[np.floating], noisy: NDArray[np.floating], denoised: NDArray[np.floating]
) -> NDArray[np.float64]:
    """SNR of the denoised minus SNR of the noisy signals, dB: three arrays [n, L] -> [n].

    SNR is 10 log10(sum c^2 / sum (e - c)^2) with clean signal c and estimate e; the norm of the error is limited to at
    least 2^-24 of the norm of c.

    >>> clean = np.array([[1.0, -1.0, 1.0, -1.0]])
    >>> snr_improvement_db(clean, 2 * clean, 1.1 * clean).round(6)
    array([20.])
    """
    c = np.asarray(clean, np.float64)
    least = FLOAT32_ROUNDING**2 * np.sum(c * c, axis=-1)

    def error_energy(estimate: NDArray[np.floating]) -> NDArray[np.float64]:
        error = np.asarray(estimate, np.float64) - c
        energy: NDArray[np.float64] = np.maximum(np.sum(error * error, axis=-1), least)
        return energy

    improvement: NDArray[np.float64] = 10 * np.log10(error_energy(noisy) / error_energy(denoised))
    return improvement


def score_candidate(job: CandidateJob) -> ShardResult:
    """Denoise and score all mixtures with one candidate; a pure function of the job.

    Mixtures that the candidate cannot process are recorded as failures; their score is NaN.
    """
    mixtures = job.mixtures
    estimates, causes = _denoise(job)
    failed = np.array([cause is not None for cause in causes])
    improvement, rmse = np.full(len(failed), np.nan), np.full(len(failed), np.nan)
    clean, noisy, done = mixtures.clean[~failed], mixtures.noisy[~failed], estimates[~failed]
    improvement[~failed] = snr_improvement_db(clean, noisy, done)
    rmse[~failed] = np.sqrt(np.mean((done.astype(np.float64) - clean) ** 2, axis=-1))
    arrays = {
        "mixture_id": mixtures.ids,
        "snr_db": mixtures.snr_db,
        "kinds": mixtures.kinds,
        **named_columns(mixtures.kind_names, len(mixtures.ids)),
        "failed": failed,
        "SNRimp": improvement,
        "RMSE": rmse,
    }
    who = f"{job.denoiser} ({job.track}, {tradition_params.describe(job.parameters)})"
    failures = [Failure(f"{who}: {mixtures.ids[row]}", cause) for row, cause in enumerate(causes) if cause is not None]
    return ShardResult(arrays, failures)


def _denoise(job: CandidateJob) -> tuple[NDArray[np.float32], list[str | None]]:
    """Denoise the batch at once or, if that fails, one by one: estimates [n, L], and the cause of each failure."""
    denoiser = denoising.load(job.denoiser, **job.parameters)
    mixtures = job.mixtures

    def denoise(rows: slice) -> NDArray[np.float32]:
        known = NoiseLabels(
            mixtures.kinds[rows], mixtures.line_hz[rows], names=mixtures.kind_names,
            rule="published" if job.track == "published" else "evidence",
            sources=None if mixtures.sources is None else mixtures.sources[rows],
        )  # fmt: skip
        labels = None if job.track == "blind" else known
        return denoiser.denoise(mixtures.noisy[rows], mixtures.fs_hz, labels)

    n = len(mixtures.noisy)
    try:
        return denoise(slice(None)), [None] * n
    except Exception as error:  # noqa: BLE001 - any failure of a method is a result to be recorded
        log.debug("batch failed (%s), trying one by one", error)
    estimates = np.full_like(mixtures.noisy, np.nan)
    causes: list[str | None] = [None] * n
    for row in range(n):
        try:
            estimates[row] = denoise(slice(row, row + 1))[0]
        except Exception as error:  # noqa: BLE001 - as above; it is recorded and counted
            causes[row] = f"{type(error).__name__}: {error}"
    return estimates, causes


def _search(
    space: SearchSpace,
    mixtures: CalibrationSet,
    calibration: Calibration,
    settings: Settings,
    folder: Path,
    options: RunOptions,
    second: bool = False,
) -> StageResult:
    """Score all candidates of one method; each method has a separate folder, so methods can be added.

    Those of the second set of draws lie in a folder below.
    """
    jobs = [
        Job(
            tradition_params.shard_name(track, number),
            CandidateJob(space.name, {**space.fixed, **candidate}, track, mixtures),
        )
        for track in space.tracks
        for number, candidate in enumerate(space.grid())
    ]
    conditions = {
        **calibration.model_dump(mode="json"),
        "wgn_floor_db": settings.mix.wgn_floor_db,
        "fs_hz": mixtures.fs_hz,
        **({tradition_params.DRAWS: 2} if second else {}),
    }
    name = re.sub(r"[^A-Za-z0-9_-]", "_", space.entry.name)
    info = {
        "denoiser": space.name,
        "parameters": space.fixed,
        "search": [[name, list(values)] for name, values in space.search.items()],  # pairs keep the order of the grid
        "own_values": space.default_values(),
        "tracks": list(space.tracks),
        "calibration": conditions,
        "noise_part": mixtures.noise_part,
        "n_segments_failed": len(mixtures.failures),
    }
    return run_stage(
        folder / name / tradition_params.SECOND if second else folder / name,
        SCHEMA,
        jobs,
        score_candidate,
        section=[space.entry.name, info],
        inputs=mixtures.inputs,
        seed=settings.seed,
        options=options,
        label=f"calibrate {space.entry.name}" + (", second draws" if second else ""),
        code={**of_modules(__name__, without=DATA), **of_entry(space.entry)},
        is_fit=True,
        failures=mixtures.failures,
        info=info,
    )


def _describe(mixtures: CalibrationSet, noise_root: Path | None) -> str:
    part = {"": "noise of a part that its folder does not name", "valid": "validation noise", "train": "training noise"}
    source = part[mixtures.noise_part]
    if mixtures.noise_part == "train":
        source += " (allowed: no score of the evaluation is made on it)"
    if noise_root:
        source += f" of {noise_root}"
    text = f"{len(mixtures.ids)} mixtures of validation segments of {mixtures.n_subjects} subjects with {source}"
    if mixtures.failures:
        text += f"; {len(mixtures.failures)} could not be mixed"
    absent = [kind for i, kind in enumerate(mixtures.kind_names) if not mixtures.kinds[:, i].any()]
    return text + (f"; none holds {', '.join(absent)}" if absent else "")
