"""What all neural denoisers share: the scale a network works in, windows, batches and the device.

Scaling is part of the denoiser, not of the data (published protocol: the input is divided by the 0.99 quantile of
|noisy| and clipped to [-1, 1]; the output is multiplied by the same scale). Training uses the same `normalise`. Before
scaling, the mean of each window is subtracted: training signals are band-passed and have no mean, whereas the offset
of an amplifier would set the scale and reduce the signal to a ripple at the limit.
"""

from __future__ import annotations

import dataclasses
import logging
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cleansemg.core.errors import UserError, did_you_mean
from cleansemg.denoising.base import Denoiser
from cleansemg.noise.labels import NoiseLabels

log = logging.getLogger(__name__)

QUANTILE = 0.99
SMALLEST_SCALE = 1e-6  # share of the peak: a few spikes on zeros have a 0.99 quantile of zero
ROUNDING = 1e-12  # share of the peak: a window with a smaller range is a constant and has no scale
DEVICES = ("auto", "cpu", "cuda")
PUBLISHED_SCALING: dict[str, Any] = {"centre": False}  # parameters of every network of the public code


def quantile_scale(noisy: NDArray[np.floating]) -> NDArray[np.float64]:
    """The divisor of a network's input: the 0.99 quantile of |noisy|.

    It is at least a millionth of the peak, and 1 for an all-zero signal.

    Args:
        noisy: [n, L], any unit.

    Returns:
        [n, 1], in the unit of `noisy`.
    """
    magnitude = np.abs(np.asarray(noisy, np.float64))
    scale = np.quantile(magnitude, QUANTILE, axis=-1, keepdims=True)
    peak = magnitude.max(axis=-1, keepdims=True)
    scale = np.maximum(scale, SMALLEST_SCALE * peak)
    return np.where(peak > 0, scale, 1.0)


