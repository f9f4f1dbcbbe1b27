"""MATLAB files of version 5 and older, read whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError, one_line
from cleansemg.core.npz import BOMB_BYTES, BOMB_RATIO, float64
from cleansemg.formats.array_keys import (
    CHANNEL_KEYS,
    RATE_KEYS,
    START_KEYS,
    TIME_KEYS,
    UNIT_KEYS,
    Variable,
    describe,
    pick_signal,
    rate_of_stamps,
)
from cleansemg.formats.channel_selection import ReadOptions, check_length
from cleansemg.formats.info import FileInfo
from cleansemg.formats.mat_tags import untrusted_variables
from cleansemg.formats.signal_file import SignalFile

NUMERIC = frozenset({"double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"})
MAX_VALUES = 2**31 // 8 * 2


class MatFile(SignalFile):
    """One matrix of a MATLAB file.

    Raises:
        UserError: version 7.3, damaged, several matrices to choose from, or none of real numbers.
    """

    def __init__(self, path: Path, options: ReadOptions) -> None:
        import scipy.io

        with open(path, "rb") as file:
            beginning = file.read(128)
        if beginning.startswith((b"MATLAB 7.3", b"\x89HDF")):
            raise UserError(f"{path}: is a MATLAB 7.3 file (HDF5); load it in MATLAB and save it with -v7")
        size = path.stat().st_size
        variables, structs = [], []
        untrusted: set[str] = _call(path, untrusted_variables, path)
        for name, shape, kind in _call(path, scipy.io.whosmat, str(path)):
            variable = Variable(name, tuple(int(n) for n in shape), kind in NUMERIC)
            bomb = 8 * variable.size > max(BOMB_BYTES, BOMB_RATIO * size)
            if variable.size > MAX_VALUES or bomb:
                raise UserError(f"{path}: '{name}' announces {variable.size} values in a file of {size} bytes; refused")
            variables.append(variable)
            if kind == "struct":
                structs.append(name)
        asked = (options.key or "").partition(".")[0]
        if asked in structs or (structs and not any(v.numeric and v.size > 1 for v in variables)):
            name = ascii((asked if asked in structs else structs[0])[:64])[1:-1]
            raise UserError(
                f"{path}: '{name}' is a struct; save what it holds as variables of their own, in MATLAB: "
                f"x = {name}.data; fs = {name}.srate; save('signal.mat', 'x', 'fs', '-v7')"
            )
        known = {*RATE_KEYS, *UNIT_KEYS, *CHANNEL_KEYS, *TIME_KEYS, *START_KEYS}
        signal = pick_signal(path, variables, options)
        if signal.name in untrusted:
            raise UserError(f"{path}: '{signal.name}' is no table of real numbers")
        wanted = [signal.name, *(v.name for v in variables if v.name.lower() in known and v.name not in untrusted)]
        found: dict[str, Any] = _call(path, scipy.io.loadmat, str(path), variable_names=wanted)
        array = found[signal.name]
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
            raise UserError(f"{path}: '{signal.name}' is no table of real numbers")
        said = {name: found[name] for name in wanted[1:] if name in found and isinstance(found[name], np.ndarray)}

        def stamps(name: str, length: int) -> float | None:
            values = said[name]
            fits = values.size == length and length >= 3 and values.dtype.kind in "fiu"
            return rate_of_stamps(path, name, values) if fits else None

        chosen = describe(path, signal, said, array.dtype.name, options, stamps)
        check_length(path, chosen.n_samples, len(chosen.channels), chosen.fs_hz)
        self._table = array if chosen.layout.time_first else array.T  # [T, C]
        layout = replace(chosen.layout, compressed=True)
        self.info = FileInfo(path, "mat", chosen.fs_hz, chosen.channels, chosen.n_samples, layout, chosen.start_s)

    def _blocks(self, max_samples: int) -> Iterator[NDArray[np.float64]]:
        columns = [channel.column for channel in self.info.channels]
        for start in range(0, self._table.shape[0], max_samples):
            yield float64(self._table[start : start + max_samples, columns]).T


def _call(path: Path, function: Any, *arguments: Any, **options: Any) -> Any:
    """Call scipy, whose errors on bad files are of many kinds.

    Raises:
        UserError: truncated, or no MATLAB file.
    """
    try:
        return function(*arguments, **options)
    except NotImplementedError as error:
        raise UserError(f"{path}: {one_line(error)}; load it in MATLAB and save it with -v7") from None
    except Exception as error:  # damaged bytes make scipy raise anything, even UnboundLocalError; it means one thing
        raise UserError(f"{path}: truncated, or no MATLAB file ({one_line(error)[:120]})") from error
