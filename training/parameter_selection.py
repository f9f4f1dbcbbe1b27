"""Selection of the best candidate of a grid, and its limits: ties, idle parameters, winners at an edge of the grid."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cleansemg.core.fingerprint import canonical_json

Parameters = Mapping[str, Any]

TIE_DB = 1e-6  # scores that differ by at most this are equal


@dataclass(frozen=True)
class Choice:
    """The winner of a grid.

    Attributes:
        winner: index in the grid.
        ties: indices of the other candidates with the winner's score.
        idle: searched parameters that do not affect any score.
        edges: parameter -> "lowest" or "highest", if the winner and all ties have that value of the grid.
    """

    winner: int
    ties: tuple[int, ...]
    idle: tuple[str, ...]
    edges: dict[str, str]


def choose(
    grid: Sequence[Parameters],
    search: Mapping[str, Sequence[Any]],
    scores_db: Sequence[float],
    n_failed: Sequence[int],
    default: Parameters,
) -> Choice | None:
    """Select the candidate with the highest score among those with the fewest failures.

    On a tie, the candidate with the method's default values wins; if it is not among the ties, the first in the grid.

    Args:
        grid: candidates.
        search: parameter -> searched values.
        scores_db: score of each candidate; NaN if it processed no mixture.
        n_failed: number of mixtures that each candidate could not process.
        default: values of the searched parameters without a calibration.

    Returns:
        The choice; None if no candidate processed a mixture.

    >>> grid = [{"k": 3}, {"k": 4}, {"k": 5}]
    >>> choose(grid, {"k": [3, 4, 5]}, [1.0, 2.0, 2.0], [0, 0, 0], {"k": 5})
    Choice(winner=2, ties=(1,), idle=(), edges={})
    >>> choose(grid, {"k": [3, 4, 5]}, [3.0, 2.0, 2.0], [0, 0, 0], {"k": 5})
    Choice(winner=0, ties=(), idle=(), edges={'k': 'lowest'})
    """
    contenders = [i for i, failed in enumerate(n_failed) if failed == min(n_failed) and np.isfinite(scores_db[i])]
    if not contenders:
        return None
    best = max(scores_db[i] for i in contenders)
    tied = [i for i in contenders if best - scores_db[i] <= TIE_DB]
    winner = next((i for i in tied if grid[i] == default), tied[0])
    idle = idle_parameters(grid, search, scores_db)
    return Choice(winner, tuple(i for i in tied if i != winner), idle, _edges([grid[i] for i in tied], search, idle))


def idle_parameters(
    grid: Sequence[Parameters], search: Mapping[str, Sequence[Any]], scores_db: Sequence[float]
) -> tuple[str, ...]:
    """Searched parameters that do not affect any score, for all values of the other parameters (pitfall 10).

    >>> grid = [{"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 1}, {"a": 2, "b": 2}]
    >>> idle_parameters(grid, {"a": [1, 2], "b": [1, 2]}, [0.5, 0.5, 0.7, 0.7])
    ('b',)
    """
    idle = []
    for name in (name for name, values in search.items() if len(values) > 1):
        groups: dict[str, list[float]] = defaultdict(list)
        for candidate, score in zip(grid, scores_db, strict=True):
            groups[canonical_json({key: value for key, value in candidate.items() if key != name})].append(score)
        if all(max(group) - min(group) <= TIE_DB for group in groups.values()):  # NaN compares as a difference
            idle.append(name)
    return tuple(idle)


def _edges(best: Sequence[Parameters], search: Mapping[str, Sequence[Any]], idle: Sequence[str]) -> dict[str, str]:
    edges = {}
    for name, values in search.items():
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
        if not numbers or len(values) < 2 or name in idle:
            continue
        for edge, value in (("lowest", min(values)), ("highest", max(values))):
            if all(candidate[name] == value for candidate in best):
                edges[name] = edge
    return edges
