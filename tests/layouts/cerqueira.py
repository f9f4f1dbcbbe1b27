"""Cerqueira 2024 in small: folders, names, headers and clocks, with signals whose spectrum falls with the report."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.signal

from cleansemg.core.seeding import generator

STEP_S = 0.00079411718  # of the original's clock: 1259.26 Hz
RIGHT = ("R BICEPS BRACHII: EMG 1 [V]", "R DELTOID ANTERIOR: EMG 2 [V]", "R DELTOID MEDIUS: EMG 6 [V]", "R DELTOID POSTERIOR: EMG 7 [V]")  # fmt: skip
LEFT = ("L DELTOID ANTERIOR: EMG 3 [V]", "L BICEPS BRACHII: EMG 4 [V]", "L DELTOID POSTERIOR: EMG 5 [V]", "L DELTOID MEDIUS: EMG 8 [V]")  # fmt: skip
SCALE = {"BICEPS": 1.0, "ANTERIOR": 2.0, "MEDIUS": 3.0, "POSTERIOR": 4.0}  # tells muscles apart
UPPER_HZ = (220.0, 150.0, 100.0)  # of the signal's band, by report
AMPLITUDE_V = 5e-5


def write_tree(
    root: Path,
    subjects: Iterable[int] = (1, 3, 8),
    trials: Sequence[int] = (1, 2),
    trial_s: float = 18.0,
    zipped: bool = False,
    seed: int = 0,
) -> Path:
    """Write `sEMG_data` and `self_perceived_fatigue_index` below `root`.

    Subject 8 lies one folder deeper, reports of subjects 1 and 2 are called `Trial_1.csv`, signals end with three
    rows of zeros, and beside the trials lies a folder of maximal contractions. Zipped: zips of a zip a subject.

    Returns:
        `root`.
    """
    for subject in subjects:
        deeper = f"subject_{subject}/" * (2 if subject == 8 else 1)
        for trial in trials:
            signal, report = trial_tables(subject, trial, trial_s, seed)
            write_table(root / f"sEMG_data/{deeper}trial_{trial}.csv", signal)
            name = "Trial" if subject <= 2 else "trial"
            write_table(root / f"self_perceived_fatigue_index/subject_{subject}/{name}_{trial}.csv", report)
        maximal = pd.DataFrame({"X [s]": [0.0, STEP_S], "R BICEPS BRACHII: EMG 1 [V]": [0.0, 1e-4], "RMS": [0.0, 0.0]})
        write_table(root / f"sEMG_data/{deeper}MVC/subject_{subject}_MVC_R_BICEPS.csv", maximal)
    if zipped:
        for name in ("sEMG_data", "self_perceived_fatigue_index"):
            _zip_twice(root, name)
    return root


def trial_tables(subject: int, trial: int, trial_s: float, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Signals with their clocks, and reports: a third of the trial each."""
    n = round(trial_s / STEP_S)
    clock = np.arange(n) * STEP_S
    header = RIGHT if trial % 2 else LEFT
    columns: dict[str, np.ndarray] = {}
    for number, name in enumerate(header):
        rng = generator(seed, "cerqueira", subject, trial, name)
        white = rng.standard_normal(n)
        parts = [scipy.signal.sosfilt(scipy.signal.butter(4, [25, upper], "bandpass", fs=1 / STEP_S, output="sos"), white) for upper in UPPER_HZ]  # fmt: skip
        third = np.minimum(np.arange(n) * 3 // n, 2)
        muscle = next(word for word in SCALE if word in name)
        # pandas numbers repeated headers: X [s], X [s].1, ...
        columns["X [s]" + (f".{number}" if number else "")] = clock
        columns[name] = AMPLITUDE_V * SCALE[muscle] * np.choose(third, parts)
    signal = pd.concat([pd.DataFrame(columns), pd.DataFrame(0.0, index=range(3), columns=list(columns))])
    at = 0.01 + np.arange(round(trial_s * 50) + 5) / 50  # reports go on for longer
    return signal, pd.DataFrame({"time": at, "fatigue": np.minimum((at / trial_s * 3).astype(int), 2)})


def write_table(path: Path, table: pd.DataFrame) -> None:
    """A table as a CSV, folders made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, float_format="%.10g")


def _zip_twice(root: Path, name: str) -> None:
    with zipfile.ZipFile(root / f"{name}.zip", "w") as outer:
        for folder in sorted((root / name).iterdir()):
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as inner:
                for path in sorted(folder.rglob("*.csv")):
                    inner.write(path, path.relative_to(folder).as_posix())
            outer.writestr(f"{name}/{folder.name}.zip", buffer.getvalue())
    shutil.rmtree(root / name)
