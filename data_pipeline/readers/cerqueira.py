"""Cerqueira 2024: arm movements repeated until fatigue, with the fatigue that each person reports.

Cerqueira, Vilas Boas, Figueiredo, Santos 2024, Sensors 24:8081, doi:10.3390/s24248081; Zenodo 13860256. Thirteen
people, twelve trials each (odd ones with the right arm, even ones with the left), four muscles of that arm. Every
sensor has a separate time column. The reports (0 none, 1 moderate, 2 severe) are in separate files, about 50 a second.
"""

from __future__ import annotations

import hashlib
import io
import logging
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import ItemError, UserError, one_line
from cleansemg.data_pipeline.readers.listing import require_folder, sorted_refs, where_to_get
from cleansemg.data_pipeline.readers.nested_zips import DAMAGED, Member, find_members, open_member
from cleansemg.data_pipeline.recording import FileReader, Recording, RecordingRef
from cleansemg.formats.exponents import absurd_in_text
from cleansemg.formats.units import volts_per_unit

log = logging.getLogger(__name__)
FloatArray = NDArray[np.float64]

SIGNALS, REPORTS = "semg_data", "self_perceived_fatigue_index"
SUBJECT = re.compile(r"subject_(\d+)(?:\.zip)?", re.IGNORECASE)
TRIAL = re.compile(r"trial_(\d+)\.csv", re.IGNORECASE)  # those of subjects 1 and 2 are called Trial_1.csv
MUSCLES = {"BICEPS": "biceps", "ANTERIOR": "deltoid_anterior", "MEDIUS": "deltoid_medius",
           "POSTERIOR": "deltoid_posterior"}  # fmt: skip
RATE_TOLERANCE = 0.005  # relative
REACH_S = 0.5  # the first report also holds this long before it, the last one this long after it
Files = dict[tuple[int, int], Member]  # by subject and trial


