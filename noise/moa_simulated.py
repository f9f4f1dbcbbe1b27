"""Simulated motion artefact, for use without recordings.

Three mechanisms of electrode and cable motion are summed with unit weights; pops and sways are random events:

- drift: stretching skin and shifting electrolyte change the half-cell potential slowly; a random walk,
  pulled back by the amplifier's AC coupling (an Ornstein-Uhlenbeck process).
- pops: an electrode lifts and settles; a step that rises within milliseconds and recovers exponentially.
- sway: a limb's impact sets electrode and cable swinging; a damped oscillation at a movement frequency.

De Luca, Gilmore, Kuznetsov and Roy 2010, J. Biomech. 43:1573, find the power of movement artefact below
20 Hz, with a tail that falls into the band of the EMG; NSTDB's `em` is similar (Moody et al. 1984), and the
tests compare the two. Shapes, rates and ranges are this project's, not fitted to a recording. The ranges are
parameters, so that a test library can hold events whose parameters nothing else was drawn from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from cleansemg.core.seeding import generator
from cleansemg.noise.base import NoiseSource, Piece, Request

Float64 = NDArray[np.float64]
Range = tuple[float, float]

DRIFT_RETURN_S = 3.0  # time constant of an AC coupling at 0.05 Hz
POP_RISE_S = (0.008, 0.05)
POP_RECOVERY_S = (0.08, 0.8)
SWAY_HZ = (1.0, 8.0)
SWAY_DECAY_S = (0.15, 0.8)
SIZE_SPREAD = 0.6  # standard deviation of the logarithm of an event's size
DRIFT_SHARE = 0.7  # standard deviation of the drift, the size of an average event being 1
EVENT_LENGTH = 8  # in time constants


class MotionSimulated(NoiseSource):
    """Electrode and cable motion of unit standard deviation and zero mean.

    Args:
        pops_per_s: mean rate of electrode pops.
        sways_per_s: mean rate of swings.
        pop_rise_s, pop_recovery_s: ranges of the two time constants of a pop, drawn for each, log-uniformly.
        sway_hz, sway_decay_s: ranges of a swing's frequency and time constant, drawn likewise.
        prefix: how pieces are called, and with it their draws; two such sources need two prefixes.
    """

    kind = "MOA"

    def __init__(
        self,
        pops_per_s: float = 1.0,
        sways_per_s: float = 1.0,
        prefix: str = "MOA",
        pop_rise_s: Sequence[float] = POP_RISE_S,
        pop_recovery_s: Sequence[float] = POP_RECOVERY_S,
        sway_hz: Sequence[float] = SWAY_HZ,
        sway_decay_s: Sequence[float] = SWAY_DECAY_S,
    ) -> None:
        if pops_per_s < 0 or sways_per_s < 0:
            raise ValueError("pops_per_s and sways_per_s are rates, at least 0")
        self.pop_rise_s = _range("pop_rise_s", pop_rise_s)
        self.pop_recovery_s = _range("pop_recovery_s", pop_recovery_s)
        self.sway_hz = _range("sway_hz", sway_hz)
        self.sway_decay_s = _range("sway_decay_s", sway_decay_s)
        self.pops_per_s = pops_per_s
        self.sways_per_s = sways_per_s
        self.prefix = prefix

    def pieces(self, request: Request) -> Iterator[Piece]:
        for index in range(request.n_pieces):
            name = f"{self.prefix}_{index:03d}"
            rng = generator(request.seed, "noise", self.kind, request.part, name)
            yield Piece(self._simulate(rng, request.piece_samples, request.fs_hz), name, f"{request.part}/{name}")

    def _simulate(self, rng: np.random.Generator, n: int, fs_hz: float) -> Float64:
        x = _drift(rng, n, fs_hz)
        for _ in range(rng.poisson(self.pops_per_s * n / fs_hz)):
            _add(x, int(rng.integers(n)), _pop(rng, fs_hz, self.pop_rise_s, self.pop_recovery_s))
        for _ in range(rng.poisson(self.sways_per_s * n / fs_hz)):
            _add(x, int(rng.integers(n)), _sway(rng, fs_hz, self.sway_hz, self.sway_decay_s))
        x -= x.mean()
        scaled: Float64 = x / x.std()
        return scaled


def _drift(rng: np.random.Generator, n: int, fs_hz: float) -> Float64:
    """[n] samples of a stationary Ornstein-Uhlenbeck process."""
    keep = np.exp(-1 / (DRIFT_RETURN_S * fs_hz))
    steps = rng.standard_normal(n) * np.sqrt(1 - keep**2)
    steps[0] = rng.standard_normal()
    drift: Float64 = DRIFT_SHARE * lfilter([1.0], [1.0, -keep], steps)
    return drift


def _pop(rng: np.random.Generator, fs_hz: float, rise: Range, recovery: Range) -> Float64:
    """A step up or down within `rise`, then back to zero with time constant `recovery`."""
    rise_s, recovery_s = _log_uniform(rng, rise), _log_uniform(rng, recovery)
    t_s = np.arange(round(EVENT_LENGTH * recovery_s * fs_hz)) / fs_hz
    shape: Float64 = (1 - np.exp(-((t_s / rise_s) ** 2))) * np.exp(-t_s / recovery_s)
    return _size(rng) * shape


def _sway(rng: np.random.Generator, fs_hz: float, frequency: Range, decay: Range) -> Float64:
    """An oscillation that starts at zero and decays."""
    f_hz, decay_s = _log_uniform(rng, frequency), _log_uniform(rng, decay)
    t_s = np.arange(round(EVENT_LENGTH * decay_s * fs_hz)) / fs_hz
    shape: Float64 = np.sin(2 * np.pi * f_hz * t_s) * np.exp(-t_s / decay_s)
    return _size(rng) * shape


def _size(rng: np.random.Generator) -> float:
    return float(rng.choice((-1.0, 1.0)) * np.exp(SIZE_SPREAD * rng.standard_normal()))


def _range(name: str, bounds: Sequence[float]) -> Range:
    if len(bounds) != 2 or not 0 < bounds[0] <= bounds[1]:
        raise ValueError(f"{name} is {list(bounds)}, expected low, high, both positive")
    return float(bounds[0]), float(bounds[1])


def _log_uniform(rng: np.random.Generator, bounds: Range) -> float:
    return float(np.exp(rng.uniform(np.log(bounds[0]), np.log(bounds[1]))))


def _add(x: Float64, start: int, event: Float64) -> None:
    stop = min(start + len(event), len(x))
    x[start:stop] += event[: stop - start]
