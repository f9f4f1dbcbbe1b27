"""Time stamps: the rate that they tell, and the samples that are missing between them."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError
from cleansemg.formats.channel_selection import MIN_FS_HZ, RATE_TOLERANCE
from cleansemg.formats.info import TimeColumn

LOG = logging.getLogger(__name__)
LineOf = Callable[[int], int]
JITTER = 0.01  # of a step, between neighbours
EXACT = 1e-9  # of a step: float64 holds the stamps as good as exactly
JUMP_TOLERANCE = 0.1  # of a step, by which a jump may miss a whole number of samples
MAX_GAP_S = 3600.0
USUAL_RATES_HZ = (
    200.0, 250.0, 256.0, 500.0, 512.0, 1000.0, 1024.0, 1500.0, 1600.0, 2000.0, 2048.0, 2400.0, 2500.0, 3000.0, 4000.0,
    4096.0, 4800.0, 5000.0, 8000.0, 8192.0, 10000.0, 10240.0, 20000.0, 20480.0,
)  # fmt: skip
_DECIMALS = re.compile(r"[.,](\d+)")


@dataclass(frozen=True)
class TimeStamps:
    """What the first stamps tell; fields as in `TimeColumn`."""

    s_per_unit: float | None
    first: float
    step: float
    resolution: float
    uncertainty: float
    decimals: int

    @property
    def fs_hz(self) -> float | None:
        if self.s_per_unit is None:
            return None
        fs_hz = 1 / (self.step * self.s_per_unit)
        slack = max(self.uncertainty, 1e-9)  # stamps are rounded, rates mostly round
        usual = min(USUAL_RATES_HZ, key=lambda rate: abs(rate - fs_hz))
        near = usual if abs(usual - fs_hz) <= slack * usual else float(round(fs_hz))
        return near if near and abs(fs_hz - near) <= slack * near else fs_hz

    def as_column(self, column: int, position: int, header: str, unit_header: str) -> TimeColumn:
        step = self.step if self.fs_hz is None or self.s_per_unit is None else 1 / (self.fs_hz * self.s_per_unit)
        return TimeColumn(
            column,
            position,
            header,
            unit_header,
            self.s_per_unit,
            self.first,
            step,
            self.resolution,
            self.uncertainty,
            self.decimals,
        )


def count_decimals(texts: Sequence[str]) -> int:
    """Digits after the mark, at most, in numbers as written."""
    return max((len(match[1]) for match in map(_DECIMALS.search, texts) if match), default=0)


def measure(
    path: Path,
    values: NDArray[np.float64],
    texts: Sequence[str],
    unit_s: float | None,
    counts: bool,
    known_hz: float | None,
) -> TimeStamps:
    """Step, resolution and unit of the first stamps.

    Args:
        path: for messages.
        values: [T] stamps; NaN where there is none.
        texts: some of them as written; empty where they are exact (a sheet).
        unit_s: seconds that 1 stands for; None: the name does not say. Then it is what fits `known_hz`, else 1.
        counts: the name says that it numbers the samples.
        known_hz: the rate that the header or the user states.

    Raises:
        UserError: they do not grow, or give no rate of surface EMG.
    """
    index = np.flatnonzero(np.isfinite(values))
    stamps = values[index]
    steps = np.diff(stamps)
    grown = steps[steps > 0]
    if not grown.size or stamps[-1] <= stamps[0]:
        raise UserError(f"{path}: the column of time stamps does not grow; give --time none and --fs HZ")
    decimals = count_decimals(texts)
    exact = not texts or any("e" in text.lower() for text in texts)
    rows = np.diff(index)
    median = float(np.median(grown / rows[steps > 0]))
    resolution = 1e-9 * abs(float(stamps[-1])) + 1e-12 if exact else 10.0**-decimals
    regular = np.mean(np.abs(steps - rows * median) <= JITTER * median * rows + 1e-9 * median)
    coarse = bool((steps == 0).any()) or (resolution > 0.5 * median and regular < 0.98)  # rounding is of a step's size
    mean, n_runs = _mean_step(steps, rows, median, min(resolution, median))
    forward = steps >= 0  # a jump back is an error, reported with its line
    if coarse:
        counted = forward & (steps <= 5 * rows * max(median, resolution))  # the others are gaps
        n_steps, span = float(rows[counted].sum()), float(steps[counted].sum())
    else:
        whole = np.maximum(rows, np.rint(steps / mean))[forward]
        n_steps, span = float(whole.sum()), float(steps[forward].sum())
    step = span / n_steps
    uncertainty = resolution / span
    steady = np.mean(np.abs(steps - rows * median) <= 0.01 * resolution + 4 * np.spacing(np.abs(stamps[1:])))
    if not coarse and steady >= 0.98:  # rounding would show in every few steps
        spacing = float(np.spacing(np.abs(stamps[-1])))
        if spacing <= EXACT * median:
            step, resolution, uncertainty = median, 1e-6 * median, 1e-9
        else:  # seconds since 1970: float64 itself rounds them, and no single step says the rate
            step = mean
            rounding = 4 * spacing + (0.0 if exact else 0.01 * resolution)  # as steady allows
            resolution, uncertainty = max(1e-6 * median, spacing), max(1e-9, 2 * rounding * n_runs / span)
    integers = decimals == 0 and not exact and step == 1
    if unit_s is None and not counts:
        unit_s = _guess_unit(path, step, known_hz, integers)
    return TimeStamps(unit_s, float(stamps[0]), step, resolution, uncertainty, decimals)


def _mean_step(steps: NDArray[np.float64], rows: NDArray[np.int64], median: float, slack: float) -> tuple[float, int]:
    """The step over all stamps but the jumps between them, and how many pieces these leave."""
    jump = (steps > (rows + 0.5) * median + slack) | (steps < 0)
    return float(steps[~jump].sum() / rows[~jump].sum()), int(jump.sum()) + 1


def _guess_unit(path: Path, step: float, known_hz: float | None, integers: bool) -> float | None:
    """Seconds, unless a known rate says otherwise; None: it counts samples."""
    if known_hz is not None:
        for unit_s in (1.0, 1e-3, 1e-6, 1e-9):
            if abs(1 / (step * unit_s) - known_hz) <= RATE_TOLERANCE * known_hz:
                return unit_s
        if abs(step - 1) <= 1e-9:
            return None
        return 1.0
    if 1 / step < MIN_FS_HZ:
        what = "numbers the samples" if integers else f"gives {1 / step:.6g} Hz, taken as seconds"
        raise UserError(
            f"{path}: the column of time stamps {what}; give --fs HZ, or name its unit in the header: 'time (ms)'"
        )
    return 1.0


class MissingSamples:
    """Counts the samples that are missing between stamps, block after block.

    Args:
        path: for messages.
        column: the stamps'.
    """

    def __init__(self, path: Path, column: TimeColumn) -> None:
        self.path = path
        self.column = column
        self.gaps = 0
        self.total = 0
        self._last = math.nan
        self._since = 0  # rows since the last stamp

    def before(self, stamps: NDArray[np.float64], line_of: LineOf) -> NDArray[np.int64]:
        """How many samples are missing before each row.

        Args:
            stamps: [l]; NaN where there is none (such a row is the next sample).
            line_of: from a row's index to its line in the file, for messages.

        Raises:
            UserError: a stamp lies before the last one, or not a whole number of samples after it.
        """
        missing = np.zeros(stamps.size, np.int64)
        index = np.flatnonzero(np.isfinite(stamps))
        if not index.size:
            self._since += stamps.size
            return missing
        values, rows = stamps[index], np.diff(index, prepend=index[0])
        rows[0] = index[0] + 1 + self._since
        steps = np.diff(values, prepend=values[0] if math.isnan(self._last) else self._last)
        if math.isnan(self._last):
            steps[0] = rows[0] * self.column.step
        self._last, self._since = float(values[-1]), int(stamps.size - 1 - index[-1])
        step, resolution = self.column.step, self.column.resolution
        regular = np.abs(steps - rows * step) <= JITTER * step * rows + resolution * 1.001
        if regular.all() and (steps >= 0).all():
            return missing
        for i in np.flatnonzero(~regular | (steps < 0)):
            missing[index[i]] = self._gap(float(steps[i]), int(rows[i]), line_of(int(index[i])))
        return missing

    def _gap(self, step: float, rows: int, line: int) -> int:
        unit, name = self.column.step, self.column.header or f"column {self.column.column}"
        if step < 0:
            raise UserError(
                f"{self.path}: line {line}: time ('{name}') jumps back by {-step:.6g}; mend it, or --time none --fs HZ"
            )
        count = step / unit
        tolerance = JUMP_TOLERANCE + (self.column.resolution + step * self.column.uncertainty) / unit
        whole = round(count)
        if whole < rows or abs(count - whole) > tolerance:
            raise UserError(
                f"{self.path}: line {line}: time ('{name}') steps by {step:.6g}, which is {count:.2f} samples; "
                "give --time none and --fs HZ to ignore the stamps"
            )
        if self.column.s_per_unit is not None and step * self.column.s_per_unit > MAX_GAP_S:
            raise UserError(
                f"{self.path}: line {line}: a gap of {step * self.column.s_per_unit:.6g} s; split the file there"
            )
        if self.column.s_per_unit is None and whole > 10_000_000:
            raise UserError(f"{self.path}: line {line}: a gap of {whole} samples; split the file there")
        self.gaps += 1
        self.total += whole - rows
        return whole - rows

    def report(self) -> None:
        """Log the gaps, once the file is through."""
        if self.gaps:
            LOG.warning("%s: %d gaps in time, %d samples taken as missing", self.path, self.gaps, self.total)
