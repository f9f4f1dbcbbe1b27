"""A finished run as the report needs it: its configuration and the scores of its test sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cleansemg.core import config
from cleansemg.core.artifact import MANIFEST, read_manifest
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.data_pipeline.leak_labels import leak_labels
from cleansemg.evaluation import metrics, protocol_tables
from cleansemg.evaluation.scores import Scores, read_scores
from cleansemg.evaluation.scoring import SCHEMA

if TYPE_CHECKING:
    from cleansemg.settings import Settings


@dataclass(frozen=True)
class Run:
    """The content of a folder of results.

    Attributes:
        settings: the configuration, as the tables stage saved it.
        layout: the folder.
        profile: profile of the metrics in the first table.
        set_name: name of the test set of Table 1.
        main: scores on that test set.
        cells: scores on the grid (every SNR with every number of kinds); `main` where the run has no grid.
        labels: what the parts of the run share; empty where they share nothing.
    """

    settings: Settings
    layout: Layout
    profile: str
    set_name: str
    main: Sequence[Scores]
    cells: Sequence[Scores]
    labels: Sequence[str]

    @property
    def cells_name(self) -> str:
        """Name of the test set of `cells`."""
        return self.set_name if self.cells is self.main else "grid"


def open_run(results: Path) -> Run:
    """Read a folder of results.

    Raises:
        UserError: it is not a folder of results, nothing was evaluated, or the tables are missing.
    """
    layout = Layout(results)
    saved = layout.tables / "config.yaml"
    if not results.is_dir():
        raise UserError(
            f"{results}: no such folder of results; make one: cleansemg run --config demo --output {results}"
        )
    if not saved.is_file():
        raise UserError(
            f"{saved}: not there, so the tables of this run are missing; run the stage 'tables' of its "
            f"configuration: cleansemg run --config NAME --stages tables --output {results}"
        )
    settings = config.load(saved)
    manifests = sorted((layout.root / "denoised").glob(f"*/*/*/{MANIFEST}"))
    if not manifests:
        raise UserError(
            f"{results}: holds no evaluated denoiser; a task's results are shown in the report of a benchmark: "
            f"cleansemg report RESULTS --task {results}"
        )
    metrics.use_stored(read_manifest(manifests[0].parent, SCHEMA).info.get("metrics", {}))
    printed = settings.tables.printed is not None
    set_name = settings.mix.sets[0] if printed else "combined"
    profile = protocol_tables.read_printed(settings).profile if printed else settings.evaluate.profiles[0]
    main = read_scores(settings, layout, set_name)
    has_grid = set_name != "grid" and any((layout.root / "denoised").glob(f"*/*/grid/{MANIFEST}"))
    cells = read_scores(settings, layout, "grid") if has_grid else main
    return Run(settings, layout, profile, set_name, main, cells, leak_labels(layout))
