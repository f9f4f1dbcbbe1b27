"""ECG from a folder of WFDB records at any rate: NSRDB in the published protocol (A5), or the user's own records.

NSRDB: MIT-BIH Normal Sinus Rhythm Database, Goldberger et al. 2000, Circulation 101:e215.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import get_args

from cleansemg.core import dsp
from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.settings import PARTS, Part
from cleansemg.noise import wfdb_records
from cleansemg.noise.base import NoiseSource, Piece, Request
from cleansemg.noise.wfdb_records import Excerpt, Lead, Resampling

# The published test records are Python's random.Random(2025).sample(ids, 4) over the 18 sorted ids. The other 14 are
# the published training records; this project uses the last three for validation.
NSRDB_TEST = ("16273", "19093", "19140", "19830")
NSRDB_VALID = ("18184", "19088", "19090")
NSRDB_TRAIN = (
    "16265", "16272", "16420", "16483", "16539", "16773", "16786", "16795", "17052", "17453", "18177",
)  # fmt: skip
NSRDB_PARTS: dict[Part, tuple[str, ...]] = {"train": NSRDB_TRAIN, "valid": NSRDB_VALID, "test": NSRDB_TEST}
MITDB_ONE_PERSON = ("201", "202")  # MIT-BIH's directory: both from the same tape
NSRDB_IDS = frozenset(NSRDB_TRAIN + NSRDB_VALID + NSRDB_TEST)


class EcgRecords(NoiseSource):
    """ECG of people; each record is in one part only.

    `records_by_part` assigns the records to train, valid and test; MIT-BIH's 201 and 202, which are one person, stay
    together. `cleansemg.noise.wfdb_records` has the rule for pieces. A piece is resampled to the library's rate and
    passes the high-pass, the notch and the low-pass.

    Args:
        lead: index from 0, or name ("MLII").
        notch_hz: line frequency to remove; None: no notch.
        notch_q: quality factor of the notch.
        low_pass_hz: cut-off of the low-pass; no effect at rates that hold nothing above it.
        high_pass_hz: cut-off of a high-pass; None: no high-pass.
        order: order of the high-pass and the low-pass, for one direction.
        resampling: "polyphase", or "fourier" (zeros in the spectrum, as in the published ECG-removal code).
        stretch_s: first and last second of each record to use; None: the whole record.
        parts: records by part, as a published protocol lists them; None: the rule of `records_by_part`.

    Raises:
        ValueError: `resampling` or `stretch_s` is invalid, or `parts` lists no record for a part.
    """

    kind = "ECG"
    needs_folder = True

    def __init__(
        self,
        lead: Lead = 0,
        notch_hz: float | None = 50.0,
        notch_q: float = 30.0,
        low_pass_hz: float = 200.0,
        high_pass_hz: float | None = None,
        order: int = 4,
        resampling: Resampling = "polyphase",
        stretch_s: Sequence[float] | None = None,
        parts: Mapping[Part, Sequence[str | int]] | None = None,
    ) -> None:
        if resampling not in get_args(Resampling):
            raise ValueError(f"resampling is '{resampling}', expected one of {', '.join(get_args(Resampling))}")
        if stretch_s is not None and not 0 <= stretch_s[0] < stretch_s[1]:
            raise ValueError(f"stretch_s is {list(stretch_s)}, expected from, to in seconds")
        if parts is not None and (missing := [part for part in PARTS if not parts.get(part)]):
            raise ValueError(f"parts lists no record for {', '.join(missing)}")
        self.high_pass_hz = high_pass_hz
        self.order = order
        self.resampling: Resampling = resampling
        self.stretch_s = None if stretch_s is None else (float(stretch_s[0]), float(stretch_s[1]))
        self.parts = None if parts is None else {part: tuple(map(str, parts[part])) for part in PARTS}
        self.lead = lead
        self.notch_hz = notch_hz
        self.notch_q = notch_q
        self.low_pass_hz = low_pass_hz

    def pieces(self, request: Request) -> Iterator[Piece]:
        """Pieces of the part's records; the iterator continues after an ItemError.

        Raises:
            UserError: the folder is absent, or lacks the records that the rule needs.
        """
        folder, names = wfdb_records.record_names(request.folder)
        tracks, broken = [], []
        for name in self._records(folder, names, request.seed)[request.part]:
            try:
                track = wfdb_records.open_track(folder, name, self.lead)
                if self.stretch_s is not None:
                    track = wfdb_records.stretch(track, self.stretch_s)
                wfdb_records.require_length(track)
                tracks.append(track)
            except ItemError as error:
                broken.append(error)
        plan = [*broken, *wfdb_records.schedule(tracks, request)]
        return map(partial(self._piece, fs_hz=request.fs_hz), plan)

    def inputs(self, folder: Path | None) -> dict[str, str]:
        return wfdb_records.fingerprints(*wfdb_records.record_names(folder))

    def _records(self, folder: Path, names: list[str], seed: int) -> Mapping[Part, tuple[str, ...]]:
        if self.parts is None:
            return records_by_part(folder, names, seed)
        missing = sorted({name for ids in self.parts.values() for name in ids} - set(names))
        if missing:
            raise UserError(f"{folder}: has no record {', '.join(missing)}; there are: {', '.join(names)}")
        return self.parts

    def _piece(self, plan: Excerpt | ItemError, fs_hz: float) -> Piece:
        if isinstance(plan, ItemError):
            raise plan
        x = wfdb_records.read(plan, fs_hz, self.resampling)
        if self.high_pass_hz is not None:
            x = dsp.high_pass(x, self.high_pass_hz, fs_hz, self.order)
        if self.notch_hz is not None and self.notch_hz < fs_hz / 2:
            x = dsp.notch(x, self.notch_hz, self.notch_q, fs_hz)
        if self.low_pass_hz < dsp.NYQUIST_MARGIN * fs_hz / 2:
            x = dsp.low_pass(x, self.low_pass_hz, fs_hz, self.order)
        return wfdb_records.piece(plan, wfdb_records.trim(x, plan, fs_hz))


def records_by_part(folder: Path, names: list[str], seed: int) -> dict[Part, tuple[str, ...]]:
    """NSRDB's published parts where all names are NSRDB's, else `wfdb_records.deal`; a person stays in one part.

    Raises:
        UserError: there are too few records for three parts.
    """
    if set(names) <= NSRDB_IDS:
        parts = {part: tuple(name for name in ids if name in names) for part, ids in NSRDB_PARTS.items()}
        for part, ids in parts.items():
            if not ids:
                raise UserError(f"{folder}: holds none of NSRDB's {part} records {', '.join(NSRDB_PARTS[part])}")
        return parts
    if len(names) < 3:
        raise UserError(
            f"{folder}: holds {len(names)} records; train, valid and test need one each, from different people"
        )
    parts = wfdb_records.deal(names, seed)
    if set(MITDB_ONE_PERSON) <= set(names):
        first, second = MITDB_ONE_PERSON
        keep = next(part for part, ids in parts.items() if first in ids)
        parts = {part: tuple(name for name in ids if name != second) for part, ids in parts.items()}
        parts[keep] = tuple(sorted((*parts[keep], second)))
        for part, ids in parts.items():
            if not ids:
                raise UserError(f"{folder}: holds too few people for {part}: {first} and {second} are one person")
    return parts
