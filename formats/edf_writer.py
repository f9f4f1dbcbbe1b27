"""EDF and BDF files, written; EDF+ or BDF+ where there are annotations or samples without a value."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError
from cleansemg.formats.edf_header import (
    ANNOTATIONS,
    MISSING,
    PADDING,
    SAMPLE_BYTES,
    UNKNOWN_START,
    EdfHeader,
    EdfSignal,
    annotation_bytes,
    ascii_text,
    header_bytes,
    number_text,
)
from cleansemg.formats.info import Annotation, ChannelInfo, Coding, EdfLayout
from cleansemg.formats.signal_file import publish
from cleansemg.formats.spool import SpoolingWriter
from cleansemg.formats.units import volts_per_unit

LOG = logging.getLogger(__name__)
RECORD_BYTES = 61440  # at most, by the format's advice
LABEL_WIDTH = 16
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
SMALLEST_UNIT = ("V", "mV", "uV", "nV")
MIN_PEAK = 1e-3  # a peak below it leaves fewer than 3 digits of the header's 8 characters


class EdfWriter(SpoolingWriter):
    """Writes an EDF or BDF file; `info.format` says which."""

    def _commit(self) -> None:
        info, spool = self.info, self.spool
        if not spool.n_samples:
            raise UserError(f"{self.path}: no samples to write")
        kind = info.format
        channels = [
            coded_channel(channel, low, high, kind)
            for channel, low, high in zip(info.channels, *self.ranges(), strict=True)
        ]
        layout = info.layout if isinstance(info.layout, EdfLayout) and info.layout.samples_per_record else None
        per_record, record_s = (
            (layout.samples_per_record, layout.record_s) if layout else record_length(info.fs_hz, len(channels), kind)
        )
        n_records = math.ceil(spool.n_samples / per_record)
        labels = unique_labels([channel.name for channel in channels])
        if labels != [channel.name for channel in channels]:
            LOG.warning("%s: names of channels cut to 16 ASCII characters: %s", self.path, ", ".join(labels))
        notes = [*(layout.annotations if layout else ()), *self._missing(labels)]
        padding = n_records * per_record - spool.n_samples
        if padding:
            notes.append(Annotation(spool.n_samples / info.fs_hz, padding / info.fs_hz, PADDING))
        start = info.start_datetime or UNKNOWN_START
        plus = bool(notes) or bool(start.microsecond) or (layout is not None and layout.plus)
        lists = (
            _note_lists(notes, n_records, per_record / info.fs_hz, start.microsecond / 1e6, SAMPLE_BYTES[kind])
            if plus
            else []
        )
        signals = [
            EdfSignal(
                label, layout.transducers[i] if layout else "", ascii_text(channel.unit, 8), *_range(channel),
                layout.prefilters[i] if layout else "", per_record,
            )
            for i, (label, channel) in enumerate(zip(labels, channels, strict=True))
        ]  # fmt: skip
        if plus:
            limit = 1 << (8 * SAMPLE_BYTES[kind] - 1)
            signals.append(
                EdfSignal(ANNOTATIONS[kind], "", "", -1, 1, -limit, limit - 1, "", len(lists[0]) // SAMPLE_BYTES[kind])
            )
        patient, recording = _identity(layout, start, plus)
        reserved = f"{kind.upper()}+C" if plus else "24BIT" if kind == "bdf" else ""
        header = EdfHeader(
            patient, recording, start, reserved, n_records, record_s, tuple(signals), 256 * (len(signals) + 1)
        )
        with open(self.temporary, "wb") as file:
            file.write(header_bytes(header, kind))
            self._write_records(file, channels, per_record, lists)
        publish(self.temporary, self.path)

    def _write_records(self, file: Any, channels: list[ChannelInfo], per_record: int, lists: list[bytes]) -> None:
        codings = [channel.coding for channel in channels if channel.coding]
        # the spool holds numbers in the channels' own units; EDF may need smaller ones
        factor = np.array(
            [old.volts_per_unit / new.volts_per_unit for old, new in zip(self.info.channels, channels, strict=True)]
        )
        shift = np.array([channel.offset for channel in self.info.channels]) - np.array(
            [channel.offset for channel in channels]
        )
        sample_bytes = SAMPLE_BYTES[self.info.format]
        records = max(1, 65536 // per_record)
        done = 0
        for block in self.spool.blocks(records * per_record):
            full = math.ceil(block.shape[1] / per_record) * per_record
            codes = np.empty((len(channels), full), np.int32)
            for i, coding in enumerate(codings):
                values = np.full(full, np.nan)
                values[: block.shape[1]] = (block[i] - shift[i]) * factor[i]
                codes[i] = self._encode(values, coding)
            for record in range(full // per_record):
                part = codes[:, record * per_record : (record + 1) * per_record]
                file.write(_pack(part.reshape(-1), sample_bytes))
                if lists:
                    file.write(lists[done + record])
            done += full // per_record

    def _encode(self, values: NDArray[np.float64], coding: Coding) -> NDArray[np.float64]:
        zero = min(
            max(0.0, min(coding.physical_min, coding.physical_max)), max(coding.physical_min, coding.physical_max)
        )
        values = np.where(np.isnan(values), zero, values)
        codes = np.rint((values - coding.physical_min) / coding.units_per_code + coding.code_min)
        self.clipped += int(((codes < coding.code_min) | (codes > coding.code_max)).sum())
        return np.clip(codes, coding.code_min, coding.code_max)

    def _missing(self, labels: list[str]) -> list[Annotation]:
        """A note for every stretch without a value."""
        notes, at = [], 0
        open_since: list[int | None] = [None] * len(labels)
        for block in self.spool.blocks():
            for i, row in enumerate(np.isnan(block)):
                edges = np.flatnonzero(np.diff(row.astype(np.int8), prepend=np.int8(open_since[i] is not None)))
                for edge in edges:
                    start = open_since[i]
                    if start is None:
                        open_since[i] = at + int(edge)
                    else:
                        notes.append(self._note(start, at + int(edge), labels[i]))
                        open_since[i] = None
            at += block.shape[1]
        notes += [self._note(start, at, labels[i]) for i, start in enumerate(open_since) if start is not None]
        return sorted(notes, key=lambda note: note.onset_s)

    def _note(self, start: int, stop: int, label: str) -> Annotation:
        return Annotation(start / self.info.fs_hz, (stop - start) / self.info.fs_hz, f"{MISSING}@@{label}")


def coded_channel(channel: ChannelInfo, low: float, high: float, kind: str) -> ChannelInfo:
    """The channel with a range: its own where it has one in this format, else the data's, in a unit that fits.

    Args:
        channel: the channel.
        low: its smallest value, in the unit of the channel.
        high: its largest.
        kind: edf or bdf.
    """
    bits = 8 * SAMPLE_BYTES[kind]
    if channel.coding is not None and channel.coding.bits == bits:
        return channel
    peak = max(abs(low), abs(high))
    if channel.is_voltage:
        units = SMALLEST_UNIT
        for unit in (channel.unit, *(u for u in units if volts_per_unit(u) < channel.volts_per_unit)):
            factor = channel.volts_per_unit / volts_per_unit(unit)
            if peak * factor >= MIN_PEAK or peak == 0:
                break
        channel = replace(channel, unit=unit, volts_per_unit=volts_per_unit(unit))
        low, high = low * factor, high * factor
    if high <= low:
        half = abs(low) / 2 or 1.0  # a constant: codes as fine as its size allows
        low, high = low - half, high + half
    bottom, top = float(number_text(low, round_up=False)), float(number_text(high, round_up=True))
    if top <= bottom:
        top = float(number_text(bottom + max(1e-4, abs(bottom) * 1e-4), round_up=True))
    limit = 1 << (bits - 1)
    return replace(channel, coding=Coding(bottom, top, -limit, limit - 1, bits))


def record_length(fs_hz: float, n_channels: int, kind: str) -> tuple[int, str]:
    """Samples in a record, and its length in s as 8 characters that give the rate back (to 1e-6 at worst).

    >>> record_length(2000.0, 8, "edf"), record_length(2500 / 3, 1, "edf")
    ((2000, '1'), (2500, '3'))
    """
    most = max(1, RECORD_BYTES // (n_channels * SAMPLE_BYTES[kind]))
    ratio = Fraction(fs_hz).limit_denominator(1000)
    if abs(float(ratio) - fs_hz) <= 1e-12 * fs_hz and ratio.numerator <= 4 * most:
        return ratio.numerator, str(ratio.denominator)
    best = (math.inf, 1, "1")
    for samples in range(min(most, max(1, round(fs_hz))), 0, -1):
        text = number_text(samples / fs_hz)
        error = abs(samples / float(text) / fs_hz - 1) if float(text) > 0 else math.inf
        if error < best[0] * 0.5:
            best = (error, samples, text)
        if error < 1e-12:
            break
    return best[1], best[2]


def unique_labels(names: list[str]) -> list[str]:
    """Names cut to a header's width, each different from the others."""
    labels: list[str] = []
    for name in names:
        label, number = ascii_text(name.replace("@@", "@"), LABEL_WIDTH) or "ch", 2
        while label in labels:
            ending = f" {number}"
            label, number = ascii_text(name, LABEL_WIDTH - len(ending)) + ending, number + 1
        labels.append(label)
    return labels


