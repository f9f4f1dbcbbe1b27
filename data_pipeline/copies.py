"""Copies of one person under two names: an error, or, where the configuration says so, people of one part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cleansemg.core.artifact import Artifact
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.core.settings import SPLIT_PARTS, SplitPart
from cleansemg.data_pipeline.content import shared_content
from cleansemg.data_pipeline.qc import SCHEMA as QUALITY
from cleansemg.data_pipeline.split_rules import Assignment
from cleansemg.data_pipeline.trial_measures import CONTENT

Person = tuple[str, str]  # database and subject
NAMES = ("database", "subject", "exercise", "trial", "channel_name")


@dataclass(frozen=True)
class Copies:
    """People who hold the same samples.

    Attributes:
        people: two or more, sorted.
        one, other: a trial-channel of two of them that hold the same samples, in words.
        count: of such pairs of trial-channels.
    """

    people: tuple[Person, ...]
    one: str
    other: str
    count: int

    def __str__(self) -> str:
        names = " and ".join(f"{subject} of {database}" for database, subject in self.people)
        pairs = f"{self.count} such pair{'s' if self.count > 1 else ''}"
        return f"{names}: the same samples under {len(self.people)} names ({self.one} and {self.other}; {pairs})"


def find_copies(layout: Layout, grades: Artifact) -> list[Copies]:
    """All people of the graded databases whose kept trial-channels share samples, grouped.

    Args:
        layout: where the quality control lies.
        grades: which trial-channels are kept, one shard a database, rows as in the quality control.
    """
    rows: list[tuple[str, str, str, int, str]] = []
    hashes = []
    for shard, table in grades:
        accepted = table["kept"]
        content = Artifact.open(layout.preprocessed(shard.name), QUALITY).columns(CONTENT)[CONTENT]
        hashes.append(content[accepted])
        rows += zip(*(table[name][accepted].tolist() for name in NAMES), strict=True)
    if not rows:
        return []
    pairs = shared_content(np.concatenate(hashes), [f"{database}/{subject}" for database, subject, *_ in rows])
    return _grouped([(rows[one], rows[other]) for one, other in pairs])


def _grouped(pairs: Sequence[tuple[tuple[str, str, str, int, str], tuple[str, str, str, int, str]]]) -> list[Copies]:
    """Pairs of trial-channels to groups of people: whoever shares with one of a group belongs to it."""
    group_of: dict[Person, set[Person]] = {}
    for one, other in pairs:
        joined = group_of.get(one[:2], {one[:2]}) | group_of.get(other[:2], {other[:2]})
        group_of |= dict.fromkeys(joined, joined)
    groups: list[Copies] = []
    for people in {tuple(sorted(group)): None for group in group_of.values()}:
        of_group = [pair for pair in pairs if pair[0][:2] in people]
        one, other = of_group[0]
        groups.append(Copies(people, _words(one), _words(other), len(of_group)))
    return sorted(groups, key=lambda group: group.people)


def _words(row: tuple[str, str, str, int, str]) -> str:
    database, subject, exercise, trial, channel = row
    return f"{database} {subject} {exercise} trial {trial} {channel}"


def require_none(copies: Sequence[Copies]) -> None:
    """Refuse copies.

    Raises:
        UserError: there is one; names both.
    """
    if copies:
        more = f"; {len(copies) - 1} more such groups" if copies[1:] else ""
        raise UserError(
            f"{copies[0]}{more}; leave all but one out, or keep them in one part with split.copies: one_part"
        )


def keep_in_one_part(
    copies: Sequence[Copies], assignment: Assignment, fixed: Mapping[str, SplitPart]
) -> tuple[Assignment, list[str]]:
    """Copies go to the first of train, valid, test that any of them is in: a test set then holds none of them twice.

    Args:
        copies: what `find_copies` found.
        assignment: database -> part -> subjects.
        fixed: databases that are a part of their own, whose people cannot move.

    Returns:
        The assignment, and a line for each group.

    Raises:
        UserError: somebody of a database that is a part of its own would have to move.
    """
    parts_of = {(d, s): part for d, parts in assignment.items() for part, people in parts.items() for s in people}
    moved = {database: {part: list(people) for part, people in parts.items()} for database, parts in assignment.items()}
    lines = []
    for group in copies:
        people = [person for person in group.people if person in parts_of]
        parts = sorted({parts_of[person] for person in people}, key=SPLIT_PARTS.index)
        bound = sorted(database for database, _ in people if database in fixed)
        if bound and len(parts) > 1:
            raise UserError(f"{group}; {bound[0]} is a part of its own, so one part cannot hold both; leave one out")
        target = parts[0]
        for database, subject in people:
            moved[database][parts_of[database, subject]].remove(subject)
            moved[database][target].append(subject)
        lines.append(f"{group}; kept in {target}, where one person counts as {len(people)}.")
    return moved, lines
