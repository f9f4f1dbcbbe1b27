"""The interface of every denoiser: its input, its promises, its errors."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import InputError, UserError
from cleansemg.denoising.causal import CausalDenoiser
from cleansemg.noise.kinds import BENCHMARK_KINDS
from cleansemg.noise.labels import LabelsLike, NoiseLabels, parse_labels

FloatArray = NDArray[np.floating]


class Denoiser(ABC):
    """Takes noisy surface EMG, returns an estimate of the clean signal.

    A subclass implements `_denoise`; what `denoise` checks around it holds for all. Methods keep the
    scale of their input, do not look at neighbours in the batch, and raise rather than fall back.
    A failure on one signal raises `InputError` or `cleansemg.core.errors.ItemError`; `evaluation` then retries
    the batch signal by signal and records which failed.
    """

    name: str = ""
    tracks: tuple[str, ...] = ("blind",)  # what it may know: "blind", "oracle" or both
    known_kinds: tuple[str, ...] = BENCHMARK_KINDS  # columns of `labels.kinds`; of others, see `NoiseLabels.others`
    needs_labels: bool = False  # cannot work without labels: has no blind track
    sampling_rate_hz: float | None = None  # None: any
    lowest_hz: float | None = None  # knows nothing below: a recording is high-passed there (`OverlapAdd`)
    min_samples: int = 1
    sign_equivariant: bool = False  # promises denoise(-x) = -denoise(x)
    scale_tolerance: float = 1e-5  # how far denoise(a x) / a may be from denoise(x), of its RMS

    def denoise(self, noisy: FloatArray, fs_hz: float, labels: LabelsLike | None = None) -> NDArray[np.float32]:
        """Denoise a batch.

        Args:
            noisy: [n, L] or [L], any unit, finite.
            fs_hz: sampling rate in Hz.
            labels: the kinds of noise of each signal (the oracle track): one text as "PLI+ECG" or set
                of kinds a signal, or `NoiseLabels`; None on the blind track.

        Returns:
            The estimate, float32, in the shape and unit of `noisy`.

        Raises:
            InputError: wrong shape, not finite, fewer samples than `shortest`, of another rate.
            UserError: labels missing where they are needed, unknown, or not one a signal.
        """
        batch = self._checked(noisy, fs_hz)
        if labels is None and self.needs_labels:
            raise UserError(f"denoiser '{self.name}' needs labels: the kinds of noise in each signal")
        if labels is not None and "oracle" not in self.tracks:
            raise UserError(f"denoiser '{self.name}' has no oracle track; call it without labels")
        parsed = None if labels is None else parse_labels(labels, len(batch)).for_kinds(self.known_kinds)
        estimate = np.asarray(self._denoise(batch, float(fs_hz), parsed), np.float32)
        if estimate.shape != batch.shape:
            raise RuntimeError(f"denoiser '{self.name}' returned shape {estimate.shape} for {batch.shape}")
        if not np.isfinite(estimate).all():
            raise RuntimeError(f"denoiser '{self.name}' returned values that are not finite")
        return estimate.reshape(np.shape(noisy))

    @abstractmethod
    def _denoise(self, noisy: NDArray[np.float64], fs_hz: float, labels: NoiseLabels | None) -> FloatArray:
        """[n, L] float64, checked -> [n, L]."""

    def shortest(self, fs_hz: float) -> int:
        """How many samples a signal has at least.

        Raises:
            InputError: not a sampling rate, or not the denoiser's.
        """
        if not np.isfinite(fs_hz) or fs_hz <= 0:
            raise InputError(f"fs_hz must be a positive number of Hz, got {fs_hz!r}")
        if self.sampling_rate_hz is not None and fs_hz != self.sampling_rate_hz:
            raise InputError(f"'{self.name}' works at {self.sampling_rate_hz:g} Hz, got {fs_hz:g} Hz; resample first")
        return self.min_samples

    def causal(self, fs_hz: float, n_channels: int) -> CausalDenoiser | None:
        """The form of this denoiser that looks at the past alone, sample by sample; None where it has none.

        Raises:
            InputError: a rate or a number of channels that it refuses.
        """
        return None

    def _checked(self, noisy: FloatArray, fs_hz: float) -> NDArray[np.float64]:
        """[n, L] or [L] -> [n, L] float64; raises InputError where it is not that, not finite or too short."""
        array = np.asarray(noisy)
        if array.dtype.kind not in "fiu":
            raise InputError(f"expected real numbers, got an array of {array.dtype}")
        if array.ndim not in (1, 2) or array.size == 0:
            raise InputError(f"expected signals as [n, L] or [L], got shape {array.shape}")
        batch = np.atleast_2d(array).astype(np.float64)
        finite = np.isfinite(batch).all(axis=1)
        if not finite.all():
            row = int(np.argmin(finite))
            sample = int(np.argmin(np.isfinite(batch[row])))
            raise InputError(f"signal {row} is not finite at sample {sample}")
        least = self.shortest(fs_hz)
        if batch.shape[1] < least:
            at_rate = "" if least == self.min_samples else f" at {fs_hz:g} Hz"
            raise InputError(f"'{self.name}' needs {least} samples{at_rate}, got {batch.shape[1]}")
        return batch
