"""Other programs read what is written here, and the other way round; real recordings; memory."""

from __future__ import annotations

import functools
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyedflib
import pytest
import scipy.io
import wfdb
from numpy.typing import NDArray

from cleansemg.core.errors import UserError
from cleansemg.formats import FORMATS, FileInfo, open_file
from tests.formats.signal_recordings import info_of, read, recording, suffix, write

ROOT = Path(__file__).resolve().parents[2]
START = datetime(2024, 2, 29, 13, 5, 7)


@pytest.mark.parametrize("kind", ["edf", "bdf"])
@pytest.mark.parametrize(("n", "gaps"), [(3000, False), (3000, True), (2777, False)])
def test_pyedflib_reads_our_edf(tmp_path: Path, kind: str, n: int, gaps: bool) -> None:
    x = recording(3, n, seed=8, gaps=gaps)
    info = replace(info_of(tmp_path, 3, 1000.0, "mV"), start_datetime=START)
    path = tmp_path / f"a.{kind}"
    write(path, info, x)
    with open_file(path) as file:
        ours = read(file)
        assert file.info.start_datetime == START
    with pyedflib.EdfReader(str(path)) as reader:
        assert reader.getStartdatetime() == START
        assert reader.getSignalLabels() == ["EMG 1", "EMG 2", "EMG 3"]
        assert [reader.getPhysicalDimension(i) for i in range(3)] == ["mV"] * 3
        assert list(reader.getSampleFrequencies()) == [1000.0] * 3
        theirs = np.stack([reader.readSignal(i)[:n] for i in range(3)]) * 1e-3
        onsets, durations, texts = reader.readAnnotations()
    there = ~np.isnan(x)
    np.testing.assert_allclose(theirs[there], ours[there], atol=1e-15)
    assert np.abs(ours - x)[there].max() < 2.5e-3 / 65536
    assert ("padding" in texts) == (n % 1000 != 0)
    marked = np.zeros_like(there)
    for onset, duration, text in zip(onsets, durations, texts, strict=True):
        if str(text).startswith("missing@@"):
            marked[int(str(text)[-1]) - 1, round(onset * 1000) : round((onset + float(duration)) * 1000)] = True
    np.testing.assert_array_equal(marked, ~there)


def test_we_read_pyedflibs_edf(tmp_path: Path) -> None:
    path = tmp_path / "a.bdf"
    with pyedflib.EdfWriter(str(path), 2, pyedflib.FILETYPE_BDFPLUS) as writer:
        writer.setStartdatetime(START)
        for i, unit in enumerate(("uV", "mV")):
            writer.setSignalHeader(
                i,
                {
                    "label": f"m{i}", "dimension": unit, "sample_frequency": 2048, "physical_max": 3000.0, "physical_min": -2000.0,
                    "digital_max": 8388607, "digital_min": -8388608, "transducer": "AgAgCl", "prefilter": "HP:10Hz",
                },
            )  # fmt: skip
        writer.writeSamples([np.sin(np.arange(8192.0) * 0.1) * 1000, np.cos(np.arange(8192.0))])
        writer.writeAnnotation(1.25, 0.5, "fist")
    with pyedflib.EdfReader(str(path)) as reader:
        theirs = np.stack([reader.readSignal(0) * 1e-6, reader.readSignal(1) * 1e-3])
    with open_file(path) as file:
        assert (file.info.fs_hz, file.info.start_datetime) == (2048.0, START)
        assert [(note.onset_s, note.duration_s, note.text) for note in file.info.layout.annotations] == [
            (1.25, 0.5, "fist")
        ]  # type: ignore[union-attr]
        for block in (100, 2048, 65536):
            np.testing.assert_allclose(read(file, block), theirs, rtol=1e-12, atol=1e-15)
        write(tmp_path / "b.bdf", file.info, theirs)
    with pyedflib.EdfReader(str(tmp_path / "b.bdf")) as reader:
        np.testing.assert_allclose(reader.readSignal(0) * 1e-6, theirs[0], atol=1e-12)
        assert (reader.getPrefilter(0), reader.getTransducer(1)) == ("HP:10Hz", "AgAgCl")


def test_a_discontinuous_edf_has_gaps(tmp_path: Path) -> None:
    x = recording(1, 3000, seed=8, gaps=False)
    x[:, 10] = np.nan  # makes it EDF+
    write(tmp_path / "a.edf", info_of(tmp_path, 1, 1000.0, "mV"), x)
    data = (tmp_path / "a.edf").read_bytes()
    for stamp, match in ((b"+7\x14\x14\x00", ""), (b"+0\x14\x14\x00", "record 3 begins -2 s")):
        (tmp_path / "b.edf").write_bytes(data.replace(b"EDF+C", b"EDF+D", 1).replace(b"+2\x14\x14\x00", stamp))
        if match:
            with pytest.raises(UserError, match=match):
                open_file(tmp_path / "b.edf")
            continue
        with open_file(tmp_path / "b.edf") as file:
            found = read(file, 512)
        assert found.shape == (1, 8000)
        assert np.isnan(found[0, 2000:7000]).all()
        np.testing.assert_allclose(found[0, 7000:], x[0, 2000:], atol=4e-8)


