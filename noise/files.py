"""Noise files: an alternative way to draw noise, for protocols that list what a mixture may hold.

The ECG-removal and TrustEMG protocols (spec B, C, D) have a folder of noise files, each of one kind or a compound of
several kinds at equal energy. For each segment and SNR, some different files are drawn, and each is cropped at random.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError, did_you_mean
from cleansemg.noise.kinds import columns_of, known_kinds
from cleansemg.noise.mixing import Recipe, counts_and_room, uniform_numbers
from cleansemg.noise.pool import NoiseLibrary


class NoiseFiles:
    """A list of noise files over the pieces of a library.

    A file of one kind stands for one piece of the library; with more files than pieces, pieces repeat. The pieces of
    a compound are drawn for each mixture.

    Attributes:
        kinds: [files, K] bool, the kinds in each file; columns as those of the library.
        piece: [files] int, index in the kind's pieces for a file of one kind; -1 for a compound.
    """

    def __init__(self, counts: Mapping[str, int], library: NoiseLibrary, where: str) -> None:
        """List the files.

        Args:
            counts: kinds joined by "+" -> number of files; 0 for a single kind: one file for each of its pieces.
            library: the pieces.
            where: the setting, for errors.

        Raises:
            UserError: a kind is unknown, is not in the library or is named twice; a compound has no number; or no file
                is listed.
        """
        kinds: list[NDArray[np.bool_]] = []
        piece: list[int] = []
        for text, count in counts.items():
            columns = [_column(name, text, library, where) for name in text.split("+")]
            mask = np.zeros(len(library.columns), np.bool_)
            mask[columns] = True
            if mask.sum() != len(columns):
                raise UserError(f"{where}: '{text}' names a kind twice")
            if len(columns) > 1:
                if count == 0:
                    raise UserError(f"{where}: '{text}' needs a number of files")
                kinds += [mask] * count
                piece += [-1] * count
                continue
            n_pieces = len(library.piece_names(text))
            kinds += [mask] * (count or n_pieces)
            piece += [number % n_pieces for number in range(count or n_pieces)]
        if not kinds:
            raise UserError(f"{where}: lists no noise file")
        self.kinds: NDArray[np.bool_] = np.array(kinds)
        self.piece: NDArray[np.int64] = np.array(piece, np.int64)
        self._library = library

    def __len__(self) -> int:
        return len(self.kinds)

    def require(self, draws: int, where: str) -> None:
        """Check that `draws` different files can be drawn.

        Raises:
            UserError: there are fewer files.
        """
        if draws > len(self):
            raise UserError(f"{where}: {draws} draws, but {self._library.folder} gives {len(self)} noise files")

    def choose(self, rng: np.random.Generator, draws: int) -> NDArray[np.int64]:
        """[draws] indexes of different files; the first ones are the same for any number of draws."""
        return rng.permutation(len(self))[:draws]

    def recipes(self, generators: Sequence[np.random.Generator], selected: NDArray[np.int64], length: int) -> Recipe:
        """Draw the pieces of compounds, and where each excerpt begins.

        Args:
            generators: [n] one per mixture; each yields 10 numbers, see `cleansemg.noise.mixing.uniform_numbers`.
            selected: [n] index of each mixture's file.
            length: number of samples of a mixture.

        Returns:
            The recipes of n mixtures.

        Raises:
            UserError: a piece is shorter than a mixture.
        """
        counts, room = counts_and_room(self._library, length)
        uniform = uniform_numbers(generators, self._library.columns, 2)  # [n, 2, K]
        kinds, single = self.kinds[selected], self.piece[selected, None]
        drawn = (uniform[:, 0] * counts).astype(np.int64)
        piece = np.where(kinds, np.where(single >= 0, single, drawn), -1)
        space = np.take_along_axis(room, np.maximum(piece, 0).T, axis=1).T  # [n, K] offsets that fit
        offset = np.where(kinds, (uniform[:, 1] * space).astype(np.int64), -1)
        return Recipe(kinds, piece.astype(np.int32), offset)


def _column(name: str, text: str, library: NoiseLibrary, where: str) -> int:
    if name not in library.kinds:
        if name not in (known := columns_of([*known_kinds(), *library.kinds])):
            raise UserError(f"{where}: '{text}': no kind is called '{name}'{did_you_mean(name, known)}")
        raise UserError(f"{where}: '{text}': {library.folder} has no {name}; add noise.kinds.{name}")
    return library.columns.index(name)
