"""Editing, reverting and running again: a denoiser, a metric, a noise and weights each give the right table (pitfall 28)."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.code_trees import CodeTree
from tests.pipeline_runs import files

BEFORE = "qc,grade,split,segment,noise,mix"
LINE = "\n        return without_line(x, fs_hz, line, self.notch_width_hz)"
HP = ("denoising/hp.py", LINE, LINE.replace("self", "3 * self"))
RMSE = ("evaluation/metrics/waveform.py", "return rms_difference(batch.clean", "return 2 * rms_difference(batch.clean")
WGN = ("noise/wgn.py", "rng.standard_normal(request", "rng.standard_exponential(request")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    tree = CodeTree.copy(tmp_path_factory.mktemp("tree"))
    tree.run(f"{BEFORE},evaluate,tables")
    return tree


@pytest.fixture
def tree(finished, tmp_path):
    """A copy of the finished tree to edit."""
    shutil.copytree(finished.folder, tmp_path / "tree", symlinks=True)
    return CodeTree(tmp_path / "tree")


def rewritten(tree, before):
    """Which rows' shards were written since: denoiser/track/set."""
    after = tree.stamps("denoised/*/*/*/*.npz")
    return {path.split("/", 1)[1].rpartition("/")[0] for path in after if after[path] != before.get(path)}


def test_a_denoiser(finished, tree):
    before, first = tree.stamps("denoised/*/*/*/*.npz"), files(tree.results / "tables")
    tree.edit("denoising/hp.py", "class HighPass(Denoiser):", "# a comment\nclass HighPass( Denoiser ):")
    tree.edit("denoising/hp.py", '"""High-pass, band-pass and notch filters."""', '"""Filters."""')
    tree.edit("core/console.py", "PLAIN_INTERVAL_S = 15.0", "PLAIN_INTERVAL_S = 16.0")
    tree.run(f"{BEFORE},evaluate,tables")
    assert rewritten(tree, before) == set()
    tree.edit(*HP)
    said = tree.cleansemg("verify", "out")
    assert "stale code hp blind on combined: made by other code: cleansemg/denoising/hp.py changed since" in said
    assert "every check passed, but other code than that at hand made 2 folders" in said
    said = tree.run("evaluate,tables")
    assert "hp (blind) on combined: denoising/hp.py changed since; denoising again" in said
    assert rewritten(tree, before) == {"hp/blind/combined", "hp/blind/grid"}
    assert tree.table()["hp"] != finished.table()["hp"]
    assert tree.table()["identity"] == finished.table()["identity"]
    assert "folders were made by the code at hand" in tree.cleansemg("verify", "out")
    tree.edit(HP[0], HP[2], HP[1])
    tree.run("evaluate,tables")
    assert files(tree.results / "tables") == first


def test_a_metric(finished, tree):
    before, first = tree.stamps("denoised/*/*/*/*.npz"), files(tree.results / "tables")
    waveforms = np.load(tree.results / "denoised/hp/blind/combined/combined_00000.npz")["denoised"]
    tree.edit(*RMSE)
    said = tree.run("evaluate,tables")
    why = "evaluation/metrics/waveform.py changed since"
    assert f"hp (blind) on combined: {why}; scoring the stored waveforms again" in said
    assert f"hp (blind) on grid: {why}; its waveforms are not stored, so denoising again" in said
    assert len(rewritten(tree, before)) == 4
    assert float(tree.table()["hp"]["RMSE"]) == pytest.approx(2 * float(finished.table()["hp"]["RMSE"]))
    again = np.load(tree.results / "denoised/hp/blind/combined/combined_00000.npz")["denoised"]
    np.testing.assert_array_equal(again, waveforms)
    tree.edit(RMSE[0], RMSE[2], RMSE[1])
    tree.run("evaluate,tables")
    assert files(tree.results / "tables") == first


