"""Files made to do harm: pickles that run something, archives that unpack to gigabytes, headers that announce terabytes."""

from __future__ import annotations

import io
import itertools
import pickle
import struct
import zipfile
import zlib

import numpy as np
import pytest
import torch
from numpy.lib import format as npy

from cleansemg.core import config, npz, weight_files
from cleansemg.core.artifact import Artifact
from cleansemg.core.restricted_pickle import read_object_array
from cleansemg.data_pipeline.readers.ninapro import NinaproReader
from cleansemg.data_pipeline.readers.table import TableReader
from cleansemg.data_pipeline.subject_split import load_split
from cleansemg.evaluation import export
from cleansemg.fetching.published_test_set import describe
from cleansemg.formats import open_file
from cleansemg.noise.pool import NoiseLibrary
from cleansemg.training import checkpoint
from tests.reliability.fuzzing import HangError, bounded, refuses_or_reads
from tests.reliability.good_files import COLUMNS, SCHEMA, TARGETS, zipped


class Harm:
    """Unpickling it creates a file."""

    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return (open, (self.marker, "w"))


@pytest.fixture
def marker(tmp_path):
    path = tmp_path / "harmed"
    yield path
    assert not path.exists(), "a file that was read ran code"


def test_the_harm_is_real(tmp_path):
    pickle.loads(pickle.dumps(Harm(tmp_path / "harmed"))).close()
    assert (tmp_path / "harmed").exists()


def object_npz(path, value, key="data"):
    array = np.empty(1, dtype=object)
    array[0] = value
    np.savez(path, **{key: array})


@pytest.mark.parametrize(
    "name", ["npz, read", "npz, mapped", "test set, our file", "test set, published", "table, npz", "signal file, npz"]
)
def test_a_pickle_in_an_npz_is_never_run(tmp_path, marker, name):
    found = TARGETS[name]
    for key in ("data", "emg", "fs", "signal"):
        object_npz(tmp_path / found.file, {"clean": Harm(marker)}, key)
        assert refuses_or_reads(lambda: found.read(tmp_path))


def test_a_malicious_published_test_set_is_refused_by_name(tmp_path, marker):
    path = tmp_path / "test_combined.npz"
    object_npz(path, {"clean": np.zeros(4), "noisy": Harm(marker)})
    message = refuses_or_reads(lambda: describe(export.read(path)))
    assert "io.open" in message
    assert "holds more than data" in message


@pytest.mark.parametrize(
    "opcode",
    [
        b"cos\nsystem\n(S'true'\ntR.", b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",
        b"(S'true'\nios\nsystem\n.", b"cbuiltins\neval\n(S'1'\ntR.", b"\x80\x04\x8c\x05numpy\x8c\x04load\x93.",
        b"Pid\n.", b"\x82\x01.", b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nmatrix\n(I0\ntS'b'\ntR.",
    ],
)  # fmt: skip
def test_every_way_to_name_a_function_is_refused(tmp_path, opcode):
    header = io.BytesIO()
    npy.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    path = tmp_path / "x.npz"
    path.write_bytes(zipped({"data.npy": header.getvalue() + opcode}, zipfile.ZIP_STORED))
    assert refuses_or_reads(lambda: read_object_array(path, "data"))


def test_a_pickle_in_a_shard_a_checkpoint_weights_and_a_noise_pool(tmp_path, marker):
    TARGETS["artifact, shard"].make(tmp_path)
    object_npz(tmp_path / "one.npz", Harm(marker))
    assert "altered" in refuses_or_reads(lambda: list(Artifact.open(tmp_path, SCHEMA)))

    for suffix, read in (
        (".pt", lambda p: checkpoint.load(p, "x")),
        (".pth", weight_files.read),
        (".safetensors", weight_files.read),
    ):
        path = tmp_path / f"x{suffix}"
        torch.save({"state_dict": Harm(marker)}, path)
        assert refuses_or_reads(lambda read=read, path=path: read(path))
        path.write_bytes(pickle.dumps(Harm(marker)))
        assert refuses_or_reads(lambda read=read, path=path: read(path))

    (tmp_path / "PLI").mkdir()
    np.save(tmp_path / "PLI" / "one.npy", np.array([Harm(marker)], dtype=object))
    (tmp_path / "manifest.json").unlink()
    assert refuses_or_reads(lambda: NoiseLibrary.open(tmp_path))


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system ['true']", "!!python/name:os.system", "!!python/module:os"]
)
def test_yaml_that_names_python(tmp_path, tag):
    path = tmp_path / "x.yaml"
    path.write_text(f"title: {tag}\n")
    for read in (config.load, load_split):
        assert refuses_or_reads(lambda read=read: read(path))


