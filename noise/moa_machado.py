"""Motion artefacts of Machado and co-workers: MATLAB files, one artefact recording each (protocol A5).

Each file holds a vector `a` at 2000 Hz. It passes a line notch and a 51-point moving average, and every second sample
is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import dsp, npz
from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.seeding import generator
from cleansemg.core.settings import Part
from cleansemg.formats.mat_variables import list_variables, load_variables
from cleansemg.noise.base import NoiseSource, Piece, Request

FILE_HZ = 2000.0
KEY = "a"
AVERAGED_SAMPLES = 51
SHORTEST_S = 2.0  # one window of the benchmark
VALID_SHARE = 0.2


class MotionMachado(NoiseSource):
    """Yields one piece per file: cropped at a random offset if the file is longer than a piece, repeated if shorter.

    A fifth of the training files, at least one, is used for validation. The record of a piece is the hash of the
    file's contents, so that one recording under two names cannot be in two parts unnoticed.

    Args:
        train_folder: name of the training folder, below the source's folder.
        test_folder: name of the test folder, below the source's folder.
        notch_hz: line frequency to remove; None: no notch.
        notch_q: quality factor of the notch.
    """

    kind = "MOA"
    needs_folder = True

    def __init__(
        self,
        train_folder: str = "moa_train",
        test_folder: str = "moa_test",
        notch_hz: float | None = 50.0,
        notch_q: float = 30.0,
    ) -> None:
        self.train_folder = train_folder
        self.test_folder = test_folder
        self.notch_hz = notch_hz
        self.notch_q = notch_q

    def pieces(self, request: Request) -> Iterator[Piece]:
        """Pieces of the part's files, at most `request.n_pieces`; the iterator continues after an ItemError.

        Raises:
            UserError: a folder is absent or has too few files.
        """
        files = self._files(request.folder, request.part, request.seed)[: request.n_pieces]
        return map(partial(self._piece, request=request), files)

    def inputs(self, folder: Path | None) -> dict[str, str]:
        names = (self.train_folder, self.test_folder)
        return {f"{name}/{path.name}": npz.sha256(path) for name in names for path in _mat_files(folder, name)}

    def _files(self, folder: Path | None, part: Part, seed: int) -> list[Path]:
        if part == "test":
            return _mat_files(folder, self.test_folder)
        files = _mat_files(folder, self.train_folder)
        if len(files) < 2:
            raise UserError(f"{folder}/{self.train_folder}: holds one file; train and valid need one each")
        n_valid = max(1, round(VALID_SHARE * len(files)))
        names = [path.name for path in files]
        valid = set(generator(seed, "noise", "deal", *names).permutation(len(files))[:n_valid])
        return [path for index, path in enumerate(files) if (index in valid) == (part == "valid")]

    def _piece(self, path: Path, request: Request) -> Piece:
        x = _read(path)
        if self.notch_hz is not None:
            x = dsp.notch(x, self.notch_hz, self.notch_q, FILE_HZ)
        x = np.convolve(x, np.full(AVERAGED_SAMPLES, 1 / AVERAGED_SAMPLES), mode="valid")[::2]
        x = dsp.resample(x, FILE_HZ / 2, request.fs_hz)
        n = request.piece_samples
        if len(x) < n:
            x = np.tile(x, -(-n // len(x)))
            start = 0
        else:
            start = int(generator(request.seed, "noise", "position", request.part, path.name).integers(len(x) - n + 1))
        return Piece(x[start : start + n], path.stem, f"machado-{npz.sha256(path)[:16]}")


def _mat_files(folder: Path | None, name: str) -> list[Path]:
    where = Path(folder or ".") / name
    if not where.is_dir():
        raise UserError(f"{where}: no such folder")
    files = sorted(where.glob("*.mat"))
    if not files:
        raise UserError(f"{where}: holds no .mat file")
    return files


def _read(path: Path) -> NDArray[np.float64]:
    try:
        trusted = any(variable.name == KEY and variable.trusted for variable in list_variables(path))
        if not trusted:
            raise ItemError(f"holds no variable '{KEY}' of real numbers")
        array = load_variables(path, [KEY])[KEY]
    except ItemError as error:
        raise ItemError(f"{path}: {error}") from error
    if not np.issubdtype(array.dtype, np.number) or array.size != max(array.shape, default=0):
        raise ItemError(f"{path}: variable '{KEY}' is not a vector of numbers, its shape is {array.shape}")
    x: NDArray[np.float64] = array.astype(np.float64).reshape(-1)
    if len(x) < SHORTEST_S * FILE_HZ:
        raise ItemError(f"{path}: {len(x) / FILE_HZ:.2f} s long, needed are {SHORTEST_S:g} s")
    if not np.isfinite(x).all():
        raise ItemError(f"{path}: holds {np.count_nonzero(~np.isfinite(x))} values that are not finite")
    return x
