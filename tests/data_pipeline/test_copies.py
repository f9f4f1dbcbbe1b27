"""People are told apart by what their recordings hold, not by their names (pitfall 31)."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.core.stage import RunOptions
from cleansemg.data_pipeline import grading, qc, subject_split
from cleansemg.data_pipeline.content import ONE_IN, SAMPLED, content_hashes, shared_content
from cleansemg.data_pipeline.recording import Recording
from cleansemg.data_pipeline.settings import Dataset, Split
from cleansemg.data_pipeline.subject_split import load_split
from cleansemg.settings import Settings
from tests.data_pipeline.in_memory import FS_HZ, InMemory, files


class Copied(InMemory):
    """S4 is S1 under another name: all of it, or a part, or from another sample on."""

    name = "copied"
    what = "person"

    def read(self, ref):
        recording = super().read(ref)
        if ref.subject != "S4":
            return recording
        original = super().read(next(one for one in self.list() if (one.subject, one.exercise) == ("S1", ref.exercise)))
        signal, label, repetition = original.signal, original.label, original.repetition
        if self.what == "shifted":
            signal, label, repetition = signal[:, 777:], label[777:], repetition[777:]
        if self.what == "segment":  # 2 s of one channel, elsewhere in a trial
            signal, label, repetition = recording.signal.copy(), recording.label, recording.repetition
            signal[1, 20_000:24_000] = original.signal[0, 5000:9000]
        return Recording("copied", "S4", ref.exercise, signal, FS_HZ, recording.channels, label, repetition)


class CopiedPart(Copied):
    what = "segment"


class CopiedLater(Copied):
    what = "shifted"


def graded(folder, datasets, split):
    config = Settings(datasets=datasets, split=split)
    layout = Layout(folder)
    for stage in (qc.run, grading.run):
        stage(config, layout, RunOptions())
    return config, layout


def entry(cls, **more):
    return Dataset(**{"class": f"{__name__}:{cls.__name__}", **more})


@pytest.mark.parametrize("cls", [Copied, CopiedPart, CopiedLater])
def test_a_copy_is_one_line_that_names_both_and_nothing_is_written(tmp_path, cls):
    config, layout = graded(tmp_path, {"mine": entry(cls)}, Split(rule="stratified"))
    before = files(tmp_path)
    with pytest.raises(UserError) as error:
        subject_split.run(config, layout, RunOptions())
    message = str(error.value)
    assert message.startswith(
        "S1 of mine and S4 of mine: the same samples under 2 names (mine S1 E1 trial 0 ch0 and mine S4 E1"
    )
    assert message.endswith("leave all but one out, or keep them in one part with split.copies: one_part")
    assert "\n" not in message
    assert files(tmp_path) == before


@pytest.mark.parametrize("seed", range(4))
def test_copies_can_be_kept_in_one_part_and_that_is_said(tmp_path, seed):
    config, layout = graded(tmp_path, {"mine": entry(Copied)}, Split(rule="stratified", copies="one_part"))
    report = subject_split.run(config.model_copy(update={"seed": seed}), layout, RunOptions())
    split = load_split(layout.split)
    assert split.part_of("mine", "S1") == split.part_of("mine", "S4")
    line = next(line for line in report.lines if line.startswith("S1 of mine and S4 of mine: the same samples"))
    assert line.endswith(f"kept in {split.part_of('mine', 'S1')}, where one person counts as 2.")
    assert line in split.remarks  # so it stands under every table
    assert sorted(s for people in split.databases["mine"].values() for s in people) == ["S1", "S2", "S3", "S4"]


def test_copies_are_found_across_data_sets(tmp_path):
    config, layout = graded(
        tmp_path, {"one": entry(SameEverywhere), "two": entry(SameEverywhere)}, Split(rule="stratified")
    )
    with pytest.raises(UserError, match=r"S1 of one and S1 of two: .* 3 more such groups"):
        subject_split.run(config, layout, RunOptions())


def test_a_copy_of_somebody_out_of_domain_cannot_be_kept(tmp_path):
    datasets = {"one": entry(SameEverywhere), "two": entry(SameEverywhere, part="out_of_domain")}
    config, layout = graded(tmp_path, datasets, Split(rule="stratified", copies="one_part"))
    with pytest.raises(UserError, match="two is a part of its own, so one part cannot hold both; leave one out"):
        subject_split.run(config, layout, RunOptions())
    assert not layout.split.exists()


class SameEverywhere(InMemory):
    """The same people whatever the database is called."""

    name = "same"

    def read(self, ref):
        recording = InMemory("same").read(ref)
        return Recording(ref.database, *[getattr(recording, name) for name in list(Recording.__dataclass_fields__)[1:]])


def test_a_split_file_that_puts_a_copy_into_two_parts_is_refused(tmp_path):
    (tmp_path / "split.yaml").write_text(
        yaml.safe_dump({"mine": {"train": ["S1", "S2"], "valid": ["S3"], "test": ["S4"]}})
    )
    config, layout = graded(tmp_path, {"mine": entry(Copied)}, Split(rule="file", file=str(tmp_path / "split.yaml")))
    with pytest.raises(UserError, match="S1 of mine and S4 of mine"):
        subject_split.run(config, layout, RunOptions())
    one = config.model_copy(update={"split": config.split.model_copy(update={"copies": "one_part"})})
    subject_split.run(one, layout, RunOptions())
    assert load_split(layout.split).databases["mine"]["train"] == ("S1", "S2", "S4")  # the first of their parts


def test_a_selection_cannot_move_people():
    with pytest.raises(ValueError, match="a selection says who is where"):
        Split(rule="selection", selections=({},), copies="one_part")


# ---- the hashes


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2000, 6000), st.integers(0, 3000), st.integers(0, 3000))
def test_a_shared_stretch_is_found_wherever_it_lies(seed, length, before, after):
    rng = np.random.default_rng(seed)
    stretch = rng.standard_normal(length)
    one = np.concatenate([rng.standard_normal(before), stretch, rng.standard_normal(after)])
    other = np.concatenate([rng.standard_normal(after), stretch, rng.standard_normal(before)])
    counted = len(set(content_hashes(stretch)) - {0})
    assert abs(counted - min(SAMPLED, length / ONE_IN)) < 5 * np.sqrt(length / ONE_IN)  # as many as announced
    pairs = shared_content(np.stack([content_hashes(one), content_hashes(other)]), ["a", "b"])
    shared = set(content_hashes(one)) & set(content_hashes(other)) - {0}
    assert pairs == ([(0, 1)] if len(shared) >= 2 else [])
    if before + after + length <= ONE_IN * SAMPLED / 2:  # far from full: every shared hash is in both
        assert len(shared) >= counted


def test_what_everybody_has_is_nobodys():
    """Zeros, a rail, steps that seldom change."""
    quiet = np.zeros(20_000)
    steps = np.repeat(np.arange(400.0), 50)
    assert not content_hashes(quiet).any()
    assert not content_hashes(np.clip(1e3 * np.sin(np.arange(20_000) / 500), -1, 1)).any()
    assert not content_hashes(steps).any()
    assert not content_hashes(np.ones(10)).any()
    assert (content_hashes(-quiet + 0.0) == content_hashes(quiet)).all()


def test_different_people_share_nothing_and_one_person_may():
    rng = np.random.default_rng(0)
    coarse = [np.round(3 * rng.standard_normal(30_000)) for _ in range(20)]  # a converter of few steps
    hashes = np.stack([content_hashes(x) for x in coarse])
    assert shared_content(hashes, [f"p{i}" for i in range(20)]) == []
    assert shared_content(np.stack([hashes[0], hashes[0]]), ["p", "p"]) == []
    assert shared_content(np.empty((0, SAMPLED), np.uint64), []) == []
