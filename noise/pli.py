"""Power-line interference: a line frequency near 50 or 60 Hz with harmonics (protocol A5).

A piece is sum over k = 1..5 of (1/k) sin(2 pi k f0 t + phi_k), brought to unit standard deviation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from core.seeding import generator
from noise.base import NoiseSource, Piece, Request


class PowerLine(NoiseSource):
    """A stationary hum; f0 is one of `lines_hz` plus a uniform deviation, phases are random.

    Args:
        lines_hz: nominal frequencies, one drawn for each piece.
        deviation_hz: the largest deviation of f0 from the nominal frequency.
        harmonics: how many, the fundamental included; those at or above half the rate are left out.
        prefix: how pieces are called, and with it their draws; two such sources need two prefixes.
    """

    kind = "PLI"

    def __init__(
        self,
        lines_hz: Sequence[float] = (50.0, 60.0),
        deviation_hz: float = 0.3,
        harmonics: int = 5,
        prefix: str = "PLI",
    ) -> None:
        if not lines_hz or harmonics < 1:
            raise ValueError("lines_hz needs at least one frequency and harmonics at least 1")
        self.lines_hz = tuple(float(line) for line in lines_hz)
        self.deviation_hz = deviation_hz
        self.harmonics = harmonics
        self.prefix = prefix

    def pieces(self, request: Request) -> Iterator[Piece]:
        for index in range(request.n_pieces):
            yield self._piece(request, f"{self.prefix}_{index:03d}")

    def _piece(self, request: Request, name: str) -> Piece:
        rng = generator(request.seed, "noise", self.kind, request.part, name)
        f0_hz = self.lines_hz[rng.integers(len(self.lines_hz))] + rng.uniform(-self.deviation_hz, self.deviation_hz)
        phases = rng.uniform(0.0, 2 * np.pi, self.harmonics)
        t_s = np.arange(request.piece_samples) / request.fs_hz
        samples = np.zeros_like(t_s)
        for k, phase in enumerate(phases, start=1):
            if k * f0_hz < request.fs_hz / 2:
                samples += np.sin(2 * np.pi * k * f0_hz * t_s + phase) / k
        return Piece(samples / samples.std(), name, f"{request.part}/{name}", line_hz=float(f0_hz))
