"""The findings of the checks, and the lines that report them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeVar

T = TypeVar("T")
Status = Literal["ok", "FAIL", "leaks", "stale", "--"]

MOST_LINES = 5  # of one check's failures; the others are counted


class Track(Protocol):
    """Shows the progress of a long check; yields the items unchanged."""

    def __call__(self, items: Iterable[T], total: int, label: str) -> Iterator[T]: ...


def untracked(items: Iterable[T], total: int, label: str) -> Iterator[T]:
    """A `Track` without display."""
    yield from items


@dataclass(frozen=True)
class Line:
    """One line of the report.

    Attributes:
        status: "ok"; "FAIL"; "leaks" where parts share what a protocol declares as shared; "stale" where results are
            from other code than the present one; "--" where there is nothing to check.
        check: name of the check.
        text: the result.
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
        check: name of the check.
        summary: what was checked, with counts; "" where there was nothing.
        problems: what is wrong, one line each.
        leaks: what parts share, as declared.
        stale: results from other code than the present one.
        notes: what could not be checked, and why that is no mistake.
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
    """The lines of a finding: its failures, or one line that it is in order."""
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
