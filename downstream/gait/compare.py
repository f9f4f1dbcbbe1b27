"""Tables of the CNN against the SVM and of the CNN's loss by epoch, with the values printed in the gait study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cleansemg.core import rendering
from cleansemg.core.artifact import Artifact
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.core.rendering import Column, Table
from cleansemg.data_pipeline.readers.gait_states import STATES
from cleansemg.downstream.common import losses, scores
from cleansemg.downstream.common.assess import ALL, LEAKS, SCHEMA, group, models_folder
from cleansemg.downstream.common.scores import Answers
from cleansemg.downstream.common.streams import CLEAN, open_task
from cleansemg.downstream.common.tables import configured_note
from cleansemg.evaluation.settings import Tables
from cleansemg.evaluation.stats.intervals import jackknife_interval

if TYPE_CHECKING:
    from cleansemg.settings import Settings

MEASURES = {"accuracy": "accuracy %", "f1": "macro F1 %", "balanced_accuracy": "balanced accuracy %"}
PRINTED = {"cnn": {"accuracy": 90.2, "f1": 89.0}, "svm": {"accuracy": 78.5, "f1": 77.0}}  # percent
PRINTED_LOSS = (
    1.042, 0.875, 0.763, 0.659, 0.582, 0.521, 0.474, 0.432, 0.401, 0.379,
    0.362, 0.349, 0.337, 0.328, 0.321, 0.315, 0.309, 0.304, 0.300, 0.296,
)  # fmt: skip
WHY_NOT = (
    "The printed 90.2 and 78.5 % (F1 0.89 and 0.77) cannot be compared with these rows. They are of other recordings "
    "(PhysioNet long-lasting walking, 10 muscles of 31 persons) and other classes (stand, start, walk, stop), whose "
    "labels the recordings do not carry and the study does not define. It does not say whether its 80:20 split is of "
    "windows or of people; random windows that overlap by half put the same samples on both sides. It prints no "
    "interval, no spread over people, and does not say how F1 is averaged nor how classes were balanced."
)
WHY_NOT_WALKING = (
    "The printed 90.2 and 78.5 % (F1 0.89 and 0.77) are of these recordings, but cannot be compared with these rows "
    "directly: the four states are derived here by a rule of ours, as the recordings carry no labels and the study "
    "does not define them. It does not say whether its 80:20 split is of windows or of people, where the z-score comes "
    "from, how classes were balanced, nor how F1 is averaged, and prints no interval."
)


def comparison(cnn: Path, svm: Path, settings: Tables, note: str = WHY_NOT) -> Table:
    """One row for each input and measure: both classifiers and their paired difference, in percent, with intervals.

    The bootstrap resamples the same people for both classifiers, so effects common to both, such as a person who is
    hard to classify, cancel in the difference.

    Args:
        cnn: folder of the CNN's predictions.
        svm: folder of the SVM's predictions for the same folds and inputs.
        settings: number of resamples and confidence level.
        note: explains why the printed numbers are not comparable.

    Raises:
        ArtifactError: predictions that are absent, unfinished or altered.
        UserError: the two were not tested on the same examples.
    """
    artifacts = {"cnn": Artifact.open(cnn, SCHEMA), "svm": Artifact.open(svm, SCHEMA)}
    columns = {
        name: artifact.columns("input", "label", "predicted", "scores", "person", "stream", "start", LEAKS)
        for name, artifact in artifacts.items()
    }
    keys = {name: list(zip(*(of_input[k].tolist() for k in ("input", "stream", "start", "label")), strict=True))
            for name, of_input in columns.items()}  # fmt: skip
    if sorted(keys["cnn"]) != sorted(keys["svm"]):
        raise UserError(f"{cnn} and {svm} were not tested on the same windows; run both again from one configuration")
    people = sorted(set(columns["cnn"]["person"].tolist()))
    rows: list[Mapping[str, Any]] = []
    for given in artifacts["cnn"].manifest.info["inputs"]:
        rows += _rows(given, columns, people, settings)
    leaks = bool(columns["cnn"][LEAKS].any())
    shown = [
        Column("input", "input"),
        Column("measure", "measure"),
        Column("cnn", "CNN", 1, ("cnn_low", "cnn_high")),
        Column("svm", "SVM", 1, ("svm_low", "svm_high")),
        Column("difference", "CNN minus SVM, points", 1, ("difference_low", "difference_high")),
        Column("printed_cnn", "printed CNN", 1),
        Column("printed_svm", "printed SVM", 1),
        *(Column(f"{name}_{side}") for name in ("cnn", "svm", "difference") for side in ("low", "high")),
    ]
    percent = f"{100 * settings.confidence:g} % intervals: jackknife over {len(people)} persons, with a t quantile."
    title = "Gait: CNN and SVM" + (", leaking: persons tested are also fitted on" if leaks else ", persons disjoint")
    return Table(title, shown, rows, [percent, note, *configured_note(settings)])


def loss_by_epoch(files: Sequence[Path], settings: Tables) -> Table:
    """One row for each epoch: mean training and validation loss of the CNN over folds, and the printed loss.

    Args:
        files: `losses.csv` of each fold.
        settings: supplies the configuration's note.

    Raises:
        UserError: a file is absent.
    """
    folds = [losses.read(path) for path in files]
    epochs = max((max(fold) for fold in folds), default=0)
    rows: list[Mapping[str, Any]] = []
    for epoch in range(1, max(epochs, len(PRINTED_LOSS)) + 1):
        there = [fold[epoch] for fold in folds if epoch in fold]
        mean = np.mean(there, axis=0) if there else (float("nan"), float("nan"))
        printed = PRINTED_LOSS[epoch - 1] if epoch <= len(PRINTED_LOSS) else float("nan")
        rows.append({"epoch": epoch, "training": mean[0], "validation": mean[1], "printed": printed})
    shown = [
        Column("epoch", "epoch"),
        Column("training", "training loss", 3),
        Column("validation", "validation loss", 3),
        Column("printed", "printed loss", 3),
    ]
    note = (
        f"Cross entropy, mean over {len(folds)} fold(s); the printed column is the study's training loss, of other "
        "classes: by chance alone four classes have 1.386, three 1.099."
    )
    return Table("Gait: loss of the CNN by epoch", shown, rows, [note, *configured_note(settings)])


def write(settings: Settings, layout: Layout, names: Sequence[str] | None = None) -> list[str]:
    """Write gait_cnn_svm and gait_loss, each as .csv, .md and .tex, from finished predictions.

    With the protocol `published`, the names are gait_cnn_svm_published and gait_loss_published.

    Args:
        settings: the configuration.
        layout: the output folders.
        names: the denoisers of the run; None: the configuration's.

    Returns:
        Lines for the report with the paths.

    Raises:
        ArtifactError: predictions are absent or unfinished.
        UserError: the two classifiers were not tested on the same windows.
    """
    results_group = group(settings, names)
    cnn, svm = (layout.downstream("predictions", model, results_group) for model in ("cnn", "svm"))
    task = open_task(settings)
    note = WHY_NOT_WALKING if set(task.classes) == set(STATES) else WHY_NOT
    suffix = "" if results_group == ALL else f"_{results_group}"
    layout.tables.mkdir(parents=True, exist_ok=True)
    rendering.write([comparison(cnn, svm, settings.tables, note)], layout.tables, f"gait_cnn_svm{suffix}")
    n_folds = int(Artifact.open(cnn, SCHEMA).manifest.info["n_folds"])
    models = models_folder(settings, layout, "cnn")
    name = models.name.replace("cnn", "gait_loss", 1)
    rendering.write([loss_by_epoch(losses.fold_files(models, n_folds), settings.tables)], layout.tables, name)
    both, loss = layout.tables / f"gait_cnn_svm{suffix}.md", layout.tables / f"{name}.md"
    return [f"CNN and SVM: {both}; loss by epoch: {loss}"]


def _rows(
    given: str, columns: Mapping[str, Mapping[str, Any]], people: Sequence[str], settings: Tables
) -> list[Mapping[str, Any]]:
    """The rows of one input; empty if it has no answers."""
    values, left_out = {}, {}
    for name, table in columns.items():
        at = np.flatnonzero(table["input"] == given)
        if not len(at):
            return []
        answers = Answers(*(table[key][at] for key in ("label", "predicted", "scores", "person")))
        values[name] = scores.measures(answers)
        left_out[name] = scores.left_out(scores.count(answers, people))
    rows: list[Mapping[str, Any]] = []
    for measure, heading in MEASURES.items():
        row: dict[str, Any] = {"input": given, "measure": heading}
        cells = {name: (values[name][measure], left_out[name][measure]) for name in ("cnn", "svm")}
        cells["difference"] = (cells["cnn"][0] - cells["svm"][0], cells["cnn"][1] - cells["svm"][1])
        for name, (value, without) in cells.items():
            row[name] = 100 * value
            row[f"{name}_low"], row[f"{name}_high"] = (
                100 * limit for limit in jackknife_interval(value, without, settings.confidence)
            )
        if given == CLEAN:  # the study adds no noise
            row.update({f"printed_{name}": printed.get(measure) for name, printed in PRINTED.items()})
        rows.append(row)
    return rows
