import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cleansemg.core import npz
from cleansemg.core.artifact import Artifact, read_manifest, write_manifest
from cleansemg.core.errors import ArtifactError, UserError
from cleansemg.core.layout import Layout
from cleansemg.core.stage import RunOptions
from cleansemg.data_pipeline.segmentation import SCHEMA as SEGMENTS
from cleansemg.evaluation import test_set
from cleansemg.evaluation.test_set import SCHEMA
from cleansemg.evaluation.verification import draws
from cleansemg.evaluation.verification.folders import _read, open_results
from cleansemg.evaluation.verification.library import Noise
from cleansemg.noise import mixing
from cleansemg.noise.kinds import BENCHMARK_KINDS
from cleansemg.noise.library import NoiseLibrary
from tests.conftest import ROOT
from tests.evaluation.conftest import small_settings, write_segments

COLUMNS = (
    "mixture_id",
    "clean",
    "noisy",
    "snr_db",
    "n_kinds",
    "kinds",
    "gain",
    "noise_piece",
    "noise_offset",
    "line_hz",
)


def test_a_worker_starts_without_scipy():
    """scipy.signal takes longer to import than a thousand mixtures to make; a run at one rate needs none of it."""
    code = "import sys, cleansemg.evaluation.test_set; print([m for m in sys.modules if m.partition('.')[0] in ('scipy', 'pandas', 'torch')])"
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def run(layout, workers=1, **mix):
    settings = small_settings(**mix)
    test_set.run(settings, layout, RunOptions(workers=workers))
    return {name: Artifact.open(layout.test_data(name), SCHEMA) for name in settings.mix.sets}


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_snr_is_exact_in_what_is_stored(layout):
    """Pitfalls 5 and 6: unclipped, in volts, and the total SNR holds to 1e-6 dB with several kinds, too."""
    for artifact in run(layout).values():
        table = artifact.columns(*COLUMNS)
        clean, noisy = table["clean"].astype(np.float64), table["noisy"].astype(np.float64)
        realised = 10 * np.log10((clean**2).sum(1) / ((noisy - clean) ** 2).sum(1))
        np.testing.assert_allclose(realised, table["snr_db"], atol=1e-6)
        assert (table["kinds"].sum(1) == table["n_kinds"]).all()
        assert ((table["gain"] > 0) == table["kinds"]).all()
        assert np.abs(clean).max() < 1e-2


def test_every_segment_is_in_every_cell_once(layout):
    """Pitfall 1: nothing collides, nothing is lost."""
    artifacts = run(layout)
    combined = artifacts["combined"].columns("segment_id", "mixture_id")
    assert len(set(combined["segment_id"])) == 18 == len(combined["segment_id"])
    grid = artifacts["grid"].columns("segment_id", "snr_db", "n_kinds", "mixture_id")
    cells = list(zip(grid["segment_id"], grid["snr_db"], grid["n_kinds"], strict=True))
    assert len(cells) == len(set(cells)) == 18 * 9
    assert len(set(grid["mixture_id"])) == len(cells)


def test_white_noise_alone_stays_above_its_floor(layout):
    grid = run(layout, sets=("grid",))["grid"].columns("snr_db", "n_kinds", "kinds")
    alone = (grid["n_kinds"] == 1) & (grid["snr_db"] < -5)
    assert alone.any()
    assert not grid["kinds"][alone, 3].any()


def test_a_mixture_is_rebuilt_from_its_recipe(layout):
    library = NoiseLibrary.open(layout.noise("test"))
    table = run(layout, sets=("grid",))["grid"].columns(*COLUMNS)
    recipe = mixing.Recipe(table["kinds"], table["noise_piece"], table["noise_offset"])
    np.testing.assert_array_equal(mixing.rebuild(table["clean"], recipe, table["gain"], library), table["noisy"])


def test_workers_change_no_byte_and_shard_size_no_value(layout, tmp_path):
    artifacts = run(layout)
    before = files(tmp_path / "test_data")
    values = {name: artifact.columns(*COLUMNS) for name, artifact in artifacts.items()}
    for file in (tmp_path / "test_data").rglob("manifest.json"):
        file.unlink()
    for shard in list((tmp_path / "test_data").rglob("*_00001.npz")):
        shard.unlink()
    run(layout, workers=2)
    assert files(tmp_path / "test_data") == before
    for file in (tmp_path / "test_data").rglob("*"):
        if file.is_file():
            file.unlink()
    for name, artifact in run(layout, shard_size=4).items():
        for column, expected in values[name].items():
            np.testing.assert_array_equal(artifact.columns(column)[column], expected)


