"""Tables in the form that artifacts hold: one array per column, built from rows and written as CSV."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.npz import atomic_write

Columns = dict[str, NDArray[Any]]

DTYPES: dict[str, Any] = {"str": np.str_, "int": np.int64, "float": np.float64, "bool": np.bool_}


def from_rows(rows: Sequence[Any], row_type: type) -> Columns:
    """One array [rows] per field of a dataclass whose fields are str, int, float or bool.

    An empty table has the same kinds of dtype.
    """
    fields = dataclasses.fields(row_type)
    return {f.name: np.array([getattr(row, f.name) for row in rows], dtype=DTYPES[str(f.type)]) for f in fields}


def write_csv(path: Path, columns: Mapping[str, NDArray[Any]]) -> None:
    """Write columns of equal length atomically; equal columns give equal bytes.

    Floats have six significant digits, NaN is an empty field, infinity is `inf`, booleans are `yes` or `no`.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(_texts(column) for column in columns.values()), strict=True))
    atomic_write(path, text.getvalue().encode())


def _texts(column: NDArray[Any]) -> list[str]:
    values = column.tolist()
    if column.dtype.kind == "f":
        return ["" if math.isnan(value) else f"{value:.6g}" for value in values]
    if column.dtype.kind == "b":
        return ["yes" if value else "no" for value in values]
    return [str(value) for value in values]
