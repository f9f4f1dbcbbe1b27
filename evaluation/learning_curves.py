"""The learning curves of all networks of a run, as one table and one picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleansemg.core.layout import Layout
from cleansemg.core.npz import atomic_write
from cleansemg.core.registry import find
from cleansemg.core.rendering import Column, Table, to_csv
from cleansemg.denoising.loading import display_name, has_small_weights
from cleansemg.evaluation.pictures import COLOURS, plain
from cleansemg.training.fit_files import BEST, LEARNING_CURVE
from cleansemg.training.seeds import finished_fits, label_of

if TYPE_CHECKING:
    from cleansemg.settings import Settings

NAME = "learning_curves"
MEASURES = {"SI_SDRimp": "SI-SDR improvement (dB)", "SNRimp": "SNR improvement (dB)"}
Row = dict[str, Any]


def write(settings: Settings, layout: Layout) -> None:
    """Write `learning_curves.csv` and `.png` of the networks that this run has fitted; none without fits."""
    rows = read(settings, layout)
    for ending in ("csv", "png"):
        (layout.tables / f"{NAME}.{ending}").unlink(missing_ok=True)
    if not rows:
        return
    columns = [Column(key) for key in ("denoiser", "seed", "mixtures", *MEASURES, "used")]
    atomic_write(layout.tables / f"{NAME}.csv", to_csv(Table("", columns, rows)).encode())
    draw(rows, layout.tables / f"{NAME}.png")


def read(settings: Settings, layout: Layout) -> list[Row]:
    """One row a point: network, seed, mixtures seen, mean improvements, and whether the weights there are used."""
    rows: list[Row] = []
    for name in dict.fromkeys(find("denoisers", model).name for model in settings.train.models):
        entry = find("denoisers", name)
        for seed, folder in finished_fits(settings, layout, name).items():
            path = folder / LEARNING_CURVE
            if not path.exists():  # train.curve_mixtures is 0
                continue
            who = {"denoiser": name, "seed": settings.seed if seed is None else seed, "label": label_of(name, seed)}
            who["shown"] = display_name(name, has_small_weights(entry, folder / BEST, {}))
            with path.open(encoding="utf-8", newline="") as file:
                for line in csv.DictReader(file):
                    scores = {key: float(line[key]) for key in MEASURES}
                    rows.append({**who, "mixtures": int(line["mixtures"]), **scores, "used": int(line["used"])})
    return rows


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw a panel a measure: a line a fit, a colour a network, a ring where the weights are those in use."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    networks = list(dict.fromkeys(row["denoiser"] for row in rows))
    figure = Figure(figsize=(9.0, 3.8), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (key, heading) in zip(figure.subplots(1, len(MEASURES)), MEASURES.items(), strict=True):
        for label in dict.fromkeys(row["label"] for row in rows):
            points = [row for row in rows if row["label"] == label]
            name = points[0]["denoiser"]
            first = next(row["label"] for row in rows if row["denoiser"] == name) == label
            colour = COLOURS[networks.index(name) % len(COLOURS)]
            axes.plot(
                [p["mixtures"] for p in points], [p[key] for p in points], color=colour, marker=".", ms=4,
                lw=1.4 if first else 0.7, label=plain(points[0]["shown"]) if first else None,
            )  # fmt: skip
            used = [p for p in points if p["used"]]
            axes.plot([p["mixtures"] for p in used], [p[key] for p in used], "o", ms=7, mfc="none", mec=colour)
        axes.set_xlabel("mixtures seen")
        axes.set_ylabel(heading)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    atomic_write(path, buffer.getvalue())
