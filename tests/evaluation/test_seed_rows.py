"""Rows of several training seeds: what is evaluated with which weights, and the table of means over seeds."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from cleansemg import denoising
from cleansemg.core import weight_files
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.core.stage import RunOptions
from cleansemg.denoising.loading import PRETRAINED, small_form
from cleansemg.evaluation import evaluating, tables
from cleansemg.evaluation.candidates import candidates
from cleansemg.evaluation.scores import read_scores
from cleansemg.evaluation.settings import DenoiserRow, Evaluate
from cleansemg.evaluation.stats.crossed import crossed_interval
from cleansemg.settings import Settings
from cleansemg.training.settings import Train
from tests.evaluation.test_evaluating import prepare

NETWORK = "cnn"


def write_fit(folder: Path, gain: float) -> None:
    """A finished fit: the pretrained weights times a gain."""
    denoiser = denoising.load_network(NETWORK)
    info = {"denoiser": NETWORK, "parameters": dict(small_form(NETWORK), clip=False)}
    state = denoiser.network.state_dict()
    denoiser.network.load_state_dict({k: v * gain if v.is_floating_point() else v for k, v in state.items()})
    weight_files.write(folder / "best.safetensors", denoiser.network, info)
    (folder / "manifest.json").write_text("{}")


def with_seeds(settings: Settings, *seeds: int, rows: tuple[str | DenoiserRow, ...] = ("hp", NETWORK)) -> Settings:
    train = Train(models=(NETWORK,), seeds=seeds)
    evaluate = Evaluate(denoisers=rows, profiles=("standard",), tracks=("blind",))
    return settings.model_copy(update={"train": train, "evaluate": evaluate})


@pytest.fixture
def run(layout: Layout) -> Settings:
    settings = with_seeds(prepare(layout), 5, 1, 3)
    for seed, gain in ((5, 1.0), (1, 0.99), (3, 0.98)):
        write_fit(layout.weights(NETWORK, seed), gain)
    return settings


def test_each_seed_is_a_row_with_its_weights(run: Settings, layout: Layout) -> None:
    labels = {row.label: row.identity.get("weights") for row in candidates(run, layout)}
    assert list(labels) == ["hp", "cnn", "cnn@1", "cnn@3"]
    assert len(set(labels.values())) == 4
    rows = (
        "cnn",
        DenoiserRow(name="cnn", label="cnn_labelled"),
        DenoiserRow(name="cnn", label="x", weights=PRETRAINED),
    )
    given = {row.label: row.identity["weights"] for row in candidates(with_seeds(run, 5, 1, 3, rows=rows), layout)}
    assert list(given) == ["cnn", "cnn@1", "cnn@3", "cnn_labelled", "x"]
    assert given["cnn_labelled"] == given["cnn"] == labels["cnn"]  # the first seed stands for the network
    assert given["x"] not in labels.values()
    # weights of the command line are one row
    assert [row.label for row in candidates(run, layout, names=[NETWORK], weights=PRETRAINED)] == ["cnn"]


def test_rows_that_cannot_be(run: Settings, layout: Layout) -> None:
    with pytest.raises(UserError, match="the label 'mine@2' ends as those of training seeds do"):
        candidates(with_seeds(run, 5, rows=(DenoiserRow(name="hp", label="mine@2"),)), layout)
    with pytest.raises(UserError, match=r"seed_9: 'cnn' is not fitted with seed 9 of train\.seeds yet"):
        candidates(with_seeds(run, 5, 9), layout)


def test_the_table_of_seeds_and_the_others(run: Settings, layout: Layout) -> None:
    evaluating.run(run, layout, RunOptions())
    tables.run(run, layout, RunOptions())
    every = {scores.label: scores for scores in read_scores(run, layout, "grid", all_seeds=True)}
    assert [scores.label for scores in read_scores(run, layout, "grid")] == ["hp", "cnn"]
    with (layout.tables / "seeds.csv").open() as file:
        rows = {(row["denoiser"], row["set"]): row for row in csv.DictReader(file)}
    assert set(rows) == {("cnn", "combined"), ("cnn", "grid")}
    row = rows["cnn", "grid"]
    people = np.unique(every["cnn"].subject)
    means = np.array(
        [
            [every[label].values["standard.SNRimp"][every[label].subject == person].mean() for person in people]
            for label in ("cnn", "cnn@1", "cnn@3")
        ]
    )
    mean, low, high = crossed_interval(means[..., None], 0.95)
    shown = [float(row[key]) for key in ("SNRimp", "SNRimp_low", "SNRimp_high")]
    np.testing.assert_allclose(shown, [mean[0], low[0], high[0]], rtol=1e-6)
    beside = [float(row[f"SNRimp_seed_{seed}"]) for seed in (5, 1, 3)]
    np.testing.assert_allclose(beside, means.mean(axis=1), rtol=1e-6)
    assert (row["n_seeds"], row["n_subjects"]) == ("3", str(len(people)))
    table1 = (layout.tables / "table1.md").read_text()
    assert "cnn@" not in table1
    for name in ("table1", "seeds", "snr_by_kinds", "paired"):  # the small form is called that where people read it
        assert "cnn (small)" in (layout.tables / f"{name}.md").read_text()
        assert "(small)" not in (layout.tables / f"{name}.csv").read_text()
    assert "hp (small)" not in table1
    assert "`cnn`: the fit with training seed 5 stands for the network; each seed (5, 1, 3)" in table1
    assert not any("@" in path.read_text() for path in layout.tables.glob("*.csv"))

    # without seeds, nothing of an earlier run stays
    tables.run(with_seeds(run), layout, RunOptions())
    assert not list(layout.tables.glob("seeds.*"))
    assert "training seed" not in (layout.tables / "table1.md").read_text()
