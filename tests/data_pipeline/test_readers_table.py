from __future__ import annotations

import logging
import pickle
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from cleansemg.core import registry
from cleansemg.core.errors import ItemError, UserError
from cleansemg.data_pipeline.readers.table import TableReader
from cleansemg.data_pipeline.recording import Recording

CSV = r"(?P<subject>s\d+)\.csv"


def read_text(folder: Path, text: str, name: str = "s1.csv", **parameters: object) -> Recording:
    (folder / name).write_bytes(text.encode())
    reader = TableReader("mine", folder, **{"pattern": CSV, "fs_hz": 1000, **parameters})  # type: ignore[arg-type]
    (ref,) = reader.list()
    return pickle.loads(pickle.dumps(reader)).read(ref)


def write_workbook(path: Path, **sheets: list[list[object]]) -> None:
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for name, rows in sheets.items():
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(row)
    workbook.save(path)


def test_columns_by_position_in_the_unit_of_the_file(tmp_path: Path) -> None:
    recording = read_text(tmp_path, "1,2,9\n3,4,9\n5,6,9\n", unit="mV", columns={0: "VL", 1: "BF"})
    np.testing.assert_allclose(recording.signal, [[1e-3, 3e-3, 5e-3], [2e-3, 4e-3, 6e-3]], rtol=1e-15)
    assert recording.channels == ("VL", "BF")
    assert (recording.subject, recording.exercise, recording.fs_hz) == ("s1", "s1", 1000.0)
    assert recording.label is None
    assert (recording.trial_label, recording.trial_repetition) == (1, 1)


@pytest.mark.parametrize(
    ("unit", "volts"), [("V", 1.0), ("mv", 1e-3), ("uV", 1e-6), ("µV", 1e-6), ("nV", 1e-9), (4.5e-8, 4.5e-8)]
)
def test_units(tmp_path: Path, unit: str | float, volts: float) -> None:
    np.testing.assert_allclose(read_text(tmp_path, "2\n3\n", unit=unit).signal, [[2 * volts, 3 * volts]], rtol=1e-15)


def test_columns_by_name(tmp_path: Path) -> None:
    text = 'Recorded, today\r\ntime, EMG biceps ,"EMG triceps"\r\n0,1,2\r\n0.001,3,4\r\n'
    by_name = read_text(tmp_path, text, header_lines=2, columns={"EMG triceps": "TB"}, time_column="time")
    assert by_name.channels == ("TB",)
    np.testing.assert_array_equal(by_name.signal, [[2, 4]])
    every = read_text(tmp_path, text, header_lines=2, time_column=0)
    assert every.channels == ("EMG biceps", "EMG triceps")
    listed = read_text(tmp_path, text, header_lines=2, columns=[2, "EMG biceps"])
    assert listed.channels == ("ch3", "EMG biceps")
    np.testing.assert_array_equal(listed.signal, [[2, 4], [1, 3]])


def test_delimiters_decimal_comma_and_byte_order_mark(tmp_path: Path) -> None:
    assert read_text(tmp_path, "1\t2\n", name="s1.tsv", pattern=r"(?P<subject>\w+)\.tsv").signal.tolist() == [[1], [2]]
    (tmp_path / "s1.tsv").unlink()
    recording = read_text(tmp_path, "\ufeff1,5;2,25\n", delimiter=";", decimal=",")
    assert recording.signal.tolist() == [[1.5], [2.25]]


def test_labels_a_sample(tmp_path: Path) -> None:
    text = "emg,label,repetition\n" + "".join(f"0.{i},{i // 2 % 2},{i // 4}\n" for i in range(8))
    recording = read_text(tmp_path, text, header_lines=1, label_column="label", repetition_column="repetition")
    assert recording.channels == ("emg",)
    assert recording.label.tolist() == [0, 0, 1, 1, 0, 0, 1, 1]
    assert recording.repetition.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert recording.has_rest
    counted = read_text(tmp_path, text, header_lines=1, columns=["emg"], label_column=1)
    assert counted.repetition.tolist() == [0, 0, 1, 1, 0, 0, 2, 2]


