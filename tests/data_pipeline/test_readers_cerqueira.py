from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.registry import find
from cleansemg.data_pipeline.readers.cerqueira import CerqueiraReader
from cleansemg.data_pipeline.recording import Recording
from tests.layouts.cerqueira import STEP_S, trial_tables, write_table, write_tree

TRIAL_S = 3.0


def reader(folder: Path, **parameters: object) -> CerqueiraReader:
    return CerqueiraReader("cerqueira", folder, **parameters)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tree(tmp_path_factory.mktemp("cerqueira"), trial_s=TRIAL_S)


def one(folder: Path, signal: pd.DataFrame, report: pd.DataFrame | None, trial: int = 1) -> CerqueiraReader:
    write_table(folder / f"sEMG_data/subject_3/trial_{trial}.csv", signal)
    if report is not None:
        write_table(folder / f"self_perceived_fatigue_index/subject_3/trial_{trial}.csv", report)
    return reader(folder)


def read(own: CerqueiraReader) -> Recording:
    return own.read(own.list()[0])


def test_finds_every_trial_and_nothing_else(tree: Path) -> None:
    refs = reader(tree).list()
    assert [(ref.subject, ref.exercise) for ref in refs] == [(s, t) for s in ("S1", "S3", "S8") for t in ("T1", "T2")]
    assert refs[-1].key == "sEMG_data/subject_8/subject_8/trial_2.csv"
    assert len({ref.fingerprint for ref in refs}) == 6


def test_a_trial(tree: Path) -> None:
    own = reader(tree)
    recording = own.read(own.list()[0])
    n = round(TRIAL_S / STEP_S)
    assert recording.signal.shape == (4, n)  # three rows of zeros at the end are cut
    assert recording.fs_hz == 1259.26
    assert recording.channels == ("biceps", "deltoid_anterior", "deltoid_medius", "deltoid_posterior")
    assert recording.label is not None
    assert recording.repetition is not None
    assert np.bincount(recording.label).tolist() == pytest.approx([0, n / 3, n / 3, n / 3], abs=30)
    assert (np.diff(recording.label) >= 0).all()
    assert (recording.repetition == 1).all()
    changes = np.flatnonzero(np.diff(recording.label)) * STEP_S
    assert changes == pytest.approx([TRIAL_S / 3, 2 * TRIAL_S / 3], abs=0.03)  # reports come every 0.02 s


def test_left_and_right_arm_have_the_same_order_of_muscles(tree: Path) -> None:
    own = reader(tree)
    right, left = (own.read(ref).signal.std(axis=1) for ref in own.list()[:2])
    assert right / right[0] == pytest.approx([1, 2, 3, 4], rel=0.15)
    assert left / left[0] == pytest.approx([1, 2, 3, 4], rel=0.15)
    columns = reader(tree, muscle_order=False)
    left = columns.read(columns.list()[1]).signal.std(axis=1)
    assert left / left[1] == pytest.approx([2, 1, 4, 3], rel=0.15)


def test_zips_of_zips_are_read_as_they_are(tree: Path, tmp_path: Path) -> None:
    zipped = reader(write_tree(tmp_path, trial_s=TRIAL_S, zipped=True))
    plain = reader(tree)
    assert [ref.exercise for ref in zipped.list()] == [ref.exercise for ref in plain.list()]
    for ours, theirs in zip(zipped.list()[::3], plain.list()[::3], strict=True):
        a, b = pickle.loads(pickle.dumps(zipped)).read(ours), plain.read(theirs)
        assert a.signal.tobytes() == b.signal.tobytes()
        assert a.label is not None
        assert (a.label == b.label).all()


def test_what_is_unpacked_wins_over_its_archive(tmp_path: Path) -> None:
    write_tree(tmp_path, subjects=(3,), trials=(1,), trial_s=TRIAL_S, zipped=True)
    write_tree(tmp_path, subjects=(3,), trials=(1,), trial_s=TRIAL_S)
    assert [ref.key for ref in reader(tmp_path).list()] == ["sEMG_data/subject_3/trial_1.csv"]


def test_a_trial_that_lies_there_twice(tmp_path: Path) -> None:
    write_tree(tmp_path, subjects=(8,), trials=(1,), trial_s=TRIAL_S)
    write_table(tmp_path / "sEMG_data/subject_8/trial_1.csv", trial_tables(8, 1, TRIAL_S)[0])
    with pytest.raises(UserError, match="same trial"):
        reader(tmp_path).list()


def test_excluded_trials_are_those_of_the_published_code() -> None:
    own = find("datasets", "cerqueira").build(database="cerqueira", folder=Path("nowhere"))
    # protocols.md, F
    assert own.exclude == {(11, 4), (8, 9), (9, 9), (5, 10), (3, 1), (7, 5), (11, 5), (12, 4), (9, 6)}


def test_exclusion(tree: Path) -> None:
    refs = reader(tree, exclude=[[3, 1], [8, 2]]).list()
    assert [(ref.subject, ref.exercise) for ref in refs] == [("S1", "T1"), ("S1", "T2"), ("S3", "T2"), ("S8", "T1")]


