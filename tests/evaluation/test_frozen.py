"""Frozen test sets: one content has one hash, whatever shards hold it, and a run with other mixtures is refused."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cleansemg.core.artifact import Artifact
from cleansemg.core.errors import ArtifactError, UserError
from cleansemg.core.stage import RunOptions
from cleansemg.evaluation import frozen, test_set
from cleansemg.evaluation.rounding import is_power_of_two, rounded
from cleansemg.evaluation.settings import Mix
from cleansemg.evaluation.test_set import SCHEMA
from tests.evaluation.conftest import small_settings
from tests.evaluation.verification.conftest import edit_manifest, forge

STEP = 2.0**-30


def mixed(layout, force=False, **mix):
    settings = small_settings(round_to=STEP, **mix)
    test_set.run(settings, layout, RunOptions(force=force))
    return [Artifact.open(layout.test_data(name), SCHEMA) for name in settings.mix.sets]


@pytest.fixture
def hashes(tmp_path_factory, monkeypatch):
    """An empty folder in place of configs/."""
    folder = tmp_path_factory.mktemp("configs")
    (folder / "frozen").mkdir()
    monkeypatch.setattr(frozen, "configs_folder", lambda: folder)
    return folder / "frozen"


def freeze(layout, hashes, **mix):
    return frozen.freeze(mixed(layout, **mix), "small-v1", "small", hashes / "small-v1.yaml")


def test_the_hash_is_what_its_description_says(layout):
    """Computed here from the description alone."""
    artifact = mixed(layout, sets=("combined",))[0]
    columns = artifact.columns("mixture_id", "clean", "noisy")
    order = np.argsort(columns["mixture_id"])
    names = columns["mixture_id"][order].tolist()
    expected = {
        "ids": b"".join(len(name).to_bytes(8, "little") + name.encode() for name in names),
        "clean": columns["clean"][order].astype("<f4").tobytes(),
        "noisy": columns["noisy"][order].astype("<f4").tobytes(),
    }
    digest = frozen.digest_of_set(artifact)
    assert digest.mixtures == len(names) == 18
    for key, content in expected.items():
        assert getattr(digest, key) == hashlib.sha256(content).hexdigest()
    labels = json.loads(frozen.labels_of(artifact.load(artifact.manifest.shards[0].name))[0])
    assert labels["segment_id"] in names[0] or labels["segment_id"].startswith("synthetic")
    assert set(labels["noise"]) <= {"PLI", "WGN", "Color"}
    assert len(labels["noise"]) == labels["n_kinds"]
    assert "gain" not in labels


def test_the_size_of_shards_does_not_count(layout, tmp_path):
    first = [frozen.digest_of_set(one) for one in mixed(layout)]
    again = [frozen.digest_of_set(one) for one in mixed(layout, force=True, shard_size=4)]
    assert first == again
    assert len({one.sha256 for one in first}) == 2


def test_a_run_with_the_same_mixtures_passes_and_says_so(layout, hashes):
    written = freeze(layout, hashes)
    assert frozen.load("small-v1") == written
    report = test_set.run(small_settings(round_to=STEP, frozen="small-v1"), layout, RunOptions())
    assert [line for line in report.lines if "small-v1" in line] == [
        "combined: the bytes of small-v1", "grid: the bytes of small-v1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"combined_segments": 5}, "5 mixtures, expected 18"),
        ({"snr_db": (-15.0, 0.0, 10.0)}, "its mixtures have other ids"),
        ({"wgn_floor_db": None}, "its noisy waveforms have other samples|its mixtures have other labels"),
        ({"rule": "published"}, "its noisy waveforms have other samples"),
    ],
)
def test_other_mixtures_are_refused_in_a_line_that_says_what_differs_first(layout, hashes, change, message):
    freeze(layout, hashes)
    settings = small_settings(round_to=STEP, frozen="small-v1", **change)
    (layout.root / "test_data/test_combined.npz").unlink()
    with pytest.raises(UserError, match=message) as error:
        test_set.run(settings, layout, RunOptions(force=True))
    assert "combined' of small-v1" in str(error.value)
    assert "\n" not in str(error.value)
    assert not (layout.root / "test_data/test_combined.npz").exists()
    with pytest.raises(ArtifactError, match="missing or unfinished"):
        Artifact.open(layout.test_data("combined"), SCHEMA)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("clean", "its clean waveforms have other samples"),
        ("noisy", "its noisy waveforms have other samples, though ids, labels and clean"),
        ("snr_db", "its mixtures have other labels"),
        ("noise_offset", "its mixtures have other labels or other noise"),
    ],
)
def test_one_changed_value_is_seen(layout, hashes, column, message):
    expected = freeze(layout, hashes)
    artifact = mixed(layout)[0]
    path = artifact.folder / f"{artifact.manifest.shards[1].name}.npz"

    def change(arrays):
        array = arrays[column]
        index = (0,) * array.ndim if column != "noise_offset" else (0, int(np.argmax(arrays["kinds"][0])))
        array[index] = array[index] + STEP if array.dtype.kind == "f" else array[index] + 1

    forge(path, change)
    with pytest.raises(UserError, match=message):
        frozen.require(expected, Artifact.open(artifact.folder, SCHEMA))


def test_a_set_that_is_not_frozen_and_a_name_that_is_none(layout, hashes):
    freeze(layout, hashes, sets=("grid",))
    with pytest.raises(UserError, match="it has the sets grid alone"):
        test_set.run(small_settings(round_to=STEP, frozen="small-v1"), layout, RunOptions())
    before = {path for path in layout.root.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="no frozen test set is called 'smal-v1'; did you mean 'small-v1'"):
        test_set.run(small_settings(round_to=STEP, frozen="smal-v1", shard_size=3), layout, RunOptions())
    assert {path for path in layout.root.rglob("*") if path.is_file()} == before


def test_a_frozen_set_never_changes(layout, hashes, tmp_path):
    freeze(layout, hashes)
    with pytest.raises(UserError, match=r"small-v1\.yaml: is there, .* never changes; a changed one is small-v2"):
        frozen.freeze(mixed(layout), "small-v1", "small", tmp_path / "elsewhere.yaml")
    with pytest.raises(UserError, match="expected a name and a version, such as open-v1"):
        frozen.freeze(mixed(layout), "small", "small", tmp_path / "elsewhere.yaml")
    path = hashes / "small-v1.yaml"
    content = yaml.safe_load(path.read_text())
    content["sets"]["grid"]["mixtures"] += 1
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match="edited, its hashes do not fit each other"):
        frozen.load("small-v1")
    path.write_text("name: small-v1\n")
    with pytest.raises(UserError, match="not the hashes of a frozen test set"):
        frozen.load("small-v1")


def test_samples_are_multiples_of_the_step_and_the_snr_still_holds(layout):
    for artifact in mixed(layout):
        table = artifact.columns("clean", "noisy", "snr_db")
        clean, noisy = table["clean"].astype(np.float64), table["noisy"].astype(np.float64)
        for signal in (clean, noisy):
            assert (signal / STEP == np.rint(signal / STEP)).all()
        realised = 10 * np.log10((clean**2).sum(1) / ((noisy - clean) ** 2).sum(1))
        np.testing.assert_allclose(realised, table["snr_db"], atol=1e-3)
        assert artifact.manifest.info["round_to"] == STEP


def test_last_digits_of_float32_do_not_reach_the_bytes(layout):
    """Two processors differ by one unit in the last place; rounding takes nearly all of that away."""
    rng = np.random.default_rng(0)
    here = (np.rint(rng.normal(0, 5e-5, 20_000) / STEP) * STEP + rng.uniform(-0.4, 0.4, 20_000) * STEP).astype(
        np.float32
    )
    there = np.nextafter(here, np.float32(1))
    assert (here != there).all()
    np.testing.assert_array_equal(rounded(here, STEP), rounded(there, STEP))


@given(st.floats(-0.0156, 0.0156, allow_subnormal=False))
def test_rounding_moves_a_sample_by_half_a_step_at_most_and_twice_is_once(volt):
    once = rounded(np.array([volt]), STEP)
    assert abs(float(once[0]) - volt) <= STEP / 2
    np.testing.assert_array_equal(rounded(once, STEP), once)


def test_no_step_is_no_rounding_and_old_settings_keep_their_identity(layout):
    signal = np.float32([0.1, -1e-9])
    assert rounded(signal, None) is signal
    assert not np.signbit(rounded(np.array([-1e-12]), STEP))[0]
    assert "round_to" not in Mix().identity()
    assert Mix(round_to=STEP).identity()["round_to"] == STEP
    with pytest.raises(ValidationError, match="power of two"):
        Mix(round_to=1e-9)
    assert [is_power_of_two(x) for x in (2.0**-30, 1.0, 1e-9, 0.0, -2.0, float("inf"))] == [True, True] + 4 * [False]


def test_verification_rebuilds_rounded_mixtures_and_sees_those_that_are_not(layout, tmp_path_factory):
    """Its own rounding, from the manifest; without it, the stored samples are not the sums."""
    from cleansemg.evaluation.verification import mixtures
    from cleansemg.evaluation.verification.findings import untracked
    from cleansemg.evaluation.verification.folders import open_results

    mixed(layout, sets=("combined", "grid", "clean"))
    results = shutil.copytree(
        layout.root, tmp_path_factory.mktemp("copies") / "results"
    )  # links become folders, which verification looks into
    finding = mixtures.check(open_results(results), untracked)
    assert finding.problems == []
    assert "180 mixtures rebuilt from segment, noise and gains, 180 bit for bit" in finding.summary
    edit_manifest(results / "test_data" / "grid", lambda manifest: manifest["info"].pop("round_to"))
    problems = mixtures.check(open_results(results), untracked).problems
    assert problems
    assert all("grid" in text for text in problems)
