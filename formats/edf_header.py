"""The header of EDF, EDF+, BDF and BDF+ files, and their annotations.

Formats: Kemp et al. 1992 (https://www.edfplus.info/specs/edf.html), Kemp and Olivan 2003
(https://www.edfplus.info/specs/edfplus.html); BDF has three bytes a sample (https://www.biosemi.com/faq/file_format.htm).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cleansemg.core.errors import UserError
from cleansemg.formats.info import Annotation

MAGIC = {"edf": b"0       ", "bdf": b"\xffBIOSEMI"}
SAMPLE_BYTES = {"edf": 2, "bdf": 3}
ANNOTATIONS = {"edf": "EDF Annotations", "bdf": "BDF Annotations"}
UNKNOWN_START = datetime(1985, 1, 1)  # by the format's rule, where nobody knows
MISSING = "missing"  # marks samples without a value: EDF has no number for them
PADDING = "padding"  # marks what fills up the last record
SIGNAL_FIELDS = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)


@dataclass(frozen=True)
class EdfSignal:
    """One signal's part of the header; ranges are None where they are no numbers."""

    label: str
    transducer: str
    unit: str
    physical_min: float
    physical_max: float
    code_min: int
    code_max: int
    prefilter: str
    samples_per_record: int


@dataclass(frozen=True)
class EdfHeader:
    """A whole header."""

    patient: str
    recording: str
    start: datetime | None
    reserved: str
    n_records: int
    record_s: str
    signals: tuple[EdfSignal, ...]
    n_bytes: int

    @property
    def record_samples(self) -> int:
        """Of all signals in a record."""
        return sum(signal.samples_per_record for signal in self.signals)


def read_header(path: Path, file_format: str) -> EdfHeader:
    """Read and check the header.

    Raises:
        UserError: no such file, or a truncated one.
    """
    with open(path, "rb") as file:
        fixed = file.read(256)
        name = file_format.upper()
        if len(fixed) < 256 or not fixed.startswith(MAGIC[file_format]):
            raise UserError(f"{path}: is no {name} file, or truncated in its header")
        n_signals = _whole(path, fixed[252:256], "number of signals")
        if not 1 <= n_signals <= 4096:
            raise UserError(f"{path}: its header announces {n_signals} signals")
        rest = file.read(256 * n_signals)
    if len(rest) < 256 * n_signals:
        raise UserError(f"{path}: truncated in its header")
    columns, offset = [], 0
    for width in SIGNAL_FIELDS:
        columns.append([rest[offset + i * width : offset + (i + 1) * width] for i in range(n_signals)])
        offset += width * n_signals
    signals = tuple(_signal(path, [column[i] for column in columns]) for i in range(n_signals))
    record_s = _text(fixed[244:252])
    header = EdfHeader(
        _text(fixed[8:88]), _text(fixed[88:168]), _start(fixed[168:184]), _text(fixed[192:236]),
        _whole(path, fixed[236:244], "number of records"), record_s, signals, 256 * (n_signals + 1),
    )  # fmt: skip
    duration = _number(record_s)
    if not duration >= 0 or math.isinf(duration):
        raise UserError(f"{path}: a record lasts '{record_s}' s, says its header")
    return _with_records(path, header, SAMPLE_BYTES[file_format])


def parse_annotations(data: bytes) -> list[Annotation]:
    """The time-stamped annotation lists of one record; the first has the record's own onset, and an empty text."""
    annotations: list[Annotation] = []
    for part in data.split(b"\x14\x00"):
        stamp, mark, texts = part.strip(b"\x00").partition(b"\x14")
        if not stamp:
            continue
        onset, _, duration = stamp.partition(b"\x15")
        onset_s, duration_s = _number(onset.decode("latin-1")), _number(duration.decode("latin-1"))
        if math.isnan(onset_s):
            continue
        length_s = None if math.isnan(duration_s) else duration_s
        parts = texts.split(b"\x14") if mark else [b""]
        annotations.extend(Annotation(onset_s, length_s, part.decode("utf-8", "replace")) for part in parts)
    return annotations


def annotation_bytes(annotation: Annotation) -> bytes:
    """One annotation as the file holds it."""
    duration = "" if annotation.duration_s is None else f"\x15{_decimal(annotation.duration_s)}"
    return f"{_decimal(annotation.onset_s, sign=True)}{duration}\x14{annotation.text}\x14\x00".encode()


