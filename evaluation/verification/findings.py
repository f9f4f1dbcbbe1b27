"""What a check found, and the lines that say so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeVar

T = TypeVar("T")
Status = Literal["ok", "FAIL", "leaks", "stale", "--"]

MOST_LINES = 5  # of one check's failures; the others are counted


class Track(Protocol):
    """Shows how far a long check is; yields what it is given."""

    def __call__(self, items: Iterable[T], total: int, label: str) -> Iterator[T]: ...


def untracked(items: Iterable[T], total: int, label: str) -> Iterator[T]:
    """Shows nothing."""
    yield from items


@dataclass(frozen=True)
class Line:
    """One line for people.

    Attributes:
        status: "ok"; "FAIL"; "leaks" where parts share what a protocol declares that they share; "stale" where other
            code made something than that at hand; "--" where there is nothing to check.
        check: which check.
        text: what was found.
    """

    status: Status
    check: str
    text: str

    def __str__(self) -> str:
        return f"{self.status:5} {self.check:9} {self.text}"


@dataclass
class Finding:
    """The outcome of one check.

    Attributes:
        check: its name.
        summary: what was looked at, with counts; "" where there was nothing.
        problems: what is wrong, a line each.
        leaks: what parts share, as declared.
        stale: what was made by other code than that at hand.
        notes: what could not be looked at, and why that is no mistake.
        covered: files whose contents this check compared with something else.
    """

    check: str
    summary: str = ""
    problems: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    covered: set[Path] = field(default_factory=set)


def lines_of(finding: Finding) -> list[Line]:
    """The lines of a finding: its failures, or that it is in order."""
    lines = [Line("FAIL", finding.check, text) for text in finding.problems[:MOST_LINES]]
    more = len(finding.problems) - MOST_LINES
    if more > 0:
        lines.append(Line("FAIL", finding.check, f"and {more} more of this check"))
    lines += [Line("leaks", finding.check, f"as declared: {text}") for text in finding.leaks]
    lines += [Line("stale", finding.check, text) for text in finding.stale]
    if finding.summary and not finding.problems:
        lines.append(Line("ok", finding.check, finding.summary))
    lines += [Line("--", finding.check, text) for text in finding.notes[:MOST_LINES]]
    more = len(finding.notes) - MOST_LINES
    return lines + ([Line("--", finding.check, f"and {more} more like these")] if more > 0 else [])
