"""Weights of a network as one safetensors file that says what it belongs to; others' checkpoints, safely.

safetensors holds tensors and text only, so reading one runs nothing. Its metadata carries one JSON text.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from cleansemg.core.errors import UserError, one_line
from cleansemg.core.npz import atomic_write

if TYPE_CHECKING:  # what a file says of itself is read without torch, whose import takes seconds
    import torch
    from torch import nn

StateDict: TypeAlias = "dict[str, torch.Tensor]"

METADATA_KEY = "cleansemg"
FOREIGN_SUFFIXES = (".pth", ".pt")
FOREIGN_KEYS = ("model_state_dict", "state_dict", "model")  # where others keep the weights in a checkpoint


def require_some(folder: Path) -> None:
    """Check a folder of weights that come with the project.

    Raises:
        UserError: it holds none, so the installation is not whole.
    """
    if not any(folder.glob("*.safetensors")):
        raise UserError(f"{folder}: holds no weights; this installation of cleansemg is incomplete, install it again")


def write(path: Path, network: nn.Module, info: Mapping[str, Any]) -> str:
    """Write a network's weights and buffers, atomically; the same content gives the same bytes.

    Args:
        path: the file, by habit `NAME.safetensors`.
        network: on any device.
        info: anything JSON can hold. `denoising.load` reads two keys where they are there: `denoiser`,
            the name of the method that the weights belong to, and `parameters`, those it was built with.

    Returns:
        The SHA-256 of the file.
    """
    from safetensors.torch import save

    tensors = {name: tensor.detach().to("cpu").contiguous() for name, tensor in network.state_dict().items()}
    # safetensors sorts tensors but not what it is told beside them: one key, with sorted JSON
    text = json.dumps(dict(info), sort_keys=True, separators=(",", ":"), default=str)
    content: bytes = save(tensors, metadata={METADATA_KEY: text})
    atomic_write(path, content)
    return hashlib.sha256(content).hexdigest()


def read(path: Path) -> tuple[StateDict, dict[str, Any]]:
    """Read weights: a file of ours, or a checkpoint of others (`.pth`, `.pt`).

    Returns:
        The tensors by name, and what was written beside them ({} for others' checkpoints).

    Raises:
        UserError: absent, truncated, not weights, or holding objects that would have to be unpickled.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file of weights")
    if path.suffix.lower() in FOREIGN_SUFFIXES:
        return _read_foreign(path)
    from safetensors.torch import load

    content = path.read_bytes()
    try:
        return load(content), _read_info(content)
    except Exception as error:  # damaged bytes make the parsers raise anything, and it means one thing
        raise UserError(
            f"{path}: truncated or not a safetensors file ({one_line(error)}); checkpoints of others end in .pth or .pt"
        ) from error


def read_info(path: Path) -> dict[str, Any]:
    """What is written beside the tensors of a file of ours, without reading these; {} for a checkpoint of others.

    Raises:
        UserError: absent, truncated, or not weights.
    """
    if path.suffix.lower() in FOREIGN_SUFFIXES:
        return {}
    try:
        with path.open("rb") as file:
            start = file.read(8)
            return _read_info(start + file.read(struct.unpack("<Q", start)[0]))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file of weights") from None
    except Exception as error:  # as in `read`
        raise UserError(f"{path}: truncated or not a safetensors file ({one_line(error)})") from error


def _read_info(content: bytes) -> dict[str, Any]:
    """The JSON text in the header, whose length is the file's first 8 bytes."""
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    return _info(header.get("__metadata__", {}).get(METADATA_KEY, "{}"))


def _info(text: str) -> dict[str, Any]:
    """What is written beside the tensors.

    Raises:
        ValueError: not JSON, or no mapping.
    """
    info = json.loads(text)
    if not isinstance(info, dict) or not isinstance(info.get("parameters", {}), dict):
        raise ValueError("what is written beside the tensors is no mapping")  # noqa: TRY004 - as for any other damage
    return info


def write_checkpoint(path: Path, state: Mapping[str, torch.Tensor], info: Mapping[str, Any]) -> None:
    """The weights as a torch checkpoint (`.pth`), for the commands that expect one; what `write` says, beside them."""
    import torch

    buffer = io.BytesIO()
    text = json.dumps(dict(info), sort_keys=True, separators=(",", ":"), default=str)
    torch.save({FOREIGN_KEYS[0]: dict(state), METADATA_KEY: text}, buffer)
    atomic_write(path, buffer.getvalue())


def _read_foreign(path: Path) -> tuple[StateDict, dict[str, Any]]:
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).partition("Please file")[0].partition("\n")[0]
        raise UserError(
            f"{path}: refused, it is not a plain checkpoint: it holds objects other than tensors, numbers and texts, "
            f"or no tensors at all ({reason.strip()[:200]}); save it again as torch.save(model.state_dict(), FILE)"
        ) from None
    except Exception as error:
        raise UserError(f"{path}: truncated or not a checkpoint ({str(error).partition(chr(10))[0]})") from error
    info: dict[str, Any] = {}
    if isinstance(content, dict) and isinstance(content.get(METADATA_KEY), str):
        try:
            info = _info(content[METADATA_KEY])
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}: damaged ({error})") from None
    for key in FOREIGN_KEYS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    if not isinstance(content, dict) or not content:
        raise UserError(f"{path}: holds no state dictionary, neither raw nor under {', '.join(FOREIGN_KEYS)}")
    odd = next((name for name, value in content.items() if not isinstance(value, torch.Tensor)), None)
    if odd is not None:
        raise UserError(f"{path}: '{odd}' is not a tensor; expected a state dictionary")
    state = {str(name).removeprefix("module."): tensor for name, tensor in content.items()}  # saved from many GPUs
    return state, info


def fit_into(network: nn.Module, state: Mapping[str, torch.Tensor], source: str) -> None:
    """Put `state` into a network, or say name by name why it does not fit.

    Raises:
        UserError: missing or unexpected names, other shapes, values that are not finite.
    """
    expected = network.state_dict()
    missing = [name for name in expected if name not in state]
    unexpected = [name for name in state if name not in expected]
    shapes = [
        f"{name} {_shape(state[name])} for {_shape(expected[name])}"
        for name in expected
        if name in state and state[name].shape != expected[name].shape
    ]
    problems = [
        f"{label}: {', '.join(ascii(name)[1:-1] for name in names)}"  # those of a damaged file may hold anything
        for label, names in (("missing", missing), ("unexpected", unexpected), ("shape", shapes))
        if names
    ]
    if problems:
        raise UserError(f"{source}: does not fit this network; {'; '.join(problems)}")
    import torch

    broken = [name for name, tensor in state.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise UserError(f"{source}: values that are not finite in {', '.join(broken)}")
    network.load_state_dict(dict(state))


def _shape(tensor: torch.Tensor) -> str:
    return "x".join(str(n) for n in tensor.shape) or "scalar"
