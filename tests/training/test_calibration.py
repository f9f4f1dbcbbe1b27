import json
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cleansemg import denoising
from cleansemg.core import artifact, dsp
from cleansemg.core.artifact import Manifest
from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.seeding import generator
from cleansemg.core.stage import RunOptions
from cleansemg.denoising import Denoiser, NoiseLabels
from cleansemg.evaluation import metrics
from cleansemg.evaluation.parameter_files import read_parameters
from cleansemg.noise.base import Request
from cleansemg.noise.color import Coloured
from cleansemg.noise.kinds import BENCHMARK_KINDS
from cleansemg.noise.moa_simulated import MotionSimulated
from cleansemg.noise.pli import PowerLine
from cleansemg.noise.pool import SCHEMA as NOISE
from cleansemg.training import calibration, calibration_set, search_space
from cleansemg.training.calibration import snr_improvement_db
from cleansemg.training.parameter_selection import choose
from tests.denoising.signals import at_snr, emg
from tests.processes import python
from tests.training import workspace

ROOT = Path(__file__).resolve().parents[2]
HERE = "tests.training.test_calibration"
CONDITIONS = {"segments": 12, "snr_db": [-5, 5], "n_kinds": [1, 2, 3]}
SEARCHES = {
    "hp": {"search": {"order": [4, 2], "cutoff_hz": [20.0, 40.0, 60.0]}, "parameters": {"notch_width_hz": 3.0}},
    "ts": {"search": {"min_likeness": [0.5, 0.8]}},
}


class Ignoring(Denoiser):
    """Has a parameter that its code never looks at (pitfall 10)."""

    name = "ignoring"

    def __init__(self, gain=0.5, unused=2):
        self.gain = gain

    def _denoise(self, noisy, fs_hz, labels):
        return self.gain * noisy


class Brittle(Denoiser):
    """The more it takes off, the more it scores on loud noise, and the fewer signals it can process."""

    name = "brittle"

    def __init__(self, gain=1.0, fails=False):
        self.gain, self.fails = gain, fails

    def _denoise(self, noisy, fs_hz, labels):
        peak = np.abs(noisy).max(axis=1)
        if self.fails and (peak > Brittle.limit).any():
            raise ItemError("too loud for me")
        return self.gain * noisy

    limit = 3e-4


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    return workspace.make(tmp_path_factory.mktemp("workspace"))


def write_search(folder, methods=SEARCHES, conditions=CONDITIONS, **more) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "search.yaml"
    path.write_text(yaml.safe_dump({"calibration": conditions, "methods": methods, **more}, sort_keys=False))
    return path


def run(space, folder, methods=SEARCHES, *, chosen="all", workers=1, force=False, conditions=CONDITIONS, **where):
    trad_config = write_search(folder, methods, conditions)
    return calibration.run(
        space.settings("calibrate.repeat=false"), space.layout, RunOptions(workers, force),
        trad_config=trad_config, weights=folder / "weights", methods=chosen, **where,
    )  # fmt: skip


def params(folder) -> dict:
    return json.loads((folder / "weights" / "tradition_params.json").read_text())


