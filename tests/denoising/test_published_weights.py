"""Published checkpoints: the outputs of the published networks, sizes from the file, and what does not fit."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from cleansemg.core.errors import UserError
from cleansemg.denoising import load_network
from cleansemg.denoising.loading import small_form
from cleansemg.denoising.neural import NeuralDenoiser, normalise
from tests.denoising import published_networks as published
from tests.denoising.signals import FS_HZ, emg

Network = Callable[[published.State, torch.Tensor], torch.Tensor]
Case = tuple[Callable[[int], published.Shapes], Network, str]

CASES: dict[str, Case] = {
    "FCN": (published.fcn_shapes, published.fcn, "fcn_large"),
    "CNN_waveform": (published.cnn_shapes, published.cnn, "cnn"),
    "TrustEMGNet_UNetonly": (published.unet_shapes, published.unet, "trustemg_unet"),
    "TrustEMGNet_DM": (published.trustemg_shapes, published.trustemg_dm, "trustemg_dm"),
    "TrustEMGNet_RM": (published.trustemg_shapes, published.trustemg_rm, "trustemg_rm"),
}
WIDTH = 8


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def save(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def state_of(name: str, width: int = WIDTH) -> published.State:
    return published.random_state(CASES[name][0](width), seed=len(name))


def loaded(name: str, path: Path, **parameters: object) -> NeuralDenoiser:
    denoiser = load_network(name, weights=path, device="cpu", **parameters)
    assert isinstance(denoiser, NeuralDenoiser)
    return denoiser


def one_by_one(network: Network, state: published.State, x: torch.Tensor) -> torch.Tensor:
    """The published network for batches of one, which is what a denoiser's output must not depend on."""
    return torch.cat([network(state, row) for row in x[:, None]])


def difference(a: torch.Tensor, b: torch.Tensor) -> float:
    assert b.abs().max() > 1e-2
    return float((a - b).abs().max())


