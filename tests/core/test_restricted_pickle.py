import os
import pickle
import zipfile

import numpy as np
import pytest
from numpy.lib import format as npy

from cleansemg.core.errors import ArtifactError
from cleansemg.core.restricted_pickle import read_object_array


class Evil:
    def __reduce__(self):
        return os.system, ("touch pwned",)


def save(path, items, protocol=3):
    array = np.empty(len(items), object)
    array[:] = items
    with zipfile.ZipFile(path, "w") as archive, archive.open("data.npy", "w") as member:
        npy.write_array_header_1_0(member, {"descr": "|O", "fortran_order": False, "shape": array.shape})
        pickle.dump(array, member, protocol=protocol)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_dictionaries_of_arrays_and_numbers_come_back(tmp_path, protocol):
    item = {"clean": np.arange(5, dtype=np.float32), "snr": np.float64(-5), "k": 2, "name": "a", "raw": b"x", "f": 0.5}
    save(tmp_path / "x.npz", [item, item], protocol)
    (loaded, _) = read_object_array(tmp_path / "x.npz", "data")
    assert loaded.keys() == item.keys()
    np.testing.assert_array_equal(loaded["clean"], item["clean"])
    assert loaded["clean"].dtype == np.float32
    assert (loaded["snr"], loaded["k"], loaded["name"], loaded["raw"]) == (-5.0, 2, "a", b"x")


def test_numpys_own_files_are_read(tmp_path):
    array = np.array([{"clean": np.ones(3)}], dtype=object)
    np.savez(tmp_path / "x.npz", data=array)
    np.testing.assert_array_equal(read_object_array(tmp_path / "x.npz", "data")[0]["clean"], np.ones(3))


@pytest.mark.parametrize("item", [Evil(), {"clean": [Evil()]}, {"f": np.sum}, {"d": os.getcwd}])
def test_code_is_refused_before_it_runs(tmp_path, monkeypatch, item):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "x.npz", [item])
    with pytest.raises(ArtifactError, match="more than data"):
        read_object_array(tmp_path / "x.npz", "data")
    assert not (tmp_path / "pwned").exists()


def test_huge_arrays_from_nothing_are_refused(tmp_path):
    """A pickle may call numpy.ndarray(shape): the name is admitted, calling it is not."""
    payload = b"\x80\x02cnumpy\nndarray\n(J\xff\xff\xff\x7ftR."
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive, archive.open("data.npy", "w") as member:
        npy.write_array_header_1_0(member, {"descr": "|O", "fortran_order": False, "shape": (1,)})
        member.write(payload)
    with pytest.raises(ArtifactError):
        read_object_array(tmp_path / "x.npz", "data")


def test_plain_arrays_truncation_and_absence(tmp_path):
    np.savez(tmp_path / "x.npz", data=np.zeros(3))
    with pytest.raises(ArtifactError, match="expected pickled objects"):
        read_object_array(tmp_path / "x.npz", "data")
    with pytest.raises(ArtifactError, match="no array 'other'"):
        read_object_array(tmp_path / "x.npz", "other")
    save(tmp_path / "y.npz", [{"a": np.zeros(100)}])
    (tmp_path / "y.npz").write_bytes((tmp_path / "y.npz").read_bytes()[:200])
    with pytest.raises(ArtifactError):
        read_object_array(tmp_path / "y.npz", "data")
    with pytest.raises(ArtifactError, match="no such file"):
        read_object_array(tmp_path / "z.npz", "data")
