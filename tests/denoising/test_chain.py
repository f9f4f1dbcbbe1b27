"""Denoisers one after the other: `denoising/chain.py`, and the ways to name a chain."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from cleansemg.core.errors import InputError, UserError
from cleansemg.denoising import NoiseLabels, load, loading
from cleansemg.denoising.causal import CausalDenoiser
from cleansemg.denoising.chain import Chain, Link, links_of, title
from cleansemg.denoising.conformance import run_checks
from cleansemg.denoising.overlap_add import OverlapAdd, best_streaming, denoise_long
from cleansemg.denoising.resampled import Resampled
from cleansemg.formats import open_file
from cleansemg.recordings import DenoiseOptions, clean_file
from cleansemg.recordings.denoiser_choice import choose
from tests.denoising.noise_signals import contaminated
from tests.denoising.signals import FS_HZ, emg, snr_db
from tests.denoising.small_networks import quick_form
from tests.pipeline_runs import run

CHAINS = ["line_interpolation+hp", "line_interpolation+wavelet", "ts+hp", "hp+fcn", "gain+identity"]


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_conforms(name: str) -> None:
    def build() -> Chain:
        torch.manual_seed(1)
        links = [{"name": link.name, "parameters": quick_form(link.name)} for link in links_of(name)]
        chain = load(links, weights=None)
        assert isinstance(chain, Chain)
        return chain

    results = run_checks(build)
    assert {result.track for result in results} == set(build().tracks)
    assert not [f"{result.check}: {result.detail}" for result in results if not result.passed]


def test_each_link_gets_the_output_of_the_one_before() -> None:
    _, noisy = contaminated("PLI", -5.0)
    first, second = load("line_interpolation"), load("emd", f_min_hz=30.0)
    expected = second.denoise(first.denoise(noisy, FS_HZ), FS_HZ)
    for chain in (
        load("line_interpolation+emd", **{"emd.f_min_hz": 30.0}),
        load(["line_interpolation", {"name": "emd", "parameters": {"f_min_hz": 30.0}}]),
        Chain([first, second]),
    ):
        np.testing.assert_array_equal(chain.denoise(noisy, FS_HZ), expected)
        assert chain.name == "line_interpolation+emd"


def test_a_line_is_gone_before_the_next_link_sees_it() -> None:
    clean, noisy = contaminated("PLI", -10.0)
    alone, after = load("hp").denoise(noisy, FS_HZ), load("line_interpolation+hp").denoise(noisy, FS_HZ)
    assert (snr_db(clean, after) > snr_db(clean, alone) + 3).all()


def test_a_chain_of_one_is_that_denoiser() -> None:
    assert load(["hp"]).name == load("hp").name == "hp"
    assert not isinstance(load(["hp"]), Chain)


def test_labels_reach_every_link_on_the_tracks_that_all_have() -> None:
    _, noisy = contaminated("ECG", 0.0)
    labels = NoiseLabels(np.tile([False, True, False, False, False], (len(noisy), 1)), np.full(len(noisy), np.nan))
    chain = load("ts+hp")
    assert "oracle" in chain.tracks
    expected = load("hp").denoise(load("ts").denoise(noisy, FS_HZ, labels), FS_HZ, labels)
    np.testing.assert_array_equal(chain.denoise(noisy, FS_HZ, labels), expected)
    assert load("hp+fcn", weights=None).tracks == ("blind",)
    with pytest.raises(UserError, match=r"chain zero\+wiener_oracle: its links have no track in common"):
        load("zero+wiener_oracle")


def test_links_that_are_made_for_one_rate_are_resampled_one_by_one() -> None:
    chain = load("hp+fcn", weights="pretrained")
    assert isinstance(chain.links[1], Resampled)
    x = emg(2, 4096)
    expected = chain.links[1].denoise(load("hp").denoise(x, 2048.0), 2048.0)
    np.testing.assert_array_equal(chain.denoise(x, 2048.0), expected)
    assert chain.shortest(2048.0) == max(link.shortest(2048.0) for link in chain.links)
    with pytest.raises(InputError, match=f"needs {chain.shortest(1000.0)} samples"):
        chain.denoise(emg(1, chain.shortest(1000.0) - 1), 1000.0)
    assert chain.lowest_hz == 20.0  # a recording is high-passed there, as for the network alone


def test_long_recordings_with_gaps() -> None:
    chain = load("line_interpolation+hp")
    x = emg(2, 9000)
    x[1, 3000:3100] = np.nan
    whole = denoise_long(chain, x, FS_HZ)
    assert np.isnan(whole).sum() == 100
    np.testing.assert_allclose(whole[0, :3000], denoise_long(chain, x[:1], FS_HZ)[0, :3000])
    assert isinstance(best_streaming(chain, FS_HZ, 2), OverlapAdd)  # line_interpolation has no causal form


def test_the_causal_form_is_that_of_the_links_in_turn() -> None:
    chain = load("hp+hp", **{"hp.slow_ratio": 0.0})
    x = emg(2, 5000) + 1e-4
    x[0, 2000:2050] = np.nan
    form = best_streaming(chain, FS_HZ, 2)
    assert isinstance(form, CausalDenoiser)
    single = [load("hp", slow_ratio=0.0).causal(FS_HZ, 2) for _ in range(2)]
    blocks = [form.push(x[:, at : at + 313]) for at in range(0, 5000, 313)]
    streamed = np.concatenate([*blocks, form.finish()], axis=1)
    first, second = single
    once = first.push(x).astype(np.float64)
    expected = second.push(once)
    np.testing.assert_allclose(streamed, expected, rtol=1e-5, atol=1e-11)
    assert form.delay_s == pytest.approx(2 * single[0].delay_s)
    assert form.n_gaps == 1
    assert load("hp+fcn", weights=None).causal(FS_HZ, 1) is None


def test_weights_are_those_of_the_networks() -> None:
    (first, second) = loading.with_weights(links_of("line_interpolation+fcn"), "open")
    assert (first.weights, second.weights) == ("pretrained", "open")
    mixed = loading.with_weights((Link("fcn", "pretrained"), Link("cnn")), "mine.safetensors")
    assert [link.weights for link in mixed] == ["pretrained", "mine.safetensors"]
    with pytest.raises(UserError, match="one file of weights for several networks"):
        load("fcn+cnn", weights="mine.safetensors")
    with pytest.raises(UserError, match=r"line_interpolation\+hp: no link needs weights"):
        load("line_interpolation+hp", weights="open")
    with pytest.raises(UserError, match="'hp' has no network"):
        load([{"name": "hp", "weights": "open"}, "fcn"])


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        ("line_interpolation+vnd", "no denoiser is called 'vnd'.*vmd"),
        ("line_interpolation+", "a link without a name"),
        ("+", "a link without a name"),
        ([], "a chain without links"),
        (["line_interpolation+hp", "vmd"], "is a chain itself"),
        ([["hp", "vmd"]], "a link is the name of a denoiser"),
        ([{"chain": ["hp"], "name": "x"}], "is a chain itself"),
        ([{"name": "hp", "cutoff_hz": 20}, "vmd"], "unknown key 'cutoff_hz'"),
        (["hp", 3], "a link is 3"),
    ],
)  # fmt: skip
def test_what_is_no_chain_is_refused_in_one_line(chain: object, message: str) -> None:
    with pytest.raises(UserError, match=message) as raised:
        load(chain)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)


def test_parameters_belong_to_a_link() -> None:
    with pytest.raises(UserError, match=r"parameter 'k' belongs to no link of line_interpolation\+vmd"):
        load("line_interpolation+vmd", k=5)
    with pytest.raises(UserError, match="belongs to no link"):
        load("line_interpolation+vmd", **{"hp.order": 2})
    with pytest.raises(UserError, match="denoiser 'vmd': unknown parameter 'kk'"):
        load("line_interpolation+vmd", **{"vmd.kk": 5})
    assert links_of("line_interpolation+VMD", {"vmd.k": 5})[1] == Link("VMD", None, {"k": 5})
    assert title("spectral_interpolation+VMD") == "line_interpolation+vmd"


def test_a_run_with_an_unknown_link_stops_before_it_writes(tmp_path) -> None:
    rows = "evaluate.denoisers=[hp, {chain: [line_interpolation, vnd]}]"
    result = run(tmp_path / "out", "--stages", "qc", settings=[rows], code=2)
    assert "no denoiser is called 'vnd'" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_file_through_a_chain_is_described_link_by_link(tmp_path) -> None:
    x = emg(1, 3000)
    np.savetxt(tmp_path / "x.csv", x[0], header="EMG", comments="")
    options = DenoiseOptions(tmp_path / "y.csv", denoiser="line_interpolation+fcn", parameters={"fcn.clip": False})
    with open_file(tmp_path / "x.csv", fs_hz=1000.0, unit="V") as file:
        done = clean_file(file, options)
    assert done.denoiser == "line_interpolation+fcn (pretrained)"
    sidecar = json.loads((tmp_path / "y.csv.json").read_text())["record"]["denoiser"]
    assert sidecar["name"] == "line_interpolation+fcn"
    assert [link["name"] for link in sidecar["chain"]] == ["line_interpolation", "fcn"]
    assert sidecar["chain"][1]["parameters"]["clip"] is False
    assert sidecar["chain"][1]["weights"]["source"] == "pretrained"
    with pytest.raises(UserError, match="belongs to no link"):
        choose("line_interpolation+fcn", parameters={"clip": False})
