"""ECG cut out of a folder of WFDB records, any rate: NSRDB in the published protocol (A5), or one's own.

NSRDB: MIT-BIH Normal Sinus Rhythm Database, Goldberger et al. 2000, Circulation 101:e215.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from core import dsp
from core.errors import ItemError, UserError
from core.settings import Part
from noise import wfdb_records
from noise.base import NoiseSource, Piece, Request
from noise.wfdb_records import Excerpt, Lead

# The published test records are Python's random.Random(2025).sample(ids, 4) over the 18 sorted ids; the
# other 14 are its training records, of which ours keeps the last three for validation.
NSRDB_TEST = ("16273", "19093", "19140", "19830")
NSRDB_VALID = ("18184", "19088", "19090")
NSRDB_TRAIN = (
    "16265", "16272", "16420", "16483", "16539", "16773", "16786", "16795", "17052", "17453", "18177",
)  # fmt: skip
NSRDB_PARTS: dict[Part, tuple[str, ...]] = {"train": NSRDB_TRAIN, "valid": NSRDB_VALID, "test": NSRDB_TEST}
MITDB_ONE_PERSON = ("201", "202")  # MIT-BIH's directory: both from the same tape
NSRDB_IDS = frozenset(NSRDB_TRAIN + NSRDB_VALID + NSRDB_TEST)


class EcgRecords(NoiseSource):
    """ECG of people, each record in one part only.

    Records are dealt to train, valid and test as `records_by_part` says; the rule for pieces is in
    `noise.wfdb_records`. A piece is resampled to the library's rate, freed of the line and low-passed.

    Args:
        lead: number from 0, or name ("MLII").
        notch_hz: line frequency to remove; None for none.
        notch_q: its quality factor.
        low_pass_hz: cut-off of the order-4 low-pass; without effect at rates that hold nothing above it.
    """

    kind = "ECG"
    needs_folder = True

    def __init__(
        self, lead: Lead = 0, notch_hz: float | None = 50.0, notch_q: float = 30.0, low_pass_hz: float = 200.0
    ) -> None:
        self.lead = lead
        self.notch_hz = notch_hz
        self.notch_q = notch_q
        self.low_pass_hz = low_pass_hz

    def pieces(self, request: Request) -> Iterator[Piece]:
        """Pieces of the part's records; goes on after an ItemError."""
        folder, names = wfdb_records.record_names(request.folder)
        tracks, broken = [], []
        for name in records_by_part(folder, names, request.seed)[request.part]:
            try:
                track = wfdb_records.open_track(folder, name, self.lead)
                wfdb_records.require_length(track)
                tracks.append(track)
            except ItemError as error:
                broken.append(error)
        plan = [*broken, *wfdb_records.schedule(tracks, request)]
        return map(partial(self._piece, fs_hz=request.fs_hz), plan)

    def inputs(self, folder: Path | None) -> dict[str, str]:
        return wfdb_records.fingerprints(*wfdb_records.record_names(folder))

    def _piece(self, plan: Excerpt | ItemError, fs_hz: float) -> Piece:
        if isinstance(plan, ItemError):
            raise plan
        x = wfdb_records.read(plan, fs_hz)
        if self.notch_hz is not None and self.notch_hz < fs_hz / 2:
            x = dsp.notch(x, self.notch_hz, self.notch_q, fs_hz)
        if self.low_pass_hz < dsp.NYQUIST_MARGIN * fs_hz / 2:
            x = dsp.low_pass(x, self.low_pass_hz, fs_hz)
        return wfdb_records.piece(plan, wfdb_records.trim(x, plan, fs_hz))


def records_by_part(folder: Path, names: list[str], seed: int) -> dict[Part, tuple[str, ...]]:
    """NSRDB's published parts where all names are NSRDB's, otherwise `wfdb_records.deal`; a person stays in one part.

    Raises:
        UserError: too few records for three parts.
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
