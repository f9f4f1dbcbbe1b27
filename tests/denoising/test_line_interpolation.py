"""The line method: lines fitted and interpolated, nothing else touched."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from cleansemg.core.errors import UserError
from cleansemg.denoising import InputError, load
from cleansemg.denoising.line_interpolation import LineInterpolation, fitted, interpolated, tuned
from tests.denoising.noise_signals import clean_emg, contaminated
from tests.denoising.signals import FS_HZ, at_snr, emg, snr_db

T = np.arange(2000) / FS_HZ


def line(frequency_hz: float, n_harmonics: int = 3) -> np.ndarray:
    return np.sum([np.sin(2 * np.pi * k * frequency_hz * T + k) / k for k in range(1, n_harmonics + 1)], axis=0)


@pytest.mark.parametrize("frequency_hz", [49.7, 50.0, 50.2, 59.87])
def test_a_line_is_removed_and_the_band_kept(frequency_hz: float) -> None:
    clean = emg(6)
    noisy = at_snr(clean, line(frequency_hz)[None].repeat(6, axis=0), -10)
    estimate = LineInterpolation().denoise(noisy, FS_HZ)
    assert (snr_db(clean, estimate) + 10).min() > 25
    # a notch would leave a hole
    around = signal.butter(4, [frequency_hz - 1, frequency_hz + 1], btype="bandpass", fs=FS_HZ, output="sos")
    kept = np.std(signal.sosfiltfilt(around, estimate)) / np.std(signal.sosfiltfilt(around, clean))
    assert 0.5 < kept < 1.1


def test_a_line_that_swells_is_interpolated() -> None:
    """What a fit of constant amplitude leaves is lowered to the level beside it."""
    clean = emg(6)
    noisy = at_snr(clean, ((1 + 0.5 * np.cos(2 * np.pi * 0.5 * T)) * line(50.0))[None].repeat(6, axis=0), -10)
    narrow, wide = (LineInterpolation(width_hz=w).denoise(noisy, FS_HZ) for w in (0.1, 2.0))
    assert (snr_db(clean, wide) - snr_db(clean, narrow)).mean() > 3


def test_what_holds_no_line_passes() -> None:
    clean = clean_emg()
    np.testing.assert_allclose(LineInterpolation().denoise(clean, FS_HZ), clean, rtol=1e-6, atol=1e-12)


def test_the_fit_finds_frequency_and_amplitude() -> None:
    x = 3e-4 * line(50.13)
    found_hz = tuned(x, FS_HZ, 50.0, (1, 2, 3))
    assert found_hz == pytest.approx(50.13, abs=1e-3)
    np.testing.assert_allclose(fitted(x, FS_HZ, found_hz, (1, 2, 3)), x, atol=1e-2 * np.abs(x).max())


def test_interpolation_lowers_a_peak_to_its_surroundings() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(2000) + 5 * np.sin(2 * np.pi * 50 * T)
    spectrum = np.abs(np.fft.rfft(interpolated(x, FS_HZ, [50.0], 1.0)))
    before = np.abs(np.fft.rfft(x))
    at = np.fft.rfftfreq(2000, 1 / FS_HZ)
    inside = np.abs(at - 50) <= 0.5
    assert before[inside].max() > 4000
    assert spectrum[inside].max() < 1.5 * np.median(before)
    np.testing.assert_allclose(spectrum[~inside], before[~inside], atol=1e-9 * before.max())


@pytest.mark.parametrize("change", [{"width_hz": 6.0}, {"threshold": 1e9}, {"n_harmonics": 1}])
def test_every_parameter_changes_the_output(change: dict[str, float]) -> None:
    noisy = contaminated("PLI", -5, 2)[1]
    reference = LineInterpolation().denoise(noisy, FS_HZ)
    changed = LineInterpolation(**change).denoise(noisy, FS_HZ)  # type: ignore[arg-type]
    assert np.abs(changed - reference).max() > 1e-2 * np.abs(reference).max()


def test_refusals() -> None:
    with pytest.raises(InputError, match="needs 32 samples, got 10"):
        load("line_interpolation").denoise(np.ones(10), FS_HZ)
    for name in ("width_hz", "threshold", "n_harmonics"):
        with pytest.raises(UserError, match=f"{name} is 0"):
            load("line_interpolation", **{name: 0})
