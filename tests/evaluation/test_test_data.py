"""One content, one fingerprint: shards and the single file are the same input, an edited file is another."""

import numpy as np
import pytest

from cleansemg.core import npz
from cleansemg.core.errors import ArtifactError
from cleansemg.core.stage import RunOptions
from cleansemg.evaluation import evaluating, export, test_set
from cleansemg.evaluation.candidates import candidates
from cleansemg.evaluation.test_data import TestData
from cleansemg.evaluation.verification import verify
from cleansemg.evaluation.verification.folders import content_of, open_results
from tests.evaluation.conftest import small_settings
from tests.pipeline_runs import files


@pytest.fixture
def settings(layout):
    settings = small_settings(sets=("combined",))
    test_set.run(settings, layout, RunOptions())
    return settings


def evaluate(data, settings, layout):
    rows = candidates(settings, layout, names=["identity", "hp"])
    return evaluating.evaluate_all(rows, [data], settings, layout, RunOptions())


def edited(layout, path, **changes):
    npz.write(path, {**npz.read(layout.export), **changes})
    return path


def test_shards_and_file_are_one_input(settings, layout, tmp_path):
    folder, file = TestData.open(layout.test_data("combined")), TestData.open(layout.export)
    copied = tmp_path / "elsewhere.npz"
    copied.write_bytes(layout.export.read_bytes())
    for other in (file, TestData.open(copied)):
        assert (other.fingerprint, other.shards, other.name) == (folder.fingerprint, folder.shards, folder.name)
        for name, _ in folder.shards:
            expected, read = folder.load(name), other.load(name)
            assert expected.keys() == read.keys()
            assert all(np.array_equal(expected[key], read[key], equal_nan=key == "line_hz") for key in expected)
    [one] = open_results(layout.root).of("test-set")
    assert content_of(one) == folder.fingerprint  # as the verification computes it


def test_a_run_goes_on_from_the_file_where_it_stopped_with_the_shards(settings, layout):
    evaluate(TestData.open(layout.test_data("combined")), settings, layout)
    before = files(layout.root)
    evaluate(TestData.open(layout.export), settings, layout)
    assert files(layout.root) == before
    findings = {finding.check: finding for finding in verify(layout.root)}
    for check in ("export", "labels", "metrics", "sampled"):
        assert findings[check].summary
        assert not findings[check].problems
    assert not any("denoised from" in text for text in [*findings["inputs"].problems, *findings["inputs"].notes])


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: {"noisy": np.where(np.arange(len(arrays["noisy"]))[:, None] == 3, 0, arrays["noisy"])},
        lambda arrays: {"kinds": ~arrays["kinds"]},
        lambda arrays: {"subject": np.array([f"{name}x" for name in arrays["subject"]])},
        lambda arrays: {"noisy": arrays["noisy"].astype(np.float64)},
        lambda arrays: {"shard": np.array(["combined_00000"] * len(arrays["noisy"]))},
    ],
)
def test_an_edited_file_is_another_input(settings, layout, tmp_path, change):
    evaluate(TestData.open(layout.test_data("combined")), settings, layout)
    before = files(layout.root)
    path = edited(layout, tmp_path.parent / f"{tmp_path.name}_edited.npz", **change(npz.read(layout.export)))
    assert TestData.open(path).fingerprint != TestData.open(layout.export).fingerprint
    with pytest.raises(ArtifactError, match="another configuration or from other inputs"):
        evaluate(TestData.open(path), settings, layout)
    assert files(layout.root) == before


def test_names_of_shards_cannot_leave_the_folder(settings, layout, tmp_path):
    rows = len(npz.read(layout.export)["clean"])
    for name in ("../outside", "a/b", ".", ""):
        path = edited(layout, tmp_path / "bad.npz", shard=np.array([name] * rows))
        with pytest.raises(ArtifactError, match="is no name"):
            TestData.open(path)
    path = edited(layout, tmp_path / "bad.npz", shard=np.array(["a", "b"] * (rows // 2)))
    with pytest.raises(ArtifactError, match="do not stand together"):
        TestData.open(path)


def test_a_file_without_names_of_shards_is_cut_into_pieces(settings, layout, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "FILE_SHARD_ROWS", 8)
    arrays = npz.read(layout.export)
    del arrays["shard"]
    npz.write(tmp_path / "plain.npz", arrays)
    data = TestData.open(tmp_path / "plain.npz")
    assert data.shards == (("rows_000000000", 8), ("rows_000000008", 8), ("rows_000000016", 2))
    np.testing.assert_array_equal(data.load("rows_000000016")["noisy"], arrays["noisy"][16:])
