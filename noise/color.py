"""Coloured noise: power falling as 1/f^alpha, pink (alpha 1) or brown (alpha 2) (protocol A5).

Synthesised in the frequency domain, after Timmer and Koenig 1995, Astron. Astrophys. 300:707: complex
Gaussian coefficients divided by f^(alpha/2), then an inverse real FFT.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.seeding import generator
from cleansemg.noise.base import NoiseSource, Piece, Request

ALPHA = {"pink": 1.0, "brown": 2.0}


class Coloured(NoiseSource):
    """Pink or brown noise of unit standard deviation and zero mean.

    Args:
        colours: names from `ALPHA`; one is drawn for each piece.
        prefix: prefix of the pieces' names, which also key their draws; two such sources need two prefixes.

    Raises:
        ValueError: `colours` is empty or has an unknown name.
    """

    kind = "Color"

    def __init__(self, colours: Sequence[str] = ("pink", "brown"), prefix: str = "Color") -> None:
        unknown = [colour for colour in colours if colour not in ALPHA]
        if unknown or not colours:
            raise ValueError(f"colours: {list(colours)}, expected some of {list(ALPHA)}")
        self.colours = tuple(colours)
        self.prefix = prefix

    def pieces(self, request: Request) -> Iterator[Piece]:
        for index in range(request.n_pieces):
            draw = f"{self.prefix}_{index:03d}"
            rng = generator(request.seed, "noise", self.kind, request.part, draw)
            colour = self.colours[rng.integers(len(self.colours))]
            samples = power_law_noise(rng, request.piece_samples, ALPHA[colour])
            yield Piece(samples, f"{draw}_{colour}", f"{request.part}/{draw}", subtype=colour)


def power_law_noise(rng: np.random.Generator, n: int, alpha: float) -> NDArray[np.float64]:
    """[n] samples with a power spectral density proportional to 1/f^alpha, zero mean and unit standard deviation."""
    n_bins = n // 2 + 1
    spectrum = rng.standard_normal(n_bins) + 1j * rng.standard_normal(n_bins)
    spectrum[0] = 0.0  # 1/f has no value at 0 Hz: the mean is zero
    spectrum[1:] /= np.arange(1, n_bins, dtype=np.float64) ** (alpha / 2)
    samples = np.fft.irfft(spectrum, n)
    scaled: NDArray[np.float64] = samples / samples.std()
    return scaled
