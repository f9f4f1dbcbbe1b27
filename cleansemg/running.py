"""A configuration run from its first stage to its tables: what `cleansemg run` and `run_benchmark` share."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cleansemg import stages as pipeline
from cleansemg import user_classes, user_denoisers
from cleansemg.core import config as configuration
from cleansemg.core import user_modules
from cleansemg.core.layout import Layout
from cleansemg.core.stage import Report, RunOptions


@dataclass(frozen=True)
class BenchmarkRun:
    """What was run.

    Attributes:
        folder: of the results.
        reports: one a stage.
    """

    folder: Path
    reports: tuple[Report, ...]

    @property
    def n_failures(self) -> int:
        """Items that could not be processed; `failures.csv` of a stage's folder names them."""
        return sum(report.n_failures for report in self.reports)

    def table(self, name: str = "table1") -> list[dict[str, str]]:
        """The rows of a table, as its CSV has them."""
        with (Layout(self.folder).tables / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))


def run_stages(
    config: Path,
    output: Path | None = None,
    *,
    stages: str = "all",
    denoisers: Sequence[str] = (),
    overrides: Sequence[str] = (),
    workers: int = 1,
    scheduler: str | None = None,
    force: bool = False,
    on_report: Callable[[str, Report], None] | None = None,
) -> BenchmarkRun:
    """Run stages of a configuration.

    Args:
        config: a file, or the name of a configuration of the project.
        output: folder of the results; None: `paths.output` of the configuration.
        stages: all, or some, with commas between.
        denoisers: beside those of the configuration.
        overrides: `a.b=value` texts.
        workers: local processes.
        scheduler: of a Dask cluster.
        force: start over where results of other settings lie.
        on_report: called after each stage, with its name.

    Raises:
        UserError: an unknown stage or denoiser; a class of the user that cannot be used; what the stages raise.
    """
    settings = configuration.load(config, overrides)
    user_modules.allow(name for _, name in user_modules.targets_in(settings))
    root = output or configuration.require_path(settings.paths.output, "paths.output", settings)
    user_classes.require_all(settings)
    settings = user_denoisers.add(settings, denoisers)
    known = pipeline.of(settings)
    reports = []
    for name, function in pipeline.functions(pipeline.parse(stages, known), known):
        work = user_denoisers.stage(name, function, denoisers)
        reports.append(work(settings, Layout(root), RunOptions(workers, force, scheduler)))
        if on_report is not None:
            on_report(name, reports[-1])
    return BenchmarkRun(root, tuple(reports))
