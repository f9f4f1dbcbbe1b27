"""One `.npz` file: written atomically and reproducibly, read without pickle, mapped where it is large."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import io
import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from cleansemg.core.archive_limits import refuse_zip_bomb
from cleansemg.core.errors import ArtifactError, one_line

Arrays = Mapping[str, NDArray[Any]]
Member = tuple[str, np.dtype[Any], tuple[int, ...], Iterable[NDArray[Any]]]  # name, dtype, shape, pieces along axis 0

DAMAGED = (  # what zipfile and numpy raise on bytes that are no npz
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    ValueError,
    TypeError,
    KeyError,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,  # an encrypted member
    SyntaxError,  # numpy's header parser, this and the next
    tokenize.TokenError,
    OverflowError,
    MemoryError,
)


class _HashingFile(io.RawIOBase):
    """A file that hashes what is written through it; zip headers are never patched (no seeking)."""

    def __init__(self, raw: io.BufferedWriter) -> None:
        self._raw = raw
        self.digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.digest.update(data)
        return self._raw.write(data)

    def flush(self) -> None:
        self._raw.flush()


@contextlib.contextmanager
def atomic_writer(path: Path) -> Iterator[io.BufferedWriter]:
    """A file to write into that becomes `path` whole or not at all: temporary in the same folder, fsync, rename."""
    temporary = _temporary(path)
    with _removed_on_error(temporary), open(temporary, "wb") as file:
        yield file
    commit(temporary, path)


def commit(temporary: Path, path: Path) -> None:
    """Bring a written file to the disk, then under its name; it is deleted where that fails."""
    with _removed_on_error(temporary):
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)


def _temporary(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


@contextlib.contextmanager
def _removed_on_error(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def atomic_write(path: Path, data: bytes) -> None:
    """Write a whole file or nothing, and delete what a killed process left of an earlier try."""
    remove_leftovers(path)
    with atomic_writer(path) as file:
        file.write(data)


def remove_leftovers(path: Path) -> None:
    """Delete what a killed process left of a write to `path`."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        leftover.unlink(missing_ok=True)


def write(path: Path, arrays: Arrays) -> str:
    """Write arrays as an uncompressed npz, atomically; the same arrays give the same bytes.

    Returns the SHA-256 of the file, computed while writing.
    """
    return write_stream(path, _members(arrays))


def write_staged(path: Path, arrays: Arrays) -> tuple[Path, str]:
    """Write arrays as `write` does, up to the wait for the disk: `settle` does that, in any process.

    Returns:
        Where the file lies until then, and its SHA-256.
    """
    temporary = _temporary(path)
    with _removed_on_error(temporary), open(temporary, "wb") as raw:
        return temporary, _write_archive(raw, _members(arrays))


def _members(arrays: Arrays) -> Iterator[Member]:
    return ((name, a.dtype, a.shape, (a,)) for name, a in sorted(arrays.items()))


def write_stream(path: Path, members: Iterable[Member]) -> str:
    """Write an npz whose members come in pieces, so that none has to fit in memory.

    Args:
        path: the file.
        members: (name, dtype, shape, pieces); the pieces joined along axis 0 have that shape.

    Returns:
        The SHA-256 of the file.

    Raises:
        ValueError: an object array, or pieces that do not add up to the shape.
    """
    with atomic_writer(path) as raw:
        return _write_archive(raw, members)


def _write_archive(raw: io.BufferedWriter, members: Iterable[Member]) -> str:
    hashing = _HashingFile(raw)
    with zipfile.ZipFile(hashing, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:  # type: ignore[arg-type]
        for name, dtype, shape, pieces in members:
            _write_member(archive, name, dtype, shape, pieces)
    return hashing.digest.hexdigest()


def _write_member(
    archive: zipfile.ZipFile,
    name: str,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    pieces: Iterable[NDArray[Any]],
) -> None:
    if dtype.hasobject:
        raise ValueError(f"array '{name}' holds Python objects; artifacts hold plain arrays only")
    header = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    written = 0
    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
        npy.write_array_header_1_0(member, header)
        for piece in pieces:
            block = np.ascontiguousarray(piece, dtype=dtype)
            written += block.size
            member.write(block.reshape(-1).view(np.uint8).data if block.size else b"")
    if written != int(np.prod(shape)):
        raise ValueError(f"array '{name}': {written} values written for shape {shape}")


def read(path: Path) -> dict[str, NDArray[Any]]:
    """Read all arrays of an npz, without pickle.

    Raises:
        ArtifactError: the file is absent, truncated, altered (CRC) or holds pickled objects.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            refuse_zip_bomb(archive)
            for info in archive.infolist():
                _read_header(archive, info)
        with np.load(path, allow_pickle=False) as archive:
            return {name: _array(name, archive[name]) for name in archive.files}
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file") from None
    except DAMAGED as error:
        raise ArtifactError(f"{path}: not a readable npz file ({one_line(error)})") from error


def _read_header(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, order, type and length of the header of a member, checked against the bytes that follow it.

    Raises:
        ValueError: not an array of plain values, or not as many bytes as it announces.
    """
    name = info.filename.removesuffix(".npy")
    with archive.open(info) as member:
        magic = npy.read_magic(member)
        if magic not in ((1, 0), (2, 0), (3, 0)):
            raise ValueError(f"'{name}' has format version {magic}")
        read = npy.read_array_header_1_0 if magic == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read(member)
        header_bytes = member.tell()
    if dtype.hasobject:
        raise ValueError(f"'{name}' holds pickled objects")
    n_bytes = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or header_bytes + n_bytes != info.file_size:
        raise ValueError(f"'{name}' has {info.file_size - header_bytes} bytes, shape {shape} needs {n_bytes}")
    return shape, fortran, dtype, header_bytes


def _array(name: str, content: Any) -> NDArray[Any]:
    if not isinstance(content, np.ndarray):
        raise ValueError(f"'{name}' is no array")  # noqa: TRY004 - as for any other damage
    return content


def map_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Memory-map the arrays of an uncompressed npz, so that rows are read only when used.

    A compressed npz cannot be mapped and is read whole.

    Raises:
        ArtifactError: the file is absent, not an npz, or holds pickled objects.
    """
    arrays: dict[str, NDArray[Any]] = {}
    try:
        with zipfile.ZipFile(path) as archive, open(path, "rb") as raw:
            for info in archive.infolist():
                if info.compress_type != zipfile.ZIP_STORED:
                    return read(path)
                name = info.filename.removesuffix(".npy")
                shape, fortran, dtype, header_bytes = _read_header(archive, info)
                raw.seek(info.header_offset + 26)
                name_bytes, extra_bytes = struct.unpack("<HH", raw.read(4))
                offset = info.header_offset + 30 + name_bytes + extra_bytes + header_bytes
                if math.prod(shape) * dtype.itemsize == 0:
                    arrays[name] = np.empty(shape, dtype)
                    continue
                arrays[name] = np.memmap(path, dtype, "r", offset, shape, order="F" if fortran else "C")
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file") from None
    except DAMAGED as error:
        raise ArtifactError(f"{path}: not a readable npz file ({one_line(error)})") from error
    return arrays


def float64(values: NDArray[Any]) -> NDArray[np.float64]:
    """As float64; damaged bytes hold NaN of the kind that signals, which is NaN like any other."""
    with np.errstate(invalid="ignore"):
        return values.astype(np.float64)


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
