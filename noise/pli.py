"""Power-line interference: a sinusoid near 50 or 60 Hz with harmonics (protocol A5).

A piece is the sum over k = 1..5 of (1/k) sin(2 pi k f0 t + phi_k), scaled to unit standard deviation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from cleansemg.core.seeding import generator
from cleansemg.core.settings import PARTS, Part
from cleansemg.noise.base import NoiseSource, Piece, Request


class PowerLine(NoiseSource):
    """Stationary interference; f0 is one of `lines_hz` plus a uniform deviation, and phases are random.

    Args:
        lines_hz: nominal frequencies; one is drawn for each piece.
        deviation_hz: largest deviation of f0 from the nominal frequency.
        harmonics: number of harmonics, the fundamental included; those at or above half the rate are left out.
        prefix: prefix of the pieces' names, which also key their draws; two such sources need two prefixes.
        exact_hz: by part, the frequency of each piece in turn, without deviation, as a published protocol lists them;
            None: frequencies are drawn. A frequency that two parts list is a shared record.

    Raises:
        ValueError: there is no frequency, `harmonics` is below 1, or `exact_hz` lists none for a part.
    """

    kind = "PLI"

    def __init__(
        self,
        lines_hz: Sequence[float] = (50.0, 60.0),
        deviation_hz: float = 0.3,
        harmonics: int = 5,
        prefix: str = "PLI",
        exact_hz: Mapping[Part, Sequence[float]] | None = None,
    ) -> None:
        if exact_hz is not None and (missing := [part for part in PARTS if not exact_hz.get(part)]):
            raise ValueError(f"exact_hz lists no frequency for {', '.join(missing)}")
        self.exact_hz = exact_hz
        if not lines_hz or harmonics < 1:
            raise ValueError("lines_hz needs at least one frequency and harmonics at least 1")
        self.lines_hz = tuple(float(line) for line in lines_hz)
        self.deviation_hz = deviation_hz
        self.harmonics = harmonics
        self.prefix = prefix

    def pieces(self, request: Request) -> Iterator[Piece]:
        exact = None if self.exact_hz is None else self.exact_hz[request.part]
        for index in range(request.n_pieces if exact is None else min(request.n_pieces, len(exact))):
            yield self._piece(request, f"{self.prefix}_{index:03d}", None if exact is None else float(exact[index]))

    def _piece(self, request: Request, name: str, exact_hz: float | None) -> Piece:
        rng = generator(request.seed, "noise", self.kind, request.part, name)
        f0_hz = self.lines_hz[rng.integers(len(self.lines_hz))] + rng.uniform(-self.deviation_hz, self.deviation_hz)
        if exact_hz is not None:
            f0_hz = exact_hz
        phases = rng.uniform(0.0, 2 * np.pi, self.harmonics)
        t_s = np.arange(request.piece_samples) / request.fs_hz
        samples = np.zeros_like(t_s)
        for k, phase in enumerate(phases, start=1):
            if k * f0_hz < request.fs_hz / 2:
                samples += np.sin(2 * np.pi * k * f0_hz * t_s + phase) / k
        record = f"{request.part}/{name}" if exact_hz is None else f"sine of {exact_hz:g} Hz"
        return Piece(samples / samples.std(), name, record, line_hz=float(f0_hz))
