"""npy and npz files, read in blocks without pickle: a npy is mapped block by block, an npz's member streamed."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from cleansemg.core.archive_limits import refuse_zip_bomb
from cleansemg.core.errors import UserError, one_line
from cleansemg.core.npz import float64
from cleansemg.formats.array_keys import SelectedArray, Variable, describe, pick_signal, rate_of_stamps
from cleansemg.formats.channel_selection import ReadOptions, check_length
from cleansemg.formats.info import FileInfo
from cleansemg.formats.signal_file import SignalFile

MAX_COMPANION_BYTES = 1 << 20
MAX_STAMPS_BYTES = 1 << 29
SKIP_BYTES = 1 << 20
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    SyntaxError,  # numpy's header parser, this and the next
    tokenize.TokenError,
    UnicodeDecodeError,  # a member's name
)


@dataclass(frozen=True)
class Header:
    """A npy header: shape, order, type, and the bytes that it takes itself."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    n_bytes: int

    @property
    def data_bytes(self) -> int:
        size = self.dtype.itemsize
        for length in self.shape:
            size *= length
        return size


class NpyFile(SignalFile):
    """A npy file, mapped.

    Raises:
        UserError: pickled, truncated, or no table of real numbers.
    """

    def __init__(self, path: Path, options: ReadOptions) -> None:
        with open(path, "rb") as file:
            header = _read_header(path, "the file", file)
        size = path.stat().st_size
        if header.n_bytes + header.data_bytes > size:
            raise UserError(
                f"{path}: truncated: {size} bytes, its header announces {header.n_bytes + header.data_bytes}"
            )
        signal = pick_signal(path, [_variable("array", header)], ReadOptions(key="array"))
        selected = describe(path, signal, {}, header.dtype.name, options, lambda _name, _length: None)
        self._header = header
        self.info = _info(path, "npy", selected, key="", fs_key="", unit_key="", channels_key="")
        self._time_first = selected.layout.time_first
        self._n_samples = selected.n_samples

    def _blocks(self, max_samples: int) -> Iterator[NDArray[np.float64]]:
        columns = [channel.column for channel in self.info.channels]
        for start in range(0, self._n_samples, max_samples):
            yield float64(self._table()[start : start + max_samples, columns]).T

    def _table(self) -> NDArray[Any]:
        """[T, C] a new map each time: what was read through one stays in memory as long as it lives."""
        header = self._header
        order: Literal["F", "C"] = "F" if header.fortran else "C"
        array = np.memmap(self.info.path, header.dtype, "r", header.n_bytes, header.shape, order)
        table = array.reshape(-1, 1) if array.ndim == 1 else array
        return table if self._time_first else table.T


