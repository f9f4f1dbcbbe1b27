"""The sifting of empirical mode decomposition, compiled: extrema, mirrored ends, spline envelopes, stopping rules.

Sources: N. E. Huang et al. 1998 (the method); G. Rilling, P. Flandrin and P. Goncalves 2003 (mirrored ends);
the rules and thresholds in use are those of EMD-signal 1.10 with its defaults, so that results are the same.

Symbols: s the signal being sifted, n its samples; lane 0 carries maxima and the upper envelope, lane 1 minima
and the lower; x, y the knots of an envelope, h their spacing, m a sixth of the spline's second derivative there.

All compiled functions that call each other are in this one long file: numba's disk cache checks only the file of the
caller, so a change in another file would go unnoticed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MAX_SIFTINGS = 1000
SCALED_VARIANCE_LIMIT = 0.001
RELATIVE_CHANGE_LIMIT = 0.2
ENERGY_RATIO_LIMIT = 0.2
NO_ENERGY = 1e-10  # of a signal of unit RMS
NEGLIGIBLE = 1e-8  # a remainder that never exceeds this is no component; also for unit RMS
ENOUGH_EXTREMA = 3
BLOCK = 8  # samples evaluated together: more than most intervals between knots have
MIRRORED = 2  # extrema repeated beyond each end


class Work(NamedTuple):
    """Scratch arrays for signals of one length, so that sifting allocates nothing."""

    mean: FloatArray  # [n]
    envelopes: FloatArray  # [2, n + BLOCK]
    positions: IntArray  # [n]
    x: FloatArray  # [2, knots]
    y: FloatArray  # [2, knots]
    h: FloatArray  # [2, knots]
    slope: FloatArray  # [2, knots]
    m: FloatArray  # [2, knots]
    upper: FloatArray  # [2, knots] of the eliminated system, then the cubics' first coefficients
    ends: IntArray  # [2, 2] first knot and one past the last, a lane


@njit(cache=True)
def workspace(n: int) -> Work:
    """Scratch arrays for signals of `n` samples."""
    knots = n // 2 + 2 * MIRRORED + 4
    return Work(
        np.empty(n),
        np.empty((2, n + BLOCK)),
        np.empty(n, np.int64),
        np.empty((2, knots)),
        np.empty((2, knots)),
        np.empty((2, knots)),
        np.empty((2, knots)),
        np.empty((2, knots)),
        np.empty((2, knots)),
        np.empty((2, 2), np.int64),
    )


@njit(cache=True, error_model="numpy")
def decompose(s: FloatArray, max_imf: int, range_thr: float, total_power_thr: float) -> FloatArray:
    """All modes of s [n], a signal of unit RMS, and the remainder last: [k, n], k >= 1."""
    n = len(s)
    work = workspace(n)
    modes = np.empty((16, n))
    explained = np.zeros(n)
    rest = np.empty(n)
    k = 0
    while True:
        if k == len(modes) - 1:  # room for one more and the remainder
            more = np.empty((2 * len(modes), n))
            more[:k] = modes[:k]
            modes = more
        mode = modes[k]
        for i in range(n):
            mode[i] = s[i] - explained[i]
        extrema, trend = extract_mode(mode, work)
        k += 1
        low, high, total = np.inf, -np.inf, 0.0
        for i in range(n):
            rest[i] = s[i] - (explained[i] + mode[i])
            low = min(low, rest[i])
            high = max(high, rest[i])
            total += abs(rest[i])
        ended = trend or k == max_imf or high - low < range_thr or total < total_power_thr
        if ended and extrema < ENOUGH_EXTREMA:  # a trend is no mode
            k -= 1
            for i in range(n):
                rest[i] = s[i] - explained[i]
        if ended:
            break
        for i in range(n):
            explained[i] += mode[i]
    if k == 0 or _matters(rest):
        modes[k] = rest
        k += 1
    else:
        modes[k - 1] += rest
    return modes[:k].copy()


@njit(cache=True, error_model="numpy")
def first_mode(s: FloatArray, work: Work, mode: FloatArray, rest: FloatArray) -> int:
    """Split s [n] into its first mode and the rest, as an EMD of at most one mode does; returns how many there are.

    Result 2: `mode` and `rest` [n] are the two components. Result 1: there is only one component, and `mode` and
    `rest` both hold it: s itself where s has no mode, else the mode.
    """
    n = len(s)
    for i in range(n):
        mode[i] = s[i]
    extrema, _ = extract_mode(mode, work)
    if extrema < ENOUGH_EXTREMA:
        mode[:] = s
        rest[:] = s
        return 1
    for i in range(n):
        rest[i] = s[i] - mode[i]
    if not _matters(rest):
        rest[:] = mode
        return 1
    return 2


@njit(cache=True, error_model="numpy")
def mean_over_trials(
    s: FloatArray,
    scale: float,
    order: int,
    noise_modes: FloatArray,
    n_noise_modes: IntArray,
    of_rest: bool,
    mean: FloatArray,
) -> None:
    """Mean over trials of the first mode (or the rest) of s plus `scale` times the noise's mode `order`.

    Args: s [n]; noise_modes [trials, k, n], of which trial t has n_noise_modes[t]; the mean goes to `mean` [n].
    A trial whose noise has no such mode uses s alone; all such trials share one decomposition.
    """
    trials, _, n = noise_modes.shape
    work = workspace(n)
    disturbed, mode, rest, plain = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    plain_known = False
    mean[:] = 0.0
    for t in range(trials):
        if order < n_noise_modes[t]:
            for i in range(n):
                disturbed[i] = s[i] + scale * noise_modes[t, order, i]
            first_mode(disturbed, work, mode, rest)
            component = rest if of_rest else mode
        else:
            if not plain_known:
                first_mode(s, work, mode, rest)
                plain[:] = rest if of_rest else mode
                plain_known = True
            component = plain
        for i in range(n):
            mean[i] += component[i] / trials


@njit(cache=True, error_model="numpy")
def components_of_first(s: FloatArray) -> int:
    """Number of components (1 or 2) in an EMD of s [n] with at most one mode."""
    components: int = first_mode(s, workspace(len(s)), np.empty(len(s)), np.empty(len(s)))
    return components


@njit(cache=True, error_model="numpy")
def extract_mode(s: FloatArray, work: Work) -> tuple[int, bool]:
    """Sift s [n] in place until it is a mode; returns its number of extrema, and True if they are too few to go on."""
    extrema, crossings = _find_extrema(s, work.positions)
    for _ in range(MAX_SIFTINGS - 1):
        if extrema < ENOUGH_EXTREMA:
            return extrema, True
        separated = _set_knots(s, extrema, work)
        _solve(work)
        _evaluate(work, 0, len(s))
        _evaluate(work, 1, len(s))
        spread = _spread(s, extrema, work.positions)
        change, before, after = _subtract_mean(s, work.envelopes, work.mean)
        extrema, crossings = _find_extrema(s, work.positions)
        if abs(extrema - crossings) < 2 and separated and after >= NO_ENERGY:
            if change / spread < SCALED_VARIANCE_LIMIT or change / before < ENERGY_RATIO_LIMIT:
                break
            if _changes_little(s, work.mean):
                break
    return extrema, False


@njit(cache=True, error_model="numpy")
def _find_extrema(s: FloatArray, positions: IntArray) -> tuple[int, int]:
    """Write the positions of the extrema, maxima and minima in turn; returns their number and the zero crossings'."""
    n = len(s)
    crossings, zeros, flats = 0, 0, 0
    for i in range(n - 1):
        crossings += s[i] * s[i + 1] < 0.0
        zeros += s[i] == 0.0
        flats += s[i] == s[i + 1]
    if zeros > 0 or s[n - 1] == 0.0:  # a run of zeros is one crossing
        for i in range(n):
            crossings += s[i] == 0.0 and (i == 0 or s[i - 1] != 0.0)
    if flats > 0:
        return _find_extrema_and_plateaus(s, positions), crossings
    count = np.uint64(0)
    before = s[1] - s[0]
    for i in range(1, n - 1):  # no branch: which sample is an extremum cannot be predicted
        after = s[i + 1] - s[i]
        positions[count] = i
        count += np.uint64(before * after < 0.0)
        before = after
    return np.int64(count), crossings  # type: ignore[return-value]


