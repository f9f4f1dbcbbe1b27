"""The page submit.md as its readers work through it, outside the tree, with the installed console script."""

from __future__ import annotations

import csv

from tests.cleansemg.walking import Page, bash, walk
from tests.conftest import ROOT


def test_the_page_is_walked_to_its_leaderboard(tmp_path):
    printed = walk("submit", tmp_path)
    assert "cleansemg" not in Page.named("submit").files["their_method.py"]
    assert "noisy signals of trial, grid" in printed[1]
    with (tmp_path / "results/leaderboard.csv").open() as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"their high-pass", "hp", "identity"}
    assert rows["identity"]["role"] == "floor"
    assert float(rows["identity"]["SI_SDRimp"]) == 0
    assert float(rows["their high-pass"]["SI_SDRimp"]) > 0
    assert (tmp_path / "results/trial/export_key.npz").exists()
    assert not list((tmp_path / "noisy").glob("*key*"))
    again = bash(tmp_path, "cleansemg export-test results/trial --output noisy", code=2).stderr
    assert again == "error: --output noisy: is there already; name a new folder\n"
    unknown = bash(tmp_path, "cleansemg export-test open-v9 --output other", code=2).stderr
    assert unknown.startswith("error: no frozen test set is called 'open-v9'")
    frozen = "cleansemg freeze results/trial --name trial-v1 --config trial.yaml --output trial-v1.yaml"
    assert "trial-v1, root" in bash(tmp_path, frozen).stdout
    assert "a changed one is trial-v2" in bash(tmp_path, frozen, code=2).stderr


def test_the_page_of_the_test_set_names_every_source():
    from cleansemg.evaluation.submissions.croissant import SOURCES

    text = (ROOT / "docs/open-v1.md").read_text()
    names = {"mitdb": "MIT-BIH Arrhythmia", "nstdb": "MIT-BIH Noise Stress", "muscletracker": "MuscleTracker"}
    assert [one for one in SOURCES if one != "simulated" and names.get(one, one) not in text] == []
