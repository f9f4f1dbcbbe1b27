"""A data set that is a part of its own: where its people go, and that nothing else changes for it."""

from __future__ import annotations

import pytest
import yaml

from cleansemg.core import config
from cleansemg.core.artifact import MANIFEST, Artifact
from cleansemg.core.errors import ArtifactError, UserError
from cleansemg.core.layout import Layout
from cleansemg.core.settings import OUT_OF_DOMAIN, PARTS, SPLIT_PARTS
from cleansemg.core.stage import RunOptions
from cleansemg.data_pipeline import grading, qc, segmentation, subject_split
from cleansemg.data_pipeline.leak_labels import leak_labels
from cleansemg.data_pipeline.segmentation import SCHEMA
from cleansemg.data_pipeline.settings import Selected, Split
from cleansemg.data_pipeline.subject_split import load_split
from tests.data_pipeline.in_memory import files, named_settings

STAGES = (qc.run, grading.run, subject_split.run, segmentation.run)
ELSEWHERE = {"elsewhere": {"part": OUT_OF_DOMAIN, "parameters": {"salt": 9}}}


def run(folder, settings, stages=STAGES, force=False):
    layout = Layout(folder)
    return layout, [stage(settings, layout, RunOptions(force=force)) for stage in stages]


def subjects(layout, part):
    artifact = Artifact.open(layout.segments(part), SCHEMA)
    if not artifact.manifest.shards:
        return []
    table = artifact.columns("database", "subject")
    return sorted({f"{d}/{s}" for d, s in zip(table["database"], table["subject"], strict=True)})


@pytest.mark.parametrize(
    "split",
    [
        Split(rule="stratified"),
        Split(rule="by_database", test_databases=("home",)),
        Split(rule="selection", selections=({"home": {"train": Selected(subjects=("S1", "S2")),
                                                      "valid": Selected(subjects=("S3",)),
                                                      "test": Selected(subjects=("S4",))}},)),
    ],
    ids=lambda split: split.rule,
)  # fmt: skip
def test_all_its_people_go_there_and_nobody_else(tmp_path, split):
    layout, reports = run(tmp_path, named_settings(split, home={}, **ELSEWHERE))
    assert subjects(layout, OUT_OF_DOMAIN) == [f"elsewhere/S{number}" for number in range(1, 5)]
    assert not any("elsewhere" in name for part in PARTS for name in subjects(layout, part))
    table = Artifact.open(layout.segments(OUT_OF_DOMAIN), SCHEMA).columns("segment_id")
    assert all(name.startswith("elsewhere_S") for name in table["segment_id"])
    found = load_split(layout.split)
    assert found.parts == SPLIT_PARTS
    assert found.databases["elsewhere"] == {
        "train": (), "valid": (), "test": (), OUT_OF_DOMAIN: ("S1", "S2", "S3", "S4"),
    }  # fmt: skip
    assert OUT_OF_DOMAIN not in found.databases["home"]
    assert found.part_of("elsewhere", "S2") == OUT_OF_DOMAIN
    counts = yaml.safe_load(layout.split.read_text())["counts"]["elsewhere"]
    assert counts[OUT_OF_DOMAIN] == {"subjects": 4, "segments": len(table["segment_id"])}
    assert any("elsewhere: a part of its own, out_of_domain (4 subjects)" in line for line in reports[2].lines)
    assert any(line.startswith("out_of_domain: ") for line in reports[3].lines)
    assert leak_labels(layout) == []


def test_a_split_file_need_not_and_cannot_say_otherwise(tmp_path):
    listed = {name: {"train": ["S1", "S2"], "valid": ["S3"], "test": ["S4"]} for name in ("home", "elsewhere")}
    (tmp_path / "split.yaml").write_text(yaml.safe_dump(listed))
    split = Split(rule="file", file=str(tmp_path / "split.yaml"))
    layout, _ = run(tmp_path / "with", named_settings(split, home={}, **ELSEWHERE))
    assert len(subjects(layout, OUT_OF_DOMAIN)) == 4
    del listed["elsewhere"]
    (tmp_path / "split.yaml").write_text(yaml.safe_dump(listed))
    other, _ = run(tmp_path / "without", named_settings(split, home={}, **ELSEWHERE))
    assert subjects(other, OUT_OF_DOMAIN) == subjects(layout, OUT_OF_DOMAIN)


