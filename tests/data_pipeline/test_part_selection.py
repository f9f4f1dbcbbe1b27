"""The split rule `selection`: parts by subject, exercise and channel, and what it refuses."""

from __future__ import annotations

import pytest
import yaml

from cleansemg.core.artifact import Artifact
from cleansemg.core.errors import ArtifactError, UserError
from cleansemg.core.layout import Layout
from cleansemg.core.settings import PARTS
from cleansemg.core.stage import RunOptions
from cleansemg.data_pipeline import grading, qc, segmentation, subject_split
from cleansemg.data_pipeline.part_selection import expand, leak_label, shared_subjects
from cleansemg.data_pipeline.qc import SCHEMA as QUALITY
from cleansemg.data_pipeline.segmentation import SCHEMA as SEGMENTS
from cleansemg.data_pipeline.settings import Grade, Segment, Split
from cleansemg.data_pipeline.subject_split import load_split
from cleansemg.settings import Settings
from tests.data_pipeline.in_memory import DB2, settings_for

DISJOINT = {
    "train": {"subjects": ["S1-S2"], "exercises": ["E1"], "channels": ["ch0"]},
    "valid": {"subjects": ["S3"], "exercises": ["E1"], "channels": ["ch0"]},
    "test": {"subjects": ["S4"], "exercises": ["E2"], "channels": ["ch1", "ch2"]},
}
SHARING = {**DISJOINT, "valid": {"subjects": ["S1-S2"], "exercises": ["E2"], "channels": ["ch0"]}}
STAGES = (qc.run, grading.run, subject_split.run, segmentation.run)


def settings(*selections, protocol="disjoint", fold=1, **more) -> Settings:
    split = Split(rule="selection", selections=[{"DB2": parts} for parts in selections], fold=fold)
    base = settings_for(DB2, split=split, exercises=("E1", "E2", "E3"), n_channels=3)
    return base.model_copy(update={"protocol": protocol, **more})


def run_all(folder, config):
    layout = Layout(folder)
    return layout, [stage(config, layout, RunOptions()) for stage in STAGES]


def test_each_part_holds_what_it_takes_and_nothing_else(tmp_path):
    layout, _ = run_all(tmp_path, settings(DISJOINT))
    found = {}
    for part in PARTS:
        table = Artifact.open(layout.segments(part), SEGMENTS).columns("subject", "exercise", "channel_name")
        found[part] = {name: set(column.tolist()) for name, column in table.items()}
    assert found == {
        "train": {"subject": {"S1", "S2"}, "exercise": {"E1"}, "channel_name": {"ch0"}},
        "valid": {"subject": {"S3"}, "exercise": {"E1"}, "channel_name": {"ch0"}},
        "test": {"subject": {"S4"}, "exercise": {"E2"}, "channel_name": {"ch1", "ch2"}},
    }
    measured = Artifact.open(layout.preprocessed("DB2"), QUALITY).columns("subject", "exercise", "channel_name")
    assert set(measured["exercise"].tolist()) == {"E1", "E2"}  # E3 is not even read
    content = yaml.safe_load(layout.split.read_text())
    counts = [content["counts"]["DB2"][part]["segments"] for part in PARTS]
    assert counts == [Artifact.open(layout.segments(part), SEGMENTS).manifest.count for part in PARTS]
    assert "label" not in content
    assert load_split(layout.split).part_of_signal("DB2", "S4", "E1", "ch1") is None


def test_shared_subjects_are_refused_or_labelled(tmp_path):
    with pytest.raises(
        UserError, match=r"without protocol: published: subject 'S1' of DB2 is in train and again in valid"
    ):
        run_all(tmp_path / "refused", settings(SHARING))
    layout, reports = run_all(tmp_path / "labelled", settings(SHARING, protocol="published"))
    split = load_split(layout.split)
    assert split.label == "protocol: published. LEAKING: train and valid share 2 subjects of DB2 (S1, S2)."
    assert split.label in reports[2].lines
    ids = [set(Artifact.open(layout.segments(part), SEGMENTS).columns("segment_id")["segment_id"]) for part in PARTS]
    assert not ids[0] & ids[1]
    valid = Artifact.open(layout.segments("valid"), SEGMENTS).columns("exercise")["exercise"]
    assert set(valid.tolist()) == {"E2"}


