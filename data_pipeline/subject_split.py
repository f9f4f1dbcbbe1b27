"""Stage split: whose segments train, validate and test (A3), written as a YAML that people can read.

A subject is in one part only; that is checked when a split is written and whenever one is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import yaml

from core import artifact, registry
from core.artifact import Artifact, Schema
from core.errors import ArtifactError, UserError
from core.layout import Layout
from core.npz import atomic_write
from core.registry import did_you_mean
from core.settings import PARTS, Part, Segment, Settings
from core.stage import Report, RunOptions, disk_error
from data_pipeline import split_rules
from data_pipeline.grading import SCHEMA as GRADES
from data_pipeline.split_rules import Assignment
from data_pipeline.windows import n_windows

SCHEMA = Schema("split", 1, made_by="python data_pipeline/step3_subject_split.py --config FILE")

Sizes = dict[str, dict[str, int]]  # database -> subject -> estimated number of segments


@dataclass(frozen=True)
class Split:
    """Which part each subject belongs to.

    Attributes:
        rule, seed: how it was made.
        fingerprint: of the settings and grades that it was made from.
        databases: database -> part -> subjects, sorted.
        remarks: what a reader of the results should know, e.g. that the data are a part of the original.
    """

    rule: str
    seed: int
    fingerprint: str
    databases: Mapping[str, Mapping[Part, tuple[str, ...]]]
    remarks: tuple[str, ...] = ()

    def part_of(self, database: str, subject: str) -> Part:
        """The part of a subject.

        Raises:
            UserError: the split does not have that subject.
        """
        for part, subjects in self.databases.get(database, {}).items():
            if subject in subjects:
                return part
        raise UserError(f"the split has no subject '{subject}' of {database}; run: {SCHEMA.made_by} --force")


def run(settings: Settings, layout: Layout, options: RunOptions) -> Report:
    """Split the subjects of the graded databases and write `layout.split`.

    Raises:
        ArtifactError: the grades are missing, or another configuration's split is there and `force` is off.
        UserError: the rule cannot be followed; names the setting, the database or the subject.
    """
    grades = Artifact.open(layout.grades, GRADES)
    sizes = segment_counts(grades, settings.segment)
    assignment, listed = _assign(sizes, settings)
    section = [
        settings.split.model_dump(mode="json", exclude={"file"}),
        settings.segment.model_dump(mode="json"),
        listed,
    ]
    own = artifact.fingerprint(SCHEMA, section, {"grades": grades.manifest.fingerprint}, settings.seed)
    databases = {database: _sorted_parts(parts) for database, parts in sorted(assignment.items())}
    split = Split(settings.split.rule, settings.seed, own, databases, tuple(_remarks(sizes, databases, listed)))
    text = _to_yaml(split, sizes)
    if layout.split.exists() and not options.force:
        _require_same(layout.split, own, text)
    try:
        atomic_write(layout.split, text.encode())
    except OSError as error:
        raise disk_error(layout.split, error) from error
    lines = [_line(database, parts, sizes[database]) for database, parts in databases.items()]
    lines += [f"no subjects to {part}" for part in PARTS if not any(parts[part] for parts in databases.values())]
    return Report("split", (*lines, *split.remarks, f"rule {split.rule}: {layout.split}"))


def _require_same(path: Path, own: str, text: str) -> None:
    if load_split(path).fingerprint != own:
        raise ArtifactError(
            f"{path}: made under another configuration or from other grades; "
            "choose another --output, or start this stage over with --force"
        )
    if path.read_text(encoding="utf-8") != text:
        raise ArtifactError(f"{path}: edited by hand; name your own split in split.file, or undo it with --force")


def segment_counts(grades: Artifact, segment: Segment) -> Sizes:
    """How many segments the kept trial-channels of each subject will give; 0 for a subject with none."""
    sizes: Sizes = {}
    for _, table in grades:
        columns = (
            table[name].tolist() for name in ("database", "subject", "start_sample", "stop_sample", "fs_hz", "kept")
        )
        for database, subject, start, stop, fs_hz, kept in zip(*columns, strict=True):
            own = sizes.setdefault(database, {})
            own[subject] = own.get(subject, 0) + (n_windows(stop - start, fs_hz, segment) if kept else 0)
    return sizes


def load_split(path: Path) -> Split:
    """Read a split that the stage wrote.

    Raises:
        ArtifactError: absent, or not such a file.
        UserError: a subject is in two parts.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        databases = {
            str(database): _sorted_parts({part: content["databases"][database][part] for part in PARTS})
            for database in content["databases"]
        }
        split = Split(
            str(content["rule"]),
            int(content["seed"]),
            str(content["fingerprint"]),
            databases,
            tuple(content["remarks"]),
        )
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such split; run: {SCHEMA.made_by}") from None
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(f"{path}: not a split ({error}); run: {SCHEMA.made_by} --force") from None
    for database, parts in databases.items():
        split_rules.require_disjoint(database, parts, str(path))
    return split


