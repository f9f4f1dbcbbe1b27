"""Motion artefacts from WFDB recordings: NSTDB's record `em`, electrode motion on resting limbs.

Moody, Muldrow and Mark 1984, A noise stress test for arrhythmia detectors, Computers in Cardiology 11:381.
NSTDB is uncalibrated. That does not matter, because mixing scales noise to the signal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from cleansemg.core import dsp
from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.settings import PARTS, Part
from cleansemg.noise import wfdb_records
from cleansemg.noise.base import NoiseSource, Piece, Request
from cleansemg.noise.wfdb_records import Excerpt


class MotionRecords(NoiseSource):
    """Electrode motion; every lead gives separate pieces, all leads of a record (or stretch) in the same part.

    Three or more records are assigned to train, valid and test, each to one part. With one or two records, every record
    is cut in time: its first 60 % for train, the next 20 % for valid, the last 20 % for test.

    Args:
        records: names of the records in the folder.
        leads: indexes of the leads, from 0.
        part_leads: leads by part, each over the whole of every record, as in a published protocol; None: the rule
            above. Two leads of one record hold the same seconds, so parts then share records.
        notch_hz: line frequency to remove; None: no notch.
        notch_q: quality factor of the notch.

    Raises:
        ValueError: there is no record or no lead, or `part_leads` lists none for a part.
    """

    kind = "MOA"
    needs_folder = True

    def __init__(
        self,
        records: Sequence[str] = ("em",),
        leads: Sequence[int] = (0, 1),
        notch_hz: float | None = 50.0,
        notch_q: float = 30.0,
        part_leads: Mapping[Part, Sequence[int]] | None = None,
    ) -> None:
        if part_leads is not None and (missing := [part for part in PARTS if not part_leads.get(part)]):
            raise ValueError(f"part_leads lists no lead for {', '.join(missing)}")
        self.part_leads = part_leads
        if not records or not leads:
            raise ValueError("records and leads need at least one entry")
        self.records = tuple(str(record) for record in records)
        self.leads = tuple(leads)
        self.notch_hz = notch_hz
        self.notch_q = notch_q

    def pieces(self, request: Request) -> Iterator[Piece]:
        """Pieces of the part's records or stretches; the iterator continues after an ItemError.

        Raises:
            UserError: the folder is absent or lacks a record.
        """
        folder = self._folder(request.folder)
        whole, names, leads = True, self.records, self.leads
        if self.part_leads is not None:
            leads = tuple(self.part_leads[request.part])
        elif len(self.records) >= 3:
            names = wfdb_records.deal(self.records, request.seed)[request.part]
        else:
            whole = False
        tracks, broken = [], []
        for name in names:
            for lead in leads:
                try:
                    track = wfdb_records.open_track(folder, name, lead, None if whole else request.part)
                    wfdb_records.require_length(track)
                    tracks.append(track)
                except ItemError as error:
                    broken.append(error)
        plan = [*broken, *wfdb_records.schedule(tracks, request)]
        return map(partial(self._piece, fs_hz=request.fs_hz), plan)

    def inputs(self, folder: Path | None) -> dict[str, str]:
        return wfdb_records.fingerprints(self._folder(folder), self.records)

    def _folder(self, folder: Path | None) -> Path:
        folder, there = wfdb_records.record_names(folder)
        missing = [record for record in self.records if record not in there]
        if missing:
            raise UserError(f"{folder}: has no record {', '.join(missing)}; there are: {', '.join(there)}")
        return folder

    def _piece(self, plan: Excerpt | ItemError, fs_hz: float) -> Piece:
        if isinstance(plan, ItemError):
            raise plan
        x = wfdb_records.read(plan, fs_hz)
        if self.notch_hz is not None and self.notch_hz < fs_hz / 2:
            x = dsp.notch(x, self.notch_hz, self.notch_q, fs_hz)
        return wfdb_records.piece(plan, wfdb_records.trim(x, plan, fs_hz))
