"""Reads what a competitor sends back: npz or MATLAB files, checked against the ids of the test set.

Nothing is unpickled. The first thing that is wrong is one line that names the file and the id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import npz
from cleansemg.core.console import progress
from cleansemg.core.errors import ItemError, UserError
from cleansemg.evaluation.submissions.opaque_ids import Key
from cleansemg.formats.mat_variables import list_variables, load_variables

NEEDED = ("ids", "denoised", "fs_hz")
LARGEST_V = 1e3  # beyond it, squares and sums lose the signal; surface EMG in volts stays below 1


@dataclass(frozen=True)
class SubmittedFile:
    """One file of a submission, checked.

    Attributes:
        path: of the file.
        positions: [n] which row of the key each of its rows is.
    """

    path: Path
    positions: NDArray[np.intp]

    def load(self) -> NDArray[Any]:
        """[n, L] the denoised signals, mapped where the file can be."""
        return np.asarray(_arrays(self.path)["denoised"])


def read_submission(folder: Path, key: Key, fs_hz: float, length: int) -> list[SubmittedFile]:
    """Check all files of a submission.

    Args:
        folder: with .npz or .mat files; or one such file.
        key: ids that must all be there, once.
        fs_hz: rate of the test set.
        length: samples of a signal.

    Raises:
        UserError: no file; an array is missing or of another shape, type or rate; an id is missing, unknown or there
            twice; a sample is not finite.
    """
    paths = (
        [folder] if folder.is_file() else sorted(p for p in folder.glob("*") if p.suffix.lower() in (".npz", ".mat"))
    )
    if not paths:
        what = "holds no .npz or .mat file" if folder.is_dir() else "no such folder"
        raise UserError(f"{folder}: {what}; the README.txt of the export says what to send")
    position = key.position
    where: dict[str, Path] = {}
    files = []
    for path in progress(paths, len(paths), "check", unit="file"):
        arrays = _arrays(path)
        ids = _checked_ids(path, arrays["ids"])
        _check_rate(path, arrays["fs_hz"], fs_hz)
        _check_ids(path, ids, position, where)
        _check_signals(path, arrays["denoised"], ids, length)
        files.append(SubmittedFile(path, np.array([position[text] for text in ids], np.intp)))
    missing = [text for text in key.ids.tolist() if text not in where]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UserError(f"{folder}: no file has id '{missing[0]}'{more}; every signal of the export must come back")
    return files


def _arrays(path: Path) -> Mapping[str, NDArray[Any]]:
    if path.suffix.lower() == ".npz":
        arrays = npz.map_arrays(path)
        _check_names(path, list(arrays))
        return arrays
    try:
        variables = {one.name: one for one in list_variables(path)}
        _check_names(path, list(variables))
        for name in NEEDED:
            if not variables[name].trusted:
                raise UserError(f"{path}: '{name}' is {_mat_kind(name)}")
        return load_variables(path, NEEDED)
    except ItemError as error:
        raise UserError(f"{path}: {error}") from None


def _mat_kind(name: str) -> str:
    if name == "ids":
        return "no character matrix; save char(ids)"
    return "no matrix of real numbers"


def _check_names(path: Path, names: Sequence[str]) -> None:
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise UserError(f"{path}: has no array '{missing[0]}' (has: {', '.join(sorted(names)) or 'none'})")


def _checked_ids(path: Path, array: NDArray[Any]) -> list[str]:
    """Texts of a NumPy array of them, of a character matrix, or of a cell of them."""
    values = np.asarray(array).reshape(-1)
    if values.dtype.kind == "O":  # a cell: arrays of one text each
        values = np.array([one.reshape(-1)[0] if np.size(one) == 1 else one for one in map(np.asarray, values)])
    if values.dtype.kind == "S":
        values = np.char.decode(values, "latin-1")
    if values.dtype.kind != "U":
        raise UserError(f"{path}: ids are {values.dtype}, expected the texts of the export (MATLAB: save char(ids))")
    return [text.strip() for text in values.tolist()]


def _check_rate(path: Path, array: NDArray[Any], fs_hz: float) -> None:
    if np.size(array) != 1 or np.asarray(array).dtype.kind not in "fiu":
        raise UserError(f"{path}: fs_hz is no number; expected {fs_hz:g}")
    if float(np.asarray(array).reshape(-1)[0]) != fs_hz:
        got = float(np.asarray(array).reshape(-1)[0])
        raise UserError(f"{path}: fs_hz is {got:g}, the test set has {fs_hz:g} Hz; bring signals back to its rate")


def _check_ids(path: Path, ids: Sequence[str], position: Mapping[str, int], where: dict[str, Path]) -> None:
    unknown = [text for text in ids if text not in position]
    if unknown:
        which = "no id of it belongs" if len(unknown) == len(ids) else f"id '{unknown[0][:40]}' does not belong"
        raise UserError(f"{path}: {which} to this test set; take the ids as the export has them")
    for text in ids:
        if text in where:
            other = "twice" if where[text] == path else f"there, and in {where[text]}"
            raise UserError(f"{path}: id '{text}' is {other}; send every signal once")
        where[text] = path


def _check_signals(path: Path, array: NDArray[Any], ids: Sequence[str], length: int) -> None:
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind != "f" or size < 4:
        raise UserError(f"{path}: denoised is {array.dtype}, expected single or double precision numbers in volts")
    if array.ndim != 2 or array.shape[0] != len(ids):
        turned = "; it looks transposed" if array.shape == (length, len(ids)) else ""
        shape, wanted = list(array.shape), [len(ids), length]
        raise UserError(f"{path}: denoised has shape {shape} for {len(ids)} ids, expected {wanted}{turned}")
    if array.shape[1] != length:
        raise UserError(f"{path}: id '{ids[0]}': {array.shape[1]} samples, expected {length}")
    for start in range(0, len(ids), 256):
        finite = np.isfinite(array[start : start + 256])
        if not finite.all():
            row, sample = np.argwhere(np.logical_not(finite))[0].tolist()
            raise UserError(f"{path}: id '{ids[start + row]}': sample {sample + 1} is NaN or infinite")
    with np.errstate(over="ignore"):
        largest = float(np.max(np.abs(array))) if len(ids) else 0.0
    if largest > LARGEST_V:
        row = int(np.argmax(np.abs(array).max(axis=1)))
        raise UserError(f"{path}: id '{ids[row]}': {largest:.3g} V; signals are in volts, not rescaled")