def test_draws_do_not_depend_on_what_else_was_selected(layout, tmp_path_factory):
    everyone = run(layout, sets=("combined",))["combined"].columns("mixture_id", "noisy")
    other = type(layout)(tmp_path_factory.mktemp("fewer"))
    (other.root / "noise").symlink_to(layout.root / "noise")
    write_segments(other.segments("test"), subjects=("1", "2", "3"))
    manifest = other.segments("test") / "manifest.json"
    text = manifest.read_text()
    start = text.index("  {\n", text.index('"shards"'))  # drop the first subject's shard
    manifest.write_text(text[:start] + text[text.index("  {\n", start + 1) :])
    fewer = run(other, sets=("combined",))["combined"].columns("mixture_id", "noisy")
    assert 0 < len(fewer["mixture_id"]) < len(everyone["mixture_id"])
    position = {name: row for row, name in enumerate(everyone["mixture_id"])}
    rows = [position[name] for name in fewer["mixture_id"]]
    np.testing.assert_array_equal(everyone["noisy"][rows], fewer["noisy"])


def test_the_published_rule_is_nominal(layout):
    table = run(layout, sets=("grid",), rule="published")["grid"].columns("clean", "noisy", "snr_db", "n_kinds")
    clean, noisy = table["clean"].astype(np.float64), table["noisy"].astype(np.float64)
    error = np.abs(10 * np.log10((clean**2).sum(1) / ((noisy - clean) ** 2).sum(1)) - table["snr_db"])
    assert error[table["n_kinds"] == 1].max() < 1e-6
    assert error[table["n_kinds"] > 1].max() > 0.01


def test_the_export_holds_the_same_rows(layout):
    artifact = run(layout)["combined"]
    exported = npz.read(layout.export)
    for name, column in artifact.columns(*COLUMNS).items():
        np.testing.assert_array_equal(exported[name], column)


def test_a_grid_of_some_segments_spreads_over_subjects(layout):
    grid = run(layout, grid_segments=6)["grid"].columns("subject", "snr_db", "n_kinds")
    cell = (grid["snr_db"] == 0) & (grid["n_kinds"] == 2)
    assert sorted(grid["subject"][cell]) == ["1", "1", "2", "2", "3", "3"]


def test_a_combined_set_of_some_segments_holds_the_same_mixtures_of_them(layout):
    every = run(layout)["combined"].columns("mixture_id", "noisy")
    settings = small_settings(combined_segments=6)
    test_set.run(settings, layout, RunOptions(force=True))
    fewer = Artifact.open(layout.test_data("combined"), SCHEMA).columns("mixture_id", "subject", "noisy")
    assert sorted(fewer["subject"]) == ["1", "1", "2", "2", "3", "3"]
    at = {name: row for row, name in enumerate(every["mixture_id"])}
    rows = [at[name] for name in fewer["mixture_id"]]
    np.testing.assert_array_equal(fewer["noisy"], every["noisy"][rows])


def test_cells_that_cannot_be_filled_are_an_error(layout):
    with pytest.raises(UserError, match="4 kinds at -15 dB, but only 3 can be drawn"):
        run(layout, n_kinds=(4,))


def test_missing_inputs_say_what_to_run(tmp_path, layout):
    with pytest.raises(ArtifactError, match="missing or unfinished; run:"):
        test_set.run(small_settings(), type(layout)(tmp_path / "nowhere"), RunOptions())


def test_a_silent_segment_is_recorded_and_the_rest_is_kept(ingredients, tmp_path):
    layout = type(ingredients)(tmp_path)
    (tmp_path / "noise").symlink_to(ingredients.root / "noise")
    write_segments(layout.segments("test"), subjects=("1",))
    folder = layout.segments("test")
    arrays = npz.read(folder / "synthetic_s1.npz")
    arrays["signal"][2] = 0
    digest = npz.write(folder / "synthetic_s1.npz", arrays)
    manifest = read_manifest(folder, SEGMENTS)
    write_manifest(folder, replace(manifest, shards=(replace(manifest.shards[0], sha256=digest),)))
    report = test_set.run(small_settings(sets=("combined",)), layout, RunOptions())
    assert report.n_failures == 1
    assert Artifact.open(layout.test_data("combined"), SCHEMA).manifest.count == 5
    assert 'W002,"the clean segment is all zero' in (layout.test_data("combined") / "failures.csv").read_text()


def test_the_clean_set_holds_segments_without_noise(layout):
    table = run(layout, sets=("clean",))["clean"].columns(*COLUMNS, "segment_id")
    assert len(table["clean"]) == 18
    assert np.array_equal(table["clean"], table["noisy"])
    assert np.isposinf(table["snr_db"]).all()
    assert not table["kinds"].any()
    assert not table["n_kinds"].any()
    assert table["mixture_id"].tolist() == [f"clean_{segment}" for segment in table["segment_id"]]


def test_out_of_domain_people_need_a_data_set_of_theirs(ingredients, tmp_path):
    layout = Layout(Path(shutil.copytree(ingredients.root, tmp_path / "run")))
    sets = ("combined", "out_of_domain")
    with pytest.raises(UserError, match=r"'out_of_domain' needs a data set with `part: out_of_domain`"):
        run(layout, sets=sets)
    assert not layout.test_data("combined").exists()  # nothing half-written
    write_segments(layout.segments("out_of_domain"), subjects=("9", "10"))
    there = run(layout, sets=sets)["out_of_domain"].columns("subject", "mixture_id", "snr_db")
    assert set(there["subject"].tolist()) == {"9", "10"}
    assert all(name.startswith("out_of_domain_synthetic_S") for name in there["mixture_id"].tolist())
    assert set(there["snr_db"].tolist()) <= {-15.0, 0.0, 15.0}


