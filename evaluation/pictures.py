"""Pictures beside the tables; the same scores give the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cleansemg.core.npz import atomic_write
from cleansemg.evaluation.scores import Scores
from cleansemg.evaluation.stats import ranks
from cleansemg.evaluation.stats.intervals import person_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cleansemg.settings import Settings

LineStyle = str | tuple[int, tuple[int, ...]]  # matplotlib's: a name, or an offset and lengths of dashes and gaps
REFERENCE_STYLES: dict[str, LineStyle] = {
    "identity": "-", "zero": ":", "gain": "-.", "gain_oracle": (0, (1, 3)), "wiener_oracle": "--",
    "psm_oracle": (0, (6, 2)), "psd_oracle": (0, (3, 1, 1, 1)),
}  # fmt: skip
REFERENCE_ROWS = tuple(REFERENCE_STYLES)
TRACK_STYLES = {"blind": "-", "auto": ":", "oracle": "--", "published": "-."}
# the colour-blind safe palette of Okabe and Ito, then darker colours
COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A4FB5", "#8C564B", "#5C8A00", "#B00040",
    "#00808A", "#6B6B00",
)  # fmt: skip
MARKERS = "osD^vP*Xh"


def snr_curves(every: Sequence[Scores], column: str, path: Path, settings: Settings) -> None:
    """Save a picture of SNR improvement over input SNR: one curve per denoiser and track, with intervals as bands."""
    figure = new_figure(9, 5)
    axes = figure.add_subplot()
    draw_snr_curves(axes, every, column, settings)
    axes.set_title(
        "SNR improvement by SNR (dashed: told the kinds of noise; bands: intervals)", loc="left", fontsize=11
    )
    figure.legend(loc="outside right center", fontsize=8, frameon=False, handlelength=3.5)
    save_png(figure, path)


def critical_differences(ranking: ranks.Ranks, track: str, path: Path) -> None:
    """Save a picture of mean ranks over subjects, with bars across denoisers that are not critically different."""
    figure = new_figure(9, critical_difference_height(ranking))
    axes = figure.add_subplot()
    ranks.draw(ranking, axes)
    axes.set_title(critical_difference_title(ranking, track), loc="left", fontsize=11)
    save_png(figure, path)


def critical_difference_title(ranking: ranks.Ranks, track: str) -> str:
    """The title of a diagram, with the critical difference of two ranks."""
    return (
        f"{track} track: mean rank of SNRimp over {ranking.n_subjects} subjects; "
        f"critical difference {ranking.critical_difference:.2f}"
    )


def critical_difference_height(ranking: ranks.Ranks) -> float:
    """The height of the diagram in inches."""
    return 1.3 + 0.16 * len(ranking.labels)


def draw_snr_curves(axes: Axes, every: Sequence[Scores], column: str, settings: Settings) -> None:
    """Draw the curves, with labels for a legend."""
    colours = colours_of(every)
    for scores in every:
        snrs = np.unique(scores.snr_db)
        values = scores.values[column]
        masks = [scores.snr_db == snr for snr in snrs]
        limits = [
            person_interval(values[mask, None], scores.subject[mask], settings.tables.confidence) for mask in masks
        ]
        reference = scores.label in REFERENCE_ROWS
        colour, marker = colours[scores.label]
        means, low, high = ([float(at_snr[end][0]) for at_snr in limits] for end in range(3))
        axes.fill_between(snrs, low, high, color=colour, alpha=0.13, linewidth=0)
        axes.plot(
            snrs, means, color=colour, linestyle=REFERENCE_STYLES.get(scores.label) or TRACK_STYLES[scores.track],
            marker=None if reference else marker, markersize=4, linewidth=1.2 if reference else 1.8,
            label=plain(f"{scores.label} ({scores.track})"),
        )  # fmt: skip
    axes.set_xlabel("SNR of the mixture (dB)")
    axes.set_ylabel("SNR improvement (dB)")
    axes.grid(alpha=0.3)


def colours_of(every: Sequence[Scores]) -> Mapping[str, tuple[str, str]]:
    """Colour and marker of each denoiser, the same on every track; floor and ceiling are grey."""
    styles: dict[str, tuple[str, str]] = {}
    n = 0
    for scores in every:
        if scores.label in styles:
            continue
        if scores.label in REFERENCE_ROWS:
            styles[scores.label] = ("0.45", "x")
        else:
            styles[scores.label] = (COLOURS[n % len(COLOURS)], MARKERS[(n // len(COLOURS) + n) % len(MARKERS)])
            n += 1
    return styles


def plain(text: str) -> str:
    """Escape a name so that matplotlib does not read it as a formula."""
    return text.replace("$", r"\$")


def new_figure(width_in: float, height_in: float) -> Figure:
    """A figure that needs no display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_png(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, atomically and without a date."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    atomic_write(path, buffer.getvalue())
