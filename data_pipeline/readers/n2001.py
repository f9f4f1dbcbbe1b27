"""EMGLAB N2001: clinical needle EMG as pairs of a text header and a binary file.

Known: the name, N2001 + group (A amyotrophic lateral sclerosis, M myopathy, C control) + subject + muscle + record;
23,437.5 Hz; 16-bit samples; one signal a pair. Assumed, and checked where that is possible: `.hea` is a header in
WFDB's text form and `.bin` holds nothing but samples. What the header does not say, or says wrongly, is a parameter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import ItemError
from cleansemg.data_pipeline.readers.listing import compile_pattern, find_files, match_key, sorted_refs, trial_label
from cleansemg.data_pipeline.recording import Recording, RecordingReader, RecordingRef, content_fingerprint
from cleansemg.formats.units import VOLTS_PER_UNIT, volts_per_unit

NAME = r"N2001(?P<subject>(?P<label>[AMC])\d{2})(?P<exercise>(?P<muscle>[A-Z]{2})(?P<repetition>\d{2}))\.(?:hea|bin)"
ORDERS = {"little": "<i2", "big": ">i2"}
ORDER_OF_FORMAT = {"16": "little", "61": "big"}  # WFDB's 16-bit formats
RATE_TOLERANCE = 0.005
ROUGH = 1.0  # var(step) / var(sample): EMG at 23 kHz is below 0.5, bytes in the wrong order give 2


@dataclass(frozen=True)
class Header:
    """What a header says; None where it is silent.

    Attributes:
        fs_hz: sampling rate.
        n_samples: length.
        order: of the bytes, little or big.
        gain: codes for one unit.
        baseline: code of 0.
        unit: V, mV, uV.
    """

    fs_hz: float
    n_samples: int | None
    order: str | None
    gain: float | None
    baseline: float
    unit: str


class N2001Reader(RecordingReader):
    """Reads every pair below the folder; a pair is one trial of one channel, named after its muscle.

    Args:
        database: its name.
        folder: where its files lie, at any depth.
        pattern: regular expression of the file names, with groups `subject`, `label`, `exercise`, and perhaps
            `muscle` and `repetition`.
        labels: {group letter: its number}.
        fs_hz: checked against the header.
        byte_order: little, big, or header: what the header's format says (16 little, 61 big).
        skip_bytes: of the binary file, before the first sample.
        unit: volts that a code stands for; None: the header's gain.

    Raises:
        ValueError: parameters that make no sense.
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
        skip_bytes: int = 0,
        unit: float | None = None,
    ) -> None:
        if byte_order not in ("header", *ORDERS):
            raise ValueError(f"byte_order is '{byte_order}': expected header, little or big")
        if skip_bytes < 0:
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
        for found in find_files(self.database, self.folder, [self.pattern]):
            key = found.key.rpartition(".")[0]
            fingerprint = _fingerprint(self.folder / f"{key}.hea", self.folder / f"{key}.bin")
            refs[key] = RecordingRef(self.database, found.groups["subject"], found.groups["exercise"], key, fingerprint)
        return sorted_refs(refs.values())

    def read(self, ref: RecordingRef) -> Recording:
        """Read one pair; see `RecordingReader.read`."""
        try:
            return self._read(ref)
        except ItemError as error:
            raise ItemError(f"{self.database}: {ref.key}: {error}") from error

    def _read(self, ref: RecordingRef) -> Recording:
        groups = match_key(f"{ref.key}.hea", [self.pattern]) or {}
        header = parse_header(_bytes(self.folder / f"{ref.key}.hea").decode("ascii", "replace"))
        if abs(header.fs_hz - self.fs_hz) > RATE_TOLERANCE * self.fs_hz:
            raise ItemError(f"the header says {header.fs_hz:g} Hz, the configuration fs_hz: {self.fs_hz:g}")
        codes = self._codes(_bytes(self.folder / f"{ref.key}.bin"), header)
        if self.volts_per_code is not None:
            scale = self.volts_per_code
        elif header.gain is not None:
            scale = volts_per_unit(header.unit) / header.gain
        else:
            raise ItemError("the header gives no gain; say what a code stands for with unit: (volts)")
        return Recording(
            database=ref.database,
            subject=ref.subject,
            exercise=ref.exercise,
            signal=(codes[None] - header.baseline) * scale,
            fs_hz=header.fs_hz,
            channels=(groups.get("muscle", "muscle"),),
            trial_label=trial_label(groups, self.labels),
            trial_repetition=int(groups.get("repetition", 1)),
        )

    def _codes(self, content: bytes, header: Header) -> NDArray[np.float64]:
        """[T] codes of the binary file."""
        order = header.order if self.byte_order == "header" else self.byte_order
        if order is None:
            raise ItemError("the header gives no 16-bit format (16 or 61); say byte_order: little or big")
        body = content[self.skip_bytes :]
        if len(body) % 2:
            raise ItemError(f".bin holds {len(body)} bytes, half a sample too many; truncated, or set skip_bytes")
        n = len(body) // 2
        if not n:
            raise ItemError(".bin holds no sample")
        if header.n_samples not in (None, n):
            raise ItemError(f".bin holds {n} samples, the header says {header.n_samples}; truncated, or set skip_bytes")
        codes = np.frombuffer(body, ORDERS[order]).astype(np.float64)
        other = np.frombuffer(body, ORDERS["big" if order == "little" else "little"]).astype(np.float64)
        if _roughness(codes) > ROUGH and _roughness(other) < ROUGH / 2:
            raise ItemError(f"read as {order}-endian the samples are noise, the other way they are a signal; "
                            f"set byte_order: {'big' if order == 'little' else 'little'}")  # fmt: skip
        return codes


