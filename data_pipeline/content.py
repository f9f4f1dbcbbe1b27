"""People told apart by what their recordings hold: stretches of samples that occur under two names.

Every run of 64 samples has a hash, and one hash in 256 is kept, by the hash's own value. Two signals that share a
stretch therefore keep the same hashes of it, wherever it lies in either of them and however long they are: this is
sampling of shingles by their value (Broder 1997, On the resemblance and containment of documents, SEQUENCES:21). Of
a copied stretch of n samples, about n / 256 hashes are shared. Runs in which few samples change are left out:
dropouts, rails and rests of zeros are alike in everybody. Samples are compared exactly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

WINDOW = 64  # samples of a run: a power of 2
ONE_IN = 256  # hashes, of which one is kept
SAMPLED = 32  # at most, of a signal: the smallest
CHANGES = WINDOW // 2  # steps of a run that must not be 0
SHARED = 2  # hashes that two signals must share: one might be chance, in a long life
MULTIPLIERS = (np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53))  # of MurmurHash3's finaliser
SHIFT = np.uint64(33)

Hashes = NDArray[np.uint64]


def content_hashes(x: NDArray[np.floating]) -> Hashes:
    """[SAMPLED] hashes of what a signal [T] holds, ascending; 0 where it has fewer.

    >>> x = np.random.default_rng(0).standard_normal(5000)
    >>> whole, later = content_hashes(x), content_hashes(x[700:])
    >>> bool(len(set(whole[whole > 0]) & set(later[later > 0])) > 8)
    True
    """
    hashes = np.zeros(SAMPLED, np.uint64)
    if len(x) < WINDOW:
        return hashes
    values = np.asarray(x, np.float64) + 0.0  # -0 becomes 0
    runs = _mixed(values.view(np.uint64))
    size = 1
    while size < WINDOW:
        runs = _mixed(runs[:-size] * MULTIPLIERS[0] + runs[size:])
        size *= 2
    changes = np.concatenate([[0], np.cumsum(np.diff(values) != 0)])
    lively = changes[WINDOW - 1 :] - changes[: len(runs)] >= CHANGES
    sampled = np.unique(runs[lively & (runs % np.uint64(ONE_IN) == 0) & (runs > 0)])[:SAMPLED]
    hashes[: len(sampled)] = sampled
    return hashes


def _mixed(values: Hashes) -> Hashes:
    """Every bit of the result depends on every bit of the value."""
    mixed = values ^ (values >> SHIFT)
    for multiplier in MULTIPLIERS:
        mixed = mixed * multiplier
        mixed ^= mixed >> SHIFT
    return np.asarray(mixed, np.uint64)


def shared_content(hashes: Hashes, persons: Sequence[str]) -> list[tuple[int, int]]:
    """The pairs of signals of different people that hold the same samples, each with the smaller row first, sorted.

    Args:
        hashes: [n, SAMPLED] of `content_hashes`.
        persons: [n] whose each signal is.
    """
    rows, columns = np.nonzero(hashes)
    values = hashes[rows, columns]
    order = np.argsort(values, kind="stable")
    values, rows = values[order], rows[order]
    edges = np.flatnonzero(np.diff(values)) + 1
    starts, stops = np.concatenate([[0], edges]), np.concatenate([edges, [len(values)]])
    counts: Counter[tuple[int, int]] = Counter()
    for start, stop in zip(*(side[stops - starts > 1].tolist() for side in (starts, stops)), strict=True):
        alike = rows[start:stop].tolist()  # ascending, as the sort is stable
        counts.update(
            (one, other) for at, one in enumerate(alike) for other in alike[at + 1 :] if persons[one] != persons[other]
        )
    return sorted(pair for pair, count in counts.items() if count >= SHARED)
