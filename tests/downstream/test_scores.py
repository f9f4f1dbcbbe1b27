"""Measures: scikit-learn's and those from counts are the same numbers; the jackknife leaves out people, not examples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from cleansemg.downstream.common import scores
from cleansemg.downstream.common.scores import MEASURES, Answers


def draw(seed: int, n: int, k: int, n_people: int, skill: float = 1.0, ties: bool = False) -> Answers:
    rng = np.random.default_rng(seed)
    label = rng.integers(k, size=n)
    values = rng.standard_normal((n, k)) + skill * np.eye(k)[label]
    if ties:
        values = values.round()
    return Answers(label, values.argmax(axis=1), values, rng.choice([f"P{i}" for i in range(n_people)], n))


def repeated(answers: Answers, people: list[str], times: np.ndarray) -> Answers:
    """The examples of each person as often as the resample has them."""
    rows = np.concatenate([np.tile(np.flatnonzero(answers.person == p), t) for p, t in zip(people, times, strict=True)])
    rows = rows.astype(int)
    return Answers(answers.label[rows], answers.predicted[rows], answers.scores[rows], answers.person[rows])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(5, 80), st.integers(2, 5), st.integers(2, 6), st.booleans())
def test_counts_give_what_scikit_learn_gives(seed, n, k, n_people, ties):
    answers = draw(seed, n, k, n_people, ties=ties)
    people = sorted(set(answers.person.tolist()))
    times = np.random.default_rng(seed).integers(0, 4, len(people))
    times[0] = 1
    expected = scores.measures(repeated(answers, people, times))
    found = scores.weighted(scores.count(answers, people), times[None].astype(float))
    for name in MEASURES:
        np.testing.assert_allclose(found[name], [expected[name]], rtol=1e-9, atol=1e-12, err_msg=name)


def test_against_values_by_hand():
    label = np.array([0, 0, 0, 0, 1, 1, 2, 2])
    predicted = np.array([0, 0, 0, 1, 1, 1, 0, 1])
    answers = Answers(label, predicted, np.eye(3)[predicted], np.array(["A"] * 8))
    found = scores.measures(answers)
    assert found["accuracy"] == pytest.approx(5 / 8)
    assert found["precision"] == pytest.approx((3 / 4 + 2 / 4 + 0) / 3)
    assert found["recall"] == found["balanced_accuracy"] == pytest.approx((3 / 4 + 1 + 0) / 3)
    assert found["f1"] == pytest.approx((3 / 4 + 2 / 3 + 0) / 3)
    assert found["specificity"] == pytest.approx((3 / 4 + 4 / 6 + 6 / 6) / 3)
    assert found["auc"] == pytest.approx((3 / 4 + 5 / 6 + 1 / 2) / 3)  # one threshold: (sensitivity + specificity) / 2
    np.testing.assert_array_equal(scores.confusion(answers), metrics.confusion_matrix(label, predicted))


def test_a_missing_class_has_no_auc_and_no_answers_have_nothing():
    answers = draw(1, 40, 3, 4)
    kept = answers.label < 2
    two = Answers(answers.label[kept], answers.predicted[kept], answers.scores[kept], answers.person[kept])
    assert np.isnan(scores.measures(two)["auc"])
    people = sorted(set(two.person.tolist()))
    assert np.isnan(scores.left_out(scores.count(two, people))["auc"]).all()
    none = Answers(two.label[:0], two.predicted[:0], two.scores[:0], two.person[:0])
    assert np.isnan(list(scores.measures(none).values())).all()
    counts = scores.count(none, people)
    assert all(np.isnan(scores.limits(np.nan, values, 0.95)).all() for values in scores.left_out(counts).values())


def test_the_interval_is_over_people_and_nan_for_one():
    rng = np.random.default_rng(3)
    person = np.repeat([f"P{i}" for i in range(8)], 200)
    right = rng.random(1600) < np.repeat(np.linspace(0.3, 1.0, 8), 200)  # people differ; examples hardly matter
    answers = Answers(np.zeros(1600, int), np.where(right, 0, 1), np.eye(2)[np.where(right, 0, 1)], person)
    people = sorted(set(person.tolist()))
    without = scores.left_out(scores.count(answers, people))["accuracy"]
    interval = scores.limits(float(right.mean()), without, 0.95)
    by_person = np.array([right[person == p].mean() for p in people])
    # everybody has as many examples, so that accuracy is the mean over people; over examples it would be 0.05 wide
    np.testing.assert_allclose(interval, stats.ttest_1samp(by_person, 0.0).confidence_interval(0.95), rtol=1e-9)
    single = Answers(answers.label[:200], answers.predicted[:200], answers.scores[:200], person[:200])
    only = scores.left_out(scores.count(single, ["P0"]))
    assert all(np.isnan(scores.limits(0.5, v, 0.95)).all() for v in only.values())


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32), st.integers(3, 6))
def test_left_out_is_what_scikit_learn_gives_without_that_person(seed, n_people):
    answers = draw(seed, 60, 3, n_people)
    people = sorted(set(answers.person.tolist()))
    counts = scores.count(answers, [*people, "Q without answers"])
    found = scores.left_out(counts)
    for position, name in enumerate(people):
        expected = scores.measures(repeated(answers, people, np.array([p != name for p in people], int)))
        for measure in MEASURES:
            assert found[measure][position] == pytest.approx(expected[measure], rel=1e-9, nan_ok=True), measure
    assert len(found["f1"]) == len(people)
    gains = (answers.label == answers.predicted).astype(float)
    np.testing.assert_allclose(scores.left_out_gain(gains, answers.person), found["accuracy"], rtol=1e-12)


def test_limits_stay_on_the_scale():
    assert scores.limits(0.95, np.array([0.9, 1.0]), 0.95) == (pytest.approx(0.3146, abs=1e-3), 1.0)


def test_the_interval_of_f1_covers_it_about_as_often_as_it_says():
    """People of different skill and numbers of examples; the true value is that of very many people."""
    rng = np.random.default_rng(9)

    def sample(n_people):
        sizes = rng.integers(20, 60, n_people)
        who = np.repeat(np.arange(n_people), sizes)
        label = rng.integers(3, size=len(who))
        values = rng.standard_normal((len(who), 3))
        values[np.arange(len(who)), label] += rng.normal(1.5, 0.7, n_people)[who]
        return Answers(label, values.argmax(axis=1), values, np.array([f"P{i:05d}" for i in range(n_people)])[who])

    truth = metrics.f1_score((many := sample(4000)).label, many.predicted, average="macro")
    hits = 0
    for _ in range(200):
        answers = sample(8)
        counts = scores.count(answers, sorted(set(answers.person.tolist())))
        value = scores.weighted(counts, np.ones((1, 8)))["f1"][0]
        low, high = scores.limits(value, scores.left_out(counts)["f1"], 0.95)
        hits += low <= truth <= high
    assert hits / 200 == pytest.approx(0.95, abs=0.04)