@njit(cache=True, error_model="numpy")
def _find_extrema_and_plateaus(s: FloatArray, positions: IntArray) -> int:
    """The same with equal neighbours: a plateau counts once, at its middle (halves go to the even sample).

    As in the reference, a plateau that begins at sample 1 or reaches the end does not count, and the slope before a
    plateau that begins at sample 0 is that of the signal's end.
    """
    n = len(s)
    count = 0
    i = 0
    while i < n - 1:
        if s[i] != s[i + 1]:
            if i > 0 and s[i - 1] != s[i] and (s[i] - s[i - 1]) * (s[i + 1] - s[i]) < 0.0:
                positions[count] = i
                count += 1
            i += 1
            continue
        first, last = i, i + 1
        while last < n - 1 and s[last + 1] == s[last]:
            last += 1
        i = last
        if first == 1 or last == n - 1:
            continue
        rise = s[first] - s[first - 1] if first > 0 else s[n - 1] - s[n - 2]
        fall = s[last] - s[last + 1]
        if rise * fall > 0.0:
            middle = (first + last) // 2
            positions[count] = middle + (middle & 1) * ((first + last) & 1)
            count += 1
    return count


@njit(cache=True, error_model="numpy")
def _set_knots(s: FloatArray, extrema: int, work: Work) -> bool:
    """Knots at the extrema and their images beyond the ends; False where a maximum is below 0 or a minimum above."""
    x, y, ends, positions = work.x, work.y, work.ends, work.positions
    n = len(s)
    first = 0 if s[positions[0]] > s[positions[1]] else 1
    other = 1 - first
    for e in range(0, extrema - 1, 2):
        k = MIRRORED + e // 2
        p, q = positions[e], positions[e + 1]
        x[first, k] = p
        y[first, k] = s[p]
        x[other, k] = q
        y[other, k] = s[q]
    n_first, n_other = (extrema + 1) // 2, extrema // 2
    if n_first > n_other:
        p = positions[extrema - 1]
        x[first, MIRRORED + n_other] = p
        y[first, MIRRORED + n_other] = s[p]
    end_first, end_other = MIRRORED + n_first, MIRRORED + n_other
    added_first, added_other = _mirror(x, y, s[0], 0.0, 1, first, MIRRORED, n_first, MIRRORED, n_other)
    ends[first, 0] = MIRRORED - added_first
    ends[other, 0] = MIRRORED - added_other
    if n_first > n_other:
        added_first, added_other = _mirror(
            x, y, s[n - 1], n - 1.0, -1, first, end_first - 1, n_first, end_other - 1, n_other
        )
    else:
        added_other, added_first = _mirror(
            x, y, s[n - 1], n - 1.0, -1, other, end_other - 1, n_other, end_first - 1, n_first
        )
    ends[first, 1] = end_first + added_first
    ends[other, 1] = end_other + added_other
    wrong = 0
    for k in range(ends[0, 0], ends[0, 1]):
        wrong += y[0, k] < 0.0
    for k in range(ends[1, 0], ends[1, 1]):
        wrong += y[1, k] > 0.0
    return wrong == 0


