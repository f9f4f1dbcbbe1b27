"""Features of windows of surface EMG, one number for each window: amplitude, shape, crossings, spectrum.

Every feature maps windows x [n, L] to [n], computed in float64; a ValueError is raised if x is not [n, L] with L of at
least 1. A feature has the unit of x unless stated. Symbols: x_i sample of a window, i = 1..L; mu its mean; P_k power in
bin k at f_k Hz.

Sources:
    Hudgins, Parker and Scott, IEEE Trans. Biomed. Eng. 40 (1993) 82: MAV, WL, ZC, SSC with an amplitude threshold.
    Phinyomark, Phukpattaranont and Limsakul, Expert Syst. Appl. 39 (2012) 7420: IEMG, RMS, WAMP, LOG, VAR, MNF,
    MDF, TTP, MNP.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

STILL = 1e-24  # of the mean square: a variance below it is a rounding error, and the window counts as constant
BLOCK_SAMPLES = 32_768  # windows are processed in blocks that fit into the processor's cache
TIME_DOMAIN = (
    "integrated_emg", "mav", "rms", "variance", "log_detector", "waveform_length",
    "zero_crossings", "slope_sign_changes", "wamp", "skewness", "kurtosis",
)  # fmt: skip
SPECTRAL = ("mean_frequency", "median_frequency", "total_power", "mean_power")


def integrated_emg(x: NDArray[np.floating]) -> FloatArray:
    """Sum of |x_i| (Phinyomark 2012).

    >>> integrated_emg(np.array([[1.0, -3.0, 2.0]]))
    array([6.])
    """
    total: FloatArray = np.abs(_windows(x)).sum(axis=1)
    return total


def mav(x: NDArray[np.floating]) -> FloatArray:
    """Mean absolute value, (1/L) sum |x_i| (Hudgins 1993).

    >>> mav(np.array([[1.0, -3.0, 2.0]]))
    array([2.])
    """
    value: FloatArray = np.abs(_windows(x)).mean(axis=1)
    return value


def rms(x: NDArray[np.floating]) -> FloatArray:
    """Root mean square, sqrt((1/L) sum x_i^2) (Phinyomark 2012).

    >>> rms(np.array([[3.0, -3.0, 3.0]]))
    array([3.])
    """
    x = _windows(x)
    value: FloatArray = np.sqrt(np.einsum("nl,nl->n", x, x) / x.shape[1])
    return value


def variance(x: NDArray[np.floating]) -> FloatArray:
    """Variance, (1/(L-1)) sum (x_i - mu)^2, in the squared unit of x; 0 for a single sample.

    Phinyomark 2012 assumes mu = 0.

    >>> variance(np.array([[1.0, 2.0, 3.0]]))
    array([1.])
    """
    x = _windows(x)
    deviation = x - x.mean(axis=1, keepdims=True)
    value: FloatArray = np.einsum("nl,nl->n", deviation, deviation) / max(x.shape[1] - 1, 1)
    return value


def log_detector(x: NDArray[np.floating]) -> FloatArray:
    """exp((1/L) sum log|x_i|), the geometric mean of |x| (Phinyomark 2012); 0 if a sample is 0.

    >>> log_detector(np.array([[1.0, -100.0, 10.0], [1.0, 0.0, 10.0]])).round(6)
    array([10.,  0.])
    """
    magnitude = np.abs(_windows(x))
    with np.errstate(divide="ignore"):
        value: FloatArray = np.exp(np.log(magnitude, out=magnitude).mean(axis=1))
    return value


def waveform_length(x: NDArray[np.floating]) -> FloatArray:
    """Sum of |x_(i+1) - x_i| (Hudgins 1993).

    >>> waveform_length(np.array([[1.0, -3.0, 2.0]]))
    array([9.])
    """
    x = _windows(x)
    length: FloatArray = np.abs(x[:, 1:] - x[:, :-1]).sum(axis=1)
    return length


def zero_crossings(x: NDArray[np.floating], threshold: float = 0.0) -> FloatArray:
    """Number of pairs x_i, x_(i+1) of opposite sign that differ by at least `threshold` (Hudgins 1993).

    A sample that is exactly 0 has no sign.

    >>> zero_crossings(np.array([[1.0, -1.0, 0.5, 0.0, -2.0]])), zero_crossings(np.array([[1.0, -1.0, 0.5]]), 1.8)
    (array([2.]), array([1.]))
    """
    x = _windows(x)
    low, high = x < 0, x > 0
    crossing = (low[:, 1:] & high[:, :-1]) | (high[:, 1:] & low[:, :-1])
    if threshold > 0:
        crossing &= np.abs(x[:, 1:] - x[:, :-1]) >= threshold
    return _count(crossing)


def slope_sign_changes(x: NDArray[np.floating], threshold: float = 0.0) -> FloatArray:
    """Number of samples above or below both neighbours that differ from one by at least `threshold` (Hudgins 1993).

    >>> slope_sign_changes(np.array([[0.0, 2.0, 1.0, 1.0, 3.0, 0.0]]))
    array([2.])
    """
    x = _windows(x)
    step = x[:, 1:] - x[:, :-1]  # [n, L-1]
    up, down = step > 0, step < 0
    turning = (up[:, :-1] & down[:, 1:]) | (down[:, :-1] & up[:, 1:])
    if threshold > 0:
        large = np.abs(step) >= threshold
        turning &= large[:, :-1] | large[:, 1:]
    return _count(turning)


def wamp(x: NDArray[np.floating], threshold: float) -> FloatArray:
    """Willison amplitude: number of pairs with |x_(i+1) - x_i| >= `threshold` (Phinyomark 2012).

    >>> wamp(np.array([[1.0, -3.0, 2.0, 2.5]]), 1.0)
    array([2.])
    """
    x = _windows(x)
    return _count(np.abs(x[:, 1:] - x[:, :-1]) >= threshold)


def skewness(x: NDArray[np.floating]) -> FloatArray:
    """Skewness, m3 / m2^1.5 with the moments about mu, no unit; 0 for a constant window.

    >>> skewness(np.array([[0.0, 0.0, 0.0, 1.0], [5.0, 5.0, 5.0, 5.0]])).round(4)
    array([1.1547, 0.    ])
    """
    deviation, m2, still = _moments(_windows(x))
    m3 = np.einsum("nl,nl,nl->n", deviation, deviation, deviation) / deviation.shape[1]
    return np.where(still, 0.0, m3 / np.where(still, 1.0, m2) ** 1.5)


def kurtosis(x: NDArray[np.floating]) -> FloatArray:
    """Excess kurtosis, m4 / m2^2 - 3 with the moments about mu, no unit; 0 for a constant window.

    >>> kurtosis(np.array([[1.0, -1.0, 1.0, -1.0], [5.0, 5.0, 5.0, 5.0]]))
    array([-2.,  0.])
    """
    deviation, m2, still = _moments(_windows(x))
    squares = deviation * deviation
    m4 = np.einsum("nl,nl->n", squares, squares) / deviation.shape[1]
    return np.where(still, 0.0, m4 / np.where(still, 1.0, m2) ** 2 - 3.0)


def time_domain(x: NDArray[np.floating], threshold: float = 0.0) -> FloatArray:
    """All features of `TIME_DOMAIN`: [n, L] -> [n, 11]; `threshold` of ZC, SSC and WAMP is in the unit of x.

    Raises:
        ValueError: x is not [n, L].
    """
    x = _windows(x)
    out = np.empty((len(x), len(TIME_DOMAIN)))
    rows = max(1, BLOCK_SAMPLES // max(x.shape[1], 1))
    for start in range(0, len(x), rows):
        block = x[start : start + rows]
        out[start : start + rows] = np.stack(
            [
                integrated_emg(block), mav(block), rms(block), variance(block), log_detector(block),
                waveform_length(block), zero_crossings(block, threshold), slope_sign_changes(block, threshold),
                wamp(block, threshold), skewness(block), kurtosis(block),
            ],
            axis=1,
        )  # fmt: skip
    return out


def power_spectrum(x: NDArray[np.floating], fs_hz: float) -> tuple[FloatArray, FloatArray]:
    """Return f_k [K] in Hz and P_k = |X_k|^2 / N [n, K] of x - mu, zero-padded to the next power of two, N."""
    x = _windows(x)
    size = 1 << max(x.shape[1] - 1, 1).bit_length()
    spectrum = np.fft.rfft(x - x.mean(axis=1, keepdims=True), size, axis=1)
    power: FloatArray = (spectrum.real**2 + spectrum.imag**2) / size
    return np.asarray(np.fft.rfftfreq(size, 1 / fs_hz), np.float64), power


def mean_frequency(x: NDArray[np.floating], fs_hz: float) -> FloatArray:
    """Mean frequency, sum f_k P_k / sum P_k, in Hz (Phinyomark 2012); 0 for a window without power.

    >>> mean_frequency(np.sin(2 * np.pi * 50 / 1000 * np.arange(1000))[None], 1000.0).round(0)
    array([50.])
    """
    return _mean_frequency(*power_spectrum(x, fs_hz))


def median_frequency(x: NDArray[np.floating], fs_hz: float) -> FloatArray:
    """Median frequency: the lowest f_k with half of the power at or below it, Hz (Phinyomark 2012); 0 without power.

    >>> median_frequency(np.sin(2 * np.pi * 125 / 1000 * np.arange(512))[None], 1000.0)
    array([125.])
    """
    return _median_frequency(*power_spectrum(x, fs_hz))


def total_power(x: NDArray[np.floating], fs_hz: float) -> FloatArray:
    """Sum of P_k (Phinyomark 2012), in the squared unit of x.

    >>> total_power(np.array([[1.0, -1.0, 1.0, -1.0]]), 1000.0)
    array([4.])
    """
    total: FloatArray = power_spectrum(x, fs_hz)[1].sum(axis=1)
    return total


def mean_power(x: NDArray[np.floating], fs_hz: float) -> FloatArray:
    """Mean of P_k over the bins (Phinyomark 2012), in the squared unit of x.

    >>> mean_power(np.array([[1.0, -1.0, 1.0, -1.0]]), 1000.0).round(6)
    array([1.333333])
    """
    mean: FloatArray = power_spectrum(x, fs_hz)[1].mean(axis=1)
    return mean


def spectral(x: NDArray[np.floating], fs_hz: float) -> FloatArray:
    """All features of `SPECTRAL` from one spectrum: [n, L] -> [n, 4]."""
    frequency, power = power_spectrum(x, fs_hz)
    columns = [_mean_frequency(frequency, power), _median_frequency(frequency, power)]
    return np.stack([*columns, power.sum(axis=1), power.mean(axis=1)], axis=1)


def _windows(x: NDArray[np.floating]) -> FloatArray:
    if np.ndim(x) != 2 or not np.shape(x)[1]:
        raise ValueError(f"windows must be [n, L] with L of at least 1, got {np.shape(x)}")
    return np.asarray(x, np.float64)


def _count(true: NDArray[np.bool_]) -> FloatArray:
    return np.asarray(np.count_nonzero(true, axis=1), np.float64)


def _moments(x: FloatArray) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """Deviations from mu [n, L], m2 [n], and whether the window is constant [n]."""
    deviation = x - x.mean(axis=1, keepdims=True)
    m2 = np.einsum("nl,nl->n", deviation, deviation) / x.shape[1]
    return deviation, m2, m2 <= STILL * np.einsum("nl,nl->n", x, x) / x.shape[1]


def _mean_frequency(frequency: FloatArray, power: FloatArray) -> FloatArray:
    total = power.sum(axis=1)
    value: FloatArray = (power @ frequency) / np.where(total > 0, total, 1.0)
    return value


def _median_frequency(frequency: FloatArray, power: FloatArray) -> FloatArray:
    running = power.cumsum(axis=1)
    half: FloatArray = frequency[(running >= running[:, -1:] / 2).argmax(axis=1)]
    return half