def test_the_other_parts_are_the_same_bytes_without_it(tmp_path):
    one, _ = run(tmp_path / "one", named_settings(home={}))
    two, _ = run(tmp_path / "two", named_settings(home={}, **ELSEWHERE))
    for part in PARTS:
        shards = [
            {n: b for n, b in files(layout.segments(part)).items() if n.endswith(".npz")} for layout in (one, two)
        ]
        contents = [
            Artifact.open(layout.segments(part), SCHEMA).columns("signal", "segment_id") for layout in (one, two)
        ]
        assert list(shards[0]) == list(shards[1])
        assert all((contents[0][name] == contents[1][name]).all() for name in contents[0])
    assert not one.segments(OUT_OF_DOMAIN).exists()
    assert OUT_OF_DOMAIN not in one.split.read_text()


def test_when_it_is_no_longer_a_part_its_segments_are_none_either(tmp_path):
    layout, _ = run(tmp_path, named_settings(home={}, **ELSEWHERE))
    with pytest.raises(ArtifactError, match="--force"):
        run(tmp_path, named_settings(home={}), STAGES[1:3])
    run(tmp_path, named_settings(home={}), force=True)
    assert not (layout.segments(OUT_OF_DOMAIN) / MANIFEST).exists()


def test_a_part_may_be_any_of_the_four(tmp_path):
    layout, _ = run(tmp_path, named_settings(home={}, elsewhere={"part": "test", "parameters": {"salt": 9}}))
    assert {f"elsewhere/S{number}" for number in range(1, 5)} <= set(subjects(layout, "test"))
    assert not layout.segments(OUT_OF_DOMAIN).exists()


@pytest.mark.parametrize(
    ("datasets", "message"),
    [
        ({"a": {"part": "tests"}}, r"datasets\.a\.part"),
        ({"a": {"class": "simulatd"}}, "no dataset is called 'simulatd'; did you mean 'simulated'"),
        ({"a/b": {"class": "simulated"}}, "'a/b' cannot be a data set's name"),
        ({"simulated": {}, "simulated2": {}}, "no dataset is called 'simulated2'"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_nothing_is_written(tmp_path, datasets, message):
    (tmp_path / "x.yaml").write_text(yaml.safe_dump({"datasets": datasets}))
    with pytest.raises(UserError, match=message) as error:
        qc.run(config.load(tmp_path / "x.yaml"), Layout(tmp_path / "out"), RunOptions())
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_two_data_sets_of_one_class_have_names_of_their_own_everywhere(tmp_path):
    settings = named_settings(first={}, second={"parameters": {"salt": 9}})
    layout, reports = run(tmp_path, settings)
    assert {name.partition("/")[0] for part in PARTS for name in subjects(layout, part)} == {"first", "second"}
    for name in ("first", "second"):
        assert (layout.preprocessed(name) / MANIFEST).exists()
        assert any(line.startswith(f"{name}: ") for line in reports[0].lines)
        assert all(load_split(layout.split).databases[name][part] for part in PARTS)


def test_a_configuration_with_a_class_is_saved_and_read_back(tmp_path):
    (tmp_path / "x.yaml").write_text(yaml.safe_dump({"datasets": {"mine": {"class": "simulated", "part": "test"}}}))
    settings = config.load(tmp_path / "x.yaml")
    config.save(settings, tmp_path / "saved.yaml")
    assert yaml.safe_load((tmp_path / "saved.yaml").read_text())["datasets"]["mine"]["class"] == "simulated"
    assert config.load(tmp_path / "saved.yaml").datasets == settings.datasets


def test_the_open_benchmark_keeps_uci_lower_limb_apart():
    from tests.conftest import ROOT

    datasets = config.load(ROOT / "configs" / "open.yaml").datasets
    assert {name: dataset.part for name, dataset in datasets.items() if dataset.part} == {
        "uci_lower_limb": OUT_OF_DOMAIN
    }
