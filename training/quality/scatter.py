"""The figure of the test step: predicted against true SNR."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np

from cleansemg.core.npz import atomic_write
from cleansemg.training.quality.agreement import MEASURES
from cleansemg.training.quality.report import Predictions

DOT_COLOUR, LINE_COLOUR, MEDIAN_COLOUR = "#0072B2", "#666666", "#D55E00"
MOST_DOTS = 6000
BIN_DB = 1.0


def write_scatter(path: Path, predictions: Predictions, title: str) -> None:
    """Draw dots for up to 6000 mixtures, the identity, and median and 10th to 90th percentile by true SNR."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    true, predicted = predictions.snr_db, predictions.predicted_db
    shown = np.arange(min(len(true), MOST_DOTS)) * len(true) // min(len(true), MOST_DOTS)
    low = float(np.floor(min(true.min(), np.quantile(predicted, 0.001)) - 1))
    high = float(np.ceil(max(true.max(), np.quantile(predicted, 0.999)) + 1))
    figure = Figure(figsize=(5.4, 5.4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(true[shown], predicted[shown], ".", ms=3, alpha=0.4, mew=0, color=DOT_COLOUR)
    axes.plot([low, high], [low, high], "--", lw=1, color=LINE_COLOUR, label="predicted = true")
    centres = np.arange(np.floor(true.min()), np.ceil(true.max()) + 1e-9, BIN_DB)
    groups = [predicted[np.abs(true - centre) <= BIN_DB / 2] for centre in centres]
    filled = [
        (centre, *np.quantile(group, [0.1, 0.5, 0.9]))
        for centre, group in zip(centres, groups, strict=True)
        if len(group)
    ]
    at, lower, median, upper = np.array(filled).T
    axes.plot(at, median, color=MEDIAN_COLOUR, lw=1.5, label="median")
    axes.fill_between(at, lower, upper, color=MEDIAN_COLOUR, alpha=0.2, lw=0, label="10th to 90th percentile")
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.set_aspect("equal")
    axes.set_xlabel("true SNR (dB)")
    axes.set_ylabel("predicted SNR (dB)")
    values = {name: measure(true, predicted) for name, measure in MEASURES.items()}
    axes.set_title(f"{predictions.name}: {title}", fontsize=10)
    axes.text(
        0.97, 0.04,
        f"{len(true)} mixtures\nLCC {values['LCC']:.4f}\nSRCC {values['SRCC']:.4f}\n"
        f"MSE {values['MSE']:.2f} dB²\nMAE {values['MAE']:.2f} dB",
        transform=axes.transAxes, ha="right", va="bottom", fontsize=9,
    )  # fmt: skip
    axes.plot([], [], ".", ms=6, color=DOT_COLOUR, label="mixtures")  # an opaque dot for the legend
    axes.legend(frameon=False, loc="upper left", fontsize=9)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    buffer = BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    atomic_write(path, buffer.getvalue())