def contents(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def mixtures_of(space) -> calibration_set.CalibrationSet:
    return calibration_set.make(
        space.settings(), search_space.Calibration(**CONDITIONS), space.layout.segments("valid"),
        space.layout.noise("valid"),
    )  # fmt: skip


def test_the_score_is_the_evaluations():
    draw = generator(1, "score")
    clean, noise = draw.standard_normal((2, 6, 400)).astype(np.float32) * 1e-5
    noisy = clean + noise
    for denoised in (noisy, clean, 0 * clean, clean + 0.3 * noise, np.float32(0.7) * noisy):
        expected = metrics.compute(clean, noisy, denoised, 1000.0, "standard", metrics=["SNRimp"])["SNRimp"]
        np.testing.assert_allclose(snr_improvement_db(clean, noisy, denoised), expected, rtol=0, atol=1e-9)
    assert (snr_improvement_db(clean, noisy, noisy) == 0).all()


def test_every_candidate_has_its_own_score_and_the_best_wins(space, tmp_path):
    """Each score in the file is recomputed from the mixtures and the parameters that the file names."""
    report = run(space, tmp_path)
    assert report.n_failures == 0
    mix = mixtures_of(space)
    labels = {"blind": None, "published": NoiseLabels(mix.kinds, mix.line_hz, rule="published")}
    scores = set()
    for track in ("blind", "published"):
        block = params(tmp_path)["methods"]["hp"][track]
        assert len(block["candidates"]) == 6
        for candidate in block["candidates"]:
            built = denoising.load("hp", notch_width_hz=3.0, **candidate["parameters"])
            improvement = snr_improvement_db(mix.clean, mix.noisy, built.denoise(mix.noisy, 1000.0, labels[track]))
            assert candidate["SNRimp_db"] == pytest.approx(improvement.mean(), abs=1e-9)
            assert candidate["SNRimp_db_by_snr_db"]["-5"] == pytest.approx(improvement[mix.snr_db == -5].mean())
            ecg = mix.kinds[:, BENCHMARK_KINDS.index("ECG")]
            assert candidate["SNRimp_db_by_kind"]["ECG"] == pytest.approx(improvement[ecg].mean())
            assert candidate["SNRimp_db_by_kind"]["MOA"] is None  # the library has none
            assert (candidate["n_mixtures"], candidate["n_failed"]) == (12, 0)
            scores.add(candidate["SNRimp_db"])
        best = max(block["candidates"], key=lambda candidate: candidate["SNRimp_db"])
        assert block["SNRimp_db"] == best["SNRimp_db"]
        assert block["parameters"] == {"notch_width_hz": 3.0, **best["parameters"]}
    assert len(scores) == 12
    found = read_parameters(tmp_path / "weights" / "tradition_params.json")
    assert found["hp", "published"] == block["parameters"]
    assert set(found) == {(name, track) for name in ("hp", "ts") for track in ("blind", "published")}
    assert any(line.startswith("hp ") and "published" in line and "unchanged input 0" in line for line in report.lines)


def test_the_mixtures_are_validation_segments_at_their_snr(space, tmp_path):
    mix = mixtures_of(space)
    realised = 10 * np.log10(
        (mix.clean.astype(float) ** 2).sum(1) / ((mix.noisy.astype(float) - mix.clean) ** 2).sum(1)
    )
    np.testing.assert_allclose(realised, mix.snr_db, atol=1e-4)
    assert set(mix.snr_db) == {-5.0, 5.0}
    assert {name.split("_")[1] for name in mix.ids} == {"S4", "S5"}
    assert set(mix.kinds.sum(axis=1)) == {1, 2, 3}
    assert (mix.line_hz[mix.kinds[:, 0]] == 50).all()
    other = mixtures_of(workspace.make(tmp_path / "other", shard_size=5))
    np.testing.assert_array_equal(mix.ids, other.ids)
    np.testing.assert_array_equal(mix.noisy, other.noisy)


def test_workers_and_a_kill_change_no_byte(space, tmp_path):
    few = {"hp": {"search": {"order": [2, 4], "cutoff_hz": [20.0, 40.0]}}}
    run(space, tmp_path / "one", few)
    expected = contents(tmp_path / "one" / "weights")
    run(space, tmp_path / "two", few, workers=2)
    assert contents(tmp_path / "two" / "weights") == expected
    weights = tmp_path / "one" / "weights"
    for killed in ("tradition_params.json", "hp/manifest.json", "hp/blind_00002.npz"):
        (weights / killed).unlink()
    kept = (weights / "hp" / "blind_00001.npz").stat().st_mtime_ns
    run(space, tmp_path / "one", few)
    assert contents(weights) == expected
    assert (weights / "hp" / "blind_00001.npz").stat().st_mtime_ns == kept


def test_methods_can_be_added_and_others_mixtures_are_left_out(space, tmp_path):
    run(space, tmp_path, chosen="ts")
    run(space, tmp_path, chosen="HP")
    assert set(params(tmp_path)["methods"]) == {"hp", "ts"}
    together = (tmp_path / "weights" / "tradition_params.json").read_bytes()
    run(space, tmp_path / "all")
    assert (tmp_path / "all" / "weights" / "tradition_params.json").read_bytes() == together

    fewer = {**CONDITIONS, "segments": 5}
    with pytest.raises(UserError, match="another configuration"):
        run(space, tmp_path, chosen="hp", conditions=fewer)
    report = run(space, tmp_path, chosen="hp", conditions=fewer, force=True)
    assert set(params(tmp_path)["methods"]) == {"hp"}
    assert any("ts: calibrated on other mixtures" in line for line in report.lines)


def test_a_parameter_that_changes_nothing_is_named(space, tmp_path):
    """Pitfall 10: candidates that tie are said to, and the method keeps its own value."""
    name = f"{HERE}:Ignoring"
    report = run(space, tmp_path, {name: {"search": {"unused": [1, 2, 3], "gain": [0.4, 0.8, 0.9]}}})
    block = params(tmp_path)["methods"][name]["blind"]
    assert "unused changes nothing, all its values score the same" in block["warnings"]
    assert not any("gain changes nothing" in warning for warning in block["warnings"])
    assert any(line.startswith("warning") and "unused changes nothing" in line for line in report.lines)
    assert block["parameters"]["unused"] == 1  # its own is gain 0.5, not in the grid
    again = run(space, tmp_path / "own", {name: {"search": {"unused": [1, 2, 3], "gain": [0.5]}}})
    assert params(tmp_path / "own")["methods"][name]["blind"]["parameters"] == {"unused": 2, "gain": 0.5}
    assert not any("tie:" in line for line in again.lines)
    assert read_parameters(tmp_path / "weights" / "tradition_params.json")["ignoring", "blind"] == block["parameters"]


def test_a_winner_at_the_edge_of_its_grid_is_named(space, tmp_path):
    name = f"{HERE}:Ignoring"
    report = run(space, tmp_path, {name: {"search": {"gain": [2.0, 3.0, 4.0]}}})
    assert any("gain is the lowest of its grid (2, 3, 4)" in line for line in report.lines)
    assert any("worse than the unchanged input" in line for line in report.lines)


def test_failing_does_not_help_to_win(space, tmp_path, monkeypatch):
    """A candidate that leaves out the mixtures it cannot process has the better mean, and loses."""
    mix = mixtures_of(space)
    monkeypatch.setattr(Brittle, "limit", float(np.sort(np.abs(mix.noisy).max(axis=1))[-4:-2].mean()))
    name = f"{HERE}:Brittle"
    report = run(space, tmp_path, {name: {"search": {"fails": [True, False], "gain": [0.9]}}})
    block = params(tmp_path)["methods"][name]["blind"]
    assert [candidate["n_failed"] for candidate in block["candidates"]] == [3, 0]
    assert report.n_failures == 3
    assert block["parameters"] == {"fails": False, "gain": 0.9}
    assert (tmp_path / "weights" / "brittle" / "failures.csv").read_text().count("too loud for me") == 3
    assert any("failed on some mixtures" in line for line in report.lines)


def test_where_nothing_works_there_is_no_winner(space, tmp_path, monkeypatch):
    monkeypatch.setattr(Brittle, "limit", 0.0)
    name = f"{HERE}:Brittle"
    report = run(space, tmp_path, {name: {"search": {"fails": [True]}}})
    assert params(tmp_path)["methods"][name]["blind"]["parameters"] is None
    assert any("no winner" in line for line in report.lines)
    with pytest.raises(UserError, match="no winner on its blind track"):
        read_parameters(tmp_path / "weights" / "tradition_params.json")


def test_test_noise_is_refused_and_training_noise_named(space, tmp_path):
    with pytest.raises(UserError, match="test noise"):
        run(space, tmp_path, noise_root=space.layout.root / "noise" / "sEMG_noise_test")
    disguised = tmp_path / "sEMG_noise_valid"
    workspace.write_noise(disguised, "test")
    manifest = artifact.read_manifest(disguised, NOISE)
    artifact.write_manifest(disguised, Manifest(**{**manifest.__dict__, "info": {"part": "test"}}))
    with pytest.raises(UserError, match="test noise"):
        run(space, tmp_path, noise_root=disguised)
    report = run(space, tmp_path, chosen="ts", noise_root=space.layout.noise("train"))
    assert "training noise" in report.lines[0]
    assert "validation noise" in run(space, tmp_path / "valid", chosen="ts").lines[0]
    assert calibration_set.part_of_noise(Path("latest_train")) == "train"  # "test" inside a word says nothing


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"methods": {"hpp": {"search": {"cutoff_hz": [1.0]}}}}, "methods.hpp: no denoiser.*did you mean 'hp'"),
        ({"methods": {"hp": {"search": {"cutof_hz": [1.0]}}}}, "unknown parameter 'cutof_hz'; did you mean 'cutoff"),
        ({"methods": {"hp": {"serch": {}}}}, "unknown key 'methods.hp.serch'; did you mean 'search'"),
        ({"methods": {"hp": {"search": {}}}}, "methods.hp.search"),
        ({"methods": {"hp": {"search": {"cutoff_hz": [-1.0]}}}}, "cutoff_hz is -1.0, expected a positive"),
        ({"methods": {"hp": {"search": {"cutoff_hz": [40, 40.0]}}}}, "cutoff_hz holds a value twice"),
        ({"methods": {"hp": {"search": {"order": [2]}, "parameters": {"order": 4}}}}, "both given and searched"),
        ({"methods": {"fcn": {"search": {"clip": [True]}}}}, "has a network, which is trained"),
        ({"methods": {"hp": SEARCHES["hp"], "HP": SEARCHES["hp"]}}, "'hp' twice"),
        ({"calibration": {"segmens": 3}, "methods": {}}, "unknown key 'calibration.segmens'; did you mean 'segments'"),
        ({"methods": {}, "calibraton": {}}, "unknown key 'calibraton'; did you mean 'calibration'"),
        ({"calibration": {"segments": 0}, "methods": {}}, "calibration.segments.*greater than or equal to 1, got 0"),
        ([], "the file"),
    ],
)  # fmt: skip
def test_mistakes_in_the_search_file_are_named(tmp_path, content, message):
    (tmp_path / "search.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match=message):
        search_space.read(tmp_path / "search.yaml")


def test_mistakes_in_the_choice_are_named(space, tmp_path):
    with pytest.raises(UserError, match="no search for 'wavelet'; there are: hp, ts"):
        run(space, tmp_path, chosen="wavelet")
    with pytest.raises(UserError, match="nothing to calibrate"):
        run(space, tmp_path, chosen=",")
    two_kinds = tmp_path / "two_kinds"
    for kind in ("PLI", "WGN"):
        (two_kinds / kind).mkdir(parents=True)
        np.save(two_kinds / kind / "a.npy", generator(0, kind).standard_normal(600))
    with pytest.raises(UserError, match=r"calibration\.n_kinds: 3 kinds at -5 dB"):
        run(space, tmp_path, noise_root=two_kinds)
    with pytest.raises(UserError, match="no such file; the project"):
        search_space.read(tmp_path / "none.yaml")


def test_a_tie_goes_to_the_methods_own_values():
    grid = [{"k": 3}, {"k": 4}, {"k": 5}]
    choice = choose(grid, {"k": [3, 4, 5]}, [1.0, 2.0, 2.0 - 5e-7], [0, 0, 0], {"k": 5})
    assert (choice.winner, choice.ties) == (2, (1,))
    choice = choose(grid, {"k": [3, 4, 5]}, [1.0, 2.0, 2.0 - 5e-6], [0, 0, 0], {"k": 5})
    assert (choice.winner, choice.ties) == (1, ())


@given(
    counts=st.lists(st.integers(1, 30), min_size=1, max_size=8),
    at_most=st.integers(1, 150),
)
def test_segments_are_spread_evenly_over_subjects(counts, at_most):
    subjects = np.repeat([f"S{i}" for i in range(len(counts))], counts)
    rows = calibration_set.spread_over_subjects(subjects, at_most)
    assert len(rows) == len(set(rows.tolist())) == min(at_most, sum(counts))
    taken = np.array([np.count_nonzero(subjects[rows] == f"S{i}") for i in range(len(counts))])
    most = taken.max()
    assert all(t >= most - 1 or t == c for t, c in zip(taken, counts, strict=True))


def test_the_command_line_that_users_know(space, tmp_path):
    """As documented, but for the paths, which are those of the small run here."""
    trad_config = write_search(tmp_path)
    command = [
        "training/train_classical.py", "--config", str(space.config), "--trad-config", str(trad_config),
        "--segments-root", str(space.layout.segments("valid").parent), "--noise-root", str(space.layout.noise("train")),
        "--weights", str(tmp_path / "weights"), "--methods", "all",
    ]  # fmt: skip
    done = python(*command)
    assert done.returncode == 0, done.stderr
    assert "training noise (allowed" in done.stdout
    assert set(read_parameters(tmp_path / "weights" / "tradition_params.json")) >= {
        ("hp", "blind"),
        ("ts", "published"),
    }


SHIPPED = ROOT / "configs" / "config_tradition.yaml"
SEARCHED = [
    (method, parameter)
    for method, block in yaml.safe_load(SHIPPED.read_text())["methods"].items()
    for parameter in block["search"]
]


@pytest.mark.parametrize(("method", "parameter"), SEARCHED)
def test_each_searched_parameter_changes_the_output(method, parameter, a_few_mixtures):
    """Pitfall 10, over configs/config_tradition.yaml: neighbouring values differ on one of a few mixtures.

    Methods work row by row, so a few rows at a time are tried, until one differs.
    """
    space = search_space.read(SHIPPED)[1][method]
    noisy, labels = a_few_mixtures
    parts = [(track, rows) for rows in a_few_at_a_time(len(noisy)) for track in space.tracks]

    @cache
    def output(value, track, first, last):
        rows = slice(first, last)
        given = NoiseLabels(labels.kinds[rows], labels.line_hz[rows], rule="published")
        known = given if track == "published" else None
        built = denoising.load(method, **{**space.default_values(), **space.fixed, parameter: value})
        return built.denoise(noisy[rows], 1000.0, known).astype(np.float64)

    def differ(value, other, track, rows):
        ours, others = (output(v, track, rows.start, rows.stop) for v in (value, other))
        return np.abs(ours - others).max() > 1e-4 * np.std(noisy)

    values = space.search[parameter]
    assert len(values) > 1
    for value, other in pairwise(values):
        assert any(differ(value, other, *part) for part in parts), f"{parameter} {value} and {other} give one output"


def a_few_at_a_time(n_rows: int) -> list[slice]:
    return [slice(start, start + 3) for start in range(0, n_rows, 3)]


@pytest.fixture(scope="module")
def a_few_mixtures() -> tuple[np.ndarray, NoiseLabels]:
    """[n, 2000] volts at 1 kHz: EMG-like bursts with every kind of noise (12), then with movement and heartbeats
    of many qualities, for what decides whether there are any."""
    n_samples, fs_hz = 2000, 1000.0
    draw = generator(9, "a few mixtures")
    request = Request("valid", 1, fs_hz, 4.0, 3, None)
    noises = {
        "PLI": next(iter(PowerLine().pieces(request))).samples[:n_samples],
        "ECG": heartbeats(n_samples, 600, "first"),
        "MOA": next(iter(MotionSimulated().pieces(request))).samples[:n_samples],
        "WGN": draw.standard_normal(n_samples),
        "Color": next(iter(Coloured().pieces(request))).samples[:n_samples],
    }
    everything = sum(noise / np.std(noise) for noise in noises.values())
    mixed = [(kind, noise, snr_db) for kind, noise in noises.items() for snr_db in (-10.0, 0.0)]
    mixed += [("all", everything, -10.0), ("all", everything, 0.0)]
    mixed += [("MOA", noises["MOA"], snr_db) for snr_db in np.arange(2.0, 20.0)]
    for shape in np.arange(0.1, 1.2, 0.05):  # less and less prominent, then less and less alike
        mixed.append(("ECG", heartbeats(n_samples, 600, "first", swing=shape), -5.0))
        mixed += [("ECG", heartbeats(n_samples, 560, name, unlike=2 * shape), 0.0) for name in ("first", "second")]
    clean = emg(len(mixed), n_samples)
    noisy = np.stack([at_snr(c, noise, snr_db) for c, (_, noise, snr_db) in zip(clean, mixed, strict=True)])
    kinds = np.array([[kind in (name, "all") for name in BENCHMARK_KINDS] for kind, _, _ in mixed])
    return noisy, NoiseLabels(kinds, np.full(len(mixed), np.nan))


def heartbeats(n_samples: int, every: int, name: str, swing: float = 0.0, unlike: float = 0.0) -> np.ndarray:
    """[n_samples] pulses of height 1, on a swing in step with them, each with a wave of its own added."""
    draw = generator(4, "beats", name)
    samples = swing * np.sin(2 * np.pi * 5 * np.arange(n_samples) / every)
    at = np.arange(-90, 90)
    for beat in range(300, n_samples - 90, every):
        own = dsp.low_pass(draw.standard_normal(180), 12.0, 1000.0) * np.hanning(180)
        samples[beat + at] += np.exp(-(at**2) / (2 * 12.0**2)) + unlike * own / np.abs(own).max()
    return samples