def test_a_new_metric_adds_its_column_to_a_finished_run(finished, tree):
    (tree.folder / "evaluation/metrics/mae.py").write_text(
        "import numpy as np\n\n\nclass MeanAbsoluteError:\n    def score(self, batch, profile):\n"
        "        return np.abs(batch.denoised - batch.clean).mean(axis=1)\n"
    )
    (tree.folder / "configs/metrics/mae.yaml").write_text(
        "class: cleansemg.evaluation.metrics.mae:MeanAbsoluteError\nkey: MAE\nunit: V\nbetter: lower\n"
        "profiles: [standard]\n"
    )
    said = tree.run("tables", code=2)
    assert "has no standard.MAE" in said
    assert "run the stage evaluate" in said
    said = tree.run("evaluate,tables")
    assert "standard.MAE is new" in said
    assert "scoring the stored waveforms again" in said
    table = np.load(tree.results / "denoised/hp/blind/combined/combined_00000.npz")
    mixtures = np.load(tree.results / "test_data/combined/combined_00000.npz")
    expected = np.abs(table["denoised"].astype(float) - mixtures["clean"].astype(float)).mean(axis=1)
    np.testing.assert_allclose(table["standard.MAE"], expected)
    assert "MAE" in tree.table()["hp"]
    assert tree.table()["hp"]["SNRimp"] == finished.table()["hp"]["SNRimp"]


def test_a_noise_is_made_again_and_so_is_what_was_made_of_it(finished, tree):
    first = files(tree.results / "tables")
    segments = tree.stamps("segments/**/*.npz")
    tree.edit(*WGN)
    said = tree.run(f"{BEFORE},evaluate,tables")
    assert "noise test: noise/wgn.py changed since; making it again" in said
    assert "mix combined: noise/wgn.py changed since; making it again" in said  # the mixing rule knows white noise
    assert "hp (blind) on combined: noise/wgn.py changed since; denoising again" in said  # which the labels import
    assert tree.stamps("segments/**/*.npz") == segments
    assert tree.table()["hp"] != finished.table()["hp"]
    tree.edit(WGN[0], WGN[2], WGN[1])
    tree.run("noise,mix,evaluate,tables")
    assert files(tree.results / "tables") == first
    assert "FAIL" not in tree.cleansemg("verify", "out")


def test_weights(finished, tree):
    row = "evaluate.denoisers=[identity, hp, {name: fcn, weights: pretrained}]"
    tree.run("evaluate,tables", "--set", row)
    first, table = files(tree.results / "tables"), tree.table()
    link = tree.folder / "denoising/weights"
    original = link.resolve() / "fcn.safetensors"
    link.unlink()
    link.mkdir()
    shutil.copy(original, link)
    before = tree.stamps("denoised/*/*/*/*.npz")
    edited = {name: np.asarray(1.1 * array, array.dtype) for name, array in load_file(original).items()}
    save_file(edited, link / "fcn.safetensors", metadata=metadata(original))
    assert "fcn blind on combined: made by other code: its weights" in tree.cleansemg("verify", "out")
    said = tree.run("evaluate,tables", "--set", row)
    assert "fcn (blind) on combined: weights changed since; denoising again" in said
    assert rewritten(tree, before) == {"fcn/blind/combined", "fcn/blind/grid"}
    assert tree.table()["fcn"] != table["fcn"]
    assert tree.table()["hp"]["SNRimp"] == table["hp"]["SNRimp"]
    shutil.copy(original, link)
    tree.run("evaluate,tables", "--set", row)
    assert files(tree.results / "tables") == first


def metadata(path):
    with path.open("rb") as file:
        return json.loads(file.read(int.from_bytes(file.read(8), "little")))["__metadata__"]


def test_a_fit_by_other_code_stops(tree):
    tree.run("train")
    fitted = files(tree.results / "weights_baseline")
    tree.edit("training/progress.py", "from __future__", "# shown, not fitted\nfrom __future__")
    assert "was trained already" in tree.run("train")
    tree.edit("training/loop.py", "def fit(", "EDITED = True\n\n\ndef fit(")
    said = tree.run("train", code=2)
    assert "fitted by other code (training/loop.py changed since)" in said
    assert "--force" in said
    assert files(tree.results / "weights_baseline") == fitted
    said = tree.cleansemg("verify", "out")
    assert "weights_baseline/fcn: made by other code: cleansemg/training/loop.py changed since" in said
    tree.run("train", "--force")
    assert json.loads(fitted["fcn/manifest.json"])["code"] != json.loads(
        (tree.results / "weights_baseline/fcn/manifest.json").read_text()
    )["code"]  # fmt: skip