def normalise(
    noisy: NDArray[np.floating], clean: NDArray[np.floating], clip: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Input and target of a training step, both divided by the scale of `noisy`.

    Args:
        noisy: [n, L], any unit.
        clean: [n, L], in the unit of `noisy`.
        clip: limit both to [-1, 1], as the published recipe does.

    Returns:
        Scaled noisy [n, L], scaled clean [n, L] and the scale [n, 1], all float32.
    """
    scale = quantile_scale(noisy)
    pair = [np.asarray(signal, np.float64) / scale for signal in (noisy, clean)]
    if clip:
        pair = [np.clip(signal, -1.0, 1.0) for signal in pair]
    return pair[0].astype(np.float32), pair[1].astype(np.float32), scale.astype(np.float32)


class NeuralDenoiser(Denoiser):
    """A network [n, L] -> [n, L] behind the common interface.

    A subclass names a small dataclass of hyper-parameters (`Size`) and builds its network from one;
    weights come from `denoising.load`. A fresh network draws its weights from torch's generator: seed that
    generator for reproducible weights.

    Args of every subclass:
        clip: limit the scaled input to [-1, 1], as in the published training.
        centre: subtract each window's mean first; the output then has no offset. Turn it off to follow the published
            recipe exactly, or for a network that was trained on noise that is not band-passed.
        window_samples: cut the input into windows of this many samples, each with a separate scale; None:
            the whole input is one window. The last window ends with the signal and overlaps the
            one before it.
        batch_size: windows in one pass. With 1, the output of a signal cannot depend on the other signals
            or on their number; larger batches may change the last digits (see docs/denoisers.md).
        device: "auto" (CUDA where available), "cpu" or "cuda".
        size: the fields of `Size`.
    """

    sampling_rate_hz = 1000.0
    lowest_hz = 20.0  # lower band edge of the training signals
    scale_tolerance = 1e-4  # float32 inside: the scaled input rounds differently in another unit
    Size: ClassVar[type[Any]]

    def __init__(
        self,
        *,
        clip: bool = True,
        centre: bool = True,
        window_samples: int | None = None,
        batch_size: int = 1,
        device: str = "auto",
        **size: Any,
    ) -> None:
        if window_samples is not None and window_samples < self.min_samples:
            raise UserError(f"'{self.name}': window_samples is {window_samples}, at least {self.min_samples}")
        if batch_size != int(batch_size) or batch_size < 1:
            raise UserError(f"'{self.name}': batch_size is {batch_size}, at least 1")
        fields = [field.name for field in dataclasses.fields(self.Size)]
        for key in size:
            if key not in fields:
                options = ["clip", "centre", "window_samples", "batch_size", "device", *fields]
                raise UserError(f"denoiser '{self.name}': unknown parameter '{key}'{did_you_mean(key, options)}")
        self.clip = clip
        self.centre = centre
        self.window_samples = window_samples
        self.batch_size = batch_size
        self.device = _device(device)
        self._network = self.build_network(self.Size(**size)).to(self.device)

    @abstractmethod
    def build_network(self, size: Any) -> nn.Module:
        """Build a fresh network of the given size, [n, L] -> [n, L] in scaled units.

        A network that is not trained by comparing its output with the clean signal (a diffusion model) also
        has `training_loss(noisy, clean) -> scalar`, both [n, L] in scaled units, which draws from torch's generator.
        """

    @classmethod
    def from_published(
        cls,
        state: Mapping[str, torch.Tensor],  # noqa: ARG003 - for subclasses
    ) -> tuple[dict[str, Any], dict[str, torch.Tensor]] | None:
        """Convert a checkpoint of the public implementation.

        Args:
            state: tensors under the names that the public code gives them.

        Returns:
            The parameters to build the denoiser with (the size follows from the shapes; peculiarities of the public
            code are on) and the tensors under the names of this project's network; None where the names are not the
            public ones. Names without a counterpart are returned unchanged, so that the error names them. The caller
            adds `PUBLISHED_SCALING`.
        """
        return None

    @property
    def network(self) -> nn.Module:
        """The network, for training and inspection."""
        return self._network

    def _denoise(self, noisy: NDArray[np.float64], fs_hz: float, labels: NoiseLabels | None) -> NDArray[np.float32]:
        self._network.to(self.device).eval()
        estimate = np.empty(noisy.shape, np.float32)
        for start, keep in self._windows(noisy.shape[1]):
            window = noisy[:, start:] if self.window_samples is None else noisy[:, start : start + self.window_samples]
            estimate[:, start + keep : start + window.shape[1]] = self._denoise_window(window)[:, keep:]
        return estimate

    def _windows(self, n_samples: int) -> Iterator[tuple[int, int]]:
        """Start of each window, and how many of its first samples the window before has already denoised."""
        width = self.window_samples
        if width is None or width >= n_samples:
            yield 0, 0
            return
        for start in range(0, n_samples - width + 1, width):
            yield start, 0
        rest = n_samples % width
        if rest:
            yield n_samples - width, width - rest

    def _denoise_window(self, noisy: NDArray[np.float64]) -> NDArray[np.float64]:
        """[n, W] -> [n, W]."""
        silent = ~noisy.any(axis=1)
        if self.centre:
            silent = np.ptp(noisy, axis=1) <= ROUNDING * np.abs(noisy).max(axis=1)
            noisy = noisy - noisy.mean(axis=1, keepdims=True)
        scaled, _, _ = normalise(noisy, noisy, self.clip)
        outputs = [self._run(scaled[i : i + self.batch_size]) for i in range(0, len(scaled), self.batch_size)]
        estimate = np.concatenate(outputs).astype(np.float64) * quantile_scale(noisy)
        # a network's output for silence comes from its biases alone
        estimate[silent] = 0.0
        return estimate

    def _run(self, scaled: NDArray[np.float32]) -> NDArray[np.float32]:
        # TF32 and autotuned kernels would make the digits depend on the card and on what ran before
        exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
        with torch.inference_mode(), exact:
            output: NDArray[np.float32] = self._network(torch.from_numpy(scaled).to(self.device)).cpu().numpy()
        return output


def _device(name: str) -> torch.device:
    if name not in DEVICES:
        raise UserError(f"device is '{name}'{did_you_mean(name, DEVICES)}")
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device is 'cuda', but torch finds none here; use device=cpu or device=auto")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
