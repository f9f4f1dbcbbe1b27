"""Denoisers by name, weights from files of ours and of others, and what is said when they don't fit."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from cleansemg.core import weight_files
from cleansemg.core.errors import UserError
from cleansemg.denoising import load, load_network, loading
from cleansemg.denoising.hp import HighPass
from cleansemg.denoising.networks.fcn import FCN
from tests.denoising.signals import FS_HZ, emg

SMALL = {"channels": (4, 3, 2)}


@pytest.fixture
def small() -> FCN:
    torch.manual_seed(5)
    denoiser = load_network("fcn", weights=None, **SMALL)
    assert isinstance(denoiser, FCN)
    return denoiser


def save(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def test_names_aliases_and_classes() -> None:
    assert load("hp").name == load("HP").name == load("cleansemg.denoising.hp:HighPass").name == "hp"
    assert load("FCN", weights=None).name == "fcn_large"
    assert load("hp", cutoff_hz=20).cutoff_hz == 20  # type: ignore[attr-defined]
    with pytest.raises(UserError, match="no denoiser is called 'hpp'; did you mean 'hp'"):
        load("hpp")
    with pytest.raises(UserError, match="unknown parameter 'cutof_hz'; did you mean 'cutoff_hz'"):
        load("hp", cutof_hz=20)
    with pytest.raises(UserError, match="is not a denoiser"):
        load("pathlib:Path")
    with pytest.raises(UserError, match="is not a denoiser"):
        load("cleansemg.denoising.power_line:find_power_line")


def test_a_classical_method_has_no_weights(tmp_path: Path) -> None:
    assert isinstance(load("hp", weights=None), HighPass)
    with pytest.raises(UserError, match="'hp' has no network"):
        load_network("hp")
    with pytest.raises(UserError, match="'hp' has no network, so no weights"):
        load("hp", weights=tmp_path / "x.safetensors")


def test_a_network_without_weights_says_how_to_train(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(loading, "WEIGHTS_FOLDER", tmp_path)
    with pytest.raises(UserError, match="holds no weights; this installation of cleansemg is incomplete"):
        load("fcn")
    (tmp_path / "other.safetensors").touch()
    with pytest.raises(UserError) as caught:
        load("fcn")
    assert "cleansemg run --config demo --set train.models=[fcn], then give its file as weights" in str(caught.value)
    assert "(None gives a fresh network)" in str(caught.value)


def test_pretrained_weights_are_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, small: FCN) -> None:
    monkeypatch.setattr(loading, "WEIGHTS_FOLDER", tmp_path)
    weight_files.write(tmp_path / "fcn.safetensors", small.network, {"denoiser": "fcn", "parameters": SMALL})
    x = emg(2)
    assert np.array_equal(load("fcn").denoise(x, FS_HZ), small.denoise(x, FS_HZ))


def test_round_trip(tmp_path: Path, small: FCN) -> None:
    small.network.train()(torch.randn(4, 500))  # moves the running statistics off their first values
    info = {"denoiser": "fcn", "parameters": {**SMALL, "clip": False}, "epochs": 3}
    path = tmp_path / "a.safetensors"
    digest = weight_files.write(path, small.network, info)
    assert digest == weight_files.write(tmp_path / "b.safetensors", small.network, dict(reversed(info.items())))
    assert path.read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    state, read = weight_files.read(path)
    assert read == {"denoiser": "fcn", "parameters": {"channels": [4, 3, 2], "clip": False}, "epochs": 3}
    for name, tensor in small.network.state_dict().items():
        assert torch.equal(state[name], tensor)
    loaded = load_network("fcn", weights=path)
    assert loaded.clip is False
    small.clip = False
    assert np.array_equal(loaded.denoise(emg(1), FS_HZ), small.denoise(emg(1), FS_HZ))
    assert load_network("fcn", weights=path, clip=True).clip is True


@pytest.mark.parametrize("key", [None, "model_state_dict", "state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_checkpoints_of_others(tmp_path: Path, small: FCN, key: str | None, prefix: str) -> None:
    state = {prefix + name: tensor for name, tensor in small.network.state_dict().items()}
    path = save(tmp_path / "FCN_best.pth", state if key is None else {key: state, "epoch": 3})
    loaded = load("fcn", weights=str(path), **SMALL)
    assert np.array_equal(loaded.denoise(emg(1), FS_HZ), small.denoise(emg(1), FS_HZ))


def test_a_mismatch_is_reported_name_by_name(tmp_path: Path, small: FCN) -> None:
    state = dict(small.network.state_dict())
    state["layers.9.weight"] = state.pop("layers.6.bias")
    state["layers.6.weight"] = torch.zeros(4, 1, 8)
    with pytest.raises(UserError) as caught:
        load("fcn", weights=save(tmp_path / "x.pt", state), **SMALL)
    text = str(caught.value)
    assert "missing: layers.6.bias" in text
    assert "unexpected: layers.9.weight" in text
    assert "shape: layers.6.weight 4x1x8 for 4x1x16" in text
    assert "\n" not in text


def test_weights_of_another_method(tmp_path: Path, small: FCN) -> None:
    weight_files.write(tmp_path / "x.safetensors", small.network, {"denoiser": "msemg"})
    with pytest.raises(UserError, match="weights of 'msemg', not of 'fcn'"):
        load("fcn", weights=tmp_path / "x.safetensors")


def test_weights_that_are_not_finite(tmp_path: Path, small: FCN) -> None:
    state = {name: tensor.clone() for name, tensor in small.network.state_dict().items()}
    state["layers.6.bias"][0] = float("nan")
    with pytest.raises(UserError, match=r"not finite in layers.6.bias"):
        load("fcn", weights=save(tmp_path / "x.pth", state), **SMALL)


class Payload:
    """Pickled, it asks for a folder to be made when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    wrapped = save(tmp_path / "a.pth", {"state_dict": {"w": Payload(trap)}})
    raw = tmp_path / "b.pt"
    raw.write_bytes(pickle.dumps(Payload(trap), protocol=2))
    for path in (wrapped, raw):
        with pytest.raises(UserError, match=r"refused|not a checkpoint"):
            load("fcn", weights=path)
    assert not trap.exists()


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
@pytest.mark.parametrize("kept", [0, 5, 100, 0.5, 0.99])
def test_truncated_files(tmp_path: Path, small: FCN, suffix: str, kept: float) -> None:
    path = tmp_path / f"x.{suffix}"
    if suffix == "pth":
        save(path, small.network.state_dict())
    else:
        weight_files.write(path, small.network, {})
    content = path.read_bytes()
    path.write_bytes(content[: int(kept if kept >= 1 else kept * len(content))])
    with pytest.raises(UserError, match=r"truncated|not a plain checkpoint"):
        load("fcn", weights=path, **SMALL)


@pytest.mark.parametrize("suffix", ["safetensors", "pth", "npz"])
def test_files_that_are_something_else(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    path.write_text("subject,channel\n1,2\n" * 50)
    with pytest.raises(UserError, match=r"x\.\w+: (truncated or not|refused)"):
        load("fcn", weights=path)
    with pytest.raises(UserError, match="no such file of weights"):
        load("fcn", weights=tmp_path / f"absent.{suffix}")


@pytest.mark.parametrize("content", [[1, 2], {}, {"epoch": 3}, torch.zeros(3)])
def test_checkpoints_without_weights(tmp_path: Path, content: object) -> None:
    with pytest.raises(UserError, match=r"holds no state dictionary|is not a tensor"):
        load("fcn", weights=save(tmp_path / "x.pth", content))
