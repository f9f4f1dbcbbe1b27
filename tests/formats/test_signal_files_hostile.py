"""Files that are damaged, hostile or something else: one line, quickly, and never a crash."""

from __future__ import annotations

import io
import pickle
import struct
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cleansemg.core.errors import UserError
from cleansemg.formats import FORMATS, open_file
from tests.formats.signal_recordings import info_of, read, recording, suffix, write

HOW = {"npy": {"fs_hz": 1000.0, "unit": "mV"}}


def refused(path: Path, match: str, **how: object) -> None:
    start = time.perf_counter()
    with pytest.raises(UserError, match=match) as caught, open_file(path, **how) as file:  # type: ignore[arg-type]
        read(file)
    assert "\n" not in str(caught.value)
    assert str(path.stem) in str(caught.value)
    assert time.perf_counter() - start < 10


def valid(folder: Path, file_format: str) -> Path:
    path = folder / f"a{suffix(file_format)}"
    write(path, info_of(folder, 2, 1000.0, "mV"), recording(2, 3000, 3, gaps=True))
    return path


@pytest.mark.parametrize("file_format", FORMATS)
def test_no_file_a_folder_an_empty_file_junk_and_text(tmp_path: Path, file_format: str) -> None:
    path = tmp_path / f"a{suffix(file_format)}"
    refused(path, "no such file")
    path.mkdir()
    refused(path, "is a folder")
    path.rmdir()
    path.write_bytes(b"")
    refused(path, "empty|truncated|no signal")
    path.write_bytes(np.random.default_rng(0).bytes(100_000))
    refused(path, "binary|truncated|is no|no table|damaged|no npy|no signal", fs_hz=1000.0, unit="mV")
    path.write_text("# Notes\n\nThis is a text, with commas, and 3 numbers.\n" * 50)
    refused(path, "no table|truncated|is no|no npy|damaged|no signal", fs_hz=1000.0, unit="mV")
    path.write_bytes(b"\0" * 5000)
    refused(path, "binary|empty|truncated|is no|no npy|damaged|no signal", fs_hz=1000.0, unit="mV")


@pytest.mark.parametrize("file_format", ["xlsx", "mat", "npz", "npy", "edf", "bdf", "wfdb"])
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.9, 0.999])
def test_truncated(tmp_path: Path, file_format: str, kept: float) -> None:
    path = valid(tmp_path, file_format)
    victim = path.with_suffix(".dat") if file_format == "wfdb" else path
    data = victim.read_bytes()
    victim.write_bytes(data[: int(len(data) * kept)])
    refused(path, "truncated|damaged|no npy", **HOW.get(file_format, {}))


