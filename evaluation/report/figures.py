"""Pictures of the report as SVG inside the page; the same run gives the same text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import TYPE_CHECKING

import numpy as np

from cleansemg.core.rendering import Table
from cleansemg.evaluation import pictures
from cleansemg.evaluation.report.costs import Cost
from cleansemg.evaluation.report.run import Run
from cleansemg.evaluation.scores import Scores
from cleansemg.evaluation.stats import ranks as ranking
from cleansemg.evaluation.stats.intervals import person_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEADLINE = "SNRimp"
FILLS = {"blind": "full", "auto": "left", "oracle": "none", "published": "right"}  # of the markers


def snr_curves(run: Run) -> dict[str, str]:
    """SNR improvement over SNR, one picture per track; each includes floor and ceiling."""
    drawings = {}
    for track, (name, _) in run.tracks.items():
        every = run.main if name == run.set_name else run.drawn
        shown = [s for s in every if s.track == track or s.label in pictures.REFERENCE_ROWS]
        figure = pictures.new_figure(8.6, max(4.2, 1.2 + 0.23 * len(shown)))
        axes = figure.add_subplot()
        pictures.draw_snr_curves(axes, shown, f"{run.profile}.{HEADLINE}", run.settings)
        axes.set_title(f"{track} track, test set: {name}", loc="left", fontsize=11)
        figure.legend(loc="outside right center", fontsize=8, frameon=False, handlelength=3.0)
        drawings[track] = to_svg(figure, f"snr-{track}", f"SNR improvement over input SNR, {track} track")
    return drawings


def critical_differences(rankings: Mapping[str, ranking.Ranks | None]) -> dict[str, str]:
    """Demšar's critical-difference diagram for each track that has ranks."""
    shown = {}
    for track, ranks in rankings.items():
        if ranks is None:
            continue
        figure = pictures.new_figure(8.6, pictures.critical_difference_height(ranks))
        axes = figure.add_subplot()
        ranking.draw(ranks, axes)
        title = pictures.critical_difference_title(ranks, track)
        axes.set_title(title, loc="left", fontsize=11)
        shown[track] = to_svg(figure, f"ranks-{track}", title)
    return shown


def quality_against_cost(run: Run, costs: Sequence[Cost]) -> str:
    """SNR improvement with its interval over real-time factor and over number of parameters; "" without costs."""
    by_row = {(cost.label, cost.track): cost for cost in costs if cost.real_time_factor is not None}
    every = [scores for _, scores in run.rows.values()]
    rows = [s for s in every if (s.label, s.track) in by_row and s.label not in pictures.REFERENCE_ROWS]
    if not rows:
        return ""
    figure = pictures.new_figure(9.4, max(4.2, 1.2 + 0.23 * len(rows)))
    speed, size = figure.subplots(1, 2, sharey=True)
    colours = pictures.colours_of(every)
    fewest = min((c.parameters for c in by_row.values() if c.parameters), default=0)
    untrained = fewest / 8 if fewest else 1.0  # position of methods without trained parameters on the logarithmic axis
    for scores in rows:
        cost = by_row[scores.label, scores.track]
        mean, low, high = _headline(scores, run)
        colour, marker = colours[scores.label]
        error = [[max(mean - low, 0)], [max(high - mean, 0)]] if np.isfinite([low, high]).all() else None
        for axes, x in ((speed, cost.real_time_factor), (size, cost.parameters or untrained)):
            axes.errorbar(
                [x], [mean], yerr=error, color=colour, marker=marker, markersize=7, elinewidth=1, linestyle="none",
                fillstyle=FILLS[scores.track], markerfacecoloralt="white",
                label=pictures.plain(f"{scores.label} ({scores.track})"),
            )  # fmt: skip
    speed.set_xscale("log")
    speed.axvline(1.0, color="0.6", linewidth=1, linestyle=":")
    speed.set_xlabel("real-time factor (1: as long as the signal)")
    speed.set_ylabel("SNR improvement (dB)")
    size.set_xscale("log")
    _number_of_parameters([c.parameters for c in by_row.values() if c.parameters], size)
    if fewest and any(not by_row[s.label, s.track].parameters for s in rows):
        size.axvline(untrained * 2, color="0.6", linewidth=1, linestyle=":")
        size.text(untrained, 1.01, "none", transform=size.get_xaxis_transform(), ha="center", fontsize=8, color="0.35")
    for axes in (speed, size):
        axes.grid(alpha=0.3)
    figure.legend(*speed.get_legend_handles_labels(), loc="outside right center", fontsize=8, frameon=False)
    return to_svg(figure, "cost", "SNR improvement against real-time factor and against parameters")


