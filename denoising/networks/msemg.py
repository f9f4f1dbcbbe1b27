"""MSEMG: two half-normalised multi-kernel blocks around a Mamba block, 279,937 parameters.

Source: "MSEMG: Surface Electromyography Denoising with a Mamba-based Efficient Network", ICASSP 2025, Table II. With
c = 64 features:

    layer                                          parameters, c = 64
    convolution 1 -> c, kernel 9; leaky ReLU              640
    HNF (see `hnf.py`)                                106,688
    Mamba block (see `mamba.py`), causal               65,344
    HNF                                               106,688
    convolution c -> 1, kernel 9                          577

The output is the estimate of the clean signal. The Mamba block is causal and has a state, so it processes a long input
in pieces. The other layers process the whole input at once: the convolutions before the Mamba block reach 19 samples to
either side, those after it another 19, and the instance normalisation computes mean and standard deviation over the
whole input.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from cleansemg.core.errors import UserError
from cleansemg.denoising.networks.hnf import SLOPE, HNFBlock, ReflectConv1d
from cleansemg.denoising.networks.mamba import MambaBlock, stream
from cleansemg.denoising.neural import NeuralDenoiser

KERNEL = 9
PIECE = 16_384  # samples that the Mamba block processes at a time if no gradient is needed

FIRST, LAST, BLOCKS = "conv.0.weight", "conv_out.weight", "mamba.forward_blocks."
MIXER = BLOCKS + "0.mixer."


@dataclass(frozen=True)
class MSEMGSize:
    """Hyper-parameters; the defaults are the published network's.

    Raises:
        UserError: a value out of range.
    """

    features: int = 64  # c, a multiple of 4
    d_state: int = 16
    d_conv: int = 4
    expand: int = 4
    n_layers: int = 1  # Mamba blocks in a row
    share_layers: bool = False  # one block run n_layers times, as in the public code

    def __post_init__(self) -> None:
        if self.features < 4 or self.features % 4:
            raise UserError(f"'msemg': features is {self.features}, it must be a multiple of 4")
        for name in ("d_state", "d_conv", "expand", "n_layers"):
            if getattr(self, name) < 1:
                raise UserError(f"'msemg': {name} is {getattr(self, name)}, at least 1")


class MambaLayers(nn.Module):
    """Mamba blocks along time: [n, c, L] -> [n, c, L]."""

    def __init__(self, size: MSEMGSize) -> None:
        super().__init__()
        n_blocks = 1 if size.share_layers else size.n_layers
        blocks = [MambaBlock(size.features, size.d_state, size.d_conv, size.expand) for _ in range(n_blocks)]
        self.forward_blocks = nn.ModuleList(blocks)
        self.rounds = size.n_layers // n_blocks

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        piece = x.shape[2] if torch.is_grad_enabled() else PIECE
        x = x.transpose(1, 2)  # [n, L, c]
        for _ in range(self.rounds):
            for block in self.forward_blocks:
                x = stream(block, x, piece)
        return x.transpose(1, 2)


class MSEMGNetwork(nn.Module):
    """[n, L] -> [n, L]; L must be at least 8."""

    def __init__(self, size: MSEMGSize) -> None:
        super().__init__()
        self.conv = nn.Sequential(ReflectConv1d(1, size.features, KERNEL), nn.LeakyReLU(SLOPE))
        self.hnf_encode = HNFBlock(size.features)
        self.mamba = MambaLayers(size)
        self.hnf_decode = HNFBlock(size.features)
        self.conv_out = ReflectConv1d(size.features, 1, KERNEL)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.hnf_encode(self.conv(x.unsqueeze(1)))  # [n, c, L]
        y = self.hnf_decode(self.mamba(y))
        output: torch.Tensor = self.conv_out(y)  # [n, 1, L]
        return output.squeeze(1)


class MSEMG(NeuralDenoiser):
    """The denoiser with a Mamba block."""

    name = "msemg"
    min_samples = 8  # the largest kernel, 15, needs 7 mirrored samples of padding
    Size = MSEMGSize

    def build_network(self, size: MSEMGSize) -> nn.Module:
        return MSEMGNetwork(size)

    @classmethod
    def from_published(cls, state: Mapping[str, torch.Tensor]) -> tuple[dict[str, Any], dict[str, torch.Tensor]] | None:
        """Read a public checkpoint: it has the same tensor names as here; the sizes come from the shapes.

        The public code runs one Mamba block several times. The number of runs is a setting that checkpoints do not
        store: a checkpoint holds one block, or copies of it under other numbers. `n_layers` is the number of blocks in
        the file; set it if the setting was another.
        """
        names = (FIRST, LAST, MIXER + "A_log", MIXER + "conv1d.weight")
        shapes = [tuple(state[name].shape) if name in state else () for name in names]
        if [len(shape) for shape in shapes] != [3, 3, 2, 3]:
            return None
        (features, *_), _, (d, d_state), (*_, d_conv) = shapes
        blocks = [name for name in state if _is_block(name)]
        shared = all(_same_as_first(state, name) for name in blocks)
        tensors = {
            name: state[name] for name in state if not (shared and name in blocks) or name.startswith(BLOCKS + "0.")
        }
        parameters = {
            "features": features,
            "d_state": d_state,
            "d_conv": d_conv,
            "expand": max(d // features, 1),
            "n_layers": len({name.split(".")[2] for name in blocks}),
            "share_layers": shared,
        }
        return parameters, tensors


def _is_block(name: str) -> bool:
    return name.startswith(BLOCKS) and name.split(".")[2].isdigit()


def _same_as_first(state: Mapping[str, torch.Tensor], name: str) -> bool:
    rest = name.removeprefix(BLOCKS).partition(".")[2]
    first = state.get(f"{BLOCKS}0.{rest}")
    return first is not None and torch.equal(first, state[name])
