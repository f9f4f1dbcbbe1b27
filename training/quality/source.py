"""Batches for training a quality model: new mixtures in every epoch, or the fixed ones of the published protocol."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.artifact import MANIFEST
from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.layout import Layout
from cleansemg.core.seeding import generator
from cleansemg.noise.mixing import mix_recipes
from cleansemg.noise.pool import NoiseLibrary
from cleansemg.training.batches import Batch, Share, split
from cleansemg.training.quality.drawing import draw, excerpts, kinds_and_floor
from cleansemg.training.quality.mixtures import Mixtures
from cleansemg.training.segments import Segments

if TYPE_CHECKING:
    from cleansemg.settings import Settings

FILTER_ORDER = 4  # of the low-pass on part of the training mixtures


class QualitySource:
    """Batches for `training.loop`: `noisy` holds signals [n, L] in V, `clean` holds targets [n, 1 + K], SNR and kinds.

    New mixtures of one batch have one length, drawn from `quality.lengths_s`. A fraction of them, `clean_share`, has no
    noise (SNR NaN, no kind). A fraction, `band_limited_share`, is filtered by a low-pass, like recordings at low
    sampling rates or from amplifiers with a narrow band. Their target is the SNR after the filter; a mixture whose SNR
    would leave the range `quality.snr_db` stays unfiltered. Validation uses fixed mixtures.

    Attributes:
        n_train, n_valid: number of training mixtures per epoch, and of validation mixtures.
        section: the settings that determine the mixtures.
        inputs: fingerprints of their sources.
    """

    def __init__(self, settings: Settings, layout: Layout) -> None:
        """Open segments, noise and fixed mixtures.

        Raises:
            ArtifactError: an input is missing; the message names the command to run.
        """
        quality = settings.quality
        self._settings = settings
        self._valid = Mixtures(layout, "valid")
        self._fixed: Mixtures | None = None
        self.inputs = {"mixtures/valid": self._valid.manifest.fingerprint}
        if "train" in quality.grid_db:
            self._fixed = Mixtures(layout, "train")
            self.inputs["mixtures/train"] = self._fixed.manifest.fingerprint
        else:
            self._segments = Segments(layout.segments("train"))
            self._library = NoiseLibrary.open(layout.noise("train"))
            self.inputs |= {"segments/train": self._segments.fingerprint, "noise/train": self._library.fingerprint}
        n = len(self._fixed) if self._fixed is not None else len(self._segments)
        self._n = n
        self.n_train = n if quality.train_mixtures is None else quality.train_mixtures
        self.n_valid = len(self._valid)
        self.section: dict[str, Any] = {
            "snr_db": list(quality.snr_db),
            "lengths_s": list(quality.lengths_s),
            "train_mixtures": quality.train_mixtures,
            "clean_share": quality.clean_share,
            "band_limited_share": quality.band_limited_share,
            "band_limits_hz": list(quality.band_limits_hz),
            "wgn_floor_db": settings.mix.wgn_floor_db,
            **({} if settings.mix.kinds is None else {"drawn_kinds": list(settings.mix.kinds)}),
        }

    def train(self, epoch: int, batch_size: int, share: Share) -> Iterator[Batch]:
        """Yield the batches of an epoch (from 0); see `Source.train`."""
        rows, passes = self.epoch_rows(epoch)
        lengths = [round(length * self._settings.segment.fs_hz) for length in self._settings.quality.lengths_s]
        rng = generator(self._settings.seed, "quality", "lengths", epoch)
        for batch in split(np.arange(len(rows)), batch_size, share, even=True):
            n_samples = lengths[int(rng.integers(len(lengths)))]
            if self._fixed is None:
                yield self._mix(rows[batch], passes[batch], n_samples)
                continue
            for numbers in _same_length(rows[batch], self._fixed):
                yield _batch(self._fixed, numbers)

    def valid(self, batch_size: int, share: Share) -> Iterator[Batch]:
        """Yield the validation batches, the same in every epoch."""
        for numbers in self._valid.by_length():
            for batch in split(numbers, batch_size, share, even=False):
                yield _batch(self._valid, batch)

    def epoch_rows(self, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows [n_train] of an epoch in order, and the pass over all rows that each belongs to [n_train]."""
        position = np.arange(epoch * self.n_train, (epoch + 1) * self.n_train)
        passes = position // self._n
        rows = np.empty(len(position), np.int64)
        for number in np.unique(passes):
            order = generator(self._settings.seed, "quality", "order", int(number)).permutation(self._n)
            rows[passes == number] = order[position[passes == number] % self._n]
        return rows, passes

    def _mix(self, rows: NDArray[np.int64], passes: NDArray[np.int64], n_samples: int) -> Batch:
        quality, segments = self._settings.quality, self._segments
        names = [
            ("train", str(segment), int(number)) for segment, number in zip(segments.ids[rows], passes, strict=True)
        ]
        drawn = draw(names, n_samples, segments, self._library, self._settings)
        clean = excerpts(segments, rows, drawn.start, n_samples)
        _, floor_db = kinds_and_floor(self._library, self._settings)
        try:
            noisy, _ = mix_recipes(
                clean, drawn.recipe, self._library, drawn.snr_db, "exact", floor_db, segments.ids[rows]
            )
        except ItemError as error:
            raise UserError(f"{segments.folder}, {self._library.folder}: {error}; take it out") from error
        snr_db, kinds = drawn.snr_db.copy(), drawn.recipe.kinds.copy()
        chance = np.array([generator(self._settings.seed, "quality", "changes", *name).random(3) for name in names])
        alone = chance[:, 0] < quality.clean_share
        noisy[alone], snr_db[alone], kinds[alone] = clean[alone], np.nan, False
        narrow = np.flatnonzero(chance[:, 1] < quality.band_limited_share)
        if narrow.size:
            low, high = np.log(quality.band_limits_hz)
            cutoff_hz = np.exp(low + (high - low) * chance[narrow, 2])
            filtered, snr = band_limit(clean[narrow], noisy[narrow], cutoff_hz, self._settings.segment.fs_hz)
            lowest, highest = quality.snr_db
            in_range = np.isnan(snr) | ((snr >= lowest) & (snr <= highest))  # the others stay unfiltered
            noisy[narrow[in_range]], snr_db[narrow[in_range]] = filtered[in_range], snr[in_range]
        return Batch(noisy, targets(snr_db, kinds))


