import numpy as np
import pytest

from cleansemg.core import npz
from cleansemg.core.errors import ArtifactError

ARRAYS = {
    "signal": np.arange(12, dtype=np.float32).reshape(3, 4),
    "id": np.array(["a", "bc", "d"]),
    "none": np.zeros((0, 5)),
}


def test_round_trip_and_the_hash_of_the_bytes(tmp_path):
    path = tmp_path / "x.npz"
    digest = npz.write(path, ARRAYS)
    assert digest == npz.sha256(path)
    for loaded in (npz.read(path), npz.map_arrays(path), dict(np.load(path, allow_pickle=False))):
        assert set(loaded) == set(ARRAYS)
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(loaded[name], array)
            assert loaded[name].dtype == array.dtype


def test_same_arrays_same_bytes(tmp_path):
    first = npz.write(tmp_path / "a.npz", ARRAYS)
    assert npz.write(tmp_path / "b.npz", dict(reversed(ARRAYS.items()))) == first


def test_pieces_equal_one_piece(tmp_path):
    whole = npz.write(tmp_path / "a.npz", {"x": ARRAYS["signal"]})
    pieces = (ARRAYS["signal"][i : i + 1] for i in range(3))
    assert npz.write_stream(tmp_path / "b.npz", [("x", np.dtype("f4"), (3, 4), pieces)]) == whole


def test_pieces_that_do_not_add_up_leave_no_file(tmp_path):
    with pytest.raises(ValueError, match="4 values written"):
        npz.write_stream(tmp_path / "b.npz", [("x", np.dtype("f4"), (3, 4), [ARRAYS["signal"][:1]])])
    assert list(tmp_path.iterdir()) == []


def test_objects_are_refused(tmp_path):
    with pytest.raises(ValueError, match="Python objects"):
        npz.write(tmp_path / "x.npz", {"x": np.array([{}], dtype=object)})
    np.savez(tmp_path / "pickled.npz", x=np.array([{}], dtype=object))
    for read in (npz.read, npz.map_arrays):
        with pytest.raises(ArtifactError, match="not a readable npz"):
            read(tmp_path / "pickled.npz")


@pytest.mark.parametrize("keep", [0, 10, 200, 500])
def test_a_truncated_file_is_an_error(tmp_path, keep):
    path = tmp_path / "x.npz"
    npz.write(path, ARRAYS)
    path.write_bytes(path.read_bytes()[:keep])
    for read in (npz.read, npz.map_arrays):
        with pytest.raises(ArtifactError):
            read(path)


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path, monkeypatch):
    path = tmp_path / "x.npz"
    npz.write(path, ARRAYS)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cleansemg.core.npz.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        npz.write(path, {"x": np.zeros(3)})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["x.npz"]
