"""Trials are maximal runs of label > 0."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleansemg.core.errors import ItemError
from cleansemg.data_pipeline.recording import Recording
from cleansemg.data_pipeline.trials import find_trials


def recording(label, repetition=None, n_samples=None, **more):
    n_samples = len(label) if n_samples is None else n_samples
    track = None if label is None else np.array(label, np.int64)
    again = None if repetition is None else np.array(repetition, np.int64)
    return Recording("DB", "S1", "E1", np.zeros((2, n_samples)), 1000.0, ("a", "b"), track, again, **more)


def spans(trials):
    return [(t.index, t.start, t.stop, t.label, t.repetition) for t in trials]


def test_runs_with_rest_between():
    found = find_trials(recording([0, 0, 3, 3, 0, 5, 5, 5, 0], [0, 0, 1, 1, 0, 2, 2, 2, 0]))
    assert spans(found) == [(0, 2, 4, 3, 1), (1, 5, 8, 5, 2)]


def test_a_run_may_touch_both_ends():
    assert spans(find_trials(recording([4, 4, 0, 6], [1, 1, 0, 2]))) == [(0, 0, 2, 4, 1), (1, 3, 4, 6, 2)]


def test_neighbouring_gestures_without_rest_are_one_trial_with_the_more_frequent_label():
    assert spans(find_trials(recording([0, 1, 1, 2, 2, 2, 0], [0, 1, 1, 1, 1, 3, 0]))) == [(0, 1, 6, 2, 1)]


def test_of_two_equally_frequent_labels_the_smaller():
    assert spans(find_trials(recording([7, 7, 2, 2], [4, 4, 3, 3]))) == [(0, 0, 4, 2, 3)]


def test_without_labels_the_recording_is_one_trial():
    found = find_trials(recording(None, n_samples=9, trial_label=5, trial_repetition=2))
    assert spans(found) == [(0, 0, 9, 5, 2)]


def test_nothing_but_rest_has_no_trial():
    assert find_trials(recording([0, 0, 0])) == []
    assert find_trials(recording(None, n_samples=0)) == []


def test_labels_of_another_length_are_an_error_of_the_recording():
    with pytest.raises(ItemError, match=r"'label' has shape \(3,\), the signal has 4 samples"):
        find_trials(recording([1, 1, 1], n_samples=4))
    with pytest.raises(ItemError, match="'repetition' has shape"):
        find_trials(recording([1, 1, 1], [1, 1]))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60))
def test_trials_cover_exactly_the_labelled_samples(label):
    covered = np.zeros(len(label), bool)
    for trial in find_trials(recording(label)):
        assert not covered[trial.start : trial.stop].any()
        assert trial.start == 0 or label[trial.start - 1] == 0
        assert trial.stop == len(label) or label[trial.stop] == 0
        covered[trial.start : trial.stop] = True
    np.testing.assert_array_equal(covered, np.array(label) > 0)
