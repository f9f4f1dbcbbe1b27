"""Tables in a paper's layout, the weights beside the printed ones, and the mean over folds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from cleansemg.core import config
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.core.registry import project_root
from cleansemg.data_pipeline.leak_labels import leak_labels
from cleansemg.evaluation.average_folds import average
from cleansemg.evaluation.protocol_tables import (
    main_table,
    mean_over_snrs,
    n_weights,
    parameters_table,
    read_printed,
)
from cleansemg.evaluation.scores import Scores
from cleansemg.settings import Settings

PROTOCOLS = ("msemg_ecg", "fcn_ecg", "trustemg")
KEYS = ("SNRimp", "RMSE", "PRD", "RMSE_ARV", "RMSE_MNF")


def settings(name: str, *overrides: str) -> Settings:
    return config.load(Path("configs/protocols") / f"{name}.yaml", overrides)


def scores(values: np.ndarray, snr_db: np.ndarray, label: str = "identity") -> Scores:
    n = len(values)
    return Scores(
        label, "blind", snr_db, np.ones(n, np.int64), np.zeros((n, 5), bool), np.array(["DB2/S1"] * n), np.zeros(n, bool),
        {f"ecg_paper.{key}": column for key, column in zip(KEYS, values.T, strict=True)},
    )  # fmt: skip


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_layouts_of_the_three_protocols_are_whole(name):
    printed = read_printed(settings(name))
    assert [column.metric for column in printed.columns] == list(KEYS)
    for numbers in printed.numbers.values():
        assert set(numbers) <= set(KEYS)


def test_printed_numbers_are_those_of_the_papers():
    """Spec tables T3, T4 and T5."""
    printed = read_printed(settings("msemg_ecg"))
    assert list(printed.numbers["MSEMG"].values()) == [20.317, 8.603e-3, 2.382e-3, 11.379]
    assert printed.parameters == {"FCN": 137801, "SDEMG": 1233857, "MSEMG": 279937}
    best = read_printed(settings("trustemg")).numbers["TrustEMG-Net (RM)"]
    assert list(best.values()) == [13.64, 2.18e-2, 48.44, 8.72e-3, 16.63]


def test_means_are_over_snrs_of_means_over_mixtures():
    values = np.array([[1.0, np.nan], [3.0, np.nan], [10.0, 4.0]])
    snr_db = np.array([0.0, 0.0, -5.0])
    np.testing.assert_array_equal(mean_over_snrs(values, snr_db), [6.0, 4.0])
    assert np.isnan(mean_over_snrs(np.full((2, 1), np.nan), snr_db[:2]))[0]


def test_rows_of_one_method_stand_together_in_the_paper_s_units():
    printed = read_printed(settings("msemg_ecg"))
    values = np.array([[1.0, 0.02, 50.0, 0.003, 10.0], [3.0, 0.04, 70.0, 0.005, 30.0]])
    every = [scores(values, np.array([0.0, -2.0]), label) for label in ("identity", "fcn")]
    table = main_table(every, printed, ["protocol: published. LEAKING: a and b."], settings("msemg_ecg"))
    assert table.title.endswith("(protocol: published, leaking)")
    assert table.notes[0] == "protocol: published. LEAKING: a and b."
    rows = [(row["method"], row["source"]) for row in table.rows]
    assert rows[:3] == [("identity", "this run, blind"), ("fcn", "this run, blind"), ("fcn", "FCN, paper")]
    assert {key: table.rows[0][key] for key in KEYS} == pytest.approx(
        {"SNRimp": 2.0, "RMSE": 3.0, "PRD": 60.0, "RMSE_ARV": 4.0, "RMSE_MNF": 20.0}
    )
    assert "leaking" not in main_table(every, printed, [], settings("msemg_ecg")).title


def test_weights_beside_the_printed_ones():
    table = parameters_table(settings("msemg_ecg"), read_printed(settings("msemg_ecg")), [])
    fcn = next(row for row in table.rows if row["method"] == "FCN")
    assert (fcn["paper"], fcn["ours"]) == (137801, 137801)
    assert n_weights("hp", "full", {}) is None
    assert n_weights("no_such_network", "full", {}) is None


def test_a_layout_that_cannot_be_used_is_named(tmp_path, monkeypatch):
    path = tmp_path / "layout.yaml"
    path.write_text(
        yaml.safe_dump({"title": "t", "profile": "ecg_paper", "columns": [{"metric": "LSD", "heading": "x"}]})
    )
    with pytest.raises(UserError, match="profile 'ecg_paper' has no metric 'LSD'; has SNRimp"):
        read_printed(settings("msemg_ecg", f"tables.printed={path}"))
    with pytest.raises(UserError, match=r"needs the profile 'ecg_paper' among evaluate\.profiles"):
        read_printed(settings("msemg_ecg", "evaluate.profiles=[standard]"))
    path.write_text("title: t")
    with pytest.raises(UserError, match=r"layout\.yaml: profile: Field required"):
        read_printed(settings("msemg_ecg", f"tables.printed={path}"))
    with pytest.raises(UserError, match=r"absent\.yaml cannot be read"):
        read_printed(settings("msemg_ecg", "tables.printed=absent.yaml"))


def test_labels_come_from_split_and_noise(tmp_path):
    layout = Layout(tmp_path)
    assert leak_labels(layout) == []
    layout.noise_label.parent.mkdir(parents=True)
    layout.noise_label.write_text("train and test share 1 noise records (em)")
    assert leak_labels(layout) == ["protocol: published. LEAKING: train and test share 1 noise records (em)."]


def fold(folder: Path, number: int, snrimp: float, *overrides: str) -> Path:
    layout = Layout(folder)
    layout.tables.mkdir(parents=True)
    config.save(settings("trustemg", f"split.fold={number}", *overrides), layout.tables / "config.yaml")
    rows = [f'hp,"this run, blind",{snrimp},2,50,9,', 'TrustEMG-Net,"paper",13.64,2.18,48.44,8.72,16.63']
    (layout.tables / "table1.csv").write_text("\n".join([",".join(["method", "source", *KEYS]), *rows]) + "\n")
    return folder


def test_mean_and_deviation_over_folds(tmp_path):
    table = average([fold(tmp_path / f"f{number}", number, value) for number, value in enumerate((1.0, 2.0, 6.0), 1)])
    row = table.rows[0]
    assert (row["method"], row["track"], row["folds"]) == ("hp", "blind", 3)
    assert row["SNRimp"] == pytest.approx(3.0)
    assert row["SNRimp_std"] == pytest.approx(7**0.5)  # sum of squares 4 + 1 + 9 over 2
    assert row["SNRimp_shown"] == "3.00 ± 2.65"
    assert len(table.rows) == 1  # printed numbers are no fold


def test_folds_that_do_not_belong_together_are_refused(tmp_path):
    first = fold(tmp_path / "a", 1, 1.0)
    with pytest.raises(UserError, match="fold 1, as is"):
        average([first, fold(tmp_path / "b", 1, 1.0)])
    with pytest.raises(UserError, match="'mix' is set otherwise"):
        average([first, fold(tmp_path / "c", 2, 1.0, "mix.draws=5")])
    with pytest.raises(UserError, match="name two or more"):
        average([first])
    with pytest.raises(UserError, match="make the tables of that fold first"):
        average([first, tmp_path / "nothing"])
    other = fold(tmp_path / "d", 3, 1.0)
    table = Layout(other).tables / "table1.csv"
    table.write_text(table.read_text().replace("hp,", "ts,"))
    with pytest.raises(UserError, match="was evaluated in some folds only"):
        average([first, other])


def test_every_protocol_is_in_the_documentation():
    text = (project_root() / "docs" / "published-protocols.md").read_text()
    names = sorted(path.stem for path in (project_root() / "configs" / "protocols").glob("*.yaml"))
    assert names == sorted(PROTOCOLS)
    assert all(f"configs/protocols/{name}.yaml" in text for name in names)
