"""Kinds of noise, and the order of their columns.

The sources define the kinds (`NoiseSource.kind`); there is no fixed list. Arrays with one column per kind have the five
kinds of the benchmark first, whether or not a library has them, then the other kinds of the library by name. The five
share one draw of numbers; every other kind draws from a separate stream (`cleansemg.noise.mixing`). So adding another
kind changes nothing that is drawn for the five.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import registry

BENCHMARK_KINDS = ("PLI", "ECG", "MOA", "WGN", "Color")
NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*")  # names appear in file names, between "+" and in headings of tables


def columns_of(kinds: Iterable[str]) -> tuple[str, ...]:
    """The column names of arrays that hold these kinds.

    >>> columns_of(["WGN", "baseline"])
    ('PLI', 'ECG', 'MOA', 'WGN', 'Color', 'baseline')
    """
    return (*BENCHMARK_KINDS, *sorted(set(kinds) - set(BENCHMARK_KINDS)))


def known_kinds() -> tuple[str, ...]:
    """The kinds of the project's sources, in the order of columns."""
    return columns_of(str(entry.extra["kind"]) for entry in registry.entries("noises").values())


def named_columns(columns: Sequence[str], n: int) -> dict[str, NDArray[np.str_]]:
    """The column names as an array to store with n rows: `kind_names` [n, K]; {} for the benchmark's five."""
    return {} if tuple(columns) == BENCHMARK_KINDS else {"kind_names": np.tile(np.array(columns), (n, 1))}


def names_in(table: Mapping[str, NDArray[np.generic]]) -> tuple[str, ...]:
    """The column names of `kinds` in a table with one row per mixture, as `named_columns` stored them."""
    names = table.get("kind_names")
    return BENCHMARK_KINDS if names is None or not len(names) else tuple(map(str, names[0]))


def aligned(values: NDArray[np.bool_], names: Sequence[str], wanted: Collection[str]) -> NDArray[np.bool_]:
    """[n, names] -> [n, wanted]: columns by name; False for a kind that is not among `names`.

    >>> aligned(np.array([[True, False]]), ["WGN", "baseline"], ["ECG", "WGN"]).tolist()
    [[False, True]]
    """
    columns = [values[:, list(names).index(name)] if name in names else np.zeros(len(values), np.bool_)
               for name in wanted]  # fmt: skip
    return np.stack(columns, axis=1).astype(np.bool_)
