"""Motor-unit action potentials on the skin: a travelling source, recorded through the volume conductor.

The intracellular action potential is Rosenfalck's (1969), V_m(s) = 96 s^3 exp(-s) - 90 mV with s in mm
behind the front. A fibre of radius a carries the current s_i pi a^2 d2V/dz2 per length, from its
end-plate towards both tendons, and ends there (Farina and Merletti 2001), so that the total
current is zero at every moment. With g(z) the lead field, the derivative of the electrode's sensitivity
along the fibre, and u the distance from the end-plate z_0,

    phi(t) = s_i pi a^2 [ int_0^L1 V_m'(v t - u) g(z_0 + u) du - int_0^L2 V_m'(v t - u) g(z_0 - u) du ]

which in u = v tau is a causal convolution: the lead fields along the paths ("ways") of all fibres of a unit are
summed first and convolved once. The standing end-effect at the tendons and the silence at the end-plate follow from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.data_pipeline.simulation.volume_conductor import STEP_M, FloatArray, LeadField

INTRACELLULAR_S_PER_M = 1.01  # Rosenfalck 1969
SPIKE_LENGTH_M = 20e-3  # behind the front, within which V_m returns to rest (to 2e-5 of its peak)
INTERNAL_HZ = 16_000.0  # potentials are computed at this rate or above, then sampled at every sub-sample phase
PASS_FRACTION, STOP_FRACTION = 0.35, 0.45  # fractions of the sampling rate: nothing above the second is left
LEAD_S = 0.010  # time before the discharge for the ringing of that low-pass
TAIL_S = 0.010
FADE_S = 0.002


@dataclass(frozen=True)
class Fibres:
    """Representative fibres of every unit of one muscle, in the muscle's own coordinates.

    Attributes:
        depth_m: [U, F] below the fat.
        across_m: [U, F] position across the limb.
        end_plate_m: [U, F] position along the fibre.
        ends_m: [U, F, 2] distances from the end-plate to the two tendons (towards +z, towards -z).
        velocity_m_per_s: [U, F] conduction velocity.
        diameter_m: [U] of the unit's fibres.
        count: [U] how many fibres the unit has; F represent them.
    """

    depth_m: FloatArray
    across_m: FloatArray
    end_plate_m: FloatArray
    ends_m: FloatArray
    velocity_m_per_s: FloatArray
    diameter_m: FloatArray
    count: FloatArray


@dataclass(frozen=True)
class Potentials:
    """Sampled potentials of every unit of one muscle at every channel.

    Attributes:
        waveform: [U, P, C, N] float64 in volts; phase p is for a discharge p / (P fs) after a sample.
        lead: samples of the waveform that lie before the discharge.
        fs_hz: sampling rate.
    """

    waveform: FloatArray
    lead: int
    fs_hz: float

    @property
    def before_s(self) -> float:
        """Longest time in seconds before a discharge at which its potential may be non-zero."""
        return self.lead / self.fs_hz

    @property
    def after_s(self) -> float:
        """Longest time in seconds after a discharge at which its potential may be non-zero."""
        return float((self.waveform.shape[-1] - self.lead + 1) / self.fs_hz)


def intracellular_slope(behind_m: FloatArray) -> FloatArray:
    """V_m'(s) in V/m at a distance in metres behind the front (Rosenfalck 1969); 0 ahead of the front.

    >>> bool(abs(np.trapezoid(intracellular_slope(np.linspace(0, 0.05, 5001)), dx=1e-5)) < 1e-6)
    True
    """
    mm = np.maximum(behind_m, 0) * 1e3
    return np.asarray(96 * (3 * mm**2 - mm**3) * np.exp(-mm))


def potentials(fibres: Fibres, lead_field: LeadField, electrodes_m: FloatArray, fs_hz: float) -> Potentials:
    """The potential of each unit at each electrode pair, for every sub-sample phase.

    Args:
        fibres: the fibres of one muscle.
        lead_field: the lead field of the electrode pairs, which are all alike.
        electrodes_m: [C, 2] positions of the pairs relative to the muscle in metres: across, along.
        fs_hz: sampling rate in hertz; the result holds nothing above 0.45 of it.
    """
    n_phases = int(np.ceil(INTERNAL_HZ / fs_hz))
    internal_hz = n_phases * fs_hz
    lead = int(np.ceil(LEAD_S * fs_hz))
    slowest = float(fibres.velocity_m_per_s.min())
    travel_s = float((fibres.ends_m / fibres.velocity_m_per_s[:, :, None]).max()) + SPIKE_LENGTH_M / slowest
    n_samples = lead + int(np.ceil((travel_s + TAIL_S) * fs_hz))

    n_travel = int(np.ceil(travel_s * internal_hz)) + 1
    ways = _compiled()(
        fibres.depth_m,
        fibres.across_m,
        fibres.end_plate_m,
        fibres.ends_m,
        fibres.velocity_m_per_s,
        np.ascontiguousarray(electrodes_m, np.float64),
        lead_field.log_depth,
        lead_field.table,
        n_travel,
        internal_hz,
    )  # [U, C, n_travel]
    velocity = fibres.velocity_m_per_s.mean(axis=1)  # [U]
    current = INTRACELLULAR_S_PER_M * np.pi * fibres.diameter_m**2 / 4 * fibres.count * velocity / internal_hz

    n_fft = 1 << int(np.ceil(np.log2(n_samples * n_phases + n_travel)))
    travelled_m = velocity[:, None] * np.arange(n_travel) / internal_hz  # [U, n_travel]
    source = current[:, None] * intracellular_slope(travelled_m)
    frequency_hz = np.asarray(np.fft.rfftfreq(n_fft, 1 / internal_hz), np.float64)
    shift = np.exp(-2j * np.pi * frequency_hz * lead / fs_hz)
    spectrum = np.fft.rfft(source, n_fft) * (_band_limit(frequency_hz / fs_hz) * shift)
    fine = np.fft.irfft(np.fft.rfft(ways, n_fft) * spectrum[:, None], n_fft)[..., : n_samples * n_phases]

    # A discharge p internal steps after a sample: the waveform at sample m is the fine one at m P - p.
    delayed = np.concatenate([np.zeros((*fine.shape[:2], n_phases)), fine], axis=-1)
    phases = [delayed[..., n_phases - p : n_phases - p + n_samples * n_phases : n_phases] for p in range(n_phases)]
    waveform = np.stack(phases, axis=1) * _fade(n_samples, fs_hz)
    return Potentials(np.ascontiguousarray(waveform), lead, fs_hz)


def _band_limit(fraction: FloatArray) -> FloatArray:
    """Raised-cosine low-pass over frequencies given as fractions of the sampling rate."""
    position = np.clip((fraction - PASS_FRACTION) / (STOP_FRACTION - PASS_FRACTION), 0, 1)
    return np.asarray((1 + np.cos(np.pi * position)) / 2)


def _fade(n_samples: int, fs_hz: float) -> FloatArray:
    """[n_samples] weights that fade both ends of a waveform to zero: only the ringing of the low-pass is there."""
    n = max(1, round(FADE_S * fs_hz))
    edge = (1 - np.cos(np.pi * (np.arange(n) + 0.5) / n)) / 2
    fade = np.ones(n_samples)
    fade[:n], fade[-n:] = edge, edge[::-1]
    return fade


@lru_cache(maxsize=1)
def _compiled() -> Callable[..., Any]:
    from numba import njit

    compiled: Callable[..., Any] = njit(cache=True)(_ways_loop)
    return compiled


def _ways_loop(
    depth_m: FloatArray,
    across_m: FloatArray,
    end_plate_m: FloatArray,
    ends_m: FloatArray,
    velocity_m_per_s: FloatArray,
    electrodes_m: FloatArray,
    log_depth: FloatArray,
    table: FloatArray,
    n_travel: int,
    internal_hz: float,
) -> NDArray[np.float64]:
    """[U, C, n_travel] lead field at the two travelling waves of a fibre at each moment, mean over a unit's fibres."""
    n_units, n_fibres = depth_m.shape
    n_channels = electrodes_m.shape[0]
    n_across, n_along = table.shape[1], table.shape[2]
    centre = (n_along - 1) // 2
    depth_step = log_depth[1] - log_depth[0]
    ways = np.zeros((n_units, n_channels, n_travel))
    line = np.empty(n_along)
    for unit in range(n_units):
        for fibre in range(n_fibres):
            level = (np.log(depth_m[unit, fibre]) - log_depth[0]) / depth_step
            level = min(max(level, 0.0), log_depth.size - 1.001)
            i, a = int(level), level - int(level)
            for channel in range(n_channels):
                beside = abs(across_m[unit, fibre] - electrodes_m[channel, 0]) / STEP_M
                if beside >= n_across - 1:
                    continue
                j, b = int(beside), beside - int(beside)
                for k in range(n_along):
                    near = (1 - b) * table[i, j, k] + b * table[i, j + 1, k]
                    far = (1 - b) * table[i + 1, j, k] + b * table[i + 1, j + 1, k]
                    line[k] = (1 - a) * near + a * far
                start = (end_plate_m[unit, fibre] - electrodes_m[channel, 1]) / STEP_M + centre
                speed = velocity_m_per_s[unit, fibre] / internal_hz  # metres a step
                for side in range(2):
                    sign = 1.0 - 2.0 * side
                    steps = ends_m[unit, fibre, side] / speed
                    for n in range(min(int(steps) + 2, n_travel)):
                        z = start + sign * n * speed / STEP_M
                        k = int(z)
                        if z < 0 or k >= n_along - 1:
                            break
                        # Trapezoid weights; the last step ends at the tendon, so nothing jumps with the grid.
                        weight = 0.5 if n == 0 else min(1.0, steps + 0.5 - n)
                        if weight <= 0:
                            break
                        value = line[k] + (z - k) * (line[k + 1] - line[k])
                        ways[unit, channel, n] += sign * weight * value / n_fibres
    return ways
