"""Tables in a paper's layout against the second opinion on their means and intervals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cleansemg.core import config
from cleansemg.core.rendering import to_csv
from cleansemg.evaluation.protocol_tables import main_table, read_printed
from cleansemg.evaluation.scores import Scores
from cleansemg.evaluation.verification.findings import Finding
from cleansemg.evaluation.verification.printed import paper_layout
from cleansemg.evaluation.verification.scored import Scored, read_csv

KEYS = ("SNRimp", "RMSE", "PRD", "RMSE_ARV", "RMSE_MNF")
SETTINGS = config.load(Path("configs/protocols/msemg_ecg.yaml"), ["tables.bootstrap_resamples=200"])


@pytest.fixture
def table(tmp_path):
    """A table of two denoisers over four subjects, one of whom has no mixture at one SNR, and what it was made from."""
    rng = np.random.default_rng(5)
    n = 60
    subject = np.array([f"DB2/S{i}" for i in range(4)])[np.arange(n) % 4]
    snr_db = np.where(subject == "DB2/S3", 0.0, rng.choice([0.0, -2.0, -14.0], n))
    ones, none = np.ones(n, np.int64), np.zeros((n, 5), bool)
    scores, scored = [], []
    for label in ("identity", "hp"):
        values = {f"ecg_paper.{key}": rng.lognormal(size=n) for key in KEYS}
        values["ecg_paper.PRD"][:7] = np.nan
        failed = np.zeros(n, bool)
        scores.append(Scores(label, "blind", snr_db, ones, none, subject, failed, values))
        scored.append(Scored((label, "blind"), snr_db, ones, none, failed, subject, SETTINGS.seed, values, {}))
    path = tmp_path / "table1.csv"
    path.write_text(to_csv(main_table(scores, read_printed(SETTINGS), [], SETTINGS)))
    return path, scored


def problems(path, scored, how=(200, 0.95)):
    finding = Finding("tables")
    rows = read_csv(path, finding)[1]
    count = paper_layout(path, rows, scored, how, finding)
    return count, finding.problems


def test_means_and_intervals_follow_from_the_metrics(table):
    assert problems(*table) == (2 * len(KEYS) * 3, [])


def test_without_the_settings_means_alone_are_checked(table):
    assert problems(*table, how=None) == (2 * len(KEYS), [])


@pytest.mark.parametrize("column", ["SNRimp", "SNRimp_low", "PRD_high"])
def test_one_altered_number_is_found(table, column):
    path, scored = table
    lines = path.read_text().splitlines()
    at = lines[0].split(",").index(column)
    fields = lines[1].replace('"this run, blind"', "SOURCE").split(",")
    fields[at] = f"{float(fields[at]) * 1.001:.9g}"
    lines[1] = ",".join(fields).replace("SOURCE", '"this run, blind"')
    path.write_text("\n".join(lines) + "\n")
    assert problems(path, scored)[1] == [
        f"{path}: 1 numbers in column {column.partition('_')[0]} do not follow from the shards"
    ]