def targets(snr_db: NDArray[np.float64], kinds: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Targets of a model, [n, 1 + K]: the SNR in dB, then 0 or 1 for each kind."""
    return np.concatenate([snr_db[:, None], kinds], axis=1).astype(np.float32)


def band_limit(
    clean: NDArray[np.float32], noisy: NDArray[np.float32], cutoff_hz: NDArray[np.float64], fs_hz: float
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Filter mixtures with a zero-phase low-pass (the gain of a Butterworth filter of order 4); compute the new SNR.

    Args:
        clean: [n, L] clean signals.
        noisy: [n, L] mixtures, in the unit of `clean`.
        cutoff_hz: [n] cut-off of each mixture, Hz.
        fs_hz: sampling rate, Hz.

    Returns:
        The filtered mixtures [n, L], and their SNR [n] in dB; NaN without noise.
    """
    frequency_hz = np.fft.rfftfreq(clean.shape[1], 1 / fs_hz)
    gain = 1 / np.sqrt(1 + (frequency_hz / cutoff_hz[:, None]) ** (2 * FILTER_ORDER))  # [n, F]
    signal = np.fft.irfft(np.fft.rfft(clean.astype(np.float64)) * gain, clean.shape[1])
    mixed = np.fft.irfft(np.fft.rfft(noisy.astype(np.float64)) * gain, clean.shape[1])
    energy, noise = (signal**2).sum(axis=1), ((mixed - signal) ** 2).sum(axis=1)
    ratio = np.divide(energy, noise, out=np.full(len(energy), np.nan), where=noise > 1e-12 * energy)
    return mixed.astype(np.float32), 10 * np.log10(ratio)


def _same_length(numbers: NDArray[np.int64], fixed: Mixtures) -> Iterator[NDArray[np.int64]]:
    for length in np.unique(fixed.n_samples[numbers]):
        yield numbers[fixed.n_samples[numbers] == length]


def _batch(fixed: Mixtures, numbers: NDArray[np.int64]) -> Batch:
    return Batch(fixed.noisy(numbers), targets(fixed.snr_db[numbers], fixed.kinds[numbers]))


def is_ready(settings: Settings, layout: Layout) -> bool:
    """Whether the results of all steps before the training exist."""
    wanted = [layout.quality_mixtures("valid"), *(layout.quality_mixtures(part) for part in settings.quality.grid_db)]
    wanted += [layout.segments("train"), layout.noise("train")]
    return all((folder / MANIFEST).exists() for folder in wanted)
