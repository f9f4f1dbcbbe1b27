import numpy as np
import pytest
from scipy import signal

from cleansemg.core.periodogram import density_factor, half_overlapping, hann, power, power_of_centred


@pytest.mark.parametrize("n", [2, 7, 250, 4001])
def test_the_window_is_symmetric_without_zeros_and_cannot_be_changed(n):
    window = hann(n)
    assert len(window) == n
    assert window.min() > 0
    np.testing.assert_allclose(window, window[::-1], atol=1e-15)
    with pytest.raises(ValueError, match="read-only"):
        window[0] = 1.0


@pytest.mark.parametrize(("n", "n_fft"), [(250, 250), (251, 251), (250, 2000)])
def test_the_mean_over_pieces_is_welchs_density(n, n_fft):
    x = np.random.default_rng(n).standard_normal(3000) + 5.0
    pieces = half_overlapping(x, n)
    expected = signal.welch(x, 500.0, hann(n), n, n - n // 2, n_fft)[1]
    density = power_of_centred(pieces, n_fft).mean(axis=0) * density_factor(n, 500.0)
    np.testing.assert_allclose(density[1:-1], expected[1:-1], rtol=1e-9)


def test_a_mean_is_power_at_0_hz_unless_taken_off():
    x = np.ones(100)
    assert power(x)[0] == pytest.approx(hann(100).sum() ** 2)
    assert power_of_centred(x)[0] == 0
