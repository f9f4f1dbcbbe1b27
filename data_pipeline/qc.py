"""Stage qc: quality measures of every trial and channel of the raw recordings (A2), one artifact a database.

A shard holds one subject, a row holds one trial of one channel. This stage only measures. The grade stage applies the
thresholds, so that a change of thresholds needs no new pass over the recordings.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from cleansemg.core.artifact import Schema
from cleansemg.core.code_identity import of_entry, of_modules
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.core.settings import Part
from cleansemg.core.stage import Job, Report, RunOptions, StageResult, run_stage
from cleansemg.data_pipeline import columns, part_selection
from cleansemg.data_pipeline.amplitude import ENVELOPE
from cleansemg.data_pipeline.readers.lookup import database_of, databases_by_part, entry_of, open_reader
from cleansemg.data_pipeline.recording import RecordingReader, RecordingRef
from cleansemg.data_pipeline.settings import Qc, Selected
from cleansemg.data_pipeline.trial_measures import QcRow, SubjectJob, measure_subject

if TYPE_CHECKING:
    from cleansemg.settings import Settings

SCHEMA = Schema("quality", 1, step="cleansemg run --stages qc")
INDEX = "logs/qc_index.csv"


def run(settings: Settings, layout: Layout, options: RunOptions) -> Report:
    """Measure every enabled database.

    Raises:
        UserError: no database is enabled, or the files of one are missing.
    """
    lines, n_failures = [], 0
    for name, database in enabled_databases(settings).items():
        result, n_subjects, n_recordings = _measure_database(name, settings, layout, options)
        n_failures += len(result.failures)
        failed = f", {len(result.failures)} failed (failures.csv)" if result.failures else ""
        lines.append(
            f"{database}: {result.artifact.manifest.count} trial-channels of {n_recordings} recordings, "
            f"{n_subjects} subjects{failed}; {result.artifact.folder / INDEX}"
        )
        lines += questions(database, result, settings.qc)
    return Report("qc", tuple(lines), n_failures)


def questions(database: str, result: StageResult, qc: Qc) -> list[str]:
    """Lines about recordings that cannot be what they are taken for: envelopes, and amplitudes that EMG cannot have."""
    lines = []
    envelopes = [failure for failure in result.failures if ENVELOPE in failure.cause]
    if envelopes:
        lines.append(f"{database}: {len(envelopes)} recordings are no EMG ({envelopes[0].item} {envelopes[0].cause})")
    if not result.artifact.manifest.count:
        return lines
    table = result.artifact.columns("rms_v", "subject", "exercise", "channel_name")
    low_v, high_v = qc.rms_range_v
    odd = np.flatnonzero((table["rms_v"] < low_v) | (table["rms_v"] > high_v))
    if odd.size:
        worst = odd[np.argmax(np.abs(np.log(table["rms_v"][odd])))]
        where = " ".join(str(table[name][worst]) for name in ("subject", "exercise", "channel_name"))
        lines.append(
            f"{database}: QUESTIONABLE AMPLITUDE: {odd.size} of {len(table['rms_v'])} trial-channels have an RMS that "
            f"surface EMG does not have ({where}: {table['rms_v'][worst]:.3g} V; expected "
            f"{low_v:g} to {high_v:g} V); is the unit right? datasets.{database}.parameters.unit"
        )
    return lines


def enabled_databases(settings: Settings) -> dict[str, str]:
    """Name in the configuration -> name in the recordings; they differ for aliases and for the user's own classes.

    Raises:
        UserError: no database is enabled, or two names mean the same database.
    """
    databases = {name: database_of(name, settings) for name in settings.enabled_datasets}
    if not databases:
        raise UserError(f"{settings.config_file}: datasets: none is enabled")
    if len(set(databases.values())) != len(databases):
        raise UserError(
            f"{settings.config_file}: datasets: one database under two names: {databases}; give your names a class:"
        )
    return databases


def subject_shard(subject: str) -> str:
    """The subject's name as a lower-case file name; a name with other characters is changed and gets a hash.

    The hash keeps changed names distinct. Names that differ only in case give the same file name.
    """
    safe = re.sub(r"[^A-Za-z0-9-]+", "_", subject).strip("_").lower()
    if safe and safe == subject.lower():
        return safe
    return f"{safe}-{hashlib.sha256(subject.encode()).hexdigest()[:8]}"


def _measure_database(
    name: str, settings: Settings, layout: Layout, options: RunOptions
) -> tuple[StageResult, int, int]:
    reader = open_reader(name, settings)
    refs, selected = wanted_recordings(reader, settings)
    whole, measure = settings.segment.cut == "recordings", settings.grade.rule != "none"
    entry = entry_of(name, settings)
    jobs = [
        Job(subject_shard(subject), SubjectJob(reader, tuple(subject_refs), settings.qc, whole, measure, selected))
        for subject, subject_refs in itertools.groupby(refs, key=lambda ref: ref.subject)
    ]
    result = run_stage(
        layout.preprocessed(reader.database),
        SCHEMA,
        jobs,
        measure_subject,
        section={
            "qc": settings.qc.identity(exclude=frozenset({"rms_range_v"})),  # which only asks
            "parameters": settings.datasets[name].parameters,
            **({"whole": True} if whole else {}),
            **({} if measure else {"measure": False}),
            **({"selected": {p: part.identity() for p, part in selected.items()}} if selected else {}),
        },
        inputs={ref.key: ref.fingerprint for ref in refs},
        seed=settings.seed,
        options=options,
        label=f"qc {reader.database}",
        code={**of_modules(__name__), **of_entry(entry)},
    )
    columns.write_csv(result.artifact.folder / INDEX, result.artifact.columns(*QcRow.__dataclass_fields__))
    return result, len(jobs), len(refs)


def wanted_recordings(
    reader: RecordingReader, settings: Settings
) -> tuple[list[RecordingRef], Mapping[Part, Selected] | None]:
    """The recordings that the configuration uses, and what each part selects from them (None: everything).

    Raises:
        UserError: as for `list_recordings`; or the selection does not have the database, or selects no recording.
    """
    refs = list_recordings(reader)
    selections = part_selection.of_settings(settings)
    if selections is None or reader.database in databases_by_part(settings):
        return refs, None
    parts = part_selection.of_database(selections, reader.database)
    wanted = [ref for ref in refs if part_selection.takes_recording(parts, ref.subject, ref.exercise)]
    if not wanted:
        raise UserError(
            f"{settings.config_file}: split.selections: takes no recording of {reader.database}; there are e.g. "
            + ", ".join(f"{ref.subject} {ref.exercise}" for ref in refs[:3])
        )
    return wanted, parts


def list_recordings(reader: RecordingReader) -> list[RecordingRef]:
    """The recordings of a database, sorted by subject and exercise.

    Raises:
        UserError: there is no recording, or two recordings share subject and exercise, or share the key.
    """
    refs = sorted(reader.list(), key=lambda ref: (ref.subject, ref.exercise))
    if not refs:
        raise UserError(f"{reader.database}: holds no recording")
    for attributes in (("subject", "exercise"), ("key",)):
        keys_of: dict[tuple[str, ...], str] = {}
        for ref in refs:
            values = tuple(getattr(ref, attribute) for attribute in attributes)
            if values in keys_of:
                raise UserError(
                    f"{reader.database}: recordings '{keys_of[values]}' and '{ref.key}' share {', '.join(attributes)} "
                    f"({', '.join(values)}); give each an exercise of its own"
                )
            keys_of[values] = ref.key
    return refs
