"""Figures for the tables: confusion matrices, accuracy by input, losses; equal results produce identical files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cleansemg.core.npz import atomic_write
from cleansemg.downstream.common.losses import Losses
from cleansemg.downstream.common.results import InputResult, ModelResult
from cleansemg.downstream.common.streams import CLEAN, NOISY
from cleansemg.downstream.common.tables import LEAKS_TITLE
from cleansemg.training.curves import TRAIN_COLOUR, VALID_COLOUR

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_NUMBERS = 12  # up to this number of classes, cells show their value
REFERENCE_COLOUR, DENOISED_COLOUR, NOISY_COLOUR = "#666666", "#0072B2", "#D55E00"


def best_denoiser(result: ModelResult) -> InputResult | None:
    """The denoised input with the highest accuracy, the first one on a tie; None if there is none."""
    denoised = [
        entry for entry in result.inputs if entry.name not in {CLEAN, NOISY, *result.controls} and entry.n_examples
    ]
    return max(denoised, key=lambda entry: entry.values["accuracy"], default=None)


def confusion_matrices(result: ModelResult, path: Path) -> None:
    """Draw the confusion matrices of clean, noisy and the best denoiser; each row in percent of its class."""
    shown = [result.input(CLEAN), result.input(NOISY), best_denoiser(result)]
    panels = [entry for entry in shown if entry is not None and entry.n_examples]
    figure = _figure(4.2 * len(panels) + 0.8, 4.8)
    every = figure.subplots(1, len(panels), squeeze=False)[0]
    k = len(result.classes)
    for axes, entry in zip(every, panels, strict=True):
        rows = entry.confusion.sum(axis=1, keepdims=True)
        percent = np.divide(100 * entry.confusion, rows, out=np.full_like(entry.confusion, np.nan), where=rows > 0)
        drawn = axes.imshow(percent, vmin=0, vmax=100, cmap="Blues")
        axes.set_title(f"{entry.name}: {100 * entry.values['accuracy']:.1f} % right", fontsize=11)
        axes.set_xlabel("answer")
        if k <= MOST_NUMBERS:
            axes.set_xticks(range(k), result.classes, rotation=45, ha="right", fontsize=8)
            axes.set_yticks(range(k), result.classes, fontsize=8)
            for row, column in np.argwhere(np.isfinite(percent)):
                value = percent[row, column]
                colour = "white" if value > 55 else "black"
                axes.text(column, row, f"{value:.0f}", ha="center", va="center", color=colour, fontsize=8)
    every[0].set_ylabel("class")
    figure.colorbar(drawn, ax=list(every), label="% of the class", shrink=0.8)
    _finish(figure, result, path)


def accuracy_by_input(result: ModelResult, path: Path) -> None:
    """Draw the accuracy of every input with its interval; lines mark noisy and always answering the largest class."""
    shown = [entry for entry in result.inputs if entry.n_examples]
    figure = _figure(7.5, 1.3 + 0.32 * len(shown))
    axes = figure.add_subplot()
    for at, entry in enumerate(shown):
        value = 100 * entry.values["accuracy"]
        colour = {CLEAN: REFERENCE_COLOUR, NOISY: NOISY_COLOUR}.get(entry.name, DENOISED_COLOUR)
        low, high = (100 * limit for limit in entry.interval["accuracy"])
        if np.isfinite(low):
            axes.plot([low, high], [at, at], color=colour, lw=2, alpha=0.5, solid_capstyle="butt")
        axes.plot(value, at, "o", color=colour, ms=6)
        axes.annotate(
            f"{value:.1f}",
            (value, at),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=7.5,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )
    noisy = result.input(NOISY)
    if noisy is not None and noisy.n_examples:
        axes.axvline(100 * noisy.values["accuracy"], color=NOISY_COLOUR, lw=1, ls="--", zorder=0)
    axes.axvline(100 * result.largest_class, color=REFERENCE_COLOUR, lw=1, ls=":", zorder=0)
    axes.set_xlim(left=min(axes.get_xlim()[0], 100 * result.largest_class - 2))  # so that the dotted line is visible
    axes.set_yticks(range(len(shown)), [entry.name for entry in shown])
    axes.set_ylim(len(shown) - 0.4, -0.8)
    axes.set_xlabel("accuracy, % (dashed: noisy; dotted: always the most frequent class)")
    axes.grid(axis="x", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    _finish(figure, result, path)


def losses(result: ModelResult, folds: Sequence[Losses], path: Path) -> None:
    """Draw training and validation loss of every fold by epoch; a ring marks the selected epoch."""
    from matplotlib.ticker import MaxNLocator

    figure = _figure(7.0, 4.0)
    axes = figure.add_subplot()
    for number, fold in enumerate(folds):
        epochs = list(fold)
        best = min(fold, key=lambda epoch: fold[epoch][1])
        labels = ("training", "validation", "kept") if number == 0 else (None, None, None)
        axes.plot(epochs, [fold[e][0] for e in epochs], color=TRAIN_COLOUR, lw=1.2, alpha=0.8, label=labels[0])
        axes.plot(epochs, [fold[e][1] for e in epochs], color=VALID_COLOUR, lw=1.2, alpha=0.8, label=labels[1])
        axes.plot(best, fold[best][1], "o", ms=7, mfc="none", mec=VALID_COLOUR, label=labels[2])
    axes.set_xlabel("epoch")
    axes.set_ylabel(f"cross entropy, {len(folds)} fold(s)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    _finish(figure, result, path)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _finish(figure: Figure, result: ModelResult, path: Path) -> None:
    title = f"{result.task}, {result.model}"
    figure.suptitle(f"{title}\n{LEAKS_TITLE}" if result.leaks else title, fontsize=11)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    atomic_write(path, buffer.getvalue())
