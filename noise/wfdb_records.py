"""Noise from WFDB recordings: assigns records to parts, places pieces and reads them.

Rule for pieces. A *track* is one lead of one record, or of a stretch of it. A piece is `piece_s` long, or
as long as the shortest track if that is shorter; a track under 10 s is a failure. Pieces of a track do not
overlap, so a track of D seconds gives at most D / piece_s of them, and a short recording gives fewer than requested.
Training pieces are spaced evenly; valid and test pieces have random positions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import dsp, npz
from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.seeding import generator
from cleansemg.core.settings import PARTS, Part
from cleansemg.formats.wfdb_record import WfdbRecord
from cleansemg.noise.base import Piece, Request

SHARES = {"train": 0.6, "valid": 0.2, "test": 0.2}
SHORTEST_PIECE_S = 10.0
MARGIN_S = 5.0  # read on either side of a piece, so that filters settle outside it
HOURS = 24

Lead = int | str
Resampling = Literal["polyphase", "fourier"]


@dataclass(frozen=True)
class Track:
    """One lead of one record, from `first` to before `last` in samples of the record."""

    path: Path  # without suffix
    record: str  # name of its origin: "16265", or "em@0-471s" for a stretch
    lead: int
    fs_hz: float
    first: int
    last: int
    readable: tuple[int, int] | None = None  # samples that may be read as margin; None: from first to last

    @property
    def duration_s(self) -> float:
        return (self.last - self.first) / self.fs_hz


@dataclass(frozen=True)
class Excerpt:
    """One piece to read; `start_s` counts from the track's first sample."""

    track: Track
    start_s: float
    n_samples: int  # at the library's rate


def record_names(folder: Path | None) -> tuple[Path, list[str]]:
    """The folder, and the sorted names of the records in it.

    Raises:
        UserError: the folder is absent or holds no header.
    """
    if folder is None or not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    names = sorted(path.stem for path in folder.glob("*.hea"))
    if not names:
        raise UserError(f"{folder}: holds no WFDB record (*.hea)")
    return folder, names


def deal(names: Sequence[str], seed: int) -> dict[Part, tuple[str, ...]]:
    """Assign records to train, valid and test, 60/20/20 and at least one each, by a draw keyed by the records' names.

    Raises:
        ValueError: there are fewer than three records.
    """
    if len(names) < len(PARTS):
        raise ValueError(f"{len(names)} records cannot serve train, valid and test")
    shuffled = generator(seed, "noise", "deal", *sorted(names)).permutation(sorted(names))
    n_small = max(1, round(SHARES["test"] * len(names)))
    parts = {"test": shuffled[:n_small], "valid": shuffled[n_small : 2 * n_small], "train": shuffled[2 * n_small :]}
    return {part: tuple(sorted(map(str, parts[part]))) for part in PARTS}


def open_track(folder: Path, name: str, lead: Lead, part: Part | None = None) -> Track:
    """One lead of a record; with `part`, only the 60/20/20 stretch of its time for this part.

    Raises:
        ItemError: the header is unreadable, lacks rate or length, or has no such lead.
    """
    try:
        record = WfdbRecord(folder / name)
    except ItemError as error:
        raise ItemError(f"{folder / name}: not a readable WFDB header ({error})") from error
    fs_hz, n, leads = record.frame_hz, record.n_frames, record.names
    if not fs_hz or n is None:
        raise ItemError(f"{folder / name}: not a readable WFDB header (it does not say its rate or its length)")
    number = lead if isinstance(lead, int) else leads.index(lead) if lead in leads else -1
    if not 0 <= number < len(leads):
        raise ItemError(f"{folder / name}: has no lead {lead!r}; its leads are {', '.join(map(str, leads)) or 'none'}")
    if part is None:
        return Track(folder / name, name, number, fs_hz, 0, n)
    before = sum(SHARES[earlier] for earlier in PARTS[: PARTS.index(part)])
    first, last = round(before * n), round((before + SHARES[part]) * n)
    return Track(folder / name, f"{name}@{first / fs_hz:.0f}-{last / fs_hz:.0f}s", number, fs_hz, first, last)


def stretch(track: Track, seconds: tuple[float, float]) -> Track:
    """The seconds of a whole record that a published protocol uses; the samples around may be read as margin.

    Raises:
        ItemError: the record ends before the last of these seconds.
    """
    first, last = (round(at * track.fs_hz) for at in seconds)
    if last > track.last:
        raise ItemError(
            f"{track.path}: lasts {track.duration_s:.1f} s, needed are seconds {seconds[0]:g}-{seconds[1]:g}"
        )
    return replace(track, first=first, last=last, readable=(track.first, track.last))


def require_length(track: Track) -> None:
    """Check that a track is long enough.

    Raises:
        ItemError: it lasts less than 10 s.
    """
    if track.duration_s < SHORTEST_PIECE_S:
        raise ItemError(
            f"{track.path}: {track.record} lasts {track.duration_s:.1f} s, needed are {SHORTEST_PIECE_S:g} s"
        )