class CerqueiraReader(FileReader):
    """Reads `sEMG_data` and `self_perceived_fatigue_index`, unpacked at any depth or in the nested zips as published.

    There is one recording per subject and trial. `label` is 1 + the report, and 0 where there is no report;
    `repetition` is the number of the trial where there is a report, else 0.

    Args:
        database: name of the database.
        folder: folder that holds both.
        fs_hz: sampling rate in hertz; a file whose time column gives another rate is refused.
        unit: unit of the signal, see `volts_per_unit`.
        exclude: pairs of subject and trial that are left out.
        muscle_order: sort the channels by muscle, as the header names them; otherwise they stay in the order of the
            columns, which differs between the left and the right arm.
        max_lost: fraction of rows that may be cut (at the end of a signal, where a clock stops) or skipped (reports
            whose clock goes back); a trial that would lose more is refused.

    Raises:
        ValueError: an unknown unit, a malformed pair, or a fraction out of range.
    """

    def __init__(
        self,
        database: str,
        folder: Path,
        fs_hz: float = 1259.26,
        unit: str | float = "V",
        exclude: Iterable[Sequence[int]] = (),
        muscle_order: bool = True,
        max_lost: float = 0.05,
    ) -> None:
        if not 0 <= max_lost < 1:
            raise ValueError(f"max_lost is {max_lost}: a fraction from 0 to below 1")
        pairs = [tuple(pair) for pair in exclude]
        if not all(len(pair) == 2 and all(isinstance(number, int) for number in pair) for pair in pairs):
            raise ValueError("exclude: expected pairs of subject and trial, as [[11, 4], [8, 9]]")
        self.database = database
        self.folder = Path(folder)
        self.fs_hz = float(fs_hz)
        self.scale = volts_per_unit(unit)
        self.exclude = {(int(pair[0]), int(pair[1])) for pair in pairs}
        self.muscle_order = muscle_order
        self.max_lost = max_lost
        self._reports: dict[str, str] | None = None  # key of a signal -> key of its reports

    def list(self) -> Sequence[RecordingRef]:
        """All trials but the excluded ones; see `RecordingReader.list`."""
        signals, reports = self._find()
        refs, self._reports = [], {}
        for (subject, trial), member in signals.items():
            if (subject, trial) in self.exclude:
                continue
            report = reports.get((subject, trial))
            if report is not None:
                self._reports[member.key] = report.key
            both = f"{member.fingerprint} {report.fingerprint if report else ''}"
            fingerprint = hashlib.sha256(both.encode()).hexdigest()[:32]
            refs.append(RecordingRef(self.database, f"S{subject}", f"T{trial}", member.key, fingerprint))
        return sorted_refs(refs)

    def _find(self) -> tuple[Files, Files]:
        require_folder(self.database, self.folder)
        files_of: tuple[Files, Files] = ({}, {})
        for member in find_members(self.folder, lambda key: _trial(key) is not None):
            which_trial = _trial(member.key)
            if which_trial is None:
                continue
            files = files_of[which_trial[0]]
            other = files.get(which_trial[1])
            if other is not None and other.depth == member.depth:
                raise UserError(f"{self.database}: '{other.key}' and '{member.key}' are the same trial; move one away")
            if other is None or member.depth < other.depth:  # an unpacked file is preferred to its archive
                files[which_trial[1]] = member
        if not files_of[0]:
            raise UserError(
                f"{self.database}: no file below {self.folder} is named like sEMG_data/subject_1/trial_1.csv; "
                f"{where_to_get(self.database)}or name another folder with --set datasets.{self.database}.folder=..."
            )
        return files_of

    def _read(self, ref: RecordingRef) -> Recording:
        """Cut, with a warning, rows of zeros or NaN at the end, and everything from the first row at which
        a sensor's clock does not advance or a value is missing.
        """
        if self._reports is None:
            self.list()
        report = (self._reports or {}).get(ref.key)
        trial = int(ref.exercise[1:])
        if report is None:
            raise ItemError(f"no report of fatigue: {REPORTS}/subject_{ref.subject[1:]}/trial_{trial}.csv is missing")
        header, table = _table(self.folder, ref.key)
        if table.shape[1] != 8:
            raise ItemError(f"has {table.shape[1]} columns, expected 8: time and value of four sensors")
        table = table[: self._usable_rows(table, ref.key)]
        time_s = table[:, 0]
        self._check_clock(table)
        columns, names = _order(header, trial) if self.muscle_order else (range(4), [f"ch{n}" for n in range(1, 5)])
        label = self._label(report, time_s)
        return Recording(
            database=ref.database,
            subject=ref.subject,
            exercise=ref.exercise,
            signal=np.ascontiguousarray(table[:, [2 * c + 1 for c in columns]].T) * self.scale,
            fs_hz=self.fs_hz,
            channels=tuple(names),
            label=label,
            repetition=np.where(label > 0, trial, 0),
        )

    def _usable_rows(self, table: FloatArray, key: str) -> int:
        empty: NDArray[np.bool_] = np.asarray((np.nan_to_num(table) == 0).all(axis=1))
        n = int(np.flatnonzero(~empty)[-1]) + 1 if not empty.all() else 0
        if n < 2:
            raise ItemError("holds no values")
        finite: NDArray[np.bool_] = np.asarray(np.isfinite(table[:n]).all(axis=1))
        with np.errstate(invalid="ignore"):
            advancing = np.concatenate([[True], (np.diff(table[:n, ::2], axis=0) > 0).all(axis=1)])
        bad = np.flatnonzero(~(finite & advancing))
        usable = int(bad[0]) if bad.size else n
        if n - usable > self.max_lost * n:
            cause = "a sensor's clock stops or goes back" if finite[usable] else "a value is missing"
            raise ItemError(
                f"{cause} in row {usable + 2} of {n + 1}, and more than {self.max_lost:.0%} would be lost by cutting "
                f"there; see datasets.{self.database}.parameters.max_lost"
            )
        if usable < len(table):
            log.warning("%s: %s: %d rows at the end are cut", self.database, key, len(table) - usable)
        return usable

    def _check_clock(self, table: FloatArray) -> None:
        clocks = table[:, ::2]  # [T, 4]
        stated = 1 / float(np.median(np.diff(clocks[:, 0])))
        if abs(stated - self.fs_hz) > RATE_TOLERANCE * self.fs_hz:
            raise ItemError(f"its clock says {stated:.2f} Hz, the configuration {self.fs_hz:g} Hz")
        apart_s = float(np.abs(clocks - clocks[:, :1]).max())
        if apart_s > 0.5 / self.fs_hz:
            raise ItemError(f"the clocks of its sensors are up to {apart_s:.4f} s apart")
        drift_s = float(np.ptp(clocks[:, 0])) - (len(clocks) - 1) / stated
        if abs(drift_s) > REACH_S:
            raise ItemError(f"{drift_s:.2f} s of samples are missing inside")

    def _label(self, key: str, time_s: FloatArray) -> NDArray[np.int64]:
        """[T] 1 + the last report up to each sample; 0 where there is none within `REACH_S`."""
        try:
            table = _table(self.folder, key)[1]
            if table.shape[1] < 2:
                raise ItemError(f"has {table.shape[1]} column(s), expected time and report")
            clock_s, report = table[:, 0], table[:, 1]
            forward = np.isfinite(clock_s) & np.isfinite(report)
            forward &= clock_s >= np.fmax.accumulate(clock_s)
            if forward.sum() < max((1 - self.max_lost) * len(table), 1):
                row = int(np.flatnonzero(~forward)[0]) + 2 if len(table) else 1
                raise ItemError(f"its clock goes back in row {row}, and more than {self.max_lost:.0%} of it is behind")
            if not forward.all():
                log.warning("%s: %s: %d rows whose clock goes back", self.database, key, int((~forward).sum()))
            clock_s, report = clock_s[forward], report[forward]
            if not np.isin(report, (0, 1, 2)).all():
                raise ItemError(f"holds the report {report[~np.isin(report, (0, 1, 2))][0]:g}, expected 0, 1 or 2")
        except ItemError as error:
            raise ItemError(f"{key}: {error}") from error
        last = np.maximum(np.searchsorted(clock_s, time_s, side="right") - 1, 0)
        reported = (time_s >= clock_s[0] - REACH_S) & (time_s <= clock_s[-1] + REACH_S)
        return np.where(reported, report[last].astype(np.int64) + 1, 0)


