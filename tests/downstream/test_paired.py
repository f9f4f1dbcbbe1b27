"""Paired comparisons of accuracy over people, from answers made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cleansemg.core.stage import Job, RunOptions, ShardResult, run_stage
from cleansemg.downstream.common import results
from cleansemg.downstream.common.assess import LEAKS, SCHEMA
from cleansemg.downstream.common.results import ModelResult, _pairs, _right
from cleansemg.downstream.common.tables import paired_table
from cleansemg.evaluation.settings import Tables

SETTINGS = Tables(bootstrap_resamples=200)
PEOPLE, EACH = 7, 10


def answers(right_by_person, drop=()):
    """Columns of one input: the first `right` of a person's ten examples are answered right, `drop` have no answer."""
    rows = [
        (f"p{person}", f"p{person}/E1", start, 1, int(start < right))
        for person, right in enumerate(right_by_person)
        for start in range(EACH)
        if (person, start) not in drop
    ]
    person, stream, start, label, predicted = (np.array(column) for column in zip(*rows, strict=True))
    fold = np.ones(len(rows), int)
    return {"person": person, "stream": stream, "start": start, "label": label, "predicted": predicted, "fold": fold}


def joined(inputs):
    columns = {key: np.concatenate([one[key] for one in inputs.values()]) for key in next(iter(inputs.values()))}
    ends = np.cumsum([0, *(len(one["person"]) for one in inputs.values())])
    rows = {name: np.arange(ends[i], ends[i + 1]) for i, name in enumerate(inputs)}
    return columns, rows


def compared(**inputs):
    return _pairs(_right(*joined(inputs)), list(inputs), SETTINGS)


def test_a_pair_is_tested_over_people():
    noisy, better = answers([2, 3, 4, 5, 3, 4, 2]), answers([3, 5, 7, 9, 8, 10, 9])
    (one,) = compared(noisy=noisy, hp=better)
    assert (one.a, one.b) == ("noisy", "hp")
    assert one.difference == pytest.approx(-np.mean([1, 2, 3, 4, 5, 6, 7]) / EACH)
    assert one.p == pytest.approx(2 / 2**PEOPLE)
    assert one.effect == -1.0
    assert (one.n_subjects, one.n_mixtures) == (PEOPLE, PEOPLE * EACH)


def test_examples_that_one_input_has_not_count_in_neither():
    full = answers([5] * PEOPLE)
    # of person 0 nothing is answered, of person 1 one of the examples that the other input has right is not
    gaps = answers([5] * PEOPLE, drop={(0, start) for start in range(EACH)} | {(1, 0)})
    (one,) = compared(noisy=full, hp=gaps)
    assert (one.n_subjects, one.n_mixtures) == (PEOPLE - 1, PEOPLE * EACH - EACH - 1)
    assert one.difference == pytest.approx(0.0, abs=1e-12)


def test_a_denoiser_that_fails_where_it_is_hard_gains_nothing(tmp_path):
    """Two people are hard; a denoiser that changes nothing, and fails on them, is not better than noisy."""
    noisy = answers([8, 8, 8, 8, 8, 0, 0])
    survivor = answers([8, 8, 8, 8, 8, 0, 0], drop={(person, start) for person in (5, 6) for start in range(EACH)})
    columns, rows = joined({"clean": answers([EACH] * PEOPLE), "noisy": noisy, "hp": survivor})
    n = len(columns["label"])
    columns |= {"input": np.repeat(list(rows), [len(at) for at in rows.values()]), LEAKS: np.zeros(n, bool)}
    columns |= {"scores": np.stack([1.0 - columns["predicted"], columns["predicted"]], axis=1)}
    info = {"task": "toy", "model": "svm", "classes": ["a", "b"], "protocol": "subjects", "n_unread": 0, "n_uncut": 0}
    run_stage(
        tmp_path, SCHEMA, [Job("fold1", columns)], ShardResult, section={}, inputs={}, seed=1, options=RunOptions(),
        code={},
        label="", info={**info, "inputs": list(rows)},
    )  # fmt: skip
    result = results.read(tmp_path, SETTINGS)
    clean, _, hp = result.inputs
    assert hp.values["accuracy"] == pytest.approx(0.8)
    assert hp.over_noisy == (0.0, 0.0, 0.0)
    assert hp.n_failed == 2 * EACH
    assert clean.over_noisy[0] == pytest.approx(1 - 40 / 70)
    low, high = clean.over_noisy[1:]
    assert low < clean.over_noisy[0] < high


def test_the_table_is_in_points_and_says_what_few_people_cannot_show():
    pairs = compared(noisy=answers([2, 3, 4]), hp=answers([5, 5, 5]), fcn=answers([6, 7, 9]))
    result = ModelResult("toy", "svm", "subjects", ("a", "b"), False, 0, 0, 3, 0.5, (), pairs)
    table = paired_table(result, SETTINGS)
    assert [(row["a"], row["b"]) for row in table.rows] == [("noisy", "hp"), ("noisy", "fcn"), ("hp", "fcn")]
    assert table.rows[0]["difference"] == pytest.approx(-20.0)
    assert table.rows[0]["difference_low"] <= -20.0 <= table.rows[0]["difference_high"]
    assert any("3 subjects cannot show a difference at all" in note for note in table.notes)
