"""The motor-unit pool: when each unit is recruited, how fast it fires, and how much force it produces.

Fuglevand, Winter and Patla 1993, J Neurophysiol 70:2470-2488. Symbols: RTE recruitment threshold
excitation, RR range of thresholds, PFR peak firing rate, MFR minimum firing rate, g_e gain of firing
rate over excitation, P twitch force, RP its range, T contraction time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

LINEAR_UP_TO = 0.4  # T times rate below which twitches add up linearly (Fuglevand et al. 1993)


@dataclass(frozen=True)
class PoolParameters:
    """Parameters of a pool; a neuropathy or a myopathy changes them.

    Raises:
        ValueError: a parameter is out of range.
    """

    n_units: int = 120
    recruitment_range: float = 30.0  # RR: last threshold over first
    minimum_rate_hz: float = 8.0  # MFR
    peak_rate_first_hz: float = 35.0  # PFR of the unit recruited first
    peak_rate_last_hz: float = 25.0  # PFR of the unit recruited last
    rate_gain_hz: float = 1.0  # g_e: pulses per second for one unit of excitation
    twitch_range: float = 100.0  # RP: last twitch force over first
    longest_contraction_s: float = 0.090  # T of the first unit
    contraction_range: float = 3.0  # longest T over shortest
    isi_cv: tuple[float, float] = (0.10, 0.30)  # range of the units' coefficients of variation of intervals

    def __post_init__(self) -> None:
        if self.n_units < 2:
            raise ValueError(f"n_units is {self.n_units}: a pool needs at least 2 motor units")
        if min(self.recruitment_range, self.twitch_range, self.contraction_range) <= 1:
            raise ValueError("recruitment_range, twitch_range and contraction_range must be above 1")
        if not 0 < self.minimum_rate_hz < min(self.peak_rate_first_hz, self.peak_rate_last_hz):
            raise ValueError("minimum_rate_hz must be positive and below both peak rates")
        if self.rate_gain_hz <= 0 or self.longest_contraction_s <= 0:
            raise ValueError("rate_gain_hz and longest_contraction_s must be positive")
        if not 0 <= self.isi_cv[0] <= self.isi_cv[1] <= 0.33:
            raise ValueError(f"isi_cv is {self.isi_cv}: low and high within 0 to 0.33, so that intervals stay positive")


@dataclass(frozen=True)
class MotorUnitPool:
    """A pool of motor units, in order of recruitment: the smallest first."""

    parameters: PoolParameters = PoolParameters()

    @cached_property
    def rank(self) -> FloatArray:
        """[U] i / n, from 1 / n to 1."""
        n = self.parameters.n_units
        return np.arange(1, n + 1) / n

    @cached_property
    def threshold(self) -> FloatArray:
        """[U] RTE_i = exp(i ln(RR) / n): many low thresholds, few high ones."""
        return np.asarray(self.parameters.recruitment_range**self.rank)

    @cached_property
    def peak_rate_hz(self) -> FloatArray:
        """[U] PFR_i, falling linearly with the threshold: earlier units fire faster."""
        p = self.parameters
        share = self.threshold / self.threshold[-1]
        return np.asarray(p.peak_rate_first_hz - (p.peak_rate_first_hz - p.peak_rate_last_hz) * share)

    @cached_property
    def twitch(self) -> FloatArray:
        """[U] P_i = exp(i ln(RP) / n), in units of the smallest; also the relative number of fibres."""
        return np.asarray(self.parameters.twitch_range**self.rank)

    @cached_property
    def contraction_s(self) -> FloatArray:
        """[U] T_i = T_L (1 / P_i)^(1 / c), c = ln RP / ln RT: strong units are fast."""
        p = self.parameters
        return np.asarray(p.longest_contraction_s * p.contraction_range**-self.rank)

    @cached_property
    def maximum_excitation(self) -> float:
        """The excitation at which the last unit reaches its peak rate."""
        p = self.parameters
        return float(self.threshold[-1] + (p.peak_rate_last_hz - p.minimum_rate_hz) / p.rate_gain_hz)

    def rate_hz(self, excitation: FloatArray | float) -> FloatArray:
        """Mean firing rates [U, ...] for an excitation [...]; 0 below a unit's threshold.

        FR_i = min(PFR_i, g_e (E - RTE_i) + MFR).
        """
        p = self.parameters
        drive = np.asarray(excitation, np.float64)
        column = (slice(None), *(None,) * drive.ndim)
        above = drive - self.threshold[column]
        rate = np.minimum(self.peak_rate_hz[column], p.rate_gain_hz * above + p.minimum_rate_hz)
        return np.where(above >= 0, rate, 0.0)

    def force(self, excitation: FloatArray | float) -> FloatArray:
        """Mean isometric force [...] as a fraction of the maximum, for an excitation [...]."""
        return np.asarray(self._raw_force(excitation) / self._raw_force(self.maximum_excitation))

    def excitation(self, force: FloatArray | float) -> FloatArray:
        """The excitation [...] that produces a force [...], a fraction of the maximum from 0 to 1.

        Raises:
            ValueError: a force is outside 0 to 1.
        """
        wanted = np.asarray(force, np.float64)
        if wanted.size and not (wanted.min() >= 0 and wanted.max() <= 1):
            raise ValueError(f"force runs from {wanted.min():g} to {wanted.max():g}: it is a fraction of the maximum")
        drive, reached = self._force_curve
        return np.asarray(np.interp(wanted, reached, drive))

    @cached_property
    def _force_curve(self) -> tuple[FloatArray, FloatArray]:
        drive = np.concatenate([[0.0], np.linspace(self.threshold[0], self.maximum_excitation, 2000)])
        reached = self.force(drive)
        rising = np.concatenate([[True], np.diff(np.maximum.accumulate(reached)) > 0])
        return drive[rising], reached[rising]

    def _raw_force(self, excitation: FloatArray | float) -> FloatArray:
        """Mean force [...] in units of the smallest twitch: the sum over units of rate times twitch area (e P T).

        The area is multiplied by the gain of partly fused twitches.
        """
        rate = self.rate_hz(excitation)
        column = (slice(None), *(None,) * (rate.ndim - 1))
        stimulation = self.contraction_s[column] * rate  # T / ISI
        fused = _sigmoid(stimulation) / _sigmoid(LINEAR_UP_TO) * LINEAR_UP_TO
        drawn = np.where(stimulation > LINEAR_UP_TO, fused, stimulation)
        return np.asarray(np.e * (self.twitch[column] * drawn).sum(axis=0))


def _sigmoid(stimulation: FloatArray | float) -> FloatArray:
    """S(x) = 1 - exp(-2 x^3), the force-rate relation of Fuglevand et al. 1993."""
    return np.asarray(1 - np.exp(-2 * np.asarray(stimulation) ** 3))
