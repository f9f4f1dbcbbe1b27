"""Kinds of noise: which there are, and the order of their columns.

A kind is what a source makes (`NoiseSource.kind`); there is no list of them. Arrays with a column a kind hold the five
of the benchmark first, whether or not a library has them, then the other kinds of the library by name. The five share
one draw of numbers; every other kind draws from a stream of its own (`cleansemg.noise.mixing`). So a kind that a
configuration does not use changes no byte of what is drawn without it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import registry

BENCHMARK_KINDS = ("PLI", "ECG", "MOA", "WGN", "Color")
NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*")  # it stands in file names, between "+" and in headings of tables


def columns_of(kinds: Iterable[str]) -> tuple[str, ...]:
    """The names of the columns of arrays that hold these kinds.

    >>> columns_of(["WGN", "baseline"])
    ('PLI', 'ECG', 'MOA', 'WGN', 'Color', 'baseline')
    """
    return (*BENCHMARK_KINDS, *sorted(set(kinds) - set(BENCHMARK_KINDS)))


def known_kinds() -> tuple[str, ...]:
    """The kinds that some source of the project makes, in the order of columns."""
    return columns_of(str(entry.extra["kind"]) for entry in registry.entries("noises").values())


def named_columns(columns: Sequence[str], n: int) -> dict[str, NDArray[np.str_]]:
    """The names of columns, as an array to store beside n rows: `kind_names` [n, K]; none for the benchmark's five."""
    return {} if tuple(columns) == BENCHMARK_KINDS else {"kind_names": np.tile(np.array(columns), (n, 1))}


def names_in(table: Mapping[str, NDArray[np.generic]]) -> tuple[str, ...]:
    """The names of the columns of `kinds` in a table with one row a mixture, as `named_columns` stored them."""
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