def schedule(tracks: Sequence[Track], request: Request) -> Iterator[Excerpt]:
    """Distribute `request.n_pieces` over the tracks in turn and place them, by the rule at the top of this file.

    Where a training record lasts a day, its pieces begin at full hours, which differ between tracks.
    """
    if not tracks:
        return
    piece_s = min([request.piece_s, *(track.duration_s for track in tracks)])
    n_samples = int(piece_s * request.fs_hz + 1e-6)
    room = [max(1, int(track.duration_s / piece_s + 1e-9)) for track in tracks]
    taken = [0] * len(tracks)
    while sum(taken) < request.n_pieces and taken != room:
        for index in range(len(tracks)):
            if taken[index] < room[index] and sum(taken) < request.n_pieces:
                taken[index] += 1
    for index, (track, count) in enumerate(zip(tracks, taken, strict=True)):
        for start_s in _starts(track, count, piece_s, request, index, len(tracks)):
            yield Excerpt(track, start_s, n_samples)


def _starts(
    track: Track, count: int, piece_s: float, request: Request, index: int, n_tracks: int
) -> NDArray[np.float64]:
    """[count] seconds from the beginning of the track; pieces do not overlap."""
    slack_s = max(track.duration_s - count * piece_s, 0.0)
    order = np.arange(count)
    if request.part != "train":
        rng = generator(request.seed, "noise", "position", request.part, track.record, track.lead)
        starts: NDArray[np.float64] = np.sort(rng.uniform(0.0, slack_s, count)) + order * piece_s
        return starts
    hours = (index + order * n_tracks) % HOURS
    if track.duration_s >= (HOURS - 1) * 3600 + piece_s and len(set(hours)) == count and piece_s <= 3600:
        at_hours: NDArray[np.float64] = hours.astype(np.float64) * 3600.0
        return at_hours
    spread: NDArray[np.float64] = order * piece_s + slack_s * (order + 0.5) / max(count, 1)
    return spread


def read(excerpt: Excerpt, fs_hz: float, resampling: Resampling = "polyphase") -> NDArray[np.float64]:
    """[n + margins] samples of a piece and its margins, in physical units without the mean, at the library's rate.

    `trim` cuts the piece out. Margins stay inside the track, so that nothing of another part's stretch is read. With
    `fourier`, the spectrum is padded with zeros, as in `scipy.signal.resample`; this assumes a periodic signal, and
    the margins absorb the errors of that assumption.

    Raises:
        ItemError: the record is unreadable, truncated or flat, or has gaps (NaN).
    """
    track = excerpt.track
    first, last = _native_span(excerpt, fs_hz)
    try:
        native = WfdbRecord(track.path).read([track.lead], first, last, smooth=True)[0]
    except ItemError as error:
        raise ItemError(f"{track.path}: not readable from sample {first} ({error})") from error
    if len(native) != last - first:
        raise ItemError(f"{track.path}: ends {last - first - len(native)} samples before its header says")
    gaps = np.flatnonzero(~np.isfinite(native))
    if gaps.size:
        at_s = (first + gaps[0]) / track.fs_hz
        raise ItemError(f"{track.path}: lead {track.lead} has {gaps.size} missing samples, the first at {at_s:.1f} s")
    if native.min() == native.max():
        raise ItemError(f"{track.path}: lead {track.lead} is flat from {first / track.fs_hz:.1f} s")
    if resampling == "fourier":
        return _fourier(native - native.mean(), track.fs_hz, fs_hz)
    return dsp.resample(native - native.mean(), track.fs_hz, fs_hz)  # an offset would ring at the filter's edges


def _fourier(x: NDArray[np.float64], from_hz: float, to_hz: float) -> NDArray[np.float64]:
    """Resample by zeros in the spectrum; the last value is repeated until the resampled length is a whole number.

    A rounded length would stretch time, by a fifth of a sample in 25 s from 128 to 1000 Hz.
    """
    from scipy import signal

    ratio = Fraction(to_hz / from_hz).limit_denominator(10_000)
    n = -(-len(x) // ratio.denominator) * ratio.denominator
    padded = np.pad(x, (0, n - len(x)), mode="edge")
    resampled: NDArray[np.float64] = signal.resample(padded, n * ratio.numerator // ratio.denominator)
    return resampled


def trim(samples: NDArray[np.float64], excerpt: Excerpt, fs_hz: float) -> NDArray[np.float64]:
    """[n_samples] the piece, cut from the result of `read` after filtering."""
    track = excerpt.track
    first, _ = _native_span(excerpt, fs_hz)
    start = round((excerpt.start_s - (first - track.first) / track.fs_hz) * fs_hz)
    start = max(0, min(start, len(samples) - excerpt.n_samples))
    return samples[start : start + excerpt.n_samples]


def piece(excerpt: Excerpt, samples: NDArray[np.float64]) -> Piece:
    """The piece, named by its record, its lead and the second of the record at which it begins."""
    track = excerpt.track
    at_s = track.first / track.fs_hz + excerpt.start_s
    return Piece(samples, f"{track.path.name}_{track.lead}_{at_s:.0f}s", track.record)


def fingerprints(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """SHA-256 of the headers and signal files of records."""
    files = (path for name in names for path in sorted(folder.glob(f"{name}.*")) if path.suffix in (".hea", ".dat"))
    return {path.name: npz.sha256(path) for path in files}


def _native_span(excerpt: Excerpt, fs_hz: float) -> tuple[int, int]:
    track = excerpt.track
    start = track.first + int(excerpt.start_s * track.fs_hz)
    stop = start + int(np.ceil(excerpt.n_samples / fs_hz * track.fs_hz)) + 1
    margin = round(MARGIN_S * track.fs_hz)
    earliest, latest = track.readable or (track.first, track.last)
    return max(earliest, start - margin), min(latest, stop + margin)
