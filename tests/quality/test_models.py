"""The networks: published sizes, shapes, scale, losses, and files of weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cleansemg.core import weight_files
from cleansemg.core.errors import UserError
from cleansemg.quality import models
from cleansemg.quality.qase import CLEAN_DB, snr_loss
from cleansemg.quality.wldnn import waveform_lengths


@pytest.mark.parametrize(
    ("name", "parameters", "count"),
    [
        ("qase", {}, 129_041),  # printed in the notebooks
        ("qase", {"n_kinds": 5}, 129_041 + 65 * 5),
        ("wldnn", {}, 1_461),
        ("cnn", {}, 112_465),  # final code
        ("cnn_notebook", {}, 37_969),
        ("cnn_attention", {}, 33_745),
        ("cnn_blstm", {}, 118_993),  # final code
    ],
)
def test_parameter_counts(name: str, parameters: dict[str, int], count: int) -> None:
    assert models.count(models.build(name, **parameters)) == count


def test_time_steps_of_the_published_input() -> None:
    network = models.build("qase")
    y = network.convolutions(torch.zeros(1, 1, 10_000))
    assert y.shape == (1, 32, 311)


@pytest.mark.parametrize("name", list(models.QASE_FORMS))
def test_any_length_from_the_shortest(name: str) -> None:
    network = models.build(name, n_kinds=5).eval()
    for length in (network.min_samples, 1000, 1003):
        assert network(torch.randn(3, length)).shape == (3, 6)
    with pytest.raises(RuntimeError):
        network(torch.randn(1, network.min_samples - 1))


@pytest.mark.parametrize("scale", ["peak", "rms"])
def test_unit_does_not_matter(scale: str) -> None:
    torch.manual_seed(0)
    network = models.build("qase", n_kinds=5, scale=scale).eval()
    x = torch.randn(4, 2000)
    with torch.no_grad():
        volts, microvolts, silent = network(x * 1e-6), network(x), network(0 * x)
    torch.testing.assert_close(volts, microvolts, rtol=1e-4, atol=1e-4)
    assert torch.isfinite(silent).all()


def test_a_signal_is_read_on_its_own() -> None:
    network = models.build("qase").eval()
    x = torch.randn(5, 1500)
    with torch.no_grad():
        torch.testing.assert_close(network(x)[2:3], network(x[2:3]), rtol=1e-5, atol=1e-5)


def test_loss_of_a_signal_without_noise() -> None:
    none = torch.tensor([float("nan")])
    assert snr_loss(torch.tensor([CLEAN_DB + 5]), none, 1.0) == 0
    assert snr_loss(torch.tensor([CLEAN_DB - 4]), none, 2.0) == 4.0
    mixed = snr_loss(torch.tensor([CLEAN_DB, 1.0]), torch.tensor([float("nan"), 4.0]), 1.0)
    assert float(mixed) == pytest.approx(4.5)


def test_gradients_stay_finite_with_signals_without_noise() -> None:
    network = models.build("qase", n_kinds=5)
    target = torch.zeros(2, 6)
    target[0, 0] = float("nan")
    network.training_loss(torch.randn(2, 1000), target).backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


def test_waveform_lengths_against_a_loop() -> None:
    x = np.random.default_rng(0).standard_normal((2, 400)) + 3
    found = waveform_lengths(torch.from_numpy(x), 2, 200).numpy()
    for row in range(2):
        signal = x[row] - x[row].mean()
        signal = signal / np.sqrt((signal**2).sum())
        for window in range(2):
            part = signal[200 * window : 200 * window + 200]
            length = sum(abs(part[i + 1] - part[i]) for i in range(199))
            assert found[row, window] == pytest.approx(length, rel=1e-9)


def test_baseline_scaling_and_length() -> None:
    network = models.build("wldnn")
    x = torch.randn(64, 10_000)
    network.fit_scaling([x[:40], x[40:]])
    scaled = (waveform_lengths(x, 50, 200) - network.mean) / network.std
    torch.testing.assert_close(scaled.mean(dim=0), torch.zeros(50), atol=1e-4, rtol=0)
    torch.testing.assert_close(scaled.std(dim=0, unbiased=False), torch.ones(50), atol=1e-4, rtol=0)
    with pytest.raises(UserError, match="10000 samples"):
        network(torch.randn(1, 2000))
    with pytest.raises(UserError, match=r"quality.kinds: false"):
        models.build("wldnn", n_kinds=5)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("qaes", {}, "did you mean 'qase'"),
        ("qase", {"use_lstn": False}, "did you mean 'use_lstm'"),
        ("qase", {"scale": "max"}, "expected peak or rms"),
        ("qase", {"channels": []}, "1 to 5"),
        ("qase", {"heads": 3}, "does not divide"),
    ],
)
def test_refused(name: str, parameters: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        models.build(name, **parameters)


def test_weights_come_back(tmp_path) -> None:
    network = models.build("cnn_attention", n_kinds=5)
    path = tmp_path / "w.safetensors"
    weight_files.write(path, network, {"quality_model": "cnn_attention", "parameters": {"n_kinds": 5}})
    found = models.load(path)
    x = torch.randn(2, 1000)
    with torch.no_grad():
        torch.testing.assert_close(found.network(x), network.eval()(x))
    weight_files.write(path, network, {"denoiser": "fcn"})
    with pytest.raises(UserError, match="not weights of a quality model"):
        models.load(path)
    with pytest.raises(UserError, match="no such file"):
        models.load(tmp_path / "absent.safetensors")
