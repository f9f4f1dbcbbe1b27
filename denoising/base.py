"""The interface of every denoiser: input, output, guarantees and errors."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import InputError, UserError
from cleansemg.denoising.causal import CausalDenoiser
from cleansemg.noise.kinds import BENCHMARK_KINDS
from cleansemg.noise.labels import LabelsLike, NoiseLabels, parse_labels

FloatArray = NDArray[np.floating]

TRACKS = ("blind", "oracle", "published")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")  # results are stored in a folder of this name


class Denoiser(ABC):
    """Estimates the clean signal from noisy surface EMG.

    A subclass implements `_denoise`; `denoise` checks its input and output. Every method preserves the scale of its
    input, treats each signal independently of the others in the batch, and raises an error rather than fall back.
    A failure on one signal raises `InputError` or `cleansemg.core.errors.ItemError`; `evaluation` then retries
    the batch signal by signal and records which failed.
    """

    name: str = ""
    tracks: tuple[str, ...] = ("blind",)  # the tracks that it has, of `TRACKS`
    known_kinds: tuple[str, ...] = BENCHMARK_KINDS  # columns of `labels.kinds`; of others, see `NoiseLabels.others`
    needs_labels: bool = False  # it cannot work without labels and has no blind track
    sampling_rate_hz: float | None = None  # None: any
    lowest_hz: float | None = None  # not made for lower frequencies: `OverlapAdd` high-passes a recording there
    min_samples: int = 1
    sign_equivariant: bool = False  # promises denoise(-x) = -denoise(x)
    scale_tolerance: float = 1e-5  # largest difference of denoise(a x) / a from denoise(x), over its RMS
    uses_quality_network: bool = False  # its output depends on the weights of the quality network

    def denoise(self, noisy: FloatArray, fs_hz: float, labels: LabelsLike | None = None) -> NDArray[np.float32]:
        """Denoise a batch.

        Args:
            noisy: [n, L] or [L], any unit, finite.
            fs_hz: sampling rate in Hz.
            labels: the kinds of noise of each signal (the oracle track): `NoiseLabels`, or for each signal a text
                such as "PLI+ECG" or a set of kinds, or one text for all; None on the blind track.

        Returns:
            The estimate, float32, in the shape and unit of `noisy`.

        Raises:
            InputError: `noisy` has a wrong shape, is not finite or has fewer samples than `shortest`, or the method
                does not work at this rate.
            UserError: labels are missing where they are needed, are given to a method without an oracle track, name
                an unknown kind, or do not number one per signal.
            ItemError: the method failed on a signal.
            RuntimeError: the subclass returned another shape, or values that are not finite.
        """
        batch = self._checked(noisy, fs_hz)
        if labels is None and self.needs_labels:
            raise UserError(f"denoiser '{self.name}' needs labels: the kinds of noise in each signal")
        parsed = None
        if labels is not None:
            parsed = parse_labels(labels, len(batch)).for_kinds(self.known_kinds)
            track = "oracle" if parsed.rule == "evidence" else parsed.rule
            if track not in self.tracks:
                raise UserError(f"denoiser '{self.name}' has no {track} track; call it without labels")
        estimate = np.asarray(self._denoise(batch, float(fs_hz), parsed), np.float32)
        if estimate.shape != batch.shape:
            raise RuntimeError(f"denoiser '{self.name}' returned shape {estimate.shape} for {batch.shape}")
        if not np.isfinite(estimate).all():
            raise RuntimeError(f"denoiser '{self.name}' returned values that are not finite")
        return estimate.reshape(np.shape(noisy))

    @abstractmethod
    def _denoise(self, noisy: NDArray[np.float64], fs_hz: float, labels: NoiseLabels | None) -> FloatArray:
        """Denoise [n, L] float64, checked, to [n, L] in the same unit."""

    def shortest(self, fs_hz: float) -> int:
        """The smallest number of samples that `denoise` accepts at a rate in hertz.

        Raises:
            InputError: `fs_hz` is not a positive number, or not the rate that the denoiser is made for.
        """
        if not np.isfinite(fs_hz) or fs_hz <= 0:
            raise InputError(f"fs_hz must be a positive number of Hz, got {fs_hz!r}")
        if self.sampling_rate_hz is not None and fs_hz != self.sampling_rate_hz:
            raise InputError(f"'{self.name}' works at {self.sampling_rate_hz:g} Hz, got {fs_hz:g} Hz; resample first")
        return self.min_samples

    def causal(self, fs_hz: float, n_channels: int) -> CausalDenoiser | None:
        """The causal form of this denoiser, which uses past samples only; None where it has none.

        Raises:
            InputError: the causal form refuses the rate or the number of channels.
        """
        return None

    def _checked(self, noisy: FloatArray, fs_hz: float) -> NDArray[np.float64]:
        """Convert [n, L] or [L] to [n, L] float64.

        Raises:
            InputError: wrong type or shape, not finite, or too short.
        """
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
