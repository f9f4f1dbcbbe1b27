"""The evaluate stage: every denoiser of the configuration over every test set of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cleansemg.core.console import progress
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.core.registry import find
from cleansemg.core.stage import Report, RunOptions
from cleansemg.evaluation.candidates import Candidate, candidates
from cleansemg.evaluation.parameter_files import read_parameters
from cleansemg.evaluation.scoring import evaluate
from cleansemg.evaluation.test_data import TestData
from cleansemg.training.calibration import SCHEMA as CALIBRATION

if TYPE_CHECKING:
    from cleansemg.settings import Settings

HEADLINE = "SNRimp"


def run(settings: Settings, layout: Layout, options: RunOptions) -> Report:
    """Evaluate all denoisers of the configuration, classical and neural, on the test sets of the run."""
    rows = candidates(settings, layout, parameters=calibrated(settings, layout))
    return evaluate_all(rows, open_test_sets(settings, layout, None), settings, layout, options)


def calibrated(settings: Settings, layout: Layout) -> dict[tuple[str, str], dict[str, Any]]:
    """Calibrated parameters by denoiser and track, for the methods that the configuration calibrates; {} without.

    Raises:
        UserError: the configuration calibrates methods, but the result of the calibration is missing.
    """
    methods = settings.calibrate.methods
    if not methods:
        return {}
    path = layout.weights_classical / "tradition_params.json"
    if not path.exists():
        raise UserError(f"{path}: not there; calibrate first: {CALIBRATION.command}")
    winners = read_parameters(path)
    if "all" in methods:
        return winners
    names = {find("denoisers", name).name for name in methods}
    return {row: parameters for row, parameters in winners.items() if row[0] in names}


def open_test_sets(settings: Settings, layout: Layout, path: Path | None) -> list[TestData]:
    """The one test set at `path`, or those of the run.

    Raises:
        UserError: there is no test set.
    """
    if path is not None:
        return [TestData.open(path)]
    return [TestData.open(layout.test_data(name)) for name in settings.mix.sets]


def evaluate_all(
    rows: Sequence[Candidate], sets: Sequence[TestData], settings: Settings, layout: Layout, options: RunOptions
) -> Report:
    """Evaluate each denoiser on each set; the report has one line per denoiser and set, with the SNR improvement.

    Raises:
        UserError: there is no denoiser to evaluate, or one cannot be built.
    """
    if not rows:
        raise UserError("no denoiser to evaluate; name some under evaluate.denoisers (see: cleansemg list denoisers)")
    lines, n_failures = [], 0
    pairs = [(row, data) for row in rows for data in sets if row.sets is None or data.name in row.sets]
    for row, data in progress(pairs, len(pairs), "evaluate", unit="denoiser"):
        result = evaluate(row, data, settings, layout, options)
        n_failures += len(result.failures)
        profile = settings.evaluate.profiles[0]
        scores = result.artifact.columns(f"{profile}.{HEADLINE}")[f"{profile}.{HEADLINE}"]
        mean = f"{np.nanmean(scores):+.3f} dB" if np.isfinite(scores).any() else "no result"
        failed = (
            f", {len(result.failures)} failed (see {result.artifact.folder}/failures.csv)" if result.failures else ""
        )
        lines.append(f"{row.label:14} {row.track:6} {data.name:8} {len(scores):7} mixtures  {HEADLINE} {mean}{failed}")
    return Report("evaluate", tuple(lines), n_failures)