def bomb_yaml(levels=30):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize("text", [bomb_yaml(), "&a [*a]", "x: &x {y: *x}", "[" * 100_000, "{a: " * 20_000])
def test_yaml_that_grows(tmp_path, text):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    for read in (config.load, load_split):
        assert refuses_or_reads(lambda read=read: read(path))


def huge_header(shape, descr="<f8"):
    header = io.BytesIO()
    npy.write_array_header_1_0(header, {"descr": descr, "fortran_order": False, "shape": shape})
    return header.getvalue() + b"\0" * 64


@pytest.mark.parametrize("shape", [(2**40,), (2**62, 4), (2**31, 2**31, 2**31), (0, 2**62), (10**30,)])
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_header_that_announces_terabytes(tmp_path, shape, compression):
    for name in ("npz, read", "npz, mapped", "table, npz", "signal file, npz"):
        found = TARGETS[name]
        key = "emg" if "npz" in name.partition(", ")[2] else "signal"
        content = {f"{key}.npy": huge_header(shape), "fs.npy": huge_header((8,))}
        (tmp_path / found.file).write_bytes(zipped(content, compression))
        assert refuses_or_reads(lambda found=found: found.read(tmp_path))
    (tmp_path / "x.npy").write_bytes(huge_header(shape))
    assert refuses_or_reads(lambda: TARGETS["signal file, npy"].read(tmp_path))


@pytest.fixture(scope="module")
def bomb(tmp_path_factory):
    """An npz of half a megabyte that unpacks to half a gigabyte."""
    path = tmp_path_factory.mktemp("bomb") / "x.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open("emg.npy", "w", force_zip64=True) as member,
    ):
        npy.write_array_header_1_0(member, {"descr": "<f8", "fortran_order": False, "shape": (2**26,)})
        for _ in range(32):
            member.write(b"\0" * 2**24)
    assert path.stat().st_size < 3e6
    return path


def test_an_archive_that_unpacks_to_far_more(bomb):
    for read in (
        npz.read, npz.map_arrays, export.read, lambda p: read_object_array(p, "emg"),
        lambda p: list(open_file(p, fs_hz=1000.0, unit="V").blocks()),
    ):  # fmt: skip
        message = refuses_or_reads(lambda read=read: read(bomb))
        assert message


def test_a_workbook_that_unpacks_to_far_more(tmp_path):
    path = tmp_path / "s1.xlsx"
    TARGETS["table, xlsx"].make(tmp_path)
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            if name.endswith("sheet1.xml"):
                with archive.open(name, "w", force_zip64=True) as member:
                    member.write(content[:200])
                    for _ in range(20):
                        member.write(b" " * 2**24)
            else:
                archive.writestr(name, content)
    reader = TableReader(database="own", folder=tmp_path, pattern=r"(?P<subject>s\d+)\.xlsx", **COLUMNS)
    assert refuses_or_reads(lambda: [reader.read(ref) for ref in reader.list()])


def test_a_matlab_file_that_unpacks_to_far_more(tmp_path):
    """A v5 file whose one variable is compressed zeros."""
    packer = zlib.compressobj(9)
    rows = 2**26

    def element(kind, content):
        return struct.pack("<II", kind, len(content)) + content + b"\0" * (-len(content) % 8)

    head = element(6, struct.pack("<II", 6, 0)) + element(5, struct.pack("<ii", rows, 1)) + element(1, b"emg\0\0\0\0\0")
    body = struct.pack("<II", 9, rows * 8 % 2**32)
    packed = packer.compress(struct.pack("<II", 14, (len(head) + 8 + rows * 8) % 2**32) + head + body)
    for _ in range(32):
        packed += packer.compress(b"\0" * 2**24)
    packed += packer.flush()
    path = tmp_path / "S1_E1_A1.mat"
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + struct.pack("<II", 15, len(packed)) + packed)
    reader = NinaproReader("DB2", tmp_path)
    assert refuses_or_reads(lambda: [reader.read(ref) for ref in reader.list()])
    assert refuses_or_reads(lambda: open_file(path, fs_hz=1000.0, unit="V"))


def test_the_bounds_bind():
    with pytest.raises(MemoryError), bounded(memory_bytes=1 << 26):
        bytearray(1 << 28)
    with pytest.raises(HangError), bounded(cpu_s=0.05):
        any(False for _ in itertools.count())
