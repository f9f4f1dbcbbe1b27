"""npy, npz and MAT files, written."""

from __future__ import annotations

import zipfile
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from cleansemg.core.errors import UserError
from cleansemg.formats.array_keys import companions
from cleansemg.formats.info import ArrayLayout
from cleansemg.formats.signal_file import SignalWriter, publish
from cleansemg.formats.spool import SpoolingWriter

HEADER_BYTES = 128
MAX_MAT_BYTES = 2**31 - 1  # of a variable, by MATLAB's version 5 format


class NpyWriter(SignalWriter):
    """A npy file: samples as they come, the header's place kept free until their number is known."""

    _file: IO[bytes]

    def _open(self) -> None:
        assert isinstance(self.info.layout, ArrayLayout)  # noqa: S101 - cannot happen
        self._layout = self.info.layout
        self._dtype = np.dtype(self._layout.dtype).newbyteorder("<")
        self._samples = 0
        self._file = open(self.temporary, "wb")  # noqa: SIM115 - closed by _discard
        self._file.write(b"\0" * HEADER_BYTES)

    def _write(self, block: NDArray[np.float64]) -> None:
        self._file.write(np.ascontiguousarray(block.T, self._dtype).data)
        self._samples += block.shape[1]

    def _commit(self) -> None:
        shape, fortran = shape_of(self._layout, self._samples, len(self.info.channels))
        text = f"{{'descr': '{self._dtype.str}', 'fortran_order': {fortran}, 'shape': {shape}, }}"
        header = (
            npy.magic(1, 0) + (HEADER_BYTES - 10).to_bytes(2, "little") + text.ljust(HEADER_BYTES - 11).encode() + b"\n"
        )
        self._file.seek(0)
        self._file.write(header)
        self._file.close()
        publish(self.temporary, self.path)

    def _discard(self) -> None:
        self._file.close()
        self.temporary.unlink(missing_ok=True)


class NpzWriter(SpoolingWriter):
    """An npz archive, packed where the one it is like is packed."""

    def _commit(self) -> None:
        layout = self.info.layout
        assert isinstance(layout, ArrayLayout)  # noqa: S101 - cannot happen
        method = zipfile.ZIP_DEFLATED if layout.compressed else zipfile.ZIP_STORED
        dtype = np.dtype(layout.dtype).newbyteorder("<")
        shape, fortran = shape_of(layout, self.spool.n_samples, len(self.info.channels))
        with zipfile.ZipFile(self.temporary, "w", method, allowZip64=True) as archive:
            with archive.open(
                zipfile.ZipInfo(f"{layout.key}.npy") if not layout.compressed else _packed(layout.key),
                "w",
                force_zip64=True,
            ) as member:
                npy.write_array_header_1_0(member, {"descr": dtype.str, "fortran_order": fortran, "shape": shape})
                for block in self.spool.blocks():
                    member.write(np.ascontiguousarray(block.T, dtype).data)
            for name, value in companions(layout, self.info.channels, self.info.fs_hz, self.info.start_s).items():
                with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as member:
                    npy.write_array(member, np.asarray(value), allow_pickle=False)
        publish(self.temporary, self.path)


class MatWriter(SpoolingWriter):
    """A MATLAB version 5 file; the whole signal is in memory when it is written."""

    def _commit(self) -> None:
        import scipy.io

        layout = self.info.layout
        assert isinstance(layout, ArrayLayout)  # noqa: S101 - cannot happen
        n_samples, n_channels = self.spool.n_samples, len(self.info.channels)
        if n_samples * n_channels * np.dtype(layout.dtype).itemsize > MAX_MAT_BYTES:
            raise UserError(f"{self.path}: a MATLAB variable holds at most 2 GB; write .npz or .edf instead")
        signal = np.empty((n_samples, n_channels), layout.dtype)
        start = 0
        for block in self.spool.blocks():
            signal[start : start + block.shape[1]] = block.T
            start += block.shape[1]
        beside: dict[str, Any] = companions(layout, self.info.channels, self.info.fs_hz, self.info.start_s)
        for key, value in beside.items():
            if np.asarray(value).dtype.kind == "U" and np.ndim(value):
                beside[key] = np.array([str(text) for text in value], dtype=object)  # a cell of texts
            elif np.asarray(value).dtype.kind == "U":
                beside[key] = str(value)
        variables = {layout.key: signal if layout.time_first else signal.T, **beside}
        with open(self.temporary, "wb") as file:
            scipy.io.savemat(file, variables, do_compression=layout.compressed, oned_as="column", long_field_names=True)
        publish(self.temporary, self.path)


def shape_of(layout: ArrayLayout, n_samples: int, n_channels: int) -> tuple[tuple[int, ...], bool]:
    """Shape of samples that lie one after the other, and whether their order is Fortran's."""
    if layout.ndim == 1 and n_channels == 1:
        return (n_samples,), False
    return ((n_samples, n_channels), False) if layout.time_first else ((n_channels, n_samples), True)


def _packed(key: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(f"{key}.npy")
    info.compress_type = zipfile.ZIP_DEFLATED
    return info
