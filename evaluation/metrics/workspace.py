"""Memory that successive batches reuse.

Freed arrays of a megabyte return to the operating system, which clears them page by page before the next
batch gets them. Without a workspace, that costs more time than the arithmetic of the published spectra.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


class Workspace:
    """Named arrays, valid until the same name is requested again; a workspace is for one thread only.

    >>> workspace = Workspace()
    >>> first = workspace.real("power", (2, 3))
    >>> second = workspace.real("power", (1, 3))
    >>> second.shape, np.shares_memory(first, second)
    ((1, 3), True)
    """

    def __init__(self) -> None:
        self._memory: dict[str, NDArray[np.float64]] = {}

    def real(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """A C-contiguous float64 array with arbitrary content."""
        size = math.prod(shape)
        held = self._memory.get(name)
        if held is None or held.size < size:
            held = self._memory[name] = np.empty(size)
        return held[:size].reshape(shape)

    def complex(self, name: str, shape: tuple[int, ...]) -> NDArray[np.complex128]:
        """A C-contiguous complex128 array with arbitrary content."""
        return self.real(name, (*shape[:-1], 2 * shape[-1])).view(np.complex128)