class NpzFile(SignalFile):
    """One array of an npz archive, streamed.

    Raises:
        UserError: damaged, pickled, absurdly large, several arrays to choose from, or no table of real numbers.
    """

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self._stack = ExitStack()
        try:
            archive = self._stack.enter_context(zipfile.ZipFile(path))
            refuse_zip_bomb(archive)
            self._members = {
                info.filename.removesuffix(".npy"): info
                for info in archive.infolist()
                if info.filename.endswith(".npy")
            }
            self._headers = {name: self._header(path, archive, name) for name in self._members}
            signal = pick_signal(path, [_variable(name, header) for name, header in self._headers.items()], options)
            companions = {
                name: self._companion(archive, name, header)
                for name, header in self._headers.items()
                if self._is_companion(name, signal)
            }
            selected = describe(
                path,
                signal,
                companions,
                self._headers[signal.name].dtype.name,
                options,
                lambda name, length: self._stamps(path, companions[name], name, length),
            )
        except DAMAGED as error:
            self._stack.close()
            raise UserError(f"{path}: truncated, or no npz archive ({one_line(error)})") from None
        except BaseException:
            self._stack.close()
            raise
        self._archive = archive
        deflated = self._members[signal.name].compress_type != zipfile.ZIP_STORED
        self.info = _info(path, "npz", selected, compressed=deflated)
        self._selected = selected

    def close(self) -> None:
        self._stack.close()

    def _blocks(self, max_samples: int) -> Iterator[NDArray[np.float64]]:
        layout, header = self._selected.layout, self._headers[self._selected.layout.key]
        by_row = header.fortran != layout.time_first or layout.ndim == 1 or min(header.shape) == 1
        try:
            yield from self._rows(header, max_samples) if by_row else self._columns(header, max_samples)
        except DAMAGED as error:
            raise UserError(f"{self.info.path}: '{layout.key}' is damaged ({one_line(error)})") from None

    def _rows(self, header: Header, max_samples: int) -> Iterator[NDArray[np.float64]]:
        """The samples of all channels lie side by side."""
        columns = [channel.column for channel in self.info.channels]
        n_samples = self._selected.n_samples
        width = header.data_bytes // header.dtype.itemsize // n_samples
        with self._archive.open(self._members[self._selected.layout.key]) as member:
            _skip(member, header.n_bytes)
            for start in range(0, n_samples, max_samples):
                length = min(max_samples, n_samples - start)
                block = np.frombuffer(_read(member, length * width * header.dtype.itemsize), header.dtype)
                yield float64(block.reshape(length, width)[:, columns]).T
            _to_the_end(member)

    def _columns(self, header: Header, max_samples: int) -> Iterator[NDArray[np.float64]]:
        """One channel lies behind the other: a stream for each, as a packed member cannot be entered in the middle."""
        n_samples, itemsize = self._selected.n_samples, header.dtype.itemsize
        with ExitStack() as stack:
            members = []
            for channel in self.info.channels:
                member = stack.enter_context(self._archive.open(self._members[self._selected.layout.key]))
                _skip(member, header.n_bytes + channel.column * n_samples * itemsize)
                members.append(member)
            for start in range(0, n_samples, max_samples):
                length = min(max_samples, n_samples - start)
                yield np.stack(
                    [np.frombuffer(_read(m, length * itemsize), header.dtype).astype(np.float64) for m in members]
                )
            _to_the_end(members[0])

    def _header(self, path: Path, archive: zipfile.ZipFile, name: str) -> Header:
        info = self._members[name]
        with archive.open(info) as member:
            header = _read_header(path, f"'{name}'", member)
        if not header.dtype.hasobject and header.n_bytes + header.data_bytes != info.file_size:
            raise UserError(
                f"{path}: '{name}' is damaged: {info.file_size - header.n_bytes} bytes, not {header.data_bytes}"
            )
        return header

    def _is_companion(self, name: str, signal: Variable) -> bool:
        header = self._headers[name]
        limit = (
            MAX_STAMPS_BYTES if header.data_bytes == max(signal.shape) * header.dtype.itemsize else MAX_COMPANION_BYTES
        )
        return name != signal.name and not header.dtype.hasobject and header.data_bytes <= limit

    def _companion(self, archive: zipfile.ZipFile, name: str, header: Header) -> NDArray[Any]:
        with archive.open(self._members[name]) as member:
            _skip(member, header.n_bytes)
            array = np.frombuffer(_read(member, header.data_bytes), header.dtype)
        return array.reshape(header.shape, order="F" if header.fortran else "C")

    def _stamps(self, path: Path, stamps: NDArray[Any], name: str, length: int) -> float | None:
        if stamps.size != length or length < 3 or stamps.dtype.kind not in "fiu":
            return None
        return rate_of_stamps(path, name, stamps)


def _variable(name: str, header: Header) -> Variable:
    return Variable(name, header.shape, header.dtype.kind in "fiu" and not header.dtype.hasobject)


def _info(path: Path, file_format: str, selected: SelectedArray, **layout: Any) -> FileInfo:
    check_length(path, selected.n_samples, len(selected.channels), selected.fs_hz)
    return FileInfo(
        path,
        file_format,
        selected.fs_hz,
        selected.channels,
        selected.n_samples,
        replace(selected.layout, **layout),
        selected.start_s,
    )


def _read_header(path: Path, what: str, file: IO[bytes]) -> Header:
    try:
        version = npy.read_magic(file)
        if version == (1, 0):
            shape, fortran, dtype = npy.read_array_header_1_0(file)
        elif version == (2, 0):
            shape, fortran, dtype = npy.read_array_header_2_0(file)
        else:
            raise ValueError(f"version {version}")
    except Exception as error:  # damaged bytes make numpy raise anything, and it means one thing
        raise UserError(
            f"{path}: {what} is no npy array ({one_line(error)[:80]}); pickled objects are refused"
        ) from error
    return Header(shape, fortran, dtype, file.tell())


def _skip(member: IO[bytes], n_bytes: int) -> None:
    while n_bytes:
        n_bytes -= len(_read(member, min(n_bytes, SKIP_BYTES)))


def _read(member: IO[bytes], n_bytes: int) -> bytes:
    data = member.read(n_bytes)
    if len(data) != n_bytes:
        raise EOFError("ends early")
    return data


def _to_the_end(member: IO[bytes]) -> None:
    """Read on, so that the archive's checksum is compared."""
    while member.read(SKIP_BYTES):
        pass
