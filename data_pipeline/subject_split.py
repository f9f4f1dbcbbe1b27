"""Stage split: assigns subjects to train, valid and test (A3) and writes the split as a readable YAML file.

A subject is in one part only; this is checked when a split is written and whenever one is read. Where a configuration
has `protocol: published`, its selection may share subjects between parts, and the label of the split says so.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from cleansemg.core import yaml_text
from cleansemg.core.artifact import Artifact, Schema
from cleansemg.core.code_identity import of_modules
from cleansemg.core.errors import ArtifactError, UserError, did_you_mean
from cleansemg.core.fingerprint import fingerprint, relation
from cleansemg.core.layout import Layout
from cleansemg.core.npz import atomic_write
from cleansemg.core.settings import OUT_OF_DOMAIN, PARTS, SPLIT_PARTS, Part, SplitPart
from cleansemg.core.stage import Report, RunOptions, disk_error, other_settings
from cleansemg.data_pipeline import part_selection, split_rules
from cleansemg.data_pipeline.copies import find_copies, keep_in_one_part, require_none
from cleansemg.data_pipeline.grading import SCHEMA as GRADES
from cleansemg.data_pipeline.readers.lookup import database_of, databases_by_part
from cleansemg.data_pipeline.settings import Segment, Selected, Selection
from cleansemg.data_pipeline.split_rules import Assignment, Parts
from cleansemg.data_pipeline.windows import n_windows

if TYPE_CHECKING:
    from cleansemg.settings import Settings

log = logging.getLogger(__name__)

SCHEMA = Schema("split", 1, step="cleansemg run --stages split")

Sizes = dict[str, dict[str, int]]  # database -> subject -> estimated number of segments
SizesByPart = Mapping[SplitPart, Sizes]  # sizes of what each part selects; without a selection, the same in every part


@dataclass(frozen=True)
class Split:
    """Which part each subject belongs to.

    Attributes:
        rule, seed: the settings that the split follows.
        fingerprint: hash of the settings, grades and code behind the split.
        databases: database -> part -> subjects, sorted; `out_of_domain` is there for databases that are that part.
        remarks: what a reader of the results should know, e.g. that the data are a part of the original.
        label: what parts share under `protocol: published`; empty where nothing is shared.
        selected: exercises and channels that each part uses; None: all.
    """

    rule: str
    seed: int
    fingerprint: str
    databases: Mapping[str, Mapping[SplitPart, tuple[str, ...]]]
    remarks: tuple[str, ...] = ()
    label: str = ""
    selected: Selection | None = None

    @property
    def parts(self) -> tuple[SplitPart, ...]:
        """The parts there are: train, valid, test, and `out_of_domain` where some database is that part."""
        return tuple(part for part in SPLIT_PARTS if part in PARTS or any(part in d for d in self.databases.values()))

    def part_of(self, database: str, subject: str) -> SplitPart:
        """The part of a subject; the first one where the subject is in several.

        Raises:
            UserError: the split does not have that subject.
        """
        for part, subjects in self.databases.get(database, {}).items():
            if subject in subjects:
                return part
        raise UserError(f"the split has no subject '{subject}' of {database}; run: {SCHEMA.command} --force")

    def part_of_signal(self, database: str, subject: str, exercise: str, channel: str) -> SplitPart | None:
        """The part of one channel of a recording; None where the selection leaves it out.

        Raises:
            UserError: the split does not have that subject.
        """
        first = self.part_of(database, subject)
        if self.selected is None or database not in self.selected:
            return first
        parts = part_selection.parts_of(self.selected[database], subject, exercise, channel)
        return parts[0] if parts else None


def run(settings: Settings, layout: Layout, options: RunOptions) -> Report:
    """Split the subjects of the graded databases and write `layout.split`.

    Raises:
        ArtifactError: the grades are missing, or another configuration's split is there and `force` is off.
        UserError: the rule cannot be followed, or two people hold the same samples; the message names the setting, the
            database or the subject.
    """
    grades = Artifact.open(layout.grades, GRADES)
    selection = part_selection.of_settings(settings)
    sizes = segment_counts(grades, settings.segment)
    fixed = {database: part for database, part in databases_by_part(settings).items() if database in sizes}
    by_part: dict[SplitPart, Sizes] = dict.fromkeys(SPLIT_PARTS, sizes)
    if selection is not None:
        by_part |= {part: segment_counts(grades, settings.segment, selection, part) for part in PARTS}
    assignment, listed = _assign({d: n for d, n in sizes.items() if d not in fixed}, settings, selection)
    assignment |= {database: _whole(sizes[database], part) for database, part in fixed.items()}
    copies, moved = find_copies(layout, grades), list[str]()
    if settings.split.copies == "error":
        require_none(copies)
    else:
        assignment, moved = keep_in_one_part(copies, assignment, fixed)
    published = settings.protocol == "published"
    section = [
        settings.split.identity(exclude=frozenset({"file"})),
        settings.segment.identity(),
        listed,
        *(["published"] if published else []),
        *([{"parts": fixed}] if fixed else []),
    ]
    wanted = fingerprint(SCHEMA, section, {"grades": grades.manifest.fingerprint}, settings.seed, of_modules(__name__))
    databases = {database: _sorted_parts(parts) for database, parts in sorted(assignment.items())}
    shared = [line for database, parts in databases.items() for line in part_selection.shared_subjects(database, parts)]
    split = Split(
        settings.split.rule,
        settings.seed,
        wanted,
        databases,
        (*_remarks(sizes, databases, listed), *_out_of_domain(databases), *moved),
        part_selection.leak_label(shared) if shared else "",
        selection,
    )
    text = _to_yaml(split, by_part)
    if layout.split.exists() and not options.force:
        _require_same(layout.split, wanted, text)
    try:
        atomic_write(layout.split, text.encode())
    except OSError as error:
        raise disk_error(layout.split, error) from error
    lines = [_line(database, parts, by_part) for database, parts in databases.items()]
    lines += [f"no subjects to {part}" for part in PARTS if not any(parts.get(part) for parts in databases.values())]
    labels = (split.label,) if split.label else ()
    return Report("split", (*lines, *labels, *split.remarks, f"rule {split.rule}: {layout.split}"))


def _require_same(path: Path, wanted: str, text: str) -> None:
    """Check that an existing split may be overwritten; one from other code or other grades may.

    Raises:
        ArtifactError: the split is from other settings, or it was edited by hand.
    """
    difference = relation(load_split(path).fingerprint, wanted)
    if difference == "settings":
        raise other_settings(path)
    if difference != "same":
        log.info("split: %s was made by other code or from other grades; making it again", path)
        return
    if path.read_text(encoding="utf-8") != text:
        raise ArtifactError(f"{path}: edited by hand; name your own split in split.file, or undo it with --force")


COUNTED = ("database", "subject", "exercise", "channel_name", "start_sample", "stop_sample", "fs_hz", "kept")


def segment_counts(
    grades: Artifact, segment: Segment, selection: Selection | None = None, part: Part | None = None
) -> Sizes:
    """Number of segments in the accepted trial-channels of each subject; 0 for a subject with none.

    With a selection, only what `part` selects counts. With `segment.activity`, fewer segments may be left.

    Raises:
        UserError: two parts of the selection use the same signal, or the selection lacks a database.
    """
    sizes: Sizes = {}
    for _, table in grades:
        columns = (table[name].tolist() for name in COUNTED)
        for database, subject, exercise, channel, start, stop, fs_hz, accepted in zip(*columns, strict=True):
            by_subject = sizes.setdefault(database, {})
            by_subject.setdefault(subject, 0)
            if selection is not None and database in selection:
                parts = part_selection.parts_of(
                    part_selection.of_database(selection, database), subject, exercise, channel
                )
                if len(parts) > 1:
                    signal = f"{database} {subject} {exercise} {channel}"
                    raise UserError(f"split.selections: {' and '.join(parts)} both take {signal}; no protocol may")
                if part not in parts:
                    continue
            by_subject[subject] += n_windows(stop - start, fs_hz, segment) if accepted else 0
    return sizes


def load_split(path: Path) -> Split:
    """Read a split that the stage wrote.

    Raises:
        ArtifactError: the file is absent, or is not a split.
        UserError: a subject is in two parts, and the split has no label.
    """
    try:
        content = yaml_text.load(path.read_text(encoding="utf-8"))
        databases = {
            str(database): _sorted_parts({**{part: parts[part] for part in PARTS}, **_extra(parts)})
            for database, parts in content["databases"].items()
        }
        split = Split(
            str(content["rule"]),
            int(content["seed"]),
            str(content["fingerprint"]),
            databases,
            tuple(content["remarks"]),
            str(content.get("label", "")),
            _selection_of(content.get("selected")),
        )
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such split; run: {SCHEMA.command}") from None
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        cause = yaml_text.problem(error)
        raise ArtifactError(f"{path}: not a split ({cause}); run: {SCHEMA.command} --force") from None
    for database, parts in databases.items():
        if not split.label:
            split_rules.require_disjoint(database, parts, str(path))
    return split


def _extra(parts: Mapping[str, Any]) -> dict[SplitPart, Any]:
    return {OUT_OF_DOMAIN: parts[OUT_OF_DOMAIN]} if OUT_OF_DOMAIN in parts else {}


def _selection_of(content: Any) -> Selection | None:
    """The selection that `_to_yaml` wrote; None where there is none."""
    if content is None:
        return None
    return {
        str(database): {part: Selected.model_validate(parts[part]) for part in PARTS}
        for database, parts in content.items()
    }


def _assign(sizes: Sizes, settings: Settings, selection: Selection | None) -> tuple[Assignment, dict[str, Any]]:
    """Subjects by database and part, and what the file or the selection lists for these databases ({} without)."""
    rule = settings.split
    if selection is not None:
        where = f"{settings.config_file}: split.selections"
        selected = split_rules.by_selection(sizes, selection, where)
        for database, assigned in selected.items():
            if settings.protocol == "disjoint":
                split_rules.require_disjoint(database, assigned, f"{where}, without protocol: published")
        return selected, {d: {part: list(selection[d][part].subjects) for part in PARTS} for d in sorted(sizes)}
    present = {database: {s: n for s, n in counts.items() if n} for database, counts in sizes.items()}
    if rule.rule == "file":
        listed = split_rules.read_file(settings)
        return split_rules.from_file(sizes, listed, str(rule.file)), {d: listed[d] for d in sorted(sizes)}
    if rule.rule == "stratified":
        parts = {d: split_rules.stratified(d, counts, rule, settings.seed) for d, counts in present.items()}
    else:
        _require_known(settings)
        parts = {d: split_rules.by_database(counts, d in rule.test_databases, rule) for d, counts in present.items()}
    for database, assigned in parts.items():
        split_rules.require_disjoint(database, assigned, f"split.rule {rule.rule}")
    return parts, {}


def _require_known(settings: Settings) -> None:
    """Check the names of the test databases: a database whose name is misspelt would be used for training.

    Raises:
        UserError: a name is unknown.
    """
    known = {database_of(name, settings) for name in settings.datasets}
    for database in settings.split.test_databases:
        if database not in known:
            hint = did_you_mean(database, sorted(known))
            raise UserError(f"{settings.config_file}: split.test_databases: no data set is called '{database}'{hint}")


def _whole(subjects: Mapping[str, int], part: SplitPart) -> Parts:
    """A database whose people all go to one part."""
    parts: Parts = {one: [] for one in PARTS}
    return parts | {part: list(subjects)}


def _sorted_parts(parts: Mapping[Any, Any]) -> dict[SplitPart, tuple[str, ...]]:
    return {part: tuple(sorted(str(subject) for subject in parts[part])) for part in SPLIT_PARTS if part in parts}


def _out_of_domain(databases: Mapping[str, Mapping[SplitPart, tuple[str, ...]]]) -> list[str]:
    return [
        f"{database}: a part of its own, {OUT_OF_DOMAIN} ({len(parts[OUT_OF_DOMAIN])} subjects): nothing is fitted, "
        "calibrated or selected on it."
        for database, parts in databases.items()
        if OUT_OF_DOMAIN in parts
    ]


def _remarks(
    sizes: Sizes, databases: Mapping[str, Mapping[SplitPart, tuple[str, ...]]], listed: Mapping[str, Any]
) -> list[str]:
    remarks = []
    for database in databases:
        n_listed = len({s for subjects in listed.get(database, {}).values() for s in subjects})
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


def _to_yaml(split: Split, sizes: SizesByPart) -> str:
    counts = {
        database: {
            part: {"subjects": len(subjects), "segments": sum(sizes[part][database][s] for s in subjects)}
            for part, subjects in parts.items()
        }
        for database, parts in split.databases.items()
    }
    content = {
        "rule": split.rule,
        "seed": split.seed,
        "fingerprint": split.fingerprint,
        "databases": {
            d: {part: list(subjects) for part, subjects in parts.items()} for d, parts in split.databases.items()
        },
        "counts": counts,
        "remarks": list(split.remarks),
    }
    if split.label:
        content["label"] = split.label
    if split.selected is not None:
        content["selected"] = {
            database: {part: selected.model_dump(mode="json") for part, selected in parts.items()}
            for database, parts in split.selected.items()
        }
    return yaml.safe_dump(content, sort_keys=False, width=110, allow_unicode=True)


def _line(database: str, parts: Mapping[SplitPart, tuple[str, ...]], sizes: SizesByPart) -> str:
    texts = [
        f"{part} {len(subjects)} subjects ({sum(sizes[part][database][s] for s in subjects)} segments)"
        for part, subjects in parts.items()
    ]
    return f"{database}: {', '.join(texts)}"
