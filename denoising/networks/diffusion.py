"""Diffusion on signals: the noise levels, the draw of levels for training, and the samplers.

Sources: DDPM (Ho et al., NeurIPS 2020), cosine schedule (Nichol and Dhariwal, ICML 2021), continuous levels (WaveGrad,
Chen et al., ICLR 2021), DDIM (Song et al., ICLR 2021), steps uniform in log-SNR (DPM-Solver, Lu et al., NeurIPS 2022).

    x_0    the clean signal, within [-1, 1]
    T      number of steps
    n_t    level of step t, sqrt(alpha_bar): the gain of the signal; it falls from n_0 = 1 (clean) to n_T, about 0
    x_t    n_t x_0 + s_t eps, with s_t = sqrt(1 - n_t^2) and eps white, of unit variance

Steps are numbered from 1 to T here; step t of the public code is step t + 1 here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch

from cleansemg.core.errors import UserError, did_you_mean

OFFSET = 0.008  # of the cosine schedule
LARGEST_BETA = 0.999
SAMPLERS = ("ancestral", "fast")

Predict = Callable[[torch.Tensor, float], torch.Tensor]  # (x_t [n, L], n_t) -> eps [n, L]
Draw = Callable[[], torch.Tensor]  # white noise of unit variance, [L] or [n, L], new at every call


@dataclass(frozen=True)
class Sampling:
    """How a diffusion model samples an estimate; these settings do not affect the weights.

    Raises:
        UserError: an unknown sampler, or a value out of range.
    """

    sampler: str = "ancestral"  # "ancestral": all T steps; "fast": `steps` of them
    steps: int = 8  # of the fast sampler
    eta: float = 1.0  # of the fast sampler: 1 adds noise like the ancestral one, 0 adds none after x_T (DDIM)
    seed: int = 0
    # Number of independent draws that are averaged; the paper uses 1. The expected squared error of one exact draw is
    # twice that of the posterior mean; that of the mean of m draws is 1 + 1/m times.
    samples: int = 2

    def __post_init__(self) -> None:
        if self.sampler not in SAMPLERS:
            raise UserError(f"sampler is '{self.sampler}'{did_you_mean(self.sampler, SAMPLERS)}")
        if self.steps != int(self.steps) or self.steps < 1:
            raise UserError(f"steps is {self.steps}, at least 1 (5 to 10 are usual)")
        if not 0 <= self.eta <= 1:
            raise UserError(f"eta is {self.eta}, from 0 to 1")
        if self.samples != int(self.samples) or self.samples < 1:
            raise UserError(f"samples is {self.samples}, at least 1")


def noise_levels(n_steps: int) -> torch.Tensor:
    """The levels [n_0, ..., n_T] of the cosine schedule, float64; Nichol and Dhariwal, equation 17."""
    t = torch.arange(n_steps + 1, dtype=torch.float64) / n_steps
    alpha_bar = torch.cos((t + OFFSET) / (1 + OFFSET) * math.pi / 2) ** 2
    alpha = 1 - (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=LARGEST_BETA)
    return torch.cat([torch.ones(1, dtype=torch.float64), alpha.cumprod(0)]).sqrt()


def draw_levels(levels: torch.Tensor, n: int, wrapped: bool = False) -> torch.Tensor:
    """Draw training levels: a step uniformly in 1..T, then a level uniformly between steps t and t - 1; WaveGrad.

    Args:
        levels: [T + 1], decreasing.
        n: number of levels.
        wrapped: draw as the public code does, with steps from 0 to T - 1. Step 0 then covers the whole range between
            the last level and the first, and only this step trains the noisiest interval.

    Returns:
        [n], on the device and with the dtype of `levels`, drawn from torch's generator.
    """
    first = 0 if wrapped else 1
    t = torch.randint(first, first + len(levels) - 1, (n,), device=levels.device)
    low, high = torch.aminmax(torch.stack([levels[t], levels[t - 1]]), dim=0)  # levels[-1] if wrapped and t is 0
    return low + (high - low) * torch.rand(n, device=levels.device, dtype=levels.dtype)


def diffuse(clean: torch.Tensor, level: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Return x_t [n, L] (DDPM, equation 4) of `clean` [n, L] and `noise` [n, L] at `level` [n]."""
    n = level.unsqueeze(1)  # [n, 1]
    return n * clean + (1 - n**2).sqrt() * noise


def fast_steps(levels: Sequence[float], n_steps: int) -> list[int]:
    """Return the steps that the fast sampler visits, noisiest first, about uniform in log-SNR, from T - 1 to 1.

    A step from level n to level n' multiplies an error of the network by about n'/n. With steps uniform in t, the first
    step would multiply it by about 200 (n_T is 0.001); here, all steps have about the same factor. Step T is left out,
    because the signal is at -60 dB there.

    Args:
        levels: [n_0, ..., n_T].
        n_steps: number of steps; at most T - 1 are returned.
    """
    last = max(len(levels) - 2, 1)
    if n_steps >= last:
        return list(range(last, 0, -1))
    if n_steps == 1:
        return [last]
    snr = [math.log(n / math.sqrt(1 - n * n)) for n in levels[1 : last + 1]]  # log-SNR / 2 of the steps 1 .. T - 1
    steps: list[int] = []
    for i in range(n_steps):
        wanted = snr[-1] + (snr[0] - snr[-1]) * i / (n_steps - 1)
        nearest = min(range(1, last + 1), key=lambda t: abs(snr[t - 1] - wanted))
        # steps must be distinct, and enough lower ones must remain for the rest of the selection
        highest = steps[-1] - 1 if steps else last
        steps.append(max(min(nearest, highest), n_steps - i))
    return steps


def sample(predict: Predict, draw: Draw, levels: Sequence[float], sampling: Sampling) -> torch.Tensor:
    """Draw x_0 once, within [-1, 1]; DDIM, equations 12 and 16.

    With eta 1 and all steps this is DDPM's ancestral sampler (its equations 6 and 7).

    Args:
        predict: the network.
        draw: called once for x_T and, if eta is above 0, once in every step except the last.
        levels: [n_0, ..., n_T].
        sampling: selects the steps and eta.

    Returns:
        [n, L].
    """
    is_fast = sampling.sampler == "fast"
    steps = fast_steps(levels, sampling.steps) if is_fast else list(range(len(levels) - 1, 0, -1))
    eta = sampling.eta if is_fast else 1.0
    x = draw()
    for level, cleaner in pairwise([levels[t] for t in steps]):
        clean, noise = _split(predict, x, level)
        spread = eta * math.sqrt((1 - cleaner**2) / (1 - level**2) * (1 - (level / cleaner) ** 2))
        x = cleaner * clean + math.sqrt(max(1 - cleaner**2 - spread**2, 0.0)) * noise
        if spread > 0:
            x = x + spread * draw()
    return _split(predict, x, levels[steps[-1]])[0]


def _split(predict: Predict, x: torch.Tensor, level: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the x_0 that the network predicts, clamped to [-1, 1], and the noise in x_t for this x_0, both [n, L]."""
    spread = math.sqrt(1 - level**2)
    clean = ((x - spread * predict(x, level)) / level).clamp(-1.0, 1.0)
    # this differs from the predicted noise, which belongs to x_0 before clamping
    return clean, (x - level * clean) / spread