def test_the_file_name_tells_label_repetition_and_exercise(tmp_path: Path) -> None:
    (tmp_path / "walks").mkdir()
    for name in ("p2_sit_1.csv", "p2_walk_2.csv", "notes.csv"):
        (tmp_path / "walks" / name).write_text("1\n2\n")
    reader = TableReader(
        "mine",
        tmp_path,
        pattern=r"p(?P<subject>\d)_(?P<label>\w+)_(?P<repetition>\d)\.csv",
        fs_hz=1000,
        exercise="{label}{repetition}",
        labels={"walk": 4, "sit": 2},
        subject_prefix="P",
    )
    refs = reader.list()
    assert [(r.subject, r.exercise, r.key) for r in refs] == [
        ("P2", "sit1", "walks/p2_sit_1.csv"),
        ("P2", "walk2", "walks/p2_walk_2.csv"),
    ]
    recording = reader.read(refs[1])
    assert (recording.trial_label, recording.trial_repetition) == (4, 2)


def test_a_pattern_with_a_slash_takes_the_subject_from_the_folder(tmp_path: Path) -> None:
    for subject in ("a", "b"):
        (tmp_path / subject).mkdir()
        (tmp_path / subject / "walk.csv").write_text("1\n")
    reader = TableReader("mine", tmp_path, pattern=r"(?P<subject>\w+)/(?P<exercise>\w+)\.csv", fs_hz=1000)
    assert [(r.subject, r.exercise) for r in reader.list()] == [("a", "walk"), ("b", "walk")]


def test_rows_without_values_at_the_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = "1\t2\t7\n\t3\t7\n5\t\t7\n\t\t7\n\t\t\n\n"
    parameters = {"delimiter": "\t", "columns": [0, 1]}
    with caplog.at_level(logging.INFO):
        recording = read_text(tmp_path, text, **parameters)
    np.testing.assert_array_equal(recording.signal, [[1, np.nan, 5], [2, 3, np.nan]])
    assert "3 rows without EMG values at the end are cut" in caplog.text
    with pytest.raises(ItemError, match="3 rows at the end have no EMG values"):
        read_text(tmp_path, text, **parameters, trailing_gaps="error")


@pytest.mark.parametrize(("unit", "step"), [("s", 1e-3), ("ms", 1.0), ("us", 1000.0)])
def test_the_time_column_is_checked(tmp_path: Path, unit: str, step: float) -> None:
    text = "".join(f"{i * step},1\n" for i in range(200))
    assert read_text(tmp_path, text, time_column=0, time_unit=unit).signal.shape == (1, 200)
    with pytest.raises(ItemError, match=r"mean step is 0.001 s \(1000 Hz\), the configuration fs_hz: 2000"):
        read_text(tmp_path, text, time_column=0, time_unit=unit, fs_hz=2000)
    assert read_text(tmp_path, text, time_column=0, time_unit=unit, fs_hz=1009).fs_hz == 1009


def test_times_that_are_rounded_still_give_the_rate(tmp_path: Path) -> None:
    text = "".join(f"{i / 2000:.3f},1\n" for i in range(400))
    assert read_text(tmp_path, text, time_column=0, fs_hz=2000).fs_hz == 2000


def test_text_outside_the_columns_of_interest_does_not_matter(tmp_path: Path) -> None:
    assert read_text(tmp_path, "1,start\n2,\n", columns=[0]).signal.tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("text", "parameters", "message"),
    [
        ("a,b\n1,2\n3,x4\n5,6\n", {"header_lines": 1}, r"line 3, column 1: 'x4' is not a number \(header_lines: 1\)"),
        ("a,b\n1,2\n", {}, r"line 1, column 0: 'a' is not a number \(header_lines: 0\)"),
        ("a,b\n", {"header_lines": 1}, "holds no sample in the line after 1 header lines"),
        ("", {}, "holds no sample"),
        (",\n,\n", {}, "no row has a value in the EMG columns"),
        ("1,2\n1,2,3\n", {}, "rows of different lengths .*line 2"),
        ("1;2\n", {"columns": [0, 1]}, "has no column 1; columns are 0 to 0; is the delimiter right?"),
        ("1,2\n", {"columns": ["EMG"]}, r"has no column called 'EMG'; names are none \(is header_lines set\?\)"),
        ("x,y\n1,2\n", {"columns": ["EMG"], "header_lines": 1}, "has no column called 'EMG'; names are 'x', 'y'"),
        ("1,0.5\n", {"label_column": 1}, "'label_column' is 0.5 at sample 0, expected whole numbers"),
        ("1,\n", {"time_column": 1}, "the time column holds no times"),
    ],
)
def test_a_text_file_with_a_fault(tmp_path: Path, text: str, parameters: dict[str, object], message: str) -> None:
    with pytest.raises(ItemError, match=message) as error:
        read_text(tmp_path, text, **parameters)
    assert str(error.value).startswith("mine: s1.csv: ")
    assert "\n" not in str(error.value)


