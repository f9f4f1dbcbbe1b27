from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from cleansemg import denoising
from cleansemg.core import npz
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.core.registry import find
from cleansemg.denoising import loading
from cleansemg.evaluation.candidates import candidates
from cleansemg.evaluation.settings import DenoiserRow, Evaluate
from cleansemg.quality import models
from tests.evaluation.conftest import small_settings


def row(tmp_path: Path, **about):
    [candidate] = candidates(small_settings(), Layout(tmp_path), names=[DenoiserRow(**about)])
    return candidate


@pytest.mark.parametrize("weights", ["pretrained", "open"])
def test_a_row_takes_the_words_for_weights_that_load_takes(tmp_path, weights):
    candidate = row(tmp_path, name="msemg", weights=weights)
    file = loading.weights_file(find("denoisers", "msemg"), weights)
    assert candidate.identity["weights"] == npz.sha256(file)
    noisy = np.random.default_rng(0).normal(size=(1, 500)).astype(np.float32)
    expected = denoising.load("msemg", weights=weights).denoise(noisy, 1000.0)
    assert candidate.build().denoise(noisy, 1000.0).tobytes() == expected.tobytes()
    # the same weights, named as a file, are the same row
    assert row(tmp_path, name="msemg", weights=str(file)).identity == candidate.identity


def test_the_two_words_are_different_rows(tmp_path):
    rows = [row(tmp_path, name="msemg", weights=weights).identity["weights"] for weights in ("pretrained", "open")]
    assert rows[0] != rows[1]
    assert row(tmp_path, name="msemg").identity["weights"] == rows[0]  # nothing trained here


def test_weights_that_cannot_be(tmp_path):
    with pytest.raises(
        UserError, match=r"nothing\.pth: no weights of 'msemg' there; name a file, 'pretrained' or 'open'"
    ):
        row(tmp_path, name="msemg", weights="nothing.pth")
    with pytest.raises(UserError, match="'hp' has no network, so no weights; got weights='open'"):
        row(tmp_path, name="hp", weights="open")


def chain_rows(tmp_path: Path, *rows, **about):
    settings = small_settings().model_copy(update={"evaluate": Evaluate(denoisers=rows)})
    return candidates(settings, Layout(tmp_path), **about)


def test_a_chain_is_a_row_with_everything_that_decides_each_link(tmp_path):
    chain = DenoiserRow(chain=["line_interpolation", {"name": "vmd", "parameters": {"k": 5}}, "msemg"], track="blind")
    [candidate] = chain_rows(tmp_path, chain)
    assert (candidate.label, candidate.track) == ("line_interpolation+vmd+msemg", "blind")
    assert [link.get("weights") is None for link in candidate.identity["chain"]] == [True, True, False]
    assert candidate.identity["chain"][1]["parameters"]["k"] == 5
    for part in ("line_interpolation.py", "vmd.py", "networks/msemg.py"):
        assert f"cleansemg/denoising/{part}" in candidate.code
    assert candidate.code["weights of link 3"] == candidate.identity["chain"][2]["weights"]
    built = candidate.build()
    assert [link.name for link in built.links] == ["line_interpolation", "vmd", "msemg"]
    assert built.links[1].k == 5


def test_a_chain_reads_the_same_as_text_in_yaml_and_saved(tmp_path):
    as_list = DenoiserRow(chain=["line_interpolation", "vmd"])
    as_text = DenoiserRow(name="line_interpolation+vmd")
    assert as_list.title == as_text.title == DenoiserRow(name="spectral_interpolation+VMD").title
    assert DenoiserRow.model_validate(as_list.model_dump()) == as_list
    assert DenoiserRow.model_validate(DenoiserRow(name="hp").model_dump()) == DenoiserRow(name="hp")
    rows = [chain_rows(tmp_path, row)[0].identity for row in (as_list, as_text, "line_interpolation+vmd")]
    assert rows[0] == rows[1] == rows[2]


def test_calibrated_values_and_weights_reach_their_link(tmp_path):
    parameters = {("vmd", "blind"): {"k": 4}, ("line_interpolation", "blind"): {"width_hz": 2.0}}
    row = DenoiserRow(name="line_interpolation+vmd", track="blind", parameters={"vmd.alpha": 1500.0})
    [candidate] = chain_rows(tmp_path, row, parameters=parameters)
    assert [dict(link.parameters) for link in candidate.links] == [{"width_hz": 2.0}, {"k": 4, "alpha": 1500.0}]
    [network] = chain_rows(tmp_path, DenoiserRow(name="line_interpolation+msemg", weights="open"))
    assert network.identity["chain"][1]["weights"] == npz.sha256(
        loading.weights_file(find("denoisers", "msemg"), "open")
    )
    assert [c.label for c in chain_rows(tmp_path, "hp", row, only_family="classical")] == 3 * ["hp"] + [row.title]
    assert [c.label for c in chain_rows(tmp_path, "hp", "hp+msemg", only_family="neural")] == ["hp+msemg"]
    [again] = chain_rows(tmp_path, row, names=["spectral_interpolation+VMD"])
    assert again.links[1].parameters["alpha"] == 1500.0  # the configuration's row of that chain


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"chain": []}, "chain: name at least one denoiser"),
        ({"chain": ["hp", ["vmd"]]}, "a link is the name of a denoiser"),
        ({"chain": ["hp+vmd", "fcn"]}, "is a chain itself"),
        ({"chain": ["hp", "vmd"], "name": "ts"}, "a name or a chain, not both"),
        ({"name": "hp", "label": "a/b"}, "label 'a/b' is no name of a folder"),
        ({"name": "hp", "label": "../b"}, "is no name of a folder"),
        ({"label": "x"}, "a row needs the name of a denoiser"),
    ],
)
def test_rows_that_make_no_chain_are_refused(about, message):
    with pytest.raises(ValidationError, match=message):
        DenoiserRow(**about)


def test_chains_of_unknown_links_or_without_a_track_are_refused(tmp_path):
    with pytest.raises(UserError, match="no denoiser is called 'vnd'"):
        chain_rows(tmp_path, DenoiserRow(chain=["hp", "vnd"]))
    with pytest.raises(UserError, match="links of 'zero\\+psm_oracle' have no track in common"):
        chain_rows(tmp_path, DenoiserRow(chain=["zero", "psm_oracle"]))
    with pytest.raises(UserError, match=r"'hp\+fcn' has no oracle track"):
        chain_rows(tmp_path, DenoiserRow(chain=["hp", "fcn"], track="oracle"))


def test_rows_that_ask_the_quality_network_know_its_weights(tmp_path):
    [gain], [hp, *_] = chain_rows(tmp_path, "gain"), chain_rows(tmp_path, "hp")
    assert gain.code["quality weights"] == gain.identity["labels"] == npz.sha256(models.pretrained_weights())
    assert "labels" not in hp.identity


def test_other_tracks_can_be_left_out_of_a_large_set(layout):
    settings = small_settings(sets=("combined", "grid", "clean"))
    evaluate = settings.evaluate.model_copy(update={"blind_only": ("grid", "clean")})
    settings = settings.model_copy(update={"evaluate": evaluate})
    rows = candidates(settings, layout, names=["hp", "wiener_oracle", "identity"])
    sets = {(row.label, row.track): row.sets for row in rows}
    assert sets["hp", "blind"] is None
    assert sets["hp", "oracle"] == ("combined",)
    assert sets["wiener_oracle", "oracle"] is None  # a ceiling of every set
    assert sets["identity", "blind"] is None