@pytest.fixture(scope="module")
def six_kinds(tmp_path_factory):
    """The ingredients with a sixth kind, in the test library alone."""
    from cleansemg.noise.library import build_libraries
    from cleansemg.noise.settings import Source

    layout = Layout(tmp_path_factory.mktemp("six"))
    settings = small_settings()
    extra = {"baseline": [Source(source="baseline", parts=("test",), pieces={"test": 2})]}
    noise = settings.noise.model_copy(update={"kinds": {**settings.noise.kinds, **extra}})
    build_libraries(settings.model_copy(update={"noise": noise}), layout, RunOptions())
    write_segments(layout.segments("test"))
    return layout


def test_the_sets_draw_from_the_kinds_that_are_named(layout, six_kinds):
    """A kind of the library that `mix.kinds` leaves out is in no mixture, and shifts no number of the others."""
    five, named = run(layout), run(six_kinds, kinds=("PLI", "WGN", "Color"))
    for name in ("combined", "grid"):
        before, after = five[name].columns("noisy", "kinds"), named[name].columns("noisy", "kinds", "kind_names")
        np.testing.assert_array_equal(before["noisy"], after["noisy"])
        assert after["kind_names"][0, -1] == "baseline"
        assert not after["kinds"][:, -1].any()
        assert named[name].manifest.info["drawn_kinds"] == ["PLI", "WGN", "Color"]
    assert NoiseLibrary.open(six_kinds.noise("train")).kinds == ("PLI", "WGN", "Color")


def test_every_kind_of_the_library_is_drawn_where_none_is_named(six_kinds, tmp_path):
    for folder in ("segments", "noise"):
        (tmp_path / folder).symlink_to(six_kinds.root / folder)
    table = run(Layout(tmp_path), sets=("grid",))["grid"].columns("kinds")
    assert table["kinds"][:, -1].any()


def test_the_baseline_set_has_noise_of_that_kind_alone(six_kinds, tmp_path):
    for folder in ("segments", "noise"):
        (tmp_path / folder).symlink_to(six_kinds.root / folder)
    sets = run(Layout(tmp_path), sets=("combined", "baseline"), kinds=("PLI", "WGN", "Color"))
    table = sets["baseline"].columns("kinds", "n_kinds", "mixture_id")
    assert table["kinds"].sum(axis=0).tolist() == [0, 0, 0, 0, 0, 18]
    assert set(table["n_kinds"].tolist()) == {1}
    assert all(name.startswith("baseline_") for name in table["mixture_id"].tolist())
    assert not sets["combined"].columns("kinds")["kinds"][:, -1].any()


@pytest.mark.parametrize(
    ("mix", "message"),
    [
        ({"kinds": ("PLI", "baselin")}, r"mix\.kinds: .* has no piece of 'baselin'; did you mean 'baseline'"),
        ({"kinds": ("PLI", "ECG")}, r"has no piece of 'ECG'.*add noise\.kinds\.ECG"),
        ({"kinds": ("PLI",), "n_kinds": (2,)}, "2 kinds at -15 dB, but only 1 can be drawn"),
    ],
)
def test_kinds_that_cannot_be_drawn_are_refused_before_anything_is_written(six_kinds, tmp_path, mix, message):
    for folder in ("segments", "noise"):
        (tmp_path / folder).symlink_to(six_kinds.root / folder)
    with pytest.raises(UserError, match=message):
        run(Layout(tmp_path), **mix)
    assert not (tmp_path / "test_data").exists()


def test_the_first_commits_rule_lacks_the_cells_that_it_cannot_fill(layout, monkeypatch):
    sets = run(layout, rule="first_commit", snr_db=(-15.0, -10.0, -5.0, 0.0, 5.0, 10.0, 15.0), n_kinds=(1, 2, 3, 4, 5))
    white = BENCHMARK_KINDS.index("WGN")
    available = len(NoiseLibrary.open(layout.noise("test")).kinds)
    for artifact in sets.values():
        table = artifact.columns("snr_db", "n_kinds", "kinds")
        low = table["snr_db"] < -5
        assert not table["kinds"][low, white].any()
        assert table["kinds"][~low, white].any()
        np.testing.assert_array_equal(table["kinds"].sum(axis=1), table["n_kinds"])
        assert table["n_kinds"][low].max() == available - 1
    cells = set(zip(*(sets["grid"].columns(name)[name].tolist() for name in ("snr_db", "n_kinds")), strict=True))
    assert len(cells) == 5 * available + 2 * (available - 1)
    noise = Noise.open(
        _read(layout.noise("test") / "manifest.json", layout.root),
        list(NoiseLibrary.open(layout.noise("test")).columns),
    )
    monkeypatch.setattr(draws, "sources_of", lambda *_: (None, noise))
    finding = draws.check(open_results(layout.root), lambda items, *_: items)
    assert not finding.problems
    assert finding.summary.startswith(f"{sum(artifact.manifest.count for artifact in sets.values())} mixtures")
