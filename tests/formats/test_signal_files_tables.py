"""Text files and sheets as people have them: delimiters, headers, units, time columns, gaps."""

from __future__ import annotations

import codecs
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

from cleansemg.core.errors import UserError
from cleansemg.formats import create_file, open_file
from cleansemg.formats.info import TableLayout
from tests.formats.signal_recordings import read, write


def table(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def numbers(delimiter: str, decimal: str, n: int = 30, time: bool = True) -> str:
    rows = [([f"{i / 1000:.3f}"] if time else []) + [f"{(i % 7 - 3) / 8:.3f}", f"{(i % 5) / 16:.4f}"] for i in range(n)]
    return "".join(delimiter.join(row).replace(".", decimal) + "\n" for row in rows)


EXPECTED = np.array([[(i % 7 - 3) / 8 for i in range(30)], [(i % 5) / 16 for i in range(30)]]).round(4)


@pytest.mark.parametrize(
    ("delimiter", "decimal"),
    [(",", "."), (";", ","), (";", "."), ("\t", "."), ("\t", ","), ("|", "."), (" ", "."), ("  ", ","), (", ", ".")],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", [b"", codecs.BOM_UTF8])
def test_dialects(tmp_path: Path, delimiter: str, decimal: str, newline: str, bom: bytes) -> None:
    names = delimiter.join(["time_s", "EMG1_mV", "EMG2_mV"]) + "\n"
    path = tmp_path / "a.csv"
    path.write_bytes(bom + (names + numbers(delimiter, decimal)).replace("\n", newline).encode())
    with open_file(path) as file:
        assert file.info.fs_hz == 1000
        assert [channel.name for channel in file.info.channels] == ["EMG1", "EMG2"]
        x = read(file)
        write(tmp_path / "b.csv", file.info, x)
    np.testing.assert_allclose(x, EXPECTED * 1e-3, atol=1.1e-6)
    with open_file(tmp_path / "b.csv") as file:
        np.testing.assert_allclose(read(file), x, rtol=1e-9)
    assert (tmp_path / "b.csv").read_bytes()[:3] == (bom or b"tim")
    assert ((tmp_path / "b.csv").read_bytes().count(b"\r") == 31) == (newline == "\r\n")


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "utf-8"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    path = table(tmp_path / "a.csv", "Zeit (s);Wade (µV);Größe (µV)\n" + numbers(";", ","), encoding)
    with open_file(path) as file:
        assert [(c.name, c.unit) for c in file.info.channels] == [("Wade", "µV"), ("Größe", "µV")]
        np.testing.assert_allclose(read(file), EXPECTED * 1e-6, atol=1.1e-9)
        write(tmp_path / "b.csv", file.info, read(file))
        write(tmp_path / "c.edf", file.info, read(file))
    assert (tmp_path / "b.csv").read_text(encoding).splitlines()[0] == "Zeit (s);Wade (µV);Größe (µV)"


@pytest.mark.parametrize(
    ("header", "names", "units"),
    [
        ("EMG1 (mV),biceps [uV]", ["EMG1", "biceps"], ["mV", "uV"]),
        ("a,b\nmV,uV", ["a", "b"], ["mV", "uV"]),
        ("Subject: 3\nNotes: 1,2 and 3\n\nEMG (left) (mV),EMG_uV", ["EMG (left)", "EMG"], ["mV", "uV"]),
        ("\ufeff# made by a logger\n\"x, y (mV)\",\"z\"\"q (V)\"", ["x, y", 'z"q'], ["mV", "V"]),
        ("Channel 1: 'RF', 30 values, engineering units: mV, no filters.\nChannel 2: 'BF', 30 values, engineering units: uV.", ["RF", "BF"], ["mV", "uV"]),
    ],
)  # fmt: skip
def test_headers(tmp_path: Path, header: str, names: list[str], units: list[str]) -> None:
    path = table(tmp_path / "a.csv", header + "\n" + numbers(",", ".", time=False))
    with open_file(path, fs_hz=1000) as file:
        assert [c.name for c in file.info.channels] == names
        assert [c.unit for c in file.info.channels] == units
        write(tmp_path / "b.csv", file.info, read(file))
    with open_file(tmp_path / "b.csv", fs_hz=1000) as file:
        assert [(c.name, c.unit) for c in file.info.channels] == list(zip(names, units, strict=True))


def test_what_is_no_signal_is_left_out_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = "".join(f"{i / 2000:.4f},{i % 3},{i * 0.1:.1f},rest,{i % 4}\n" for i in range(40))
    path = table(tmp_path / "a.csv", "t,EMG (mV),knee (deg),phase,label\n" + rows)
    with open_file(path) as file:
        assert [c.name for c in file.info.channels] == ["EMG"]
        assert file.info.fs_hz == 2000
    assert "left out: 'knee' (deg), 'phase' (text), 'label' (no unit)" in caplog.text
    with open_file(path, channels=["label", 1], unit="mV") as file:
        assert [c.name for c in file.info.channels] == ["label", "EMG"]
        np.testing.assert_allclose(read(file)[0][:5], [0, 1e-3, 2e-3, 3e-3, 0])
    for channels, match in (
        (["EMGG"], r"no channel 'EMGG'; did you mean 'EMG'\?; there are 1 'EMG', 2 'knee', 3 'phase', 4 'label'"),
        (["phase"], "'phase' is no signal"),
        (["EMG", 1], "twice"),
        (["knee"], "is in 'deg', which is no voltage; give --unit"),
        ([9], "no channel '9'"),
    ):
        with pytest.raises(UserError, match=match):
            open_file(path, channels=channels)


@pytest.mark.parametrize(
    ("name", "factor", "decimals"),
    [("time", 1, 4), ("Time (ms)", 1e3, 1), ("t_us", 1e6, 0), ("Timestamp [s]", 1, 9), ("", 1, 4), ("time (s)", 1, 3)],
)
@pytest.mark.parametrize("fs_hz", [1000.0, 2000.0])
def test_a_time_column_gives_the_rate_and_comes_back(
    tmp_path: Path, name: str, factor: float, decimals: int, fs_hz: float
) -> None:
    stamps = [f"{(5 + i / fs_hz) * factor:.{decimals}f}" for i in range(400)]
    text = f"{name},EMG (mV)\n" + "".join(f"{stamp},{i % 9 - 4}\n" for i, stamp in enumerate(stamps))
    with open_file(table(tmp_path / "a.csv", text)) as file:
        assert file.info.fs_hz == fs_hz
        assert file.info.start_s == pytest.approx(5)
        x = read(file)
        write(tmp_path / "b.csv", file.info, x)
    assert x.shape == (1, 400)
    back = pd.read_csv(tmp_path / "b.csv")
    assert list(back.columns)[1] == "EMG (mV)"
    np.testing.assert_allclose(back.iloc[:, 0], (5 + np.arange(400) / fs_hz) * factor, rtol=1e-9)
    with pytest.raises(UserError, match=rf"says {fs_hz:g} Hz, --fs 1234 Hz"):
        open_file(tmp_path / "b.csv", fs_hz=1234)


@pytest.mark.parametrize("fs_hz", [360.0, 1200.0, 1925.925925925926, 2048.0, 2148.1481])
@pytest.mark.parametrize("decimals", [6, 9])
def test_rounded_stamps_do_not_drift(tmp_path: Path, fs_hz: float, decimals: int) -> None:
    n = 60_000
    table(tmp_path / "a.csv", "t,a (mV)\n" + "".join(f"{i / fs_hz:.{decimals}f},0.5\n" for i in range(n)))
    with open_file(tmp_path / "a.csv") as file:
        assert file.info.fs_hz == pytest.approx(fs_hz, rel=10.0**-decimals)
        write(tmp_path / "b.csv", file.info, read(file))
    back = pd.read_csv(tmp_path / "b.csv")["t"].to_numpy()
    assert back.shape == (n,)
    assert np.abs(back - np.arange(n) / fs_hz).max() < 0.1 / fs_hz


def test_rounded_stamps_of_a_long_recording(tmp_path: Path) -> None:
    stamps = np.round(np.arange(6000) / 2148.1481, 3)
    table(tmp_path / "a.csv", "t,a (mV)\n" + "".join(f"{t:.3f},0.5\n" for t in stamps))
    with open_file(tmp_path / "a.csv") as file:
        assert file.info.fs_hz == pytest.approx(2148.1481, rel=1e-3)
        assert read(file).shape == (1, 6000)


@pytest.mark.parametrize("gap", [0, 7000])
@pytest.mark.parametrize("fs_hz", [1000.0, 2000.0, 4000.0])
@pytest.mark.parametrize("decimals", [4, 6, 9])
def test_seconds_since_1970_which_float64_rounds(tmp_path: Path, fs_hz: float, decimals: int, gap: int) -> None:
    index = np.arange(30_000) + gap * (np.arange(30_000) >= 4000)
    start, per_second = 1_700_000_000, round(fs_hz)
    exact = ((i // per_second, f"{i % per_second / fs_hz:.{decimals}f}") for i in index.tolist())
    stamps = [f"{start + second}{part[1:]}" for second, part in exact]
    table(tmp_path / "a.csv", "time (s),a (mV)\n" + "".join(f"{stamp},0.5\n" for stamp in stamps))
    with open_file(tmp_path / "a.csv") as file:
        assert file.info.fs_hz == fs_hz
        x = read(file)
        assert x.shape == (1, 30_000 + gap)
        assert int(np.isnan(x).sum()) == gap
        write(tmp_path / "b.csv", file.info, x)
    back = pd.read_csv(tmp_path / "b.csv")["time (s)"].to_numpy()
    np.testing.assert_allclose(back - start, np.arange(30_000 + gap) / fs_hz, atol=0.01 / fs_hz)


def test_a_jump_in_time_is_a_gap_and_a_step_back_an_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    index = np.r_[0:100, 150:300, 301:400]
    text = "time (s),a (mV)\n" + "".join(f"{i / 1000:.3f},{i}\n" for i in index)
    with open_file(table(tmp_path / "a.csv", text)) as file:
        for block in (7, 64, 65536):
            x = read(file, block)
            expected = np.full(400, np.nan)
            expected[index] = index * 1e-3
            np.testing.assert_allclose(x[0], expected)
        assert "2 gaps in time, 51 samples taken as missing" in caplog.text
    back = "time (s),a (mV)\n" + "".join(f"{i / 1000:.3f},{i}\n" for i in [*range(50), *range(30, 90)])
    with (
        open_file(table(tmp_path / "b.csv", back)) as file,
        pytest.raises(UserError, match=r"line 52: time \('time \(s\)'\) jumps back by 0.019"),
    ):
        read(file)
    late = "time (s),a (mV)\n" + "".join(f"{i / 1000 - 3 * (60 < i < 70):.3f},{i}\n" for i in range(90))
    with (
        open_file(table(tmp_path / "b.csv", late)) as file,
        pytest.raises(UserError, match=r"line 63: .* jumps back by 2.999"),
    ):
        read(file)
    odd = "time (s),a (mV)\n" + "".join(f"{i / 1000 + (i > 50) * 0.0004:.4f},{i}\n" for i in range(90))
    with (
        open_file(table(tmp_path / "c.csv", odd)) as file,
        pytest.raises(UserError, match=r"line 53: .*which is 1.40 samples"),
    ):
        read(file)
    with open_file(tmp_path / "c.csv", time="none", fs_hz=1000, channels=["a"]) as file:
        assert read(file).shape == (1, 90)
    far = "time (s),a (mV)\n" + "".join(f"{i / 1000 + (i > 50) * 1e9:.4f},{i}\n" for i in range(90))
    with open_file(table(tmp_path / "d.csv", far)) as file, pytest.raises(UserError, match="split the file there"):
        read(file)


def test_sample_numbers_are_no_signal(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a (mV)": np.sin(np.arange(50.0)), "b (mV)": np.cos(np.arange(50.0))})
    frame.to_csv(tmp_path / "a.csv")  # with an index that has no name
    with pytest.raises(UserError, match="numbers the samples; give --fs HZ"):
        open_file(tmp_path / "a.csv")
    with open_file(tmp_path / "a.csv", fs_hz=500) as file:
        assert [c.name for c in file.info.channels] == ["a", "b"]
        np.testing.assert_allclose(read(file), frame.to_numpy().T * 1e-3)
        write(tmp_path / "b.csv", file.info, read(file))
    assert list(pd.read_csv(tmp_path / "b.csv").iloc[:, 0]) == list(range(50))
    pd.DataFrame(frame.to_numpy()).to_csv(tmp_path / "c.csv", index=False)  # columns called 0 and 1
    with open_file(tmp_path / "c.csv", fs_hz=500, unit="mV") as file:
        assert read(file).shape == (2, 50)


def test_empty_cells_short_rows_blank_lines_and_trailing_delimiters(tmp_path: Path) -> None:
    body = "1,2,\n,4,\n5,,\n\n6\n,,\n7,8,\n,,\n"
    with open_file(table(tmp_path / "a.csv", "a (mV),b (mV),\n1,1,\n" + body), fs_hz=1000) as file:
        nan = np.nan
        np.testing.assert_array_equal(
            read(file) * 1e3, np.array([[1, 1, nan, 5, nan, 6, nan, 7, nan], [1, 2, 4, nan, nan, nan, nan, 8, nan]])
        )


@pytest.mark.parametrize("characters", [5, 64, 1 << 22])
@pytest.mark.parametrize(
    ("header", "row", "blank"), [("a (mV)", "{}", ""), ("a (mV),b (mV)", "{},2", ""), ("a (mV)\tb (mV)", "{}\t2", "  ")]
)
def test_blank_lines_take_time(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    header: str,
    row: str,
    blank: str,
    characters: int,
) -> None:
    monkeypatch.setattr("cleansemg.formats.text_table.CHUNK_CHARACTERS", characters)
    lines = [row.format(i) for i in range(1, 200)]
    for at in (3, 3, 3, 50, 120):
        lines.insert(at, blank)
    path = table(tmp_path / "a.csv", "\n".join([header, *lines, blank, blank, ""]))
    with open_file(path, fs_hz=1000) as file:
        x = read(file, 16)
    assert x.shape[1] == 204
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(x[0])), [3, 4, 5, 50, 120])
    assert "5 blank lines taken as samples without a value" in caplog.text
    # where every other line is blank, nobody means a gap; and stamps tell gaps themselves
    spaced = table(tmp_path / "b.csv", header + "\n" + "\n\n".join(row.format(i) for i in range(1, 200)))
    with open_file(spaced, fs_hz=1000) as file:
        assert read(file).shape[1] == 199
    assert "198 blank lines between samples passed over" in caplog.text
    timed = "".join(f"{i / 1000:.3f},{i}\n" + "\n" * (i % 20 == 7) for i in range(100))
    with open_file(table(tmp_path / "c.csv", "t (s),a (mV)\n" + timed)) as file:
        assert np.isfinite(read(file)).all()


@pytest.mark.parametrize("header", ["t (s),a (mV),b (mV),phase\n", "note: 3\n\nt (s),a (mV),b (mV),phase\n"])
@pytest.mark.parametrize("gap", ["{t},,2,rest", "{t},,,rest", "{t}", ",,,", ",,,rest"])
def test_a_gap_at_the_end_of_what_is_looked_at_first(tmp_path: Path, gap: str, header: str) -> None:
    """Which columns hold numbers, all samples say, not the last of the first 10,000 lines."""
    rows = [f"{i / 1000:.3f},{i % 7},{i % 5},rest" for i in range(12_000)]
    rows[9700:10_300] = [gap.format(t=f"{i / 1000:.3f}") for i in range(9700, 10_300)]
    for lines in (rows, rows[:10_300]):
        with open_file(table(tmp_path / "a.csv", header + "\n".join(lines) + "\n")) as file:
            assert [channel.name for channel in file.info.channels] == ["a", "b"]
            assert file.info.fs_hz == 1000
            x = read(file)
        assert x.shape == (2, len(lines))
        assert np.isnan(x[0, 9700:10_300]).all()
        assert np.isfinite(x[:, :9700]).all()


@pytest.mark.parametrize("n", [40, 12_000])
def test_notes_after_the_last_sample_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture, n: int) -> None:
    rows = "".join(f"{i / 1000:.3f},{i % 7},rest\n" for i in range(n - 1)) + f"{(n - 1) / 1000},,rest\n"
    path = table(tmp_path / "a.csv", "t (s),a (mV),phase\n" + rows + "\n# stopped by hand\nend,of,file\n\n")
    with open_file(path) as file:
        assert read(file).shape == (1, n)
    assert "left out, after the last sample: '# stopped by hand', 'end,of,file'" in caplog.text
    path = table(tmp_path / "b.csv", "a (mV),phase\n" + "1,rest\n" * n + ",rest\n")
    with open_file(path, fs_hz=1000) as file:
        assert read(file).shape == (1, n + 1)


def test_errors_name_the_line(tmp_path: Path) -> None:
    good = "a (mV),b (mV)\n" + "1,2\n" * 3000
    for bad, match in (
        ("1,oops\n", "line 3002, column 1: 'oops' is not a number"),
        ("1,2,3\n", "line 3002: 3 cells, expected 2"),
        ("1,2,3,4,5\n", "line 3002: 5 cells"),
    ):
        with (
            open_file(table(tmp_path / "a.csv", good + bad + "1,2\n"), fs_hz=1000) as file,
            pytest.raises(UserError, match=match),
        ):
            read(file)
    with (
        pytest.raises(UserError, match="line 10, column 0: 'x' is not a number"),
        open_file(table(tmp_path / "b.csv", "a (mV)\n" + "1\n" * 8 + "x\n" + "1\n" * 30), fs_hz=1000) as file,
    ):
        read(file)


def test_units_and_rates_that_contradict_or_are_absent(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "a (mV),b\n" + "1,2\n" * 30)
    for how, match in (
        ({}, "does not say its sampling rate; give --fs HZ"),
        ({"fs_hz": 100}, "--fs gives 100 Hz"),
        ({"fs_hz": 1000, "unit": "uV"}, "'a' is in mV, --unit says uV"),
        ({"fs_hz": 1000, "unit": "volt"}, "unit 'volt' is not"),
        ({"fs_hz": 1000, "unit": -1}, "not a positive"),
        ({"fs_hz": float("nan")}, "not a sampling rate"),
        ({"fs_hz": 1000, "channels": ["b"]}, "'b' has no unit; give --unit"),
        ({"fs_hz": 1000, "offset": 3.0, "channels": [1]}, "--offset needs --unit"),
        ({"fs_hz": 1000, "time": "tme"}, "no column of numbers 'tme'"),
        ({"fs_hz": 1000, "sheet": "x"}, "--sheet is of .xlsx"),
    ):
        with pytest.raises(UserError, match=match):
            open_file(path, **how)  # type: ignore[arg-type]
    with open_file(path, fs_hz=1000, unit=2e-6, offset=1.0, channels=["b"]) as file:
        np.testing.assert_allclose(read(file), np.full((1, 30), 2e-6))
        write(tmp_path / "b.csv", file.info, read(file))
        write(tmp_path / "c.npz", file.info, read(file))
    assert (tmp_path / "b.csv").read_text().startswith("b\n2\n2\n")
    with open_file(tmp_path / "c.npz") as file:
        np.testing.assert_allclose(read(file), np.full((1, 30), 2e-6))
        assert file.info.channels[0].unit == "mV"


@pytest.mark.parametrize(
    ("line", "fs_hz"),
    [
        ("Sampling rate: 1,000 Hz", 1000), ("Sampling rate: 1 000 Hz", 1000), ("fs = 1.0e3 Hz", 1000), ("Fs: 2,048 kHz", 2048),
        ("sample rate\t10,240.5", 10240.5), ("SamplingFrequency=2148,1481", 2148.1481), ("fs 2000 S/s", 2000),
        ("Sampling rate: 0.5 ms", None), ("Sampling rate: 500us", None), ("fs: 1 kHz, 16 bit", 1000),
        ("Sampling rate: 100 Hz", None), ("fs: 3", None), ("Sampling rate: 1.5 MHz", None),
    ],
)  # fmt: skip
def test_rates_as_people_write_them(tmp_path: Path, line: str, fs_hz: float | None) -> None:
    path = table(tmp_path / "a.txt", f"{line}\na (mV)\tb (mV)\n" + "1\t2\n" * 30)
    with open_file(path, fs_hz=None if fs_hz else 1500) as file:
        assert file.info.fs_hz == (fs_hz or 1500)


def test_a_stated_rate_in_the_header(tmp_path: Path) -> None:
    path = table(tmp_path / "a.txt", "Sampling Rate: 2 kHz\na (mV)\tb (mV)\n" + "1\t2\n" * 30)
    with open_file(path) as file:
        assert file.info.fs_hz == 2000
        write(tmp_path / "b.txt", file.info, read(file))
    with open_file(tmp_path / "b.txt") as file:
        assert file.info.fs_hz == 2000
        assert isinstance(file.info.layout, TableLayout)
        assert file.info.layout.preamble == ("Sampling Rate: 2 kHz",)


def test_sheets(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "notes"
    for name in ("one", "two"):
        sheet = book.create_sheet(name)
        sheet.append(["time (ms)", "=EMG (mV)", "state"])
        sheet["B1"].data_type = "s"
        for i in range(20):
            sheet.append([i * 0.5 + (i > 9) * 1.0, None if i == 3 else i, "x"])
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(UserError, match="choose one with --sheet: one, two"):
        open_file(tmp_path / "a.xlsx")
    with pytest.raises(UserError, match="no sheet 'tow'; did you mean 'two'"):
        open_file(tmp_path / "a.xlsx", sheet="tow")
    with open_file(tmp_path / "a.xlsx", sheet="two") as file:
        x = read(file)
        assert (file.info.fs_hz, file.info.n_samples) == (2000, 22)
        np.testing.assert_array_equal(np.flatnonzero(np.isnan(x[0])), [3, 10, 11])
        write(tmp_path / "b.xlsx", file.info, x)
    back = pd.read_excel(tmp_path / "b.xlsx", sheet_name="two")
    assert list(back.columns) == ["time (ms)", "=EMG (mV)"]
    np.testing.assert_allclose(back["time (ms)"], np.arange(22) * 0.5)


def test_a_sheet_has_so_many_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = table(tmp_path / "a.csv", "a (mV),b (mV)\n" + "1,2\n" * 30)
    monkeypatch.setattr("cleansemg.formats.sheet_file.MAX_ROWS", 20)
    with (
        open_file(path, fs_hz=1000) as file,
        create_file(tmp_path / "b.xlsx", file.info) as writer,
        pytest.raises(UserError, match="xlsx holds at most 20 rows"),
    ):
        writer.write(read(file))
    assert not (tmp_path / "b.xlsx").exists()
