"""Compiled inner loops of mixing: gather noise from a flat library, compute energies, sum in float64.

`flat` holds all pieces of a library one after the other; `at[i, j]` is the first sample of the excerpt of kind j of
mixture i in it, or -1 where the mixture does not hold the kind. Without fast-math, the order of sums is fixed, so the
same recipe gives the same bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

compiled: Any = njit(cache=True, nogil=True)


@compiled  # type: ignore[untyped-decorator]
def _sum_of_squares(x: NDArray[np.floating]) -> float:
    # four independent sums: a single sum would wait for its last addition
    s0 = s1 = s2 = s3 = 0.0
    whole = len(x) - len(x) % 4
    for t in range(0, whole, 4):
        a, b, c, d = np.float64(x[t]), np.float64(x[t + 1]), np.float64(x[t + 2]), np.float64(x[t + 3])
        s0 += a * a
        s1 += b * b
        s2 += c * c
        s3 += d * d
    for t in range(whole, len(x)):
        a = np.float64(x[t])
        s0 += a * a
    return (s0 + s1) + (s2 + s3)


@compiled  # type: ignore[untyped-decorator]
def _weighted_sum(flat: Float32, at: Int64, gain: Float64, total: Float64) -> None:
    total[:] = 0.0
    for j in range(len(at)):
        if at[j] >= 0:
            excerpt = flat[at[j] : at[j] + len(total)]
            for t in range(len(total)):
                total[t] += gain[j] * np.float64(excerpt[t])


@compiled  # type: ignore[untyped-decorator]
def excerpt_energies(flat: Float32, at: Int64, length: int) -> Float64:
    """[n, kinds] sum of squares of each excerpt; 0 where there is none."""
    energy = np.zeros(at.shape)
    for i in range(at.shape[0]):
        for j in range(at.shape[1]):
            if at[i, j] >= 0:
                energy[i, j] = _sum_of_squares(flat[at[i, j] : at[i, j] + length])
    return energy


@compiled  # type: ignore[untyped-decorator]
def summed_energies(flat: Float32, at: Int64, gain: Float64, length: int) -> Float64:
    """[n] sum of squares of the weighted sum of each row's excerpts."""
    energy = np.empty(at.shape[0])
    total = np.empty(length)
    for i in range(at.shape[0]):
        _weighted_sum(flat, at[i], gain[i], total)
        energy[i] = _sum_of_squares(total)
    return energy


@compiled  # type: ignore[untyped-decorator]
def add_noise(clean: Float32, flat: Float32, at: Int64, gain: Float64) -> Float32:
    """[n, L] clean plus weighted excerpts, summed in float64 and rounded once to float32."""
    n, length = clean.shape
    noisy = np.empty((n, length), np.float32)
    total = np.empty(length)
    for i in range(n):
        _weighted_sum(flat, at[i], gain[i], total)
        for t in range(length):
            noisy[i, t] = np.float32(np.float64(clean[i, t]) + total[t])
    return noisy
