"""Mixtures for training, made while the network works, and the fixed ones that it is validated on.

Protocol A6: a total SNR drawn uniformly, 1 to 5 kinds of noise, mixed exactly. The draw of a mixture is
named by its segment and by how often that segment has been passed before; so all models see the same
mixtures, whatever their batch size, the number of processes, or how the segments lie in shards.

With `train.fixed`, the mixtures are the numbered ones of `fixed_mixtures`; an epoch passes them in random
order.
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


class Mixtures:
    """Batches for `cleansemg.training.loop`.

    Attributes:
        n_train: mixtures an epoch.
        n_valid: validation mixtures.
        section: the settings that decide the mixtures.
        inputs: fingerprints of segments and noise.
    """

    def __init__(
        self, train: Segments, valid: Segments, noise: dict[str, NoiseLibrary], settings: Settings, clip: bool
    ) -> None:
        """Use `open`, which also checks that training and validation share nothing."""
        wanted = settings.train
        self._train, self._valid, self._noise = train, valid, noise
        self._seed, self._snr_db, self._clip = settings.seed, wanted.snr_db, clip
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
        }
        self.inputs = {
            "segments/train": train.fingerprint,
            "segments/valid": valid.fingerprint,
            "noise/train": noise["train"].fingerprint,
            "noise/valid": noise["valid"].fingerprint,
        }

    @classmethod
    def open(cls, settings: Settings, layout: Layout, clip: bool) -> Mixtures:
        """The mixtures of a configuration.

        Raises:
            ArtifactError: segments or noise are missing; the message says what to run.
            UserError: training and validation share a subject or a noise record (allowed, and labelled in the tables,
                with `protocol: published`), or a count or SNR is refused.
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
        return cls(train, valid, noise, settings, clip)

    def train(self, epoch: int, batch_size: int, share: Share) -> Iterator[Batch]:
        """The batches of an epoch (from 0)."""
        rows, passes = self.epoch_rows(epoch)
        for batch in split(np.arange(len(rows)), batch_size, share, even=True):
            if self._fixed:
                yield self._scaled(*self._fixed["train"].mix(rows[batch]))
                continue
            names: list[tuple[str | int, ...]] = [
                ("train", int(passes[i]), str(self._train.ids[rows[i]])) for i in batch
            ]
            yield self._mix(self._train, rows[batch], self._noise["train"], names)

    def valid(self, batch_size: int, share: Share) -> Iterator[Batch]:
        """The validation batches, the same ones every time."""
        for batch in split(self._valid_rows, batch_size, share, even=False):
            if self._fixed:
                yield self._scaled(*self._fixed["valid"].mix(batch))
                continue
            names: list[tuple[str | int, ...]] = [("valid", str(self._valid.ids[row])) for row in batch]
            yield self._mix(self._valid, batch, self._noise["valid"], names)

    def epoch_rows(self, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """[n_train] rows of an epoch in their order, and the pass over the segments that each belongs to.

        Passes follow one another without a gap, each in a permutation of its own; an epoch takes the next
        `n_train` of them. With one epoch a pass, which is the default, the pass is the epoch.
        """
        n = self._n["train"]
        position = np.arange(epoch * self.n_train, (epoch + 1) * self.n_train)
        passes = position // n
        rows = np.empty(len(position), np.int64)
        for number in np.unique(passes):
            order = generator(self._seed, "train", "order", int(number)).permutation(n)
            rows[passes == number] = order[position[passes == number] % n]
        return rows, passes

    def _mix(
        self, segments: Segments, rows: NDArray[np.int64], library: NoiseLibrary, names: list[tuple[str | int, ...]]
    ) -> Batch:
        clean = segments.signals(rows)  # [n, L] volts
        draws = [generator(self._seed, "mixture", *name) for name in names]
        snr_db = np.array([draw.uniform(*self._snr_db) for draw in draws])
        n_kinds = np.array([int(draw.integers(1, len(library.kinds), endpoint=True)) for draw in draws])
        recipe = draw_recipes(draws, snr_db, n_kinds, library, segments.length, self._floor_db)
        ids = segments.ids[rows]
        try:
            noisy, _ = mix_recipes(clean, recipe, library, snr_db, "exact", self._floor_db, ids)
        except ItemError as error:
            raise UserError(f"{segments.folder}, {library.folder}: {error}; take it out and make them again") from error
        return self._scaled(noisy, clean)

    def _scaled(self, noisy: NDArray[np.float32], clean: NDArray[np.float32]) -> Batch:
        scaled_noisy, scaled_clean, _ = normalise(noisy, clean, self._clip)
        return Batch(scaled_noisy, scaled_clean)


def require_disjoint(what: str, train: set[str], valid: set[str], setting: str) -> None:
    """Raise UserError when training and validation share something; names the first few."""
    shared = sorted(train & valid)
    if shared:
        more = f" and {len(shared) - 3} more" if len(shared) > 3 else ""
        raise UserError(
            f"training and validation share {len(shared)} {what}(s): {', '.join(shared[:3])}{more}; "
            f"selecting a model on them would leak, mend '{setting}' in the configuration"
        )


def _records(layout: Layout, part: str) -> set[str]:
    """What the pieces of a noise library come from, as source/record; sources are told apart by their shards."""
    library = Artifact.open(layout.noise(part), pool.SCHEMA)
    known = {f"{shard.name}/{record}" for shard, arrays in library for record in arrays["record"]}
    if not known:
        raise UserError(f"{layout.noise(part)}: holds no noise; see noise.kinds in the configuration")
    return known
