"""Lists the files of a database by name, and checks that recordings can be told apart."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cleansemg.core import registry
from cleansemg.core.errors import ItemError, UserError
from cleansemg.data_pipeline.recording import RecordingRef


@dataclass(frozen=True)
class ListedFile:
    """A file whose name matches: its path below the folder, and the named groups of the pattern."""

    key: str
    groups: dict[str, str]


def compile_pattern(pattern: str, required: Sequence[str] = ()) -> re.Pattern[str]:
    """Compile a regular expression from a YAML file.

    Raises:
        ValueError: it is not a regular expression, or lacks a required named group.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"'{pattern}' is not a regular expression: {error}") from None
    for group in required:
        if group not in compiled.groupindex:
            raise ValueError(f"'{pattern}' has no group (?P<{group}>...)")
    return compiled


def match_key(key: str, patterns: Iterable[re.Pattern[str]]) -> dict[str, str] | None:
    """The named groups of the first pattern that matches the whole file name; None where no pattern matches.

    A pattern with a `/` must match the whole key.
    """
    for pattern in patterns:
        match = pattern.fullmatch(key if "/" in pattern.pattern else key.rpartition("/")[2])
        if match:
            return {name: text for name, text in match.groupdict().items() if text is not None}
    return None


def require_folder(database: str, folder: Path, entry: str | None = None) -> None:
    """Check that the folder of a database exists.

    Raises:
        UserError: it does not; the message says where to get the database, as the entry of configs/datasets/ does
            (by default that of its name).
    """
    if not folder.is_dir():
        raise UserError(
            f"{database}: no folder {folder}; {where_to_get(entry or database)}"
            f"or leave it out with --set datasets.{database}.enabled=false"
        )


def where_to_get(database: str) -> str:
    """The text `get it from ...; ` from the database's YAML file; empty where the file does not say."""
    entry = registry.entries("datasets").get(database)
    where = entry.extra.get("where") if entry else None
    return f"get it from {where}; " if where else ""


def find_files(database: str, folder: Path, patterns: Sequence[re.Pattern[str]]) -> list[ListedFile]:
    """All files below `folder`, at any depth, whose names match, sorted by path.

    Raises:
        UserError: the folder is absent, or no file in it matches.
    """
    require_folder(database, folder)
    files = []
    for path in sorted(folder.rglob("*")):
        key = path.relative_to(folder).as_posix()
        groups = match_key(key, patterns)
        if groups is not None and path.is_file():
            files.append(ListedFile(key, groups))
    if not files:
        names = " or ".join(f"'{p.pattern}'" for p in patterns)
        raise UserError(
            f"{database}: no file below {folder} is named like {names}; {where_to_get(database)}"
            f"or name another folder with --set datasets.{database}.folder=..."
        )
    return files


def sorted_refs(refs: Iterable[RecordingRef], hint: str = "") -> list[RecordingRef]:
    """Sort by subject and exercise.

    Raises:
        UserError: two recordings have the same subject and exercise, so their segments could not be told apart.
    """
    ordered = sorted(refs, key=lambda ref: (ref.subject, ref.exercise, ref.key))
    for one, other in itertools.pairwise(ordered):
        if (one.subject, one.exercise) == (other.subject, other.exercise):
            raise UserError(
                f"{one.database}: '{one.key}' and '{other.key}' are both subject {one.subject}, "
                f"exercise {one.exercise}; move one away{hint}"
            )
    return ordered


def require_distinct(refs: Iterable[RecordingRef]) -> None:
    """Check that no two people have the same file under two names.

    Raises:
        UserError: two do; the message names both.
    """
    first: dict[str, RecordingRef] = {}
    for ref in refs:
        other = first.setdefault(ref.fingerprint, ref)
        if (other.database, other.subject) != (ref.database, ref.subject):
            raise UserError(
                f"'{other.key}' (subject {other.subject} of {other.database}) and '{ref.key}' (subject {ref.subject} "
                f"of {ref.database}) are the same recording under two names; leave one out"
            )


def trial_label(groups: Mapping[str, str], labels: Mapping[str, int]) -> int:
    """The label of a recording that is one trial: the group `label`, looked up in `labels` or read as a number.

    Without such a group the label is 1, because 0 means rest.

    Raises:
        ItemError: the text is neither in `labels` nor a whole number.
    """
    text = groups.get("label", "1")
    if text in labels:
        return labels[text]
    try:
        return int(text)
    except ValueError:
        raise ItemError(f"label '{text}' has no number in labels: ({', '.join(labels) or 'none'})") from None
