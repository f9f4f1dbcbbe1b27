"""Four rules that assign the subjects of a database to train, valid and test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from cleansemg.core import config
from cleansemg.core.errors import UserError, did_you_mean
from cleansemg.core.seeding import generator
from cleansemg.core.settings import PARTS, SplitPart
from cleansemg.data_pipeline.settings import Selection
from cleansemg.data_pipeline.settings import Split as SplitSettings

if TYPE_CHECKING:
    from cleansemg.settings import Settings

Parts = dict[SplitPart, list[str]]
Assignment = dict[str, Parts]  # database -> part -> subjects


def by_database(sizes: Mapping[str, int], is_test: bool, rule: SplitSettings) -> Parts:
    """The published rule (A3): all subjects of a test database are test; those of the others are train or valid.

    Subjects are sorted by their number of segments, ascending; ties are sorted by name. The validation part has
    max(2, round(valid_fraction n)) of them, at most n - 1, at the integer parts of linspace(0, n - 1, n_valid), so
    it spans subjects with few segments and with many.

    Args:
        sizes: number of segments by subject.
        is_test: whether the database is one of `test_databases`.
        rule: settings of the split.
    """
    if is_test:
        return {"train": [], "valid": [], "test": list(sizes)}
    ordered = _by_size(sizes)
    n_valid = min(max(2, round(rule.valid_fraction * len(ordered))), len(ordered) - 1)
    valid = set(np.linspace(0, len(ordered) - 1, max(0, n_valid)).astype(int).tolist())
    return {
        "train": [subject for index, subject in enumerate(ordered) if index not in valid],
        "valid": [subject for index, subject in enumerate(ordered) if index in valid],
        "test": [],
    }


def stratified(database: str, sizes: Mapping[str, int], rule: SplitSettings, seed: int) -> Parts:
    """Assign the subjects of a database to all three parts; each part spans subjects with few segments and with many.

    The subjects, sorted by number of segments, are cut into as many strata as there are test subjects. From each
    stratum, the subject with the lowest random number is selected; the draw is keyed by the subject's name. The
    validation subjects are selected from the rest in the same way.

    Raises:
        UserError: there are fewer than three subjects, or the fractions leave none for training.
    """
    ordered = _by_size(sizes)
    n = len(ordered)
    n_test, n_valid = (max(1, round(fraction * n)) for fraction in (rule.test_fraction, rule.valid_fraction))
    if n_test + n_valid >= n:
        raise UserError(
            f"split.rule stratified: {database} has {n} subjects with segments; {n_test} to test and {n_valid} to "
            "valid leave none to train; give it more subjects, or lower split.test_fraction and split.valid_fraction"
        )
    draws = {subject: float(generator(seed, "split", database, subject).random()) for subject in ordered}
    test = _one_a_stratum(ordered, n_test, draws)
    rest = [subject for subject in ordered if subject not in test]
    valid = _one_a_stratum(rest, n_valid, draws)
    return {"train": [subject for subject in rest if subject not in valid], "valid": valid, "test": test}


def read_file(settings: Settings) -> dict[str, dict[str, list[str]]]:
    """The file of the rule `file`: database -> part -> subjects, as text.

    Raises:
        UserError: the file is not set, absent, not YAML, or of another form; or a subject is in two parts.
    """
    if settings.split.file is None:
        raise UserError(f"{settings.config_file}: split.rule is file, but split.file is not set")
    path = config.referenced(settings.split.file, settings)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{settings.config_file}: split.file: {path} cannot be read ({error})") from None
    if not isinstance(content, dict) or not all(isinstance(parts, dict) for parts in content.values()):
        raise UserError(f"{path}: expected 'database: {{train: [...], valid: [...], test: [...]}}'")
    listed: dict[str, dict[str, list[str]]] = {}
    for database, parts in content.items():
        for part, subjects in parts.items():
            if part not in PARTS:
                raise UserError(f"{path}: {database}: no part is called '{part}'{did_you_mean(str(part), PARTS)}")
            if not isinstance(subjects, list):
                raise UserError(f"{path}: {database}.{part}: expected a list of subjects")
        listed[str(database)] = {part: [str(subject) for subject in parts.get(part, ())] for part in PARTS}
        require_disjoint(database, listed[str(database)], str(path))
    return listed


def from_file(
    present: Mapping[str, Iterable[str]], listed: Mapping[str, Mapping[str, Sequence[str]]], file: str
) -> Assignment:
    """The subjects of the data, in the parts that the file lists.

    Args:
        present: database -> subjects of the data.
        listed: result of `read_file`.
        file: name of the file, for errors.

    Raises:
        UserError: a database or a subject of the data is not in the file.
    """
    assignment: Assignment = {}
    for database, subjects in present.items():
        if database not in listed:
            raise UserError(f"split.file {file}: has no database '{database}'{did_you_mean(database, listed)}")
        part_of: dict[str, Any] = {s: part for part, people in listed[database].items() for s in people}
        parts: Parts = {part: [] for part in PARTS}
        for subject in subjects:
            if subject not in part_of:
                hint = did_you_mean(subject, part_of)
                raise UserError(f"split.file {file}: {database} has no subject '{subject}', which is in the data{hint}")
            parts[part_of[subject]].append(subject)
        assignment[database] = parts
    return assignment


def by_selection(present: Mapping[str, Iterable[str]], selection: Selection, where: str) -> Assignment:
    """The subjects of the data, in every part for which a selection lists them.

    Args:
        present: database -> subjects of the data.
        selection: parts by database, without ranges (see `part_selection.written_out`).
        where: the setting, for errors.

    Raises:
        UserError: a part lists subjects of a database, but none of them is in the data.
    """
    assignment: Assignment = {}
    for database, subjects in present.items():
        there = list(subjects)
        parts: Parts = {part: [s for s in selection[database][part].subjects if s in there] for part in PARTS}
        for part in PARTS:
            people, wanted = parts[part], selection[database][part].subjects
            if wanted and not people:
                raise UserError(
                    f"{where}: {database}.{part}: no signal of {', '.join(wanted[:3])}{', ...' if wanted[3:] else ''} "
                    f"in the data; there are subjects {', '.join(there) or '(none)'}"
                )
        assignment[database] = parts
    return assignment


def require_disjoint(database: str, parts: Mapping[Any, Iterable[str]], where: str) -> None:
    """Check that no subject is in two parts, or twice in one.

    Raises:
        UserError: a subject is; the message names it.
    """
    part_of: dict[str, str] = {}
    for part, subjects in parts.items():
        for subject in subjects:
            if subject in part_of:
                raise UserError(
                    f"{where}: subject '{subject}' of {database} is in {part_of[subject]} and again in {part}"
                )
            part_of[subject] = part


def _by_size(sizes: Mapping[str, int]) -> list[str]:
    return sorted(sizes, key=lambda subject: (sizes[subject], subject))


def _one_a_stratum(ordered: Sequence[str], n_strata: int, draws: Mapping[str, float]) -> list[str]:
    """Cut the subjects into `n_strata` runs of nearly equal length; return the one with the lowest draw of each run."""
    strata = np.array_split(np.arange(len(ordered)), n_strata)
    return [min((ordered[index] for index in stratum), key=draws.__getitem__) for stratum in strata]
