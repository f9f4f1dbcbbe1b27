"""Results as tables: one for each task and model, and the layout of the paper's Table 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cleansemg.core.rendering import Column, Table
from cleansemg.downstream.common.results import InputResult, ModelResult
from cleansemg.downstream.common.scores import MEASURES
from cleansemg.downstream.common.streams import NOISY
from cleansemg.evaluation.settings import Tables
from cleansemg.evaluation.stats.paired import power_note

HEADINGS = {
    "accuracy": "accuracy %",
    "f1": "F1 %",
    "precision": "precision %",
    "recall": "recall %",
    "balanced_accuracy": "balanced accuracy %",
    "auc": "AUC %",
}
FEW_PEOPLE = 5
LEAKS_TITLE = "LEAKS: people are tested who were also fitted on"


def model_table(result: ModelResult, settings: Tables) -> Table:
    """One row for each input (clean, noisy, denoisers); every measure in percent with its interval."""
    columns = [Column("input", "input")]
    for name in MEASURES:
        columns.append(_with_interval(name, HEADINGS.get(name)))
        columns += _limit_columns(name)
    columns += [
        _with_interval("over_noisy", "accuracy over noisy, points"),
        *_limit_columns("over_noisy"),
        Column("fold_accuracy_mean"),
        Column("fold_accuracy_sd"),
        Column("n_examples", "examples"),
        Column("n_people", "people"),
        Column("n_failed", "failed"),
    ]
    title = f"{result.task}, {result.model}: what the classifier fitted on clean recordings makes of each input"
    notes = [*_notes(result, settings.confidence), *configured_note(settings)]
    return Table(_title(title, result.leaks), columns, [_row(entry) for entry in result.inputs], notes)


def paired_table(result: ModelResult, settings: Tables) -> Table:
    """Paired differences in accuracy of every two inputs except clean, in percentage points, with tests over people."""
    limits = ("difference_low", "difference_high")
    columns = [
        Column("a", "a"), Column("b", "b"), Column("difference", "a - b, points", 1, limits),
        *(Column(key) for key in limits), Column("effect", "effect", 2), Column("p", "p", 4),
        Column("p_holm", "p, Holm", 4), Column("n_people", "people"), Column("n_examples", "examples"),
    ]  # fmt: skip
    rows = [
        {
            "a": one.a, "b": one.b, "difference": 100 * one.difference, "difference_low": 100 * one.low,
            "difference_high": 100 * one.high, "effect": one.effect, "p": one.p, "p_holm": one.p_holm,
            "n_people": one.n_subjects, "n_examples": one.n_mixtures,
        }
        for one in result.pairs
    ]  # fmt: skip
    how = (
        "Two-sided Wilcoxon signed-rank tests of accuracy by person, over the examples that both inputs have; p by "
        "Holm's correction over all pairs. Effect: matched-pairs rank-biserial correlation, from -1 to 1. Brackets: "
        f"{100 * settings.confidence:g} % t interval over people."
    )
    power = power_note(max((one.n_subjects for one in result.pairs), default=0), len(result.pairs))
    title = _title(f"{result.task}, {result.model}: paired comparisons of accuracy", result.leaks)
    return Table(title, columns, rows, [how, *([power] if power else []), *configured_note(settings)])


def configured_note(settings: Tables) -> list[str]:
    """The note of the configuration, shown under every table; empty without one."""
    return [settings.note] if settings.note else []


def table2(
    results: Mapping[str, ModelResult | None],
    printed: Sequence[Mapping[str, Any]],
    confidence: float,
    source: str,
    note: str = "",
) -> Table:
    """Accuracy and F1 of gesture and fatigue for each input, with the printed values beside ours.

    Args:
        results: task -> results of its classifier; None if it was not run.
        printed: rows of the paper: `printed` (its name for the input), `ours` (our names for it; the first one in the
            results is used), and the columns `TASK_accuracy` and `TASK_f1` for each task, in percent.
        confidence: confidence level of the intervals.
        source: source of the printed values.
        note: further differences between the printed values and ours.
    """
    columns = [Column("input", "input"), Column("printed_name", "printed as")]
    for task in results:
        for name in ("accuracy", "f1"):
            key = f"{task}_{name}"
            columns.append(_with_interval(key, f"{task} {HEADINGS[name]}"))
            columns += _limit_columns(key)
            columns.append(Column(f"{key}_printed", "printed", 2))
    inputs = list(dict.fromkeys(entry.name for result in results.values() if result for entry in result.inputs))
    beside = _printed_rows(inputs, printed)
    rows = []
    for name in [*inputs, *(str(row["printed"]) for row in printed if row["printed"] not in _names(beside))]:
        paper = beside.get(name) or next((row for row in printed if row["printed"] == name), {})
        row: dict[str, Any] = {"input": name, "printed_name": paper.get("printed", "")}
        for task, result in results.items():
            entry = result.input(name) if result else None
            for measure in ("accuracy", "f1"):
                key = f"{task}_{measure}"
                row[f"{key}_printed"] = paper.get(key)
                if entry:
                    row.update(_percent(key, entry.values[measure], *entry.interval[measure]))
        rows.append(row)
    leaks = any(result.leaks for result in results.values() if result)
    printed_note = (
        f"Printed: {source}. Other recordings, people, splits and noise than ours unless a note below says so: the "
        "columns show whether the same inputs win, not whether numbers agree. No clean row was printed."
    )
    notes = [printed_note, *([note] if note else [])]
    for task, result in results.items():
        notes += [f"{task}: {note}" for note in _notes(result, confidence)] if result else [f"{task}: not run."]
    return Table(_title("Table 2: what denoising is worth to gestures and fatigue", leaks), columns, rows, notes)


def _row(entry: InputResult) -> dict[str, Any]:
    row: dict[str, Any] = {"input": entry.name}
    for name in MEASURES:
        row.update(_percent(name, entry.values[name], *entry.interval[name]))
    row.update(_percent("over_noisy", *entry.over_noisy))
    row["fold_accuracy_mean"] = 100 * float(np.mean(entry.fold_accuracy)) if entry.fold_accuracy else None
    row["fold_accuracy_sd"] = 100 * float(np.std(entry.fold_accuracy, ddof=1)) if len(entry.fold_accuracy) > 1 else None
    return {**row, "n_examples": entry.n_examples, "n_people": entry.n_people, "n_failed": entry.n_failed}


def _notes(result: ModelResult, confidence: float) -> list[str]:
    first = (
        f"Brackets: {100 * confidence:g} % interval, jackknife over the {result.n_people} tested people with a t "
        f"quantile. Protocol {result.protocol}, {result.n_folds} fold(s), answers of all folds together; precision, "
        f"recall and F1 are means over {len(result.classes)} classes. Answering the most frequent class alone: "
        f"{100 * result.largest_class:.1f} % accuracy."
    )
    notes = [first]
    if result.leaks:
        notes.append(
            f"{LEAKS_TITLE} (protocol {result.protocol} repeats the source's split): these numbers say nothing about "
            "people that the classifier has not seen."
        )
    if result.n_people < 2:
        notes.append("No intervals: they need at least two tested people.")
    elif result.n_people < FEW_PEOPLE:
        notes.append(
            f"{result.n_people} tested people: so few cannot show how people differ; intervals are wide, and those of "
            "values near 0 or 100 % are too short."
        )
    if result.input(NOISY) is None:
        notes.append("No noisy row: these recordings are envelopes, into which nothing can be mixed at a known SNR.")
    if result.controls:
        notes.append(
            f"{', '.join(result.controls)}: a classifier without any signal, in the same folds; a row that is not "
            "above it says nothing about EMG."
        )
    failed = [entry.name for entry in result.inputs if entry.n_failed]
    if failed:
        notes.append(
            f"Failed: examples whose stream could not be mixed or denoised ({', '.join(failed)}); the row is over the "
            "others, and accuracy over noisy over those that both inputs have. Causes in failures.csv of the input's "
            "folder."
        )
    if result.n_unread or result.n_uncut:
        notes.append(
            f"{result.n_unread} recording(s) could not be read and {result.n_uncut} could not be cut into examples; "
            "causes in failures.csv of the clean streams and of the predictions."
        )
    return notes


def _title(title: str, leaks: bool) -> str:
    return f"{title} ({LEAKS_TITLE})" if leaks else title


def _with_interval(key: str, heading: str | None) -> Column:
    return Column(f"{key}_percent", heading, 1, (f"{key}_low", f"{key}_high"))


def _limit_columns(key: str) -> list[Column]:
    return [Column(f"{key}_low"), Column(f"{key}_high")]


def _percent(key: str, value: float, low: float, high: float) -> dict[str, float]:
    return {f"{key}_percent": 100 * value, f"{key}_low": 100 * low, f"{key}_high": 100 * high}


def _printed_rows(inputs: Sequence[str], printed: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Our name of an input -> the row of the paper; each row of the paper matches at most one of ours."""
    merged: dict[str, Mapping[str, Any]] = {}
    for row in printed:
        input_name = next((name for name in row["ours"] if name in inputs), None)
        if input_name is not None:
            merged[input_name] = row
    return merged


def _names(rows: Mapping[str, Mapping[str, Any]]) -> set[str]:
    return {str(row["printed"]) for row in rows.values()}
