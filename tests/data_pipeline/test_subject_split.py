"""Stage split: the three rules, and that no subject is ever in two parts."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cleansemg.core.errors import ArtifactError, UserError
from cleansemg.core.layout import Layout
from cleansemg.core.settings import PARTS
from cleansemg.core.stage import RunOptions
from cleansemg.data_pipeline import grading, qc, subject_split
from cleansemg.data_pipeline.settings import Split
from cleansemg.data_pipeline.split_rules import by_database, from_file, require_disjoint, stratified
from cleansemg.data_pipeline.subject_split import load_split
from tests.data_pipeline.in_memory import DB2, DB3, Spoilt, settings_for

RULE = Split(rule="by_database")
SIZES = st.dictionaries(st.text("abc123", min_size=1, max_size=4), st.integers(1, 500), min_size=3, max_size=40)


def everyone(parts):
    return sorted(subject for part in PARTS for subject in parts[part])


def graded(tmp_path, *classes, split, **parameters):
    settings, layout = settings_for(*classes, split=split, **parameters), Layout(tmp_path)
    qc.run(settings, layout, RunOptions())
    grading.run(settings, layout, RunOptions())
    return settings, layout


@pytest.mark.parametrize(
    ("n", "valid"),
    [
        (1, []),
        (2, ["s00"]),  # at most n - 1
        (3, ["s00", "s02"]),
        (11, ["s00", "s10"]),  # DB3: round(2.2) = 2
        (20, ["s00", "s06", "s12", "s19"]),  # DB7: linspace(0, 19, 4) = 0, 6.33, 12.67, 19
    ],
)
def test_by_database_takes_validation_subjects_along_the_sizes(n, valid):
    sizes = {f"s{number:02d}": 10 * number + 1 for number in reversed(range(n))}
    parts = by_database(sizes, False, RULE)
    assert parts["valid"] == valid
    assert parts["test"] == []
    assert everyone(parts) == sorted(sizes)


def test_by_database_breaks_ties_by_name():
    assert by_database({"b": 5, "a": 5, "c": 5}, False, RULE)["valid"] == ["a", "c"]


def test_a_test_database_is_wholly_test():
    assert by_database({"b": 1, "a": 9}, True, RULE) == {"train": [], "valid": [], "test": ["b", "a"]}


@given(SIZES, st.integers(0, 99))
def test_stratified_gives_every_subject_one_part_and_every_part_a_subject(sizes, seed):
    parts = stratified("DB", sizes, Split(rule="stratified"), seed)
    assert everyone(parts) == sorted(sizes)
    n = len(sizes)
    assert len(parts["test"]) == len(parts["valid"]) == max(1, round(0.2 * n))
    assert parts["train"]
    assert parts == stratified("DB", dict(reversed(sizes.items())), Split(rule="stratified"), seed)


def test_stratified_spreads_small_and_large_subjects_and_depends_on_the_seed():
    sizes = {f"s{number:02d}": number + 1 for number in range(30)}
    found = {tuple(stratified("DB", sizes, Split(rule="stratified"), seed)["test"]) for seed in range(5)}
    assert len(found) == 5
    for test in found:  # one of each stratum of five
        assert [(sizes[subject] - 1) // 5 for subject in test] == [0, 1, 2, 3, 4, 5]


def test_stratified_needs_three_subjects():
    with pytest.raises(UserError, match="DB has 2 subjects"):
        stratified("DB", {"a": 1, "b": 2}, Split(rule="stratified"), 0)


def test_overlap_is_named():
    with pytest.raises(UserError, match="here: subject 'b' of DB is in train and again in test"):
        require_disjoint("DB", {"train": ["a", "b"], "valid": [], "test": ["b"]}, "here")


def test_a_run_by_database(tmp_path):
    settings, layout = graded(tmp_path, DB2, DB3, split=RULE, n_subjects=3)
    report = subject_split.run(settings, layout, RunOptions())
    split = load_split(layout.split)
    assert split.databases["DB2"] == {"train": (), "valid": (), "test": ("S1", "S2", "S3")}
    # S1 4 trials, S2 5, S3 3: ascending S3, S1, S2; the first and the last validate
    assert split.databases["DB3"] == {"train": ("S1",), "valid": ("S2", "S3"), "test": ()}
    assert split.part_of("DB3", "S1") == "train"
    with pytest.raises(UserError, match="no subject 'S9' of DB3"):
        split.part_of("DB3", "S9")
    counts = yaml.safe_load(layout.split.read_text())["counts"]
    assert counts["DB3"]["valid"] == {"subjects": 2, "segments": (5 + 3) * 2 * 2}  # trials, channels, windows
    assert (
        report.lines[0]
        == "DB2: train 0 subjects (0 segments), valid 0 subjects (0 segments), test 3 subjects (48 segments)"
    )


def test_the_same_is_kept_and_anything_else_refused(tmp_path):
    settings, layout = graded(tmp_path, DB2, split=Split(rule="stratified"))
    subject_split.run(settings, layout, RunOptions())
    before = layout.split.read_bytes()
    subject_split.run(settings, layout, RunOptions())
    assert layout.split.read_bytes() == before
    other = settings.model_copy(update={"seed": 7})
    with pytest.raises(ArtifactError, match="another configuration"):
        subject_split.run(other, layout, RunOptions())
    subject_split.run(other, layout, RunOptions(force=True))
    layout.split.write_text(layout.split.read_text().replace("rule: stratified", "rule: mine"))
    with pytest.raises(ArtifactError, match="edited by hand"):
        subject_split.run(other, layout, RunOptions())


def test_overlap_is_found_on_reading(tmp_path):
    settings, layout = graded(tmp_path, DB2, split=Split(rule="stratified"))
    subject_split.run(settings, layout, RunOptions())
    content = yaml.safe_load(layout.split.read_text())
    parts = content["databases"]["DB2"]
    parts["train"].append(parts["test"][0])
    layout.split.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match=f"subject '{parts['test'][0]}' of DB2 is in train and again in test"):
        load_split(layout.split)


@pytest.mark.parametrize(
    "text", ["", "rule: x", "databases: {DB2: {train: []}}", "- 1", "a: [", "rule: 3\ndatabases: 5"]
)
def test_what_is_not_a_split_is_refused(tmp_path, text):
    (tmp_path / "split.yaml").write_text(text)
    with pytest.raises(ArtifactError, match="not a split"):
        load_split(tmp_path / "split.yaml")
    with pytest.raises(ArtifactError, match="no such split"):
        load_split(tmp_path / "nothing.yaml")


def test_a_misspelt_test_database_is_not_trained_on(tmp_path):
    settings, layout = graded(tmp_path, DB2, split=Split(test_databases=("DB02",)))
    with pytest.raises(UserError, match="no data set is called 'DB02'; did you mean 'DB2'"):
        subject_split.run(settings, layout, RunOptions())


def split_file(tmp_path, content):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content) if not isinstance(content, str) else content)
    return Split(rule="file", file=str(path))


def test_a_file_decides_and_absent_subjects_are_counted(tmp_path):
    listed = {"DB2": {"train": ["S1", "S9"], "valid": ["S3"], "test": ["S2", "S8", "S7"]}, "DB4": {"train": ["S1"]}}
    settings, layout = graded(tmp_path, DB2, split=split_file(tmp_path, listed), n_subjects=3)
    report = subject_split.run(settings, layout, RunOptions())
    split = load_split(layout.split)
    assert split.databases == {"DB2": {"train": ("S1",), "valid": ("S3",), "test": ("S2",)}}
    assert split.remarks == ("DB2: a part of the data, 3 of 6 subjects of the split are here.",)
    assert split.remarks[0] in report.lines


def test_subjects_without_a_segment_are_remarked(tmp_path):
    settings, layout = graded(tmp_path, Spoilt, split=Split(rule="stratified"), n_subjects=4)
    strict = settings.model_copy(update={"segment": settings.segment.model_copy(update={"window_s": 6.0})})
    with pytest.raises(UserError, match="spoilt has 0 subjects"):
        subject_split.run(strict, layout, RunOptions())
    listed = {"spoilt": {"train": ["S1"], "valid": ["S3"], "test": ["S4"]}}
    by_file = strict.model_copy(update={"split": split_file(tmp_path, listed)})
    subject_split.run(by_file, layout, RunOptions())
    assert "3 subjects have no segment" in load_split(layout.split).remarks[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"DB2": {"train": ["S1", "S2"], "test": ["S3"]}}, "has no subject 'S4', which is in the data"),
        ({"DB2": {"train": ["S1", "S2"], "test": ["S3", "S2", "S4"]}}, "'S2' of DB2 is in train and again in test"),
        ({"DB2": {"train": ["S1", "S1"]}}, "'S1' of DB2 is in train and again in train"),
        ({"DB3": {"train": ["S1"]}}, "has no database 'DB2'"),
        ({"DB2": {"tests": ["S1"]}}, "no part is called 'tests'; did you mean 'test'"),
        ({"DB2": {"train": "S1"}}, "expected a list"),
        ({"DB2": ["S1"]}, "expected 'database: "),
        ("a: [", "cannot be read"),
    ],
)
def test_mistakes_in_the_file_are_named(tmp_path, content, message):
    settings, layout = graded(tmp_path, DB2, split=split_file(tmp_path, content))
    with pytest.raises(UserError, match=message):
        subject_split.run(settings, layout, RunOptions())


def test_numbers_as_subjects_are_text():
    listed = {"DB": {"train": ["1"], "valid": [], "test": ["2"]}}
    assert from_file({"DB": ["1", "2"]}, listed, "f")["DB"]["test"] == ["2"]


def test_a_file_that_is_not_set_is_an_error(tmp_path):
    settings, layout = graded(tmp_path, DB2, split=Split(rule="file"), n_subjects=3)
    with pytest.raises(UserError, match=r"split\.file is not set"):
        subject_split.run(settings, layout, RunOptions())


def test_the_committed_split_is_disjoint_and_fills_every_part():
    from cleansemg.core.registry import project_root

    for path in (project_root() / "configs" / "splits").glob("*.yaml"):
        for database, parts in yaml.safe_load(path.read_text()).items():
            require_disjoint(database, parts, str(path))
            assert all(parts[part] for part in PARTS)
