"""The weights that come with the project: they load, they are what their cards say, and they denoise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cleansemg.core import dsp, npz, weight_files
from cleansemg.core.config import load as load_settings
from cleansemg.core.registry import entries, project_root
from cleansemg.data_pipeline.readers.simulated import SimulatedReader
from cleansemg.denoising import load, load_network
from cleansemg.denoising.loading import DEFAULT_DENOISER, WEIGHTS_FOLDER
from cleansemg.denoising.networks import sdemg
from cleansemg.denoising.overlap_add import denoise_long
from tests.denoising.signals import FS_HZ
from tests.denoising.small_networks import QUICKER

FILES = sorted(WEIGHTS_FOLDER.glob("*.safetensors"))
BOX_RECIPE = project_root() / "configs" / "weights.yaml"


def contractions() -> NDArray[np.float64]:
    """[4, 2000] V: the middle of a contraction in four channels of a person that is in no training."""
    reader = SimulatedReader(n_subjects=1, n_channels=4, n_gestures=1, n_repetitions=1, fs_hz=FS_HZ, seed=77)
    recording = reader.read(reader.list()[0])
    start = int(np.flatnonzero(recording.label)[0]) + 1000
    return dsp.band_pass(recording.signal, 20.0, 450.0, FS_HZ)[:, start : start + 2000]


def test_every_network_of_the_recipe_is_there() -> None:
    wanted = load_settings(BOX_RECIPE).train.models
    assert {path.stem for path in FILES} == set(wanted)
    assert set(wanted) <= set(entries("denoisers"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_and_card_agree(path: Path) -> None:
    assert path.stat().st_size < 6_000_000
    card = path.with_suffix(".md").read_text()
    assert npz.sha256(path) in card
    assert path.with_suffix(".png").is_file()
    _, info = weight_files.read(path)
    assert info["denoiser"] == path.stem
    assert f"| seed | {info['seed']} |" in card
    assert f"--model {path.stem}" in card
    assert "| denoiser | SNRimp (dB) |" in card, "no scores; make the card again with --results"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_weights_take_noise_away(path: Path) -> None:
    """A line, its third harmonic and white noise, as loud as the signal together."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    clean = contractions()
    rng = np.random.default_rng(5)
    t = np.arange(2000) / FS_HZ
    line = np.sin(2 * np.pi * 50.1 * t + 1.0) + 0.4 * np.sin(2 * np.pi * 150.3 * t)
    noise = line + 0.5 * rng.standard_normal(clean.shape)
    noise *= np.sqrt((clean**2).sum(1, keepdims=True) / (noise**2).sum(1, keepdims=True))
    denoiser = load(path.stem)
    estimate = denoiser.denoise(clean + noise, FS_HZ)
    torch.set_num_threads(before)
    gain_db = 10 * np.log10((noise**2).sum(1) / ((estimate - clean) ** 2).sum(1))
    assert gain_db.mean() > 3.0
    assert gain_db.min() > 1.0


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_offset_changes_nothing(path: Path) -> None:
    denoiser = load(path.stem, **QUICKER.get(path.stem, {}))
    x = contractions()[:2]
    plain = denoiser.denoise(x, FS_HZ)
    for offset in (1e-3, -0.5):  # the signal has 2e-4 V at most
        shifted = denoiser.denoise(x + offset, FS_HZ)
        np.testing.assert_allclose(shifted, plain, atol=2e-3 * np.abs(plain).max())
    assert not denoiser.denoise(np.full((1, 2000), 0.1), FS_HZ).any()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_drift_of_a_recording_does_not_reach_the_network(path: Path, monkeypatch) -> None:
    monkeypatch.setattr(sdemg, "sign_digest", len)  # one draw for both: whatever is left of a drift would name another
    denoiser = load(path.stem, **QUICKER.get(path.stem, {}))
    x = contractions()[:2]
    sway = 10 * x.std() * np.sin(2 * np.pi * np.arange(2000) / FS_HZ)
    plain, swaying = (denoise_long(denoiser, y, FS_HZ)[:, 250:-250] for y in (x, x + 0.05 + sway))
    assert np.corrcoef(plain.ravel(), swaying.ravel())[0, 1] > 0.99
    assert not denoise_long(denoiser, np.full((1, 3000), 0.1), FS_HZ).any()


@pytest.mark.realdata
def test_a_recording_in_codes_about_32768_survives_the_default(real_data: Path) -> None:
    codes = np.load(real_data / "biosignalsnotebooks" / "emg_bursts.npz")["raw_uint16"][None, :20_000].astype(float)
    name, weights_of = DEFAULT_DENOISER
    denoiser = load(name, weights=weights_of)
    before = dsp.band_pass(codes, 20.0, 450.0, FS_HZ)[0, 500:-500]
    for estimate in (denoiser.denoise(codes, FS_HZ), denoise_long(denoiser, codes, FS_HZ)):
        after = dsp.band_pass(estimate, 20.0, 450.0, FS_HZ)[0, 500:-500]
        assert np.corrcoef(before, after)[0, 1] > 0.9


@pytest.mark.parametrize("name", ["fcn", "trustemg_rm", "msemg"])
def test_bfloat16_means_the_same_as_float32(name: str) -> None:
    """What training computes in bfloat16 is used in float32; processors with AMX once computed something else."""
    network = load_network(name).network.eval()
    x = 0.3 * torch.randn(16, 2000, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        exact = network(x)
        with torch.autocast("cpu", torch.bfloat16):
            short = network(x).float()
    assert float((short - exact).norm() / exact.norm()) < 0.1