def test_no_report_fails_that_trial_alone(tree: Path, tmp_path: Path) -> None:
    own = one(tmp_path, trial_tables(3, 1, TRIAL_S)[0], None)
    with pytest.raises(ItemError, match=r"subject_3/trial_1\.csv is missing"):
        read(own)


def test_nan_tail_is_cut_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    signal, report = trial_tables(3, 1, TRIAL_S)
    signal.iloc[-60:-3, 3] = np.nan  # one sensor stops before the others
    assert read(one(tmp_path, signal, report)).signal.shape[1] == len(signal) - 60
    assert "60 rows at the end are cut" in caplog.text


def test_a_nan_inside_is_refused_with_its_row(tmp_path: Path) -> None:
    signal, report = trial_tables(3, 1, TRIAL_S)
    signal.iloc[500, 3] = np.nan
    with pytest.raises(ItemError, match="a value is missing in row 502"):
        read(one(tmp_path, signal, report))


def test_a_clock_that_resets_near_the_end_is_cut_there(tmp_path: Path) -> None:
    signal, report = trial_tables(3, 1, TRIAL_S)
    n = len(signal) - 3
    signal.iloc[n - 40 :, 4] = 0.0  # s7/t1: the third sensor's clock alone
    assert read(one(tmp_path, signal, report)).signal.shape[1] == n - 40


def test_a_clock_that_resets_early_is_refused(tmp_path: Path) -> None:
    signal, report = trial_tables(3, 1, TRIAL_S)
    signal.iloc[1000:, [0, 2, 4, 6]] -= 0.5
    with pytest.raises(ItemError, match="clock stops or goes back in row 1002"):
        read(one(tmp_path, signal, report))


def test_a_report_clock_that_stumbles_is_mended(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    signal, report = trial_tables(3, 1, TRIAL_S)
    plain = read(one(tmp_path / "plain", signal, report)).label
    report.iloc[20:23, 0] -= 0.1  # s1/t11
    found = read(one(tmp_path / "stumbling", signal, report)).label
    assert found is not None
    assert (found == plain).all()
    assert "3 rows whose clock goes back" in caplog.text


def test_a_report_clock_that_restarts_is_refused(tmp_path: Path) -> None:
    signal, report = trial_tables(3, 1, TRIAL_S)
    report.iloc[80:, 0] -= 1.5
    with pytest.raises(ItemError, match="clock goes back in row 82"):
        read(one(tmp_path, signal, report))


def test_no_label_where_nobody_reported(tmp_path: Path) -> None:
    signal, report = trial_tables(3, 1, TRIAL_S)
    label = read(one(tmp_path, signal, report[report["time"] < 1.5])).label
    assert label is not None
    assert np.flatnonzero(label == 0)[0] * STEP_S == pytest.approx(2.0, abs=0.03)  # held for half a second
    assert (label[label.size // 2 + 700 :] == 0).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s, r: (s.iloc[:, :6], r), "6 columns, expected 8"),
        (lambda s, r: (s, r.assign(fatigue=3)), "report 3, expected 0, 1 or 2"),
        (lambda s, r: (s, r[["time"]]), "expected time and report"),
        (lambda s, r: (s.assign(**{"X [s]": s["X [s]"] * 2}), r), "its clock says 629.63 Hz"),
        (lambda s, r: (s.rename(columns={"R BICEPS BRACHII: EMG 1 [V]": "EMG 1"}), r), "0 columns are called 'BICEPS'"),
        (lambda s, r: (s * 0, r), "holds no values"),
    ],
)
def test_bad_tables(tmp_path: Path, change, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ItemError, match=message):
        read(one(tmp_path, *change(*trial_tables(3, 1, TRIAL_S))))


def test_the_other_arm_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(ItemError, match="left arm"):
        read(one(tmp_path, *trial_tables(3, 1, TRIAL_S), trial=2))


def test_not_a_table(tmp_path: Path) -> None:
    own = one(tmp_path, *trial_tables(3, 1, TRIAL_S))
    (tmp_path / "sEMG_data/subject_3/trial_1.csv").write_text("a,b\n1,x\n")
    with pytest.raises(ItemError, match="no table of numbers"):
        read(own)


def test_a_truncated_archive(tmp_path: Path) -> None:
    write_tree(tmp_path, subjects=(3,), trials=(1,), trial_s=TRIAL_S, zipped=True)
    archive = tmp_path / "sEMG_data.zip"
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(UserError, match="truncated, or no zip file"):
        reader(tmp_path).list()


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="zenodo"):
        reader(tmp_path / "none").list()
    with pytest.raises(UserError, match=r"no file below .* is named like"):
        reader(tmp_path).list()


@pytest.mark.parametrize("bad", [{"exclude": [[1]]}, {"max_lost": 1.0}, {"unit": "furlong"}])
def test_parameters(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        reader(Path(), **bad)