@pytest.mark.parametrize("key", [None, "model_state_dict", "state_dict", "model"])
@pytest.mark.parametrize("name", list(CASES))
def test_outputs_are_those_of_the_published_network(name: str, key: str | None, tmp_path: Path) -> None:
    _, network, ours = CASES[name]
    state = state_of(name)
    path = save(tmp_path / f"{name}_best.pth", state if key is None else {key: state, "epoch": 7})
    denoiser = loaded(name, path)
    assert denoiser.name == ours
    x = torch.randn(3, 2000, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = one_by_one(network, state, x)
        assert difference(denoiser.network.eval()(x), expected) < 1e-4
    noisy = emg(2)
    scaled, _, scale = normalise(noisy, noisy, clip=True)
    expected = one_by_one(network, state, torch.from_numpy(scaled))
    estimate = torch.from_numpy(denoiser.denoise(noisy, FS_HZ) / scale)
    assert difference(estimate, expected) < 1e-4


def test_the_published_size_loads(tmp_path: Path) -> None:
    state = state_of("TrustEMGNet_RM", 64)
    assert sum(t.numel() for n, t in state.items() if n.rpartition(".")[2] in ("weight", "bias")) > 20_000_000
    denoiser = loaded("trustemg_rm", save(tmp_path / "TrustEMGNet_RM_best.pth", state))
    x = torch.randn(1, 2000, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert difference(denoiser.network.eval()(x), published.trustemg_rm(state, x)) < 1e-4


def test_published_weights_see_what_the_public_code_shows_them(tmp_path: Path) -> None:
    path = save(tmp_path / "x.pth", state_of("FCN"))
    assert not loaded("FCN", path).centre
    assert loaded("FCN", path, centre=True).centre


@pytest.mark.parametrize("name", list(CASES))
def test_the_loaded_network_holds_the_file(name: str, tmp_path: Path) -> None:
    # nothing is renamed, dropped or added: what was read can be given back to the public code
    state = state_of(name)
    own = loaded(name, save(tmp_path / "x.pth", state)).network.state_dict()
    assert set(own) == set(state)
    assert all(torch.equal(own[key], state[key]) for key in state)


@pytest.mark.parametrize("name", ["TrustEMGNet_DM", "TrustEMGNet_RM"])
def test_the_quirk_is_on_and_matters(name: str, tmp_path: Path) -> None:
    state = state_of(name)
    x = torch.randn(2, 2000, generator=torch.Generator().manual_seed(1))
    network = CASES[name][1]
    with torch.inference_mode():
        ours = loaded(name, save(tmp_path / "x.pth", state)).network.eval()(x)
        in_one_batch = network(state, x)
        del state["positional_encoding.pe"]
        along_time = loaded(name, save(tmp_path / "y.pth", state)).network.eval()(x)
    assert difference(ours[0], in_one_batch[0]) < 1e-4
    assert difference(ours[1], in_one_batch[1]) > 1e-3  # the second of a batch gets another vector there
    assert difference(ours, along_time) > 1e-3


def test_sizes_come_from_the_file(tmp_path: Path) -> None:
    shapes = published.cnn_shapes(4, hidden=30)
    network = loaded("cnn", save(tmp_path / "a.pth", published.random_state(shapes))).network
    assert network.FC[0].dense[0].weight.shape == (30, 6 * 32)  # type: ignore[union-attr, index]
    network = loaded("trustemg_rm", save(tmp_path / "b.pth", state_of("TrustEMGNet_RM", 3))).network
    assert network.channels == (3, 6, 12, 24, 48)


@pytest.mark.parametrize("name", list(CASES))
def test_what_does_not_fit_is_named(name: str, tmp_path: Path) -> None:
    state = state_of(name)
    layers = [key for key, tensor in state.items() if tensor.dim() > 1]
    for key in (layers[0], layers[-1]):
        for broken, message in (
            ({k: v for k, v in state.items() if k != key}, f"does not fit this network; missing: {key}"),
            ({**state, key: state[key][..., :-1]}, f"does not fit this network; shape: {key} "),
            ({**state, "head.weight": torch.zeros(2)}, "does not fit this network; unexpected: head.weight"),
        ):
            with pytest.raises(UserError) as caught:
                loaded(name, save(tmp_path / "x.pth", broken))
            text = str(caught.value).partition(": ")[2]
            assert text.startswith(message)
            assert ";" not in text.removeprefix(message), "one odd tensor, and others are named as well"
            assert "," not in text


def test_another_table_of_positions_is_named(tmp_path: Path) -> None:
    state = state_of("TrustEMGNet_RM")
    state["positional_encoding.pe"] = state["positional_encoding.pe"][:, :, 1:]
    with pytest.raises(UserError, match=r"network; shape: positional_encoding.pe 5000x1x127 for 5000x1x128$"):
        loaded("trustemg_rm", save(tmp_path / "x.pth", state))


@pytest.mark.parametrize("name", ["fcn_large", "cnn", "trustemg_unet", "trustemg_rm"])
def test_a_raw_state_dictionary_of_ours(name: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    own = load_network(name, weights=None, device="cpu", centre=False, **small_form(name))  # as the public code
    assert isinstance(own, NeuralDenoiser)
    again = loaded(name, save(tmp_path / "x.pth", own.network.state_dict()))
    assert np.array_equal(again.denoise(emg(2), FS_HZ), own.denoise(emg(2), FS_HZ))


@pytest.mark.parametrize("file", list(CASES))
@pytest.mark.parametrize("name", list(CASES))
def test_a_checkpoint_of_another_network(file: str, name: str, tmp_path: Path) -> None:
    if file == name or {file, name} == {"TrustEMGNet_DM", "TrustEMGNet_RM"}:  # these two look the same
        return
    with pytest.raises(UserError, match=r"does not fit this network; (missing|unexpected): \w+"):
        loaded(name, save(tmp_path / "x.pth", state_of(file)))


@pytest.mark.parametrize("name", ["trustemg_lstm_rm", "trustemg_skipall_dm"])
def test_variants_without_published_names_say_what_they_miss(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"missing: .*(lstm|transformers\.0\.layers)"):
        loaded(name, save(tmp_path / "x.pth", state_of("TrustEMGNet_RM")))


class Payload:
    """Pickled, it asks for a folder to be made when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_payloads_and_truncated_files(tmp_path: Path) -> None:
    state = state_of("TrustEMGNet_RM")
    trap = tmp_path / "trap"
    path = save(tmp_path / "a.pth", {"state_dict": state, "args": Payload(trap)})
    with pytest.raises(UserError, match="refused"):
        loaded("trustemg_rm", path)
    assert not trap.exists()
    whole = save(tmp_path / "b.pth", state).read_bytes()
    for kept in (0, 10, len(whole) // 2, len(whole) - 30):
        (tmp_path / "b.pth").write_bytes(whole[:kept])
        with pytest.raises(UserError, match=r"truncated|refused"):
            loaded("trustemg_rm", tmp_path / "b.pth")


def test_half_precision_files_load(tmp_path: Path) -> None:
    state = state_of("FCN")
    half = {key: tensor.half() if tensor.is_floating_point() else tensor for key, tensor in state.items()}
    estimate = loaded("FCN", save(tmp_path / "x.pth", half)).denoise(emg(1), FS_HZ)
    whole = loaded("FCN", save(tmp_path / "y.pth", state)).denoise(emg(1), FS_HZ)
    np.testing.assert_allclose(estimate, whole, atol=1e-2 * np.abs(whole).max())
