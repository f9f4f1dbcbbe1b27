"""The published networks once more, as plain functions of a checkpoint: names, shapes and the forward pass.

Written from a description of the layers under the names of the published checkpoints, without our modules, to
compare these with. Evaluation only: running statistics, no dropout.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch.nn import functional

State = dict[str, torch.Tensor]
Shapes = dict[str, tuple[int, ...]]


def block(name: str, weight: tuple[int, ...], n_out: int) -> Shapes:
    """A layer and the batch normalisation behind it."""
    shapes: Shapes = {f"{name}.0.weight": weight, f"{name}.0.bias": (n_out,)}
    for key in ("weight", "bias", "running_mean", "running_var"):
        shapes[f"{name}.1.{key}"] = (n_out,)
    return {**shapes, f"{name}.1.num_batches_tracked": ()}


def fcn_shapes(width: int = 64) -> Shapes:
    c = [width * 2**i for i in range(5)]
    shapes: Shapes = {}
    for i, (n_in, n_out) in enumerate(zip([1, *c], c, strict=False)):
        shapes |= block(f"encoder.{i}.conv_1d", (n_out, n_in, 8), n_out)
    for i in range(4):
        shapes |= block(f"decoder.{i}.deconv_1d", (c[4 - i], c[3 - i], 8), c[3 - i])
    return {**shapes, "decoder.4.weight": (width, 1, 8), "decoder.4.bias": (1,)}


def cnn_shapes(width: int = 64, hidden: int = 400) -> Shapes:
    c = [width * 2**i for i in range(4)]
    shapes: Shapes = {}
    for i, (n_in, n_out) in enumerate(zip([1, *c], c, strict=False)):
        shapes |= block(f"encoder.{i}.conv_1d", (n_out, n_in, 8), n_out)
    shapes |= block("FC.0.dense", (hidden, 6 * c[3]), hidden)
    return {**shapes, "FC.2.weight": (200, hidden), "FC.2.bias": (200,)}


def unet_shapes(width: int = 64) -> Shapes:
    c = [width * 2**i for i in range(5)]
    shapes: Shapes = {}
    for i, (n_in, n_out) in enumerate(zip([1, *c], c, strict=False)):
        shapes |= block(f"down{i + 1}.conv_1d", (n_out, n_in, 8), n_out)
    for i in range(4):
        wide, narrow = c[4 - i], c[3 - i]
        shapes |= block(f"up{i}.deconv.deconv_1d", (wide, narrow, 8), narrow)
        shapes |= block(f"up{i}.conv.conv_1d", (narrow, wide, 8), narrow)
    return {**shapes, "up4.weight": (width, 1, 8), "up4.bias": (1,)}


def trustemg_shapes(width: int = 64) -> Shapes:
    d = 16 * width
    layer = "transformer_encoder.layers.0"
    shapes: Shapes = {"positional_encoding.pe": (5000, 1, d)}
    shapes |= {f"{layer}.self_attn.in_proj_weight": (3 * d, d), f"{layer}.self_attn.in_proj_bias": (3 * d,)}
    linears = (("self_attn.out_proj", d, d), ("linear1", 2 * d, d), ("linear2", d, 2 * d))
    for name, n_out, n_in in linears:
        shapes |= {f"{layer}.{name}.weight": (n_out, n_in), f"{layer}.{name}.bias": (n_out,)}
    for name in ("norm1", "norm2"):
        shapes |= {f"{layer}.{name}.weight": (d,), f"{layer}.{name}.bias": (d,)}
    return {**unet_shapes(width), **shapes}


def random_state(shapes: Shapes, seed: int = 0) -> State:
    """Weights that keep signals near unit size, and running statistics far from their first values."""
    draw = torch.Generator().manual_seed(seed)
    state: State = {}
    for name, shape in shapes.items():
        if not shape:
            state[name] = torch.tensor(100 + seed)
        elif name == "positional_encoding.pe":
            state[name] = positions(shape[0], shape[2]).unsqueeze(1)
        elif len(shape) == 1:
            base = 1.0 if "running_var" in name or name.endswith(("1.weight", "norm2.weight")) else 0.0
            state[name] = base + 0.6 * (torch.rand(shape, generator=draw) - 0.5)
        else:
            # twice the gain that keeps the size behind a ReLU, over the inputs that one output sums
            fan = shape[1] * math.prod(shape[2:])
            state[name] = torch.randn(shape, generator=draw) * (2 / fan) ** 0.5
    return state


def positions(n: int, d: int) -> torch.Tensor:
    """[n, d]: sin(p / 10000^(2i/d)) and cos of the same, in turn."""
    table = torch.zeros(n, d, dtype=torch.float64)
    for i in range(0, d, 2):
        angle = torch.arange(n, dtype=torch.float64) / 10000 ** (i / d)
        table[:, i], table[:, i + 1] = angle.sin(), angle.cos()
    return table.float()


def normed(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    mean, var = state[f"{name}.1.running_mean"], state[f"{name}.1.running_var"]
    return functional.relu(
        functional.batch_norm(x, mean, var, state[f"{name}.1.weight"], state[f"{name}.1.bias"], eps=1e-5)
    )


def conv(state: State, name: str, x: torch.Tensor, stride: int = 2, padding: int = 0) -> torch.Tensor:
    y = functional.conv1d(x, state[f"{name}.0.weight"], state[f"{name}.0.bias"], stride=stride, padding=padding)
    return normed(state, name, y)


def deconv(state: State, name: str, x: torch.Tensor, output_padding: int = 0) -> torch.Tensor:
    weight, bias = state[f"{name}.0.weight"], state[f"{name}.0.bias"]
    return normed(state, name, functional.conv_transpose1d(x, weight, bias, stride=2, output_padding=output_padding))


def fcn(state: State, x: torch.Tensor) -> torch.Tensor:
    """[n, 2000] -> [n, 2000]."""
    y = x.unsqueeze(1)
    for i in range(5):
        y = conv(state, f"encoder.{i}.conv_1d", y)
    for i in range(4):
        y = deconv(state, f"decoder.{i}.deconv_1d", y, output_padding=1 if i < 2 else 0)
    y = functional.conv_transpose1d(y, state["decoder.4.weight"], state["decoder.4.bias"], stride=2)
    return y[:, 0, : x.shape[1]]


def cnn(state: State, x: torch.Tensor) -> torch.Tensor:
    """[n, 2000] -> [n, 2000], chunk by chunk."""
    outputs = []
    for start in range(0, x.shape[1], 200):
        y = x[:, None, start : start + 200]
        for i in range(4):
            y = conv(state, f"encoder.{i}.conv_1d", y)
        y = functional.linear(y.flatten(1), state["FC.0.dense.0.weight"], state["FC.0.dense.0.bias"])
        y = normed(state, "FC.0.dense", y)
        outputs.append(functional.linear(y, state["FC.2.weight"], state["FC.2.bias"]))
    return torch.cat(outputs, dim=1)


def unet(
    state: State, x: torch.Tensor, bottleneck: Callable[[State, torch.Tensor], torch.Tensor] | None = None
) -> torch.Tensor:
    """[n, 2000] -> [n, 2000]."""
    y = x.unsqueeze(1)
    skips = []
    for i in range(5):
        y = conv(state, f"down{i + 1}.conv_1d", y)
        skips.append(y)
    if bottleneck is not None:
        y = bottleneck(state, y)
    for i in range(4):
        y, skip = deconv(state, f"up{i}.deconv.deconv_1d", y), skips[3 - i]
        missing = skip.shape[2] - y.shape[2]
        y = functional.pad(y, [missing // 2, missing - missing // 2])
        y = conv(state, f"up{i}.conv.conv_1d", torch.cat((y, skip), 1), stride=1, padding=4)
    y = functional.conv_transpose1d(y, state["up4.weight"], state["up4.bias"], stride=2)
    return y[:, 0, : x.shape[1]]


def transformer(state: State, z: torch.Tensor) -> torch.Tensor:
    """The layer, with positions by the sample in the batch. [n, d, T] -> [n, d, T]."""
    part = {name.rpartition("layers.0.")[2]: tensor for name, tensor in state.items() if "layers.0." in name}
    x = z.transpose(1, 2) + state["positional_encoding.pe"][: len(z)]  # [n, T, d] + [n, 1, d]
    d = x.shape[2]
    q, k, v = functional.linear(x, part["self_attn.in_proj_weight"], part["self_attn.in_proj_bias"]).chunk(3, dim=-1)
    heads = []
    for h in range(8):
        own = slice(h * d // 8, (h + 1) * d // 8)
        scores = q[..., own] @ k[..., own].transpose(1, 2) / math.sqrt(d / 8)  # [n, T, T]
        heads.append(scores.softmax(dim=-1) @ v[..., own])
    attended = functional.linear(
        torch.cat(heads, -1), part["self_attn.out_proj.weight"], part["self_attn.out_proj.bias"]
    )
    x = functional.layer_norm(x + attended, (d,), part["norm1.weight"], part["norm1.bias"], 1e-5)
    hidden = functional.relu(functional.linear(x, part["linear1.weight"], part["linear1.bias"]))
    x = x + functional.linear(hidden, part["linear2.weight"], part["linear2.bias"])
    return functional.layer_norm(x, (d,), part["norm2.weight"], part["norm2.bias"], 1e-5).transpose(1, 2)


def trustemg_dm(state: State, x: torch.Tensor) -> torch.Tensor:
    return unet(state, x, transformer)


def trustemg_rm(state: State, x: torch.Tensor) -> torch.Tensor:
    return unet(state, x, lambda s, z: torch.sigmoid(transformer(s, z)) * z)
