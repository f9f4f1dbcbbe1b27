"""EMGLAB N2001: clinical needle EMG as pairs of a text header and a binary file.

A file name is N2001 + group (A amyotrophic lateral sclerosis, M myopathy, C control) + subject + muscle + record. The
rate is 23,437.5 Hz; samples have 16 bits; a pair holds one signal. `.hea` is a WFDB header
(`N2001A01BB01.bin 16+20 13.1070/uV`: the samples begin after 20 bytes, and 20 more bytes follow them). What a header
does not state, or states wrongly, is a parameter of the reader.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import ItemError
from cleansemg.data_pipeline.readers.listing import compile_pattern, find_files, match_key, sorted_refs, trial_label
from cleansemg.data_pipeline.recording import FileReader, Recording, RecordingRef, content_fingerprint
from cleansemg.formats.units import VOLTS_PER_UNIT, volts_per_unit
from cleansemg.formats.wfdb_record import WfdbRecord, signal_lines, states_gain

NAME = r"N2001(?P<subject>(?P<label>[AMC])\d{2})(?P<exercise>(?P<muscle>[A-Z]{2})(?P<repetition>\d{2}))\.(?:hea|bin)"
ORDERS = {"little": "<i2", "big": ">i2"}
ORDER_OF_FORMAT = {"16": "little", "61": "big"}  # WFDB's 16-bit formats
RATE_TOLERANCE = 0.005
ROUGH = 1.0  # var(difference) / var(sample): below 0.5 for EMG at 23 kHz, about 2 for bytes in the wrong order


class N2001Reader(FileReader):
    """Reads every pair below the folder; a pair is one trial of one channel, named after its muscle.

    Args:
        database: name of the database.
        folder: folder that holds its files, at any depth.
        pattern: regular expression of the file names, with groups `subject`, `label`, `exercise`, and perhaps
            `muscle` and `repetition`.
        labels: {group letter: its label}; None: C 1, M 2, A 3.
        fs_hz: sampling rate in hertz; a header that states another is refused.
        byte_order: little, big, or header: by the format that the header states (16 little, 61 big).
        skip_bytes: number of bytes before the first sample; None: the offset that the header states.
        unit: volts per ADC code; None: the header's gain.

    Raises:
        ValueError: a parameter is invalid.
    """

    def __init__(
        self,
        database: str,
        folder: Path,
        *,
        pattern: str = NAME,
        labels: Mapping[str, int] | None = None,
        fs_hz: float = 23437.5,
        byte_order: Literal["header", "little", "big"] = "header",
        skip_bytes: int | None = None,
        unit: float | None = None,
    ) -> None:
        if byte_order not in ("header", *ORDERS):
            raise ValueError(f"byte_order is '{byte_order}': expected header, little or big")
        if skip_bytes is not None and skip_bytes < 0:
            raise ValueError(f"skip_bytes is {skip_bytes}: expected 0 or more")
        self.database = database
        self.folder = Path(folder)
        self.pattern = compile_pattern(pattern, ("subject", "label", "exercise"))
        self.labels = dict(labels or {"C": 1, "M": 2, "A": 3})
        self.fs_hz = float(fs_hz)
        self.byte_order = byte_order
        self.skip_bytes = skip_bytes
        self.volts_per_code = None if unit is None else volts_per_unit(float(unit))

    def list(self) -> Sequence[RecordingRef]:
        """All pairs, also those of which one file is missing; see `RecordingReader.list`."""
        refs = {}
        for file in find_files(self.database, self.folder, [self.pattern]):
            key = file.key.rpartition(".")[0]
            fingerprint = _fingerprint(self.folder / f"{key}.hea", self.folder / f"{key}.bin")
            refs[key] = RecordingRef(self.database, file.groups["subject"], file.groups["exercise"], key, fingerprint)
        return sorted_refs(refs.values())

    def _read(self, ref: RecordingRef) -> Recording:
        groups = match_key(f"{ref.key}.hea", [self.pattern]) or {}
        path = self.folder / f"{ref.key}.hea"
        for pair in (path, path.with_suffix(".bin")):
            if not pair.is_file():
                raise ItemError(f"no {pair.suffix} file; a recording is a pair of .hea and .bin")
        record = WfdbRecord(path)
        if abs(record.frame_hz - self.fs_hz) > RATE_TOLERANCE * self.fs_hz:
            raise ItemError(f"the header says {record.frame_hz:g} Hz, the configuration fs_hz: {self.fs_hz:g}")
        if record.header.n_sig != 1:
            raise ItemError(f".hea announces {record.header.n_sig} signals; one is expected")
        codes = self._codes(path.with_suffix(".bin").read_bytes(), record)
        baseline, scale = float(record.header.baseline[0]), self.volts_per_code
        if scale is None:
            unit = str(record.header.units[0])
            if not states_gain(signal_lines(path)[0]):
                raise ItemError("the header gives no gain; say what a code stands for with unit: (volts)")
            if unit.lower() not in VOLTS_PER_UNIT:
                raise ItemError(
                    f"the header's unit '{unit}' is no voltage; say what a code stands for with unit: (volts)"
                )
            scale = volts_per_unit(unit) / float(record.header.adc_gain[0])
        return Recording(
            database=ref.database,
            subject=ref.subject,
            exercise=ref.exercise,
            signal=(codes[None] - baseline) * scale,
            fs_hz=record.frame_hz,
            channels=(groups.get("muscle", "muscle"),),
            trial_label=trial_label(groups, self.labels),
            trial_repetition=int(groups.get("repetition", 1)),
        )

    def _codes(self, content: bytes, record: WfdbRecord) -> NDArray[np.float64]:
        """[T] codes of the binary file; bytes after the samples that the header announces are left out."""
        order = ORDER_OF_FORMAT.get(record.header.fmt[0]) if self.byte_order == "header" else self.byte_order
        if order is None:
            raise ItemError("the header gives no 16-bit format (16 or 61); say byte_order: little or big")
        skipped = int(record.header.byte_offset[0] or 0) if self.skip_bytes is None else self.skip_bytes
        body = content[skipped:]
        n_samples = record.n_frames or len(body) // 2
        if len(body) % 2 and len(body) < 2 * n_samples + 2:
            raise ItemError(f".bin holds {len(body)} bytes, half a sample too many; truncated, or set skip_bytes")
        if len(body) < 2:
            raise ItemError(".bin holds no sample")
        if len(body) < 2 * n_samples:
            raise ItemError(
                f".bin holds {len(body) // 2} samples, the header says {n_samples}; truncated, or set skip_bytes"
            )
        codes = np.frombuffer(body, ORDERS[order], n_samples).astype(np.float64)
        opposite = "big" if order == "little" else "little"
        swapped = np.frombuffer(body, ORDERS[opposite], n_samples).astype(np.float64)
        if _roughness(codes) > ROUGH and _roughness(swapped) < ROUGH / 2:
            raise ItemError(f"read as {order}-endian the samples are noise, the other way they are a signal; "
                            f"set byte_order: {opposite}")  # fmt: skip
        return codes


def _roughness(x: NDArray[np.float64]) -> float:
    spread = float(np.var(x))
    return float(np.var(np.diff(x))) / spread if spread > 0 else 0.0


def _fingerprint(*paths: Path) -> str:
    parts = [content_fingerprint(path) if path.exists() else "none" for path in paths]
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:32]