def test_a_label_that_has_no_number(tmp_path: Path) -> None:
    with pytest.raises(ItemError, match=r"label 'run' has no number in labels: \(walk\)"):
        read_text(tmp_path, "1\n", "s_run.csv", pattern=r"(?P<subject>s)_(?P<label>\w+)\.csv", labels={"walk": 1})


def workbook_reader(folder: Path, **parameters: object) -> TableReader:
    return TableReader(
        "mine",
        folder,
        **{  # type: ignore[arg-type]
            "pattern": r"ID (?P<subject>\d+)\.xlsx",
            "sheets": "EM[GB]_(?P<channel>(?P<label>VL|BF))",
            "labels": {"VL": 1, "BF": 2},
            "exercise": "EMG_{channel}",
            "columns": {0: "VL", 1: "BF"},
            "fs_hz": 2000,
            "unit": "uV",
            **parameters,
        },
    )


def test_sheets_are_recordings_of_their_target_channel(tmp_path: Path) -> None:
    write_workbook(tmp_path / "ID 6.xlsx", DNM=[["force"]], EMG_VL=[[1, 2], [3, 4], [None, 5]], EMB_BF=[[5, 6], [7, 8]])
    reader = workbook_reader(tmp_path)
    refs = reader.list()
    assert [(r.subject, r.exercise, r.key) for r in refs] == [
        ("6", "EMG_BF", "ID 6.xlsx#EMB_BF"),
        ("6", "EMG_VL", "ID 6.xlsx#EMG_VL"),
    ]
    bf, vl = (reader.read(ref) for ref in refs)
    np.testing.assert_allclose(bf.signal, [[6e-6, 8e-6]])
    assert (bf.channels, bf.trial_label, vl.trial_label) == (("BF",), 2, 1)
    np.testing.assert_allclose(vl.signal, [[1e-6, 3e-6]])


def test_headers_in_sheets(tmp_path: Path) -> None:
    write_workbook(tmp_path / "ID 1.xlsx", EMG_VL=[["made by me"], ["vastus", "biceps"], [1, 2.5]])
    (ref,) = workbook_reader(tmp_path).list()
    recording = workbook_reader(tmp_path, header_lines=2, columns={"vastus": "VL"}).read(ref)
    np.testing.assert_allclose(recording.signal, [[1e-6]])


def test_a_workbook_without_its_sheets_is_listed_and_fails_when_read(tmp_path: Path) -> None:
    write_workbook(tmp_path / "ID 1.xlsx", EMG_VL=[[1, 2]])
    write_workbook(tmp_path / "ID 2.xlsx", DNM=[[1, 2]])
    write_workbook(tmp_path / "ID 3.xlsx", EMG_VL=[[1, 2]], EMG_BF=[[1, 2]])
    (tmp_path / "ID 4.xlsx").write_bytes((tmp_path / "ID 3.xlsx").read_bytes()[:3000])
    reader = workbook_reader(tmp_path, sheets_per_file=2)
    refs = {ref.key: ref for ref in reader.list()}
    assert list(refs) == ["ID 1.xlsx", "ID 2.xlsx", "ID 3.xlsx#EMG_BF", "ID 3.xlsx#EMG_VL", "ID 4.xlsx"]
    for key, message in (
        ("ID 1.xlsx", "expected 2 sheets named like 'EM.*', there are EMG_VL"),
        ("ID 2.xlsx", "expected 2 sheets named like 'EM.*', there are DNM"),
        ("ID 4.xlsx", "truncated, or not an .xlsx workbook"),
    ):
        with pytest.raises(ItemError, match=message) as error:
            reader.read(refs[key])
        assert str(error.value).startswith(f"mine: {key}: ")
    write_workbook(tmp_path / "ID 3.xlsx", EMG_VL=[[1, 2]])
    with pytest.raises(ItemError, match=r"mine: ID 3.xlsx#EMG_BF: no sheet 'EMG_BF'; there are EMG_VL"):
        reader.read(refs["ID 3.xlsx#EMG_BF"])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1, 2], ["off", 3]], r"sheet 'EMG_VL', row 2, column 0: 'off' is not a number \(header_lines: 0\)"),
        ([], "sheet 'EMG_VL' holds no sample after 0 header lines"),
    ],
)
def test_a_sheet_with_a_fault(tmp_path: Path, rows: list[list[object]], message: str) -> None:
    write_workbook(tmp_path / "ID 1.xlsx", EMG_VL=rows)
    reader = workbook_reader(tmp_path)
    with pytest.raises(ItemError, match=message):
        reader.read(reader.list()[0])