@pytest.mark.parametrize("file_format", FORMATS)
@given(seed=st.integers(0, 2**32 - 1))
@example(seed=78961578)  # mat: scipy's reader ends in an UnboundLocalError
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_altered_bytes_never_crash(tmp_path: Path, file_format: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    path = tmp_path / f"a{suffix(file_format)}"
    if not path.exists():
        write(path, info_of(tmp_path, 2, 1000.0, "mV"), recording(2, 600, 3, gaps=False))
        (tmp_path / "whole").write_bytes(path.read_bytes())
    data = bytearray((tmp_path / "whole").read_bytes())
    for _ in range(rng.integers(1, 6)):
        data[int(rng.integers(0, min(len(data), int(rng.choice([600, 10**9])))))] = int(rng.integers(0, 256))
    path.write_bytes(data)
    try:
        with open_file(path, **HOW.get(file_format, {})) as file:  # type: ignore[arg-type]
            x = read(file)
        assert x.ndim == 2
    except UserError as error:
        assert "\n" not in str(error)  # noqa: PT017


def test_a_line_end_in_a_header_stays_out_of_messages(tmp_path: Path) -> None:
    data = bytearray(valid(tmp_path, "edf").read_bytes())
    data[244:252] = b"\n\x85      "  # how long a record lasts
    (tmp_path / "b.edf").write_bytes(data)
    refused(tmp_path / "b.edf", "a record lasts '' s")
    data[256 + 6] = 10  # the first channel's label
    data[244:252] = b"1       "
    (tmp_path / "c.edf").write_bytes(data)
    with open_file(tmp_path / "c.edf") as file:
        assert file.info.channels[0].name == "EMG 1"


def test_an_error_without_a_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What numpy raises at the end of some damaged headers says nothing."""

    def ends(file: object) -> None:
        raise EOFError

    monkeypatch.setattr(np.lib.format, "read_magic", ends)
    refused(valid(tmp_path, "npz"), "is no npy array .EOFError.")


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("n", [2, 3])
def test_three_samples_are_read(tmp_path: Path, file_format: str, n: int) -> None:
    path = tmp_path / f"a{suffix(file_format)}"
    x = 1e-3 * np.arange(1.0, n + 1)[None]
    write(path, info_of(tmp_path, 1, 1000.0, "mV"), x)
    with open_file(path, **HOW.get(file_format, {})) as file:  # type: ignore[arg-type]
        np.testing.assert_allclose(read(file), x, atol=1e-7)


def test_unknown_suffixes(tmp_path: Path) -> None:
    (tmp_path / "a.csvv").write_text("1")
    refused(tmp_path / "a.csvv", r"unknown suffix '.csvv'; did you mean '.csv'.*known are .csv, .tsv")
    with pytest.raises(UserError, match="format 'cvs' is not one of"):
        open_file(tmp_path / "a.csvv", format="cvs")


def test_pickles_are_refused(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (open, (str(tmp_path / "owned"), "w"))  # type: ignore[return-value]

    objects = np.array([Bomb(), Bomb()], dtype=object)
    np.save(tmp_path / "a.npy", objects, allow_pickle=True)
    (tmp_path / "b.npy").write_bytes(pickle.dumps(Bomb()))
    np.savez(tmp_path / "c.npz", signal=objects)
    np.savez(tmp_path / "d.npz", signal=np.zeros((50, 2)), channels=objects, fs=1000.0, unit="mV")
    refused(tmp_path / "a.npy", "no table of real numbers", **HOW["npy"])
    refused(tmp_path / "b.npy", "pickled objects are refused", **HOW["npy"])
    refused(tmp_path / "c.npz", "pickled objects are refused")
    with open_file(tmp_path / "d.npz") as file:
        assert [channel.name for channel in file.info.channels] == ["ch1", "ch2"]
    assert not (tmp_path / "owned").exists()


def npy_header(shape: str) -> bytes:
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def test_absurd_declarations_allocate_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(npy_header("(10000000000000, 8)") + b"\0" * 800)
    refused(tmp_path / "a.npy", "truncated: .* its header announces", **HOW["npy"])
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("signal.npy", npy_header("(10000000000000, 8)") + b"\0" * 800)
    refused(tmp_path / "b.npz", "is damaged|announces", **HOW["npy"])
    with (
        zipfile.ZipFile(tmp_path / "c.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("signal.npy", "w") as member,
    ):
        member.write(npy_header("(25000000, 1)"))
        for _ in range(200):
            member.write(bytes(1_000_000))
    refused(tmp_path / "c.npz", "unpacks to 200 MB from 0.2; refused", **HOW["npy"])
    with (
        zipfile.ZipFile(tmp_path / "d.xlsx", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/worksheets/sheet1.xml", "w") as member,
    ):
        for _ in range(100):
            member.write(b" " * 1_000_000)
    refused(tmp_path / "d.xlsx", "unpacks to 100 MB from 0.1; refused")
    edf = bytearray(valid(tmp_path, "edf").read_bytes())
    edf[236:244] = b"99999999"
    (tmp_path / "e.edf").write_bytes(edf)
    refused(tmp_path / "e.edf", "truncated: holds 3 of the 99999999 records")


def test_mat_files_that_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(
        b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(128) + bytes(400) + b"\x89HDF\r\n\x1a\n"
    )
    refused(tmp_path / "a.mat", "save it with -v7")
    scipy.io.savemat(
        tmp_path / "b.mat", {"x": np.zeros((50, 2)), "y": np.zeros((50, 3)), "s": {"z": 1}, "name": "text"}
    )
    refused(tmp_path / "b.mat", r"choose one with --key: x \[50, 2\], y \[50, 3\]")
    refused(tmp_path / "b.mat", "no variable 'xx'; did you mean 'x'|no variable 'xx'", key="xx")
    refused(tmp_path / "b.mat", "'s' is a struct", key="s")
    refused(tmp_path / "b.mat", "does not say its sampling rate", key="x")
    scipy.io.savemat(tmp_path / "c.mat", {"x": np.zeros((50, 2)) + 1j})
    refused(tmp_path / "c.mat", "no table of real numbers", fs_hz=1000.0, unit="mV")
    with open_file(tmp_path / "b.mat", key="y", fs_hz=1000, unit="uV") as file:
        assert read(file).shape == (3, 50)


def test_a_wfdb_header_does_not_reach_out_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.dat").write_bytes(bytes(4000))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.hea").write_text("a 1 1000 1000\n../secret.dat 16 200/mV 16 0 0 0 0 EMG\n")
    refused(tmp_path / "in" / "a.hea", "not beside it|damaged")
    (tmp_path / "in" / "b.dat").write_bytes(bytes(100))
    refused(tmp_path / "in" / "b.dat", "needs its header b.hea beside it")


def test_infinite_values_are_missing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    np.save(tmp_path / "a.npy", np.array([1.0, np.inf, -np.inf, np.nan, 2.0]))
    with open_file(tmp_path / "a.npy", fs_hz=1000, unit="V") as file:
        np.testing.assert_array_equal(read(file), [[1, np.nan, np.nan, np.nan, 2]])
    assert "2 infinite values taken as missing" in caplog.text


def test_edf_with_channels_of_several_rates_and_without_range(tmp_path: Path) -> None:
    import pyedflib

    with pyedflib.EdfWriter(str(tmp_path / "a.edf"), 3) as writer:
        for i, (name, rate, unit) in enumerate((("EMG", 2000, "uV"), ("ACC", 200, "mV"), ("knee", 100, "deg"))):
            writer.setSignalHeader(
                i,
                {
                    "label": name,
                    "dimension": unit,
                    "sample_frequency": rate,
                    "physical_max": 500.0,
                    "physical_min": -500.0,
                    "digital_max": 32767,
                    "digital_min": -32768,
                    "transducer": "",
                    "prefilter": "",
                },
            )
        writer.writeSamples([np.sin(np.arange(4000.0)), np.zeros(400), np.zeros(200)])
    refused(tmp_path / "a.edf", "different rates; choose some of one with --channels .2000 Hz: EMG; 200 Hz: ACC")
    with open_file(tmp_path / "a.edf", channels=["EMG"]) as file:
        assert (file.info.fs_hz, file.info.n_samples) == (2000, 4000)
        np.testing.assert_allclose(read(file)[0], np.sin(np.arange(4000.0)) * 1e-6, atol=1.6e-8)
    data = bytearray((tmp_path / "a.edf").read_bytes())
    n = 4
    place = 256 + n * (16 + 80 + 8)
    data[place : place + 8] = b"500     "
    (tmp_path / "b.edf").write_bytes(data)
    refused(tmp_path / "b.edf", "'EMG' has no range", channels=["EMG"])


def test_a_zip_of_something_else(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("hello.txt", "hello")
    for name in ("a.npz", "a.xlsx"):
        (tmp_path / name).write_bytes(buffer.getvalue())
    refused(tmp_path / "a.npz", "it holds nothing")
    refused(tmp_path / "a.xlsx", "not an .xlsx|no .xlsx")


def test_a_struct_of_matlab_says_what_to_do(tmp_path: Path) -> None:
    eeglab = {"data": np.ones((4, 3000)), "srate": 1000.0, "chanlocs": {"labels": "a"}}
    scipy.io.savemat(tmp_path / "a.mat", {"EMG": eeglab})
    scipy.io.savemat(tmp_path / "b.mat", {"EMG": eeglab, "x": np.ones((3000, 2)), "fs": 1000.0})
    for name, key in (("a.mat", None), ("a.mat", "EMG.data"), ("b.mat", "EMG"), ("b.mat", "EMG.data")):
        with pytest.raises(
            UserError, match=r"'EMG' is a struct; .* x = EMG\.data; fs = EMG\.srate; save\('signal.mat'"
        ):
            open_file(tmp_path / name, key=key)
    with open_file(tmp_path / "b.mat", unit="mV") as file:
        assert file.info.fs_hz == 1000


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (145, 0x08),  # the flag of complex numbers, without an imaginary part: scipy took the next variable for one
        (144, 0x20),  # no class of a matrix
        (126, 0x58),  # neither order of bytes
        (160, 0x99),  # other dimensions than data
        (184, 0x63),  # no type of numbers
        (188, 0x81),  # another byte count
        (136, 0x07),  # no flags
    ],
)
def test_tags_that_end_scipy_are_refused_before_it_reads_them(tmp_path: Path, at: int, value: int) -> None:
    path = tmp_path / "a.mat"
    write(path, info_of(tmp_path, 2, 1000.0, "mV"), recording(2, 600, 3, gaps=False))
    data = bytearray(path.read_bytes())
    assert data[at] != value
    data[at] = value
    path.write_bytes(data)
    refused(path, "truncated, or not a MATLAB file|no table of real numbers")


@pytest.mark.parametrize("compressed", [False, True])
def test_what_else_a_mat_file_may_hold(tmp_path: Path, compressed: bool) -> None:
    path, x = tmp_path / "a.mat", np.random.default_rng(0).normal(size=(5000, 2))
    others = {
        "i": np.arange(9, dtype=np.int8), "u": np.arange(5, dtype=np.uint64), "e": np.zeros((0, 0)), "c": np.ones(3) + 1j,
        "s": {"a": 1, "b": "text"}, "cell": np.array(["a", np.arange(3), {"q": 2}], dtype=object), "t": "hello",
        "long": np.array([np.zeros(20_000)], dtype=object), "logical": np.array([True, False]),
    }  # fmt: skip
    said = {"fs": 1000.0, "unit": "mV", "channels": np.array(["A", "B"], dtype=object)}
    scipy.io.savemat(path, {"x": x, **others, **said}, do_compression=compressed)
    with open_file(path, key="x") as file:
        np.testing.assert_allclose(1e3 * read(file).T, x)
        assert [channel.name for channel in file.info.channels] == ["A", "B"]
