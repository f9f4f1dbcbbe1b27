"""Table 1: what each denoiser is worth, on which people, with which interval.

Every number is a mean over people of each person's mean, so that everybody counts the same (`stats/intervals.py`).
Beside the metrics of the mixtures stand the skill between floor and ceiling, what becomes of the best recordings (the
highest SNR of the set) and of recordings without noise, and the same measures on people of another data set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.rendering import Column, Table
from cleansemg.evaluation import metrics
from cleansemg.evaluation.metrics import ARROWS, MetricInfo
from cleansemg.evaluation.scores import Scores
from cleansemg.evaluation.stats import comparison_tables
from cleansemg.evaluation.stats.intervals import interval_of_means, person_interval, person_means, ratio_interval

if TYPE_CHECKING:
    from cleansemg.settings import Settings

FloatArray = NDArray[np.float64]
TwoWay = Mapping[tuple[str, str], Mapping[str, tuple[float, float]]]  # label and track -> metric -> limits

SNRIMP = "SNRimp"
FLOOR, CEILING = "gain", "psm_oracle"  # what removes nothing, and the best real gains: the ends of the scale of skill
SKILL, AT_HIGHEST, ON_CLEAN = "skill", "SNRimp_highest", "clean_SNR"
CLEAN_MOST_DB = 60.0  # a difference that small is none; 144 dB of a segment that is untouched would hide the others
OUT_OF_DOMAIN = "out_of_domain"
OUT_OF_DOMAIN_KEYS = ("SI_SDRimp", SNRIMP, "EMG_gain")
IN_CSV = ("SNR_out", "SNRimp_scaled", "RMSE", "PRD")  # follow from the others, or carry the signals' unit


@dataclass(frozen=True)
class OtherSets:
    """Scores on the sets beside the one that Table 1 is made of; empty where they were not evaluated.

    Attributes:
        clean: on segments without noise.
        out_of_domain: on people of data sets that nothing was fitted to or chosen by.
    """

    clean: Sequence[Scores] = ()
    out_of_domain: Sequence[Scores] = ()


def table1(
    every: Sequence[Scores],
    settings: Settings,
    profile: str,
    notes: Sequence[str],
    others: OtherSets | None = None,
    two_way: TwoWay | None = None,
    title: str = "Table 1",
) -> Table:
    """One row per denoiser and track, the best first, every value with its interval over people.

    Args:
        every: scores of all rows on one set.
        settings: of the run.
        profile: of the metrics.
        notes: under the table.
        others: the sets of the last columns.
        two_way: intervals over people and noise records, for the CSV.
        title: of the table, before the run's.
    """
    infos = list(metrics.catalogue(profile, settings.evaluate.metrics).values())
    others = others or OtherSets()
    confidence = settings.tables.confidence
    tests, test_notes = comparison_tables.beside_best(every, profile, settings)
    by_who = {(scores.label, scores.track): scores for scores in every}
    bounds = [next((s for s in every if s.label == label), None) for label in (FLOOR, CEILING)]
    rows = []
    for who, scores in by_who.items():
        row: dict[str, Any] = {"denoiser": scores.label, "track": scores.track}
        row |= _means(scores, profile, infos, confidence)
        row |= _limits(SKILL, _skill(scores, bounds, profile, confidence))
        row |= _limits(AT_HIGHEST, _at_highest(scores, profile, confidence))
        row |= _limits(ON_CLEAN, _on_clean(_of(others.clean, who), profile, confidence))
        abroad = _of(others.out_of_domain, who)
        known = [info for info in infos if info.key in OUT_OF_DOMAIN_KEYS]
        row |= _means(abroad, profile, known, confidence, f"{OUT_OF_DOMAIN}_") if abroad else {}
        n_people = len(set(scores.subject.tolist()))
        row |= {"n_mixtures": len(scores.failed), "n_subjects": n_people, "n_failed": int(scores.failed.sum())}
        for key, (low, high) in (two_way or {}).get(who, {}).items():
            row |= {f"{key}_two_way_low": low, f"{key}_two_way_high": high}
        rows.append(row | tests.get(who, {}))
    headline = infos[0]
    rows.sort(key=lambda row: _order(row[headline.key], headline))
    tested = [test_notes[0] + comparison_tables.ROUNDED, *test_notes[1:]] if test_notes else []
    explained = _explained(every, others, bounds, settings)
    beside = [Column(f"{key}_two_way_{end}") for key in _keys(two_way) for end in ("low", "high")]
    columns = [*_columns(infos, every, others), *beside]
    return Table(f"{title}: {settings.title}", columns, rows, [*notes, *explained, *tested])


def _keys(two_way: TwoWay | None) -> list[str]:
    return list(dict.fromkeys(key for limits in (two_way or {}).values() for key in limits))


def heading(info: MetricInfo) -> str:
    """Name, unit and direction of a metric, for a table."""
    scale = "" if info.table_scale == 1 else f"{info.table_scale:.0e} ".replace("e-0", "e-")
    unit = f" ({scale}{info.unit})" if info.unit else ""
    return f"{info.display_name}{unit} {ARROWS[info.better]}"


def highest_snr(scores: Scores) -> float:
    """The highest SNR of the set's mixtures, dB; NaN where none has a finite one."""
    finite = scores.snr_db[np.isfinite(scores.snr_db)]
    return float(finite.max()) if len(finite) else float("nan")


