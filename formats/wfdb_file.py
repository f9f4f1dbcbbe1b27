"""WFDB records of one segment, read in blocks."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError
from cleansemg.formats.channel_selection import (
    Candidate,
    ReadOptions,
    check_length,
    require_one_rate,
    select_channels,
    select_rate,
)
from cleansemg.formats.info import Coding, FileInfo, WfdbLayout
from cleansemg.formats.signal_file import SignalFile
from cleansemg.formats.wfdb_record import WfdbRecord, signal_lines, states_gain

LOG = logging.getLogger(__name__)
BYTES_PER_SAMPLE = {
    "8": 1.0,
    "16": 2.0,
    "24": 3.0,
    "32": 4.0,
    "61": 2.0,
    "80": 1.0,
    "160": 2.0,
    "212": 1.5,
    "310": 4 / 3,
    "311": 4 / 3,
}
BITS = {"24": 24, "32": 32}  # formats that need more than the 16 of the others


class WfdbFile(SignalFile):
    """A record of one segment; invalid samples are NaN.

    Raises:
        UserError: damaged, truncated, channels of several rates, no channel in volts; see `select_channels`.
    """

    def __init__(self, path: Path, options: ReadOptions) -> None:
        if not path.with_suffix(".hea").is_file():
            raise UserError(f"{path}: a WFDB record needs its header {path.with_suffix('.hea').name} beside it")
        self._record = WfdbRecord(path)
        header = self._record.header
        if getattr(header, "seg_name", None):
            raise UserError(
                f"{path}: a record of several segments; open one of them: {', '.join(map(str, header.seg_name[:8]))}"
            )
        if not header.n_sig or not self._record.names or not header.file_name:
            raise UserError(f"{path}: its header announces no signal")
        for name in header.file_name:
            if Path(name).name != name or not (path.parent / name).is_file():
                raise UserError(f"{path}: its header names the signal file '{name}', which is not beside it")
        frames = _frames(path, header)
        candidates = [
            Candidate(name, str(unit) if unit else None, column, "", _coding(header, column))
            for column, (name, unit) in enumerate(zip(self._record.names, header.units, strict=True))
        ]
        channels = select_channels(path, candidates, options)
        lines = signal_lines(path)
        bare = [c.name for c in channels if c.column >= len(lines) or not states_gain(lines[c.column])]
        if bare:
            LOG.warning("%s: uncalibrated, 200 codes for 1 mV by WFDB's rule: %s", path, ", ".join(bare))
        per_frame = [int(header.samps_per_frame[channel.column]) for channel in channels]
        require_one_rate(path, [(c.name, self._record.frame_hz * n) for c, n in zip(channels, per_frame, strict=True)])
        self._per_frame = per_frame[0]
        self._n_frames = frames
        fs_hz = select_rate(path, self._record.frame_hz * self._per_frame or None, options, "the header")
        check_length(path, frames * self._per_frame, len(channels), fs_hz)
        start = None
        if isinstance(header.base_date, dt.date) and isinstance(header.base_time, dt.time):
            start = dt.datetime.combine(header.base_date, header.base_time)
        layout = WfdbLayout(tuple(str(line) for line in header.comments or ()))
        self.info = FileInfo(path, "wfdb", fs_hz, channels, frames * self._per_frame, layout, 0.0, start)

    def _blocks(self, max_samples: int) -> Iterator[NDArray[np.float64]]:
        columns = [channel.column for channel in self.info.channels]
        step = max(1, max_samples // self._per_frame)
        for start in range(0, self._n_frames, step):
            block = self._record.read(columns, start, min(start + step, self._n_frames))
            for first in range(0, block.shape[1], max_samples):
                yield block[:, first : first + max_samples]


def _frames(path: Path, header: Any) -> int:
    """Frames of the record, checked against the signal files' sizes."""
    groups: dict[str, list[int]] = {}
    for column, name in enumerate(header.file_name):
        groups.setdefault(name, []).append(column)
    most = None
    for name, columns in groups.items():
        kind = str(header.fmt[columns[0]])
        if kind not in BYTES_PER_SAMPLE:
            continue
        per_frame = BYTES_PER_SAMPLE[kind] * sum(int(header.samps_per_frame[c]) for c in columns)
        there = int(((path.parent / name).stat().st_size - int(header.byte_offset[columns[0]] or 0)) / per_frame)
        most = there if most is None else min(most, there)
    announced = header.sig_len
    if announced is None:
        if most is None:
            raise UserError(f"{path}: its header does not say how many samples there are")
        announced = most
    if announced < 1 or (most is not None and announced > most):
        raise UserError(f"{path}: truncated: {max(0, most or 0)} of the {announced} samples that its header announces")
    return int(announced)


def _coding(header: Any, column: int) -> Coding | None:
    gain, baseline = header.adc_gain[column], header.baseline[column]
    if not gain or baseline is None:
        return None
    bits = BITS.get(str(header.fmt[column]), 16)
    limit = (1 << (bits - 1)) - 1  # the code below is the one for no value
    return Coding((-limit - baseline) / gain, (limit - baseline) / gain, -limit, limit, bits)
