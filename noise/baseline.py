"""A model of baseline noise, the noise of amplifiers and skin while a muscle rests (docs/noise.md).

On unused inputs of a 28-channel amplifier it was measured as 5.3 microvolt RMS, band-limited, with power falling as
f^-0.34; recordings of people at rest fall as f^-0.9 to f^-2.2. So it is neither white nor pink. A piece is Gaussian
noise with power f^slope between the two corner frequencies of the amplifier, each with a Butterworth magnitude of
order 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.seeding import generator
from cleansemg.noise.base import NoiseSource, Piece, Request

AMPLIFIER_SLOPE = -0.34
REST_SLOPES = (-2.2, -0.9)
AMPLIFIER_RMS_V = 5.3e-6
ORDER = 2  # of each corner


class Baseline(NoiseSource):
    """Band-limited noise of a power law, 5.3 microvolt RMS.

    Slope and corner frequencies are drawn uniformly for each piece. The default slopes are the measured range; the
    default corner frequencies are those of common surface EMG amplifiers.

    Args:
        slope: range of the exponent of the power spectral density, from people at rest to the amplifier alone.
        high_pass_hz: range of the lower corner frequency.
        low_pass_hz: range of the upper corner frequency.
        rms_v: RMS of every piece in volts; mixing scales the noise, so it matters only where pieces are used directly.
        prefix: prefix of the pieces' names, which also key their draws; two such sources need two prefixes.

    Raises:
        ValueError: a range is not low, high; the corner frequencies overlap; or `rms_v` is not positive.
    """

    kind = "baseline"

    def __init__(
        self,
        slope: Sequence[float] = (REST_SLOPES[0], AMPLIFIER_SLOPE),
        high_pass_hz: Sequence[float] = (5.0, 20.0),
        low_pass_hz: Sequence[float] = (400.0, 500.0),
        rms_v: float = AMPLIFIER_RMS_V,
        prefix: str = "baseline",
    ) -> None:
        for name, pair in (("slope", slope), ("high_pass_hz", high_pass_hz), ("low_pass_hz", low_pass_hz)):
            if len(pair) != 2 or not pair[0] <= pair[1]:
                raise ValueError(f"{name} is {list(pair)}, expected low, high")
        if not high_pass_hz[0] > 0 or not high_pass_hz[1] < low_pass_hz[0]:
            raise ValueError(
                f"high_pass_hz {list(high_pass_hz)} must lie between 0 and low_pass_hz {list(low_pass_hz)}"
            )
        if not rms_v > 0:
            raise ValueError(f"rms_v is {rms_v}, expected a positive number")
        self.slope, self.high_pass_hz, self.low_pass_hz = tuple(slope), tuple(high_pass_hz), tuple(low_pass_hz)
        self.rms_v = rms_v
        self.prefix = prefix

    def pieces(self, request: Request) -> Iterator[Piece]:
        for index in range(request.n_pieces):
            name = f"{self.prefix}_{index:03d}"
            rng = generator(request.seed, "noise", self.kind, request.part, name)
            slope, high_pass_hz, low_pass_hz = (
                float(rng.uniform(pair[0], pair[1])) for pair in (self.slope, self.high_pass_hz, self.low_pass_hz)
            )
            samples = band_limited_noise(rng, request.piece_samples, request.fs_hz, slope, high_pass_hz, low_pass_hz)
            yield Piece(self.rms_v * samples, name, f"{request.part}/{name}", subtype=f"slope {slope:.2f}")


def band_limited_noise(
    rng: np.random.Generator, n: int, fs_hz: float, slope: float, high_pass_hz: float, low_pass_hz: float
) -> NDArray[np.float64]:
    """[n] samples with zero mean and unit RMS: power f^slope times the two Butterworth responses of order 2."""
    f_hz = np.fft.rfftfreq(n, 1 / fs_hz)[1:]
    power = f_hz**slope / (1 + (high_pass_hz / f_hz) ** (2 * ORDER)) / (1 + (f_hz / low_pass_hz) ** (2 * ORDER))
    spectrum = np.zeros(len(f_hz) + 1, np.complex128)  # nothing at 0 Hz
    spectrum[1:] = np.sqrt(power) * (rng.standard_normal(len(f_hz)) + 1j * rng.standard_normal(len(f_hz)))
    samples = np.fft.irfft(spectrum, n)
    scaled: NDArray[np.float64] = samples / np.sqrt(np.mean(samples**2))
    return scaled
