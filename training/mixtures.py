"""Mixtures for training, made while the network trains, and the fixed mixtures for validation.

Protocol A6: the total SNR is drawn uniformly, the number of kinds from 1 to the number of kinds in the library (5 in
the benchmark), and noise is scaled to the exact SNR. The draws of a mixture are keyed by its segment and the number of
earlier passes over the segments. So all models train on the same mixtures, independent of batch size, number of
processes and shards. A training seed (`train.seeds`) keys the draws and the order of training mixtures; those of
validation are keyed by the run's seed, so that fits with different seeds are judged on the same ones.

With `train.fixed`, the mixtures are those of `fixed_mixtures`; an epoch uses them in random order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.artifact import Artifact
from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.even_rows import starts_of_parts
from cleansemg.core.layout import Layout
from cleansemg.core.seeding import generator
from cleansemg.denoising.neural import normalise
from cleansemg.noise import pool
from cleansemg.noise.mixing import draw_recipes, mix_recipes
from cleansemg.noise.pool import NoiseLibrary
from cleansemg.training.batches import Batch, Share, split
from cleansemg.training.fixed_mixtures import FixedSet
from cleansemg.training.segments import Segments

if TYPE_CHECKING:
    from cleansemg.settings import Settings

CURVE_BATCH = 16


class Mixtures:
    """Batches for `cleansemg.training.loop`.

    Attributes:
        n_train: number of mixtures per epoch.
        n_valid: number of validation mixtures.
        section: the settings that determine the mixtures.
        inputs: fingerprints of segments and noise.
    """

    def __init__(
        self,
        train: Segments,
        valid: Segments,
        noise: dict[str, NoiseLibrary],
        settings: Settings,
        clip: bool,
        seed: int | None = None,
    ) -> None:
        """Prefer `open`, which also checks that training and validation are disjoint."""
        wanted = settings.train
        self._train, self._valid, self._noise = train, valid, noise
        self._seed = {"train": settings.seed if seed is None else seed, "valid": settings.seed}
        self._snr_db, self._clip = wanted.snr_db, clip
        self._floor_db = settings.mix.wgn_floor_db
        self._fixed: dict[str, FixedSet] = {}
        if wanted.fixed is not None:
            for part, segments in (("train", train), ("valid", valid)):
                self._fixed[part] = FixedSet(part, segments, noise[part], settings)
        self._n = {"train": len(self._fixed.get("train", train)), "valid": len(self._fixed.get("valid", valid))}
        self._valid_rows = starts_of_parts(self._n["valid"], wanted.valid_mixtures)
        self.n_train = self._n["train"] if wanted.mixtures_per_epoch is None else wanted.mixtures_per_epoch
        self.n_valid = len(self._valid_rows)
        self.section: dict[str, Any] = {
            "snr_db": list(wanted.snr_db),
            "mixtures_per_epoch": wanted.mixtures_per_epoch,
            "valid_mixtures": wanted.valid_mixtures,
            "wgn_floor_db": self._floor_db,
            "clip": clip,
            **({} if wanted.fixed is None else {"fixed": wanted.fixed.model_dump(mode="json")}),
            **({} if seed in (None, settings.seed) else {"valid_seed": settings.seed}),
        }
        self.inputs = {
            "segments/train": train.fingerprint,
            "segments/valid": valid.fingerprint,
            "noise/train": noise["train"].fingerprint,
            "noise/valid": noise["valid"].fingerprint,
        }

    @classmethod
    def open(cls, settings: Settings, layout: Layout, clip: bool, seed: int | None = None) -> Mixtures:
        """Open the mixtures of a configuration; `seed` is the training seed, None: the run's.

        Raises:
            ArtifactError: segments or noise are missing; the message says what to run.
            UserError: training and validation share a subject or a noise record (allowed with `protocol: published` and
                labelled in the tables), or a number of mixtures or the range of SNR is invalid.
        """
        wanted = settings.train
        for key, count in (
            ("mixtures_per_epoch", wanted.mixtures_per_epoch),
            ("valid_mixtures", wanted.valid_mixtures),
        ):
            if count is not None and count < 1:
                raise UserError(f"{settings.config_file}: train.{key} must be at least 1, got {count}")
        if not wanted.snr_db[0] <= wanted.snr_db[1]:
            raise UserError(f"{settings.config_file}: train.snr_db: {wanted.snr_db} is not low, high")
        train, valid = Segments(layout.segments("train")), Segments(layout.segments("valid"))
        if settings.protocol == "disjoint":
            require_disjoint("subject", set(train.subjects), set(valid.subjects), "split")
            require_disjoint("noise record", _records(layout, "train"), _records(layout, "valid"), "noise")
        noise = {part: NoiseLibrary.open(layout.noise(part)) for part in ("train", "valid")}
        return cls(train, valid, noise, settings, clip, seed)

    def train(self, epoch: int, batch_size: int, share: Share) -> Iterator[Batch]:
        """Yield the batches of an epoch (from 0); see `Source.train`."""
        rows, passes = self.epoch_rows(epoch)
        for batch in split(np.arange(len(rows)), batch_size, share, even=True):
            if self._fixed:
                yield self._scaled(*self._fixed["train"].mix(rows[batch]), self._clip)
                continue
            names: list[tuple[str | int, ...]] = [
                ("train", int(passes[i]), str(self._train.ids[rows[i]])) for i in batch
            ]
            yield self._mix(self._train, rows[batch], self._noise["train"], names, self._clip)

    def valid(self, batch_size: int, share: Share) -> Iterator[Batch]:
        """Yield the validation batches, the same in every epoch."""
        for batch in split(self._valid_rows, batch_size, share, even=False):
            yield self._valid_batch(batch, self._clip)

    def _valid_batch(self, rows: NDArray[np.int64], clip: bool) -> Batch:
        if self._fixed:
            return self._scaled(*self._fixed["valid"].mix(rows), clip)
        names: list[tuple[str | int, ...]] = [("valid", str(self._valid.ids[row])) for row in rows]
        return self._mix(self._valid, rows, self._noise["valid"], names, clip)

    def curve(self, at_most: int) -> list[Batch]:
        """Validation mixtures for the learning curve, evenly spread, scaled and never clipped; [] for `at_most` 0."""
        rows = self._valid_rows[starts_of_parts(len(self._valid_rows), min(at_most, len(self._valid_rows)))]
        chunks = [rows[start : start + CURVE_BATCH] for start in range(0, len(rows), CURVE_BATCH)]
        return [self._valid_batch(chunk, clip=False) for chunk in chunks]

    def epoch_rows(self, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows [n_train] of an epoch in order, and the pass over the segments that each row belongs to [n_train].

        Passes follow one another without a gap, each in another permutation; an epoch uses the next `n_train` rows. By
        default an epoch is exactly one pass.
        """
        n = self._n["train"]
        position = np.arange(epoch * self.n_train, (epoch + 1) * self.n_train)
        passes = position // n
        rows = np.empty(len(position), np.int64)
        for number in np.unique(passes):
            order = generator(self._seed["train"], "train", "order", int(number)).permutation(n)
            rows[passes == number] = order[position[passes == number] % n]
        return rows, passes

    def _mix(
        self,
        segments: Segments,
        rows: NDArray[np.int64],
        library: NoiseLibrary,
        names: list[tuple[str | int, ...]],
        clip: bool,
    ) -> Batch:
        clean = segments.signals(rows)  # [n, L] volts
        draws = [generator(self._seed[str(name[0])], "mixture", *name) for name in names]
        snr_db = np.array([draw.uniform(*self._snr_db) for draw in draws])
        n_kinds = np.array([int(draw.integers(1, len(library.kinds), endpoint=True)) for draw in draws])
        recipe = draw_recipes(draws, snr_db, n_kinds, library, segments.length, self._floor_db)
        ids = segments.ids[rows]
        try:
            noisy, _ = mix_recipes(clean, recipe, library, snr_db, "exact", self._floor_db, ids)
        except ItemError as error:
            raise UserError(f"{segments.folder}, {library.folder}: {error}; take it out and make them again") from error
        return self._scaled(noisy, clean, clip)

    def _scaled(self, noisy: NDArray[np.float32], clean: NDArray[np.float32], clip: bool) -> Batch:
        scaled_noisy, scaled_clean, _ = normalise(noisy, clean, clip)
        return Batch(scaled_noisy, scaled_clean)


def require_disjoint(what: str, train: set[str], valid: set[str], setting: str) -> None:
    """Raise UserError if two parts share an item; the message names the first three."""
    shared = sorted(train & valid)
    if shared:
        more = f" and {len(shared) - 3} more" if len(shared) > 3 else ""
        raise UserError(
            f"training and validation share {len(shared)} {what}(s): {', '.join(shared[:3])}{more}; "
            f"selecting a model on them would leak, mend '{setting}' in the configuration"
        )


def _records(layout: Layout, part: str) -> set[str]:
    """The records that the pieces of a noise library come from, as shard/record; raises UserError if there are none."""
    library = Artifact.open(layout.noise(part), pool.SCHEMA)
    known = {f"{shard.name}/{record}" for shard, arrays in library for record in arrays["record"]}
    if not known:
        raise UserError(f"{layout.noise(part)}: holds no noise; see noise.kinds in the configuration")
    return known
