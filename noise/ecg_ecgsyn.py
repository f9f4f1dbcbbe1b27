"""Synthetic ECG by ECGSYN, for use without ECG recordings.

McSharry, Clifford, Tarassenko and Smith 2003, IEEE Trans. Biomed. Eng. 50:289: a limit cycle in the
plane drives five Gaussian events (P, Q, R, S, T). The implementation is neurokit2's.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import dsp
from cleansemg.core.errors import UserError
from cleansemg.core.seeding import generator
from cleansemg.noise.base import NoiseSource, Piece, Request

SIMULATED_HZ = 1000
SETTLING_S = 8.0  # the model starts outside its limit cycle and approaches it with a time constant of 1 s
SPARE_S = 3.0  # the model rounds the duration to whole beats
# Angle (degrees), height and width (rad) of P, Q, R, S, T from the paper's table 1, except for the QRS. With the
# paper's width of 0.1 rad, 0.003 to 0.012 of the power is above 20 Hz; in ten MIT-BIH records it is 0.015 to 0.18. The
# amplitude of a wave is height times width squared; the QRS here is narrower and 1.5 times as tall.
QRS_WIDTH = 0.05
QRS_HEIGHT = 1.5 * (0.1 / QRS_WIDTH) ** 2
ANGLES = np.array([-70.0, -15.0, 0.0, 15.0, 100.0])
HEIGHTS = np.array([1.2, -5.0, 30.0, -7.5, 0.75]) * np.array([1.0, QRS_HEIGHT, QRS_HEIGHT, QRS_HEIGHT, 1.0])
WIDTHS = np.array([0.25, QRS_WIDTH, QRS_WIDTH, QRS_WIDTH, 0.4])


class EcgSyn(NoiseSource):
    """Simulates another person for each piece: mean heart rate, its variation and the shape of the waves are drawn.

    A piece's subtype is its mean heart rate ("72.4bpm").

    Args:
        heart_rate_bpm: lowest and highest mean heart rate, drawn uniformly.
        heart_rate_std_bpm: lowest and highest standard deviation of the heart rate, drawn uniformly.
        shape_spread: standard deviation of the logarithm of each wave's height; half of it for widths.
        prefix: prefix of the pieces' names, which also key their draws; two such sources need two prefixes.
    """

    kind = "ECG"

    def __init__(
        self,
        heart_rate_bpm: tuple[float, float] = (55.0, 110.0),
        heart_rate_std_bpm: tuple[float, float] = (1.0, 4.0),
        shape_spread: float = 0.15,
        prefix: str = "ECGSYN",
    ) -> None:
        self.low_bpm, self.high_bpm = heart_rate_bpm
        self.low_std_bpm, self.high_std_bpm = heart_rate_std_bpm
        self.shape_spread = shape_spread
        self.prefix = prefix

    def pieces(self, request: Request) -> Iterator[Piece]:
        for index in range(request.n_pieces):
            yield self._piece(request, f"{self.prefix}_{index:03d}")

    def _piece(self, request: Request, name: str) -> Piece:
        rng = generator(request.seed, "noise", self.kind, request.part, name)
        bpm = float(rng.uniform(self.low_bpm, self.high_bpm))
        x = _simulate(
            request.piece_s + SETTLING_S + SPARE_S,
            bpm,
            float(rng.uniform(self.low_std_bpm, self.high_std_bpm)),
            int(rng.integers(2**31)),
            HEIGHTS * np.exp(self.shape_spread * rng.standard_normal(5)),
            WIDTHS * np.exp(self.shape_spread / 2 * rng.standard_normal(5)),
        )
        x = dsp.resample(x[round(SETTLING_S * SIMULATED_HZ) :], SIMULATED_HZ, request.fs_hz)
        samples = x[: request.piece_samples]
        return Piece(samples - samples.mean(), name, f"{request.part}/{name}", subtype=f"{bpm:.1f}bpm")


def _simulate(
    duration_s: float,
    bpm: float,
    bpm_std: float,
    seed: int,
    heights: NDArray[np.float64],
    widths: NDArray[np.float64],
) -> NDArray[np.float64]:
    try:
        import neurokit2
    except ImportError as error:
        raise UserError(
            "noise source 'ecg_ecgsyn' needs neurokit2: pip install 'cleansemg[simulation]', "
            "or choose recordings with source: ecg_wfdb"
        ) from error
    ecg = neurokit2.ecg_simulate(
        duration=duration_s,
        sampling_rate=SIMULATED_HZ,
        noise=0,
        heart_rate=bpm,
        heart_rate_std=bpm_std,
        method="ecgsyn",
        random_state=seed,
        ti=ANGLES,
        ai=heights,
        bi=widths,
    )
    return np.asarray(ecg, np.float64)
