"""Mamba: a causal block with a gated selective state-space model, whose state can be carried from piece to piece.

Source: Gu and Dao, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces", 2023, figure 3 and
section 3.4. With c features, d = expand c channels, N states per channel and rank r = ceil(c / 16) of the step:

    u, z          = in_proj(x)                 [n, L, d] each
    u             = SiLU(conv1d(u))            each channel separately, over the last d_conv samples
    dt, B, C      = x_proj(u)                  [n, L, r], [n, L, N], [n, L, N]
    delta         = softplus(dt_proj(dt))      [n, L, d]
    y             = selective scan of u with delta, A = -exp(A_log), B, C, D
    out           = out_proj(y SiLU(z))        [n, L, c]

Module names are those of the public implementation, so its weights load unchanged.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from cleansemg.denoising.networks.selective_scan import selective_scan

FEATURES_PER_RANK = 16
FIRST_STEPS = (1e-3, 0.1)  # initial delta, log-uniform (section 3.6 of the paper)
SMALLEST_FIRST_STEP = 1e-4
EPSILON = 1e-5  # of the norm


class MambaState(NamedTuple):
    """State of a mixer after a piece: with it, the next piece gives the same output as the whole signal at once."""

    inputs: torch.Tensor  # [n, d_conv - 1, d] last inputs of the convolution
    h: torch.Tensor  # [n, d, N] state of the scan


class MambaMixer(nn.Module):
    """[n, L, c] -> [n, L, c] and the state after the last sample."""

    def __init__(self, features: int, d_state: int = 16, d_conv: int = 4, expand: int = 4) -> None:
        super().__init__()
        d = expand * features
        self.d_state = d_state
        self.rank = math.ceil(features / FEATURES_PER_RANK)
        self.in_proj = nn.Linear(features, 2 * d, bias=False)
        self.conv1d = nn.Conv1d(d, d, d_conv, groups=d)
        self.x_proj = nn.Linear(d, self.rank + 2 * d_state, bias=False)
        self.dt_proj = nn.Linear(self.rank, d)
        self.A_log = nn.Parameter(torch.arange(1.0, d_state + 1).log().repeat(d, 1))
        self.D = nn.Parameter(torch.ones(d))
        self.out_proj = nn.Linear(d, features, bias=False)
        self._draw_steps()

    def _draw_steps(self) -> None:
        nn.init.uniform_(self.dt_proj.weight, -(self.rank**-0.5), self.rank**-0.5)
        low, high = (math.log(step) for step in FIRST_STEPS)
        step = torch.exp(low + (high - low) * torch.rand(self.dt_proj.out_features)).clamp(min=SMALLEST_FIRST_STEP)
        with torch.no_grad():
            self.dt_proj.bias.copy_(step + torch.log(-torch.expm1(-step)))  # so softplus(bias) is the step

    def forward(self, x: torch.Tensor, state: MambaState | None = None) -> tuple[torch.Tensor, MambaState]:
        """[n, L, c] and the state before this piece (None: zeros) -> [n, L, c] and the state after this piece."""
        u, z = self.in_proj(x).chunk(2, dim=2)  # [n, L, d] each
        u, inputs = self._convolve(u, None if state is None else state.inputs)
        u = functional.silu(u)
        dt, B, C = torch.split(self.x_proj(u), [self.rank, self.d_state, self.d_state], dim=2)
        delta = functional.softplus(self.dt_proj(dt))  # [n, L, d]
        A = -torch.exp(self.A_log)  # [d, N]
        y, h = selective_scan(u, delta, A, B, C, self.D, None if state is None else state.h)
        out: torch.Tensor = self.out_proj(y * functional.silu(z))
        return out, MambaState(inputs, h)

    def _convolve(self, u: torch.Tensor, inputs: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Convolve each channel of u [n, L, d] causally -> [n, L, d] and the inputs that the next piece needs."""
        reach = self.conv1d.kernel_size[0] - 1
        if inputs is None:
            inputs = u.new_zeros(len(u), reach, u.shape[2])
        u = torch.cat([inputs, u], 1)  # [n, d_conv - 1 + L, d]
        convolved: torch.Tensor = self.conv1d(u.transpose(1, 2)).transpose(1, 2)
        return convolved, u[:, u.shape[1] - reach :]


class MambaBlock(nn.Module):
    """A mixer on the normalised input, plus the input: [n, L, c] -> [n, L, c] and the state after the last sample."""

    def __init__(self, features: int, d_state: int = 16, d_conv: int = 4, expand: int = 4) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(features, eps=EPSILON)
        self.mixer = MambaMixer(features, d_state, d_conv, expand)

    def forward(self, x: torch.Tensor, state: MambaState | None = None) -> tuple[torch.Tensor, MambaState]:
        """[n, L, c] and the state before this piece (None: zeros) -> [n, L, c] and the state after this piece."""
        y, state = self.mixer(self.norm(x), state)
        return y + x, state


def stream(block: nn.Module, x: torch.Tensor, piece: int) -> torch.Tensor:
    """Run a mixer or block over x [n, L, c] -> [n, L, c], `piece` samples at a time.

    The result equals that of the whole signal at once, except for rounding. Apart from x and the result, the memory use
    is that of one piece.
    """
    outputs = []
    state = None
    for part in torch.split(x, piece, dim=1):
        y, state = block(part, state)
        outputs.append(y)
    return torch.cat(outputs, 1)
