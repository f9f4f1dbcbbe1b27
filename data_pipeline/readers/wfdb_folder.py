"""WFDB folders (PhysioNet): every header is a recording; the header states rate and units.

Format: https://physionet.org/physiotools/wag/header-5.htm; Moody and Goldberger.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import ItemError
from cleansemg.data_pipeline.readers.listing import compile_pattern, find_files, match_key, sorted_refs, trial_label
from cleansemg.data_pipeline.readers.samples import count_repetitions, length_with_values
from cleansemg.data_pipeline.recording import FileReader, Recording, RecordingRef, content_fingerprint
from cleansemg.formats.units import VOLTS_PER_UNIT, volts_per_unit
from cleansemg.formats.wfdb_record import WfdbRecord

RATE_TOLERANCE = 0.005
ANY_RECORD = r"(?P<subject>.+)\.hea"


class WfdbReader(FileReader):
    """Reads every `.hea` file below the folder.

    Args:
        database: name of the database.
        folder: folder that holds its files, at any depth.
        pattern: regular expression of the header's name, with groups `subject` and perhaps `exercise`,
            `label` and `repetition`. Without `exercise`, the record's name is the exercise.
        channels: names or indexes of the signals to read; None: all.
        unit: unit of signals whose header states no unit of voltage.
        overrule_header: use `unit` for all signals, whatever unit the header states: some headers state a wrong one.
        fs_hz: rate in hertz to check against the header; None: any rate is accepted.
        labels: {text of the group `label`: its number}.
        annotations: suffix of the annotation files that label samples ("atr"); None: a recording is
            one trial.
        annotation_labels: {symbol or note of an annotation: the label from there to the next annotation listed here}.

    Raises:
        ValueError: a parameter is invalid.
    """

    def __init__(
        self,
        database: str,
        folder: Path,
        pattern: str = ANY_RECORD,
        channels: Sequence[str | int] | None = None,
        unit: str | float | None = None,
        fs_hz: float | None = None,
        labels: Mapping[str, int] | None = None,
        annotations: str | None = None,
        annotation_labels: Mapping[str, int] | None = None,
        overrule_header: bool = False,
    ) -> None:
        if overrule_header and unit is None:
            raise ValueError("overrule_header needs unit")
        if bool(annotations) != bool(annotation_labels):
            raise ValueError("annotations and annotation_labels go together")
        self.database = database
        self.folder = Path(folder)
        self.pattern = compile_pattern(pattern, ("subject",))
        self.channels = None if channels is None else tuple(channels)
        self.scale = None if unit is None else volts_per_unit(unit)
        self.overrule_header = overrule_header
        self.fs_hz = None if fs_hz is None else float(fs_hz)
        self.labels = {str(text): int(number) for text, number in (labels or {}).items()}
        self.annotations = annotations
        self.annotation_labels = {str(text): int(number) for text, number in (annotation_labels or {}).items()}

    def list(self) -> Sequence[RecordingRef]:
        """All records; see `RecordingReader.list`."""
        refs = []
        for file in find_files(self.database, self.folder, [self.pattern]):
            path = self.folder / file.key
            exercise = file.groups.get("exercise", path.stem)
            fingerprint = _fingerprint(path)
            refs.append(RecordingRef(self.database, file.groups["subject"], exercise, file.key, fingerprint))
        return sorted_refs(refs)

    def _read(self, ref: RecordingRef) -> Recording:
        record = WfdbRecord(self.folder / ref.key)
        columns = self._columns(record.names)
        signal = record.read(columns)
        per_frame = int(record.header.samps_per_frame[columns[0]])
        fs_hz = record.frame_hz * per_frame
        if self.fs_hz is not None and abs(fs_hz - self.fs_hz) > RATE_TOLERANCE * self.fs_hz:
            raise ItemError(f"the header says {fs_hz:g} Hz, the configuration fs_hz: {self.fs_hz:g}")
        scale = np.array([self._scale(record.names[c], record.header.units[c]) for c in columns])
        signal = signal * scale[:, None]
        n_samples = length_with_values(signal)
        if n_samples == 0:
            raise ItemError("holds no sample")
        label = repetition = None
        if self.annotations is not None:
            label = self._annotated(record, self.annotations, signal.shape[1], per_frame)[:n_samples]
            repetition = count_repetitions(label)
        groups = match_key(ref.key, [self.pattern]) or {}
        return Recording(
            database=ref.database,
            subject=ref.subject,
            exercise=ref.exercise,
            signal=signal[:, :n_samples],
            fs_hz=fs_hz,
            channels=tuple(record.names[column] or f"ch{column + 1}" for column in columns),
            label=label,
            repetition=repetition,
            trial_label=trial_label(groups, self.labels) if label is None else 0,
            trial_repetition=int(groups.get("repetition", 1)) if label is None else 0,
        )

    def _columns(self, names: Sequence[str]) -> Sequence[int]:
        if not names:
            raise ItemError("the header announces no signal")
        if self.channels is None:
            return [*range(len(names))]
        there = ", ".join(f"{index} '{name}'" for index, name in enumerate(names))
        columns = []
        for channel in self.channels:
            index = names.index(channel) if channel in names else channel
            if not isinstance(index, int) or not 0 <= index < len(names):
                raise ItemError(f"has no signal '{channel}'; there are {there}")
            columns.append(index)
        return columns

    def _scale(self, name: str, unit: str | None) -> float:
        if unit and unit.strip().lower() in VOLTS_PER_UNIT and not self.overrule_header:
            return volts_per_unit(unit)
        if self.scale is None:
            raise ItemError(f"signal '{name}' is in '{unit}', which is no voltage; give unit:, or choose channels:")
        return self.scale

    def _annotated(self, record: WfdbRecord, extension: str, n: int, per_frame: int) -> NDArray[np.int64]:
        """[T] labels: an annotation with a number holds until the next one with a number; 0 before the first."""
        notes = record.annotations(extension)
        label = np.zeros(n, np.int64)
        known = 0
        for sample, symbol, note in zip(notes.sample, notes.symbol, notes.aux_note, strict=True):
            text = note.strip("\x00 ")
            number = self.annotation_labels.get(text, self.annotation_labels.get(symbol))
            if number is not None:
                label[round(sample * per_frame) :] = number
                known += 1
        if not known:
            texts = {*map(str, notes.symbol), *(note.strip("\x00 ") for note in notes.aux_note)} - {""}
            there = ", ".join(ascii(text)[1:-1] for text in sorted(texts)[:20])
            raise ItemError(f".{extension} has none of the annotation_labels; it has {there or 'nothing'}")
        return label


def _fingerprint(header: Path) -> str:
    """One hash of the header and of the files beside it that share its name (signals, annotations)."""
    parts = [content_fingerprint(path) for path in sorted(header.parent.iterdir()) if path.stem == header.stem]
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:32]
