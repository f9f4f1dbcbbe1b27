"""MATLAB files of version 5 and older, read whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError
from cleansemg.core.npz import float64
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
from cleansemg.formats.mat_variables import NUMERIC, list_variables, load_variables
from cleansemg.formats.signal_file import SignalFile


class MatFile(SignalFile):
    """One matrix of a MATLAB file.

    Raises:
        UserError: version 7.3, damaged, several matrices to choose from, or none of real numbers.
    """

    def __init__(self, path: Path, options: ReadOptions) -> None:
        listed = list_variables(path)
        variables = [Variable(v.name, v.shape, v.kind in NUMERIC) for v in listed]
        structs = [v.name for v in listed if v.kind == "struct"]
        trusted = {v.name for v in listed if v.trusted}
        asked = (options.key or "").partition(".")[0]
        if asked in structs or (structs and not any(v.numeric and v.size > 1 for v in variables)):
            name = ascii((asked if asked in structs else structs[0])[:64])[1:-1]
            raise UserError(
                f"{path}: '{name}' is a struct; save what it holds as variables of their own, in MATLAB: "
                f"x = {name}.data; fs = {name}.srate; save('signal.mat', 'x', 'fs', '-v7')"
            )
        known = {*RATE_KEYS, *UNIT_KEYS, *CHANNEL_KEYS, *TIME_KEYS, *START_KEYS}
        signal = pick_signal(path, variables, options)
        if signal.name not in trusted:
            raise UserError(f"{path}: '{signal.name}' is no table of real numbers")
        names = [signal.name, *(v.name for v in variables if v.name.lower() in known and v.name in trusted)]
        companions = load_variables(path, names)
        array = companions.pop(signal.name)
        if array.dtype.kind not in "fiu":
            raise UserError(f"{path}: '{signal.name}' is no table of real numbers")

        def stamps(name: str, length: int) -> float | None:
            values = companions[name]
            fits = values.size == length and length >= 3 and values.dtype.kind in "fiu"
            return rate_of_stamps(path, name, values) if fits else None

        selected = describe(path, signal, companions, array.dtype.name, options, stamps)
        check_length(path, selected.n_samples, len(selected.channels), selected.fs_hz)
        self._table = array if selected.layout.time_first else array.T  # [T, C]
        layout = replace(selected.layout, compressed=True)
        self.info = FileInfo(
            path, "mat", selected.fs_hz, selected.channels, selected.n_samples, layout, selected.start_s
        )

    def _blocks(self, max_samples: int) -> Iterator[NDArray[np.float64]]:
        columns = [channel.column for channel in self.info.channels]
        for start in range(0, self._table.shape[0], max_samples):
            yield float64(self._table[start : start + max_samples, columns]).T
