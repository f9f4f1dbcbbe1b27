"""Recomputes comparisons of denoisers: differences over people with their t intervals, exact tests, and Holm's p."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cleansemg.evaluation.verification.bootstrap import Bootstrap
from cleansemg.evaluation.verification.findings import Finding
from cleansemg.evaluation.verification.intervals import means_of_people, over_people
from cleansemg.evaluation.verification.scored import Rows, Scored, differences, read_csv

GAIN = "gain"
NEEDED = ("track", "metric", "a", "b", "p", "p_holm")
TIED = 1e-9  # relative: differences so near to one another may be equal to another summation
EXACT = 50  # subjects without ties of whom the exact distribution is computed


def check(path: Path, every: Sequence[Scored], how: Bootstrap, finding: Finding) -> int:
    """Check `paired.csv` or `against_gain.csv` against the scores.

    Args:
        path: the CSV; a missing one has nothing to check.
        every: the scores that it was made from.
        how: of the intervals; None where nobody says.
        finding: gets the problems.

    Returns:
        How many numbers were checked.
    """
    if not path.is_file():
        return 0
    header, rows = read_csv(path, finding)
    missing = [name for name in NEEDED if name not in header]
    if missing:
        finding.problems.append(f"{path}: has no column {missing[0]}")
        return 0
    known = {scored.who: scored for scored in every}
    keys = list(dict.fromkeys(row.get("metric", "") for row in rows))
    outcomes = [_wrong(path, rows, known, profile, how) for profile in every[0].having(keys)]
    if not rows or not outcomes:
        finding.problems.append(f"{path}: compares by no metric of the scores")
        return 0
    finding.problems += sorted(outcomes, key=len)[0]
    finding.problems += _wrong_holm(path, rows)
    return len(rows) * 8


def _wrong(path: Path, rows: Rows, known: dict[tuple[str, str], Scored], profile: str, how: Bootstrap) -> list[str]:
    """What is wrong with the rows if they are of this profile."""
    problems: list[str] = []
    for row in rows:
        a, b = known.get((row["a"], row["track"])), known.get((row["b"], row["track"]))
        if b is None and row["b"] == GAIN:
            b = known.get((GAIN, "blind"))
        if a is None or b is None:
            problems.append(f"{path}: {row['a']} and {row['b']} of {row['track']} were not both evaluated")
            continue
        key = row["metric"]
        scale = a.scales[key]
        gap = a.values[f"{profile}.{key}"] - b.values[f"{profile}.{key}"]
        mean, low, high = over_people(gap, a.subject, 0.5 if how is None else how[1])
        people = list(means_of_people(gap, a.subject).values())
        expected: dict[str, float] = {
            "difference": mean / scale, "n_subjects": len(people), "n_mixtures": int(np.isfinite(gap).sum()),
            "sd": statistics.stdev(people) / scale if len(people) > 1 else math.nan,
        }  # fmt: skip
        if how is not None:
            expected |= {"difference_low": low / scale, "difference_high": high / scale}
        p = _exact_p(people)
        if p is not None:
            expected["p"] = p
        problems += differences(path, f"{row['a']} and {row['b']}, {row['track']}, {key}", row, expected)
    return problems


def _exact_p(people: Sequence[float]) -> float | None:
    """Two-sided p of Wilcoxon's signed ranks by counting all signs; None with ties, or too many or no people."""
    nonzero = [value for value in people if value != 0]
    n = len(nonzero)
    sizes = sorted(map(abs, nonzero))
    gaps = [high - low for low, high in itertools.pairwise([0.0, *sizes])]
    if not 0 < n <= EXACT or min(gaps) <= TIED * sizes[-1]:
        return None
    rank = {size: position for position, size in enumerate(sizes, 1)}
    positive = sum(rank[abs(value)] for value in nonzero if value > 0)
    ways: list[int] = [1] + [0] * (n * (n + 1) // 2)  # of signs that give each sum of positive ranks
    for step in range(1, n + 1):
        for total in range(len(ways) - 1, step - 1, -1):
            ways[total] += ways[total - step]
    tail = min(sum(ways[: positive + 1]), sum(ways[positive:]))
    return min(1.0, float(tail / 2 ** (n - 1)))


def _wrong_holm(path: Path, rows: Rows) -> list[str]:
    """Holm's p of each row from the p of its track and metric, as the definition has it."""
    families: dict[tuple[str, str], Rows] = defaultdict(list)
    problems = []
    for row in rows:
        try:
            if row["p"] and float(row["p"]) >= 0:
                families[row["track"], row["metric"]].append(row)
        except ValueError:
            problems.append(f"{path}: p of {row['a']} and {row['b']} is '{row['p']}'")
    for family in families.values():
        largest = 0.0
        for position, row in enumerate(sorted(family, key=lambda one: float(one["p"]))):
            largest = max(largest, min(1.0, (len(family) - position) * float(row["p"])))
            problems += differences(path, f"{row['a']} and {row['b']}, {row['track']}", row, {"p_holm": largest})
    return problems
