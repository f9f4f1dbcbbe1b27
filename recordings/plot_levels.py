"""What both plots of a recording draw, the picture of `--plot` and those of the page: spectra and levels in dB."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleansemg.recordings.report import ChannelReport
from cleansemg.recordings.traces import HIGHEST_HZ

Float64 = NDArray[np.float64]

RANGE_DB = 60.0  # of a spectrogram's colours
TOP_SHARE = 0.998  # of a spectrogram's values that lie below the top of its colours
SPECTRUM_STEP_HZ = 1.0  # a drawn spectrum is the mean over so much
BELOW_DB, ABOVE_DB = 80.0, 5.0  # of the highest point of the spectra: what their axis shows


def level_db(density: Float64, volts_per_unit: float, silence_db: float = np.nan) -> Float64:
    """A density in volts squared per Hz as dB of the unit squared per Hz; NaN in gaps, `silence_db` of no power."""
    with np.errstate(divide="ignore", invalid="ignore"):
        level: Float64 = 10 * np.log10(density / volts_per_unit**2)
    return np.where(np.isneginf(level), silence_db, level)


def spectrum_level(report: ChannelReport, volts_per_unit: float, silence_db: float = np.nan) -> tuple[Float64, Float64]:
    """Frequencies in Hz and levels in dB of a channel's spectrum, as `level_db`.

    Means over `SPECTRUM_STEP_HZ`: the grid of the estimate is far finer than its scatter.
    """
    frequency_hz, density = report.spectrum.frequency_hz, report.spectrum.density
    size = max(round(SPECTRUM_STEP_HZ / frequency_hz[1]), 1)
    n = len(density) // size
    means = [values[: n * size].reshape(n, size).mean(axis=1) for values in (frequency_hz, density)]
    return means[0], level_db(means[1], volts_per_unit, silence_db)


def spectrum_range(levels: list[Float64]) -> list[float] | None:
    """Lowest and highest level of the axis of some spectra; None where there is no power at all."""
    top = max((float(np.nanmax(level)) for level in levels if np.isfinite(level).any()), default=None)
    return None if top is None else [top - BELOW_DB, top + ABOVE_DB]


def top_db(level: Float64) -> float | None:
    """The level at the top of a spectrogram's colours; None where it has no value."""
    finite = level[np.isfinite(level)]
    return float(np.quantile(finite, TOP_SHARE)) if len(finite) else None


def density_unit(unit: str) -> str:
    """How an axis of levels is named."""
    return f"dB re 1 {unit}²/Hz"


def highest_hz(fs_hz: float) -> float:
    """Where an axis of frequencies ends."""
    return min(HIGHEST_HZ, fs_hz / 2)
