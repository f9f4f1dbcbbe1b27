"""SDEMG: a diffusion model that samples the clean EMG conditional on the contaminated EMG; 1,233,857 parameters.

Source: Liu et al., "SDEMG: Score-based Diffusion Model for Surface Electromyographic Signal Denoising", ICASSP
2024; the count is that of Table II of the MSEMG paper. With c = 64 features, x_t the state of the diffusion
(`diffusion.py`), y the contaminated signal and n the noise level:

    stem        convolution 1 -> c, kernel 9; leaky ReLU: one for x_t, one for y                 2 x 640
    streams     HNF blocks (see `hnf.py`) of dilations 1, 2, 4, 2, 1: five for x_t, five for y   10 x 106,688
    bridges     five, from the stream of x_t to that of y, modulated by n                        5 x 33,024
    output      convolution c -> 1, kernel 9, of the stream of y: the noise in x_t               577

The five bridges follow the stem and the first four blocks, so the fifth block of either stream is never run; the
published count includes both. Module names are those of the published checkpoints.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from cleansemg.core.errors import UserError
from cleansemg.core.seeding import generator
from cleansemg.denoising.networks.diffusion import Sampling, diffuse, draw_levels, noise_levels, sample
from cleansemg.denoising.networks.hnf import SLOPE, HNFBlock, ReflectConv1d
from cleansemg.denoising.neural import NeuralDenoiser

KERNEL = 9
BRIDGE_KERNEL = 3
DILATIONS = (1, 2, 4, 2, 1)
N_BRIDGES = 5
SLOWEST = 1e4  # the embedding's angular frequencies fall from 1 to about 1 / SLOWEST

LAST_BLOCKS = ("model.stream_x.5.", "model.stream_cond.5.")
SCHEDULE = (
    "betas", "alphas_cumprod", "alphas_cumprod_prev", "sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod",
    "log_one_minus_alphas_cumprod", "sqrt_recip_alphas_cumprod", "sqrt_recipm1_alphas_cumprod", "posterior_variance",
    "posterior_log_variance_clipped", "posterior_mean_coef1", "posterior_mean_coef2",
)  # fmt: skip
SAME_BETA = 1e-5


@dataclass(frozen=True)
class SDEMGSize(Sampling):
    """Hyper-parameters of the network, then flags; the defaults are the published network's.

    The fields of `Sampling` are parameters of the denoiser, too; they do not affect the weights.

    Raises:
        UserError: a value out of range.
    """

    features: int = 64  # c, a multiple of 4
    steps_trained: int = 50  # T
    unused_last_block: bool = True  # build the two blocks that are never run
    shared_bridge: bool = False  # one bridge used five times, as in the published weights
    wrapped_level: bool = False  # the public code's draw of training levels, see `draw_levels`

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.features < 4 or self.features % 4:
            raise UserError(f"'sdemg': features is {self.features}, it must be a multiple of 4")
        if self.steps_trained < 2:
            raise UserError(f"'sdemg': steps_trained is {self.steps_trained}, at least 2")


def embed_level(level: torch.Tensor, width: int) -> torch.Tensor:
    """Sines and cosines of a noise level at width/2 frequencies: [n] -> [n, width]."""
    half = width // 2
    frequency = torch.exp(torch.arange(half, device=level.device) * (-math.log(SLOWEST) / half))
    phase = level.float().unsqueeze(1) * frequency  # [n, width / 2]
    return torch.cat([phase.sin(), phase.cos()], dim=1)


class LevelGain(nn.Module):
    """Gain and offset of each channel, linear in the embedding of the level (FiLM): [n, c, L], [n, c] -> [n, c, L]."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.noise_func = nn.Linear(features, 2 * features)

    def forward(self, x: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        gain, offset = self.noise_func(embedding).unsqueeze(2).chunk(2, dim=1)  # [n, c, 1] each
        y: torch.Tensor = (1 + gain) * x + offset
        return y


class Bridge(nn.Module):
    """Link from the stream of x_t to that of y: [n, c, L] and the embedding [n, c] -> [n, c, L]."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.encoding = LevelGain(features)
        self.input_conv = ReflectConv1d(features, features, BRIDGE_KERNEL)
        self.output_conv = ReflectConv1d(features, features, BRIDGE_KERNEL)

    def forward(self, x: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.output_conv(self.encoding(self.input_conv(x), embedding))
        return y


class NoisePredictor(nn.Module):
    """The network eps(x_t, y, n), which predicts the noise in x_t."""

    def __init__(self, size: SDEMGSize) -> None:
        super().__init__()
        self.stream_x = _stream(size)
        self.stream_cond = _stream(size)
        self.bridge = nn.ModuleList([Bridge(size.features) for _ in range(1 if size.shared_bridge else N_BRIDGES)])
        self.conv_out = ReflectConv1d(size.features, 1, KERNEL)
        self.features = size.features

    def condition(self, noisy: torch.Tensor) -> torch.Tensor:
        """Compute the part that depends only on y and is the same at every step: [n, L] -> [n, c, L]."""
        stem: torch.Tensor = self.stream_cond[0](noisy.unsqueeze(1))
        return stem

    def forward(self, x: torch.Tensor, condition: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        """x_t [n, L] or [1, L], the condition [n, c, L] and the levels [n] -> the noise [n, L]."""
        embedding = embed_level(level, self.features)  # [n, c]
        x, c = x.unsqueeze(1), condition
        for i in range(N_BRIDGES):
            x = self.stream_x[i](x)
            c = (self.stream_cond[i](c) if i else c) + self.bridge[i % len(self.bridge)](x, embedding)
        output: torch.Tensor = self.conv_out(c)  # [n, 1, L]
        return output.squeeze(1)


def sign_digest(signal: NDArray[np.float32]) -> str:
    """A hash that names the noise of a signal [L]: of its length and of where it is above zero.

    Signs do not change where a signal comes in another unit and is rounded differently, as all other digits do. So a
    signal has the same noise in every unit and in every batch, and other signals have other noise.
    """
    return hashlib.blake2b(np.packbits(signal > 0).tobytes() + str(len(signal)).encode(), digest_size=16).hexdigest()


class SDEMGNetwork(nn.Module):
    """[n, L] -> [n, L], L at least 29: samples from the distribution of the clean signal given y.

    The attribute `sampling` may be replaced at any time.
    """

    levels: torch.Tensor

    def __init__(self, size: SDEMGSize) -> None:
        super().__init__()
        self.model = NoisePredictor(size)
        self.sampling: Sampling = size
        self.wrapped_level = size.wrapped_level
        levels = noise_levels(size.steps_trained)
        self._levels = levels.tolist()
        self.register_buffer("levels", levels.float(), persistent=False)

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        """Return the mean of `sampling.samples` draws [n, L]; a result does not depend on the rest of the batch."""
        condition = self.model.condition(noisy)  # [n, c, L]

        def predict(x: torch.Tensor, level: float) -> torch.Tensor:
            eps: torch.Tensor = self.model(x, condition, noisy.new_full((len(noisy),), level))
            return eps

        digests = [sign_digest(row) for row in noisy.cpu().numpy()]
        total = torch.zeros_like(noisy)
        for i in range(self.sampling.samples):
            streams = [generator(self.sampling.seed, "sdemg", i, digest) for digest in digests]

            def draw() -> torch.Tensor:
                rows = [rng.standard_normal(noisy.shape[1], "float32") for rng in streams]  # noqa: B023 - used at once
                return torch.from_numpy(np.stack(rows)).to(noisy)

            total += sample(predict, draw, self._levels, self.sampling)
        return total / self.sampling.samples

    def quick_estimate(self, noisy: torch.Tensor) -> torch.Tensor:
        """One draw of the fast sampler, [n, L] -> [n, L]: what a learning curve can afford after every epoch."""
        sampling = self.sampling
        self.sampling = replace(sampling, sampler="fast", samples=1)
        try:
            estimate: torch.Tensor = self(noisy)
        finally:
            self.sampling = sampling
        return estimate

    def training_loss(self, noisy: torch.Tensor, clean: torch.Tensor) -> torch.Tensor:
        """Return the mean squared error of the predicted noise at random levels; DDPM, equation 14.

        Args:
            noisy: [n, L], scaled.
            clean: [n, L], scaled, within [-1, 1].

        Returns:
            A scalar; levels and noise are drawn from torch's generator.
        """
        level = draw_levels(self.levels, len(clean), self.wrapped_level)  # [n]
        noise = torch.randn_like(clean)
        predicted = self.model(diffuse(clean, level, noise), self.model.condition(noisy), level)
        return functional.mse_loss(predicted, noise)


def _stream(size: SDEMGSize) -> nn.ModuleList:
    stem = nn.Sequential(ReflectConv1d(1, size.features, KERNEL), nn.LeakyReLU(SLOPE))
    dilations = DILATIONS if size.unused_last_block else DILATIONS[:-1]
    return nn.ModuleList([stem, *(HNFBlock(size.features, dilation) for dilation in dilations)])


class SDEMG(NeuralDenoiser):
    """The denoiser that samples from a conditional diffusion model."""

    name = "sdemg"
    min_samples = 29  # kernel 15 with dilation 4 needs 28 mirrored samples of padding
    Size = SDEMGSize

    def build_network(self, size: SDEMGSize) -> nn.Module:
        return SDEMGNetwork(size)

    @classmethod
    def from_published(cls, state: Mapping[str, torch.Tensor]) -> tuple[dict[str, Any], dict[str, torch.Tensor]] | None:
        """Read `SDEMG_best.pth`: drop the prefix `diffusion.`, read sizes and bridges, set `wrapped_level`, 1 sample.

        A file with five equal bridges has a shared bridge.

        Raises:
            UserError: the schedule in the file is not the cosine one; the weights would be used at wrong levels.
        """
        prefix = "diffusion." if any(name.startswith("diffusion.model.") for name in state) else ""
        tensors = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
        if not any(name.startswith("model.stream_x.") for name in tensors):
            return None
        widths = Counter(
            len(tensor) for name, tensor in tensors.items() if name.endswith(".conv_1.bias") and tensor.dim() == 1
        )
        schedule = {name: tensors.pop(name) for name in SCHEDULE if name in tensors}
        betas = schedule.get("betas")
        if betas is not None:
            _check_schedule(betas)
        shared = _is_shared(tensors)
        if shared:
            tensors = {name: tensor for name, tensor in tensors.items() if _bridge(name) in (None, 0)}
        parameters = {
            "features": widths.most_common(1)[0][0] if widths else SDEMGSize().features,
            "steps_trained": SDEMGSize().steps_trained if betas is None else len(betas),
            "unused_last_block": any(
                name.startswith(("model.stream_x.5.", "model.stream_cond.5.")) for name in tensors
            ),
            "shared_bridge": shared,
            "wrapped_level": True,
            "samples": 1,
        }
        return parameters, tensors


def _check_schedule(betas: torch.Tensor) -> None:
    levels = noise_levels(max(betas.numel(), 1))
    expected = 1 - (levels[1:] / levels[:-1]) ** 2
    difference = (betas.double().flatten() - expected).abs().max().item() if betas.numel() else math.inf
    if betas.dim() != 1 or not difference <= SAME_BETA:
        raise UserError(
            f"'sdemg': betas of the checkpoint are not those of the cosine schedule (they differ by {difference:.2g}); "
            "its weights belong to other noise levels"
        )


def _bridge(name: str) -> int | None:
    """Number of the bridge that a tensor belongs to; None if it belongs to another part."""
    part, _, rest = name.removeprefix("model.").partition(".")
    number = rest.partition(".")[0]
    return int(number) if part == "bridge" and number.isdigit() else None


def _is_shared(tensors: Mapping[str, torch.Tensor]) -> bool:
    """Whether all five bridges equal the first; a file with bridge 0 alone was written by this project."""
    first = {name: tensor for name, tensor in tensors.items() if _bridge(name) == 0}
    others = {_bridge(name) for name in tensors} - {None, 0}
    if not first or (others and others != set(range(1, N_BRIDGES))):
        return False
    for i in others:
        for name, tensor in first.items():
            other = tensors.get(name.replace("bridge.0.", f"bridge.{i}.", 1))
            if other is None or not torch.equal(other, tensor):
                return False
    return True
