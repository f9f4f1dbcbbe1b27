"""One channel before and after denoising: waveform, spectrogram, spectrum."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError
from cleansemg.denoising.power_line import MAINS_HZ
from cleansemg.recordings.plot_levels import (
    RANGE_DB,
    density_unit,
    highest_hz,
    level_db,
    spectrum_level,
    spectrum_range,
    top_db,
)
from cleansemg.recordings.report import ChannelReport
from cleansemg.recordings.traces import Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Float64 = NDArray[np.float64]

FORMATS = (".png", ".pdf", ".svg")
BEFORE, AFTER, LINE = "0.45", "#0b6fa4", "#c0392b"
SILENCE_DB = -1000.0  # no power: far below what is drawn


@dataclass(frozen=True)
class Pair:
    """What a picture shows.

    Attributes:
        before: the channel's report.
        after: likewise.
        trace: of both.
        volts_per_unit: of the unit in the reports, which the picture uses.
        denoiser: its name, for the title.
    """

    before: ChannelReport
    after: ChannelReport
    trace: Trace
    volts_per_unit: float
    denoiser: str


def check_format(path: Path) -> None:
    """Refuse a name that no picture can have.

    Raises:
        UserError: another suffix than `FORMATS`.
    """
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"{path}: a picture is one of {', '.join(FORMATS)}, not '{path.suffix}'")


def draw(pair: Pair, suffix: str = ".png") -> bytes:
    """The picture as a file's content; the same pair gives the same bytes.

    Left before, right after, on the same scales: the whole waveform less its mean, the 2 s in which the denoised signal
    is strongest, the spectrogram; below both spectra, with the line's frequency marked.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 10), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(4, 2, height_ratios=(1, 1, 1.15, 1.2))
    _waveforms(figure, grid, pair)
    _excerpts(figure, grid, pair)
    _spectrograms(figure, grid, pair)
    _spectra(figure.add_subplot(grid[3, :]), pair)
    figure.suptitle(_title(pair), x=0.01, ha="left", fontsize=13)
    buffer = BytesIO()
    dates: dict[str, Any] = {".png": {"Software": None}, ".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
    with mpl.rc_context({"svg.hashsalt": "cleansemg"}):
        figure.savefig(buffer, format=suffix.lower().lstrip("."), dpi=120, metadata=dates[suffix.lower()])
    return buffer.getvalue()


def _title(pair: Pair) -> str:
    before, after = pair.before.snr, pair.after.snr
    text = f"{pair.before.name}, denoised by {pair.denoiser}"
    if before is not None and after is not None:
        text += f": predicted SNR {before.median_db:.1f} → {after.median_db:.1f} dB"
    return text


def _waveforms(figure: Figure, grid: Any, pair: Pair) -> None:
    shown = [envelope.result() for envelope in pair.trace.envelopes]
    duration_s = pair.before.duration_s
    unit_s, unit = (60.0, "min") if duration_s >= 300 else (1.0, "s")
    curves = []
    for (time_s, low, high), report in zip(shown, (pair.before, pair.after), strict=True):
        mean = _volts(report.mean, pair)
        curves.append((time_s / unit_s, (low - mean) / pair.volts_per_unit, (high - mean) / pair.volts_per_unit))
    limit = _limit(*(edge for _, low, high in curves for edge in (low, high)))
    for column, (time, low, high) in enumerate(curves):
        axes = figure.add_subplot(grid[0, column])
        colour = (BEFORE, AFTER)[column]
        axes.fill_between(time, low, high, color=colour, linewidth=0)
        if len(time) > 1 and pair.trace.envelopes[column].size == 1:  # samples, not bins
            axes.plot(time, low, color=colour, linewidth=0.6)
        else:
            axes.plot(time, low, color=colour, linewidth=0.3)
            axes.plot(time, high, color=colour, linewidth=0.3)
        _waveform_axes(axes, limit, duration_s / unit_s, unit, pair)
        axes.set_title(("before", "after")[column], loc="left", fontsize=11)


def _excerpts(figure: Figure, grid: Any, pair: Pair) -> None:
    from matplotlib.ticker import MaxNLocator

    excerpt = pair.trace.excerpt()
    time_s = excerpt.start_s + np.arange(len(excerpt.before)) / pair.before.fs_hz
    means = (_volts(pair.before.mean, pair), _volts(pair.after.mean, pair))
    pieces = [(x - mean) / pair.volts_per_unit for x, mean in zip((excerpt.before, excerpt.after), means, strict=True)]
    limit = _limit(*pieces)
    for column, piece in enumerate(pieces):
        axes = figure.add_subplot(grid[1, column])
        axes.plot(time_s, piece, color=(BEFORE, AFTER)[column], linewidth=0.6)
        _waveform_axes(axes, limit, 0, "s", pair)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        if len(time_s) > 1:
            axes.set_xlim(float(time_s[0]), float(time_s[-1]))


def _waveform_axes(axes: Axes, limit: float, stop: float, unit: str, pair: Pair) -> None:
    axes.set_ylim(-limit, limit)
    if stop:
        axes.set_xlim(0, stop)
    axes.set_xlabel(f"time ({unit})")
    axes.set_ylabel(f"less its mean ({pair.before.unit})")
    axes.grid(alpha=0.25)


def _spectrograms(figure: Figure, grid: Any, pair: Pair) -> None:
    levels = []
    unit_s, unit = (60.0, "min") if pair.before.duration_s >= 300 else (1.0, "s")
    for spectrogram in pair.trace.spectrograms:
        time_s, frequency_hz, power = spectrogram.result()
        step_s = spectrogram.frames * spectrogram.hop / pair.before.fs_hz
        levels.append((time_s / unit_s, frequency_hz, level_db(power, pair.volts_per_unit, SILENCE_DB), step_s))
    top = top_db(levels[0][2]) or 0.0
    image = None
    panels = []
    for column, (time, frequency_hz, level, step_s) in enumerate(levels):
        axes = figure.add_subplot(grid[2, column])
        panels.append(axes)
        axes.set_facecolor("0.85")  # gaps
        if level.size:
            half_hz = frequency_hz[1] / 2
            half = step_s / unit_s / 2
            image = axes.imshow(
                level, origin="lower", aspect="auto", interpolation="nearest", cmap="magma",
                vmin=top - RANGE_DB, vmax=top,
                extent=(float(time[0]) - half, float(time[-1]) + half, -half_hz, float(frequency_hz[-1]) + half_hz),
            )  # fmt: skip
        axes.set_xlim(0, pair.before.duration_s / unit_s)
        axes.set_ylim(0, highest_hz(pair.before.fs_hz))
        axes.set_xlabel(f"time ({unit})")
        axes.set_ylabel("frequency (Hz)")
    if image is not None:
        figure.colorbar(image, ax=panels, label=density_unit(pair.before.unit), pad=0.01, aspect=14)


def _spectra(axes: Axes, pair: Pair) -> None:
    levels = []
    for report, colour, name in ((pair.before, BEFORE, "before"), (pair.after, AFTER, "after")):
        frequency_hz, level = spectrum_level(report, pair.volts_per_unit, SILENCE_DB)
        levels.append(level)
        axes.plot(frequency_hz, level, color=colour, linewidth=1.0, label=name)
    line = pair.before.line
    if line.peak_hz is not None and line.present:
        for k in line.harmonics:
            axes.axvline(k * line.peak_hz, color=LINE, linewidth=0.8, linestyle=":", zorder=0)
        text = f"line at {line.peak_hz:.2f} Hz, {line.level_db:.0f} dB over its neighbours"
        axes.plot([], [], color=LINE, linewidth=0.8, linestyle=":", label=text)
    if not line.present:
        mains = [hz for hz in MAINS_HZ if hz < pair.before.fs_hz / 2]
        for hz in mains:
            axes.axvline(hz, color="0.7", linewidth=0.8, linestyle=":", zorder=0)
        axes.plot([], [], color="0.7", linewidth=0.8, linestyle=":", label="50 and 60 Hz: no line found")
    axes.set_xlim(0, highest_hz(pair.before.fs_hz))
    limits = spectrum_range(levels)
    if limits is not None:
        axes.set_ylim(*limits)
    axes.set_xlabel("frequency (Hz)")
    axes.set_ylabel(density_unit(pair.before.unit))
    axes.grid(alpha=0.25)
    axes.legend(loc="upper right", fontsize=9, frameon=False)


def _volts(mean: float | None, pair: Pair) -> float:
    """A mean in the reports' unit to volts; only differences are drawn, so the file's offset drops out."""
    return 0.0 if mean is None else mean * pair.volts_per_unit


def _limit(*curves: Float64) -> float:
    """Symmetric limit that holds all values."""
    largest = max((float(np.nanmax(np.abs(c))) for c in curves if np.isfinite(c).any()), default=1.0)
    return 1.05 * largest or 1.0
