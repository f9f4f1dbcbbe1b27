"""What is written reads back the same: every format, and every format from every other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cleansemg.core.errors import UserError
from cleansemg.formats import FORMATS, FileInfo, SignalFile, create_file, open_file
from cleansemg.formats.edf_header import Annotation
from cleansemg.formats.info import EdfLayout
from tests.formats.signal_recordings import info_of, read, recording, suffix, write

EXACT = ("csv", "tsv", "txt", "xlsx", "mat", "npz", "npy")
CODED_BITS = {"edf": 16, "bdf": 24, "wfdb": 16}


def options(file_format: str, info: FileInfo) -> dict[str, object]:
    """What the file cannot say itself."""
    return {"fs_hz": info.fs_hz, "unit": info.channels[0].unit} if file_format == "npy" else {}


def step_v(x: NDArray[np.float64], file_format: str) -> NDArray[np.float64]:
    """[C, 1] the largest distance of codes, generously: EDF rounds its range outward to 8 characters."""
    span = np.nanmax(x, axis=1) - np.nanmin(x, axis=1)
    span = np.where(span > 0, span, 2 * np.nanmax(np.abs(x), axis=1))  # a constant
    return (1.02 * span / (2 ** CODED_BITS[file_format] - 2000))[:, None]


@pytest.mark.parametrize("file_format", FORMATS)
@given(
    n_channels=st.integers(1, 5),
    n_samples=st.integers(6, 700),
    fs_hz=st.sampled_from([200.0, 1000.0, 1024.0, 2000.0, 2048.0, 2148.1481, 1925.925925925926, 4000.0, 10240.5]),
    unit=st.sampled_from(["V", "mV", "uV", "nV"]),
    block=st.integers(1, 800),
    gaps=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
@example(n_channels=1, n_samples=6, fs_hz=200.0, unit="V", block=1, gaps=True, seed=0)  # one value
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_recording_reads_back(
    tmp_path: Path,
    file_format: str,
    n_channels: int,
    n_samples: int,
    fs_hz: float,
    unit: str,
    block: int,
    gaps: bool,
    seed: int,
) -> None:
    x = recording(n_channels, n_samples, seed, gaps)
    info = info_of(tmp_path, n_channels, fs_hz, unit)
    path = tmp_path / f"out{suffix(file_format)}"
    write(path, info, x, block, overwrite=True)
    with open_file(path, **options(file_format, info)) as file:  # type: ignore[arg-type]
        back = read(file, block)
        again = read(file, 65536)
        found = file.info
    np.testing.assert_array_equal(back, again)
    assert back.shape == x.shape
    assert found.fs_hz == pytest.approx(fs_hz, rel=2e-6)
    if file_format in EXACT:
        np.testing.assert_allclose(back, x, rtol=1e-8, atol=1e-18)
        assert {channel.unit for channel in found.channels} == {unit}
    else:
        np.testing.assert_array_equal(np.isnan(back), np.isnan(x))
        assert (np.nan_to_num(np.abs(back - x)) <= 0.51 * step_v(x, file_format)).all()
    if file_format != "npy":
        assert [channel.name for channel in found.channels] == [channel.name for channel in info.channels]
    assert found.n_samples in {None, n_samples}


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("target", FORMATS)
def test_every_format_becomes_every_other(tmp_path: Path, source: str, target: str) -> None:
    x = recording(3, 2500, seed=4, gaps=True)
    info = info_of(tmp_path, 3, 1000.0, "uV")
    write(tmp_path / f"a{suffix(source)}", info, x)
    with open_file(tmp_path / f"a{suffix(source)}", **options(source, info)) as file:  # type: ignore[arg-type]
        first = read(file)
        write(tmp_path / f"b{suffix(target)}", file.info, first)
        middle = file.info
    with open_file(tmp_path / f"b{suffix(target)}", **options(target, middle)) as file:  # type: ignore[arg-type]
        second = read(file)
        assert file.info.fs_hz == 1000.0
        assert [channel.unit for channel in file.info.channels] == ["uV"] * 3
    np.testing.assert_array_equal(np.isnan(second), np.isnan(x))
    bound = 1e-12 if target in EXACT else 0.51 * step_v(x, target)
    if source == target:
        bound = 1e-15  # the same codes: nothing is lost a second time
    assert (np.nan_to_num(np.abs(second - first)) <= bound).all()


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_file_like_itself_is_the_same_twice(tmp_path: Path, file_format: str) -> None:
    x = recording(2, 3000, seed=1, gaps=True)
    info = info_of(tmp_path, 2, 2000.0, "mV")
    one, two, three = (tmp_path / f"{name}{suffix(file_format)}" for name in ("one", "two", "three"))
    write(one, info, x)
    for path, target in ((one, two), (two, three)):
        with open_file(path, **options(file_format, info)) as file:  # type: ignore[arg-type]
            write(target, file.info, read(file))
    if file_format == "wfdb":
        two, three = two.with_suffix(".dat"), three.with_suffix(".dat")
    if file_format not in {"xlsx", "mat"}:  # they carry the time of writing
        assert two.read_bytes() == three.read_bytes()
    assert {path.stem for path in tmp_path.iterdir()} == {"one", "two", "three"}


@pytest.mark.parametrize("file_format", FORMATS)
def test_nothing_is_there_before_commit_or_after_an_error(tmp_path: Path, file_format: str) -> None:
    info = info_of(tmp_path, 2, 1000.0, "mV")
    path = tmp_path / f"out{suffix(file_format)}"

    def stop() -> None:
        with create_file(path, info) as writer:
            writer.write(np.zeros((2, 10)))
            assert not path.exists()
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        stop()
    assert list(tmp_path.iterdir()) == []
    with create_file(path, info) as writer:
        writer.write(np.zeros((2, 10)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_writer_refuses_wrong_blocks(tmp_path: Path, file_format: str) -> None:
    info = info_of(tmp_path, 2, 1000.0, "mV")
    with create_file(tmp_path / f"out{suffix(file_format)}", info) as writer:
        with pytest.raises(ValueError, match=r"expected \[2, l\]"):
            writer.write(np.zeros((3, 5)))
        with pytest.raises(ValueError, match="infinite"):
            writer.write(np.full((2, 5), np.inf))
    with pytest.raises(ValueError, match="closed already"):
        writer.write(np.zeros((2, 5)))


def test_targets_that_are_refused(tmp_path: Path) -> None:
    info = info_of(tmp_path, 1, 1000.0, "mV")
    path = tmp_path / "a.csv"
    write(path, info, np.zeros((1, 5)))
    with open_file(path) as file:
        for target, match in (
            (path, "is the input itself"),
            (tmp_path / "sub" / ".." / "a.csv", "exists already|input itself"),
            (tmp_path / "a.xyz", "unknown suffix '.xyz'.*known are .csv"),
            (path / "b.csv", "cannot be written|exists"),
            (tmp_path / "two words.hea", "may hold letters"),
        ):
            with pytest.raises(UserError, match=match) as caught:
                create_file(target, file.info)
            assert "\n" not in str(caught.value)
        (tmp_path / "b.csv").write_text("mine")
        with pytest.raises(UserError, match="exists already"):
            create_file(tmp_path / "b.csv", file.info)
        write(tmp_path / "b.csv", file.info, np.ones((1, 3)), overwrite=True)
    assert (tmp_path / "b.csv").read_text() != "mine"


def test_values_beyond_the_range_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    info = info_of(tmp_path, 1, 1000.0, "mV")
    x = np.linspace(-1e-3, 1e-3, 2000)[None]
    for name in ("a.edf", "a.hea"):
        write(tmp_path / name, info, x)
        with open_file(tmp_path / name) as file:
            with create_file(tmp_path / f"b{Path(name).suffix}", file.info) as writer:
                writer.write(x * 1.5)
                writer.commit()
            assert writer.clipped > 400
            assert "beyond the range" in caplog.text
            caplog.clear()


def test_annotations_of_edf_are_kept(tmp_path: Path) -> None:
    info = info_of(tmp_path, 1, 1000.0, "mV")
    notes = (Annotation(0.25, None, "rest"), Annotation(1.5, 0.75, "fist; left é"))
    x = recording(1, 4000, seed=2, gaps=False)
    layout = EdfLayout("X F X patient", "Startdate X X X X", False, "1", 1000, ("",), ("HP:20Hz",), notes)
    write(tmp_path / "a.edf", replace(info, format="edf", layout=layout), x)
    with open_file(tmp_path / "a.edf") as file:
        assert isinstance(file.info.layout, EdfLayout)
        assert file.info.layout.annotations == notes
        write(tmp_path / "b.edf", file.info, read(file))
    with open_file(tmp_path / "b.edf") as file:
        assert isinstance(file.info.layout, EdfLayout)
        assert file.info.layout.annotations == notes


def test_blocks_need_a_length(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", info_of(tmp_path, 1, 1000.0, "mV"), np.zeros((1, 5)))
    with open_file(tmp_path / "a.csv") as file, pytest.raises(ValueError, match="max_samples"):
        next(file.blocks(0))
    assert isinstance(file, SignalFile)
