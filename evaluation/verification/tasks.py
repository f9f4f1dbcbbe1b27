"""Checks a task's results: versions of streams, people in folds, answers, and the table of measures."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.evaluation.verification.findings import Finding, Track
from cleansemg.evaluation.verification.folders import Columns, Folder, Results, mapped
from cleansemg.evaluation.verification.scored import same

SAME = ("label", "repetition", "about")  # columns that are equal in every version of a stream
LEVEL_DB = 0.01  # streams are stored in float32
CLEAN, NOISY = "clean", "noisy"


def check_streams(results: Results, track: Track) -> Finding:
    """Finding `streams`: noisy and denoised streams are versions of clean ones, with one SNR in all channels."""
    finding = Finding("streams")
    with_noise = [folder for folder in results.of("streams") if folder.inputs.keys() & {CLEAN, NOISY}]
    power: dict[str, dict[tuple[str, str], float]] = {}
    n = n_levels = 0
    worst_db = 0.0
    pairs = [(folder, shard) for folder in with_noise for shard in folder.shards if shard.count]
    for folder, shard in track(pairs, len(pairs), "streams"):
        source = results.folder_of("streams", folder.inputs.get(CLEAN) or folder.inputs.get(NOISY))
        if source is None:
            continue  # reported under `inputs`
        n += 1
        path = source.path / shard.path.name
        if not path.is_file():
            finding.problems.append(f"{shard.path}: {source.path} has no such stream")
            continue
        before, after = mapped(path), mapped(shard.path)
        odd = [name for name in SAME if not np.array_equal(before[name], after[name])]
        if odd or before["signal"].shape != after["signal"].shape:
            finding.problems.append(f"{shard.path}: not a version of {path}, another {odd[0] if odd else 'length'}")
        elif CLEAN in folder.inputs:
            if source.name not in power:
                power[source.name] = _power_by_person(source)
            spread = _level_spread(before, after, power[source.name])
            if spread is not None:
                n_levels += 1
                worst_db = max(worst_db, spread)
                if spread > LEVEL_DB:
                    finding.problems.append(f"{shard.path}: the SNR of its channels differs by {spread:.3g} dB")
    if n:
        finding.summary = f"{n} noisy and denoised streams are versions of those they were made from"
    if n_levels:
        finding.summary += f"; {n_levels} have one SNR in all channels, within {worst_db:.1e} dB"
    return finding


def check_answers(results: Results, track: Track) -> list[Finding]:
    """Findings `people`, `answers` and `accuracy`."""
    people, answers, accuracy = Finding("people"), Finding("answers"), Finding("accuracy")
    folders = results.of("predictions")
    n_people = n_answers = n_numbers = 0
    for folder in track(folders, len(folders), "predictions"):
        columns = folder.columns(*_COLUMNS)
        n_people += _people(folder, columns, people)
        n_answers += _answers(folder, columns, answers)
        n_numbers += _table(results, folder, columns, accuracy)
    if n_people and not people.leaks:
        people.summary = f"{n_people} people tested, nobody in two folds or fitted on and tested"
    if n_answers:
        answers.summary = f"{n_answers} answers, each example once an input, each the class of the highest score"
    if n_numbers:
        accuracy.summary = f"{n_numbers} numbers of the tables follow from the answers"
    return [people, answers, accuracy]


_COLUMNS = ("input", "label", "predicted", "scores", "person", "stream", "start", "fold", "leaks")


def _power_by_person(clean: Folder) -> dict[tuple[str, str], float]:
    """Mean square of each person and channel over all streams."""
    energy: dict[tuple[str, str], float] = {}
    samples: dict[tuple[str, str], int] = {}
    for shard, columns in clean.tables():
        if not shard.count:
            continue
        for channel, mean in _mean_squares(columns, columns["signal"]).items():
            key = (_person(columns), channel)
            energy[key] = energy.get(key, 0.0) + mean * shard.count
            samples[key] = samples.get(key, 0) + shard.count
    return {key: energy[key] / samples[key] for key in energy}


def _mean_squares(columns: Columns, signal: NDArray[Any]) -> dict[str, float]:
    means = (np.asarray(signal, np.float64) ** 2).mean(axis=0)  # [C]
    return dict(zip(_about(columns)["channels"], means.tolist(), strict=True))


def _about(columns: Columns) -> dict[str, Any]:
    """The description of a stream: a JSON text whose bytes continue from row to row, with zeros at its end."""
    about: dict[str, Any] = json.loads(bytes(np.asarray(columns["about"]).ravel()).rstrip(b"\0"))
    return about


def _person(columns: Columns) -> str:
    about = _about(columns)
    return f"{about['database']}/{about['subject']}"


def _level_spread(clean: Columns, noisy: Columns, power: Mapping[tuple[str, str], float]) -> float | None:
    """Largest difference of the channels' SNRs in dB, by the person's power or the stream's: the smaller of the two.

    None where fewer than two channels hold noise.
    """
    noise = np.asarray(noisy["signal"], np.float64) - np.asarray(clean["signal"], np.float64)
    loudness = _mean_squares(clean, noise)
    person = _person(clean)
    spreads = []
    for level in ({c: power[person, c] for c in loudness}, _mean_squares(clean, clean["signal"])):
        snr_db = [10 * math.log10(level[c] / loudness[c]) for c in loudness if level[c] > 0 and loudness[c] > 0]
        if len(snr_db) < 2:
            return None
        spreads.append(max(snr_db) - min(snr_db))
    return min(spreads)


def _people(folder: Folder, columns: Mapping[str, NDArray[Any]], finding: Finding) -> int:
    published = folder.info.get("protocol") == "published"
    folds: dict[str, set[int]] = {}
    for person, fold in zip(columns["person"].tolist(), columns["fold"].tolist(), strict=True):
        folds.setdefault(person, set()).add(fold)
    twice = sorted(person for person, in_folds in folds.items() if len(in_folds) > 1)
    leaking = bool(columns["leaks"].any())
    if leaking and published:
        finding.leaks.append(f"{folder.path}: people are tested who were also fitted on (protocol published)")
    elif leaking:
        finding.problems.append(
            f"{folder.path}: somebody tested was also fitted on, and the protocol is not `published`"
        )
    if twice and not published:
        finding.problems.append(f"{folder.path}: '{twice[0]}' is tested in several folds")
    return len(folds)


def _answers(folder: Folder, columns: Mapping[str, NDArray[Any]], finding: Finding) -> int:
    scores, predicted = columns["scores"], columns["predicted"]
    wrong = np.flatnonzero(scores.argmax(axis=1) != predicted) if len(scores) else np.empty(0, int)
    if len(wrong):
        finding.problems.append(f"{folder.path}: answer {wrong[0]} is not the class of its highest score")
    n_classes = len(folder.info["classes"])
    if len(scores) and (
        scores.shape[1] != n_classes or columns["label"].min() < 0 or columns["label"].max() >= n_classes
    ):
        finding.problems.append(f"{folder.path}: its classes are not the {n_classes} of the manifest")
    where = zip(*(columns[name].tolist() for name in ("input", "fold", "stream", "start")), strict=True)
    keys = list(where)
    if len(set(keys)) != len(keys):
        finding.problems.append(f"{folder.path}: an example is answered twice")
    truth: dict[tuple[str, int], int] = {}
    for stream, start, label in zip(*(columns[name].tolist() for name in ("stream", "start", "label")), strict=True):
        if truth.setdefault((stream, start), label) != label:
            finding.problems.append(f"{folder.path}: '{stream}' at sample {start} has two classes")
            break
    return len(keys)


def _table(results: Results, folder: Folder, columns: Mapping[str, NDArray[Any]], finding: Finding) -> int:
    group = folder.path.name
    name = f"{folder.info['task']}_{folder.info['model']}" + ("" if group == "all" else f"_{group}")
    path = Path(results.root / "tables" / f"{name}.csv")
    if not path.is_file():
        finding.notes.append(f"{path} is not there: the stage `report` was not run")
        return 0
    finding.covered.add(path)
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if [row.get("input") for row in rows] != list(folder.info["inputs"]):
        finding.problems.append(f"{path}: its rows are not the inputs of {folder.path}")
        return 0
    n_tested = int((columns["input"] == rows[0]["input"]).sum())
    count = 0
    for row in rows:
        selected = columns["input"] == row["input"]
        recomputed = {f"{key}_percent": 100 * value for key, value in _measures(columns, selected).items()}
        if NOISY in folder.info["inputs"]:
            recomputed["over_noisy_percent"] = _over_noisy(columns, row["input"])
        recomputed["n_examples"] = int(selected.sum())
        recomputed["n_people"] = len(set(columns["person"][selected].tolist()))
        recomputed["n_failed"] = n_tested - int(selected.sum())
        for key, value in recomputed.items():
            count += 1
            if key not in row:
                finding.problems.append(f"{path}: has no column {key}")
            elif not same(row[key], value):
                finding.problems.append(f"{path}: {key} of {row['input']} is {row[key]}, its answers give {value:.9g}")
    return count


def _over_noisy(columns: Mapping[str, NDArray[Any]], name: str) -> float:
    """Accuracy minus that of the noisy input, in percentage points, on the examples that both have."""
    right: dict[str, dict[tuple[Any, ...], bool]] = {name: {}, NOISY: {}}
    keys = ("input", "fold", "stream", "start", "label", "predicted")
    for one, *example, label, predicted in zip(*(columns[key].tolist() for key in keys), strict=True):
        if one in right:
            right[one][tuple(example)] = label == predicted
    both = right[name].keys() & right[NOISY].keys()
    gains = [int(right[name][example]) - int(right[NOISY][example]) for example in both]
    return 100 * sum(gains) / len(gains) if gains else float("nan")


def _measures(columns: Mapping[str, NDArray[Any]], selected: NDArray[np.bool_]) -> dict[str, float]:
    """Accuracy, balanced accuracy (over classes that occur as label), and means of precision, recall and F1.

    Those means are over the classes that occur as label or answer; a class with nothing right counts as 0.
    """
    label, predicted = columns["label"][selected], columns["predicted"][selected]
    nothing = float("nan")
    if not len(label):
        return dict.fromkeys(("accuracy", "precision", "recall", "f1", "balanced_accuracy"), nothing)
    precision, recall, f1, occurring = [], [], [], []
    for k in sorted({*label.tolist(), *predicted.tolist()}):
        right = int(((label == k) & (predicted == k)).sum())
        true, answered = int((label == k).sum()), int((predicted == k).sum())
        precision.append(right / answered if answered else 0.0)
        recall.append(right / true if true else 0.0)
        f1.append(2 * right / (true + answered))
        if true:
            occurring.append(right / true)
    return {
        "accuracy": float((label == predicted).sum()) / len(label),
        "precision": sum(precision) / len(precision),
        "recall": sum(recall) / len(recall),
        "f1": sum(f1) / len(f1),
        "balanced_accuracy": sum(occurring) / len(occurring),
    }
