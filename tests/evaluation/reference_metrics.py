"""The metrics again, one segment and one window at a time, written from their formulas with scipy and loops.

Slow and plain on purpose: the oracle of test_metrics.py and the baseline of benchmarks/metrics.py. Nothing here
comes from `evaluation`.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from scipy import signal, stats

KEYS = ("SNRimp", "RMSE", "PRD", "LSD", "RMSE_ARV", "RMSE_ZCR", "RMSE_MNF", "RMSE_MDF", "RMSE_Kurtosis")


def score(clean, noisy, denoised, fs_hz, profile):
    """Every metric of one segment ([L] arrays), a dict of floats."""
    clean, noisy, denoised = (np.asarray(x, np.float64) for x in (clean, noisy, denoised))
    published = profile == "published"
    snr = _published_snr if published else _snr
    error = float(np.sum((denoised - clean) ** 2))
    energy = float(np.sum(clean**2))
    still_std = 1e-12 if published else math.sqrt(1e-8 * energy / clean.size)
    if published:
        lsd = _published_lsd(clean, denoised, fs_hz)
        frequencies = {"MNF": [_published_mnf(x, fs_hz) for x in (clean, denoised)]}
        frequencies["MDF"] = [_published_mdf(x, fs_hz) for x in (clean, denoised)]
    else:
        spectra_clean, spectra_denoised, f_hz = _floored_spectra(clean, denoised, fs_hz)
        lsd = np.mean(
            [_rms(10 * np.log10(a) - 10 * np.log10(b)) for a, b in zip(spectra_clean, spectra_denoised, strict=True)]
        )
        frequencies = {
            "MNF": [[np.average(f_hz, weights=p) for p in spectra] for spectra in (spectra_clean, spectra_denoised)],
            "MDF": [[_median(f_hz, p) for p in spectra] for spectra in (spectra_clean, spectra_denoised)],
        }
    features = {
        "ARV": [[np.abs(w).mean() for w in _windows(x, fs_hz)] for x in (clean, denoised)],
        "ZCR": [[_sign_changes(w) / (w.size / fs_hz) for w in _windows(x, fs_hz)] for x in (clean, denoised)],
        **frequencies,
        "Kurtosis": [[_kurtosis(w, still_std) for w in _windows(x, fs_hz)] for x in (clean, denoised)],
    }
    return {
        "SNRimp": snr(clean, denoised) - snr(clean, noisy),
        "RMSE": math.sqrt(error / clean.size),
        "PRD": 100 * math.sqrt(error / (energy + (1e-12 if published else 0.0))),
        "LSD": lsd,
        **{f"RMSE_{name}": _rms(np.subtract(*pair)) for name, pair in features.items()},
    }


def _rms(x):
    return math.sqrt(np.mean(np.square(x)))


def _windows(x, fs_hz):
    length = round(0.2 * fs_hz)
    return [x[start : start + length] for start in range(0, x.size - length + 1, length)]


def _snr(clean, estimate):
    energy = float(np.sum(clean**2))
    error = max(float(np.sum((estimate - clean) ** 2)), energy / 4.0**24)
    return 10 * math.log10(energy / error)


def _published_snr(clean, estimate):
    error = float(np.sum((estimate - clean) ** 2))
    return 100.0 if error < 1e-12 else 10 * math.log10(float(np.sum(clean**2)) / (error + 1e-12))


def _sign_changes(window):
    signs = [s for s in np.sign(window).tolist() if s != 0]
    return sum(a != b for a, b in pairwise(signs))


def _kurtosis(window, still_std):
    return 0.0 if np.std(window) <= still_std else float(stats.kurtosis(window, fisher=True, bias=True))


def _floored_spectra(clean, denoised, fs_hz):
    def spectra(x):
        rows = []
        for window in _windows(x, fs_hz):
            f_hz, power = signal.periodogram(window, fs_hz, window="hann", detrend=False, scaling="density")
            band = (f_hz >= 20 - 1e-6) & (f_hz <= 500 + 1e-6)
            rows.append(power[band])
        return np.array(rows), f_hz[band]

    of_clean, f_hz = spectra(clean)
    of_denoised, _ = spectra(denoised)
    floor = 10**-8 * of_clean.mean()
    return np.maximum(of_clean, floor), np.maximum(of_denoised, floor), f_hz


def _median(f_hz, power):
    step = f_hz[1] - f_hz[0]
    edges = np.append(f_hz - step / 2, f_hz[-1] + step / 2)
    cumulated = np.concatenate([[0.0], np.cumsum(power)])
    return np.interp(cumulated[-1] / 2, cumulated, edges)


def _published_lsd(clean, denoised, fs_hz):
    if clean.size < 1536:
        return math.nan
    levels = []
    for x in (clean, denoised):
        f_hz, _, s = signal.stft(x, fs_hz, window=np.hanning(512), nperseg=512, noverlap=384)
        band = (f_hz >= 20) & (f_hz <= 500)
        levels.append(10 * np.log10(np.abs(s[band]) ** 2 + 1e-10))
    return np.sqrt(np.mean((levels[0] - levels[1]) ** 2, axis=0)).mean()


def _published_mnf(x, fs_hz):
    f_hz, _, s = signal.stft(x, fs_hz, window="boxcar", nperseg=200, noverlap=0, nfft=1024, boundary="constant")
    band = (f_hz >= 20) & (f_hz < 500)
    frames = [200 * np.abs(column[band]) for column in s.T]
    values = [np.sum(f_hz[band] * a) / np.sum(a) if np.sum(a) > 1e-12 else None for a in frames]
    known = [v for v in values if v is not None]
    return [(np.median(known) if known else math.nan) if v is None else v for v in values]


def _published_mdf(x, fs_hz):
    f_hz = np.fft.rfftfreq(1024, 1 / fs_hz)
    band = (f_hz >= 20) & (f_hz <= 500)
    values = []
    for window in _windows(x, fs_hz):
        power = np.abs(np.fft.rfft(np.pad(window, (0, 824)) * np.hanning(1024))[band]) ** 2
        values.append(f_hz[band][np.flatnonzero(np.cumsum(power) >= power.sum() / 2)[0]])
    return values
