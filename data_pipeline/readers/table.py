"""Recordings in plain tables: CSV, TSV, TXT, XLSX or npz, described by a few lines of YAML.

docs/data-formats.md explains every key with examples.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import ItemError, UserError
from cleansemg.data_pipeline.readers.listing import compile_pattern, find_files, match_key, sorted_refs, trial_label
from cleansemg.data_pipeline.readers.samples import count_repetitions, length_with_values, whole_numbers
from cleansemg.data_pipeline.recording import FileReader, Recording, RecordingRef, content_fingerprint
from cleansemg.formats import table_files
from cleansemg.formats.table_files import Column, Table, column_index
from cleansemg.formats.units import volts_per_unit
from cleansemg.formats.workbook import sheet_names

log = logging.getLogger(__name__)

STEP_TOLERANCE = 0.01  # relative difference of the time column's step from 1 / fs_hz
SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
WHOLE_WORKBOOK = "(workbook)"  # exercise of a workbook in which no sheet can be selected


class TableReader(FileReader):
    """Reads tables whose rows are samples and whose columns are channels.

    Args:
        database: name of the database.
        folder: folder that holds its files, at any depth.
        pattern: regular expression of the file name (of the path below the folder, if it has a `/`);
            its named groups are what the name says: `subject` (required), and any of `exercise`,
            `label`, `repetition`, `channel` (the only channel that holds a trial).
        other_channels: with a group `channel`, "drop" the other channels, or retain them as "idle": they show
            the noise floor while another muscle works, see docs/data-pipeline.md.
        fs_hz: sampling rate in hertz; None: the rate that the npz file states (`fs_key`).
        unit: V, mV, uV, nV, or the number of volts per unit of the file, see `volts_per_unit`.
        offset: value subtracted before scaling, in the file's unit (middle of an ADC's codes).
        columns: {index from 0 or name in the header: channel name}, or a list of indexes or names;
            None: every column except the label, repetition and time columns.
        header_lines, delimiter, decimal: see `table_files.Layout`.
        sheets: regular expression of the names of the .xlsx sheets to read; each sheet is a recording; groups as
            in `pattern`.
        sheets_per_file: how many sheets must match; another number is an error of that file; None: at least one.
        exercise: template of the exercise's name from the groups, e.g. "M{label}R{repetition}"; None:
            the group `exercise`, else the sheet, else the file name without suffix.
        labels: {text of the group `label`: its number}, where the text is not a number.
        label_column, repetition_column: columns with one whole number per sample, 0 at rest. Without a label column,
            a recording is one trial. Without only a repetition column, the runs of each label are numbered.
        time_column, time_unit: the column that `fs_hz` is checked against, and its unit: s, ms or us.
        subject_prefix: text added before the subject.
        trailing_gaps: rows at the end without a value in any channel are dropped ("drop") or an error ("error").
        signal_key, fs_key: names in an npz file; the signal is [T], [T, C] or [C, T].

    Raises:
        ValueError: a parameter is invalid.
    """

    def __init__(
        self,
        database: str,
        folder: Path,
        pattern: str,
        fs_hz: float | None = None,
        unit: str | float = "V",
        offset: float = 0.0,
        columns: Mapping[Column, str] | Sequence[Column] | None = None,
        header_lines: int = 0,
        delimiter: str | None = None,
        decimal: str = ".",
        sheets: str | None = None,
        sheets_per_file: int | None = None,
        exercise: str | None = None,
        labels: Mapping[str, int] | None = None,
        label_column: Column | None = None,
        repetition_column: Column | None = None,
        time_column: Column | None = None,
        time_unit: str = "s",
        subject_prefix: str = "",
        other_channels: Literal["drop", "idle"] = "drop",
        trailing_gaps: Literal["drop", "error"] = "drop",
        signal_key: str = "signal",
        fs_key: str | None = None,
    ) -> None:
        if trailing_gaps not in ("drop", "error"):
            raise ValueError(f"trailing_gaps is '{trailing_gaps}', expected drop or error")
        if other_channels not in ("drop", "idle"):
            raise ValueError(f"other_channels is '{other_channels}', expected drop or idle")
        if time_unit not in SECONDS:
            raise ValueError(f"time_unit is '{time_unit}', expected {', '.join(SECONDS)}")
        if fs_hz is None and fs_key is None:
            raise ValueError("give fs_hz (or fs_key, for npz files that hold it)")
        if repetition_column is not None and label_column is None:
            raise ValueError("repetition_column needs label_column")
        self.database = database
        self.folder = Path(folder)
        self.pattern = compile_pattern(pattern, ("subject",))
        self.sheets = None if sheets is None else compile_pattern(sheets)
        self.sheets_per_file = sheets_per_file
        self.fs_hz = None if fs_hz is None else float(fs_hz)
        self.scale = volts_per_unit(unit)
        self.offset = offset
        self.columns = _channel_names(columns)
        self.layout = table_files.Layout(header_lines, delimiter, decimal)
        self.exercise = exercise
        self.labels = {str(text): int(number) for text, number in (labels or {}).items()}
        self.label_column = label_column
        self.repetition_column = repetition_column
        self.time_column = time_column
        self.time_unit = time_unit
        self.subject_prefix = subject_prefix
        self.other_channels = other_channels
        self.trailing_gaps = trailing_gaps
        self.signal_key = signal_key
        self.fs_key = fs_key

    def list(self) -> Sequence[RecordingRef]:
        """All recordings; see `RecordingReader.list`.

        A workbook that cannot be opened, or lacks a sheet, is listed, too: `read` raises its error.
        """
        refs = []
        for file in find_files(self.database, self.folder, [self.pattern]):
            path = self.folder / file.key
            fingerprint = content_fingerprint(path)
            for sheet in self._sheets(path):
                key = f"{file.key}#{sheet}" if sheet else file.key
                groups = self._groups(key)
                exercise = WHOLE_WORKBOOK if sheet == "" else self._exercise(key, groups)
                subject = self.subject_prefix + groups["subject"]
                refs.append(RecordingRef(self.database, subject, exercise, key, fingerprint))
        return sorted_refs(refs)

    def _read(self, ref: RecordingRef) -> Recording:
        groups = self._groups(ref.key)
        table, fs_hz = self._table(ref.key)
        special = (self.label_column, self.repetition_column, self.time_column)
        at = [None if column is None else column_index(column, table.names, table.width) for column in special]
        channels = self._channels(table, at, groups.get("channel"))
        columns = [*channels, *(index for index in at if index is not None)]
        rows = table.read(columns)  # [T, n]
        signal = np.ascontiguousarray(rows[:, : len(channels)].T)  # [C, T]
        n_samples = length_with_values(signal)
        if n_samples == 0:
            raise ItemError("no row has a value in the EMG columns")
        if n_samples < len(rows) and self.trailing_gaps == "error":
            raise ItemError(
                f"{len(rows) - n_samples} rows at the end have no EMG values; to cut them, trailing_gaps: drop"
            )
        if n_samples < len(rows):
            log.info(
                "%s: %s: %d rows without EMG values at the end are cut", self.database, ref.key, len(rows) - n_samples
            )
        labels, repetitions, times = (
            None if index is None else rows[:n_samples, columns.index(index, len(channels))] for index in at
        )
        if times is not None:
            self._check_step(times, fs_hz)
        label = None if labels is None else whole_numbers(labels, "label_column")
        repetition = None
        if label is not None:
            repetition = (
                count_repetitions(label) if repetitions is None else whole_numbers(repetitions, "repetition_column")
            )
        return Recording(
            database=ref.database,
            subject=ref.subject,
            exercise=ref.exercise,
            signal=(signal[:, :n_samples] - self.offset) * self.scale,
            fs_hz=fs_hz,
            channels=tuple(channels.values()),
            label=label,
            repetition=repetition,
            trial_label=trial_label(groups, self.labels) if label is None else 0,
            trial_repetition=int(groups.get("repetition", 1)) if label is None else 0,
            idle_channels=frozenset(channels.values()) - {groups["channel"]} if "channel" in groups else frozenset(),
        )

    def _table(self, key: str) -> tuple[Table, float]:
        """The table of one recording, and its sampling rate."""
        name, sheet = self._split(key)
        path = self.folder / name
        suffix = path.suffix.lower()
        if suffix == table_files.NPZ:
            table, stated_hz = table_files.open_npz(path, self.signal_key, self.fs_key)
            return table, self._rate(stated_hz)
        if suffix == table_files.XLSX:
            return table_files.open_sheet(path, self._require_sheet(path, sheet), self.layout), self._rate(None)
        if suffix in table_files.TEXT:
            return table_files.open_text(path, self.layout), self._rate(None)
        raise ItemError(f"'{suffix}' is none of {', '.join(table_files.SUFFIXES)}")

    def _rate(self, stated_hz: float | None) -> float:
        if stated_hz is None:
            stated_hz = self.fs_hz
        if stated_hz is None:
            raise ItemError("its rate is not known; give fs_hz")
        if self.fs_hz is not None and abs(stated_hz - self.fs_hz) > STEP_TOLERANCE * self.fs_hz:
            raise ItemError(f"'{self.fs_key}' says {stated_hz:g} Hz, the configuration fs_hz: {self.fs_hz:g}")
        return stated_hz

    def _sheets(self, path: Path) -> Sequence[str | None]:
        """Sheets to list: [None] for a file that has none, [""] for a workbook that will fail."""
        if path.suffix.lower() != table_files.XLSX:
            return [None]
        try:
            return self._matching_sheets(path)
        except ItemError as error:
            log.debug("%s: %s: %s", self.database, path, error)  # `read` raises it again, as a recorded failure
            return [""]

    def _matching_sheets(self, path: Path) -> Sequence[str]:
        there = sheet_names(path)
        matching = [name for name in there if self.sheets is None or self.sheets.fullmatch(name)]
        wanted = self.sheets_per_file
        if not matching or (wanted is not None and len(matching) != wanted):
            number = "a sheet" if wanted is None else f"{wanted} sheets"
            pattern = "any name" if self.sheets is None else f"'{self.sheets.pattern}'"
            raise ItemError(f"expected {number} named like {pattern}, there are {', '.join(there)}")
        return matching

    def _require_sheet(self, path: Path, sheet: str | None) -> str:
        if sheet is None:
            self._matching_sheets(path)
            raise ItemError("names no sheet (it was damaged when it was listed)")
        return sheet

    def _split(self, key: str) -> tuple[str, str | None]:
        name, mark, sheet = key.partition(f"{table_files.XLSX}#")
        return (name + table_files.XLSX, sheet) if mark else (key, None)

    def _groups(self, key: str) -> dict[str, str]:
        name, sheet = self._split(key)
        groups = match_key(name, [self.pattern])
        if groups is None:
            raise ItemError(f"is not named like '{self.pattern.pattern}'")
        if sheet is not None and self.sheets is not None:
            groups.update(match_key(sheet, [self.sheets]) or {})
        return groups

    def _exercise(self, key: str, groups: Mapping[str, str]) -> str:
        name, sheet = self._split(key)
        if self.exercise is None:
            return groups.get("exercise") or sheet or Path(name).stem
        try:
            return self.exercise.format(**groups)
        except (KeyError, IndexError):
            raise UserError(
                f"{self.database}: exercise: '{self.exercise}' has a group that '{key}' does not give; "
                f"it gives {', '.join(groups)}"
            ) from None

    def _channels(self, table: Table, special: Sequence[int | None], channel: str | None) -> dict[int, str]:
        """The columns to read: index -> name of the channel."""
        if self.columns is None:
            indexes = [index for index in range(table.width) if index not in special]
            channels = {i: table.names[i] if i < len(table.names) else f"ch{i + 1}" for i in indexes}
        else:
            channels = {column_index(c, table.names, table.width): name for c, name in self.columns.items()}
        if channel is None:
            return channels
        if channel not in channels.values():
            raise ItemError(f"no channel is called '{channel}'; columns: gives {', '.join(channels.values())}")
        if self.other_channels == "idle":
            return channels
        return {index: name for index, name in channels.items() if name == channel}

    def _check_step(self, time: NDArray[np.float64], fs_hz: float) -> None:
        timed = np.flatnonzero(np.isfinite(time))
        if timed.size < 2:
            raise ItemError("the time column holds no times")
        step_s = SECONDS[self.time_unit] * (time[timed[-1]] - time[timed[0]]) / (timed[-1] - timed[0])
        if abs(step_s * fs_hz - 1) > STEP_TOLERANCE:
            rate = f"{1 / step_s:g} Hz" if step_s > 0 else "not a rate"
            raise ItemError(f"the time column's mean step is {step_s:g} s ({rate}), the configuration fs_hz: {fs_hz:g}")


def _channel_names(columns: Mapping[Column, str] | Sequence[Column] | None) -> dict[Column, str] | None:
    if columns is None:
        return None
    if isinstance(columns, str) or not columns:
        raise ValueError("columns is a mapping {column: channel} or a list of columns")
    if isinstance(columns, Mapping):
        return {column: str(name) for column, name in columns.items()}
    return {column: column if isinstance(column, str) else f"ch{column + 1}" for column in columns}
