"""Write the losses of a training to losses.csv and curves.png; equal losses produce identical files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from cleansemg.core.npz import atomic_write
from cleansemg.training.checkpoint import EpochResult

HEADER = "epoch,train_loss,valid_loss,learning_rate"
TRAIN_COLOUR, VALID_COLOUR, MUTED_COLOUR = "#0072B2", "#D55E00", "#666666"


def write_losses(path: Path, history: Sequence[EpochResult]) -> None:
    """Write losses.csv: one line for each epoch, numbers in full precision."""
    rows = [f"{r.epoch},{r.train_loss!r},{r.valid_loss!r},{r.learning_rate!r}" for r in history]
    atomic_write(path, ("\n".join([HEADER, *rows]) + "\n").encode())


def write_curves(path: Path, history: Sequence[EpochResult], best: EpochResult, loss: str, title: str) -> None:
    """Draw training and validation loss and the epoch `best`, and the learning rate below; `loss` names the loss."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    epochs = [r.epoch for r in history]
    figure = Figure(figsize=(7.0, 4.8), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    losses, rates = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    marker = "o" if len(epochs) < 40 else ""
    losses.plot(epochs, [r.train_loss for r in history], color=TRAIN_COLOUR, marker=marker, ms=3, label="training")
    losses.plot(epochs, [r.valid_loss for r in history], color=VALID_COLOUR, marker=marker, ms=3, label="validation")
    losses.axvline(best.epoch, color=MUTED_COLOUR, ls=":", lw=1)
    losses.plot(
        [best.epoch], [best.valid_loss], "o", ms=8, mfc="none", mec=VALID_COLOUR,
        label=f"best: {best.valid_loss:.4g}, epoch {best.epoch}",
    )  # fmt: skip
    losses.set_ylabel(f"loss ({loss})")
    losses.set_title(title)
    losses.legend(frameon=False)
    rates.step(epochs, [r.learning_rate for r in history], where="mid", color=MUTED_COLOUR)
    rates.set_yscale("log")
    rates.set_ylabel("learning\nrate")
    rates.yaxis.set_minor_formatter(NullFormatter())
    rates.yaxis.set_major_locator(LogLocator(numticks=4))
    rates.set_xlabel("epoch")
    rates.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (losses, rates):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    atomic_write(path, buffer.getvalue())