@njit(cache=True, error_model="numpy")
def _mirror(
    x: FloatArray,
    y: FloatArray,
    edge_value: float,
    edge: float,
    inwards: int,
    near: int,
    k_near: int,
    n_near: int,
    k_far: int,
    n_far: int,
) -> tuple[int, int]:
    """Mirror up to two extrema per lane beyond one end; returns how many in lane `near` and in the other.

    `near` is the lane of the extremum next to the end, at knot k_near; `inwards` is 1 at the left end, -1 at the
    right. The mirror stands at that extremum where the end's value lies on its side of the next one, and the images
    reach beyond the end; otherwise at the end itself, which then counts as an extremum of the other kind, if
    its value is not on that side.
    """
    far = 1 - near
    opposite = y[far, k_far]
    at_extremum = edge_value > opposite if near == 0 else edge_value < opposite
    if not at_extremum:
        skip = 1 if x[near, k_near] == edge else 0  # a knot and its image at the same place
        added = 0
        for j in range(skip, min(2, n_near)):
            added += 1
            x[near, k_near - inwards * added] = 2 * edge - x[near, k_near + inwards * j]
            y[near, k_near - inwards * added] = y[near, k_near + inwards * j]
        x[far, k_far - inwards] = edge
        y[far, k_far - inwards] = edge_value
        x[far, k_far - 2 * inwards] = 2 * edge - x[far, k_far]
        y[far, k_far - 2 * inwards] = opposite
        return added, 2
    mirror = x[near, k_near]
    skip = 1
    added, added_far = min(2, n_near - 1), min(2, n_far)
    reach = 2 * mirror - x[near, k_near + inwards * added]
    reach_far = 2 * mirror - x[far, k_far + inwards * (added_far - 1)]
    if inwards * (reach - edge) > 0 or inwards * (reach_far - edge) > 0:
        mirror = edge
        skip = 0
        added = min(2, n_near)
    for j in range(added):
        x[near, k_near - inwards * (j + 1)] = 2 * mirror - x[near, k_near + inwards * (j + skip)]
        y[near, k_near - inwards * (j + 1)] = y[near, k_near + inwards * (j + skip)]
    for j in range(added_far):
        x[far, k_far - inwards * (j + 1)] = 2 * mirror - x[far, k_far + inwards * j]
        y[far, k_far - inwards * (j + 1)] = y[far, k_far + inwards * j]
    return added, added_far


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _solve(work: Work) -> None:
    """The cubics of both envelopes: not-a-knot splines, natural ones where there are three knots.

    The condition of an end, a continuous third derivative at the knot next to it, is eliminated from its equation,
    which leaves a diagonally dominant system for the inner knots. Both lanes go through one loop, because each
    step waits for the division of the step before.
    """
    h, slope, m, upper = work.h, work.slope, work.m, work.upper
    _slopes(work, 0)
    _slopes(work, 1)
    n0, n1 = _knots(work, 0) - 2, _knots(work, 1) - 2  # the last inner knots
    u0, m0 = _first_row(work, 0)
    u1, m1 = _first_row(work, 1)
    together = min(n0, n1)
    for k in range(2, together):
        u0, m0 = _row(h, slope, 0, k, u0, m0)
        u1, m1 = _row(h, slope, 1, k, u1, m1)
        upper[0, k], m[0, k] = u0, m0
        upper[1, k], m[1, k] = u1, m1
    for k in range(max(together, 2), n0):
        u0, m0 = _row(h, slope, 0, k, u0, m0)
        upper[0, k], m[0, k] = u0, m0
    for k in range(max(together, 2), n1):
        u1, m1 = _row(h, slope, 1, k, u1, m1)
        upper[1, k], m[1, k] = u1, m1
    m0 = _last_row(work, 0, u0, m0)
    m1 = _last_row(work, 1, u1, m1)
    for k in range(n0 - 1, max(together, 1) - 1, -1):
        m0 = m[0, k] - upper[0, k] * m0
        m[0, k] = m0
    for k in range(n1 - 1, max(together, 1) - 1, -1):
        m1 = m[1, k] - upper[1, k] * m1
        m[1, k] = m1
    for k in range(together - 1, 0, -1):
        m0 = m[0, k] - upper[0, k] * m0
        m1 = m[1, k] - upper[1, k] * m1
        m[0, k] = m0
        m[1, k] = m1
    _coefficients(work, 0)
    _coefficients(work, 1)