@pytest.mark.parametrize("gaps", [False, True])
def test_wfdb_reads_our_record(tmp_path: Path, gaps: bool) -> None:
    x = recording(3, 2500, seed=2, gaps=gaps)
    write(tmp_path / "rec.hea", replace(info_of(tmp_path, 3, 2148.1481, "uV"), start_datetime=START), x)
    record = wfdb.rdrecord(str(tmp_path / "rec"))
    assert (record.fs, record.sig_len, record.units, record.sig_name) == (
        2148.1481,
        2500,
        ["uV"] * 3,
        ["EMG 1", "EMG 2", "EMG 3"],
    )
    assert record.base_datetime == START
    np.testing.assert_array_equal(np.isnan(record.p_signal.T), np.isnan(x))
    assert np.nanmax(np.abs(record.p_signal.T * 1e-6 - x)) < 0.51 * 2e-3 / 64000
    sums = wfdb.rdrecord(str(tmp_path / "rec"), physical=False).calc_checksum()
    assert [checksum % 65536 for checksum in record.checksum] == [checksum % 65536 for checksum in sums]


def test_pandas_scipy_numpy_and_openpyxl_read_the_others(tmp_path: Path) -> None:
    x = recording(2, 400, seed=2, gaps=True)
    info = info_of(tmp_path, 2, 500.0, "uV")
    for file_format in FORMATS:
        write(tmp_path / f"a{suffix(file_format)}", info, x)
    frame = pd.read_csv(tmp_path / "a.csv")
    assert list(frame.columns) == ["time (s)", "EMG 1 (uV)", "EMG 2 (uV)"]
    np.testing.assert_allclose(frame["time (s)"], np.arange(400) / 500)
    np.testing.assert_allclose(frame.to_numpy()[:, 1:].T * 1e-6, x, rtol=1e-8)
    np.testing.assert_allclose(pd.read_csv(tmp_path / "a.tsv", sep="\t").to_numpy()[:, 1:].T * 1e-6, x, rtol=1e-8)
    np.testing.assert_allclose(pd.read_excel(tmp_path / "a.xlsx").to_numpy(float)[:, 1:].T * 1e-6, x, rtol=1e-8)
    assert openpyxl.load_workbook(tmp_path / "a.xlsx").sheetnames == ["EMG"]
    mat = scipy.io.loadmat(tmp_path / "a.mat")
    np.testing.assert_allclose(mat["signal"].T * 1e-6, x, rtol=1e-12)
    assert (mat["fs_hz"].item(), mat["unit"].item(), mat["channels"][0, 0].item()) == (500.0, "uV", "EMG 1")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as npz:
        np.testing.assert_allclose(npz["signal"].T * 1e-6, x, rtol=1e-12)
        assert (npz["fs_hz"], npz["unit"], list(npz["channels"])) == (500.0, "uV", ["EMG 1", "EMG 2"])
    np.testing.assert_allclose(np.load(tmp_path / "a.npy").T * 1e-6, x, rtol=1e-12)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("channels_first", [False, True])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_in_any_order(tmp_path: Path, order: str, channels_first: bool, save: object) -> None:
    x = np.random.default_rng(0).standard_normal((3, 900)).astype(np.float32)
    stored = np.asarray(x if channels_first else x.T, order=order)  # type: ignore[call-overload]
    save(tmp_path / "a.npz", emg=stored, Fs=2000, units="mV", t=np.arange(900) / 2000)  # type: ignore[operator]
    np.save(tmp_path / "a.npy", stored)
    for name, how in (("a.npz", {}), ("a.npy", {"fs_hz": 2000, "unit": "mV"})):
        with open_file(tmp_path / name, channels=[2, 0], **how) as file:  # type: ignore[arg-type]
            np.testing.assert_allclose(read(file, 128), x[[2, 0]] * 1e-3, rtol=1e-6)
            write(tmp_path / f"b{name}", file.info, read(file))
        back = np.load(tmp_path / f"b{name}")
        back = back["emg"] if name.endswith("z") else back
        assert (back.shape, back.dtype) == ((2, 900) if channels_first else (900, 2), np.float32)


@functools.cache
def opened(path: Path, how: tuple[tuple[str, object], ...]) -> tuple[NDArray[np.float64], FileInfo]:
    with open_file(path, **dict(how)) as file:  # type: ignore[arg-type]
        return read(file), file.info


