"""The volume conductor, fat over anisotropic muscle: the potential of a point current at a bipolar skin electrode.

Farina and Merletti 2001, IEEE Trans Biomed Eng 48:637-646, without the skin layer. The fibres run along
z, x runs across them along the skin, y into the depth. Fat is a plane layer of thickness h, muscle the
half-space under it. For a unit point current at depth d in the muscle, the potential on the skin in
spatial frequencies (kx, kz) is

    C(kx, kz) = exp(-ka d) / (s_r ka cosh(k h) + s_f k sinh(k h)),
    k = sqrt(kx^2 + kz^2),  ka = sqrt(kx^2 + (s_z / s_r) kz^2)

which follows from continuity of potential and of normal current at the fat, and no current into the air.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import j1

FloatArray = NDArray[np.float64]

STEP_M = 1e-3  # grid across and along; the shallowest kernel is 3 mm wide
ACROSS_STEPS = 320  # periods of the transform in grid steps, wide enough that periodic images are negligible
ALONG_STEPS = 512
REACH_ACROSS_M = 0.09  # an electrode records nothing of a fibre farther away
REACH_ALONG_M = 0.16
SHALLOWEST_M, DEEPEST_M, N_DEPTHS = 0.5e-3, 30e-3, 36


@dataclass(frozen=True)
class Tissue:
    """Fat thickness and conductivities; these are from Farina and Merletti 2001 (anisotropy 5, fat to muscle 0.5).

    Raises:
        ValueError: a parameter is out of range.
    """

    fat_m: float = 3e-3  # thickness of fat and skin
    muscle_across_s_per_m: float = 0.1
    muscle_along_s_per_m: float = 0.5
    fat_s_per_m: float = 0.05

    def __post_init__(self) -> None:
        if not 0.5e-3 <= self.fat_m <= 30e-3:
            raise ValueError(f"fat_m is {self.fat_m:g}: 0.5 mm to 30 mm, in metres")
        if min(self.muscle_across_s_per_m, self.muscle_along_s_per_m, self.fat_s_per_m) <= 0:
            raise ValueError("conductivities must be positive")


@dataclass(frozen=True)
class ElectrodePair:
    """Two discs along the fibres, 10 mm apart as in compact wireless sensors.

    SENIAM (Hermens et al. 2000) recommends 20 mm, or a quarter of the fibre length where that is less.

    Raises:
        ValueError: a parameter is out of range.
    """

    spacing_m: float = 10e-3
    radius_m: float = 2.5e-3

    def __post_init__(self) -> None:
        if not 2e-3 <= self.spacing_m <= 60e-3:
            raise ValueError(f"spacing_m is {self.spacing_m:g}: 2 mm to 60 mm, in metres")
        if not 0 <= self.radius_m <= self.spacing_m / 2:
            raise ValueError(f"radius_m is {self.radius_m:g}: 0 to half the spacing, or the discs overlap")


@dataclass(frozen=True)
class LeadField:
    """A table of the derivative of the electrode pair's sensitivity along the fibre.

    Attributes:
        log_depth: [D] natural logarithms of the depths below the fat, evenly spaced.
        table: [D, X, Z] in V / (A m): X distances across from 0, Z positions along from -reach to reach,
            both every `STEP_M`.
    """

    log_depth: FloatArray
    table: FloatArray

    @classmethod
    def of(cls, tissue: Tissue, pair: ElectrodePair) -> LeadField:
        """Tabulate the lead field of an electrode pair centred on x = z = 0."""
        kx = 2 * np.pi * np.fft.fftfreq(ACROSS_STEPS, STEP_M)[:, None]
        kz = 2 * np.pi * np.fft.rfftfreq(ALONG_STEPS, STEP_M)[None, :]
        k = np.hypot(kx, kz)
        ka = np.hypot(kx, np.sqrt(tissue.muscle_along_s_per_m / tissue.muscle_across_s_per_m) * kz)
        # Where both are 0 the potential is unbounded, but its derivative along z is 0.
        k[0, 0] = ka[0, 0] = 1.0
        below = tissue.muscle_across_s_per_m * ka * np.cosh(k * tissue.fat_m)
        below += tissue.fat_s_per_m * k * np.sinh(k * tissue.fat_m)
        transfer = np.ones_like(k)
        if pair.radius_m > 0:
            transfer = 2 * j1(k * pair.radius_m) / (k * pair.radius_m)  # mean over a disc
        # i kz times the difference of two shifts, exp(i kz s / 2) - exp(-i kz s / 2) = 2 i sin(kz s / 2).
        differential = -2 * kz * np.sin(kz * pair.spacing_m / 2)
        differential[0, -1] = 0.0
        surface = transfer * differential / below
        log_depth = np.linspace(np.log(SHALLOWEST_M), np.log(DEEPEST_M), N_DEPTHS)
        n_across, n_along = round(REACH_ACROSS_M / STEP_M), round(REACH_ALONG_M / STEP_M)
        table = np.empty((N_DEPTHS, n_across + 1, 2 * n_along + 1))
        for level, depth_m in enumerate(np.exp(log_depth)):
            plane = np.fft.irfft2(surface * np.exp(-ka * depth_m), s=(ACROSS_STEPS, ALONG_STEPS)) / STEP_M**2
            table[level] = np.roll(plane[: n_across + 1], n_along, axis=1)[:, : 2 * n_along + 1]
        return cls(log_depth, table)
