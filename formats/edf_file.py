"""EDF, EDF+, BDF and BDF+ files, read record by record."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError
from cleansemg.formats.blocks import reblock
from cleansemg.formats.channel_selection import (
    Candidate,
    ReadOptions,
    check_length,
    require_one_rate,
    select_channels,
    select_rate,
)
from cleansemg.formats.edf_header import (
    ANNOTATIONS,
    MISSING,
    PADDING,
    SAMPLE_BYTES,
    EdfSignal,
    parse_annotations,
    read_header,
)
from cleansemg.formats.info import Annotation, Coding, EdfLayout, FileInfo
from cleansemg.formats.signal_file import SignalFile

GAP_TOLERANCE = 0.1  # of a sample, by which the start of a record may miss the grid
MAX_GAP_S = 3600.0


class EdfFile(SignalFile):
    """An EDF or BDF file; the pauses of a discontinuous one (EDF+D) are filled with NaN.

    Raises:
        UserError: damaged, channels of several rates, no channel in volts; see `select_channels`.
    """

    def __init__(self, path: Path, file_format: str, options: ReadOptions) -> None:
        header = read_header(path, file_format)
        self._header, self._bytes = header, SAMPLE_BYTES[file_format]
        note_label = ANNOTATIONS[file_format]
        candidates = [
            Candidate(
                signal.label,
                signal.unit or None,
                column,
                "" if signal.samples_per_record else "no samples",
                _coding(signal, self._bytes),
            )
            for column, signal in enumerate(header.signals)
            if signal.label != note_label
        ]
        channels = select_channels(path, candidates, options)
        fs_hz = self._rate(path, [channel.column for channel in channels], options)
        for channel in channels:
            signal = header.signals[channel.column]
            if channel.coding is None:
                span = (
                    f"{signal.physical_min:g} to {signal.physical_max:g}, codes {signal.code_min} to {signal.code_max}"
                )
                raise UserError(f"{path}: channel '{channel.name}' has no range ({span}); leave it out with --channels")
        starts = np.cumsum([0, *(signal.samples_per_record for signal in header.signals)])
        self._spans = [(int(starts[c.column]), int(starts[c.column + 1])) for c in channels]
        per_record = header.signals[channels[0].column].samples_per_record
        notes = [int(starts[i]) for i, signal in enumerate(header.signals) if signal.label == note_label]
        lengths = [signal.samples_per_record for signal in header.signals if signal.label == note_label]
        onsets, annotations = self._annotations(path, list(zip(notes, lengths, strict=True)))
        base_s = float(onsets[0]) if onsets.size and math.isfinite(onsets[0]) else 0.0
        self._gaps = self._pauses(path, onsets, per_record, fs_hz)
        self._missing, padded, others = _sort_out(annotations, base_s, fs_hz, [c.name for c in channels])
        n_samples = header.n_records * per_record + int(self._gaps.sum())
        if padded is not None and n_samples - per_record < padded <= n_samples:
            n_samples = padded
        check_length(path, n_samples, len(channels), fs_hz)
        start = header.start
        if start is not None and abs(base_s) < 86400:
            start += dt.timedelta(seconds=base_s)
        layout = EdfLayout(
            header.patient, header.recording, bool(notes), header.record_s, per_record,
            tuple(header.signals[c.column].transducer for c in channels),
            tuple(header.signals[c.column].prefilter for c in channels), tuple(others),
        )  # fmt: skip
        self.info = FileInfo(path, file_format, fs_hz, channels, n_samples, layout, 0.0, start)

    def _rate(self, path: Path, columns: list[int], options: ReadOptions) -> float:
        signals = [self._header.signals[column] for column in columns]
        record_s = float(self._header.record_s)
        if record_s <= 0:
            return select_rate(path, None, options, "the header")
        fs_hz = require_one_rate(path, [(signal.label, signal.samples_per_record / record_s) for signal in signals])
        near = round(fs_hz)  # a record's length has 8 characters: 0.333333
        return select_rate(path, float(near) if abs(fs_hz - near) < 1e-6 * fs_hz else fs_hz, options, "the header")

    def _annotations(self, path: Path, places: list[tuple[int, int]]) -> tuple[NDArray[np.float64], list[Annotation]]:
        """[R] onsets of the records (empty without annotations), and all notes."""
        if not places:
            return np.empty(0), []
        record_bytes = self._header.record_samples * self._bytes
        onsets, notes = np.full(self._header.n_records, np.nan), []
        with open(path, "rb") as file:
            for record in range(self._header.n_records):
                for which, (start, length) in enumerate(places):
                    file.seek(self._header.n_bytes + record * record_bytes + start * self._bytes)
                    annotations = parse_annotations(file.read(length * self._bytes))
                    if which == 0 and annotations and not annotations[0].text:
                        onsets[record] = annotations[0].onset_s
                    notes += [note for note in annotations if note.text]
        return onsets, notes

    def _pauses(self, path: Path, onsets: NDArray[np.float64], per_record: int, fs_hz: float) -> NDArray[np.int64]:
        """[R] samples that are missing before each record."""
        gaps = np.zeros(self._header.n_records, np.int64)
        if "+D" not in self._header.reserved.upper():
            return gaps
        if np.isnan(onsets).any():
            raise UserError(f"{path}: discontinuous (EDF+D), but records do not say when they begin")
        steps = np.diff(onsets) * fs_hz - per_record
        whole = np.rint(steps)
        rounding = 1e-6 * fs_hz * max(1.0, per_record / fs_hz)
        bad = np.flatnonzero(
            (whole < 0) | (np.abs(steps - whole) > GAP_TOLERANCE + rounding) | (steps > MAX_GAP_S * fs_hz)
        )
        if bad.size:
            record = int(bad[0])
            after = f"{steps[record] / fs_hz:.6g} s after the end of the one before"
            raise UserError(f"{path}: discontinuous (EDF+D): record {record + 2} begins {after}")
        gaps[1:] = whole
        return gaps

    def _blocks(self, max_samples: int) -> Iterator[NDArray[np.float64]]:
        at, n_samples = 0, self.info.n_samples
        assert n_samples is not None  # noqa: S101 - cannot happen
        for block in reblock(self._pieces(max_samples), max_samples):
            for channel, start, stop in self._missing:
                if start < at + block.shape[1] and stop > at:
                    block[channel, max(0, start - at) : stop - at] = np.nan
            if at >= n_samples:
                return
            yield block[:, : n_samples - at]
            at += block.shape[1]

    def _pieces(self, max_samples: int) -> Iterator[NDArray[np.float64]]:
        header = self._header
        record_bytes = header.record_samples * self._bytes
        scaling = [
            (c.coding.units_per_code, c.coding.physical_min, c.coding.code_min) for c in self.info.channels if c.coding
        ]
        per_read = max(1, min(max_samples, 65536) // max(1, self._spans[0][1] - self._spans[0][0]))
        with open(self.info.path, "rb") as file:
            file.seek(header.n_bytes)
            record = 0
            while record < header.n_records:
                left = int(self._gaps[record])
                while left:
                    length = min(left, max_samples)
                    yield np.full((len(self._spans), length), np.nan)
                    left -= length
                count = 1
                while count < per_read and record + count < header.n_records and not self._gaps[record + count]:
                    count += 1
                data = file.read(count * record_bytes)
                if len(data) < count * record_bytes:
                    raise UserError(f"{self.info.path}: ends in record {record + len(data) // record_bytes + 1}")
                codes = _codes(data, self._bytes).reshape(count, header.record_samples)
                yield np.stack([
                    (codes[:, start:stop].reshape(-1) - float(code)) * step + low
                    for (start, stop), (step, low, code) in zip(self._spans, scaling, strict=True)
                ])  # fmt: skip
                record += count


def _codes(data: bytes, sample_bytes: int) -> NDArray[np.int32] | NDArray[np.int16]:
    if sample_bytes == 2:
        return np.frombuffer(data, "<i2")
    wide = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return wide.view("<i4").reshape(-1) >> 8  # the sign goes along


def _coding(signal: EdfSignal, sample_bytes: int) -> Coding | None:
    span = signal.physical_max - signal.physical_min
    if not math.isfinite(span) or span == 0 or signal.code_max <= signal.code_min:
        return None
    return Coding(signal.physical_min, signal.physical_max, signal.code_min, signal.code_max, 8 * sample_bytes)


def _sort_out(
    annotations: list[Annotation], base_s: float, fs_hz: float, names: list[str]
) -> tuple[list[tuple[int, int, int]], int | None, list[Annotation]]:
    """(channel, start, stop) without values; where padding begins; what is left, from the recording's start."""
    missing, padded, others = [], None, []
    for note in annotations:
        text, _, label = note.text.partition("@@")
        start = round((note.onset_s - base_s) * fs_hz)
        if text == PADDING and note.duration_s is not None:
            padded = start
        elif text == MISSING and note.duration_s is not None:
            stop = start + round(note.duration_s * fs_hz)
            missing += [(i, start, stop) for i, name in enumerate(names) if not label or name == label]
        else:
            others.append(Annotation(note.onset_s - base_s, note.duration_s, note.text))
    return missing, padded, others
