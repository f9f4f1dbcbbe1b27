"""Stage grade: grades every trial-channel by its quality measures and accepts or rejects it (A2).

The rules are checked in this order, and the first one that fails decides: length of the trial, clipping, the stay at a
rail, SMR, SHR, OHM, SNR, the accepted grades (`grade.keep`), and the Hampel gate. A measure that is missing (NaN) fails
its rule. With `grade.rule: none`, every trial-channel is accepted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import artifact
from cleansemg.core.artifact import Artifact, Schema
from cleansemg.core.code_identity import of_modules
from cleansemg.core.layout import Layout
from cleansemg.core.stage import Job, Report, RunOptions, ShardResult, run_stage
from cleansemg.data_pipeline import columns
from cleansemg.data_pipeline.qc import SCHEMA as QUALITY
from cleansemg.data_pipeline.qc import enabled_databases
from cleansemg.data_pipeline.settings import Grade
from cleansemg.data_pipeline.trial_measures import QcRow

if TYPE_CHECKING:
    from cleansemg.settings import Settings

SCHEMA = Schema("grades", 1, step="cleansemg run --stages grade")
UNGRADED = "none"  # the grade of what is accepted without a check
TABLE = "grades.csv"
SUMMARY = "grades_summary.csv"
JUDGED = ("grade", "kept", "rule", "reason")  # columns of a `Judgement`
COLUMNS = (*QcRow.__dataclass_fields__, *JUDGED)


class Judgement(NamedTuple):
    """The grade (A, B, C, reject or none), whether it is accepted and, if not, the rule that failed and the reason."""

    grade: str
    accepted: bool
    rule: str = ""
    reason: str = ""


@dataclass(frozen=True)
class GradeJob:
    """What a worker needs to grade one database."""

    folder: Path
    grade: Grade
    min_trial_samples: int
    hampel_window_s: float


@dataclass(frozen=True)
class SummaryRow:
    """Number of trial-channels of a database with the same grade and outcome; `rule` is empty for accepted ones."""

    database: str
    grade: str
    accepted: bool
    rule: str
    trial_channels: int


def run(settings: Settings, layout: Layout, options: RunOptions) -> Report:
    """Grade every enabled database.

    Raises:
        ArtifactError: quality measures of a database are missing or altered.
    """
    databases = sorted(enabled_databases(settings).values())
    manifests = {name: artifact.read_manifest(layout.preprocessed(name), QUALITY) for name in databases}
    jobs = [
        Job(
            database,
            GradeJob(
                layout.preprocessed(database),
                settings.grade,
                settings.qc.min_trial_samples,
                settings.qc.hampel_window_s,
            ),
        )
        for database in databases
    ]
    result = run_stage(
        layout.grades,
        SCHEMA,
        jobs,
        grade_database,
        section={
            "grade": settings.grade.identity(),
            "min_trial_samples": settings.qc.min_trial_samples,
            "hampel_window_s": settings.qc.hampel_window_s,
        },
        inputs={name: manifest.fingerprint for name, manifest in manifests.items()},
        seed=settings.seed,
        options=options,
        label="grade",
        code=of_modules(__name__),
    )
    table = result.artifact.columns(*COLUMNS)
    columns.write_csv(layout.grades / TABLE, table)
    summary = summarise(table)
    counts = columns.from_rows(summary, SummaryRow)
    counts = {"kept" if name == "accepted" else name: values for name, values in counts.items()}
    columns.write_csv(layout.grades / SUMMARY, counts)
    lines = [_line(database, [row for row in summary if row.database == database]) for database in databases]
    return Report("grade", (*lines, f"every trial-channel with its reason: {layout.grades / TABLE}"))


def grade_database(job: GradeJob) -> ShardResult:
    """Grade all trial-channels of one database; a pure function of the job."""
    table = Artifact.open(job.folder, QUALITY).columns(*QcRow.__dataclass_fields__)
    judgements = [judge(row, job) for row in rows_of(table)]
    added = {
        column: np.array([judgement[field] for judgement in judgements], dtype=bool if column == "kept" else np.str_)
        for field, column in enumerate(JUDGED)
    }
    return ShardResult({**table, **added})


def rows_of(table: Mapping[str, NDArray[Any]]) -> list[QcRow]:
    """Convert the columns of a table to rows."""
    values = [table[name].tolist() for name in QcRow.__dataclass_fields__]
    return [QcRow(*row) for row in zip(*values, strict=True)]


def judge(row: QcRow, job: GradeJob) -> Judgement:
    """Grade one trial-channel by the rules of the module's docstring."""
    limits = job.grade
    if limits.rule == "none":
        return Judgement(UNGRADED, True)
    n_samples = row.stop_sample - row.start_sample
    if n_samples < job.min_trial_samples:
        cause = f"trial of {n_samples} samples is shorter than {job.min_trial_samples}"
        return Judgement("reject", False, "short", cause)
    clipped_max = math.inf if limits.clipped_max is None else limits.clipped_max
    rail_max_s = math.inf if limits.rail_max_s is None else limits.rail_max_s
    gates = (
        ("clipping", row.clipped, clipped_max, " of the samples at a rail", row.clipped <= clipped_max),
        ("rail", row.rail_s, rail_max_s, " s at a stretch", row.rail_s <= rail_max_s),
        ("SMR", row.smr_db, limits.smr_min_db, " dB", row.smr_db > limits.smr_min_db),
        ("SHR", row.shr_db, limits.shr_min_db, " dB", row.shr_db > limits.shr_min_db),
        ("OHM", row.ohm, limits.ohm_max, "", row.ohm < limits.ohm_max),
        ("SNR", row.snr_db, limits.snr_c_db, " dB", row.snr_db >= limits.snr_c_db),
    )
    for rule, value, limit, unit, passed in gates:
        if not passed:
            return Judgement("reject", False, rule, _reason(rule, value, limit, unit))
    grade = "A" if row.snr_db >= limits.snr_a_db else "B" if row.snr_db >= limits.snr_b_db else "C"
    if grade not in limits.keep:
        cause = f"grade {grade} (SNR {row.snr_db:.1f} dB) is not among those kept ({', '.join(limits.keep)})"
        return Judgement(grade, False, "keep", cause)
    if not row.hampel <= limits.hampel_max:
        cause = _reason("Hampel", row.hampel, limits.hampel_max, " of the energy")
        if n_samples < round(job.hampel_window_s * row.fs_hz):
            cause = f"the Hampel gate needs {job.hampel_window_s:g} s, the trial has {n_samples / row.fs_hz:.3g} s"
        return Judgement("reject", False, "Hampel", cause)
    return Judgement(grade, True)