def parse_header(text: str) -> Header:
    """A header in WFDB's text form: `name signals rate length`, then `file format gain(baseline)/unit ...`.

    Raises:
        ItemError: not of that form, or of several signals.
    """
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    form = "expected lines 'name 1 rate length' and 'file format gain/unit', as in WFDB"
    if not lines or len(lines[0]) < 3:
        raise ItemError(f".hea is not a header ({form})")
    try:
        n_signals, fs_hz = int(lines[0][1]), float(lines[0][2].split("/")[0].split("(")[0])
        n_samples = int(lines[0][3]) if len(lines[0]) > 3 else None
        if n_signals != 1 or len(lines) < 2:
            raise ItemError(f".hea announces {n_signals} signal(s) and describes {len(lines) - 1}; one is expected")
        gain, baseline, unit = _gain(lines[1])
    except ValueError:
        raise ItemError(f".hea is not a header ({form})") from None
    coded = lines[1][1] if len(lines[1]) > 1 else ""
    number = coded.split("x")[0].split(":")[0].split("+")[0]
    return Header(fs_hz, n_samples or None, ORDER_OF_FORMAT.get(number), gain, baseline, unit)


def _gain(fields: Sequence[str]) -> tuple[float | None, float, str]:
    """Codes a unit, code of 0 and unit; without a baseline it is the ADC's zero, the fifth field."""
    if len(fields) < 3:
        return None, 0.0, "mV"
    number, _, unit = fields[2].partition("/")
    gain, _, baseline = number.partition("(")
    zero = baseline.rstrip(")") or (fields[4] if len(fields) > 4 else "0")
    known = unit or "mV"
    if known.lower() not in VOLTS_PER_UNIT:
        raise ItemError(f"the header's unit '{known}' is no voltage; say what a code stands for with unit: (volts)")
    return float(gain) or None, float(zero), known


def _roughness(x: NDArray[np.float64]) -> float:
    spread = float(np.var(x))
    return float(np.var(np.diff(x))) / spread if spread > 0 else 0.0


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ItemError(f"no {path.suffix} file; a recording is a pair of .hea and .bin") from None
    except OSError as error:
        raise ItemError(f"cannot read {path.suffix} ({error.strerror})") from error


def _fingerprint(*paths: Path) -> str:
    parts = [content_fingerprint(path) if path.exists() else "none" for path in paths]
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:32]
