"""SDEMG: the published network and its checkpoints, and what its samples promise."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cleansemg.core import weight_files
from cleansemg.core.errors import UserError
from cleansemg.core.registry import find
from cleansemg.core.seeding import generator
from cleansemg.denoising import Denoiser, load_network
from cleansemg.denoising.conformance import run_checks
from cleansemg.denoising.loading import small_form
from cleansemg.denoising.networks.diffusion import Draw, Sampling
from cleansemg.denoising.networks.sdemg import SDEMG, SDEMGNetwork, sign_digest
from cleansemg.denoising.neural import normalise
from tests.denoising.published_sdemg import T, published_buffers, published_eps, published_sample, published_state
from tests.denoising.signals import FS_HZ, emg

TINY = {"features": 8}
QUICK = {**TINY, "sampler": "fast", "steps": 3}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(3)
    yield
    torch.set_num_threads(before)


def sdemg(**parameters: object) -> SDEMG:
    denoiser = load_network("sdemg", **{"weights": None, "device": "cpu", **parameters})  # type: ignore[arg-type]
    assert isinstance(denoiser, SDEMG)
    denoiser.network.eval()
    return denoiser


def net(denoiser: SDEMG) -> SDEMGNetwork:
    assert isinstance(denoiser.network, SDEMGNetwork)
    return denoiser.network


def save(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize(
    ("parameters", "count"),
    [
        ({}, 1_233_857),  # golden: Table II of the MSEMG paper
        ({"shared_bridge": True}, 1_101_761),  # golden: the benchmark's class, built and counted
        ({"unused_last_block": False}, 1_020_481),  # golden: sum over the layers that run
        (small_form("sdemg"), 64_657),  # golden: the number in configs/denoisers/sdemg.yaml
    ],
)
def test_number_of_parameters(parameters: dict[str, object], count: int) -> None:
    network = sdemg(**parameters).network
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == count


@pytest.mark.parametrize("key", [None, "model_state_dict", "state_dict", "model"])
def test_outputs_are_those_of_the_published_network(key: str | None, tmp_path: Path) -> None:
    state = published_state()
    path = save(tmp_path / "SDEMG_best.pth", state if key is None else {key: state, "epoch": 7})
    denoiser = sdemg(weights=path)
    network = net(denoiser)
    random = torch.Generator().manual_seed(5)
    x, noisy = torch.randn(2, 3, 300, generator=random)
    level = torch.tensor([0.9, 0.5, 0.01])
    with torch.inference_mode():
        expected = published_eps(state, x, noisy, level)
        assert 0.1 < expected.std() < 20
        torch.testing.assert_close(network.model(x, network.model.condition(noisy), level), expected, atol=1e-4, rtol=0)
        y = emg(2, 150)
        scaled, _, scale = normalise(y, y, clip=True)
        streams = [generator(0, "sdemg", 0, sign_digest(row)) for row in scaled]
        noise = (torch.from_numpy(np.stack([rng.standard_normal(150, "float32") for rng in streams])) for _ in range(T))
        expected = published_sample(state, torch.from_numpy(scaled), noise)
        estimate = torch.from_numpy(denoiser.denoise(y, FS_HZ) / scale)
        assert expected.std() > 0.05
        torch.testing.assert_close(estimate.float(), expected, atol=1e-4, rtol=0)


def test_the_published_size_loads(tmp_path: Path) -> None:
    state = published_state(64)
    assert sum(tensor.numel() for name, tensor in state.items() if ".model." in name) == 1_233_857
    network = net(sdemg(weights=save(tmp_path / "SDEMG_best.pth", {"model_state_dict": state})))
    x, noisy = torch.randn(2, 1, 200)
    level = torch.tensor([0.3])
    with torch.inference_mode():
        ours = network.model(x, network.model.condition(noisy), level)
        torch.testing.assert_close(ours, published_eps(state, x, noisy, level), atol=1e-4, rtol=0)


def test_what_a_file_says(tmp_path: Path) -> None:
    shared = net(sdemg(weights=save(tmp_path / "a.pth", published_state(12, shared=True))))
    assert len(shared.model.bridge) == 1
    assert shared.model.features == 12
    assert shared.wrapped_level  # the quirk of the public training
    own = net(sdemg(weights=save(tmp_path / "b.pth", published_state(12))))
    assert len(own.model.bridge) == 5
    assert not net(sdemg(**TINY)).wrapped_level
    state = {**published_state(), **published_buffers(20)}
    without_last = {
        name: tensor for name, tensor in state.items() if "stream_x.5." not in name and "cond.5." not in name
    }
    short = net(sdemg(weights=save(tmp_path / "c.pth", without_last)))
    assert len(short.levels) == 21
    assert len(short.model.stream_x) == len(short.model.stream_cond) == 5
    # the diffusion alone, as the class inside the benchmark's wrapper would be saved
    bare = {name.removeprefix("diffusion."): tensor for name, tensor in published_state().items()}
    assert len(net(sdemg(weights=save(tmp_path / "d.pth", bare))).model.bridge) == 5


def test_outputs_with_a_shared_bridge(tmp_path: Path) -> None:
    state = published_state(shared=True)
    network = net(sdemg(weights=save(tmp_path / "x.pth", state)))
    x, noisy = torch.randn(2, 2, 100)
    level = torch.tensor([0.9, 0.2])
    with torch.inference_mode():
        ours = network.model(x, network.model.condition(noisy), level)
        torch.testing.assert_close(ours, published_eps(state, x, noisy, level), atol=1e-4, rtol=0)


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    state = published_state()
    state["diffusion.model.bridge.3.extra.weight"] = state.pop("diffusion.model.bridge.3.input_conv.weight")
    state["diffusion.model.stream_x.2.conv_1.weight"] = torch.zeros(8, 8, 7)
    state["ema.weight"] = torch.zeros(2)
    with pytest.raises(UserError) as caught:
        sdemg(weights=save(tmp_path / "x.pth", state))
    text = str(caught.value)
    assert "missing: model.bridge.3.input_conv.weight;" in text
    assert "unexpected: model.bridge.3.extra.weight, ema.weight;" in text
    assert "shape: model.stream_x.2.conv_1.weight 8x8x7 for 8x8x9" in text


@pytest.mark.parametrize("betas", [torch.linspace(1e-4, 0.02, 50), torch.full((50,), float("nan")), torch.zeros(0)])
def test_another_schedule_is_refused(betas: torch.Tensor, tmp_path: Path) -> None:
    state = {**published_state(), "diffusion.betas": betas}
    with pytest.raises(UserError, match="betas of the checkpoint are not those of the cosine schedule"):
        sdemg(weights=save(tmp_path / "x.pth", state))


def test_a_checkpoint_of_another_network_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"does not fit this network; missing: model.stream_x.0.0.weight"):
        sdemg(weights=save(tmp_path / "x.pth", {"conv.weight": torch.zeros(3)}))


@pytest.mark.parametrize("shared", [False, True])
def test_own_weights_go_round(shared: bool, tmp_path: Path) -> None:
    parameters = {**QUICK, "shared_bridge": shared}
    denoiser = sdemg(**parameters)
    weight_files.write(tmp_path / "x.safetensors", denoiser.network, {"denoiser": "sdemg", "parameters": parameters})
    assert np.array_equal(sdemg(weights=tmp_path / "x.safetensors").denoise(emg(1, 300), FS_HZ),
                          denoiser.denoise(emg(1, 300), FS_HZ))  # fmt: skip
    longer = net(sdemg(weights=tmp_path / "x.safetensors", sampler="ancestral", seed=4))
    assert (longer.sampling.sampler, longer.sampling.seed) == ("ancestral", 4)
    assert not [name for name in denoiser.network.state_dict() if "level" in name]


@pytest.mark.parametrize(
    "parameters", [{}, {"sampler": "fast", "steps": 4}, {"sampler": "fast", "eta": 0.0, "steps": 4}]
)
def test_samples_depend_on_the_seed_alone(parameters: dict[str, object], tmp_path: Path) -> None:
    path = save(tmp_path / "x.pth", published_state(4))
    x = emg(3, 100)
    denoiser = sdemg(weights=path, **parameters)
    together = denoiser.denoise(x, FS_HZ)
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002 - global draws must not matter
    assert np.array_equal(denoiser.denoise(x, FS_HZ), together)
    assert np.array_equal(denoiser.denoise(x[2], FS_HZ), together[2])
    assert np.array_equal(denoiser.denoise(x[[1, 1, 0, 2]], FS_HZ), together[[1, 1, 0, 2]])
    batched = sdemg(weights=path, batch_size=3, **parameters).denoise(x, FS_HZ)
    # other draws would differ by half the range; rounding in larger batches grows over the steps
    np.testing.assert_allclose(batched, together, atol=1e-3 * np.abs(together).max())
    other = sdemg(weights=path, seed=1, **parameters).denoise(x, FS_HZ)
    assert np.abs(other - together).max() > 0.01 * np.abs(together).max()


def test_sampling_leaves_torchs_generator_alone() -> None:
    denoiser = sdemg(**QUICK)
    torch.manual_seed(8)
    expected = torch.rand(1)
    torch.manual_seed(8)
    denoiser.denoise(emg(1, 100), FS_HZ)
    assert torch.equal(torch.rand(1), expected)


def test_samples_are_averaged(tmp_path: Path) -> None:
    path = save(tmp_path / "x.pth", published_state())
    network = net(sdemg(weights=path))
    noisy = torch.randn(2, 120).clamp(-1, 1)
    with torch.inference_mode():
        network.sampling = Sampling("fast", steps=5, samples=1)
        one = network(noisy)
        network.sampling = Sampling("fast", steps=5, samples=2)
        two = network(noisy)
        network.sampling = Sampling("fast", steps=5, samples=3)
        three = network(noisy)
    second, third = 2 * two - one, 3 * three - 2 * two
    for a, b in ((one, second), (one, third), (second, third)):
        assert (a - b).abs().max() > 0.01  # draws of their own
    assert max(draw.abs().max() for draw in (one, second, third)) < 1 + 1e-5


def test_only_what_is_needed_runs() -> None:
    network = net(sdemg(**TINY, samples=1))
    runs = {"stem": 0, "bridge": 0, "last": 0}

    def count(module: nn.Module, name: str) -> None:
        def add(*_: object) -> None:
            runs[name] += 1

        module.register_forward_hook(add)

    count(network.model.stream_cond[0], "stem")
    count(network.model.bridge[0], "bridge")
    count(network.model.stream_x[5], "last")
    count(network.model.stream_cond[5], "last")
    with torch.inference_mode():
        network(torch.zeros(1, 64))
    assert runs == {"stem": 1, "bridge": T, "last": 0}


def test_the_loss_is_that_of_the_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    network = net(sdemg(**TINY))
    noisy = torch.randn(16, 500)
    torch.manual_seed(1)
    first = network.training_loss(noisy, noisy.clamp(-1, 1))
    assert first.shape == ()
    torch.manual_seed(1)
    assert torch.equal(network.training_loss(noisy, noisy.clamp(-1, 1)), first)
    assert not torch.equal(network.training_loss(noisy, noisy.clamp(-1, 1)), first)
    monkeypatch.setattr(network.model, "forward", lambda x, condition, level: torch.zeros_like(x))
    assert network.training_loss(noisy, noisy.clamp(-1, 1)).item() == pytest.approx(1, abs=4 * math.sqrt(2 / 8000))

    def knows_the_clean(x: torch.Tensor, condition: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        n = level[:, None]
        return (x - n * 0.5) / (1 - n**2).sqrt()

    monkeypatch.setattr(network.model, "forward", knows_the_clean)
    assert network.training_loss(noisy, torch.full_like(noisy, 0.5)).item() < 1e-6


def test_gradients_reach_every_block_that_runs() -> None:
    network = net(sdemg(**TINY))
    network.training_loss(torch.randn(2, 100), torch.randn(2, 100).clamp(-1, 1)).backward()
    without = {name.rsplit(".", 1)[0][:20] for name, p in network.named_parameters() if p.grad is None}
    assert without == {name[:20] for name in without if ".5." in name}
    assert len(without) > 0


def test_a_few_steps_of_training_lower_the_loss() -> None:
    network = net(sdemg(features=4, unused_last_block=False))
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    noisy = torch.randn(4, 60).clamp(-1, 1)
    losses = []
    for _ in range(40):
        loss = network.training_loss(noisy, 0.5 * noisy)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-10:]) < 0.1 * np.mean(losses[:3])


def test_the_minimum_is_what_the_padding_needs() -> None:
    denoiser = sdemg(**QUICK)
    assert denoiser.denoise(emg(1, 29), FS_HZ).shape == (1, 29)
    with pytest.raises(RuntimeError, match=r"[Pp]adding size"):
        denoiser.network(torch.zeros(1, 28))
    with pytest.raises(UserError, match="needs 29 samples, got 28"):
        denoiser.denoise(emg(1, 28), FS_HZ)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"features": 10}, "features is 10, it must be a multiple of 4"),
        ({"steps_trained": 1}, "steps_trained is 1, at least 2"),
        ({"sampler": "ddim"}, "sampler is 'ddim'"),
        ({"sampels": 2}, "unknown parameter 'sampels'; did you mean 'samples'"),
    ],
)
def test_wrong_parameters_are_named(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        sdemg(**parameters)


def test_it_conforms() -> None:
    def fresh() -> SDEMG:
        torch.manual_seed(1)
        return sdemg(features=4, sampler="fast", steps=2)

    assert not [f"{result.check}: {result.detail}" for result in run_checks(fresh) if not result.passed]


def test_the_entry() -> None:
    entry = find("denoisers", "SDEMG")
    assert entry.name == "sdemg"
    assert entry.extra["training"]["loss"] == "network"
    assert sdemg().network.sampling == SDEMG.Size()  # the default is the paper's 50 steps
    assert SDEMG.Size().sampler == "ancestral"


def first_draws(denoiser: Denoiser, x: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """[n, L] the noise that the sampler starts from, for each signal of a batch."""
    drawn: list[torch.Tensor] = []

    def record(predict: object, draw: Draw, *_: object) -> torch.Tensor:
        drawn.append(draw())
        return torch.zeros_like(drawn[-1])

    monkeypatch.setattr("cleansemg.denoising.networks.sdemg.sample", record)
    denoiser.denoise(x, FS_HZ)
    return torch.cat(drawn).numpy()


def test_every_signal_has_its_own_noise_whatever_the_batch_order_or_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    x = emg(3, 300)
    order = [2, 0, 1, 0]
    for batch_size in (1, 4):
        denoiser = sdemg(**QUICK, samples=1, batch_size=batch_size)
        noise = first_draws(denoiser, x, monkeypatch)
        np.testing.assert_array_equal(first_draws(denoiser, x[order], monkeypatch), noise[order])
        np.testing.assert_array_equal(first_draws(denoiser, 1e6 * x + 0.0, monkeypatch), noise)
        correlation = np.corrcoef(noise)[np.triu_indices(3, 1)]
        assert np.abs(correlation).max() < 0.25  # 300 independent samples: 4 standard deviations
    longer = first_draws(denoiser, np.pad(x, ((0, 0), (0, 1))), monkeypatch)
    assert np.abs(longer[:, :300] - noise).max() > 0.1
    np.testing.assert_allclose(noise.std(), 1.0, atol=0.1)
