"""The plots of one channel: waveform and spectrogram over time, before and after, and both spectra."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cleansemg.app.samples import Samples
from cleansemg.recordings import ChannelReport
from cleansemg.recordings.plot_levels import (
    RANGE_DB,
    density_unit,
    highest_hz,
    level_db,
    spectrum_level,
    spectrum_range,
    top_db,
)
from cleansemg.recordings.traces import Spectrogram

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Float64 = NDArray[np.float64]

BEFORE, AFTER, LINE = "#8a8f98", "#0b6fa4", "#c0392b"
FONT = {"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "size": 12, "color": "#22303c"}
GRID = "#e6e9ed"
HEIGHT = {"stacked": 780, "overlaid": 660, "before": 460}  # pixels
SPECTRUM_HEIGHT = 320
MIN_SPAN_S = 0.02


@dataclass(frozen=True)
class Side:
    """One channel before or after: its samples, its place in them, and what the meter says of it."""

    samples: Samples
    channel: int
    report: ChannelReport


@dataclass(frozen=True)
class View:
    """What is drawn.

    Attributes:
        before: as it came.
        after: denoised; None: there is no such thing yet.
        volts_per_unit: of the unit in the reports, which the plots use.
        offset: the number in the file that stands for 0 V.
        overlaid: both waveforms in one plot, else one above the other.
        key: the zoom stays as long as this stays the same.
    """

    before: Side
    after: Side | None
    volts_per_unit: float
    offset: float
    overlaid: bool
    key: str


def time_plots(view: View, start_s: float | None = None, stop_s: float | None = None) -> Figure:
    """Waveforms above spectrograms, with one time axis; `start_s` to `stop_s` is drawn finely (None: the whole)."""
    from plotly import graph_objects
    from plotly.subplots import make_subplots

    sides = [(view.before, "before", BEFORE)] + ([(view.after, "after", AFTER)] if view.after is not None else [])
    overlaid = view.overlaid and view.after is not None
    n_waves = 1 if overlaid else len(sides)
    titles = ["before and after" if overlaid else name for _, name, _ in sides[:n_waves]]
    figure = make_subplots(
        rows=n_waves + len(sides), cols=1, shared_xaxes=True, vertical_spacing=0.055,
        subplot_titles=[*titles, *(f"spectrogram, {name}" for _, name, _ in sides)],
    )  # fmt: skip
    duration_s = view.before.samples.duration_s
    first_s, last_s = span_of(start_s, stop_s, duration_s)
    drawn = []
    for row, (side, name, colour) in enumerate(sides):
        time_s, volts = side.samples.curve(side.channel, first_s, last_s)
        line = {"color": colour, "width": 1}
        value = _values(side, view, volts)
        drawn.append(value)
        figure.add_trace(
            graph_objects.Scatter(x=time_s, y=value, mode="lines", line=line, name=name, connectgaps=False,
                       hovertemplate="%{x:.4f} s: %{y:.4g} " + side.report.unit + "<extra>" + name + "</extra>"),
            row=1 if overlaid else row + 1, col=1,
        )  # fmt: skip
    colours_to: float | None = None
    for row, (side, name, _) in enumerate(sides):
        time_s, frequency_hz, power_db = _spectrogram(side, view, first_s, last_s)
        if colours_to is None:  # one scale of colours, so that a weaker signal is darker
            colours_to = top_db(power_db)
        figure.add_trace(
            graph_objects.Heatmap(x=time_s, y=frequency_hz, z=power_db.astype(np.float32), colorscale="Magma",
                       zmin=(colours_to or 0.0) - RANGE_DB, zmax=colours_to or 0.0, showscale=False, name=name,
                       hovertemplate="%{x:.2f} s, %{y:.0f} Hz: %{z:.0f} dB<extra></extra>"),
            row=n_waves + row + 1, col=1,
        )  # fmt: skip
    _time_axes(figure, view, n_waves, len(sides), (first_s, last_s))
    level = abs(view.before.report.mean or 0.0)
    for row in range(1, n_waves + 1):  # on one scale, so that a smaller one looks smaller
        figure.update_yaxes(title_text=view.before.report.unit, range=_limits(drawn, level), row=row, col=1)
    form = "before" if view.after is None else "overlaid" if overlaid else "stacked"
    figure.update_layout(showlegend=overlaid)
    return _finish(figure, HEIGHT[form], view.key)


def spectra(view: View) -> Figure:
    """Welch spectra before and after, with the power line marked where there is one."""
    from plotly import graph_objects

    figure = graph_objects.Figure()
    levels = []
    sides = [(view.before, "before", BEFORE)] + ([(view.after, "after", AFTER)] if view.after is not None else [])
    for side, name, colour in sides:
        frequency_hz, level = spectrum_level(side.report, view.volts_per_unit)
        levels.append(level)
        figure.add_trace(
            graph_objects.Scatter(x=frequency_hz, y=level, mode="lines", line={"color": colour, "width": 1.4},
                       name=name, hovertemplate="%{x:.0f} Hz: %{y:.1f} dB<extra>" + name + "</extra>")
        )  # fmt: skip
    line = view.before.report.line
    if line.present and line.peak_hz is not None:
        for k in line.harmonics:
            figure.add_vline(k * line.peak_hz, line={"color": LINE, "width": 1, "dash": "dot"})
        figure.add_annotation(
            x=line.peak_hz, y=1, yref="y domain", yanchor="top", xanchor="left", xshift=3, showarrow=False,
            text=f"power line {line.peak_hz:.1f} Hz", font={"size": 11, "color": LINE},
        )  # fmt: skip
    figure.update_xaxes(
        title="frequency (Hz)", range=[0, highest_hz(view.before.report.fs_hz)], gridcolor=GRID, zeroline=False
    )
    figure.update_yaxes(title=density_unit(view.before.report.unit), gridcolor=GRID, zeroline=False)
    limits = spectrum_range(levels)
    if limits is not None:
        figure.update_yaxes(range=limits)
    return _finish(figure, SPECTRUM_HEIGHT, f"spectra {view.key}")


def span_of(start_s: float | None, stop_s: float | None, duration_s: float) -> tuple[float, float]:
    """A stretch within the recording, in order and not shorter than can be drawn."""
    first = 0.0 if start_s is None or not np.isfinite(start_s) else min(max(start_s, 0.0), duration_s)
    last = duration_s if stop_s is None or not np.isfinite(stop_s) else min(max(stop_s, 0.0), duration_s)
    first, last = min(first, last), max(first, last)
    if last - first < MIN_SPAN_S:
        first = max(min(first, duration_s - MIN_SPAN_S), 0.0)
        last = min(first + MIN_SPAN_S, duration_s)
    return first, last


def _time_axes(figure: Figure, view: View, n_waves: int, n_sides: int, span_s: tuple[float, float]) -> None:
    # the stretch that is drawn, said outright: plotly forgets a zoom of axes that are tied to each other
    figure.update_xaxes(range=list(span_s), gridcolor=GRID, zeroline=False)
    figure.update_xaxes(title_text="time (s)", row=n_waves + n_sides, col=1)
    figure.update_yaxes(gridcolor=GRID, zeroline=False, fixedrange=True)  # heights follow what is drawn
    ends_hz = highest_hz(view.before.report.fs_hz)
    for row in range(n_waves + 1, n_waves + n_sides + 1):
        figure.update_yaxes(title_text="Hz", range=[0, ends_hz], row=row, col=1)


def _finish(figure: Figure, height: int, key: str) -> Figure:
    figure.update_layout(
        height=height, margin={"l": 58, "r": 12, "t": 34, "b": 44}, paper_bgcolor="white", plot_bgcolor="white",
        font=FONT, uirevision=key, dragmode="zoom", hovermode="closest",
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom"},
    )  # fmt: skip
    figure.update_yaxes(title_standoff=4)
    for note in figure.layout.annotations:
        if note.xref == "paper":  # titles of the plots go to the left
            note.update(x=0, xanchor="left", font={"size": 12})
    return figure


def _spectrogram(side: Side, view: View, start_s: float, stop_s: float) -> tuple[Float64, Float64, Float64]:
    """Middles of columns, frequencies, level [k, columns] in dB of the unit squared per Hz; NaN in gaps."""
    fs_hz = side.samples.fs_hz
    spectrogram = Spectrogram(fs_hz)
    start = max(int(start_s * fs_hz) - spectrogram.n, 0)
    stop = int(stop_s * fs_hz) + spectrogram.n
    x = side.samples.part(side.channel, start, stop)
    for first in range(0, len(x), 2**18):
        spectrogram.push(x[first : first + 2**18].astype(np.float64))
    time_s, frequency_hz, power = spectrogram.result()
    return time_s + start / fs_hz, frequency_hz, np.round(level_db(power, view.volts_per_unit), 1)


def _limits(curves: list[NDArray[np.float32]], level: float) -> list[float]:
    """Of an axis that holds all values; plotly's own goes wrong where axes are tied to each other.

    `level` is what was taken off the curves: a constant leaves its rounding, which is not worth a look.
    """
    finite = np.concatenate([curve[np.isfinite(curve)] for curve in curves])
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
    if high - low <= 1e-6 * level:
        return [-level or -1.0, level or 1.0]
    margin = 0.05 * (high - low)
    return [low - margin, high + margin]


def _values(side: Side, view: View, volts: Float64) -> NDArray[np.float32]:
    """Volts less the channel's mean, in the reports' unit; 32 bits are more than a screen shows, and half to load."""
    mean = side.report.mean
    middle = 0.0 if mean is None else mean - view.offset
    return (volts / view.volts_per_unit - middle).astype(np.float32)
