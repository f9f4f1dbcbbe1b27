"""White Gaussian noise, N(0, 1) (protocol A5): amplifier and electrode thermal noise."""

from __future__ import annotations

from collections.abc import Iterator

from cleansemg.core.seeding import generator
from cleansemg.noise.base import NoiseSource, Piece, Request


class WhiteGaussian(NoiseSource):
    """Independent normal samples.

    Args:
        prefix: prefix of the pieces' names, which also key their draws; two such sources need two prefixes.
    """

    kind = "WGN"

    def __init__(self, prefix: str = "WGN") -> None:
        self.prefix = prefix

    def pieces(self, request: Request) -> Iterator[Piece]:
        for index in range(request.n_pieces):
            name = f"{self.prefix}_{index:03d}"
            rng = generator(request.seed, "noise", self.kind, request.part, name)
            yield Piece(rng.standard_normal(request.piece_samples), name, f"{request.part}/{name}")
