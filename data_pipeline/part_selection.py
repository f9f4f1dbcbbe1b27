"""The split rule `selection`: the subjects, exercises and channels of each part, as a configuration lists them.

A published protocol may train on one exercise and validate on another of the same subjects. The parts then share
subjects. This is refused unless the configuration has `protocol: published`; then every table states what is shared.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from cleansemg.core.errors import UserError, did_you_mean
from cleansemg.core.settings import PARTS, Part, SplitPart
from cleansemg.data_pipeline.settings import Selected, Selection

if TYPE_CHECKING:
    from cleansemg.settings import Settings

RANGE = re.compile(r"(?P<prefix>\D*)(?P<first>\d+)-(?P<same>\D*)(?P<last>\d+)")
SHOWN = 4  # number of shared names that a label lists


def expand(names: Iterable[str]) -> tuple[str, ...]:
    """Names in order, each range replaced by its names.

    >>> expand(["S1-S3", "S7"])
    ('S1', 'S2', 'S3', 'S7')
    >>> expand(["S3-S1"])
    Traceback (most recent call last):
    cleansemg.core.errors.UserError: split.selections: 'S3-S1' is an empty range

    Raises:
        UserError: a range that ends before it begins, or a name twice.
    """
    expanded: list[str] = []
    for name in names:
        range_ = RANGE.fullmatch(name)
        if range_ is None or range_["same"] not in ("", range_["prefix"]):
            expanded.append(name)
            continue
        numbers = range(int(range_["first"]), int(range_["last"]) + 1)
        if not numbers:
            raise UserError(f"split.selections: '{name}' is an empty range")
        expanded += [f"{range_['prefix']}{number}" for number in numbers]
    twice = sorted({name for name in expanded if expanded.count(name) > 1})
    if twice:
        raise UserError(f"split.selections: '{twice[0]}' is listed twice in one part")
    return tuple(expanded)


def written_out(selection: Selection) -> Selection:
    """The selection with each range replaced by its names, and with all three parts for each database."""
    return {
        database: {
            part: selected.model_copy(update={"subjects": expand(selected.subjects)})
            for part, selected in ((part, parts.get(part, Selected())) for part in PARTS)
        }
        for database, parts in selection.items()
    }


def of_settings(settings: Settings) -> Selection | None:
    """The configuration's selection without ranges (see `written_out`); None for the other rules."""
    return None if settings.split.selection is None else written_out(settings.split.selection)


def parts_of(parts: Mapping[Part, Selected], subject: str, exercise: str, channel: str) -> tuple[Part, ...]:
    """The parts that select this channel of this subject and exercise."""
    return tuple(
        part
        for part, selected in parts.items()
        if _takes(selected, subject, exercise) and _has(selected.channels, channel)
    )


def takes_recording(parts: Mapping[Part, Selected], subject: str, exercise: str) -> bool:
    """Whether any part selects channels of a recording of this subject and exercise."""
    return any(_takes(selected, subject, exercise) for selected in parts.values())


def takes_channel(parts: Mapping[Part, Selected], subject: str, exercise: str, channel: str) -> bool:
    """Whether any part selects this channel of a recording."""
    return bool(parts_of(parts, subject, exercise, channel))


def of_database(selection: Selection, database: str) -> Mapping[Part, Selected]:
    """What each part selects from a database.

    Raises:
        UserError: the selection does not have it.
    """
    if database not in selection:
        raise UserError(f"split.selections: has no database '{database}'{did_you_mean(database, selection)}")
    return selection[database]


def shared_subjects(database: str, subjects: Mapping[SplitPart, Sequence[str]]) -> list[str]:
    """One label for each pair of parts that share subjects of a database."""
    labels = []
    for one, other in itertools.combinations(subjects, 2):
        both = [subject for subject in subjects[one] if subject in set(subjects[other])]
        if both:
            names = ", ".join(both[:SHOWN]) + (", ..." if len(both) > SHOWN else "")
            labels.append(f"{one} and {other} share {len(both)} subjects of {database} ({names})")
    return labels


def leak_label(shared: Sequence[str]) -> str:
    """The label of tables under `protocol: published` where parts share something."""
    return f"protocol: published. LEAKING: {'; '.join(shared)}."


def _takes(selected: Selected, subject: str, exercise: str) -> bool:
    return subject in selected.subjects and _has(selected.exercises, exercise)


def _has(names: Sequence[str] | None, name: str) -> bool:
    return names is None or name in names
