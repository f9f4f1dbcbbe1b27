"""`import cleansemg`: its page and its docstrings run, it is light, and it says one line where something is wrong."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cleansemg
from cleansemg import interface
from cleansemg.core.errors import UserError
from tests.conftest import ROOT

FLAGS = doctest.NORMALIZE_WHITESPACE


def test_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs" / "python-interface.md"
    result = doctest.testfile(str(page), module_relative=False, optionflags=FLAGS)
    assert result.attempted > 20
    assert result.failed == 0


@pytest.mark.parametrize("module", [cleansemg, interface])
def test_the_docstrings_run(module):
    result = doctest.testmod(module, optionflags=FLAGS)
    assert result.attempted
    assert result.failed == 0


def test_the_page_names_the_whole_interface():
    page = (ROOT / "docs" / "python-interface.md").read_text(encoding="utf-8")
    named = {line.split("`")[1].partition("(")[0] for line in page.splitlines() if line.startswith("| `")}
    assert named == set(cleansemg.__all__)
    assert set(cleansemg.__all__) <= set(dir(cleansemg))
    for name in cleansemg.__all__:
        assert getattr(cleansemg, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = cleansemg.nothing


def test_importing_loads_no_library():
    code = "import sys; before = set(sys.modules); import cleansemg; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent)
    assert done.stdout.split() == ["cleansemg"]


@pytest.fixture(scope="module")
def noisy():
    return cleansemg.mix(cleansemg.simulate(2, 6.0, 1500.0), 1500.0, ["MOA", "color"], [0.0, 10.0])


def test_an_array_is_denoised_as_its_file_is(noisy, tmp_path):
    np.savez(tmp_path / "a.npz", signal=noisy.T, fs=1500.0)
    cleansemg.denoise_file(
        tmp_path / "a.npz", tmp_path / "b.npz", "hp", reading={"unit": "V", "fs_hz": 1500.0, "key": "signal"}
    )
    with cleansemg.open_recording(tmp_path / "b.npz", unit="V", fs_hz=1500.0, key="signal") as file:
        blocks = np.concatenate(list(file.blocks()), axis=1)
    np.testing.assert_allclose(blocks, cleansemg.denoise(noisy, 1500.0, "hp"), rtol=1e-5, atol=1e-12)


def test_a_file_is_assessed_as_its_array_is(noisy, tmp_path):
    np.savez(tmp_path / "a.npz", signal=noisy.astype(np.float64).T)
    of_file = cleansemg.assess(tmp_path / "a.npz", 1500.0, unit="V")
    of_array = cleansemg.assess(noisy.astype(np.float64), 1500.0)
    assert [one.rms for one in of_file] == pytest.approx([one.rms for one in of_array])
    assert [one.snr.median_db for one in of_file] == pytest.approx([one.snr.median_db for one in of_array], abs=0.01)


def test_rows_do_not_depend_on_how_many_there_are(noisy):
    clean = cleansemg.simulate(3, 1.0, seed=5)
    np.testing.assert_array_equal(clean[:2], cleansemg.simulate(2, 1.0, seed=5))
    both = cleansemg.mix(clean, 1000.0, "PLI+WGN", [0.0, 5.0, -5.0], seed=2)
    np.testing.assert_array_equal(both[:1], cleansemg.mix(clean[:1], 1000.0, "PLI+WGN", 0.0, seed=2))
    noise = both.astype(np.float64) - clean
    snr_db = 10 * np.log10((clean.astype(np.float64) ** 2).sum(axis=1) / (noise**2).sum(axis=1))
    np.testing.assert_allclose(snr_db, [0.0, 5.0, -5.0], atol=1e-3)


def test_the_automatic_track(noisy):
    assert cleansemg.denoise(noisy, 1500.0, "hp", track="auto").shape == noisy.shape


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: cleansemg.denoise(x, 1000.0, "hpp"), "did you mean 'hp'"),
        (lambda x: cleansemg.denoise(x, 1000.0, "hp", cutof_hz=3), "did you mean 'cutoff_hz'"),
        (lambda x: cleansemg.denoise(x, 1000.0, "hp", track="orakel"), "track is 'orakel'"),
        (lambda x: cleansemg.denoise(x[:, :, None], 1000.0), r"got an array of shape \(1, 2000, 1\)"),
        (cleansemg.assess, "an array needs its sampling rate"),
        (lambda x: cleansemg.assess(x, 1000.0, unit="mV"), "unit: of files alone"),
        (lambda x: cleansemg.mix(x, 1000.0, "PLII", 0.0), "no noise is called 'PLII'"),
        (lambda x: cleansemg.mix(x, 1000.0, "moa_wfdb", 0.0), "needs recordings"),
        (lambda x: cleansemg.mix(x, 1000.0, "", 0.0), "expected one or more"),
        (lambda x: cleansemg.mix(0 * x, 1000.0, "WGN", 0.0), "has no SNR"),
        (lambda x: cleansemg.simulate(0), "n_subjects is 0"),
        (lambda x: cleansemg.simulate(1, 1.0, 500.0), "fs_hz is 500"),
        (lambda x: cleansemg.score(x, x, x, 1000.0, metrics=["snr"]), "no metric is called 'snr'"),
        (lambda x: cleansemg.denoise_file("a", "b", overwrit=True), "unknown option 'overwrit'; did you mean 'overwrite'"),
        (lambda x: cleansemg.denoise_file("no.csv", "b.csv"), "no.csv: no such file"),
        (lambda x: cleansemg.run_benchmark("demos"), "did you mean 'demo'"),
        (lambda x: cleansemg.run_benchmark("demo", stages="mixx"), "no stage is called 'mixx'"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(call, message):
    with pytest.raises(UserError, match=message) as error:
        call(cleansemg.simulate())
    assert "\n" not in str(error.value)


def test_a_small_benchmark(tmp_path):
    run = cleansemg.run_benchmark(
        ROOT / "configs" / "demo.yaml", tmp_path, stages="qc,grade,split,segment",
        overrides=["datasets.simulated.parameters={n_subjects: 6, n_channels: 1, n_gestures: 1, n_repetitions: 2}"],
    )  # fmt: skip
    assert run.n_failures == 0
    assert [report.stage for report in run.reports] == ["qc", "grade", "split", "segment"]
    assert Path(run.folder) == tmp_path