def _reason(rule: str, value: float, limit: float, unit: str) -> str:
    if math.isnan(value):
        return f"{rule} could not be measured"
    relation = "below" if value < limit else "above" if value > limit else "exactly at"
    digits = 1 if unit == " dB" else 3
    shown = f"{value:.{digits}f}"
    if value != limit and float(shown) == limit:  # rounded, it would look equal to the limit
        shown = f"{value:.9g}"
    return f"{rule} {shown}{unit} {relation} {limit:.{digits}f}"


def summarise(table: Mapping[str, NDArray[Any]]) -> list[SummaryRow]:
    """Counts by database, grade and rule, sorted."""
    keys = zip(*(table[name].tolist() for name in ("database", "grade", "kept", "rule")), strict=True)
    counts = sorted(Counter(keys).items())
    return [SummaryRow(database, grade, accepted, rule, count) for (database, grade, accepted, rule), count in counts]


def _line(database: str, summary: list[SummaryRow]) -> str:
    """One line about one database: accepted trial-channels by grade, rejected ones by rule."""
    total = sum(row.trial_channels for row in summary)
    accepted = {row.grade: row.trial_channels for row in summary if row.accepted}
    dropped: Counter[str] = Counter()
    for row in summary:
        if not row.accepted:
            dropped[f"grade {row.grade}" if row.rule == "keep" else row.rule] += row.trial_channels
    grades = ", ".join(f"{grade} {count}" for grade, count in sorted(accepted.items())) or "none"
    causes = ", ".join(f"{rule} {count}" for rule, count in dropped.most_common()) or "none"
    return f"{database}: {sum(accepted.values())} of {total} trial-channels kept ({grades}); dropped by {causes}"
