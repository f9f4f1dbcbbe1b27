"""What `cleansemg verify` finds in the results of a task."""

from __future__ import annotations

import numpy as np
import pytest

from cleansemg.evaluation.verification import tasks, verify
from cleansemg.evaluation.verification.findings import untracked
from cleansemg.evaluation.verification.folders import open_results
from tests.evaluation.verification.conftest import edit_manifest, forge
from tests.evaluation.verification.test_benchmark import problems

PREDICTIONS = "downstream/predictions/nearest/all"


def answers(root):
    return tasks.check_answers(open_results(root), untracked)


def first_shard(folder):
    return sorted(folder.glob("*.npz"))[0]


def test_a_sound_task_passes_every_check(task):
    findings = {finding.check: finding for finding in verify(task)}
    assert problems(list(findings.values())) == []
    for name in ("hashes", "inputs", "noise", "streams", "people", "answers", "accuracy"):
        assert findings[name].summary, name
    assert "have one SNR in all channels" in findings["streams"].summary


def test_somebody_in_two_folds(task_copy):
    paths = sorted((task_copy / PREDICTIONS).glob("*.npz"))
    person = str(np.load(paths[0])["person"][0])
    forge(paths[1], lambda a: a.update(person=np.full(len(a["person"]), person)))
    assert any("is tested in several folds" in text for text in problems(answers(task_copy)))


def test_somebody_fitted_on_and_tested_is_declared_or_a_failure(task_copy):
    forge(first_shard(task_copy / PREDICTIONS), lambda a: a["leaks"].fill(True))
    assert any("was also fitted on" in text for text in problems(answers(task_copy)))
    edit_manifest(task_copy / PREDICTIONS, lambda m: m["info"].update(protocol="published"))
    findings = answers(task_copy)
    assert problems(findings) == []
    assert "protocol published" in findings[0].leaks[0]


def test_an_answer_that_is_not_that_of_its_scores(task_copy):
    forge(first_shard(task_copy / PREDICTIONS), lambda a: a.update(predicted=1 - a["predicted"]))
    found = problems(answers(task_copy))
    assert any("is not the class of its highest score" in text for text in found)
    assert any("accuracy_percent of clean" in text for text in found)


def test_an_example_answered_twice(task_copy):
    forge(first_shard(task_copy / PREDICTIONS), lambda a: a["start"].fill(0))
    assert any("is answered twice" in text for text in problems(answers(task_copy)))


@pytest.mark.parametrize("column", ["accuracy_percent", "f1_percent", "over_noisy_percent", "n_failed"])
def test_an_altered_number_of_the_table(task_copy, column):
    path = task_copy / "tables/toy_nearest.csv"
    header, *rows = [line.split(",") for line in path.read_text().splitlines()]
    rows[2][header.index(column)] = "12.5"
    path.write_text("\n".join(",".join(row) for row in [header, *rows]) + "\n")
    assert any(f"{column} of identity is 12.5" in text for text in problems(answers(task_copy)))


def test_a_stream_that_is_no_version_of_its_clean_one(task_copy):
    streams = [path for path in sorted((task_copy / "downstream/noisy").glob("*.npz")) if len(np.load(path)["label"])]
    forge(streams[0], lambda a: a["label"].__iadd__(1))
    forge(streams[1], lambda a: a["signal"].__setitem__((slice(None), 0), a["signal"][:, 0] * 3))
    found = problems(tasks.check_streams(open_results(task_copy), untracked))
    assert any("another label" in text for text in found)
    assert any("SNR of its channels differs" in text for text in found)


def test_the_gain_over_noisy_counts_examples_that_both_have():
    rows = [("noisy", 0, 1), ("noisy", 1, 0), ("noisy", 2, 0), ("hp", 0, 1)]  # input, start, right
    name, start, right = (np.array(column) for column in zip(*rows, strict=True))
    same = {"fold": np.ones(4, int), "stream": np.full(4, "toy/S1/E1"), "label": np.ones(4, int)}
    columns = {"input": name, "start": start, "predicted": right, **same}
    assert tasks._over_noisy(columns, "hp") == 0.0