def npz_reader(folder: Path, **parameters: object) -> TableReader:
    known = {"pattern": r"(?P<subject>\w+)\.npz", "signal_key": "raw", "fs_key": "fs_hz"}
    return TableReader("mine", folder, **{**known, **parameters})  # type: ignore[arg-type]


@pytest.mark.parametrize("layout", ["flat", "rows", "columns"])
def test_npz_with_codes_of_a_converter(tmp_path: Path, layout: str) -> None:
    codes = np.array([0, 32768, 65535], np.uint16)
    array = {"flat": codes, "rows": codes[:, None], "columns": codes[None, :]}[layout]
    np.savez(tmp_path / "a.npz", raw=array, fs_hz=1000)
    reader = npz_reader(tmp_path, unit=2.0**-16 * 3e-3, offset=32768)
    recording = reader.read(reader.list()[0])
    np.testing.assert_allclose(recording.signal, [[-1.5e-3, 0, 1.5e-3 * (1 - 2**-15)]], rtol=1e-12)
    assert recording.fs_hz == 1000


def test_npz_with_a_fault(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", raw=np.arange(5.0), fs_hz=1000)
    (ref,) = npz_reader(tmp_path).list()
    with pytest.raises(ItemError, match=r"a.npz: has no 'emg'; it holds raw, fs_hz"):
        npz_reader(tmp_path, signal_key="emg").read(ref)
    with pytest.raises(ItemError, match="'fs_hz' says 1000 Hz, the configuration fs_hz: 2000"):
        npz_reader(tmp_path, fs_hz=2000).read(ref)
    np.savez(tmp_path / "a.npz", raw=np.array([{}], dtype=object), fs_hz=1000)
    with pytest.raises(ItemError, match=r"a.npz: not a readable npz file"):
        npz_reader(tmp_path).read(ref)
    (tmp_path / "a.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:100])
    with pytest.raises(ItemError, match=r"a.npz: not a readable npz file"):
        npz_reader(tmp_path).read(ref)


def test_no_file_and_a_file_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no file below .* is named like"):
        TableReader("mine", tmp_path, CSV, fs_hz=1000).list()
    with pytest.raises(ItemError, match=r"'.doc' is none of .csv"):
        read_text(tmp_path, "1\n", "s1.doc", pattern=r"(?P<subject>s1)\.doc")


def test_two_files_of_one_subject_and_exercise(tmp_path: Path) -> None:
    for name in ("s1_a.csv", "s1_b.csv"):
        (tmp_path / name).write_text("1\n")
    reader = TableReader("mine", tmp_path, r"(?P<subject>s\d)_\w\.csv", fs_hz=1000, exercise="walk")
    with pytest.raises(UserError, match=r"'s1_a.csv' and 's1_b.csv' are both subject s1, exercise walk"):
        reader.list()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"header": 3}, "unknown parameter 'header'; did you mean 'header_lines'"),
        ({"fs_hz": None}, "give fs_hz"),
        ({"trailing_gaps": "keep"}, "expected drop or error"),
        ({"time_unit": "h"}, "time_unit is 'h', expected s, ms, us"),
        ({"unit": -1}, "unit -1 is not a positive number of volts"),
        ({"columns": []}, "columns is a mapping"),
        ({"repetition_column": 1}, "repetition_column needs label_column"),
        ({"pattern": "x.csv"}, r"has no group \(\?P<subject>"),
    ],
)
def test_parameters_that_make_no_sense(tmp_path: Path, parameters: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=f"dataset 'muscletracker': .*{message}"):
        registry.find("datasets", "muscletracker").build(database="m", folder=tmp_path, **parameters)


def test_an_exercise_of_unknown_groups(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"exercise: '\{day\}' has a group that 's1.csv' does not give; it gives subject"
    ):
        read_text(tmp_path, "1\n", exercise="{day}")


@pytest.mark.realdata
def test_muscletracker(real_data: Path) -> None:
    reader = registry.find("datasets", "muscletracker").build(
        database="muscletracker", folder=real_data / "muscletracker" / "Biopac"
    )
    refs = reader.list()
    assert len(refs) == 29 * 15 + 10  # the source: 3 repetitions of 5 movements, but person 30 has 10 files
    assert {ref.subject for ref in refs} == {f"S{number}" for number in range(1, 31)}
    ref = next(r for r in refs if r.key == "1_1_2.txt")
    recording = reader.read(ref)
    assert (ref.subject, ref.exercise) == ("S1", "M2R1")
    assert (recording.trial_label, recording.trial_repetition, recording.fs_hz) == (2, 1, 1000)
    np.testing.assert_allclose(recording.signal[:, 0], [-1.251220703125e-05, -7.62939453125e-06])  # line 1 of the file


