"""Random draws of mixtures for quality models: excerpts of clean segments with noise at an exact SNR (protocol A6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.seeding import Name, generator
from cleansemg.noise.mixing import Recipe, draw_recipes
from cleansemg.noise.pool import NoiseLibrary
from cleansemg.training.segments import Segments

if TYPE_CHECKING:
    from cleansemg.settings import Settings


@dataclass(frozen=True)
class Draws:
    """All draws of mixtures of one length; only the gains are not included.

    Attributes:
        start: [n] first sample of the excerpt in its segment.
        n_samples: length of every mixture, samples.
        snr_db: [n] total SNR over the excerpt, dB.
        recipe: kinds, pieces and offsets of the noise.
    """

    start: NDArray[np.int64]
    n_samples: int
    snr_db: NDArray[np.float64]
    recipe: Recipe


def draw(
    names: Sequence[tuple[Name, ...]],
    n_samples: int,
    segments: Segments,
    library: NoiseLibrary,
    settings: Settings,
    snr_db: float | None = None,
) -> Draws:
    """Draw excerpt, SNR, kinds and noise of each mixture from a generator keyed by its name.

    Args:
        names: names of the mixtures; with the seed, they key the generators.
        n_samples: length of the mixtures, at most that of the segments.
        segments: the clean segments.
        library: the noise.
        settings: seed, `quality.snr_db` and `mix.wgn_floor_db`.
        snr_db: SNR of all mixtures, dB; None: draw it uniformly.

    Raises:
        UserError: noise pieces are shorter than a mixture, or the library has too few kinds.
    """
    draws = [generator(settings.seed, "quality", *name) for name in names]
    uniform = np.array([rng.random(3) for rng in draws]).reshape(-1, 3)
    room = segments.length - n_samples + 1
    low, high = settings.quality.snr_db
    snr = low + (high - low) * uniform[:, 1] if snr_db is None else np.full(len(draws), float(snr_db))
    kinds, floor_db = kinds_and_floor(library, settings)
    n_kinds = 1 + (uniform[:, 2] * len(kinds)).astype(np.int64)
    recipe = draw_recipes(draws, snr, n_kinds, library, n_samples, floor_db, kinds=kinds)
    return Draws((uniform[:, 0] * room).astype(np.int64), n_samples, snr, recipe)


def kinds_and_floor(library: NoiseLibrary, settings: Settings) -> tuple[tuple[str, ...], float | None]:
    """The kinds of a library that mixtures draw from (those that `mix.kinds` has), and the floor of white noise.

    Where white noise is all there is, it has no floor: nothing else could be drawn below it.
    """
    wanted = settings.mix.kinds
    kinds = tuple(kind for kind in library.kinds if wanted is None or kind in wanted)
    return kinds, None if kinds == ("WGN",) else settings.mix.wgn_floor_db


def excerpts(
    segments: Segments, rows: NDArray[np.int64], start: NDArray[np.int64], n_samples: int
) -> NDArray[np.float32]:
    """Read the clean excerpts of some segments: [n, n_samples], V."""
    at = start[:, None] + np.arange(n_samples)
    return np.take_along_axis(segments.signals(rows), at, axis=1)
