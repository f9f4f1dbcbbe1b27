"""Segment ids: each names where its segment was cut from, including the exercise, so that ids are unique."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from cleansemg.core.errors import UserError


def segment_id(database: str, subject: str, exercise: str, trial: int, channel: int, window: int) -> str:
    """The id of a segment; trials, channels and windows are counted from 0.

    >>> segment_id("DB2", "S1", "E1", 3, 7, 0)
    'DB2_S1_E1_T003_C07_W000'
    """
    return f"{database}_{subject}_{exercise}_T{trial:03d}_C{channel:02d}_W{window:03d}"


def require_unique(ids: Iterable[str]) -> None:
    """Check that no id repeats.

    Raises:
        UserError: an id repeats; the message names it.
    """
    repeated = sorted(name for name, count in Counter(ids).items() if count > 1)
    if repeated:
        raise UserError(
            f"segment id {repeated[0]} is not unique ({len(repeated)} such ids): database, subject and exercise of "
            "two recordings read the same; rename them in the data set's YAML"
        )
