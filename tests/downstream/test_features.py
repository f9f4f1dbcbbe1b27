"""Features against plain loops written from the formulas, and the laws that hold under scaling."""

from __future__ import annotations

import cmath
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleansemg.downstream.common import features

FS_HZ = 1000.0


def plain(x: list[float], threshold: float) -> dict[str, float]:
    """Every feature of one window, sample by sample."""
    n = len(x)
    mean = math.fsum(x) / n
    m2, m3, m4 = (math.fsum((v - mean) ** p for v in x) / n for p in (2, 3, 4))
    steps = [b - a for a, b in itertools.pairwise(x)]
    turns = crossings = 0
    for a, b in itertools.pairwise(x):
        crossings += ((a > 0 > b) or (a < 0 < b)) and abs(a - b) >= threshold
    for a, b, c in zip(x, x[1:], x[2:], strict=False):
        turns += ((b > a and b > c) or (b < a and b < c)) and (abs(b - a) >= threshold or abs(b - c) >= threshold)
    geometric = 0.0 if 0.0 in x else math.exp(math.fsum(math.log(abs(v)) for v in x) / n)
    return {
        "integrated_emg": math.fsum(abs(v) for v in x),
        "mav": math.fsum(abs(v) for v in x) / n,
        "rms": math.sqrt(math.fsum(v * v for v in x) / n),
        "variance": math.fsum((v - mean) ** 2 for v in x) / (n - 1),
        "log_detector": geometric,
        "waveform_length": math.fsum(abs(s) for s in steps),
        "zero_crossings": crossings,
        "slope_sign_changes": turns,
        "wamp": sum(abs(s) >= threshold for s in steps),
        "skewness": m3 / m2**1.5,
        "kurtosis": m4 / m2**2 - 3,
    }


def plain_spectrum(x: list[float]) -> dict[str, float]:
    """A discrete Fourier transform by its definition."""
    n = len(x)
    size = 1
    while size < n:
        size *= 2
    mean = math.fsum(x) / n
    power = [
        abs(sum((v - mean) * cmath.exp(-2j * math.pi * k * i / size) for i, v in enumerate(x))) ** 2 / size
        for k in range(size // 2 + 1)
    ]
    frequency = [k * FS_HZ / size for k in range(len(power))]
    total = math.fsum(power)
    running, median = 0.0, 0.0
    for f, p in zip(frequency, power, strict=True):
        running += p
        if running >= total / 2:
            median = f
            break
    return {
        "mean_frequency": math.fsum(f * p for f, p in zip(frequency, power, strict=True)) / total,
        "median_frequency": median,
        "total_power": total,
        "mean_power": total / len(power),
    }


@pytest.fixture
def windows() -> np.ndarray:
    return 1e-4 * np.random.default_rng(5).standard_normal((30, 100)) * np.linspace(0.1, 3, 30)[:, None]


@pytest.mark.parametrize("threshold", [0.0, 1e-4])
def test_time_domain_is_the_plain_loop(windows, threshold):
    expected = [plain(row.tolist(), threshold) for row in windows]
    together = features.time_domain(windows, threshold)
    for column, name in enumerate(features.TIME_DOMAIN):
        own = getattr(features, name)
        takes = name in {"zero_crossings", "slope_sign_changes", "wamp"}
        one = own(windows, threshold) if takes else own(windows)
        want = [row[name] for row in expected]
        np.testing.assert_allclose(one, want, rtol=1e-10, atol=1e-14, err_msg=name)
        np.testing.assert_array_equal(one, together[:, column])


def test_spectral_features_are_the_plain_transform(windows):
    expected = [plain_spectrum(row.tolist()) for row in windows[:6]]
    together = features.spectral(windows[:6], FS_HZ)
    for column, name in enumerate(features.SPECTRAL):
        one = getattr(features, name)(windows[:6], FS_HZ)
        np.testing.assert_allclose(one, [row[name] for row in expected], rtol=1e-9, err_msg=name)
        np.testing.assert_array_equal(one, together[:, column])


DEGREE = {
    "integrated_emg": 1, "mav": 1, "rms": 1, "variance": 2, "log_detector": 1, "waveform_length": 1,
    "zero_crossings": 0, "slope_sign_changes": 0, "wamp": 0, "skewness": 0, "kurtosis": 0,
}  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(-40, 40), st.sampled_from([0.0, 0.5]))
def test_scale_laws(seed, exponent, threshold):
    """c x has the features of x times c to a power; a power of two, so that nothing rounds."""
    x = np.random.default_rng(seed).standard_normal((4, 64))
    c = 2.0**exponent
    scaled, own = features.time_domain(c * x, c * threshold), features.time_domain(x, threshold)
    for column, (name, degree) in enumerate(DEGREE.items()):
        np.testing.assert_allclose(scaled[:, column], own[:, column] * c**degree, rtol=1e-12, err_msg=name)
    powers = np.array([1.0, 1.0, c * c, c * c])
    np.testing.assert_allclose(features.spectral(c * x, FS_HZ), features.spectral(x, FS_HZ) * powers, rtol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 300))
def test_windows_do_not_know_each_other(seed, length):
    x = np.random.default_rng(seed).standard_normal((250, length))
    rows = [0, 100, 249]
    np.testing.assert_array_equal(
        features.time_domain(x)[rows], np.concatenate([features.time_domain(x[[r]]) for r in rows])
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_order_of_means(seed):
    """Geometric mean <= arithmetic mean <= quadratic mean."""
    x = np.random.default_rng(seed).standard_normal((8, 50))
    assert (features.log_detector(x) <= features.mav(x)).all()
    assert (features.mav(x) <= features.rms(x)).all()


def test_silence_and_a_constant_give_numbers():
    still = np.stack([np.zeros(64), np.full(64, 0.1), np.full(64, 1e-5)])
    found = np.concatenate([features.time_domain(still), features.spectral(still, FS_HZ)], axis=1)
    assert np.isfinite(found).all()
    assert (found[:, [9, 10]] == 0).all()  # no shape
    assert (features.spectral(still[:1], FS_HZ) == 0).all()


@pytest.mark.parametrize("bad", [np.zeros(5), np.zeros((3, 0))])
def test_other_shapes_are_refused(bad):
    with pytest.raises(ValueError, match=r"windows must be \[n, L\]"):
        features.time_domain(bad)
