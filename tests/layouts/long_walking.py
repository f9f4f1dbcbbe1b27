"""Small WFDB records with the 14 signals of PhysioNet's long-lasting walking, and what was done in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.seeding import generator

LEG = ("TIB.A", "LAT.G", "REC.F", "HAM", "LAT.V")
NAMES = tuple(name for side in ("LT", "RT") for name in (f"foot-switch {side}", f"knee {side}", *(f"semg {side} {m}" for m in LEG)))  # fmt: skip
UNITS = tuple(unit for _ in "LR" for unit in ("V", "deg", *["uV"] * 5))
CYCLE_S = 1.1
# Four levels of a foot, in volts: heel, flat, push-off, swing; each lasts a part of the cycle.
LEVELS_V, PARTS = (1.0, 2.0, 3.0, 4.0), (0.1, 0.3, 0.2, 0.4)


@dataclass(frozen=True)
class Walk:
    """What a person does: stands, takes some gait cycles, stands; again and again."""

    stand_s: Sequence[float] = (5.0, 5.0)
    cycles: Sequence[int] = (12,)


def write_walker(
    folder: Path,
    name: str,
    walk: Walk | None = None,
    *,
    fs_hz: float = 2000.0,
    drop: Sequence[str] = (),
    gaps: Sequence[tuple[str, int, int]] = (),
    noise_v: float = 0.01,
    stated: str | None = None,
) -> NDArray[np.bool_]:
    """Write one record.

    Args:
        folder: where; made if absent.
        name: of record and person.
        walk: what they do.
        fs_hz: sampling rate.
        drop: names of signals that the record lacks.
        gaps: (name, first, last) samples without a value; last None-like -1 is the end.
        noise_v: standard deviation of the switches' noise.
        stated: the unit that the header states for every signal, as the originals state mV; None: the true ones.

    Returns:
        [T] whether the feet move.
    """
    import wfdb

    walk = walk or Walk()
    rng = generator(7, "walker", name)
    phase, moving = _phase(walk, fs_hz)
    columns: dict[str, NDArray[np.float64]] = {}
    for side, shift in (("LT", 0.0), ("RT", 0.5)):
        at = (phase + shift) % 1.0
        level = np.array(LEVELS_V)[np.searchsorted(np.cumsum(PARTS)[:-1], at, side="right")]
        switch = np.where(moving, level, LEVELS_V[1])  # both feet are flat in standing
        columns[f"foot-switch {side}"] = switch + noise_v * rng.standard_normal(len(at))
        columns[f"knee {side}"] = np.where(moving, 30 - 30 * np.cos(2 * np.pi * at), 2.0)
        for number, muscle in enumerate(LEG):
            burst = np.exp(-0.5 * ((at - 0.15 * (number + 1)) / 0.1) ** 2)
            columns[f"semg {side} {muscle}"] = (3 + moving * 60 * burst) * rng.standard_normal(len(at))
    for gap, first, last in gaps:
        columns[gap][first : None if last == -1 else last] = np.nan
    kept = [signal for signal in NAMES if signal not in drop]
    folder.mkdir(parents=True, exist_ok=True)
    gain = {"V": 1000.0, "deg": 100.0, "uV": 50.0}
    units = [UNITS[NAMES.index(signal)] for signal in kept]
    wfdb.wrsamp(
        name,
        fs=fs_hz,
        units=units if stated is None else [stated] * len(kept),
        sig_name=kept,
        p_signal=np.stack([columns[signal] for signal in kept], axis=1),
        fmt=["16"] * len(kept),
        adc_gain=[gain[unit] for unit in units],
        baseline=[0] * len(kept),
        write_dir=str(folder),
    )
    return moving


def _phase(walk: Walk, fs_hz: float) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Of the left leg's cycle, from 0 to 1, and whether the feet move."""
    parts, moving = [], []
    for number, seconds in enumerate(walk.stand_s):
        parts.append(np.zeros(round(seconds * fs_hz)))
        moving.append(np.zeros(len(parts[-1]), np.bool_))
        if number < len(walk.cycles):
            n = round(walk.cycles[number] * CYCLE_S * fs_hz)
            parts.append((np.arange(n) / (CYCLE_S * fs_hz)) % 1.0)
            moving.append(np.ones(n, np.bool_))
    return np.concatenate(parts), np.concatenate(moving)
