"""The stage that writes tables and figures from predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cleansemg.core import rendering
from cleansemg.core.layout import Layout
from cleansemg.core.stage import Report, RunOptions
from cleansemg.downstream.common import losses, pictures, results, tables
from cleansemg.downstream.common.assess import ALL, group, models_folder, selected_models
from cleansemg.downstream.common.streams import CLEAN, NOISY, open_task

if TYPE_CHECKING:
    from cleansemg.settings import Settings


def report(
    settings: Settings,
    layout: Layout,
    options: RunOptions,
    names: Sequence[str] | None = None,
    models: Sequence[str] | None = None,
) -> Report:
    """Write TASK_MODEL.{csv,md,tex}, TASK_MODEL_paired and figures for every model; with `names`, TASK_MODEL_NAMES.

    With the protocol `published`, the names are TASK_MODEL_published and so on.

    Raises:
        UserError: an unknown model or denoiser.
        ArtifactError: predictions are absent or unfinished.
    """
    task = open_task(settings)
    results_group = group(settings, names)
    lines = []
    shown_models = selected_models(settings, task, models)
    for model in shown_models:
        result = results.read(layout.downstream("predictions", model, results_group), settings.tables)
        table = tables.model_table(result, settings.tables)
        name = f"{task.name}_{model}" + ("" if results_group == ALL else f"_{results_group}")
        layout.tables.mkdir(parents=True, exist_ok=True)
        rendering.write([table], layout.tables, name)
        paired = tables.paired_table(result, settings.tables)
        rendering.write([paired], layout.tables, f"{name}_paired")
        pictures.confusion_matrices(result, layout.tables / f"{name}_confusion.png")
        pictures.accuracy_by_input(result, layout.tables / f"{name}_accuracy.png")
        folds = losses.fold_files(models_folder(settings, layout, model), result.n_folds)
        if folds:
            pictures.losses(result, [losses.read(path) for path in folds], layout.tables / f"{name}_losses.png")
        shown = [result.input(CLEAN), result.input(NOISY), pictures.best_denoiser(result)]
        accuracies = [f"{entry.name} {100 * entry.values['accuracy']:.1f} %" for entry in shown if entry]
        lines.append(f"{model}: accuracy {', '.join(accuracies)}; {layout.tables / name}.md")
    lines += task.extras(settings, layout, names, shown_models)
    return Report("report", tuple(lines))