def task_accuracy(table: Table, number: int) -> str:
    """A task's accuracy with its interval for clean, noisy and each denoiser; a dashed line marks noisy.

    Args:
        table: a table of `task_tables`.
        number: number of the task in the page, for the ids of the picture.
    """
    rows = [row for row in table.rows if isinstance(row.get("accuracy_percent"), int | float)]
    figure = pictures.new_figure(8.6, 0.8 + 0.23 * len(rows))
    axes = figure.add_subplot()
    for position, row in enumerate(rows):
        limits = [row.get(f"accuracy_{end}") for end in ("percent", "low", "high")]
        mean, low, high = (np.nan if value is None else float(value) for value in limits)
        colour = {"clean": "0.4", "noisy": pictures.COLOURS[1]}.get(str(row["input"]), pictures.COLOURS[0])
        axes.plot([low, high], [position, position], color=colour, linewidth=2, alpha=0.5)
        axes.plot([mean], [position], color=colour, marker="o", markersize=5)
        if row["input"] == "noisy":
            axes.axvline(mean, color=colour, linewidth=1, linestyle="--")
    axes.set_yticks(range(len(rows)), [pictures.plain(str(row["input"])) for row in rows], fontsize=9)
    axes.invert_yaxis()
    axes.set_xlabel("accuracy (%); dashed: noisy")
    axes.grid(axis="x", alpha=0.3)
    return to_svg(figure, f"task-{number}", f"Accuracy and interval of each input: {table.title}")


def _number_of_parameters(counts: Sequence[int], axes: Axes) -> None:
    """Set ticks at 1 and 3 of each decade with a network; the axis extends to methods without parameters."""
    from matplotlib.ticker import EngFormatter, FixedLocator, NullLocator

    axes.set_xlabel("trained parameters")
    if counts:
        decades = range(int(np.log10(min(counts))) - 1, int(np.log10(max(counts))) + 2)
        ticks = [m * 10.0**e for e in decades for m in (1, 3) if min(counts) / 2 <= m * 10.0**e <= 2 * max(counts)]
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.xaxis.set_minor_locator(NullLocator())


def to_svg(figure: Figure, name: str, description: str) -> str:
    """The figure as an `svg` element; ids begin with `name`, because several pictures share a page."""
    import matplotlib as mpl

    text = StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "path.simplify_threshold": 0.2}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    body = text.getvalue()
    body = body[body.index("<svg") :]  # without XML declaration and document type
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    prefix = re.sub(r"\W+", "-", name)
    body = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", body)
    body = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}-\1"', body)
    body = body.replace("'DejaVu Sans', 'Bitstream Vera Sans'", "Helvetica, Arial, 'DejaVu Sans'")
    from markupsafe import escape

    return body.replace("<svg ", f'<svg role="img" aria-label="{escape(description)}" ', 1)


def _headline(scores: Scores, run: Run) -> tuple[float, float, float]:
    values = scores.of(run.profile, [HEADLINE])
    mean, low, high = person_interval(values, scores.subject, run.settings.tables.confidence)
    return float(mean[0]), float(low[0]), float(high[0])
