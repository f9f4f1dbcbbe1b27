"""Splits into training, validation and test examples: by subject, and the leaking splits of published work."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError
from cleansemg.core.seeding import generator
from cleansemg.downstream.common.task import Examples, Fold, Int64

FEWEST_PEOPLE = 3  # with each class: one for training, one for validation, one for test


def by_subject(
    examples: Examples, seed: int, *, n_folds: int = 5, valid_fraction: float = 0.2, classes: Sequence[str] = ()
) -> list[Fold]:
    """Split by person: each person is tested once; in each fold, validation people are drawn from the others.

    People are grouped by the rarest class that they have and each group is distributed over the folds, so that no class
    is concentrated in one fold. There are at most as many folds as people.

    Args:
        examples: all examples.
        seed: the configuration's.
        n_folds: number of folds, at least 2.
        valid_fraction: fraction of the people that are not tested.
        classes: names for error messages.

    Raises:
        UserError: fewer than 2 folds, a class with fewer than 3 people, or a fold without training people of a class.
    """
    if n_folds < 2:
        raise UserError(f"folds: {n_folds}, at least 2; or test a part of the people once")
    groups = _groups(examples, classes)
    order = [
        person
        for rarest, people in groups.items()
        for person in generator(seed, "downstream", "folds", rarest).permutation(people)
    ]
    n_folds = min(n_folds, len(order))
    return [
        _fold(examples, set(order[number::n_folds]), groups, valid_fraction, seed, number, classes)
        for number in range(n_folds)
    ]


def one_split(
    examples: Examples,
    seed: int,
    *,
    test_fraction: float = 0.3,
    valid_fraction: float = 0.2,
    classes: Sequence[str] = (),
) -> list[Fold]:
    """Split by person, once: `test_fraction` of the people are tested, `valid_fraction` of the others validate.

    Raises:
        UserError: a class with fewer than 3 people, or without training people.
    """
    groups = _groups(examples, classes)
    tested: set[str] = set()
    for rarest, people in groups.items():
        order = generator(seed, "downstream", "test people", rarest).permutation(people)
        # of only two people, one is tested and one is for training
        count = min(max(round(test_fraction * len(people)), 1), max(len(people) - 2, 1))
        tested.update(order[:count] if len(people) > 1 else [])
    return [_fold(examples, tested, groups, valid_fraction, seed, 0, classes)]


def by_repetition(
    examples: Examples, train: Collection[int], test: Collection[int], *, valid: Collection[int] = ()
) -> list[Fold]:
    """Published, leaking split: training and test have different repetitions of the same people.

    Args:
        examples: with `repetition`.
        train: repetitions for training.
        test: repetitions for test.
        valid: repetitions for validation, which are left out of training; empty: the highest of `train`. (The published
            code validates on the test repetitions.)

    Raises:
        UserError: a test repetition is also for training or validation, or a part has no examples.
    """
    validation = set(valid) or {max(train)}
    parts = {"train": set(train) - validation, "valid": validation, "test": set(test)}
    if parts["test"] & (parts["train"] | parts["valid"]):
        raise UserError(
            f"repetitions {sorted(parts['test'] & (set(train) | validation))} are both fitted on and tested"
        )
    rows = {name: np.flatnonzero(np.isin(examples.repetition, sorted(wanted))) for name, wanted in parts.items()}
    for name, rows_of_class in rows.items():
        if not len(rows_of_class):
            there = sorted(set(examples.repetition.tolist()))
            raise UserError(f"repetitions {sorted(parts[name])} ({name}): nobody has them; there are {there}")
    return [Fold(rows["train"], rows["valid"], rows["test"])]


def stratified_windows(
    examples: Examples, seed: int, *, n_folds: int = 3, valid_fraction: float = 0.2, classes: Sequence[str] = ()
) -> list[Fold]:
    """Published, leaking split: windows are shuffled into folds, stratified by class; parts share people and samples.

    Raises:
        UserError: a class with too few windows (`n_folds` + 1 or more are needed), or a part with too few windows.
    """
    from sklearn.model_selection import StratifiedKFold

    require_windows(examples, n_folds + 1, 1 / n_folds, valid_fraction, classes)
    split = StratifiedKFold(n_folds, shuffle=True, random_state=_state(seed, "stratified windows"))
    return [
        _with_valid(examples, others, test, valid_fraction, _state(seed, "stratified windows", number))
        for number, (others, test) in enumerate(split.split(examples.y[:, None], examples.y))
    ]


def random_windows(
    examples: Examples,
    seed: int,
    *,
    test_fraction: float = 0.2,
    valid_fraction: float = 0.2,
    classes: Sequence[str] = (),
) -> list[Fold]:
    """Published, leaking split: a random `test_fraction` of the windows, stratified by class, is tested once.

    Raises:
        UserError: a class with too few windows (3 or more are needed), or a part with too few windows.
    """
    from sklearn.model_selection import train_test_split

    require_windows(examples, 3, test_fraction, valid_fraction, classes)
    others, test = train_test_split(
        np.arange(len(examples)),
        test_size=test_fraction,
        stratify=examples.y,
        random_state=_state(seed, "random windows"),
    )
    return [_with_valid(examples, others, test, valid_fraction, _state(seed, "random windows", "valid"))]


def require_windows(
    examples: Examples, fewest: int, tested: float, valid_fraction: float, classes: Sequence[str]
) -> None:
    """Check that there are enough windows for a split stratified by class.

    Args:
        examples: all examples.
        fewest: minimum number of windows of a class; it is raised until at least two of them are not tested.
        tested: fraction of the windows that is tested at a time.
        valid_fraction: fraction of the other windows.
        classes: names for error messages.

    Raises:
        UserError: a class with too few windows, or fewer windows in a part than there are classes.
    """
    while fewest - math.ceil(tested * fewest) < 2 and tested < 1:
        fewest += 1
    labels, counts = np.unique(examples.y, return_counts=True)
    for label, count in zip(labels.tolist(), counts.tolist(), strict=True):
        if count < fewest:
            raise UserError(f"{class_name(label, classes)}: {count} window(s), at least {fewest} are needed")
    n_test = math.ceil(tested * len(examples))
    others = len(examples) - n_test
    valid = math.ceil(valid_fraction * others)
    smallest = min(n_test, valid, others - valid)
    if smallest < len(labels):
        raise UserError(
            f"{len(examples)} windows: the smallest part of the split has {max(smallest, 0)}, for {len(labels)} "
            "classes; add recordings, or cut more windows"
        )


def class_name(label: int, classes: Sequence[str]) -> str:
    """The name of a class in error messages."""
    return f"class '{classes[label]}'" if label < len(classes) else f"class {label}"


def _groups(examples: Examples, classes: Sequence[str]) -> dict[int, list[str]]:
    """Group people by the rarest class that they have, the rarest class first.

    Raises:
        UserError: a class with fewer than 3 people.
    """
    pairs = sorted(set(zip(examples.y.tolist(), examples.person.tolist(), strict=True)))
    holders: dict[int, list[str]] = {}
    for label, person in pairs:
        holders.setdefault(label, []).append(person)
    for label, people in holders.items():
        if len(people) < FEWEST_PEOPLE:
            raise UserError(
                f"{class_name(label, classes)}: {len(people)} subject(s) ({', '.join(people)}), at least "
                f"{FEWEST_PEOPLE} are needed, to fit on, select on and test; add recordings or leave the class out"
            )
    groups: dict[int, list[str]] = {}
    placed: set[str] = set()
    for label in sorted(holders, key=lambda label: (len(holders[label]), label)):
        people = [person for person in holders[label] if person not in placed]
        if people:
            groups[label] = people
            placed.update(people)
    return groups


def _fold(
    examples: Examples,
    tested: set[str],
    groups: dict[int, list[str]],
    fraction: float,
    seed: int,
    number: int,
    classes: Sequence[str],
) -> Fold:
    selected: set[str] = set()
    for rarest, people in groups.items():
        others = [person for person in people if person not in tested]
        order = generator(seed, "downstream", "validation people", number, rarest).permutation(others)
        count = min(max(round(fraction * len(others)), 1), len(others) - 1)  # at least one person remains for training
        selected.update(order[: max(count, 0)])
    rows = _rows(examples, tested), _rows(examples, selected)
    train = np.setdiff1d(np.arange(len(examples)), np.concatenate(rows))
    for label in sorted(set(examples.y.tolist()) - set(examples.y[train].tolist())):
        raise UserError(
            f"{class_name(label, classes)}: all its subjects are tested or selected on in fold {number + 1}, none is "
            "left to fit on; use more folds, or add recordings"
        )
    return Fold(train, rows[1], rows[0])


def _rows(examples: Examples, people: set[str]) -> Int64:
    return np.flatnonzero(np.isin(examples.person, sorted(people)))


def _with_valid(examples: Examples, others: NDArray[np.int64], test: Int64, fraction: float, state: int) -> Fold:
    from sklearn.model_selection import train_test_split

    train, valid = train_test_split(others, test_size=fraction, stratify=examples.y[others], random_state=state)
    return Fold(np.sort(train), np.sort(valid), np.sort(test))


def _state(seed: int, *names: str | int) -> int:
    """A seed for scikit-learn, drawn under these names."""
    return int(generator(seed, "downstream", *names).integers(2**31))
