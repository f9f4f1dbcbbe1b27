"""The auto track: the oracle path with the kinds that the quality network finds; opt-in, and told apart everywhere."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch

from cleansemg.core import weight_files
from cleansemg.core.artifact import Artifact
from cleansemg.core.errors import UserError
from cleansemg.core.stage import RunOptions
from cleansemg.denoising import load
from cleansemg.evaluation import evaluating, tables, test_set
from cleansemg.evaluation.candidates import candidates
from cleansemg.evaluation.scoring import SCHEMA
from cleansemg.evaluation.settings import DenoiserRow, Evaluate
from cleansemg.quality import meter, models, noise_labels
from tests.evaluation.conftest import small_settings


@pytest.fixture(autouse=True)
def box(tmp_path, monkeypatch):
    """Weights as they are drawn, in a box of their own."""
    torch.manual_seed(5)
    network = models.build("qase", n_kinds=5)
    info = {"quality_model": "qase", "parameters": {"n_kinds": 5}, "fs_hz": 1000.0, "thresholds": [0.5] * 5}
    weight_files.write(tmp_path / "pretrained" / f"{models.DEFAULT_WEIGHTS}.safetensors", network, info)
    monkeypatch.setattr(models, "PRETRAINED", tmp_path / "pretrained")
    meter.pretrained_model.cache_clear()
    yield
    meter.pretrained_model.cache_clear()


def _settings(**evaluate):
    return small_settings(sets=("combined",)).model_copy(update={"evaluate": Evaluate(**evaluate)})


def _tracks(layout, **evaluate) -> list[tuple[str, str]]:
    return [(c.label, c.track) for c in candidates(_settings(**evaluate), layout)]


def test_nothing_changes_unless_asked_for(layout) -> None:
    names = ("identity", "wiener_oracle", "hp")
    default = [
        ("identity", "blind"),
        ("wiener_oracle", "oracle"),
        *(("hp", t) for t in ("blind", "oracle", "published")),
    ]
    assert _tracks(layout, denoisers=names) == default
    every = _tracks(layout, denoisers=names, tracks=("blind", "auto", "oracle", "published"))
    assert every == [*default, ("hp", "auto")]
    assert _tracks(layout, denoisers=names, tracks=("auto",)) == [("hp", "auto")]
    identities = {c.track: c.identity for c in candidates(_settings(denoisers=names), layout) if c.label == "hp"}
    assert "labels" not in identities["blind"]
    assert "labels" not in identities["oracle"]


def test_one_row_may_ask_for_it(layout) -> None:
    assert _tracks(layout, denoisers=(DenoiserRow(name="hp", track="auto"),)) == [("hp", "auto")]
    for name in ("identity", "wiener_oracle", "fcn"):  # nothing to tell, or more than kinds is needed
        with pytest.raises(UserError, match="has no auto track"):
            _tracks(layout, denoisers=(DenoiserRow(name=name, track="auto"),))


def test_calibrated_values_are_those_of_the_oracle_track(layout) -> None:
    rows = candidates(
        _settings(denoisers=("hp",), tracks=("auto", "blind")), layout,
        parameters={("hp", "oracle"): {"cutoff_hz": 33.0}, ("hp", "blind"): {"cutoff_hz": 44.0}},
    )  # fmt: skip
    assert {row.track: row.links[0].parameters["cutoff_hz"] for row in rows} == {"auto": 33.0, "blind": 44.0}


def test_scores_are_those_of_the_oracle_path_with_found_kinds(layout) -> None:
    tracks = ("blind", "auto", "oracle")
    settings = _settings(denoisers=("hp",), tracks=tracks, profiles=("standard",))
    test_set.run(settings, layout, RunOptions())
    assert evaluating.run(settings, layout, RunOptions()).n_failures == 0
    tables.run(settings, layout, RunOptions())
    rows = list(csv.DictReader((layout.tables / "table1.csv").open()))
    assert sorted(row["track"] for row in rows) == ["auto", "blind", "oracle"]
    mixtures = Artifact.open(layout.test_data("combined"), test_set.SCHEMA)
    done = Artifact.open(layout.denoised("hp", "auto", "combined"), SCHEMA)
    for shard, table in mixtures:
        noisy = table["noisy"]
        expected = load("hp").denoise(noisy, 1000.0, noise_labels(noisy, 1000.0))
        np.testing.assert_allclose(done.load(shard.name)["denoised"], expected, rtol=1e-5, atol=1e-12)


def test_without_weights_it_says_so(layout, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(models, "PRETRAINED", tmp_path / "empty")
    with pytest.raises(UserError, match="holds no weights; this installation of cleansemg is incomplete"):
        _tracks(layout, denoisers=("hp",), tracks=("auto",))


def test_other_weights_are_another_result(layout, tmp_path) -> None:
    (before,) = candidates(_settings(denoisers=("hp",), tracks=("auto",)), layout)
    torch.manual_seed(6)
    info = {"quality_model": "qase", "parameters": {"n_kinds": 5}, "thresholds": [0.5] * 5}
    weight_files.write(
        tmp_path / "pretrained" / f"{models.DEFAULT_WEIGHTS}.safetensors", models.build("qase", n_kinds=5), info
    )
    (after,) = candidates(_settings(denoisers=("hp",), tracks=("auto",)), layout)
    assert before.identity["labels"] != after.identity["labels"]
