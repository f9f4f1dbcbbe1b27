"""Metrics that compare denoised with clean segments, in several profiles; docs/metrics.md defines them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError, one_line, raised_at
from cleansemg.evaluation.metrics.batch import Batch
from cleansemg.evaluation.metrics.framing import WINDOW_S, window_samples
from cleansemg.evaluation.metrics.interface import (
    ARROWS,
    PROFILES,
    PROTOCOL_PROFILES,
    Metric,
    MetricInfo,
    Profile,
    catalogue,
    check_profile,
    code,
    described,
    select,
    use_stored,
)
from cleansemg.evaluation.metrics.protocol_features import ARV_SAMPLES
from cleansemg.evaluation.metrics.workspace import Workspace

__all__ = [
    "ARROWS",
    "PROFILES",
    "PROTOCOL_PROFILES",
    "Batch",
    "Metric",
    "MetricInfo",
    "Profile",
    "catalogue",
    "code",
    "compute",
    "described",
    "select",
    "use_stored",
]

BATCH_SAMPLES = 32_768  # samples per batch of one signal: spectra stay in cache, and call overhead is small
PUBLISHED_FS_HZ = 1000.0


def compute(
    clean: NDArray[np.floating],
    noisy: NDArray[np.floating],
    denoised: NDArray[np.floating],
    fs_hz: float,
    profile: str = "standard",
    *,
    metrics: Iterable[str] | None = None,
    active: NDArray[np.bool_] | None = None,
    custom: Sequence[str] = (),
) -> dict[str, NDArray[np.float64]]:
    """Score segments one by one.

    Args:
        clean: [n, L] references, in volts.
        noisy: [n, L] inputs of the denoiser, in volts.
        denoised: [n, L] outputs of the denoiser, in volts.
        fs_hz: sampling rate of all three in hertz, at least 100; 1000 for all profiles but `standard`.
        profile: `standard` (textbook definitions, independent of the unit), `published` (CleanSEMG's definitions),
            `ecg_paper` (MSEMG, SDEMG, FCN) or `trustemg`.
        metrics: keys, registry names or `package.module:Class`; None: all of the profile.
        active: [n, L] bool, where the subject contracts; only the mean frequency of the last two profiles needs it.
        custom: the user's metrics, `package.module:Class`, added to those of the profile; unused with `metrics`.

    Returns:
        One float64 array [n] per metric, by key, in the requested order. A row's values depend on that row only.

    Raises:
        UserError: shapes differ, the rate does not fit, L is shorter than 200 ms (1000 samples for `ecg_paper`), a
            value is NaN or infinite, a clean segment is silent, `active` is missing, or a name is unknown. The
            message names the row where one is the cause.
    """
    profile = check_profile(profile)
    infos = catalogue(profile, custom).values() if metrics is None else select(metrics, profile)
    selected = [(info, info.build()) for info in infos]
    n, length = _checked_shape(clean, noisy, denoised)
    _check_rate(fs_hz, profile, length)
    results = {info.key: np.empty(n) for info, _ in selected}
    workspace = Workspace()
    rows = max(1, BATCH_SAMPLES // length)
    for start in range(0, n, rows):
        part = slice(start, start + rows)
        batch = Batch(
            clean=np.ascontiguousarray(clean[part], np.float64),
            noisy=np.ascontiguousarray(noisy[part], np.float64),
            denoised=np.ascontiguousarray(denoised[part], np.float64),
            fs_hz=float(fs_hz),
            first_row=start,
            workspace=workspace,
            active=None if active is None else np.asarray(active[part], np.bool_),
        )
        for info, metric in selected:
            results[info.key][part] = _score(info, metric, batch, profile)
    return results


def _score(info: MetricInfo, metric: Metric, batch: Batch, profile: Profile) -> NDArray[np.float64]:
    """[n] one value per segment; an error in a user's metric becomes a UserError of one line."""
    if info.entry.extra:  # one that the project ships
        return metric.score(batch, profile)
    n, where = len(batch.clean), f"metric '{info.key}' ({info.entry.target})"
    try:
        values = np.asarray(metric.score(batch, profile), np.float64)
    except Exception as error:
        cause = f"{type(error).__name__}: {one_line(error)}{raised_at(error, Path.cwd())}"
        raise UserError(f"{where}: score raises {cause}") from error
    if values.shape != (n,):
        raise UserError(f"{where}: score returns shape {list(values.shape)} for {n} segments, expected [{n}]")
    return values


def _checked_shape(*signals: NDArray[np.floating]) -> tuple[int, int]:
    shapes = [np.shape(signal) for signal in signals]
    if len(set(shapes)) > 1 or len(shapes[0]) != 2:
        raise UserError(f"clean, noisy and denoised must have one shape [n, L], got {', '.join(map(str, shapes))}")
    return shapes[0][0], shapes[0][1]


def _check_rate(fs_hz: float, profile: Profile, length: int) -> None:
    if not math.isfinite(fs_hz) or fs_hz < 100:
        raise UserError(f"fs_hz must be a finite rate of 100 Hz or more, got {fs_hz}")
    if profile != "standard" and fs_hz != PUBLISHED_FS_HZ:
        raise UserError(
            f"profile '{profile}' is defined in samples at 1000 Hz, got fs_hz={fs_hz:g}:"
            " resample, or use profile 'standard'"
        )
    shortest = window_samples(fs_hz)
    if length < ARV_SAMPLES.get(profile, 0):
        raise UserError(f"segments have {length} samples; profile '{profile}' needs {ARV_SAMPLES[profile]}")
    if length < shortest:
        raise UserError(f"segments have {length} samples; metrics need {shortest} ({WINDOW_S:g} s at {fs_hz:g} Hz)")
