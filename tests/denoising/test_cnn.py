"""The CNN on chunks: sizes, chunks at any length, and that a chunk is on its own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from cleansemg.denoising import load_network
from cleansemg.denoising.loading import small_form
from cleansemg.denoising.networks.cnn import CNNNetwork, CNNSize
from cleansemg.denoising.neural import NeuralDenoiser
from tests.denoising.signals import FS_HZ, emg


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(3)
    yield
    torch.set_num_threads(before)


def cnn(**parameters: object) -> NeuralDenoiser:
    denoiser = load_network("cnn", weights=None, device="cpu", **parameters)
    assert isinstance(denoiser, NeuralDenoiser)
    return denoiser


@pytest.mark.parametrize(
    ("parameters", "count"),
    [
        ({}, 2_689_848),  # golden: the public code's class, built and counted
        (small_form("cnn"), 475_464),  # golden: sum over the layers at the channels of the paper's supplement
    ],
)
def test_number_of_parameters(parameters: dict[str, object], count: int) -> None:
    assert sum(p.numel() for p in cnn(**parameters).network.parameters()) == count


def test_lengths_inside() -> None:
    network = CNNNetwork(CNNSize(channels=(2, 2, 2, 2))).eval()
    found: list[tuple[int, ...]] = []
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.Linear):
            module.register_forward_hook(lambda m, i, y: found.append(tuple(y.shape)))
    network(torch.zeros(3, 2000))
    # golden: stride arithmetic of the published layers, ten chunks a signal
    assert found == [(30, 2, 97), (30, 2, 45), (30, 2, 19), (30, 2, 6), (30, 400), (30, 200)]


@pytest.mark.parametrize("length", [200, 201, 399, 400, 1999, 2000, 2001, 10_000])
def test_the_last_chunk_ends_with_the_signal(length: int) -> None:
    network = CNNNetwork(CNNSize(channels=(4, 4, 4, 4), hidden=20)).eval()
    x = torch.randn(2, length)
    with torch.inference_mode():
        y = network(x)
        starts = range(0, length - 199, 200)
        expected = torch.cat([network(x[:, start : start + 200]) for start in starts], dim=1)
        last = network(x[:, -200:])
    assert y.shape == x.shape
    torch.testing.assert_close(y[:, : expected.shape[1]], expected)
    torch.testing.assert_close(y[:, -200:][:, -(length % 200 or 200) :], last[:, -(length % 200 or 200) :])


def test_a_chunk_is_on_its_own() -> None:
    network = CNNNetwork(CNNSize(channels=(4, 4, 4, 4), hidden=20)).eval()
    x = torch.randn(1, 1000)
    other = x.clone()
    other[:, 450] += 1
    with torch.inference_mode():
        changed = (network(x) != network(other)).flatten().nonzero().flatten()
    assert changed.min() >= 400
    assert changed.max() < 600


def test_output_is_independent_of_neighbours() -> None:
    denoiser = cnn(**small_form("cnn"))
    x = emg(4, 1234)
    together = denoiser.denoise(x, FS_HZ)
    assert np.array_equal(denoiser.denoise(x[2], FS_HZ), together[2])
    assert np.array_equal(denoiser.denoise(x[[3, 1, 1]], FS_HZ), together[[3, 1, 1]])
    batched = cnn(**small_form("cnn"), batch_size=3)
    batched.network.load_state_dict(denoiser.network.state_dict())
    np.testing.assert_allclose(batched.denoise(x, FS_HZ), together, atol=1e-5 * np.abs(together).max())


def test_dropout_only_in_training() -> None:
    network = CNNNetwork(CNNSize(channels=(4, 4, 4, 4), hidden=20))
    x = torch.randn(2, 400)
    assert not torch.equal(network.train()(x), network(x))
    assert torch.equal(network.eval()(x), network(x))
