"""Mixtures that are the same in every epoch: each segment at each SNR with several noise files, optionally in frames.

They are the training sets of the ECG-removal and TrustEMG protocols (spec B, C, D). A mixture is numbered by segment,
SNR, draw and frame. Its random draws are keyed only by part, segment, SNR and draw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.seeding import generator
from cleansemg.noise.files import NoiseFiles
from cleansemg.noise.mixing import mix_recipes
from cleansemg.noise.pool import NoiseLibrary
from cleansemg.training.segments import Segments
from cleansemg.training.settings import FixedMixtures

if TYPE_CHECKING:
    from cleansemg.settings import Settings


class FixedSet:
    """The mixtures of one part; `len` is their number."""

    def __init__(self, part: str, segments: Segments, library: NoiseLibrary, settings: Settings) -> None:
        """Number the mixtures.

        Args:
            part: "train" or "valid".
            segments: the clean segments.
            library: the noise of that part.
            settings: the configuration; `train.fixed` must be set.

        Raises:
            ValueError: `train.fixed` is not set.
            UserError: fewer noise files than draws, frames that do not fit, or no number of draws for the part.
        """
        fixed = settings.train.fixed
        if fixed is None:
            raise ValueError("train.fixed is not set")
        self._part, self._segments, self._library = part, segments, library
        self._seed, self._floor_db = settings.seed, settings.mix.wgn_floor_db
        self._snr_db = np.array(fixed.snr_db)
        self._draws = _draws(fixed, part)
        counts = fixed.valid_files if part == "valid" and fixed.valid_files is not None else fixed.files
        self._files = NoiseFiles(counts, library, "train.fixed.files")
        self._files.require(self._draws, f"train.fixed.draws.{part}")
        self._frame = fixed.frame_samples or segments.length
        if not 0 < self._frame <= segments.length:
            raise UserError(f"train.fixed.frame_samples: {self._frame}, but segments have {segments.length} samples")
        self._shape = (len(segments), len(self._snr_db), self._draws, segments.length // self._frame)

    def __len__(self) -> int:
        return int(np.prod(self._shape))

    def mix(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Make the mixtures with the given numbers.

        Args:
            numbers: [n] numbers of mixtures.

        Returns:
            noisy and clean, [n, frame] each, in the unit of the segments (V). The SNR refers to the whole segment.

        Raises:
            UserError: a segment or its noise is silent or not finite.
        """
        row, snr, draw, frame = np.unravel_index(numbers, self._shape)
        ids = self._segments.ids[row]
        snr_db = self._snr_db[snr]
        names = [("mixture", self._part, str(i), float(x)) for i, x in zip(ids, snr_db, strict=True)]
        files = [
            self._files.choose(generator(self._seed, *name, "files"), self._draws)[d]
            for name, d in zip(names, draw, strict=True)
        ]
        draws = [generator(self._seed, *name, "draw", int(d)) for name, d in zip(names, draw, strict=True)]
        recipe = self._files.recipes(draws, np.array(files, np.int64), self._segments.length)
        clean = self._segments.signals(row)
        try:
            noisy, _ = mix_recipes(clean, recipe, self._library, snr_db, "exact", self._floor_db, ids)
        except ItemError as error:
            raise UserError(
                f"{self._segments.folder}, {self._library.folder}: {error}; take it out and make them again"
            ) from error
        at = frame[:, None] * self._frame + np.arange(self._frame)
        return np.take_along_axis(noisy, at, axis=1), np.take_along_axis(clean, at, axis=1)


def _draws(fixed: FixedMixtures, part: str) -> int:
    for name, count in fixed.draws.items():
        if name == part:
            return count
    raise UserError(f"train.fixed.draws: has no number for {part}")