def _assign(sizes: Sizes, settings: Settings) -> tuple[Assignment, dict[str, Any]]:
    """Subjects by database and part, and for the rule `file` what the file says about these databases."""
    rule = settings.split
    present = {database: {s: n for s, n in own.items() if n} for database, own in sizes.items()}
    if rule.rule == "file":
        listed = split_rules.read_file(settings)
        return split_rules.from_file(sizes, listed, str(rule.file)), {d: listed[d] for d in sorted(sizes)}
    if rule.rule == "stratified":
        parts = {d: split_rules.stratified(d, own, rule, settings.seed) for d, own in present.items()}
    else:
        _require_known(settings)
        parts = {d: split_rules.by_database(own, d in rule.test_databases, rule) for d, own in present.items()}
    for database, assigned in parts.items():
        split_rules.require_disjoint(database, assigned, f"split.rule {rule.rule}")
    return parts, {}


def _require_known(settings: Settings) -> None:
    """A misspelt test database would be trained on."""
    known = {registry.find("datasets", name).name for name in settings.datasets}
    for database in settings.split.test_databases:
        if database not in known:
            hint = did_you_mean(database, sorted(known))
            raise UserError(f"{settings.config_file}: split.test_databases: no data set is called '{database}'{hint}")


def _sorted_parts(parts: Mapping[Any, Any]) -> dict[Part, tuple[str, ...]]:
    return {part: tuple(sorted(str(subject) for subject in parts[part])) for part in get_args(Part)}


def _remarks(
    sizes: Sizes, databases: Mapping[str, Mapping[Part, tuple[str, ...]]], listed: Mapping[str, Any]
) -> list[str]:
    remarks = []
    for database in databases:
        n_listed = sum(len(subjects) for subjects in listed[database].values()) if listed else 0
        if n_listed > len(sizes[database]):
            remarks.append(
                f"{database}: a part of the data, {len(sizes[database])} of {n_listed} subjects of the split are here."
            )
        empty = sorted(subject for subject, count in sizes[database].items() if count == 0)
        if empty:
            remarks.append(
                f"{database}: {len(empty)} subjects have no segment that passed quality control: {', '.join(empty)}."
            )
    return remarks


def _to_yaml(split: Split, sizes: Sizes) -> str:
    counts = {
        database: {
            part: {"subjects": len(subjects), "segments": sum(sizes[database][s] for s in subjects)}
            for part, subjects in parts.items()
        }
        for database, parts in split.databases.items()
    }
    content = {
        "rule": split.rule,
        "seed": split.seed,
        "fingerprint": split.fingerprint,
        "databases": {d: {part: list(own) for part, own in parts.items()} for d, parts in split.databases.items()},
        "counts": counts,
        "remarks": list(split.remarks),
    }
    return yaml.safe_dump(content, sort_keys=False, width=110, allow_unicode=True)


def _line(database: str, parts: Mapping[Part, tuple[str, ...]], sizes: Mapping[str, int]) -> str:
    texts = [
        f"{part} {len(subjects)} subjects ({sum(sizes[s] for s in subjects)} segments)"
        for part, subjects in parts.items()
    ]
    return f"{database}: {', '.join(texts)}"