def _columns(infos: Sequence[MetricInfo], every: Sequence[Scores], others: OtherSets) -> list[Column]:
    """First what decides, then features, then people of other data sets; what is left is in the CSV alone."""
    columns = [Column("denoiser", "denoiser"), Column("track", "track")]
    first = [info for info in infos if info.key in ("SI_SDRimp", SNRIMP)]
    gain = [info for info in infos if info.key == "EMG_gain"]
    rest = [info for info in infos if info not in first and info not in gain]
    columns += _shown(first)
    bounded = {FLOOR, CEILING} <= {scores.label for scores in every}
    columns += _column(SKILL, "skill ↑" if bounded else None, 2)
    columns += _column(AT_HIGHEST, f"SNRimp at {highest_snr(every[0]):g} dB ↑", 2)
    columns += _column(ON_CLEAN, "clean input (dB) ↑" if others.clean else None, 1)
    columns += _shown(gain)
    columns += _shown(info for info in rest if info.key not in IN_CSV)
    if others.out_of_domain:
        columns += _shown((i for i in infos if i.key in OUT_OF_DOMAIN_KEYS), f"{OUT_OF_DOMAIN}_", "other people: ")
    columns += [c for info in rest if info.key in IN_CSV for c in _column(info.key, None, info.decimals)]
    columns += [Column("n_mixtures", "n"), Column("n_subjects", "people"), Column("n_failed", "failed")]
    return [*columns, Column("p_best", "p vs best", 4), Column("effect_best")]


def _shown(infos: Any, prefix: str = "", before: str = "") -> list[Column]:
    return [c for info in infos for c in _column(f"{prefix}{info.key}", before + heading(info), info.decimals)]


def _column(key: str, text: str | None, decimals: int) -> list[Column]:
    """A value with its limits in brackets; without heading in the CSV alone."""
    limits = (f"{key}_low", f"{key}_high")
    return [Column(key, text, decimals, limits), *(Column(limit) for limit in limits)]


def _means(
    scores: Scores, profile: str, infos: Sequence[MetricInfo], confidence: float, prefix: str = ""
) -> dict[str, float]:
    values = scores.of(profile, [info.key for info in infos])
    scale = np.array([info.table_scale for info in infos])
    limits = [part / scale for part in person_interval(values, scores.subject, confidence)]
    row: dict[str, float] = {}
    for column, info in enumerate(infos):
        mean, low, high = (float(part[column]) for part in limits)
        row |= _limits(f"{prefix}{info.key}", (mean, low, high))
    return row


def _limits(key: str, values: tuple[float, float, float]) -> dict[str, float]:
    mean, low, high = values
    return {key: mean, f"{key}_low": low, f"{key}_high": high}


def _skill(
    scores: Scores, bounds: Sequence[Scores | None], profile: str, confidence: float
) -> tuple[float, float, float]:
    """(method - gain) / (psm_oracle - gain) of the people's mean SNR improvements."""
    floor, ceiling = bounds
    if floor is None or ceiling is None:
        return float("nan"), float("nan"), float("nan")
    method, least, most = (person_means(s.of(profile, [SNRIMP]), s.subject)[:, 0] for s in (scores, floor, ceiling))
    return ratio_interval(method - least, most - least, confidence)


def _at_highest(scores: Scores, profile: str, confidence: float) -> tuple[float, float, float]:
    rows = scores.snr_db == highest_snr(scores)
    parts = person_interval(scores.of(profile, [SNRIMP])[rows], scores.subject[rows], confidence)
    return float(parts[0][0]), float(parts[1][0]), float(parts[2][0])


def _on_clean(scores: Scores | None, profile: str, confidence: float) -> tuple[float, float, float]:
    """SNR of the output to the input of segments without noise, each at most `CLEAN_MOST_DB`."""
    if scores is None or f"{profile}.SNR_out" not in scores.values:
        return float("nan"), float("nan"), float("nan")
    limited = np.minimum(scores.of(profile, ["SNR_out"]), CLEAN_MOST_DB)
    parts = interval_of_means(person_means(limited, scores.subject), confidence)
    return float(parts[0][0]), float(parts[1][0]), float(parts[2][0])


def _of(every: Sequence[Scores], who: tuple[str, str]) -> Scores | None:
    return next((scores for scores in every if (scores.label, scores.track) == who), None)


def _order(value: float, info: MetricInfo) -> tuple[bool, float]:
    """The best first, rows without a value last."""
    return (np.isnan(value), -float(info.goodness(np.array([value]))[0]))


def _explained(
    every: Sequence[Scores], others: OtherSets, bounds: Sequence[Scores | None], settings: Settings
) -> list[str]:
    notes = []
    if all(bounds):
        notes.append(
            "Skill: (method - `gain`) / (`psm_oracle` - `gain`) of SNRimp; 0 is a method that only turns the signal "
            "down, 1 the ceiling of real gains. Its interval is Fieller's."
        )
    if others.clean:
        notes.append(
            f"Clean input: SNR of output to input of segments without noise, at most {CLEAN_MOST_DB:g} dB for each."
        )
    if others.out_of_domain:
        people = others.out_of_domain[0].subject
        names = sorted({str(name).partition("/")[0] for name in people})
        notes.append(
            f"Other people: {len(people)} drawn mixtures of {len(set(people.tolist()))} persons of {', '.join(names)}, "
            "to whose recordings nothing was fitted and by whom nothing was chosen."
        )
    return notes
