"""Scaling, windows, batches and sizes of the networks."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cleansemg.core.errors import UserError
from cleansemg.core.registry import entries, find
from cleansemg.denoising import load, load_network
from cleansemg.denoising.networks.fcn import FCNNetwork, FCNSize
from cleansemg.denoising.networks.fcn_large import FCNLargeNetwork, FCNLargeSize
from cleansemg.denoising.neural import NeuralDenoiser, normalise, quantile_scale
from cleansemg.training.recipe import Recipe
from tests.denoising.signals import FS_HZ, emg
from tests.denoising.small_networks import NETWORKS as ALL_NETWORKS

NETWORKS = ("fcn", "fcn_large")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(3)
    yield
    torch.set_num_threads(before)


def n_parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def lengths(network: nn.Module, length: int) -> list[int]:
    """Output length of every convolution, in the order they run."""
    found: list[int] = []
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
            module.register_forward_hook(lambda m, i, output: found.append(output.shape[-1]))
    with torch.inference_mode():
        assert network.eval()(torch.zeros(1, length)).shape == (1, length)
    return found


@pytest.mark.parametrize(("name", "count"), [("fcn", 137_801), ("fcn_large", 11_150_977)])
def test_number_of_parameters_is_the_published_one(name: str, count: int) -> None:
    # 137,801: Table II of the MSEMG paper; 11,150,977: sum over the layers of the TrustEMG code's FCN
    network = load_network(name, weights=None).network
    assert n_parameters(network) == count


@pytest.mark.parametrize(
    ("length", "expected"),
    [  # golden: stride arithmetic of the published layers
        (2000, [993, 489, 474, 489, 992, 1998, 2013]),
        (10000, [4993, 2489, 2474, 2489, 4992, 9998, 10013]),
    ],
)
def test_lengths_inside_fcn(length: int, expected: list[int]) -> None:
    assert lengths(FCNNetwork(FCNSize()), length) == expected


def test_lengths_inside_fcn_large() -> None:
    expected = [997, 495, 244, 119, 56, 119, 245, 496, 998, 2002]  # golden: as above
    assert lengths(FCNLargeNetwork(FCNLargeSize()), 2000) == expected


@pytest.mark.parametrize("network", [FCNNetwork(FCNSize()), FCNLargeNetwork(FCNLargeSize(channels=(2, 2, 2, 2, 2)))])
@settings(deadline=None, max_examples=60)
@given(extra=st.integers(0, 400))
def test_any_length_above_the_minimum(network: nn.Module, extra: int) -> None:
    minimum = 106 if isinstance(network, FCNNetwork) else 218
    with torch.inference_mode():
        x = torch.randn(2, minimum + extra, generator=torch.Generator().manual_seed(extra))
        assert network.eval()(x).shape == x.shape


@pytest.mark.parametrize(("name", "minimum"), [("fcn", 106), ("fcn_large", 218)])
def test_the_minimum_is_what_the_strides_need(name: str, minimum: int) -> None:
    denoiser = load_network(name, weights=None)
    assert denoiser.min_samples == minimum
    encoder = [m for m in denoiser.network.modules() if isinstance(m, nn.Conv1d)]
    for n_samples, expected in ((minimum, 1), (minimum - 1, 0)):
        length = n_samples
        for layer in encoder:
            length = (length - layer.kernel_size[0]) // layer.stride[0] + 1
        assert length == expected


def test_fcn_large_pads_the_published_length_by_nothing() -> None:
    network = FCNLargeNetwork(FCNLargeSize(channels=(2, 2, 2, 2, 2)))
    assert network.padding(2000) == 0
    assert all(network._output_length(n + network.padding(n)) >= n for n in range(218, 3000))


def test_published_checkpoint_names_fit_fcn_large() -> None:
    network = load_network("FCN", weights=None).network
    names = {name.rsplit(".", 1)[0] for name in network.state_dict()}
    # golden: module names of the benchmark's FCN checkpoint
    expected = {f"encoder.{i}.conv_1d.{j}" for i in range(5) for j in range(2)}
    expected |= {f"decoder.{i}.deconv_1d.{j}" for i in range(4) for j in range(2)} | {"decoder.4"}
    assert names == expected


def test_first_weights_are_xavier_uniform() -> None:
    for module in FCNNetwork(FCNSize()).modules():
        if isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
            fan = (module.in_channels + module.out_channels) * 16
            bound = (6 / fan) ** 0.5
            assert 0.9 * bound < module.weight.abs().max() <= bound


def test_quantile_scale() -> None:
    x = np.arange(-1000, 1001, dtype=float)[None] * 1e-9
    assert quantile_scale(x)[0, 0] == pytest.approx(np.quantile(np.abs(x), 0.99))
    spikes = np.zeros((1, 2000))
    spikes[0, 7] = -3e-5
    assert quantile_scale(spikes)[0, 0] == pytest.approx(3e-11)
    assert quantile_scale(np.zeros((2, 50))).tolist() == [[1.0], [1.0]]


@settings(max_examples=30)
@given(decade=st.integers(-12, 0), seed=st.integers(0, 99))
def test_normalise_does_not_depend_on_the_unit(decade: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    noisy, clean = rng.standard_normal((2, 3, 500))
    here = normalise(noisy, clean, clip=True)
    there = normalise(noisy * 10.0**decade, clean * 10.0**decade, clip=True)
    np.testing.assert_allclose(there[0], here[0], rtol=1e-6)
    np.testing.assert_allclose(there[1], here[1], rtol=1e-6)
    assert here[0].dtype == here[1].dtype == here[2].dtype == np.float32
    assert np.abs(here[0]).max() == 1.0
    loose, _, scale = normalise(noisy, clean, clip=False)
    assert np.abs(loose).max() > 1.0
    np.testing.assert_allclose(loose * scale, noisy, rtol=1e-5)


class Doubles(NeuralDenoiser):
    """Twice its input: shows what the network is given and what is made of its answer."""

    name = "doubles"
    min_samples = 10
    Size = FCNSize

    def build_network(self, size: FCNSize) -> nn.Module:
        class Network(nn.Module):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return 2 * x

        return Network()


def test_output_is_scaled_back_and_clipping_is_a_flag() -> None:
    x = emg(3)
    x -= x.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(Doubles(clip=False).denoise(x, FS_HZ), 2 * x, rtol=1e-5, atol=1e-12)
    limit = quantile_scale(x)
    np.testing.assert_allclose(Doubles().denoise(x, FS_HZ), 2 * np.clip(x, -limit, limit), rtol=1e-5)


def test_each_window_is_centred_and_that_is_a_flag() -> None:
    x = emg(2)
    x -= x.reshape(2, 2, 1000).mean(axis=2).repeat(1000, axis=1)
    steps = x + np.repeat([3.0, -8.0], 1000)
    np.testing.assert_allclose(Doubles(clip=False, window_samples=1000).denoise(steps, FS_HZ), 2 * x, atol=1e-9)
    np.testing.assert_allclose(Doubles(clip=False, centre=False).denoise(steps, FS_HZ), 2 * steps, rtol=1e-5)
    constant = np.full((1, 777), 0.1)  # its mean is another number, by rounding
    assert not Doubles().denoise(constant, FS_HZ).any()
    assert Doubles(centre=False).denoise(constant, FS_HZ) == pytest.approx(0.2)


@pytest.mark.parametrize("length", [10, 499, 500, 501, 1250, 2000])
def test_windows_cover_every_sample_once(length: int) -> None:
    x = emg(2, 2000)[:, :length]
    estimate = Doubles(clip=False, centre=False, window_samples=500).denoise(x, FS_HZ)
    np.testing.assert_allclose(estimate, 2 * x, rtol=1e-5)


def test_each_window_has_its_own_scale() -> None:
    x = emg(1)
    x[:, 1000:] *= 1e-3
    windowed = Doubles(window_samples=1000).denoise(x, FS_HZ)
    apart = np.concatenate([Doubles().denoise(half, FS_HZ) for half in (x[:, :1000], x[:, 1000:])], axis=1)
    assert np.array_equal(windowed, apart)
    assert not np.array_equal(windowed, Doubles().denoise(x, FS_HZ))


@pytest.mark.parametrize("name", NETWORKS)
def test_output_is_independent_of_neighbours_bit_for_bit(name: str) -> None:
    denoiser = load_network(name, weights=None, device="cpu")
    x = emg(4)
    together = denoiser.denoise(x, FS_HZ)
    assert together.any()
    assert np.array_equal(denoiser.denoise(x[2], FS_HZ), together[2])
    assert np.array_equal(denoiser.denoise(x[[3, 1, 1]], FS_HZ), together[[3, 1, 1]])
    batched = load_network(name, weights=None, batch_size=3, device="cpu")
    batched.network.load_state_dict(denoiser.network.state_dict())
    np.testing.assert_allclose(batched.denoise(x, FS_HZ), together, atol=1e-5 * np.abs(together).max())


def test_inference_leaves_running_statistics_alone() -> None:
    denoiser = load_network("fcn", weights=None)
    network = denoiser.network.train()
    before = json.dumps({k: v.tolist() for k, v in network.state_dict().items() if "running" in k})
    denoiser.denoise(emg(2), FS_HZ)
    assert json.dumps({k: v.tolist() for k, v in network.state_dict().items() if "running" in k}) == before


def test_smaller_networks_are_a_parameter_away() -> None:
    denoiser = load_network("fcn", weights=None, channels=(8, 4, 2))
    assert n_parameters(denoiser.network) < 2000


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"chanels": (1, 2, 3)}, "unknown parameter 'chanels'; did you mean 'channels'"),
        ({"window_samples": 50}, "window_samples is 50, at least 106"),
        ({"batch_size": 0}, "batch_size is 0, at least 1"),
        ({"device": "gpu"}, "device is 'gpu'"),
    ],
)
def test_wrong_parameters_are_named(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load("fcn", weights=None, **parameters)


def test_every_network_has_a_recipe_and_its_published_name() -> None:
    keys = {"loss", "optimizer", "learning_rate", "betas", "weight_decay", "batch_size", "epochs", "patience",
            "clip_norm", "schedule", "normalise_clip"}  # fmt: skip
    for name in ALL_NETWORKS:
        assert keys <= set(find("denoisers", name).extra["training"]) <= set(Recipe.model_fields), name
        published = find("denoisers", name).extra.get("published_name")
        assert published is None or find("denoisers", published).name == name
    assert [name for name, entry in entries("denoisers").items() if "training" in entry.extra] == list(ALL_NETWORKS)


# origin: the benchmark's list of model names
PUBLISHED = {
    "FCN": "fcn_large",
    "CNN_waveform": "cnn",
    "TrustEMGNet_UNetonly": "trustemg_unet",
    "TrustEMGNet_DM": "trustemg_dm",
    "TrustEMGNet_RM": "trustemg_rm",
    "TrustEMGNet_LSTM_DM": "trustemg_lstm_dm",
    "TrustEMGNet_LSTM_RM": "trustemg_lstm_rm",
    "TrustEMGNet_skipall_DM": "trustemg_skipall_dm",
    "TrustEMGNet_skipall_RM": "trustemg_skipall_rm",
    "MSEMG": "msemg",
    "SDEMG": "sdemg",
    "trustemg": "trustemg_rm",
}


@pytest.mark.parametrize(("published", "name"), PUBLISHED.items())
def test_published_names(published: str, name: str) -> None:
    assert find("denoisers", published).name == name
    if published != "trustemg":
        assert find("denoisers", name).extra["published_name"] == published
