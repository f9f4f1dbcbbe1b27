"""Variables of MATLAB files of version 5 and older: listed, and loaded where their tags can be trusted."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.archive_limits import refuse_bomb
from cleansemg.core.errors import DamagedFileError, ItemError, one_line
from cleansemg.formats.mat_tags import untrusted_variables

NUMERIC = frozenset({"double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"})


@dataclass(frozen=True)
class MatVariable:
    """A variable as its header describes it.

    Attributes:
        kind: MATLAB's class ("double", "struct").
        trusted: its tags were followed to the end, so that it may be loaded.
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    trusted: bool


def list_variables(path: Path) -> list[MatVariable]:
    """The variables of a file, without loading them.

    Raises:
        ItemError: missing, of version 7.3, damaged, or announcing far more numbers than fit into its size.
    """
    import scipy.io

    if not path.is_file():
        raise ItemError("no such file")
    with open(path, "rb") as file:
        if file.read(128).startswith((b"MATLAB 7.3", b"\x89HDF")):
            raise ItemError("is a MATLAB 7.3 file (HDF5); load it in MATLAB and save it with -v7")
    untrusted = _call(untrusted_variables, path)
    variables = [
        MatVariable(name, tuple(int(n) for n in shape), kind, name not in untrusted)
        for name, shape, kind in _call(scipy.io.whosmat, path, appendmat=False)
    ]
    _call(refuse_bomb, path.stat().st_size, sum(8 * math.prod(variable.shape) for variable in variables))
    return variables


def load_variables(path: Path, names: Collection[str]) -> dict[str, NDArray[Any]]:
    """Some variables of a file, all of them trusted; the others would take most of the time and memory.

    Raises:
        ItemError: damaged, or one of them is not there.
    """
    import scipy.io

    variables = _call(scipy.io.loadmat, path, variable_names=list(names), appendmat=False)
    for name in names:
        if name not in variables:
            raise DamagedFileError(f"truncated: '{name}' is announced but not there")
    return {name: np.asarray(variables[name]) for name in names}


def _call(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call scipy, whose errors on bad files are of many kinds."""
    try:
        return function(*arguments, **options)
    except NotImplementedError as error:
        raise ItemError(f"{one_line(error)}; load it in MATLAB and save it with -v7") from None
    except Exception as error:  # damaged bytes make scipy raise anything, even UnboundLocalError; it means one thing
        raise DamagedFileError(f"truncated, or not a MATLAB file ({one_line(error)[:120]})") from error