def _range(channel: ChannelInfo) -> tuple[float, float, int, int]:
    assert channel.coding is not None  # noqa: S101 - cannot happen
    coding = channel.coding
    return coding.physical_min, coding.physical_max, coding.code_min, coding.code_max


def _pack(codes: NDArray[np.int32], sample_bytes: int) -> bytes:
    if sample_bytes == 2:
        return codes.astype("<i2").tobytes()
    return np.ascontiguousarray(codes.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3]).tobytes()


def _note_lists(
    notes: list[Annotation], n_records: int, record_s: float, first_s: float, sample_bytes: int
) -> list[bytes]:
    """[R] the annotations of each record, equally long: those that begin in it, or later where it is full."""
    stamps = [annotation_bytes(Annotation(first_s + record * record_s, None, "")) for record in range(n_records)]
    texts = [
        (note.onset_s, annotation_bytes(replace(note, onset_s=note.onset_s + first_s)))
        for note in sorted(notes, key=lambda n: n.onset_s)
    ]
    total = sum(len(text) for _, text in texts)
    longest = max((len(text) for _, text in texts), default=0)
    room = max(len(stamp) for stamp in stamps) + longest + math.ceil(total / n_records)
    room = max(60, math.ceil(room / (2 * sample_bytes)) * 2 * sample_bytes)
    room = math.ceil(room / sample_bytes) * sample_bytes
    lists = [bytearray(stamp) for stamp in stamps]
    record = 0
    for _, text in texts:  # wherever a note lies, it carries its own time
        while len(lists[record]) + len(text) > room:
            record += 1
        lists[record] += text
    return [bytes(notes_of_record).ljust(room, b"\0") for notes_of_record in lists]


def _identity(layout: EdfLayout | None, start: Any, plus: bool) -> tuple[str, str]:
    """Patient and recording; EDF+ wants them in its own form."""
    date = f"{start.day:02d}-{MONTHS[start.month - 1]}-{start.year}"
    if layout is None:
        return ("X X X X", f"Startdate {date if start != UNKNOWN_START else 'X'} X X X") if plus else ("X", "X")
    if plus and not layout.plus:
        patient, recording = (text.replace(" ", "_") or "X" for text in (layout.patient, layout.recording))
        return f"X X X {patient}", f"Startdate {date if start != UNKNOWN_START else 'X'} X X {recording}"
    return layout.patient, layout.recording
