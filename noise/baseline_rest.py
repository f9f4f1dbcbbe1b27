"""Baseline noise from recordings of people at rest: stretches that a data set labels as rest, and idle channels.

A channel is *idle* in a recording of another muscle (`Recording.idle_channels`); it may hold some crosstalk of that
muscle. Readers are entries of configs/datasets/ and are opened by name, because the package of the readers is in a
higher layer than this one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import dsp, registry
from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.settings import PARTS
from cleansemg.noise.base import NoiseSource, Piece, Request
from cleansemg.noise.wfdb_records import SHORTEST_PIECE_S, deal

EDGE_S = 0.25  # left out at both ends of a rest: labels lag behind muscles
SHORTEST_REST_S = 0.5  # shortest rest without its ends
FADE_S = 0.05  # length of the fade that joins two rests of a channel


class RestRecordings(NoiseSource):
    """Yields one piece per channel of a recording: its joined rests, cut to the shorter of a piece and `longest_s`.

    Channels with less rest give no piece. People are assigned to train, valid and test, 60/20/20 and at least one
    each, by a random draw keyed by their names. Channels are used in turn over people, so that even few pieces come
    from many people. Two rests are joined over 50 ms by weights whose squares add up to 1, which preserves the power
    of noise.

    Args:
        dataset: an entry of configs/datasets/, or the user's own class as `package.module:Class`.
        reader_parameters: parameters that replace those of the entry.
        idle: whether to use idle channels, too, which are at rest from end to end.
        max_rms_v: channels whose rest has a larger RMS, in volts, are left out: muscles that are called idle may
            steady a joint. None: all are used.
        longest_s: longest piece in seconds.

    Raises:
        ValueError: `longest_s` is shorter than the shortest piece, or `max_rms_v` is not positive.
    """

    kind = "baseline"
    needs_folder = True

    def __init__(
        self,
        dataset: str = "DB2",
        reader_parameters: Mapping[str, Any] | None = None,
        idle: bool = True,
        longest_s: float = 20.0,
        max_rms_v: float | None = None,
    ) -> None:
        if longest_s < SHORTEST_PIECE_S:
            raise ValueError(f"longest_s is {longest_s:g}, pieces have {SHORTEST_PIECE_S:g} s at least")
        if max_rms_v is not None and not max_rms_v > 0:
            raise ValueError(f"max_rms_v is {max_rms_v!r}, expected a positive number or null")
        self.dataset = dataset
        self.reader_parameters = dict(reader_parameters or {})
        self.idle = idle
        self.longest_s = longest_s
        self.max_rms_v = math.inf if max_rms_v is None else max_rms_v

    def pieces(self, request: Request) -> Iterator[Piece]:
        """Pieces of the part's people; the iterator continues after an ItemError.

        Raises:
            UserError: there are fewer than three people.
        """
        reader, refs = self._recordings(request.folder)
        people = sorted({ref.subject for ref in refs})
        if len(people) < len(PARTS):
            raise UserError(
                f"{request.folder}: {self.dataset} has {len(people)} people; train, valid and test need one each"
            )
        members = deal(people, request.seed)[request.part]
        n_samples = round(min(request.piece_s, self.longest_s) * request.fs_hz)
        rests = self._rests(reader, [ref for ref in refs if ref.subject in members], request, n_samples)
        return map(partial(_piece, n_samples=n_samples), rests)

    def inputs(self, folder: Path | None) -> dict[str, str]:
        return {ref.key: ref.fingerprint for ref in self._recordings(folder)[1]}

    def _recordings(self, folder: Path | None) -> tuple[Any, list[Any]]:
        entry = registry.find("datasets", self.dataset)
        reader = entry.build(database=entry.name, folder=folder, **self.reader_parameters)
        return reader, list(reader.list())

    def _rests(
        self, reader: Any, refs: list[Any], request: Request, n_samples: int
    ) -> Iterator[tuple[str, str, NDArray[np.float64]] | ItemError]:
        """Yield person, name and rest of the channels that have enough rest, people in turn, as many as requested."""
        queues = {
            person: [ref for ref in refs if ref.subject == person] for person in sorted({r.subject for r in refs})
        }
        waiting: dict[str, list[tuple[str, str, NDArray[np.float64]]]] = {person: [] for person in queues}
        count = 0
        while count < request.n_pieces and (any(queues.values()) or any(waiting.values())):
            before = count
            for person, queue in queues.items():
                while queue and not waiting[person]:
                    try:
                        waiting[person] = self._channels(reader.read(queue.pop(0)), request.fs_hz, n_samples)
                    except ItemError as error:
                        yield error
                if waiting[person] and count < request.n_pieces:
                    yield waiting[person].pop(0)
                    count += 1
            if count == before:
                return

    def _channels(self, recording: Any, fs_hz: float, n_samples: int) -> list[tuple[str, str, NDArray[np.float64]]]:
        """Person, name and rest of each channel of a recording that has enough rest."""
        rests = []
        for row, channel in enumerate(recording.channels):
            idle = channel in recording.idle_channels
            if idle and not self.idle:
                continue
            x = recording.signal[row]
            x = x - x.mean() if idle else joined(x, _rest_mask(recording), recording.fs_hz)
            if dsp.resampled_length(len(x), recording.fs_hz, fs_hz) < n_samples or not np.isfinite(x).all():
                continue
            if np.sqrt(np.mean(x**2)) > self.max_rms_v:
                continue
            name = re.sub(r"[^A-Za-z0-9_-]", "_", f"{recording.subject}_{recording.exercise}_{channel}")
            rests.append((recording.subject, name, dsp.resample(x, recording.fs_hz, fs_hz)))
        return rests


def _piece(rest: tuple[str, str, NDArray[np.float64]] | ItemError, n_samples: int) -> Piece:
    if isinstance(rest, ItemError):
        raise rest
    person, name, samples = rest
    return Piece(samples[:n_samples], name, f"{person}", subtype="rest")


def _rest_mask(recording: Any) -> NDArray[np.bool_]:
    """[T] True where a recording is labelled as rest; False throughout where it has no labels."""
    if recording.label is None:
        return np.zeros(recording.signal.shape[1], np.bool_)
    return np.asarray(recording.label == 0, np.bool_)


def joined(x: NDArray[np.float64], at_rest: NDArray[np.bool_], fs_hz: float) -> NDArray[np.float64]:
    """The rests of one channel, joined: without their ends, and each without its mean.

    A rest that is too short, or has a sample that is not finite, is left out.

    Args:
        x: [T], any unit.
        at_rest: [T].
        fs_hz: sampling rate in hertz.

    Returns:
        [T'] in the unit of `x`; empty where no rest is usable.
    """
    edges = np.flatnonzero(np.diff(np.r_[False, at_rest, False].astype(np.int8)))
    edge, fade, shortest = (round(seconds * fs_hz) for seconds in (EDGE_S, FADE_S, SHORTEST_REST_S))
    rest = np.zeros(0)
    rising = np.sin(np.pi / 2 * (np.arange(fade) + 0.5) / fade)
    for start, stop in zip(edges[::2] + edge, edges[1::2] - edge, strict=True):
        part = x[start:stop]
        if len(part) < max(shortest, 2 * fade) or not np.isfinite(part).all():
            continue
        part = part - part.mean()
        if len(rest):
            seam = rest[-fade:] * rising[::-1] + part[:fade] * rising
            rest = np.concatenate([rest[:-fade], seam, part[fade:]])
        else:
            rest = part
    return rest