CASES = [
    ("uci_lower_limb/1Nmar.txt", {"fs_hz": 1000}, ["RF", "BF", "VM", "ST"], "mV", 5701),
    ("muscletracker/Biopac/1_1_1.txt", {"fs_hz": 1000, "unit": "mV"}, ["ch1", "ch2"], "mV", 5689),
    ("elderly_lower_limb/ID 1.xlsx", {"fs_hz": 2000, "unit": "uV", "sheet": "EMG_VL"}, ["ch1", "ch2", "ch3", "ch4"], "uV", 20001),
    ("emgdb/emg_healthy.hea", {}, ["EMG"], "mV", 50860),
    ("emgdb/emg_myopathy.dat", {}, ["EMG"], "mv", 110337),
    ("nstdb/em.hea", {}, ["noise1", "noise2"], "mV", 282800),
    ("biosignalsnotebooks/emg_bursts.npz", {"unit": 5e-8, "offset": 32768.0}, ["ch1"], "adu", 28519),
]  # fmt: skip


@pytest.mark.realdata
@pytest.mark.parametrize("target", FORMATS)
@pytest.mark.parametrize(("name", "how", "names", "unit", "n"), CASES)
def test_real_recordings_become_every_format(
    real_data: Path, tmp_path: Path, target: str, name: str, how: dict[str, object], names: list[str], unit: str, n: int
) -> None:
    x, info = opened(real_data / name, tuple(how.items()))
    assert [(c.name, c.unit) for c in info.channels] == [(c, unit) for c in names]
    assert x.shape == (len(names), n)
    assert 1e-6 < np.nanstd(x) < 1e-2
    x = x[:, -6000:]  # with what is peculiar to the end
    write(tmp_path / f"out{suffix(target)}", info, x, block=2500)
    again = {key: value for key, value in how.items() if key != "sheet"} if target == info.format else {}
    if target == "npy":
        again = {"fs_hz": info.fs_hz, "unit": unit if unit != "adu" else "mV"}
    with open_file(tmp_path / f"out{suffix(target)}", **again) as file:  # type: ignore[arg-type]
        back = read(file)
        assert file.info.fs_hz == info.fs_hz
        if unit != "adu":
            assert {c.unit for c in file.info.channels} == {unit}
    np.testing.assert_array_equal(np.isnan(back), np.isnan(x))
    span = np.nanmax(x) - np.nanmin(x)
    bound = {"edf": 0.51 / 60000, "bdf": 1e-6, "wfdb": 0.51 / 60000}.get(target, 1e-8) * span
    assert np.nanmax(np.abs(back - x)) <= (1e-8 * span if target == info.format else bound)


@pytest.mark.parametrize(
    ("gain", "warned"), [("", True), (" 0 12", True), (" 200 12", False), (" 0.5(3)/mV 12", False)]
)
def test_a_header_without_gain_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, gain: str, warned: bool
) -> None:
    np.arange(1000, dtype="<i2").tofile(tmp_path / "a.dat")
    (tmp_path / "a.hea").write_text(f"a 1 1000 1000\na.dat 16{gain}\n")
    with open_file(tmp_path / "a.hea") as file:
        assert read(file).shape == (1, 1000)
    assert ("uncalibrated, 200 codes for 1 mV" in caplog.text) == warned


@pytest.mark.realdata
def test_a_real_ecg_in_format_212_matches_wfdb(real_data: Path, tmp_path: Path) -> None:
    theirs = wfdb.rdrecord(str(real_data / "mitdb" / "100"))
    with open_file(real_data / "mitdb" / "100.hea") as file:
        np.testing.assert_allclose(read(file), theirs.p_signal.T * 1e-3)
        write(tmp_path / "r.hea", file.info, read(file))
    ours = wfdb.rdrecord(str(tmp_path / "r"))
    np.testing.assert_array_equal(ours.p_signal, theirs.p_signal)
    assert (ours.adc_gain, ours.baseline, ours.comments) == (theirs.adc_gain, theirs.baseline, theirs.comments)


@pytest.mark.parametrize("path", ["a.npy", "a.npz", "a.edf", "a.hea", "a.csv"])
def test_memory_is_bounded(tmp_path: Path, path: str) -> None:
    """A recording of 77 MB (as float64; npy 230) is written and read with 110 MB beyond the libraries."""
    n = {"a.csv": 150_000, "a.npy": 1_200_000}.get(path, 400_000)
    program = f"""
import resource, sys
import numpy as np, pandas, wfdb, io
pandas.read_csv(io.StringIO("1,2"))
from cleansemg.formats import create_file, open_file
from tests.formats.signal_recordings import info_of
from pathlib import Path
folder = Path({str(tmp_path)!r})
def peak_kb():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
rng = np.random.default_rng(0)
block = 1e-4 * rng.standard_normal((24, 20000))
before = peak_kb()
with create_file(folder / {path!r}, info_of(folder, 24, 2000.0, "mV")) as writer:
    for _ in range({n} // 20000):
        writer.write(block)
    writer.commit()
how = dict(fs_hz=2000, unit="mV") if {path!r} == "a.npy" else dict()
with open_file(folder / {path!r}, **how) as file:
    total = sum(found.shape[1] for found in file.blocks(20000))
assert total == {n // 20000 * 20000}, total
print((peak_kb() - before) / 1024)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    used_mb = float(done.stdout)
    assert used_mb < 110.0, used_mb
