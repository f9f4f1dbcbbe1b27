"""Reads object arrays that others pickled into npz files, admitting numpy arrays and plain containers only.

Nothing that a pickle names is imported: the few names that numpy's own pickles need are mapped to
functions written here, and any other name is refused before anything runs.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from cleansemg.core import npz
from cleansemg.core.archive_limits import refuse_zip_bomb
from cleansemg.core.errors import ArtifactError, one_line


def read_object_array(path: Path, key: str) -> NDArray[np.object_]:
    """Read one object array of an npz.

    Args:
        path: the npz file.
        key: the array's name.

    Raises:
        ArtifactError: absent, truncated, without that array, or the pickle holds anything but numpy
            arrays, numbers, texts, lists, tuples and dictionaries.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{key}.npy") as member:
            refuse_zip_bomb(archive)
            magic = npy.read_magic(member)
            read_header = npy.read_array_header_1_0 if magic == (1, 0) else npy.read_array_header_2_0
            shape, _, dtype = read_header(member)
            content = member.read()
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file") from None
    except KeyError:
        raise ArtifactError(f"{path}: holds no array '{key}'") from None
    except npz.DAMAGED as error:
        raise ArtifactError(f"{path}: not a readable npz file ({one_line(error)})") from error
    if not dtype.hasobject:
        raise ArtifactError(f"{path}: '{key}' is an array of {dtype}, expected pickled objects")
    try:
        loaded = _Restricted(io.BytesIO(content)).load()
    except _RefusedError as error:
        raise ArtifactError(f"{path}: refused, its pickle asks for {error}; it holds more than data") from None
    except Exception as error:  # a broken pickle may raise anything, and all of it means one thing
        raise ArtifactError(f"{path}: a broken pickle ({type(error).__name__}: {one_line(error)})") from error
    if not isinstance(loaded, np.ndarray) or loaded.shape != shape:
        raise ArtifactError(f"{path}: '{key}' is not the array that its header announces")
    return loaded


class _RefusedError(Exception):
    pass


class _NdarrayName:
    """Stands for the class `numpy.ndarray`, which pickles name but must not call."""


def _reconstruct(subtype: Any, shape: Any, code: Any) -> NDArray[Any]:
    """What numpy's `_reconstruct` does for a plain array: an empty one, whose state comes next."""
    if subtype is not _NdarrayName:
        raise _RefusedError("a subclass of ndarray")
    return np.ndarray.__new__(np.ndarray, (0,), "b")


def _scalar(dtype: np.dtype[Any], content: bytes) -> Any:
    if not isinstance(dtype, np.dtype) or dtype.hasobject:
        raise _RefusedError("an object scalar")
    return np.frombuffer(content, dtype, count=1)[0]


def _dtype(code: Any, *_: Any) -> np.dtype[Any]:
    if not isinstance(code, str) or len(code) > 8:
        raise _RefusedError(f"a dtype {code!r}")
    return np.dtype(code)


def _frombuffer(content: Any, dtype: np.dtype[Any], shape: Any, order: str) -> NDArray[Any]:
    """How numpy spells arrays from pickle protocol 5 on."""
    if not isinstance(dtype, np.dtype) or dtype.hasobject or order not in ("C", "F"):
        raise _RefusedError("a buffer of objects")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if order == "F" else "C")


def _encode(text: str, encoding: str = "utf-8") -> bytes:
    """`_codecs.encode`, by which old pickles spell bytes."""
    if encoding != "latin1":
        raise _RefusedError(f"the encoding {encoding!r}")
    return text.encode("latin1")


_ADMITTED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _NdarrayName,
    ("numpy", "dtype"): _dtype,
    ("_codecs", "encode"): _encode,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _reconstruct for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _frombuffer for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
}


class _Restricted(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise _RefusedError(f"'{module}.{name}'") from None

    def persistent_load(self, pid: Any) -> Any:
        raise _RefusedError("a persistent object")
