"""Baseline noise cut out of recordings of people at rest: stretches that a data set labels as rest, and idle channels.

A channel is *idle* in a recording that a data set made of another muscle (`Recording.idle_channels`); it may hold some
crosstalk of that muscle. Readers are entries of configs/datasets/ and are opened by name, as the room of the data sets
lies above this one.
"""

from __future__ import annotations

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
SHORTEST_REST_S = 0.5  # what is left of one
FADE_S = 0.05  # over which two rests of a channel are joined


class RestRecordings(NoiseSource):
    """A piece is one channel of one recording: its rests, joined, as long as a piece or the source's shortest.

    People are dealt to train, valid and test, 60/20/20 and at least one each, by a draw named by them. Channels take
    turns over people, so that few pieces come from many. Two rests are joined over 50 ms by weights whose squares add
    up to 1, which keeps the power of noise.

    Args:
        dataset: an entry of configs/datasets/, or one's own `package.module:Class`.
        reader_parameters: over those of the entry.
        idle: use idle channels, too.
        longest_s: what is used of a channel at most, and how long a piece is at most.
    """

    kind = "baseline"
    needs_folder = True

    def __init__(
        self,
        dataset: str = "DB2",
        reader_parameters: Mapping[str, Any] | None = None,
        idle: bool = True,
        longest_s: float = 20.0,
    ) -> None:
        if longest_s < SHORTEST_PIECE_S:
            raise ValueError(f"longest_s is {longest_s:g}, pieces have {SHORTEST_PIECE_S:g} s at least")
        self.dataset = dataset
        self.reader_parameters = dict(reader_parameters or {})
        self.idle = idle
        self.longest_s = longest_s

    def pieces(self, request: Request) -> Iterator[Piece]:
        """Pieces of the part's people; goes on after an ItemError."""
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
        """Person, name and rest of the channels that have enough, people in turn, as many as asked for."""
        queues = {
            person: [ref for ref in refs if ref.subject == person] for person in sorted({r.subject for r in refs})
        }
        waiting: dict[str, list[tuple[str, str, NDArray[np.float64]]]] = {person: [] for person in queues}
        count = 0
        while count < request.n_pieces and any(queues.values() or waiting.values()):
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
        """Person, name and rest of each channel of a recording that has enough of it."""
        rests = []
        for row, channel in enumerate(recording.channels):
            idle = channel in recording.idle_channels
            if idle and not self.idle:
                continue
            at_rest = np.ones(recording.signal.shape[1], np.bool_) if idle else _rest_mask(recording)
            x = joined(recording.signal[row], at_rest, recording.fs_hz)
            if len(x) / recording.fs_hz * fs_hz < n_samples + 1:
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
    """[T] where a recording is labelled as rest; nowhere in one that has no labels."""
    if recording.label is None:
        return np.zeros(recording.signal.shape[1], np.bool_)
    return np.asarray(recording.label == 0, np.bool_)


def joined(x: NDArray[np.float64], at_rest: NDArray[np.bool_], fs_hz: float) -> NDArray[np.float64]:
    """The rests of one channel, without their ends, each freed of its mean, one after the other.

    Args:
        x: [T].
        at_rest: [T].
        fs_hz: sampling rate.
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