@njit(cache=True)
def _knots(work: Work, lane: int) -> int:
    count: int = work.ends[lane, 1] - work.ends[lane, 0]
    return count


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _slopes(work: Work, lane: int) -> None:
    h, slope = work.h[lane], work.slope[lane]
    x = work.x[lane, work.ends[lane, 0] : work.ends[lane, 1]]
    y = work.y[lane, work.ends[lane, 0] : work.ends[lane, 1]]
    for k in range(len(x) - 1):
        h[k] = x[k + 1] - x[k]
        slope[k] = (y[k + 1] - y[k]) / h[k]


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _first_row(work: Work, lane: int) -> tuple[float, float]:
    """Eliminate inner knot 1."""
    if _knots(work, lane) == 3:
        return 0.0, 0.0
    h, slope = work.h[lane], work.slope[lane]
    pivot = 1.0 / (h[0] + 2 * h[1])
    work.upper[lane, 1] = (h[1] - h[0]) * pivot
    work.m[lane, 1] = (slope[1] - slope[0]) * h[1] / (h[0] + h[1]) * pivot
    return work.upper[lane, 1], work.m[lane, 1]


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _row(h: FloatArray, slope: FloatArray, lane: int, k: int, upper: float, m: float) -> tuple[float, float]:
    """Eliminate inner knot k, after the results `upper` and `m` of the one before."""
    left, right = h[lane, k - 1], h[lane, k]
    pivot = 1.0 / (2 * (left + right) - left * upper)
    return right * pivot, (slope[lane, k] - slope[lane, k - 1] - left * m) * pivot


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _last_row(work: Work, lane: int, upper: float, m: float) -> float:
    """Solve the last inner knot, which is the only one of three."""
    h, slope, k = work.h[lane], work.slope[lane], _knots(work, lane) - 2
    left, right = h[k - 1], h[k]
    bend = slope[k] - slope[k - 1]
    if _knots(work, lane) == 3:
        solved: float = bend / (2 * (left + right))
    else:
        below = left - right
        solved = (bend * left / (left + right) - below * m) / (2 * left + right - below * upper)
    work.m[lane, k] = solved
    return solved


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _coefficients(work: Work, lane: int) -> None:
    """The second derivatives at the ends, then the cubic of every interval, in `upper`, `m` and `slope`."""
    h, slope, m, cubic = work.h[lane], work.slope[lane], work.m[lane], work.upper[lane]
    last = _knots(work, lane) - 1
    if last == 2:
        m[0], m[last] = 0.0, 0.0
    else:
        m[0] = m[1] - h[0] / h[1] * (m[2] - m[1])
        m[last] = m[last - 1] + h[last - 1] / h[last - 2] * (m[last - 1] - m[last - 2])
    for k in range(last):
        cubic[k] = (m[k + 1] - m[k]) / h[k]
        slope[k] -= h[k] * (2 * m[k] + m[k + 1])


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _evaluate(work: Work, lane: int, n: int) -> None:
    """Evaluate an envelope at the samples, in whole blocks from each knot on; the next knot overwrites the excess.

    Indices are unsigned: with signed ones, numba would check for negative values at every sample.
    """
    out, cubic, linear, m = work.envelopes[lane], work.upper[lane], work.slope[lane], work.m[lane]
    x = work.x[lane, work.ends[lane, 0] : work.ends[lane, 1]]
    y = work.y[lane, work.ends[lane, 0] : work.ends[lane, 1]]
    last = len(x) - 1
    for k in range(last):
        begin = max(x[k], 0.0)
        end = min(x[k + 1] - (k < last - 1), n - 1.0)
        if end < begin:
            continue
        a, b, c, d = cubic[k], 3 * m[k], linear[k], y[k]
        offset = begin - x[k]
        start = np.uint64(begin)
        blocks = (end - begin) / BLOCK
        while True:
            for j in range(np.uint64(BLOCK)):
                u = offset + j
                out[start + j] = ((a * u + b) * u + c) * u + d
            blocks -= 1.0
            if blocks < 0.0:
                break
            start += np.uint64(BLOCK)
            offset += BLOCK


