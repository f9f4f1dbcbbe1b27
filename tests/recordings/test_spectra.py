import numpy as np
import pytest
from scipy import signal

from cleansemg.denoising.power_line import find_power_line
from cleansemg.recordings.spectra import AveragedSpectrum, find_line, mean_and_median_hz

FS_HZ = 1000.0


def noise(seconds=20.0, seed=0, fs_hz=FS_HZ):
    return np.random.default_rng(seed).standard_normal(round(seconds * fs_hz))


def spectrum_of(x, fs_hz=FS_HZ, cuts=()):
    averaged = AveragedSpectrum(fs_hz)
    for piece in np.split(x, cuts):
        averaged.push(piece)
    averaged.end_stretch()
    return averaged.result()


def test_is_welchs_estimate_of_scipy():
    x = noise()
    n = round(4 * FS_HZ)
    window = np.hanning(n + 2)[1:-1]
    frequency_hz, density = signal.welch(x, FS_HZ, window=window, noverlap=n // 2, nfft=4 * n, detrend="constant")
    own = spectrum_of(x)
    np.testing.assert_allclose(own.frequency_hz, frequency_hz)
    np.testing.assert_allclose(own.density[1:-1], density[1:-1], rtol=1e-9)


def test_does_not_depend_on_the_blocks():
    x = noise()
    whole, cut = spectrum_of(x), spectrum_of(x, cuts=[1, 17, 5000, 5001, 13000])
    np.testing.assert_array_equal(whole.density, cut.density)


def test_density_integrates_to_the_variance():
    own = spectrum_of(3e-5 * noise(60))
    total = own.density.sum() * own.frequency_hz[1]
    assert total == pytest.approx(9e-10, rel=0.05)


def test_a_piece_never_reaches_across_a_gap():
    x = noise(8)
    averaged = AveragedSpectrum(FS_HZ)
    averaged.push(x[:3900])
    averaged.end_stretch()
    averaged.push(x[3900:7000])
    averaged.end_stretch()
    assert averaged.result().longest_s == pytest.approx(3.9)  # the longest stretch alone, not 7 s of two


@pytest.mark.parametrize(("mains_hz", "n_harmonics"), [(50.1, 1), (59.93, 3)])
def test_finds_the_line_that_the_denoisers_find(mains_hz, n_harmonics):
    t = np.arange(20_000) / FS_HZ
    x = noise() + sum(0.5 * np.sin(2 * np.pi * k * mains_hz * t + k) for k in range(1, n_harmonics + 1))
    line, reference = find_line(spectrum_of(x)), find_power_line(x, FS_HZ)
    assert line.present
    assert line.mains_hz == round(mains_hz / 10) * 10
    assert line.peak_hz == pytest.approx(mains_hz, abs=0.01)
    assert line.peak_hz == pytest.approx(reference.frequency_hz, abs=0.005)
    assert line.harmonics == reference.harmonics == tuple(range(1, n_harmonics + 1))
    assert line.level_db == pytest.approx(10 * np.log10(reference.ratio), abs=0.7)


def test_noise_holds_no_line():
    found = [find_line(spectrum_of(noise(seed=seed))) for seed in range(20)]
    assert not any(line.present for line in found)
    assert all(line.level_db is not None and line.harmonics == () for line in found)


def test_nothing_is_looked_for_in_less_than_a_second_or_in_silence():
    assert find_line(spectrum_of(noise(0.9))).mains_hz is None
    assert find_line(spectrum_of(np.zeros(5000))).mains_hz is None
    assert mean_and_median_hz(spectrum_of(np.zeros(5000))) == (None, None)
    assert mean_and_median_hz(spectrum_of(np.empty(0))) == (None, None)


def test_median_frequency_of_flat_noise_is_the_middle_of_the_band():
    mean_hz, median_hz = mean_and_median_hz(spectrum_of(1e-6 * noise(60)))
    assert mean_hz == pytest.approx(260, abs=3)
    assert median_hz == pytest.approx(260, abs=3)
