"""The search on a second set of draws: independent, of the same people, and said in file and report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cleansemg import denoising
from cleansemg.core.stage import RunOptions
from cleansemg.evaluation.parameter_files import read_parameters
from cleansemg.training import calibration, calibration_set, search_space
from cleansemg.training.calibration import snr_improvement_db
from tests.training import workspace
from tests.training.test_calibration import CONDITIONS, contents, params, write_search

FEW = {"segments": 4, "snr_db": [-5, 5], "n_kinds": [1, 2, 3]}
GAINS = [round(0.3 + 0.01 * step, 2) for step in range(40)]  # so fine that few draws cannot decide


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    return workspace.make(tmp_path_factory.mktemp("workspace"))


def run(space, folder: Path, methods, conditions=CONDITIONS, *, repeat=True, force=False):
    return calibration.run(
        space.settings(f"calibrate.repeat={str(repeat).lower()}"), space.layout, RunOptions(1, force),
        trad_config=write_search(folder, methods, conditions), weights=folder / "weights", methods="all",
    )  # fmt: skip


def draws(space, second: bool, conditions=CONDITIONS) -> calibration_set.CalibrationSet:
    return calibration_set.make(
        space.settings(), search_space.Calibration(**conditions), space.layout.segments("valid"),
        space.layout.noise("valid"), second=second,
    )  # fmt: skip


HP = {"hp": {"search": {"cutoff_hz": [20.0, 200.0]}}}
FINE = {"tests.training.test_calibration:Ignoring": {"search": {"gain": GAINS, "unused": [1, 2]}}}


def test_the_second_draws_are_new_ones_of_the_same_segments(space):
    first, second = draws(space, False), draws(space, True)
    np.testing.assert_array_equal(first.ids, second.ids)
    np.testing.assert_array_equal(first.clean, second.clean)
    assert not any(np.array_equal(a, b) for a, b in zip(first.noisy, second.noisy, strict=True))
    assert (first.kinds != second.kinds).any()
    assert first.inputs == second.inputs


def test_a_clear_choice_is_made_again(space, tmp_path):
    report = run(space, tmp_path, HP)
    block = params(tmp_path)["methods"]["hp"]["blind"]
    assert block["repeat"]["same"]
    assert block["repeat"]["parameters"] == block["parameters"]
    assert block["repeat"]["difference_db"] == 0
    mix = draws(space, True)
    estimate = denoising.load("hp", **block["parameters"]).denoise(mix.noisy, 1000.0)
    expected = snr_improvement_db(mix.clean, mix.noisy, estimate).mean()
    assert block["repeat"]["SNRimp_db"] == pytest.approx(expected, abs=1e-9)
    assert "a second set of draws selects the same parameters in 2 of 2 searches" in report.lines
    assert not any("second set" in line for line in report.lines if line.startswith("warning"))
    # what is used is what the first set selects, and the file is read as before
    assert read_parameters(tmp_path / "weights" / "tradition_params.json")["hp", "blind"] == block["parameters"]


def test_a_choice_that_few_draws_cannot_decide_is_said(space, tmp_path):
    report = run(space, tmp_path, FINE, FEW)
    (method,) = params(tmp_path)["methods"].values()
    block = method["blind"]
    repeat = block["repeat"]
    assert not repeat["same"]
    assert repeat["parameters"]["gain"] != block["parameters"]["gain"]
    mix = draws(space, True, FEW)
    scores = {gain: snr_improvement_db(mix.clean, mix.noisy, gain * mix.noisy).mean() for gain in GAINS}
    assert repeat["parameters"]["gain"] == max(scores, key=lambda gain: scores[gain])
    assert repeat["SNRimp_db"] == pytest.approx(max(scores.values()), abs=1e-6)
    selected = scores[block["parameters"]["gain"]]
    assert repeat["SNRimp_db_of_selected"] == pytest.approx(selected, abs=1e-6)
    assert repeat["difference_db"] == pytest.approx(max(scores.values()) - selected, abs=1e-6)
    assert any(f"gain={repeat['parameters']['gain']:g}" in text for text in block["warnings"])
    (line,) = [line for line in report.lines if line.startswith("a second set of draws")]
    assert line.startswith("a second set of draws selects the same parameters in ")
    assert line.endswith("blind") or "blind, " in line


def test_a_parameter_that_changes_nothing_does_not_make_two_choices(space, tmp_path):
    run(
        space,
        tmp_path,
        {"tests.training.test_calibration:Ignoring": {"search": {"gain": [0.5, 1.0], "unused": [1, 2]}}},
    )
    (method,) = params(tmp_path)["methods"].values()
    assert method["blind"]["repeat"]["same"]


def test_without_the_repetition_the_file_is_as_before_and_old_ones_do_not_count(space, tmp_path):
    run(space, tmp_path / "a", HP, repeat=False)
    assert "repeat" not in params(tmp_path / "a")["methods"]["hp"]["blind"]
    before = contents(tmp_path / "a")
    run(space, tmp_path / "a", HP)
    after = contents(tmp_path / "a")
    assert "weights/hp/second_draws/manifest.json" in after
    assert {name: after[name] for name in before if "tradition_params" not in name} == {
        name: content for name, content in before.items() if "tradition_params" not in name
    }
    # other mixtures: the second draws that lie there belong to the old ones
    other = {**CONDITIONS, "segments": 6}
    run(space, tmp_path / "a", HP, other, repeat=False, force=True)
    assert "repeat" not in params(tmp_path / "a")["methods"]["hp"]["blind"]


def test_resumed_after_a_stop_it_ends_with_the_same_bytes(space, tmp_path):
    run(space, tmp_path / "a", HP)
    run(space, tmp_path / "b", HP)
    folder = tmp_path / "b" / "weights" / "hp" / "second_draws"
    (folder / "manifest.json").unlink()
    (folder / "blind_00001.npz").unlink()
    (tmp_path / "b" / "weights" / "tradition_params.json").unlink()
    run(space, tmp_path / "b", HP)
    assert contents(tmp_path / "a" / "weights") == contents(tmp_path / "b" / "weights")
