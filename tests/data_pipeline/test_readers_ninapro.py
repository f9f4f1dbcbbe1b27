from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.signal

from cleansemg.core import registry
from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.seeding import generator
from cleansemg.data_pipeline.readers.ninapro import NinaproReader
from tests.layouts import ninapro

N = 400


def variables(**changes: object) -> dict[str, object]:
    rng = generator(0, "test_readers_ninapro")
    label = np.repeat([0, 3, 0, 3], N // 4)
    repetition = np.repeat([0, 1, 0, 2], N // 4)
    base: dict[str, object] = {
        "emg": 1e-5 * rng.normal(size=(N, 2)),
        "restimulus": label[:, None],
        "rerepetition": repetition[:, None],
    }
    return {key: value for key, value in {**base, **changes}.items() if value is not None}


def write(folder: Path, name: str = "S1_E1_A1.mat", **changes: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(folder / name, variables(**changes))
    return folder / name


def read_only(folder: Path, **parameters: object):
    reader = NinaproReader("DB2", folder, **parameters)  # type: ignore[arg-type]
    (ref,) = reader.list()
    return reader.read(ref)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ninapro.write_tree(tmp_path_factory.mktemp("ninapro"), trial_s=1.0, rest_s=0.5)


@pytest.mark.parametrize("database", ninapro.DATABASES)
def test_a_database_in_its_original_layout_reads_as_written(tree: Path, database: str) -> None:
    reader = registry.find("datasets", database).build(database=database, folder=tree / database)
    refs = reader.list()
    acquisitions = 3 if database == "DB8" else 1
    assert len(refs) == 2 * len(ninapro.EXERCISES[database]) * acquisitions
    assert [(r.subject, r.exercise) for r in refs] == sorted((r.subject, r.exercise) for r in refs)
    for ref in refs:
        read = pickle.loads(pickle.dumps(reader)).read(ref)
        exercise = int(ref.exercise[1])
        acquisition = int(ref.exercise.partition("A")[2] or 1)
        subject = int(ref.subject[1:]) - (100 if database == "DB10" else 0)
        fs_hz = 1926.0 if database == "DB10" else 2000.0
        rng = generator(0, "layouts", database, subject, exercise, acquisition)
        written = ninapro.recording(rng, fs_hz, exercise, trial_s=1.0, rest_s=0.5)
        if database == "DB8":
            ninapro.empty_above(written["emg"], 555.0)
        n = read.signal.shape[1]
        assert len(written["emg"]) - n == {"E2": 1 * (database == "DB2"), "E1A2": 50}.get(ref.exercise, 0)
        np.testing.assert_array_equal(read.signal[:2], written["emg"][:n].T.astype(np.float64))
        np.testing.assert_array_equal(read.label, written["restimulus"][:n, 0])
        np.testing.assert_array_equal(read.repetition, written["rerepetition"][:n, 0])
        assert read.fs_hz == fs_hz
        assert (read.signal.dtype, read.label.dtype) == (np.float64, np.int64)
        assert read.has_rest


def test_db8_is_2000_hz_and_tells_acquisitions_apart(tree: Path) -> None:
    reader = registry.find("datasets", "DB8").build(database="DB8", folder=tree / "DB8")
    assert [(r.subject, r.exercise, r.key) for r in reader.list()][:3] == [
        ("S1", "E1A1", "S1_E1_A1.mat"),
        ("S1", "E1A2", "S1_E1_A2.mat"),
        ("S1", "E1A3", "S1_E1_A3.mat"),
    ]
    assert reader.read(reader.list()[0]).fs_hz == 2000.0


def test_a_constant_channel_and_nan_inside_are_kept_for_the_quality_control(tree: Path) -> None:
    for database in ("DB3", "DB4"):
        reader = registry.find("datasets", database).build(database=database, folder=tree / database)
        third = reader.read(reader.list()[0]).signal[2]
        if database == "DB3":
            assert np.ptp(third) == 0
        else:
            assert np.flatnonzero(np.isnan(third)).tolist() == [100, 101, 102]


def test_samples_of_nan_at_the_end_are_cut_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    emg = np.array(variables()["emg"])
    emg[-7:] = np.nan
    emg[-20:, 0] = np.nan
    write(tmp_path, emg=emg)
    recording = read_only(tmp_path)
    assert recording.signal.shape == (2, N - 7)
    assert np.isnan(recording.signal[0]).sum() == 13
    assert recording.label.size == recording.repetition.size == N - 7
    assert "7 samples of NaN at the end are cut" in caplog.text


@pytest.mark.parametrize("difference", [-1, 1])
def test_labels_one_sample_off_are_cut_to_the_shorter(tmp_path: Path, difference: int) -> None:
    label = np.resize(np.repeat([0, 3, 0, 3], N // 4), N + difference)
    write(tmp_path, restimulus=label)
    recording = read_only(tmp_path)
    assert recording.signal.shape[1] == recording.label.size == recording.repetition.size == min(N, N + difference)


def test_labels_further_off_are_cut_and_said_and_an_error_beyond_five_percent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As two public loaders of DB1 and DB2 do."""
    write(tmp_path, restimulus=np.zeros((N - 15, 1)))
    assert read_only(tmp_path).label.size == N - 15
    assert "S1_E1_A1.mat: cut to the shortest of 'emg' 400, 'restimulus' 385, 'rerepetition' 400 samples" in caplog.text
    with pytest.raises(ItemError, match=r"S1_E1_A1.mat: samples differ by more than 5: 'emg' 400, 'restimulus' 385"):
        read_only(tmp_path, max_length_difference=5)
    write(tmp_path, restimulus=np.zeros((N - 50, 1)))
    with pytest.raises(ItemError, match="samples differ by more than 18"):
        read_only(tmp_path)
    assert read_only(tmp_path, max_length_difference=50).label.size == N - 50


def test_files_whose_suffix_is_twice_there(tmp_path: Path) -> None:
    """As in a complete download of DB3."""
    write(tmp_path, "S1_E1_A1.mat")
    (tmp_path / "S1_E1_A1.mat").rename(tmp_path / "S1_E1_A1.mat.mat")
    reader = registry.find("datasets", "DB3").build(database="DB3", folder=tmp_path)
    (ref,) = reader.list()
    assert (ref.subject, ref.exercise, ref.key) == ("S1", "E1", "S1_E1_A1.mat.mat")
    assert reader.read(ref).signal.shape[1] == N


def test_db8_is_read_at_the_rate_that_a_file_has(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Published files are upsampled to 2000 Hz and empty above 555 Hz; one that is not was never upsampled."""
    rng = np.random.default_rng(0)
    n_native, n = 11_110, 20_000
    native = scipy.signal.sosfiltfilt(scipy.signal.butter(2, [20, 250], "bandpass", fs=1111, output="sos"),
                                      rng.standard_normal((n_native, 2)), axis=0)  # fmt: skip
    published = scipy.signal.resample(native, n, axis=0)
    reader = registry.find("datasets", "DB8").build(database="DB8", folder=tmp_path)
    for emg, fs_hz in ((published, 2000.0), (native, 1111.0)):
        labels = np.zeros((len(emg), 1))
        write(tmp_path, "S1_E1_A1.mat", emg=emg, restimulus=labels, rerepetition=labels)
        caplog.clear()
        assert reader.read(reader.list()[0]).fs_hz == fs_hz
        assert ("holds power above 555.5 Hz, so it was not resampled" in caplog.text) == (fs_hz == 1111.0)
    write(tmp_path, "S1_E1_A1.mat", emg=native, restimulus=labels, rerepetition=labels, frequency=2000.0)
    assert reader.read(reader.list()[0]).fs_hz == 2000.0  # what a file states is not doubted
    with pytest.raises(UserError, match="upsampled_from_hz is 3000, expected a rate below fs_hz, 2000"):
        registry.find("datasets", "DB8").build(database="DB8", folder=tmp_path, upsampled_from_hz=3000)


@pytest.mark.parametrize("shape", ["column", "row", "flat"])
@pytest.mark.parametrize("kind", [np.int8, np.int32, np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("transposed", [False, True])
def test_shapes_and_types_of_labels_and_signal(tmp_path: Path, shape: str, kind: type, transposed: bool) -> None:
    expected = variables()
    label = np.array(expected["restimulus"]).reshape(-1).astype(kind)
    emg = np.array(expected["emg"])
    write(
        tmp_path,
        emg=emg.T if transposed else emg,
        restimulus=label[:, None] if shape == "column" else label[None, :] if shape == "row" else label,
    )
    recording = read_only(tmp_path)
    np.testing.assert_array_equal(recording.signal, emg.T)
    np.testing.assert_array_equal(recording.label, label.astype(np.int64))


def test_keys_are_tried_in_order(tmp_path: Path) -> None:
    refined = np.array(variables()["restimulus"])
    write(tmp_path, stimulus=np.full((N, 1), 9), repetition=np.full((N, 1), 9))
    np.testing.assert_array_equal(read_only(tmp_path).label, refined[:, 0])
    assert set(read_only(tmp_path, label_keys=["stimulus"]).label) == {9}
    assert set(read_only(tmp_path, repetition_keys=["missing", "repetition"]).repetition) == {9}


def test_without_repetition_keys_the_runs_of_a_label_are_numbered(tmp_path: Path) -> None:
    write(tmp_path, rerepetition=None)
    expected = np.array(variables()["rerepetition"])[:, 0]
    np.testing.assert_array_equal(read_only(tmp_path, repetition_keys=[]).repetition, expected)


def test_unit(tmp_path: Path) -> None:
    write(tmp_path)
    np.testing.assert_allclose(read_only(tmp_path, unit="mV").signal, 1e-3 * read_only(tmp_path).signal, rtol=1e-15)


def test_only_declared_exercises_are_listed(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        write(tmp_path / "DB2_s1", f"S1_E{number}_A1.mat")
    assert [r.exercise for r in NinaproReader("DB2", tmp_path, exercises=[1, 3]).list()] == ["E1", "E3"]
    assert len(NinaproReader("DB2", tmp_path).list()) == 3


def test_two_files_of_one_subject_and_exercise(tmp_path: Path) -> None:
    write(tmp_path / "DB2_s1", "S1_E1_A1.mat")
    write(tmp_path / "copy", "S1_E1_A1.mat")
    with pytest.raises(UserError, match=r"'DB2_s1/S1_E1_A1.mat' and 'copy/S1_E1_A1.mat' are both subject S1"):
        NinaproReader("DB2", tmp_path).list()


def test_the_fingerprint_follows_the_contents(tmp_path: Path) -> None:
    write(tmp_path)
    before = NinaproReader("DB2", tmp_path).list()[0].fingerprint
    assert NinaproReader("DB2", tmp_path).list()[0].fingerprint == before
    write(tmp_path, emg=np.ones((N, 2)))
    assert NinaproReader("DB2", tmp_path).list()[0].fingerprint != before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"emg": None}, r"has no signal \('emg'\); it holds restimulus, rerepetition"),
        ({"restimulus": None}, r"has no labels \('restimulus' or 'stimulus'\); it holds emg, rerepetition"),
        ({"rerepetition": None}, r"has no repetitions \('rerepetition' or 'repetition'\)"),
        ({"fs": 1111.0}, r"'fs' says 1111 Hz, the configuration 2000 Hz; .*--set datasets.DB2.parameters.fs_hz=1111"),
        ({"frequency": "fast"}, "'frequency' does not hold a sampling rate"),
        ({"restimulus": np.full((N, 1), 0.5)}, "'restimulus' is 0.5 at sample 0, expected whole numbers"),
        ({"restimulus": np.zeros((N, 2))}, r"'restimulus' has shape \(400, 2\)"),
        ({"emg": np.full((N, 2), np.nan)}, "'emg' holds no value"),
        ({"emg": np.zeros((0, 2))}, "'emg' is no table of numbers"),
        ({"emg": np.array(["a", "b"], dtype=object)}, "'emg' is no table of numbers"),
    ],
)
def test_a_file_with_a_fault(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    write(tmp_path, **changes)
    with pytest.raises(ItemError, match=message) as error:
        read_only(tmp_path)
    assert str(error.value).startswith("DB2: S1_E1_A1.mat: ")
    assert "\n" not in str(error.value)


def test_an_agreeing_rate_is_fine(tmp_path: Path) -> None:
    write(tmp_path, frequency=1925.93)
    assert read_only(tmp_path, fs_hz=1926).fs_hz == 1926


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.3, 0.6, 0.9, 0.999])
def test_a_truncated_file(tmp_path: Path, kept: float, compressed: bool) -> None:
    path = tmp_path / "S1_E1_A1.mat"
    # What comes after a cut must not be taken for absent: `stimulus` would stand in for `restimulus`.
    scipy.io.savemat(path, {"stimulus": np.zeros((N, 1)), **variables()}, do_compression=compressed)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(ItemError, match="truncated"):
        read_only(tmp_path)


def test_a_matlab_73_file(tmp_path: Path) -> None:
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    (tmp_path / "S1_E1_A1.mat").write_bytes(header + bytes(384) + b"\x89HDF\r\n\x1a\n" + bytes(512))
    with pytest.raises(ItemError, match=r"is a MATLAB 7.3 file \(HDF5\); load it in MATLAB and save it with -v7"):
        read_only(tmp_path)


def test_a_text_file_called_mat(tmp_path: Path) -> None:
    (tmp_path / "S1_E1_A1.mat").write_text("<html>Please log in</html>" * 40)
    with pytest.raises(ItemError, match="not a MATLAB file"):
        read_only(tmp_path)


def test_a_file_that_has_gone(tmp_path: Path) -> None:
    path = write(tmp_path)
    reader = NinaproReader("DB2", tmp_path)
    (ref,) = reader.list()
    path.unlink()
    with pytest.raises(ItemError, match=r"DB2: S1_E1_A1.mat: no such file"):
        reader.read(ref)


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"DB2: no file below .* is named like .*get it from https://ninapro"):
        NinaproReader("DB2", tmp_path).list()


def test_parameters_that_make_no_sense(tmp_path: Path) -> None:
    entry = registry.find("datasets", "DB2")
    for parameters, message in (
        ({"unit": "furlong"}, "unit 'furlong' is not V, mV"),
        ({"file_patterns": ["S(.*"]}, "is not a regular expression"),
        ({"file_patterns": ["S.mat"]}, r"has no group \(\?P<subject>"),
        ({"file_patterns": "S.mat"}, "is a list"),
        ({"exercise": [1]}, "unknown parameter 'exercise'; did you mean 'exercises'"),
    ):
        with pytest.raises(UserError, match=message):
            entry.build(database="DB2", folder=tmp_path, **parameters)
