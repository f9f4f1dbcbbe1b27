"""Tables about the fits of a run's networks: several training seeds, and learning curves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cleansemg.core.artifact import MANIFEST
from cleansemg.core.layout import Layout
from cleansemg.data_pipeline.leak_labels import leak_labels
from cleansemg.evaluation import learning_curves
from cleansemg.evaluation.row_names import write
from cleansemg.evaluation.scores import Scores, read_scores
from cleansemg.evaluation.seed_table import seeds_table

if TYPE_CHECKING:
    from cleansemg.settings import Settings


def run(settings: Settings, layout: Layout, profile: str) -> None:
    """Write `learning_curves.*` of fitted networks, and `seeds.*` where networks have several seeds.

    Files of an earlier run go away.

    Args:
        settings: of the run.
        layout: its folders.
        profile: of the metrics.
    """
    learning_curves.write(settings, layout)
    for path in layout.tables.glob("seeds.*"):
        path.unlink()
    sets: dict[str, list[Scores]] = {
        name: read_scores(settings, layout, name, all_seeds=True)
        for name in settings.mix.sets
        if settings.train.seeds and any((layout.root / "denoised").glob(f"*/*/{name}/{MANIFEST}"))
    }
    table = seeds_table(sets, profile, settings)
    if table is not None:
        write([replace(table, notes=[*table.notes, *leak_labels(layout)])], layout.tables, "seeds")