@njit(cache=True, error_model="numpy")
def _spread(s: FloatArray, extrema: int, positions: IntArray) -> float:
    """Range of s: largest minus smallest of its extrema, its ends, and sample 1 (an initial plateau)."""
    n = len(s)
    low = min(s[0], s[1], s[n - 1])
    high = max(s[0], s[1], s[n - 1])
    for e in range(extrema):
        low = min(low, s[positions[e]])
        high = max(high, s[positions[e]])
    spread: float = high - low
    return spread


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def _subtract_mean(s: FloatArray, envelopes: FloatArray, mean: FloatArray) -> tuple[float, float, float]:
    """Subtract the mean of the envelopes from s, in place; returns the energies of the mean, of s before and after."""
    change, before, after = 0.0, 0.0, 0.0
    for i in range(len(s)):
        old = s[i]
        middle = 0.5 * (envelopes[0, i] + envelopes[1, i])
        new = old - middle
        mean[i] = middle
        s[i] = new
        change += middle * middle
        before += old * old
        after += new * new
    return change, before, after


@njit(cache=True, error_model="numpy")
def _changes_little(s: FloatArray, change: FloatArray) -> bool:
    """Whether the sum of squares of change / s is below its limit."""
    total = 0.0
    for i in range(len(s)):
        ratio = change[i] / s[i]
        total += ratio * ratio
        if not total < RELATIVE_CHANGE_LIMIT:
            return False
    return True


@njit(cache=True)
def _matters(rest: FloatArray) -> bool:
    """Whether the magnitude of any sample exceeds `NEGLIGIBLE`."""
    matters: bool = np.max(np.abs(rest)) > NEGLIGIBLE
    return matters
