"""What scipy's reader of MATLAB files must not be given."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from cleansemg.core.errors import ItemError
from cleansemg.data_pipeline.readers.ninapro import NinaproReader
from cleansemg.formats.mat_tags import untrusted_variables
from cleansemg.noise.moa_machado import KEY, _read

FLAGS = 144  # of the first variable: its class; the byte behind has the flag of complex numbers
OF_SCIPY = Path(scipy.io.__file__).parent / "matlab" / "tests" / "data"


@pytest.mark.parametrize("compressed", [False, True])
def test_what_is_trusted(tmp_path, compressed):
    held = {
        "x": np.ones((9, 2)), "i": np.arange(9, dtype=np.int8), "e": np.zeros((0, 0)), "t": "hello", "flags": np.array([True]),
        "names": np.array(["a", "b"], dtype=object), "c": np.ones(3) + 1j, "s": {"a": 1}, "sp": scipy.sparse.csc_matrix(np.eye(4)),
        "long": np.array([np.zeros(20_000)], dtype=object), "mixed": np.array(["a", {"q": 2}], dtype=object),
    }  # fmt: skip
    scipy.io.savemat(tmp_path / "a.mat", held, do_compression=compressed)
    assert untrusted_variables(tmp_path / "a.mat") == {"c", "s", "sp", "long", "mixed"}


@pytest.mark.parametrize(("version", "path"), [("4", "a.mat"), ("7.3", "b.mat")])
def test_versions_without_tags_pass(tmp_path, version, path):
    if version == "4":
        scipy.io.savemat(tmp_path / path, {"x": np.ones(9)}, format="4")
    else:
        (tmp_path / path).write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(500))
    assert untrusted_variables(tmp_path / path) == set()


def test_files_of_matlab_itself():
    """Those that scipy tests its reader with: what it reads passes, from MATLAB 5 to 8, on machines of both byte orders."""
    files = sorted(OF_SCIPY.glob("*.mat"))
    assert len(files) > 80
    refused = set()
    for path in files:
        try:
            untrusted_variables(path)
        except (ValueError, struct.error, zlib.error):
            refused.add(path.name)
    assert refused == {"bad_miuint32.mat", "corrupted_zlib_checksum.mat", "malformed1.mat"}


@pytest.mark.parametrize("damage", [{FLAGS + 1: 0x08}, {FLAGS: 2}, {FLAGS: 5}, {FLAGS: 3}, {FLAGS: 16}])
def test_a_signal_of_another_class_is_refused_by_every_reader(tmp_path, damage):
    """Each of these ended the process, or read the next variable as a part of this one."""
    t = np.arange(400)
    held = {
        "emg": np.ones((400, 2), np.float32),
        "restimulus": t // 100,
        "rerepetition": t // 100,
        KEY: np.ones(10_000),
    }
    for first, name in (("emg", "S1_E1_A1.mat"), (KEY, "m.mat")):
        path = tmp_path / name
        scipy.io.savemat(path, {first: held.pop(first), **held})
        data = bytearray(path.read_bytes())
        for at, value in damage.items():
            data[at] = value
        path.write_bytes(data)
        assert untrusted_variables(path) == {first}
    reader = NinaproReader("DB2", tmp_path)
    with pytest.raises(ItemError, match="has no signal"):
        reader.read(next(ref for ref in reader.list() if "S1" in ref.key))
    with pytest.raises(ItemError, match=r"holds no variable .* of real numbers"):
        _read(tmp_path / "m.mat")
