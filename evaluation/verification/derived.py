"""Columns of Table 1 that are no plain means: skill, the highest SNR, clean input, people of other data sets."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

import numpy as np

from cleansemg.evaluation.verification.intervals import means_of_people, over_people
from cleansemg.evaluation.verification.scored import Scored

CLEAN_MOST_DB = 60.0
ABROAD = "out_of_domain"


def columns(
    row: Mapping[str, str],
    scored: Scored,
    profile: str,
    every: Sequence[Scored],
    sets: Mapping[str, Sequence[Scored]],
    confidence: float,
) -> dict[str, float]:
    """The derived columns of one row, computed anew.

    Args:
        row: of the CSV; columns that it lacks are not computed.
        scored: the same denoiser and track.
        profile: of the metrics.
        every: all rows of the table's set.
        sets: the scores of all sets, by name.
        confidence: of the intervals.
    """
    expected: dict[str, float] = {}
    if "skill" in row:
        expected |= _named("skill", _skill(scored, every, profile, confidence))
    if "SNRimp_highest" in row:
        finite = scored.snr_db[np.isfinite(scored.snr_db)]
        at = scored.snr_db == (finite.max() if len(finite) else math.nan)
        values = scored.values[f"{profile}.SNRimp"][at]
        expected |= _named("SNRimp_highest", over_people(values, scored.subject[at], confidence))
    if "clean_SNR" in row:
        clean = _of(sets.get("clean", ()), scored.who)
        numbers = (math.nan,) * 3
        if clean is not None and f"{profile}.SNR_out" in clean.values:
            limited = np.minimum(clean.values[f"{profile}.SNR_out"], CLEAN_MOST_DB)
            numbers = over_people(limited, clean.subject, confidence)
        expected |= _named("clean_SNR", numbers)
    abroad = _of(sets.get(ABROAD, ()), scored.who)
    for key in scored.keys:
        name = f"{ABROAD}_{key}"
        if name in row:
            numbers = (math.nan,) * 3
            if abroad is not None:
                numbers = over_people(abroad.values[f"{profile}.{key}"], abroad.subject, confidence)
            expected |= _named(name, tuple(number / scored.scales[key] for number in numbers))
    return {name: value for name, value in expected.items() if name in row}


def _named(key: str, numbers: Sequence[float]) -> dict[str, float]:
    return dict(zip((key, f"{key}_low", f"{key}_high"), numbers, strict=True))


def _of(every: Sequence[Scored], who: tuple[str, str]) -> Scored | None:
    return next((one for one in every if one.who == who), None)


def _skill(scored: Scored, every: Sequence[Scored], profile: str, confidence: float) -> tuple[float, float, float]:
    """Share of the way from `gain` to `psm_oracle`, and the ratios that a t test does not reject (Fieller)."""
    ends = [next((one for one in every if one.who[0] == label), None) for label in ("gain", "psm_oracle")]
    floor, ceiling = ends
    if floor is None or ceiling is None:
        return (math.nan,) * 3
    method, least, most = (means_of_people(s.values[f"{profile}.SNRimp"], s.subject) for s in (scored, floor, ceiling))
    people = [name for name in method if name in least and name in most]
    a = [method[name] - least[name] for name in people]
    b = [most[name] - least[name] for name in people]
    if not people or statistics.fmean(b) == 0:
        return (math.nan,) * 3
    ratio = statistics.fmean(a) / statistics.fmean(b)
    if len(people) < 2:
        return ratio, math.nan, math.nan
    low, high = _not_rejected(a, b, confidence)
    return ratio, low, high


def _not_rejected(a: Sequence[float], b: Sequence[float], confidence: float) -> tuple[float, float]:
    """The roots of n (mean(a) - r mean(b))^2 = t^2 var(a - r b), a quadratic in r; NaN where they bound nothing."""
    from scipy import stats

    n = len(a)
    t2 = float(stats.t.ppf((1 + confidence) / 2, n - 1)) ** 2
    covariance = statistics.covariance(a, b)
    square = n * statistics.fmean(b) ** 2 - t2 * statistics.variance(b)
    if square <= 0:
        return math.nan, math.nan
    middle = n * statistics.fmean(a) * statistics.fmean(b) - t2 * covariance
    constant = n * statistics.fmean(a) ** 2 - t2 * statistics.variance(a)
    root = math.sqrt(max(middle**2 - square * constant, 0.0))
    return (middle - root) / square, (middle + root) / square
