"""TrustEMG-Net and its variants: sizes, lengths, positions, masks, and what the variants do on their scales."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cleansemg.core import weight_files
from cleansemg.core.errors import UserError
from cleansemg.denoising import load, load_network
from cleansemg.denoising.loading import small_form
from cleansemg.denoising.networks.trustemg import (
    LSTMNetwork,
    Positions,
    SkipAllNetwork,
    SkipAllSize,
    TransformerLayer,
    TransformerNetwork,
    TransformerSize,
    UNetSize,
    sinusoids,
)
from cleansemg.denoising.networks.unet import UNet
from cleansemg.denoising.neural import NeuralDenoiser
from tests.denoising.published_networks import positions
from tests.denoising.signals import FS_HZ, emg

# origin: the classes of the public code, built and counted; the sums of their layers agree
COUNTS = {
    "trustemg_unet": 16_724_417,
    "trustemg_dm": 25_124_289,
    "trustemg_rm": 25_124_289,
    "trustemg_lstm_dm": 25_121_217,
    "trustemg_lstm_rm": 25_121_217,
    "trustemg_skipall_dm": 36_320_001,
    "trustemg_skipall_rm": 36_320_001,
}
BYTES_OF_A_SMALL_FORM = 6_000_000
TINY = TransformerSize(width=2, heads=4)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(3)
    yield
    torch.set_num_threads(before)


def small(name: str, **parameters: object) -> NeuralDenoiser:
    denoiser = load_network(name, weights=None, device="cpu", **{**small_form(name), **parameters})
    assert isinstance(denoiser, NeuralDenoiser)
    return denoiser


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def scales_of(network: UNet, n: int = 2, steps: int = 9) -> list[torch.Tensor]:
    return [torch.randn(n, c, steps) for c in network.channels]


@pytest.mark.parametrize(("name", "expected"), COUNTS.items())
def test_number_of_parameters_is_the_published_one(name: str, expected: int) -> None:
    assert count(load_network(name, weights=None, device="cpu").network) == expected


def test_the_block_that_never_runs_is_counted_and_can_be_left_out() -> None:
    with_it = SkipAllNetwork(SkipAllSize(width=4, heads=4), masks=True)
    without = SkipAllNetwork(SkipAllSize(width=4, heads=4, unused_block=False), masks=True)
    d = 64
    assert count(with_it) - count(without) == 8 * d * d + 11 * d  # of a layer with 2 d hidden units
    with_it(torch.randn(2, 500)).sum().backward()
    unused = {name for name, p in with_it.named_parameters() if p.grad is None}
    assert unused == {name for name, _ in with_it.named_parameters() if name.startswith("unused.")} != set()


@pytest.mark.parametrize("name", COUNTS)
def test_small_forms_are_small_files(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    weight_files.write(path, small(name).network, {})
    assert path.stat().st_size < BYTES_OF_A_SMALL_FORM


def test_lengths_inside_the_unet() -> None:
    network = UNet(2).eval()
    found: dict[str, int] = {}
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
            module.register_forward_hook(lambda m, i, y, name=name: found.update({name: y.shape[-1]}))
    with torch.inference_mode():
        network(torch.zeros(1, 2000))
    # golden: stride arithmetic of the published layers
    assert [found[f"down{i}.conv_1d.0"] for i in range(1, 6)] == [997, 495, 244, 119, 56]
    assert [found[f"up{i}.deconv.deconv_1d.0"] for i in range(4)] == [118, 246, 496, 998]
    assert [found[f"up{i}.conv.conv_1d.0"] for i in range(4)] == [120, 245, 496, 998]
    assert found["up4"] == 2002


@pytest.mark.parametrize("name", COUNTS)
def test_any_length_above_the_minimum(name: str) -> None:
    denoiser = small(name, width=4)
    assert denoiser.min_samples == 218
    network = denoiser.network.eval()
    with torch.inference_mode():
        for length in (218, 219, 1999, 2000, 2001, 10_000):
            y = network(torch.randn(1, length))
            assert y.shape == (1, length)
            assert y[0, -1] != y[0, -2]
    with pytest.raises(RuntimeError, match="Kernel size"):
        network(torch.randn(1, 217))


def test_every_length_of_the_unet_is_reached_by_its_output() -> None:
    network = UNet(1).eval()
    with torch.inference_mode():
        for length in range(218, 300):
            assert network(torch.zeros(1, length)).shape == (1, length)


def test_first_weights() -> None:
    network = TransformerNetwork(TINY, masks=True)
    for module in network.modules():
        if isinstance(module, nn.Conv1d):
            bound = (6 / ((module.in_channels + module.out_channels) * 8)) ** 0.5
            assert 0.8 * bound < module.weight.abs().max() <= bound
            assert module.bias is not None
            assert not module.bias.any()
        if isinstance(module, nn.ConvTranspose1d):
            assert module.bias is not None
            assert module.bias.any()


def test_positions_are_the_formula_s() -> None:
    torch.testing.assert_close(sinusoids(60, 64), positions(60, 64), atol=1e-5, rtol=0)
    assert sinusoids(6000, 8).shape == (6000, 8)  # past the table of the public code


def test_positions_by_batch_is_position_0_at_every_step_of_every_signal() -> None:
    x = torch.zeros(3, 5, 8)
    quirk = Positions(8, 0.0, by_batch=True)(x)
    assert torch.equal(quirk, torch.tensor([0.0, 1.0] * 4).expand(3, 5, 8))
    torch.testing.assert_close(Positions(8, 0.0, by_batch=False)(x), sinusoids(5, 8).expand(3, 5, 8))


@pytest.mark.parametrize("skip_all", [False, True])
def test_only_the_quirk_is_blind_to_the_order_of_time(skip_all: bool) -> None:
    for by_batch in (True, False):
        network: UNet
        if skip_all:
            network = SkipAllNetwork(SkipAllSize(width=4, heads=4, positions_by_batch=by_batch), masks=True).eval()
        else:
            network = TransformerNetwork(TransformerSize(4, 4, positions_by_batch=by_batch), masks=True).eval()
        scales = scales_of(network)
        order = torch.randperm(9)
        with torch.inference_mode():
            straight = network.between(scales)[-1][:, :, order]
            shuffled = network.between([scale[:, :, order] for scale in scales])[-1]
        assert torch.allclose(straight, shuffled, atol=1e-5) is by_batch


@pytest.mark.parametrize("train", [False, True])
def test_the_layer_is_torch_s_own(train: bool) -> None:
    layer = TransformerLayer(32, TransformerSize(width=2, heads=4, dropout=0.0)).train(train)
    x = torch.randn(3, 11, 32)
    torch.testing.assert_close(layer(x), nn.TransformerEncoderLayer.forward(layer, x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("dm", "rm", "every_scale"),
    [
        (TransformerNetwork(TINY, masks=False), TransformerNetwork(TINY, masks=True), False),
        (LSTMNetwork(UNetSize(2), masks=False), LSTMNetwork(UNetSize(2), masks=True), False),
        (SkipAllNetwork(SkipAllSize(4, 2), masks=False), SkipAllNetwork(SkipAllSize(4, 2), masks=True), True),
    ],
)
def test_direct_mapping_replaces_and_masking_multiplies(dm: UNet, rm: UNet, every_scale: bool) -> None:
    rm.load_state_dict(dm.state_dict())
    scales = scales_of(dm)
    with torch.inference_mode():
        mapped, masked = dm.eval().between(scales), rm.eval().between(scales)
    for i, scale in enumerate(scales):
        if every_scale or i == len(scales) - 1:
            torch.testing.assert_close(masked[i], scale * torch.sigmoid(mapped[i]))
            assert not torch.allclose(mapped[i], scale, atol=0.1)
        else:
            assert masked[i] is mapped[i] is scale


def test_dropout_only_in_training() -> None:
    network = small("trustemg_rm", dropout=0.1).network
    x = torch.randn(2, 400)
    assert not torch.equal(network.train()(x), network(x))
    assert torch.equal(network.eval()(x), network(x))
    calm = small("trustemg_rm", dropout=0.0).network.train()
    assert torch.equal(calm(x), calm(x))


@pytest.mark.parametrize("quirk", [False, True])
@pytest.mark.parametrize("name", COUNTS)
def test_output_is_independent_of_neighbours(name: str, quirk: bool) -> None:
    flags: dict[str, object] = {"positions_by_batch": True} if quirk else {}
    if quirk and ("unet" in name or "lstm" in name):
        with pytest.raises(UserError, match="unknown parameter 'positions_by_batch'"):
            small(name, **flags)
        return
    denoiser = small(name, **flags)
    x = emg(4, 700)
    together = denoiser.denoise(x, FS_HZ)
    assert np.array_equal(denoiser.denoise(x[2], FS_HZ), together[2])
    assert np.array_equal(denoiser.denoise(x[[3, 1, 1]], FS_HZ), together[[3, 1, 1]])
    batched = small(name, batch_size=3, **flags)
    batched.network.load_state_dict(denoiser.network.state_dict())
    np.testing.assert_allclose(batched.denoise(x, FS_HZ), together, atol=1e-5 * np.abs(together).max())


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("trustemg_rm", {"width": 1, "heads": 5}, "heads is 5, must divide 16"),
        ("trustemg_skipall_dm", {"width": 12, "heads": 8}, "heads is 8, must divide 12"),
        ("trustemg_unet", {"width": 0}, "width is 0, at least 1"),
    ],
)
def test_wrong_sizes_are_named(name: str, parameters: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=f"denoiser '{name}': {message}"):
        load(name, weights=None, **parameters)
