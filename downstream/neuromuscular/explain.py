"""Saliency maps of the fitted networks over a few test windows of each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.downstream.common.assess import checked_folds, clean_examples, models_folder, selected_models
from cleansemg.downstream.common.streams import CLEAN, open_streams, open_task
from cleansemg.downstream.common.task import Fit
from cleansemg.downstream.neuromuscular import saliency
from cleansemg.downstream.neuromuscular.models import NETWORK, WindowModel

if TYPE_CHECKING:
    from cleansemg.settings import Settings


def explain(settings: Settings, layout: Layout, models: Sequence[str] | None = None) -> list[str]:
    """Write TASK_MODEL_saliency.png to the folder of the tables, from network and clean test windows of the first fold.

    With the protocol `published`, the name is TASK_MODEL_published_saliency.png. Returns lines with the paths.

    Raises:
        UserError: the configuration of another task, or networks that are not fitted yet.
        ArtifactError: the clean streams are absent.
    """
    task = open_task(settings)
    clean = open_streams(layout.downstream(CLEAN))
    lines = []
    for name in selected_models(settings, task, models):
        model = task.models()[name]
        if not isinstance(model, WindowModel):
            raise UserError(f"{settings.config_file}: saliency maps are for the task neuromuscular, not '{task.name}'")
        fitted = models_folder(settings, layout, name)
        folder = fitted / "fold1"
        if not (folder / NETWORK).exists():
            raise UserError(f"{folder}: no fitted network; run downstream/neuromuscular/run.py first")
        model.load(Fit(folder, settings.seed, {}, name))
        every, _ = clean_examples(model, clean)
        tested = every.select(checked_folds(task, every, settings)[0].test)
        shown = tested.select(saliency.choose(tested, settings.seed, task.classes))
        path = layout.tables / f"{task.name}_{fitted.name}_saliency.png"
        title = f"{task.name}, {name}: what the answer rests on, clean test windows"
        saliency.draw(path, saliency.explain(model.fitted, shown, task.classes), task.fs_hz, title)
        lines.append(f"{name}: saliency maps in {path}")
    return lines
