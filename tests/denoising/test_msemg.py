"""MSEMG: its size, an independent forward pass, published checkpoints, long inputs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from cleansemg.core.errors import UserError
from cleansemg.denoising import load, load_network
from cleansemg.denoising.conformance import run_checks
from cleansemg.denoising.loading import small_form
from cleansemg.denoising.networks import msemg
from cleansemg.denoising.neural import quantile_scale
from tests.denoising.signals import FS_HZ, emg

SMALL = {"features": 16, "d_state": 4, "expand": 2}
State = dict[str, torch.Tensor]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(3)
    yield
    torch.set_num_threads(before)


def n_parameters(name: str = "msemg", **size: object) -> int:
    network = load_network(name, weights=None, **size).network
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def test_number_of_parameters() -> None:
    # 279,937: Table II of the MSEMG paper; 1,088,257: sum over the layers with 128 features
    assert n_parameters() == n_parameters("MSEMG") == 279_937
    assert n_parameters(features=128) == 1_088_257
    assert n_parameters(**small_form("msemg")) == 73_921
    block = 64 + 65_280
    assert n_parameters(n_layers=3) == 279_937 + 2 * block
    assert n_parameters(n_layers=3, share_layers=True) == 279_937


def published_state(c: int = 16, expand: int = 4, N: int = 16, k: int = 4) -> State:
    """Random tensors under the names and in the shapes of the public code."""
    rng = torch.Generator().manual_seed(8)
    d, r = expand * c, math.ceil(c / 16)
    shapes: dict[str, tuple[int, ...]] = {"conv.0.weight": (c, 1, 9), "conv.0.bias": (c,)}
    for block in ("hnf_encode", "hnf_decode"):
        for i, width in enumerate((3, 5, 9, 15)):
            shapes |= {f"{block}.filters.{i}.weight": (c // 4, c, width), f"{block}.filters.{i}.bias": (c // 4,)}
        for i in (1, 2):
            shapes |= {f"{block}.conv_{i}.weight": (c, c, 9), f"{block}.conv_{i}.bias": (c,)}
    mixer = "mamba.forward_blocks.0.mixer."
    shapes |= {
        "mamba.forward_blocks.0.norm.weight": (c,),
        mixer + "A_log": (d, N),
        mixer + "D": (d,),
        mixer + "in_proj.weight": (2 * d, c),
        mixer + "conv1d.weight": (d, 1, k),
        mixer + "conv1d.bias": (d,),
        mixer + "x_proj.weight": (r + 2 * N, d),
        mixer + "dt_proj.weight": (d, r),
        mixer + "dt_proj.bias": (d,),
        mixer + "out_proj.weight": (c, d),
        "conv_out.weight": (1, c, 9),
        "conv_out.bias": (1,),
    }
    fan = {name: math.prod(shape[1:]) if len(shape) > 1 else 4 for name, shape in shapes.items()}
    return {name: torch.randn(shape, generator=rng) / fan[name] ** 0.5 for name, shape in shapes.items()}


def conv(x: torch.Tensor, w: State, name: str) -> torch.Tensor:
    reach = w[name + ".weight"].shape[2] // 2
    return functional.conv1d(functional.pad(x, (reach, reach), mode="reflect"), w[name + ".weight"], w[name + ".bias"])


def hnf(x: torch.Tensor, w: State, name: str) -> torch.Tensor:
    y = torch.cat([conv(x, w, f"{name}.filters.{i}") for i in range(4)], 1)
    y = conv(y, w, f"{name}.conv_1")
    half = y.shape[1] // 2
    first = y[:, :half]
    first = (first - first.mean(2, keepdim=True)) / (first.var(2, unbiased=False, keepdim=True) + 1e-5).sqrt()
    y = functional.leaky_relu(torch.cat([first, y[:, half:]], 1), 0.2)
    return functional.leaky_relu(conv(y, w, f"{name}.conv_2"), 0.2) + x


def mamba(x: torch.Tensor, w: State) -> torch.Tensor:
    """[n, L, c]."""
    w = {name.removeprefix("mamba.forward_blocks.0."): tensor for name, tensor in w.items()}
    normed = x / (x.square().mean(2, keepdim=True) + 1e-5).sqrt() * w["norm.weight"]
    w = {name.removeprefix("mixer."): tensor for name, tensor in w.items()}
    d, N = w["A_log"].shape
    u, z = (normed @ w["in_proj.weight"].T).split(d, 2)
    taps = w["conv1d.weight"][:, 0]  # [d, k]
    k = taps.shape[1]
    padded = torch.cat([u.new_zeros(len(u), k - 1, d), u], 1)
    u = sum(padded[:, j : j + x.shape[1]] * taps[:, j] for j in range(k)) + w["conv1d.bias"]
    u = u * torch.sigmoid(u)
    r = w["dt_proj.weight"].shape[1]
    dt, B, C = (u @ w["x_proj.weight"].T).split([r, N, N], 2)
    delta = torch.log1p(torch.exp(dt @ w["dt_proj.weight"].T + w["dt_proj.bias"]))
    h = u.new_zeros(len(u), d, N)
    y = torch.empty_like(u)
    for t in range(x.shape[1]):
        for n in range(N):
            h[:, :, n] *= torch.exp(delta[:, t] * -torch.exp(w["A_log"][:, n]))
            h[:, :, n] += delta[:, t] * B[:, t, n, None] * u[:, t]
        y[:, t] = torch.einsum("idn,in->id", h, C[:, t]) + w["D"] * u[:, t]
    return (y * z * torch.sigmoid(z)) @ w["out_proj.weight"].T + x


def network(x: torch.Tensor, w: State, rounds: int = 1) -> torch.Tensor:
    """The published layer table in double precision: [n, L] -> [n, L]."""
    w = {name: tensor.double() for name, tensor in w.items()}
    y = hnf(functional.leaky_relu(conv(x[:, None], w, "conv.0"), 0.2), w, "hnf_encode").transpose(1, 2)
    for _ in range(rounds):
        y = mamba(y, w)
    return conv(hnf(y.transpose(1, 2), w, "hnf_decode"), w, "conv_out")[:, 0]


def expected(x: np.ndarray, w: State, rounds: int = 1) -> np.ndarray:
    scale = quantile_scale(x)
    return network(torch.from_numpy(np.clip(x / scale, -1, 1)), w, rounds).numpy() * scale


@pytest.mark.parametrize("wrapped", [None, "model_state_dict", "state_dict", "model"])
def test_published_weights_give_what_the_layer_table_says(tmp_path: Path, wrapped: str | None) -> None:
    state = published_state()
    path = tmp_path / "MSEMG_best.pth"
    torch.save(state if wrapped is None else {wrapped: state, "epoch": 3}, path)
    x = emg(2, 150)
    denoiser = load_network("msemg", weights=path, device="cpu")
    scale = np.abs(expected(x, state)).max()
    np.testing.assert_allclose(denoiser.denoise(x, FS_HZ), expected(x, state), atol=1e-4 * scale)


def test_the_size_comes_from_the_file(tmp_path: Path) -> None:
    state = published_state(c=8, expand=3, N=5, k=3)
    path = tmp_path / "x.pth"
    torch.save(state, path)
    x = emg(1, 60)
    network = load_network("msemg", weights=path, device="cpu").network
    assert {name: tensor.shape for name, tensor in network.state_dict().items()} == {
        name: tensor.shape for name, tensor in state.items()
    }
    np.testing.assert_allclose(
        load("msemg", weights=path, device="cpu").denoise(x, FS_HZ),
        expected(x, state),
        atol=1e-4 * np.abs(expected(x, state)).max(),
    )


def test_blocks_that_the_public_code_loops(tmp_path: Path) -> None:
    state = published_state()
    torch.save(state, tmp_path / "one.pth")
    prefix = "mamba.forward_blocks."
    again = {name.replace(prefix + "0", prefix + "1"): tensor for name, tensor in state.items() if prefix in name}
    torch.save({**state, **again}, tmp_path / "twice.pth")
    torch.save({**state, **{name: 2 * tensor for name, tensor in again.items()}}, tmp_path / "two.pth")
    x = emg(1, 60)
    tolerance = 1e-4 * np.abs(expected(x, state, rounds=2)).max()
    for denoiser in (
        load("msemg", weights=tmp_path / "one.pth", n_layers=2, device="cpu"),
        load("msemg", weights=tmp_path / "twice.pth", device="cpu"),
    ):
        np.testing.assert_allclose(denoiser.denoise(x, FS_HZ), expected(x, state, rounds=2), atol=tolerance)
    own = load_network("msemg", weights=tmp_path / "two.pth", device="cpu").network.state_dict()
    assert torch.equal(own[prefix + "1.norm.weight"], 2 * state[prefix + "0.norm.weight"])


def test_checkpoints_that_do_not_fit_say_why(tmp_path: Path) -> None:
    state = published_state()
    path = tmp_path / "x.pth"
    torch.save({("backbone." + name): tensor for name, tensor in state.items()}, path)
    with pytest.raises(UserError, match=r"missing: conv.0.weight.*unexpected: backbone.conv.0.weight"):
        load("msemg", weights=path)
    torch.save({**state, "extra.weight": torch.zeros(2)}, path)
    with pytest.raises(UserError, match=r"unexpected: extra.weight$"):
        load("msemg", weights=path)
    torch.save({name: tensor for name, tensor in state.items() if name != "conv_out.bias"}, path)
    with pytest.raises(UserError, match=r"missing: conv_out.bias$"):
        load("msemg", weights=path)
    state["mamba.forward_blocks.0.mixer.dt_proj.weight"] = torch.zeros(64, 2)
    torch.save(state, path)
    with pytest.raises(UserError, match=r"shape: mamba.forward_blocks.0.mixer.dt_proj.weight 64x2 for 64x1$"):
        load("msemg", weights=path)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ({"features": 30}, "features is 30, it must be a multiple of 4"),
        ({"n_layers": 0}, "n_layers is 0, at least 1"),
        ({"d_states": 4}, "unknown parameter 'd_states'; did you mean 'd_state'"),
    ],
)
def test_wrong_sizes_are_named(size: dict[str, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load("msemg", weights=None, **size)


def test_long_inputs_run_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    network = load_network("msemg", weights=None, device="cpu", n_layers=2, **SMALL).network.eval()
    x = torch.from_numpy(emg(2, 700) * 1e4).float()
    with torch.inference_mode():
        whole = network(x)
        monkeypatch.setattr(msemg, "PIECE", 128)
        pieces = network(x)
    np.testing.assert_allclose(pieces, whole, atol=1e-5 * float(whole.abs().max()))


def test_training_sees_the_same_network() -> None:
    network = load_network("msemg", weights=None, device="cpu", **SMALL).network
    x = torch.from_numpy(emg(2, 300) * 1e4).float()
    output = network.train()(x)
    output.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in network.parameters())
    with torch.inference_mode():
        np.testing.assert_allclose(network.eval()(x), output.detach(), atol=1e-5)


def test_fresh_steps_are_those_of_the_paper() -> None:
    # Gu and Dao, section 3.6: softplus of the bias is log-uniform from 0.001 to 0.1
    network = load_network("msemg", weights=None).network
    step = functional.softplus(network.mamba.forward_blocks[0].mixer.dt_proj.bias).detach()
    assert 0.001 <= step.min() < 0.002
    assert 0.05 < step.max() <= 0.1001
    assert step.log().mean() == pytest.approx(math.log(0.01), abs=0.3)


def test_the_shortest_input() -> None:
    denoiser = load_network("msemg", weights=None, device="cpu", **SMALL)
    assert denoiser.denoise(emg(2, 400)[:, :8], FS_HZ).shape == (2, 8)


def test_conformance() -> None:
    def factory():  # type: ignore[no-untyped-def]
        torch.manual_seed(0)
        return load_network("msemg", weights=None, device="cpu", **SMALL)

    failed = [(result.check, result.detail) for result in run_checks(factory) if not result.passed]
    assert not failed
