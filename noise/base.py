"""The interface of every noise source: it yields pieces of one kind of noise at the library's rate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.settings import Part


@dataclass(frozen=True)
class Piece:
    """One stretch of noise.

    Attributes:
        samples: [T] float64, any unit, before the library's common band-pass.
        name: unique in its library, e.g. "PLI_003" or "16265_h07".
        record: the origin; records of train, valid and test are disjoint. For a recording, its name and,
            where one record serves several parts, the stretch ("em@0-471s"); for a
            draw, the name of the draw.
        subtype: e.g. "pink"; "" where there is none.
        line_hz: the power-line frequency in hertz; NaN for other kinds.
    """

    samples: NDArray[np.float64]
    name: str
    record: str
    subtype: str = ""
    line_hz: float = float("nan")


@dataclass(frozen=True)
class Request:
    """A library's request to a source: the part, number, rate and length of the pieces, seed and folder."""

    part: Part
    n_pieces: int
    fs_hz: float
    piece_s: float
    seed: int
    folder: Path | None  # folder of the recordings; None for generated noise

    @property
    def piece_samples(self) -> int:
        return round(self.piece_s * self.fs_hz)


class NoiseSource(ABC):
    """Yields pieces of noise; the same request gives the same pieces."""

    kind: ClassVar[str] = ""  # kind of its pieces: PLI, ECG, MOA, WGN, Color, or another one
    needs_folder: ClassVar[bool] = False

    @abstractmethod
    def pieces(self, request: Request) -> Iterator[Piece]:
        """Yield `request.n_pieces` pieces of `request.piece_samples` samples; recordings may give fewer or shorter.

        A source that reads files returns an iterator that can continue after an `ItemError` (`map`, not a
        generator function), so that one broken record does not affect the others.

        Raises:
            UserError: the folder is absent, empty or holds nothing usable; the message names it.
            ItemError: one record is broken; the message names it.
        """

    def inputs(self, folder: Path | None) -> dict[str, str]:
        """Fingerprints of the files that the source reads, by name; empty for generated noise."""
        return {}
