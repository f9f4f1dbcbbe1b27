"""Our rows beside the numbers that were printed for the published benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from cleansemg.core.registry import configs_folder
from cleansemg.core.rendering import Column, Table
from cleansemg.evaluation import metrics
from cleansemg.evaluation.scores import Scores
from cleansemg.evaluation.stats.breakdowns import MEANS_OF_PAPERS, mixture_means
from cleansemg.evaluation.table1 import heading

if TYPE_CHECKING:
    from cleansemg.settings import Settings

HEADLINE = "SNRimp"


def beside_published(every: Sequence[Scores], settings: Settings) -> Table:
    """Our rows by the published definitions of the metrics, beside the printed numbers."""
    content = yaml.safe_load((configs_folder() / "published.yaml").read_text())
    keys: list[str] = content["metrics"]
    catalogue = metrics.catalogue()
    rows: list[dict[str, Any]] = []
    for scores in every:
        mean_values = mixture_means(
            scores, "published", [catalogue[key] for key in keys], np.ones(len(scores.failed), bool), settings
        )
        rows.append({"denoiser": scores.label, "source": f"this run, {scores.track}", **mean_values})
    for version, printed in content["versions"].items():
        for name, numbers in printed.items():
            rows.append(
                {
                    "denoiser": content["ours"][name],
                    "source": f"{name}, {version}",
                    **dict(zip(keys, numbers, strict=True)),
                }
            )
    order = list(dict.fromkeys([*(scores.label for scores in every), *content["ours"].values()]))
    rows.sort(key=lambda row: order.index(row["denoiser"]))
    columns = [Column("denoiser", "denoiser"), Column("source", "source")]
    for key in keys:
        limits = (f"{key}_low", f"{key}_high")
        shown = limits if key == HEADLINE else None
        columns += [Column(key, heading(catalogue[key]), catalogue[key].decimals, shown), *map(Column, limits)]
    note = (
        "Metrics as published, epsilons included (profile `published`). The printed numbers are of other recordings "
        "(Ninapro DB2), clipped test signals and, for the classical rows, denoisers that were told the kinds of noise: "
        "they stand beside ours for orientation and can't be compared digit by digit."
    )
    interval = MEANS_OF_PAPERS.format(settings.tables.confidence)
    return Table("Beside the published Table 1", columns, rows, [note, interval])