def number_text(value: float, round_up: bool | None = None) -> str:
    """A number in 8 characters, rounded to the nearest, or up, or down.

    >>> number_text(-1234.56789), number_text(0.000123456, round_up=True), number_text(1.0)
    ('-1234.57', '0.000124', '1')
    """
    for digits in range(7, -1, -1):
        scale = 10.0**digits
        scaled = value * scale
        near = round(scaled)
        if round_up is not None and abs(scaled - near) > 1e-9 * max(1.0, abs(scaled)):
            near = math.ceil(scaled) if round_up else math.floor(scaled)
        text = f"{near / scale:.{digits}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        if len(text) <= 8:
            return "0" if text == "-0" else text
    raise ValueError(f"{value} does not fit into 8 characters")


def header_bytes(header: EdfHeader, file_format: str) -> bytes:
    """A header as the file holds it."""
    start = header.start or UNKNOWN_START
    fixed = [
        MAGIC[file_format], _field(header.patient, 80), _field(header.recording, 80),
        f"{start:%d.%m.%y%H.%M.%S}".encode(), _field(str(header.n_bytes), 8), _field(header.reserved, 44),
        _field(str(header.n_records), 8), _field(header.record_s, 8), _field(str(len(header.signals)), 4),
    ]  # fmt: skip
    columns = [
        (
            signal.label, signal.transducer, signal.unit,
            number_text(signal.physical_min), number_text(signal.physical_max),
            str(signal.code_min), str(signal.code_max), signal.prefilter, str(signal.samples_per_record), "",
        )
        for signal in header.signals
    ]  # fmt: skip
    parts = [_field(column[i], width) for i, width in enumerate(SIGNAL_FIELDS) for column in columns]
    return b"".join([*fixed, *parts])


def ascii_text(text: str, width: int) -> str:
    """A text that a header may hold: printable ASCII."""
    plain = text.replace("µ", "u").replace("μ", "u").replace("°", "deg")
    return "".join(c if " " <= c <= "~" else "?" for c in plain)[:width].strip()


def _field(text: str, width: int) -> bytes:
    return ascii_text(text, width).ljust(width).encode("ascii")


def _with_records(path: Path, header: EdfHeader, sample_bytes: int) -> EdfHeader:
    record_bytes = header.record_samples * sample_bytes
    if record_bytes <= 0:
        raise UserError(f"{path}: its header announces records without samples")
    there = (path.stat().st_size - header.n_bytes) // record_bytes
    announced = header.n_records
    if announced > there:
        raise UserError(
            f"{path}: truncated: holds {max(0, there)} of the {announced} records that its header announces"
        )
    if announced == -1:  # the recording program did not come to its end
        announced = there
    if announced < 1:
        raise UserError(f"{path}: holds no record")
    fields = {**header.__dict__, "n_records": announced}
    return EdfHeader(**fields)


def _signal(path: Path, fields: Sequence[bytes]) -> EdfSignal:
    label = _text(fields[0])
    n = _whole(path, fields[8], f"number of samples of '{label}'")
    if n < 0:
        raise UserError(f"{path}: '{label}' has {n} samples a record, says its header")
    low, high = _number(_text(fields[5])), _number(_text(fields[6]))
    code_min, code_max = (0 if math.isnan(x) or math.isinf(x) else int(x) for x in (low, high))
    return EdfSignal(
        label, _text(fields[1]), _text(fields[2]), _number(_text(fields[3])), _number(_text(fields[4])),
        code_min, code_max, _text(fields[7]), n,
    )  # fmt: skip


def _text(field: bytes) -> str:
    """A field of the header; names end up in messages and file names, so line ends and the like become blanks."""
    text = field.decode("latin-1")
    return "".join(c if c.isprintable() else " " for c in text).strip()


def _number(text: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return math.nan


def _whole(path: Path, field: bytes, what: str) -> int:
    try:
        return int(_text(field))
    except ValueError:
        raise UserError(f"{path}: its header is damaged ({what}: '{ascii_text(_text(field), 20)}')") from None


def _start(field: bytes) -> datetime | None:
    try:
        start = datetime.strptime(field.decode("ascii"), "%d.%m.%y%H.%M.%S")
    except (ValueError, UnicodeDecodeError):
        return None
    if not 1985 <= start.year < 2085:  # the clipping date of the format is 1985
        start = start.replace(year=start.year + 100 if start.year < 1985 else start.year - 100)
    return None if start == UNKNOWN_START else start


def _decimal(value: float, sign: bool = False) -> str:
    text = f"{value:.7f}".rstrip("0").rstrip(".")
    return f"+{text}" if sign and not text.startswith("-") else text
