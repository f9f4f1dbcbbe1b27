"""Baseline wander from WFDB recordings: NSTDB's record `bw`, for the TrustEMG protocol.

Baseline wander has no separate column. It uses `Color`, which that protocol leaves empty: its compounds hold baseline
wander and motion together, so the two need different columns. Piece names begin with the record's, `bw_`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cleansemg.core.settings import Part
from cleansemg.noise.moa_wfdb import MotionRecords


class BaselineWander(MotionRecords):
    """Slow drift of electrodes on resting limbs; the parts get their records as in `MotionRecords`.

    Args:
        records, leads, notch_hz, notch_q, part_leads: as in `MotionRecords`.
    """

    kind = "Color"

    def __init__(
        self,
        records: Sequence[str] = ("bw",),
        leads: Sequence[int] = (0, 1),
        notch_hz: float | None = None,
        notch_q: float = 30.0,
        part_leads: Mapping[Part, Sequence[int]] | None = None,
    ) -> None:
        super().__init__(records, leads, notch_hz, notch_q, part_leads)
