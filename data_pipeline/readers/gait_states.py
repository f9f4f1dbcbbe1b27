"""A rule that labels standing, starting, walking and stopping from two footswitch signals.

The recordings come without labels. The rule uses only the moments at which a switch changes, and the rises of its
signal, so the voltages of the contacts do not matter. docs/downstream/gait.md shows an example with its labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NONE, STAND, START, WALK, STOP = range(5)
STATES = ("stand", "start", "walk", "stop")  # of the labels 1 to 4

BIN_S = 0.01
LAG = 3  # bins between two values that are compared: an edge may last up to about 0.1 s
LOW, HIGH = 0.4, 0.6  # fractions of the range: a rise goes from below LOW to above HIGH
REFRACTORY_S = 0.3  # shortest time between two cycles of a leg


@dataclass(frozen=True)
class StateRule:
    """The parameters of the rule.

    Attributes:
        change_fraction: fraction of a switch signal's range; a larger step within 30 ms is a change.
        smallest_change: in the unit of the signal (V); smaller steps are noise, whatever the range.
        longest_pause_s: a longer time without a change of either foot ends a bout of walking.
        transition_cycles: number of gait cycles at the beginning of a bout labelled `start`, and at its end `stop`.
        shortest_stand_s: a shorter time without a change is not standing.
        guard_s: time before and after a bout that is not standing either.

    Raises:
        ValueError: a parameter is out of range.
    """

    change_fraction: float = 0.2
    smallest_change: float = 0.05
    longest_pause_s: float = 1.5
    transition_cycles: int = 2
    shortest_stand_s: float = 1.0
    guard_s: float = 0.2

    def __post_init__(self) -> None:
        if not 0 < self.change_fraction < 1:
            raise ValueError(f"change_fraction is {self.change_fraction}, expected a number between 0 and 1")
        if self.transition_cycles < 1:
            raise ValueError(f"transition_cycles is {self.transition_cycles}, expected at least 1")
        if min(self.smallest_change, self.longest_pause_s, self.shortest_stand_s) <= 0 or self.guard_s < 0:
            raise ValueError(
                "smallest_change, longest_pause_s, shortest_stand_s must be positive, guard_s not negative"
            )


@dataclass(frozen=True)
class _Leg:
    """One switch signal in bins: where it changes, and where a gait cycle begins."""

    changes: NDArray[np.int64]
    rises: NDArray[np.int64]


def gait_states(switches: NDArray[np.float64], fs_hz: float, rule: StateRule) -> NDArray[np.int64]:
    """Label every sample.

    A *bout* is a series of changes of either foot with no pause longer than `longest_pause_s`. Its gait cycles are
    counted by the rises of the leg that has more of them. The first `transition_cycles`, with what precedes them in
    the bout, are `start`; the last ones, with what follows them, are `stop`; the rest is `walk`. A bout with less than
    `shortest_stand_s` before it or after it in the recording counts as cut there and has no `start` or no `stop`. A
    bout with fewer cycles than two transitions and one cycle of walking (a step aside) gets no label. `stand` is every
    stretch of at least `shortest_stand_s` outside the bouts and their guards.

    Args:
        switches: [n_legs, T] without NaN.
        fs_hz: their sampling rate in hertz.
        rule: the parameters.

    Returns:
        [T]: 0 none, 1 stand, 2 start, 3 walk, 4 stop; all 0 for a recording of at most `LAG` bins.
    """
    n_samples = switches.shape[1]
    width = max(1, round(BIN_S * fs_hz))
    n_bins = n_samples // width
    if n_bins <= LAG:
        return np.zeros(n_samples, np.int64)
    bin_s = width / fs_hz
    legs = [_leg(switch[: n_bins * width].reshape(n_bins, width), bin_s, rule) for switch in switches]
    changes = np.unique(np.concatenate([leg.changes for leg in legs]))
    shortest_stand, guard = round(rule.shortest_stand_s / bin_s), round(rule.guard_s / bin_s)
    state = np.full(n_bins, NONE, np.int64)
    still = np.ones(n_bins, np.bool_)
    pauses = np.flatnonzero(np.diff(changes) > rule.longest_pause_s / bin_s)
    for bout in np.split(changes, pauses + 1) if changes.size else []:
        first, last = int(bout[0]), min(int(bout[-1]) + LAG, n_bins - 1)
        still[max(0, first - guard) : last + guard + 1] = False
        rises = max((leg.rises[(leg.rises >= first) & (leg.rises <= last)] for leg in legs), key=len)
        n = rule.transition_cycles
        if len(rises) < 2 * n + 2:
            continue
        state[first : last + 1] = WALK
        if first >= shortest_stand:
            state[first : rises[n]] = START
        if n_bins - last > shortest_stand:
            state[rises[-1 - n] : last + 1] = STOP
    edges = np.flatnonzero(np.diff(still.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
    for begin, end in edges:
        if end - begin >= shortest_stand:
            state[begin:end] = STAND
    label = np.full(n_samples, state[-1])
    label[: n_bins * width] = np.repeat(state, width)
    return label


def _leg(bins: NDArray[np.float64], bin_s: float, rule: StateRule) -> _Leg:
    """Changes and rises of one signal [n_bins, width]."""
    level = np.median(bins, axis=1)  # single outlying samples are not a contact
    low, span = float(level.min()), float(np.ptp(level))
    step = np.abs(level[LAG:] - level[:-LAG])
    changes = np.flatnonzero(step > max(rule.change_fraction * span, rule.smallest_change))
    if span <= rule.smallest_change:
        return _Leg(changes, np.empty(0, np.int64))
    # hysteresis: 1 above HIGH, 0 below LOW, -1 (not clear) between them
    side = np.where(level > low + HIGH * span, 1, np.where(level < low + LOW * span, 0, -1))
    clear = np.flatnonzero(side >= 0)
    rises = clear[1:][np.diff(side[clear]) == 1]
    accepted: list[int] = []
    for at in rises.tolist():
        if not accepted or (at - accepted[-1]) * bin_s >= REFRACTORY_S:
            accepted.append(at)
    return _Leg(changes, np.array(accepted, np.int64))
