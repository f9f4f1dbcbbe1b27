"""Input that no network was trained on, against every network of the registry in its small form."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cleansemg.denoising import InputError, load_network
from cleansemg.denoising.neural import NeuralDenoiser
from cleansemg.denoising.resampled import Resampled
from tests.denoising.signals import FS_HZ, emg
from tests.denoising.small_networks import NETWORKS, quick_form

N_SAMPLES = 600


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=NETWORKS)
def denoiser(request: pytest.FixtureRequest) -> NeuralDenoiser:
    """A fresh network."""
    name: str = request.param
    torch.manual_seed(4)
    return load_network(name, weights=None, device="cpu", **quick_form(name))


def spike(height: float = 1.0) -> NDArray[np.float64]:
    x = np.zeros((1, N_SAMPLES))
    x[0, N_SAMPLES // 3] = height
    return x


UNUSUAL = {
    "silence": np.zeros((1, N_SAMPLES)),
    "1e6": 1e6 * emg(1, N_SAMPLES) / 1e-4,
    "1e-12": 1e-12 * emg(1, N_SAMPLES) / 1e-4,
    "a spike": spike(),
    "a spike of 1e6": spike(1e6),
    "a spike of 1e-12": spike(-1e-12),
    "a spike on EMG": emg(1, N_SAMPLES) + spike(1e3),
    "a constant": np.full((1, N_SAMPLES), 3e-5),
    "a large offset": emg(1, N_SAMPLES) + 5.0,
    "a square wave": np.sign(np.sin(np.arange(N_SAMPLES) / 9.0))[None],
    "half silent": np.concatenate([np.zeros((1, N_SAMPLES // 2)), emg(1, N_SAMPLES // 2)], axis=1),
}


@pytest.mark.parametrize("what", UNUSUAL)
def test_unusual_input_gives_finite_output_in_its_scale(denoiser: NeuralDenoiser, what: str) -> None:
    x = UNUSUAL[what]
    estimate = denoiser.denoise(x, FS_HZ)
    assert estimate.shape == x.shape
    assert np.isfinite(estimate).all()
    assert np.abs(estimate).max() <= 1e3 * np.abs(x).max()
    assert estimate.any() == (np.ptp(x) > 0)  # an offset alone is silence


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(denoiser: NeuralDenoiser, value: float) -> None:
    x = emg(3, N_SAMPLES)
    x[1, 17] = value
    with pytest.raises(InputError, match="signal 1 is not finite at sample 17"):
        denoiser.denoise(x, FS_HZ)


def test_input_that_is_too_short_is_refused(denoiser: NeuralDenoiser) -> None:
    shortest = denoiser.min_samples
    assert denoiser.denoise(emg(1)[:, :shortest], FS_HZ).shape == (1, shortest)
    with pytest.raises(InputError, match=f"'{denoiser.name}' needs {shortest} samples, got {shortest - 1}"):
        denoiser.denoise(emg(1)[:, : shortest - 1], FS_HZ)
    with pytest.raises(InputError, match="expected signals"):
        denoiser.denoise(np.zeros((2, 0)), FS_HZ)


def test_another_rate_is_refused(denoiser: NeuralDenoiser) -> None:
    with pytest.raises(InputError, match="works from 200 Hz on, got 199 Hz"):
        Resampled(denoiser).denoise(emg(1), 199.0)
    with pytest.raises(InputError, match="works at 1000 Hz, got 2000 Hz; resample first"):
        denoiser.denoise(emg(1), 2000.0)