def _trial(key: str) -> tuple[int, tuple[int, int]] | None:
    """0 (signals) or 1 (reports), with subject and trial; None for other files (maximal contractions, notebooks)."""
    *folders, name = key.lower().split("/")
    trial = TRIAL.fullmatch(name)
    subjects = [match[1] for match in map(SUBJECT.fullmatch, folders) if match]
    for which, kind in enumerate((SIGNALS, REPORTS)):
        if trial and subjects and kind in {folder.removesuffix(".zip") for folder in folders}:
            return which, (int(subjects[-1]), int(trial[1]))
    return None


def _table(folder: Path, key: str) -> tuple[list[str], FloatArray]:
    import pandas as pd

    try:
        with open_member(folder, key) as file:
            content = file.read()
        absurd = absurd_in_text(content.decode("latin-1"))
        if absurd:
            raise ValueError(f"'{absurd}...' is not a number")
        table: Any = pd.read_csv(io.BytesIO(content), skipinitialspace=True)
        return [str(name) for name in table.columns], table.to_numpy(np.float64)
    except (ValueError, pd.errors.ParserError, *DAMAGED) as error:
        raise ItemError(f"no table of numbers, or truncated ({one_line(error)}); download it again") from error


def _order(header: Sequence[str], trial: int) -> tuple[list[int], list[str]]:
    """Indexes of the sensors in the order of `MUSCLES`, and the names of the muscles.

    The headers read like `R BICEPS BRACHII: EMG 1 [V]`.
    """
    values = [name.upper() for name in header[1::2]]
    columns = []
    for word in MUSCLES:
        fitting = [column for column, name in enumerate(values) if word in name]
        if len(fitting) != 1:
            raise ItemError(f"{len(fitting)} columns are called '{word}' ({', '.join(values)}); see muscle_order")
        columns.append(fitting[0])
    side = "R" if trial % 2 else "L"
    if not all(name.startswith(f"{side} ") for name in values):
        raise ItemError(f"trial {trial} should be of the {'right' if side == 'R' else 'left'} arm: {', '.join(values)}")
    return columns, list(MUSCLES.values())
