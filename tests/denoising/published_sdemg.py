"""The published SDEMG once more, as plain functions of a checkpoint: names, shapes, network and sampler.

Written from a description of its layers under the names of the published checkpoints, without our modules.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch.nn import functional

State = dict[str, torch.Tensor]
T = 50


def published_shapes(c: int) -> dict[str, tuple[int, ...]]:
    convolutions = {"conv_out": (1, c, 9)}
    for stream in ("stream_x", "stream_cond"):
        convolutions[f"{stream}.0.0"] = (c, 1, 9)
        for i in range(1, 6):
            for j, kernel in enumerate((3, 5, 9, 15)):
                convolutions[f"{stream}.{i}.filters.{j}"] = (c // 4, c, kernel)
            convolutions[f"{stream}.{i}.conv_1"] = convolutions[f"{stream}.{i}.conv_2"] = (c, c, 9)
    shapes: dict[str, tuple[int, ...]] = {}
    for i in range(5):
        convolutions[f"bridge.{i}.input_conv"] = convolutions[f"bridge.{i}.output_conv"] = (c, c, 3)
        shapes |= {
            f"bridge.{i}.encoding.noise_func.weight": (2 * c, c),
            f"bridge.{i}.encoding.noise_func.bias": (2 * c,),
        }
    for name, shape in convolutions.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return {f"diffusion.model.{name}": shape for name, shape in shapes.items()}


def published_buffers(n_steps: int = T) -> State:
    """The schedule as the public code keeps it, in terms of beta and alpha_bar; its step t is t + 1 of ours."""
    t = torch.linspace(0, n_steps, n_steps + 1, dtype=torch.float64)
    f = torch.cos((t / n_steps + 0.008) / 1.008 * math.pi / 2) ** 2
    betas = torch.clip(1 - f[1:] / f[:-1], 0, 0.999)
    ab = torch.cumprod(1 - betas, 0)
    before = functional.pad(ab[:-1], (1, 0), value=1.0)
    variance = betas * (1 - before) / (1 - ab)
    buffers = {
        "betas": betas,
        "alphas_cumprod": ab,
        "alphas_cumprod_prev": before,
        "sqrt_alphas_cumprod": ab.sqrt(),
        "sqrt_one_minus_alphas_cumprod": (1 - ab).sqrt(),
        "log_one_minus_alphas_cumprod": (1 - ab).log(),
        "sqrt_recip_alphas_cumprod": (1 / ab).sqrt(),
        "sqrt_recipm1_alphas_cumprod": (1 / ab - 1).sqrt(),
        "posterior_variance": variance,
        "posterior_log_variance_clipped": variance.clamp(min=1e-20).log(),
        "posterior_mean_coef1": betas * before.sqrt() / (1 - ab),
        "posterior_mean_coef2": (1 - before) * (1 - betas).sqrt() / (1 - ab),
    }
    return {f"diffusion.{name}": tensor.float() for name, tensor in buffers.items()}


def published_state(c: int = 8, shared: bool = False, seed: int = 1) -> State:
    """A checkpoint's content: random weights, scaled so that signals keep their size; the schedule."""
    random = torch.Generator().manual_seed(seed)
    state: State = {}
    for name, shape in published_shapes(c).items():
        fan = math.prod(shape[1:]) if len(shape) > 1 else 10
        state[name] = torch.randn(shape, generator=random) * fan**-0.5
    if shared:
        for name in list(state):
            for i in range(1, 5):
                if f".bridge.{i}." in name:
                    state[name] = state[name.replace(f".bridge.{i}.", ".bridge.0.")]
    return {**published_buffers(), **state}


def published_eps(state: State, x: torch.Tensor, noisy: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    """[n, L], [n, L], [n] -> [n, L]."""

    def conv(name: str, z: torch.Tensor, dilation: int = 1) -> torch.Tensor:
        weight, bias = (state[f"diffusion.model.{name}.{kind}"] for kind in ("weight", "bias"))
        reach = dilation * (weight.shape[2] - 1) // 2
        return functional.conv1d(functional.pad(z, (reach, reach), mode="reflect"), weight, bias, dilation=dilation)

    def block(name: str, z: torch.Tensor, dilation: int) -> torch.Tensor:
        y = conv(f"{name}.conv_1", torch.cat([conv(f"{name}.filters.{i}", z, dilation) for i in range(4)], 1))
        half = y.shape[1] // 2
        mean, variance = y.mean(2, keepdim=True), y.var(2, unbiased=False, keepdim=True)
        normed = (y - mean) / (variance + 1e-5).sqrt()
        y = functional.leaky_relu(torch.cat([normed[:, :half], y[:, half:]], 1), 0.2)
        return functional.leaky_relu(conv(f"{name}.conv_2", y), 0.2) + z

    def element(stream: str, i: int, z: torch.Tensor) -> torch.Tensor:
        if i == 0:
            return functional.leaky_relu(conv(f"{stream}.0.0", z), 0.2)
        return block(f"{stream}.{i}", z, (1, 2, 4, 2)[i - 1])

    c = state["diffusion.model.conv_out.weight"].shape[1]
    frequencies = [math.exp(-math.log(1e4) * i / (c // 2)) for i in range(c // 2)]
    embedding = torch.stack(
        [torch.sin(level * f) for f in frequencies] + [torch.cos(level * f) for f in frequencies], 1
    )
    x, cond = x[:, None], noisy[:, None]
    for i in range(5):
        x = element("stream_x", i, x)
        film = [state[f"diffusion.model.bridge.{i}.encoding.noise_func.{kind}"] for kind in ("weight", "bias")]
        gamma, beta = functional.linear(embedding, *film)[:, :, None].split(c, dim=1)
        u = conv(f"bridge.{i}.input_conv", x)
        cond = element("stream_cond", i, cond) + conv(f"bridge.{i}.output_conv", (1 + gamma) * u + beta)
    return conv("conv_out", cond)[:, 0]


def published_sample(state: State, noisy: torch.Tensor, noise: Iterator[torch.Tensor]) -> torch.Tensor:
    """The published ancestral sampler, in the terms of its buffers."""
    buffer = {name.removeprefix("diffusion."): tensor for name, tensor in state.items() if ".model." not in name}
    x = next(noise).expand_as(noisy)
    for t in reversed(range(T)):
        level = torch.full((len(noisy),), buffer["alphas_cumprod"][t].sqrt().item())  # entry t + 1 of its list
        eps = published_eps(state, x, noisy, level)
        clean = buffer["sqrt_recip_alphas_cumprod"][t] * x - buffer["sqrt_recipm1_alphas_cumprod"][t] * eps
        clean = clean.clamp(-1, 1)
        x = buffer["posterior_mean_coef1"][t] * clean + buffer["posterior_mean_coef2"][t] * x
        if t:
            x = x + (0.5 * buffer["posterior_log_variance_clipped"][t]).exp() * next(noise)
    return x