def test_a_published_protocol_that_shares_nothing_has_no_label(tmp_path):
    layout, _ = run_all(tmp_path, settings(DISJOINT, protocol="published"))
    assert load_split(layout.split).label == ""


def test_a_shared_split_without_its_label_is_refused(tmp_path):
    layout, _ = run_all(tmp_path, settings(SHARING, protocol="published"))
    content = yaml.safe_load(layout.split.read_text())
    del content["label"]
    layout.split.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match="subject 'S1' of DB2 is in train and again in valid"):
        load_split(layout.split)


def test_no_signal_serves_two_parts(tmp_path):
    same = {**DISJOINT, "valid": DISJOINT["train"]}
    with pytest.raises(UserError, match="train and valid both take DB2 S1 E1 ch0; no protocol may"):
        run_all(tmp_path, settings(same, protocol="published"))


def test_a_fold_is_one_of_the_selections(tmp_path):
    turned = {**DISJOINT, "train": DISJOINT["valid"], "valid": DISJOINT["train"]}
    layout, _ = run_all(tmp_path, settings(DISJOINT, turned, fold=2))
    assert load_split(layout.split).databases["DB2"]["valid"] == ("S1", "S2")
    with pytest.raises(ArtifactError, match="made under another configuration"):
        subject_split.run(settings(DISJOINT, turned, fold=1), layout, RunOptions())
    with pytest.raises(ValueError, match=r"fold: 3, but split\.selections has 2"):
        Split(rule="selection", selections=[{}, {}], fold=3)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"train": {"subjects": ["S9"]}}, "takes no recording of DB2; there are e.g. S1 E1"),
        ({**DISJOINT, "test": {"subjects": ["S9"]}}, r"DB2\.test: no signal of S9 in the data; there are subjects S1"),
        ({**DISJOINT, "test": {"subjects": ["S4"], "channels": ["ch9"]}}, r"DB2\.test: no signal of S4"),
        ({"train": {"subjects": ["S1", "S1-S2"]}}, "'S1' is listed twice"),
        ({"train": {"subjects": ["S2-S1"]}}, "'S2-S1' is an empty range"),
    ],
)
def test_what_a_selection_cannot_take_is_named(tmp_path, parts, message):
    with pytest.raises(UserError, match=message):
        run_all(tmp_path, settings(parts))


def test_another_database_is_named(tmp_path):
    config = settings(DISJOINT)
    config = config.model_copy(update={"split": Split(rule="selection", selections=[{"DB3": DISJOINT}])})
    with pytest.raises(UserError, match="has no database 'DB2'; did you mean 'DB3'"):
        qc.run(config, Layout(tmp_path), RunOptions())


def test_subjects_of_the_selection_that_are_not_there_are_counted(tmp_path):
    wide = {**DISJOINT, "train": {**DISJOINT["train"], "subjects": ["S1-S2", "S5-S10"]}}
    layout, _ = run_all(tmp_path, settings(wide))
    assert load_split(layout.split).remarks == ("DB2: a part of the data, 4 of 10 subjects of the split are here.",)


def test_nothing_is_graded_where_the_rule_is_none(tmp_path):
    layout, _ = run_all(tmp_path, settings(DISJOINT, grade=Grade(rule="none"), segment=Segment(cut="recordings")))
    table = Artifact.open(layout.grades, grading.SCHEMA).columns("kept", "grade", "snr_db", "trial")
    assert table["kept"].all()
    assert set(table["grade"].tolist()) == {"none"}
    assert set(table["trial"].tolist()) == {0}  # a recording is one row
    assert (table["snr_db"] != table["snr_db"]).all()  # nothing is measured


def test_ranges_and_labels():
    assert expand(["S9-S11", "S2"]) == ("S9", "S10", "S11", "S2")
    assert expand(["S1-3"]) == ("S1", "S2", "S3")
    assert expand(["M3R1", "patient-7"]) == ("M3R1", "patient-7")
    lines = shared_subjects("DB", {"train": ("a", "b", "c", "d", "e"), "valid": tuple("abcde"), "test": ("e",)})
    assert lines[0] == "train and valid share 5 subjects of DB (a, b, c, d, ...)"
    assert lines[1:] == ["train and test share 1 subjects of DB (e)", "valid and test share 1 subjects of DB (e)"]
    assert leak_label(lines[2:]) == "protocol: published. LEAKING: valid and test share 1 subjects of DB (e)."
