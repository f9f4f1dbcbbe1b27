"""Pictures beside the tables."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np

from core.npz import atomic_write
from evaluation.scores import Scores

REFERENCE_ROWS = ("identity", "zero", "wiener_oracle")


def snr_curves(every: Sequence[Scores], column: str, path: Path) -> None:
    """SNR improvement over input SNR, one curve a denoiser and track; the same scores give the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    colours: dict[str, str] = {}
    for scores in every:
        snrs = np.unique(scores.snr_db)
        values = scores.values[column]
        means = [_mean(values[scores.snr_db == snr]) for snr in snrs]
        reference = scores.label in REFERENCE_ROWS
        colour = "0.45" if reference else colours.setdefault(scores.label, f"C{len(colours) % 10}")
        style = {"identity": "-", "zero": ":", "wiener_oracle": "--"}.get(scores.label)
        axes.plot(
            snrs, means, color=colour, linestyle=style or ("--" if scores.track == "oracle" else "-"),
            marker=None if reference else "o", markersize=4, linewidth=1.2 if reference else 1.8,
            label=f"{scores.label} ({scores.track})",
        )  # fmt: skip
    axes.set_xlabel("SNR of the mixture (dB)")
    axes.set_ylabel("SNR improvement (dB)")
    axes.set_title("SNR improvement by SNR (dashed: told the kinds of noise)", loc="left", fontsize=11)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right center", fontsize=8, frameon=False, handlelength=3.5)
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    atomic_write(path, buffer.getvalue())


def _mean(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")