@pytest.mark.realdata
def test_uci_lower_limb(real_data: Path) -> None:
    reader = registry.find("datasets", "uci_lower_limb").build(database="uci", folder=real_data / "uci_lower_limb")
    refs = {(r.subject, r.exercise): r for r in reader.list()}
    assert len(refs) == 40
    assert ("2N", "mar") in refs
    assert ("2N", "pie") not in refs
    whole = reader.read(refs["1A", "mar"])
    assert whole.signal.shape == (4, 12973)  # as the header says
    assert whole.channels == ("RF", "BF", "VM", "ST")
    np.testing.assert_allclose(whole.signal[:, 0], [-5.48e-5, -1.5e-6, 4.2e-5, 2.85e-5])
    short = reader.read(refs["2N", "mar"])
    assert short.signal.shape == (4, 7384)  # values by the header; rows of the goniometer alone follow
    assert np.isfinite(short.signal).all()
    assert reader.read(refs["1N", "mar"]).trial_label == 1  # has '7.5V' in the goniometer's column


@pytest.mark.realdata
def test_elderly_lower_limb(real_data: Path) -> None:
    reader = registry.find("datasets", "elderly_lower_limb").build(
        database="elderly", folder=real_data / "elderly_lower_limb"
    )
    refs = {r.key: r for r in reader.list()}
    assert len(refs) == 30 * 3  # people, and the sheets of VL, BF and TA
    assert {ref.subject for ref in refs.values()} == {f"ID{number}" for number in range(1, 31)}
    assert refs["ID 6.xlsx#EMB_TA"].exercise == "EMG_TA"
    ta, vl = reader.read(refs["ID 6.xlsx#EMB_TA"]), reader.read(refs["ID 5.xlsx#EMG_VL"])
    assert (ta.subject, ta.channels, ta.signal.shape, ta.trial_label) == ("ID6", ("VL", "BF", "TA"), (3, 20001), 3)
    assert (ta.idle_channels, vl.idle_channels) == ({"VL", "BF"}, {"BF", "TA"})
    assert (vl.signal.shape, vl.fs_hz) == ((3, 10001), 2000)
    np.testing.assert_allclose([ta.signal[2, 0], vl.signal[0, 0]], [-11.9670329670328e-6, 28.2789987789988e-6])


def test_other_channels_are_dropped_or_kept_idle(tmp_path: Path) -> None:
    (tmp_path / "A_left.csv").write_text("1,2\n3,4\n5,6\n")
    options = {
        "pattern": r"(?P<subject>A)_(?P<channel>left|right)\.csv",
        "columns": {0: "left", 1: "right"},
        "fs_hz": 100,
    }
    for other, channels, idle in (("drop", ("left",), set()), ("idle", ("left", "right"), {"right"})):
        reader = TableReader("t", tmp_path, other_channels=other, **options)
        recording = reader.read(reader.list()[0])
        assert (recording.channels, recording.idle_channels) == (channels, idle)
    with pytest.raises(ValueError, match="other_channels is 'keep'"):
        TableReader("t", tmp_path, other_channels="keep", **options)


@pytest.mark.realdata
def test_biosignalsnotebooks_as_documented(real_data: Path) -> None:
    reader = TableReader(
        "fatigue",
        real_data / "biosignalsnotebooks",
        pattern=r"emg_(?P<subject>fatigue)\.npz",
        signal_key="raw_uint16",
        fs_key="fs_hz",
        offset=32768,
        unit=4.577636718750e-8,
    )
    recording = reader.read(reader.list()[0])
    assert recording.fs_hz == 1000
    assert 126 < recording.signal.shape[1] / recording.fs_hz < 128
    assert 1e-5 < recording.signal.std() < 1e-3


def test_uci_files_that_are_copies_of_somebody_elses_are_left_out(tmp_path: Path) -> None:
    """In the complete set, sitting and standing of 2N are those of 1N, byte for byte."""
    for name in ("1Nmar", "1Npie", "1Nsen", "2Nmar", "2Npie", "2Nsen", "12Npie"):
        (tmp_path / f"{name}.txt").write_text("x")
    reader = registry.find("datasets", "uci_lower_limb").build(database="uci", folder=tmp_path)
    names = [f"{ref.subject}{ref.exercise}" for ref in reader.list()]
    assert names == ["12Npie", "1Nmar", "1Npie", "1Nsen", "2Nmar"]
