"""Splits: disjoint, complete, the same whatever the order of people, and clear about classes that are too small."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleansemg.core.errors import UserError
from cleansemg.downstream.common import folds
from cleansemg.downstream.common.task import Examples


def examples(table: dict[str, list[int]], repetitions: int = 1) -> Examples:
    """People and the classes of their examples."""
    rows = [
        (person, label, r) for person, labels in table.items() for label in labels for r in range(1, repetitions + 1)
    ]
    n = len(rows)
    return Examples(
        x=np.zeros((n, 1)),
        y=np.array([label for _, label, _ in rows]),
        person=np.array([person for person, _, _ in rows]),
        stream=np.array([f"{person}/E1" for person, _, _ in rows]),
        start=np.arange(n),
        repetition=np.array([r for _, _, r in rows]),
    )


def people(found: Examples, rows) -> set[str]:
    return set(found.person[rows].tolist())


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 14), st.integers(3, 9), st.integers(2, 6), st.integers(0, 10**6))
def test_by_subject_tests_everybody_once_and_keeps_parts_apart(n_all, n_rare, n_folds, seed):
    table = {f"S{i:02d}": [0, 1, 1] for i in range(n_all)} | {f"R{i:02d}": [2, 2] for i in range(n_rare)}
    every = examples(table)
    found = folds.by_subject(every, seed, n_folds=n_folds)
    assert len(found) == min(n_folds, len(table))
    tested = np.concatenate([fold.test for fold in found])
    assert sorted(tested.tolist()) == list(range(len(every)))
    for fold in found:
        parts = [people(every, rows) for rows in (fold.train, fold.valid, fold.test)]
        assert parts[0] | parts[1] | parts[2] == set(table)
        assert sum(map(len, parts)) == len(table)
        assert set(every.y[fold.train].tolist()) == {0, 1, 2}
        assert len(parts[1]) > 0
        assert not fold.shares_people(every)
    rare = [sum(person.startswith("R") for person in people(every, fold.test)) for fold in found]
    assert max(rare) - min(rare) <= 1  # dealt out evenly


def test_people_and_not_rows_decide():
    table = {f"S{i:02d}": [0, 1] for i in range(9)}
    one = folds.by_subject(examples(table), 1, n_folds=3)
    backwards = examples(dict(reversed(list(table.items()))), repetitions=2)
    other = folds.by_subject(backwards, 1, n_folds=3)
    assert [people(examples(table), f.test) for f in one] == [people(backwards, f.test) for f in other]
    assert [people(examples(table), f.valid) for f in one] == [people(backwards, f.valid) for f in other]
    assert [f.test.tolist() for f in one] != [f.test.tolist() for f in folds.by_subject(examples(table), 2, n_folds=3)]


def test_one_split_takes_its_share_of_every_kind_of_people():
    table = {f"A{i}": [0] for i in range(10)} | {f"B{i}": [1] for i in range(5)}
    (fold,) = folds.one_split(examples(table), 3, test_fraction=0.4, valid_fraction=0.25)
    names = [people(examples(table), rows) for rows in (fold.test, fold.valid, fold.train)]
    assert [sum(n.startswith("A") for n in part) for part in names] == [4, 2, 4]  # 0.25 of 6 rounds to 2
    assert [sum(n.startswith("B") for n in part) for part in names] == [2, 1, 2]


@pytest.mark.parametrize("split", [folds.by_subject, folds.one_split])
def test_a_class_with_one_subject_is_named_with_its_count(split):
    table = {f"S{i}": [0, 1] for i in range(5)} | {"S9": [0, 2]}
    with pytest.raises(UserError, match=r"class 'severe': 1 subject\(s\) \(S9\), at least 3"):
        split(examples(table), 0, classes=["none", "moderate", "severe"])
    with pytest.raises(UserError, match=r"class 2: 1 subject"):
        split(examples(table), 0)


@pytest.mark.parametrize("split", [folds.by_subject, folds.one_split])
def test_three_people_are_enough(split):
    every = examples({f"S{i}": [0, 1] for i in range(3)})
    for fold in split(every, 0):
        assert [len(people(every, rows)) for rows in (fold.train, fold.valid, fold.test)] == [1, 1, 1]


def test_repetitions_as_published_leak_and_are_not_selected_on_when_tested():
    every = examples({f"S{i}": [0, 1] for i in range(2)}, repetitions=6)
    (fold,) = folds.by_repetition(every, {1, 3, 4, 6}, {2, 5})
    assert [sorted(set(every.repetition[rows])) for rows in (fold.train, fold.valid, fold.test)] == [
        [1, 3, 4],
        [6],
        [2, 5],
    ]
    assert fold.shares_people(every)
    (named,) = folds.by_repetition(every, {1, 3, 4, 6}, {2, 5}, valid={3})
    assert sorted(set(every.repetition[named.train])) == [1, 4, 6]
    with pytest.raises(UserError, match=r"\[3\] are both"):
        folds.by_repetition(every, {1, 3}, {2, 3})
    with pytest.raises(UserError, match=r"repetitions \[7\] \(test\): nobody has them; there are \[1, 2"):
        folds.by_repetition(every, {1, 3}, {7})


def test_windows_as_published_keep_the_share_of_classes_and_leak():
    every = examples({f"S{i}": [0] * 30 + [1] * 15 for i in range(4)})
    found = folds.stratified_windows(every, 1)
    assert sorted(np.concatenate([fold.test for fold in found]).tolist()) == list(range(180))
    (single,) = folds.random_windows(every, 1, test_fraction=0.2)
    assert len(single.test) == 36
    for fold in [*found, single]:
        assert fold.shares_people(every)
        assert len(np.unique(np.concatenate([fold.train, fold.valid, fold.test]))) == 180
        for rows in (fold.train, fold.valid, fold.test):
            assert np.mean(every.y[rows]) == pytest.approx(1 / 3, abs=0.02)
    few = examples({"S0": [0] * 20 + [1]})
    with pytest.raises(UserError, match=r"class 'b': 1 window\(s\), at least 4"):
        folds.stratified_windows(few, 1, classes=["a", "b"])
    with pytest.raises(UserError, match=r"class 1: 1 window\(s\), at least 3"):
        folds.random_windows(few, 1)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=2, max_size=6),
    st.integers(2, 5),
    st.sampled_from([0.05, 0.2, 0.5, 0.9]),
    st.sampled_from([0.1, 0.2, 0.6]),
)
def test_windows_are_split_or_too_few_are_named(counts, n_folds, test_fraction, valid_fraction):
    every = examples({"S0": [label for label, count in enumerate(counts) for _ in range(count)]})
    for split in (
        lambda: folds.stratified_windows(every, 1, n_folds=n_folds, valid_fraction=valid_fraction),
        lambda: folds.random_windows(every, 1, test_fraction=test_fraction, valid_fraction=valid_fraction),
    ):
        with contextlib.suppress(UserError):  # which scikit-learn's errors are not
            assert all(set(every.y[fold.train].tolist()) == set(range(len(counts))) for fold in split())


def test_fewer_windows_in_a_part_than_classes_are_named():
    every = examples({"S0": [label for label in range(8) for _ in range(3)]})
    with pytest.raises(UserError, match=r"24 windows: the smallest part of the split has 4, for 8 classes"):
        folds.random_windows(every, 1)
