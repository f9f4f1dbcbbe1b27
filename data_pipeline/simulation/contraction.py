"""Force over time, and the discharge times of a pool that produces it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from cleansemg.data_pipeline.simulation.motor_units import FloatArray, MotorUnitPool

CONTROL_HZ = 1000.0  # sampling rate of force and excitation; discharge times are not limited to this grid
DEVIATION_LIMIT = 3.0  # largest deviation of an interval from its mean, in standard deviations


@dataclass(frozen=True)
class SpikeTrains:
    """Discharges of a whole pool, in order of units."""

    unit: NDArray[np.int64]  # [S]
    time_s: FloatArray  # [S] from the start of the contraction
    n_units: int

    def of(self, unit: int) -> FloatArray:
        """[s] discharge times of one unit in seconds from the start of the contraction."""
        return np.asarray(self.time_s[self.unit == unit])


@dataclass(frozen=True)
class Contraction:
    """A trapezoid of force: a ramp up, a plateau, a ramp down.

    Raises:
        ValueError: a parameter is out of range, or the two ramps are longer than the contraction.
    """

    force: float  # fraction of the maximum during the plateau
    duration_s: float
    ramp_s: float = 0.5
    common_drive: float = 0.03  # standard deviation of the shared slow fluctuation, relative to the excitation
    common_drive_hz: float = 1.5  # its bandwidth, De Luca et al. 1982: below 2 Hz

    def __post_init__(self) -> None:
        if not 0 <= self.force <= 1:
            raise ValueError(f"force is {self.force:g}: it is a fraction of the maximum, 0 to 1")
        if not 0 < 2 * self.ramp_s <= self.duration_s:
            raise ValueError(f"two ramps of {self.ramp_s:g} s do not fit into a contraction of {self.duration_s:g} s")
        if self.common_drive < 0 or self.common_drive_hz <= 0:
            raise ValueError("common_drive must not be negative, common_drive_hz must be positive")

    def profile(self) -> FloatArray:
        """Force [K] at `CONTROL_HZ` as fractions of the maximum; zero at both ends."""
        time_s = np.arange(round(self.duration_s * CONTROL_HZ) + 1) / CONTROL_HZ
        edge_s = np.minimum(time_s, self.duration_s - time_s)
        return np.asarray(self.force * np.clip(edge_s / self.ramp_s, 0, 1))

    def drive(self, pool: MotorUnitPool, rng: np.random.Generator) -> FloatArray:
        """Excitation [K] at `CONTROL_HZ` that produces the profile, times the fluctuation of the common drive."""
        excitation = pool.excitation(self.profile())
        width = CONTROL_HZ / (2 * np.pi * self.common_drive_hz)
        wander = gaussian_filter1d(rng.standard_normal(excitation.size), width, mode="wrap")
        wander *= np.sqrt(2 * np.sqrt(np.pi) * width)  # unit variance: the energy of the Gaussian kernel
        return np.asarray(excitation * np.maximum(1 + self.common_drive * wander, 0))


def discharge(
    pool: MotorUnitPool, excitation: FloatArray, first_s: float, last_s: float, rng: np.random.Generator
) -> SpikeTrains:
    """Discharge times of a pool under an excitation.

    Each unit is a renewal process: the interval after a spike at t is drawn from a normal law with mean
    1 / FR_i(E(t)) and the unit's own coefficient of variation (Fuglevand et al. 1993). A unit that is
    recruited first fires at a random moment within one mean interval, so that units start unsynchronised.

    Args:
        pool: the motor units.
        excitation: [K] at `CONTROL_HZ`.
        first_s: earliest discharge time in seconds.
        last_s: latest discharge time in seconds; both limits keep the rest before and after silent.
        rng: generator of all draws.
    """
    p = pool.parameters
    duration_s = excitation.size / CONTROL_HZ
    cv = rng.uniform(*p.isi_cv, size=p.n_units)
    n_draws = 64 + int(3 * duration_s * pool.peak_rate_hz.max())
    deviation = np.clip(rng.standard_normal((p.n_units, n_draws)), -DEVIATION_LIMIT, DEVIATION_LIMIT)
    start = rng.uniform(size=(p.n_units, n_draws))
    unit, time_s = _compiled()(
        excitation,
        pool.threshold,
        pool.peak_rate_hz,
        p.minimum_rate_hz,
        p.rate_gain_hz,
        cv,
        deviation,
        start,
        first_s,
        last_s,
    )
    return SpikeTrains(unit, time_s, p.n_units)


@lru_cache(maxsize=1)
def _compiled() -> Callable[..., Any]:
    from numba import njit

    compiled: Callable[..., Any] = njit(cache=True)(_discharge_loop)
    return compiled


def _discharge_loop(
    excitation: FloatArray,
    threshold: FloatArray,
    peak_rate_hz: FloatArray,
    minimum_rate_hz: float,
    rate_gain_hz: float,
    cv: FloatArray,
    deviation: FloatArray,
    start: FloatArray,
    first_s: float,
    last_s: float,
) -> tuple[NDArray[np.int64], FloatArray]:
    n_units, n_draws = deviation.shape
    units = np.empty(n_units * n_draws, np.int64)
    times = np.empty(n_units * n_draws, np.float64)
    n = 0
    for unit in range(n_units):
        t = first_s
        recruited = False
        for draw in range(n_draws):
            k = int(t * CONTROL_HZ)
            while k < excitation.size and excitation[k] < threshold[unit]:
                k += 1
                t = k / CONTROL_HZ
                recruited = False
            if k >= excitation.size:
                break
            rate = min(peak_rate_hz[unit], rate_gain_hz * (excitation[k] - threshold[unit]) + minimum_rate_hz)
            if not recruited:
                recruited = True
                t += start[unit, draw] / rate
                continue
            if t > last_s:
                break
            units[n] = unit
            times[n] = t
            n += 1
            t += (1 + cv[unit] * deviation[unit, draw]) / rate
    return units[:n].copy(), times[:n].copy()
