"""Stage grade: which rule drops what, in which order, and the tables that say so."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cleansemg.core.artifact import Artifact
from cleansemg.core.errors import ArtifactError
from cleansemg.core.layout import Layout
from cleansemg.core.stage import RunOptions
from cleansemg.data_pipeline import grading, qc
from cleansemg.data_pipeline.grading import SCHEMA, GradeJob, judge
from cleansemg.data_pipeline.settings import Grade
from cleansemg.data_pipeline.trial_measures import QcRow
from tests.data_pipeline.in_memory import DB2, DB3, InMemory, Spoilt, files, settings_for

GOOD = QcRow(
    "DB", "S1", "E1", 0, 0, "ch0", 1, 1, 0, 10_000, 2000.0, "key", smr_db=20.0, shr_db=30.0, ohm=1.2, hampel=0.01,
    snr_db=25.0, snr_rule="rest", rest_rms=1e-6, clipped=0.0, rail_s=0.0, rms_v=1e-4,
)  # fmt: skip
NAN = float("nan")


def judged(keep=("A", "B"), **changes):
    return judge(replace(GOOD, **changes), GradeJob(Path(), Grade(keep=keep), 128, 2.0))


@pytest.mark.parametrize(
    ("snr_db", "grade", "kept"),
    [(18.0, "A", True), (17.99, "B", True), (10.0, "B", True), (9.99, "C", False), (1.8, "C", False), (float("inf"), "A", True)],
)  # fmt: skip
def test_grades_by_snr(snr_db, grade, kept):
    assert judged(snr_db=snr_db)[:2] == (grade, kept)


@pytest.mark.parametrize(
    ("changes", "rule", "reason"),
    [
        ({"smr_db": 8.2}, "SMR", "SMR 8.2 dB below 12.0"),
        ({"smr_db": 12.0}, "SMR", "SMR 12.0 dB exactly at 12.0"),
        ({"smr_db": 11.99}, "SMR", "SMR 11.99 dB below 12.0"),
        ({"shr_db": 3.0}, "SHR", "SHR 3.0 dB below 15.0"),
        ({"ohm": 1.5}, "OHM", "OHM 1.500 above 1.400"),
        ({"snr_db": 1.7}, "SNR", "SNR 1.7 dB below 1.8"),
        ({"snr_db": NAN}, "SNR", "SNR could not be measured"),
        ({"smr_db": NAN}, "SMR", "SMR could not be measured"),
        ({"hampel": 0.2}, "Hampel", "Hampel 0.200 of the energy above 0.100"),
        ({"clipped": 0.28}, "clipping", "clipping 0.280 of the samples at a rail above 0.010"),
        ({"clipped": NAN}, "clipping", "clipping could not be measured"),
        ({"rail_s": 0.02}, "rail", "rail 0.020 s at a stretch above 0.010"),
        ({"hampel": NAN, "stop_sample": 3000}, "Hampel", "the Hampel gate needs 2 s, the trial has 1.5 s"),
        ({"stop_sample": 100, "smr_db": NAN}, "short", "trial of 100 samples is shorter than 128"),
    ],
)
def test_the_first_rule_that_fails_is_named(changes, rule, reason):
    assert judged(**changes) == ("reject", False, rule, reason)


def test_gates_that_are_off_drop_nothing():
    """As published: A2 has no gate on clipping."""
    off = GradeJob(Path(), Grade(clipped_max=None, rail_max_s=None), 128, 2.0)
    assert judge(replace(GOOD, clipped=0.28, rail_s=1.0), off).accepted
    assert judge(replace(GOOD, clipped=0.01, rail_s=0.01), replace(off, grade=Grade())).accepted


def test_rules_come_in_their_order():
    bad = {"clipped": 0.5, "rail_s": 1.0, "smr_db": 0.0, "shr_db": 0.0, "ohm": 9.0, "snr_db": 0.0, "hampel": 1.0}
    order = []
    while bad:
        rule = judged(**bad).rule
        order.append(rule)
        del bad[
            {
                "clipping": "clipped",
                "rail": "rail_s",
                "SMR": "smr_db",
                "SHR": "shr_db",
                "OHM": "ohm",
                "SNR": "snr_db",
                "Hampel": "hampel",
            }[rule]
        ]
    assert order == ["clipping", "rail", "SMR", "SHR", "OHM", "SNR", "Hampel"]


def test_a_grade_that_is_not_kept_stays_a_grade_and_is_not_gated():
    found = judged(snr_db=5.0, hampel=0.9)
    assert found == ("C", False, "keep", "grade C (SNR 5.0 dB) is not among those kept (A, B)")
    assert judged(keep=("A", "B", "C"), snr_db=5.0) == ("C", True, "", "")
    assert judged(keep=("A", "B", "C"), snr_db=5.0, hampel=0.9).rule == "Hampel"
    assert judged(keep=("A",), snr_db=15.0)[:3] == ("B", False, "keep")


class Quiet(InMemory):
    """Trials 10 times as strong as rest: grade A; one channel 2 times: grade C."""

    name = "quiet"

    def spoil(self, recording):
        recording.signal[0, recording.label == 0] *= 5.0
        recording.signal[1, recording.label == 0] *= 25.0
        return recording


def test_tables_of_a_run(tmp_path):
    layout, settings = Layout(tmp_path), settings_for(DB2, Quiet, Spoilt)
    qc.run(settings, layout, RunOptions())
    report = grading.run(settings, layout, RunOptions())
    table = Artifact.open(layout.grades, SCHEMA).columns("database", "grade", "kept", "channel", "rule")
    quiet = table["database"] == "quiet"
    assert set(table["grade"][table["database"] == "DB2"]) == {"A"}
    assert set(table["grade"][quiet & (table["channel"] == 0)]) == {"A"}
    assert set(table["grade"][quiet & (table["channel"] == 1)]) == {"C"}
    rows = list(csv.DictReader((layout.grades / "grades.csv").open()))
    assert [row["kept"] == "yes" for row in rows] == table["kept"].tolist()
    assert all((row["kept"] == "yes") == (row["reason"] == "") for row in rows)
    summary = list(csv.DictReader((layout.grades / "grades_summary.csv").open()))
    assert sum(int(row["trial_channels"]) for row in summary) == len(rows)
    assert report.lines[1] == "quiet: 16 of 32 trial-channels kept (A 16); dropped by grade C 16"
    assert "short 2" in report.lines[2]


def test_other_thresholds_are_refused_until_forced(tmp_path):
    layout, settings = Layout(tmp_path), settings_for(DB2)
    qc.run(settings, layout, RunOptions())
    grading.run(settings, layout, RunOptions())
    before = files(layout.grades)
    grading.run(settings, layout, RunOptions())
    assert files(layout.grades) == before
    strict = settings.model_copy(update={"grade": Grade(smr_min_db=90)})
    with pytest.raises(ArtifactError, match="--force"):
        grading.run(strict, layout, RunOptions())
    assert "0 of 32" in grading.run(strict, layout, RunOptions(force=True)).lines[0]


def test_another_data_set_changes_no_grade(tmp_path):
    tables = []
    for name, classes in (("alone", (DB2,)), ("both", (DB3, DB2))):
        layout, settings = Layout(tmp_path / name), settings_for(*classes)
        qc.run(settings, layout, RunOptions())
        grading.run(settings, layout, RunOptions())
        tables.append(Artifact.open(layout.grades, SCHEMA).load("DB2"))
    for column in tables[0]:
        np.testing.assert_array_equal(tables[0][column], tables[1][column])


def test_without_quality_measures_it_says_what_to_run(tmp_path):
    with pytest.raises(ArtifactError, match="cleansemg run --stages qc"):
        grading.run(settings_for(DB2), Layout(tmp_path), RunOptions())
