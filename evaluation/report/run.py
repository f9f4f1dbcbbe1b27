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
from cleansemg.evaluation.stats.comparisons import compared
from cleansemg.evaluation.table1 import OtherSets
from cleansemg.evaluation.tables import SETS

if TYPE_CHECKING:
    from cleansemg.settings import Settings

DRAWN = "combined"


@dataclass(frozen=True)
class Run:
    """The content of a folder of results.

    Attributes:
        settings: the configuration, as the tables stage saved it.
        layout: the folder.
        profile: profile of the metrics in the first table.
        set_name: name of the test set of Table 1.
        main: scores on that test set.
        drawn: scores on the drawn set, which has more rows (other tracks, slow methods); `main` where it is Table 1's.
        others: scores on the set without noise and on people of other data sets.
        labels: what the parts of the run share; empty where they share nothing.
    """

    settings: Settings
    layout: Layout
    profile: str
    set_name: str
    main: Sequence[Scores]
    drawn: Sequence[Scores]
    others: OtherSets
    labels: Sequence[str]

    @property
    def drawn_name(self) -> str:
        """Name of the test set of `drawn`."""
        return self.set_name if self.drawn is self.main else DRAWN

    @property
    def rows(self) -> dict[tuple[str, str], tuple[str, Scores]]:
        """Every denoiser and track -> the set that stands for it, Table 1's where it was evaluated there."""
        every = [*((self.set_name, one) for one in self.main), *((self.drawn_name, one) for one in self.drawn)]
        rows: dict[tuple[str, str], tuple[str, Scores]] = {}
        for name, scores in every:
            rows.setdefault((scores.label, scores.track), (name, scores))
        return rows

    @property
    def tracks(self) -> dict[str, tuple[str, list[Scores]]]:
        """Track -> a set and the denoisers to compare on it: Table 1's set where it has two, else the drawn one."""
        tracks = {track: (self.set_name, rows) for track, rows in compared(self.main).items()}
        for track, rows in compared(self.drawn).items():
            if track not in tracks or len(tracks[track][1]) < 2:
                tracks[track] = (self.drawn_name, rows)
        return tracks


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
    names = [name for name in SETS if any((layout.root / "denoised").glob(f"*/*/{name}/{MANIFEST}"))]
    set_name = settings.mix.sets[0] if printed else names[0]
    profile = protocol_tables.read_printed(settings).profile if printed else settings.evaluate.profiles[0]
    main = read_scores(settings, layout, set_name)
    sets = {name: read_scores(settings, layout, name) for name in names if name != set_name and not printed}
    others = OtherSets(sets.get("clean", ()), sets.get("out_of_domain", ()))
    return Run(settings, layout, profile, set_name, main, sets.get(DRAWN, main), others, leak_labels(layout))
