"""Learning curves: the scores against the evaluation's metrics, resuming, and that no weight depends on them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator

from cleansemg import denoising
from cleansemg.core.stage import RunOptions
from cleansemg.evaluation import learning_curves
from cleansemg.evaluation.metrics.scale_free import si_sdr_db
from cleansemg.evaluation.metrics.waveform import snr_db
from cleansemg.training import fit_files, learning_curve, loop, neural
from cleansemg.training.batches import Batch
from tests.training import workspace
from tests.training.fakes import LENGTH, SineSource, tiny_network
from tests.training.test_loop import RECIPE, StopError, StoppingSource


def batches(n: int = 12) -> list[Batch]:
    rng = np.random.default_rng(3)
    clean = rng.standard_normal((n, LENGTH)).astype(np.float32)
    noisy = clean + rng.standard_normal((n, LENGTH)).astype(np.float32)
    return [Batch(noisy[:8], clean[:8]), Batch(noisy[8:], clean[8:])]


def test_the_scores_are_those_of_the_evaluation() -> None:
    network, (first, second) = tiny_network().eval(), batches()
    noisy, clean = (np.concatenate(pair).astype(np.float64) for pair in zip(
        (first.noisy, first.clean), (second.noisy, second.clean), strict=True))  # fmt: skip
    for clip in (False, True):
        snr, si_sdr = learning_curve.scorer([first, second], clip, torch.device("cpu"))(network)
        with torch.no_grad():
            given = torch.from_numpy(noisy.clip(-1, 1) if clip else noisy).float()
            estimate = network(given).double().numpy()
        assert snr == pytest.approx(np.mean(snr_db(clean, estimate) - snr_db(clean, noisy)), abs=1e-4)
        assert si_sdr == pytest.approx(np.mean(si_sdr_db(clean, estimate) - si_sdr_db(clean, noisy)), abs=1e-4)


def test_edges_are_those_of_the_evaluation() -> None:
    clean = np.random.default_rng(0).standard_normal((4, 50))
    other = np.random.default_rng(1).standard_normal((4, 50))
    for estimate in (clean, 0 * clean, 3 * clean, -clean, other):
        mine = learning_curve.si_sdr_db(torch.from_numpy(clean), torch.from_numpy(estimate)).numpy()
        np.testing.assert_allclose(mine, si_sdr_db(clean, estimate), atol=0.05)
    perfect = learning_curve.snr_improvement_db(*(torch.from_numpy(x) for x in (clean, clean + other, clean)))
    assert bool(torch.isfinite(perfect).all())


def fit(folder: Path, scored: bool = True, source: SineSource | None = None) -> loop.Fitted:
    scorer = learning_curve.scorer(batches(), False, torch.device("cpu")) if scored else None
    run = loop.Run("tiny", 7, "one", folder / "checkpoint.pt")
    with loop.reproducible(1):
        accelerator = Accelerator(mixed_precision="no")
        return loop.fit(tiny_network(), source or SineSource(), RECIPE, run, accelerator, scorer)


def test_a_point_before_the_first_epoch_and_one_after_each(tmp_path: Path) -> None:
    fitted = fit(tmp_path / "a")
    assert [point.mixtures for point in fitted.curve] == [48 * epoch for epoch in range(RECIPE.epochs + 1)]
    start = learning_curve.scorer(batches(), False, torch.device("cpu"))(tiny_network())
    assert (fitted.curve[0].snrimp_db, fitted.curve[0].si_sdrimp_db) == start
    network = tiny_network()
    network.load_state_dict(fitted.best)
    best = learning_curve.scorer(batches(), False, torch.device("cpu"))(network)
    used = fitted.curve[fitted.best_epoch.epoch]
    assert (used.snrimp_db, used.si_sdrimp_db) == best
    # nothing else depends on it
    without = fit(tmp_path / "b", scored=False)
    assert without.curve == ()
    assert without.history == fitted.history
    assert all(torch.equal(without.best[key], fitted.best[key]) for key in fitted.best)


def test_a_stopped_run_ends_with_the_same_curve(tmp_path: Path) -> None:
    with pytest.raises(StopError):
        fit(tmp_path / "a", source=StoppingSource(3))
    assert fit(tmp_path / "a").curve == fit(tmp_path / "b").curve


def test_a_diffusion_model_is_scored_by_its_fast_sampler() -> None:
    torch.manual_seed(0)
    network = denoising.load_network("sdemg", None, features=8).network
    before = network.sampling
    noisy = torch.from_numpy(batches()[0].noisy).clamp(-1, 1)
    with torch.no_grad():
        quick = network.quick_estimate(noisy)
        assert network.sampling is before
        fast = denoising.load_network("sdemg", None, features=8, sampler="fast", samples=1).network
        fast.load_state_dict(network.state_dict())
        torch.testing.assert_close(quick, fast(noisy), rtol=0, atol=0)
        full = learning_curve.scorer(batches(), True, torch.device("cpu"))(network)
    assert full == learning_curve.scorer(batches(), True, torch.device("cpu"))(fast)


def test_files_beside_the_weights_and_in_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEANSEMG_ROOT", str(tmp_path))
    space = workspace.make(tmp_path)
    settings = space.settings("train.seeds=[4, 2]", "train.curve_mixtures=9")
    neural.run(settings, space.layout, RunOptions())
    with (space.layout.weights("tiny", 4) / fit_files.LEARNING_CURVE).open() as file:
        lines = list(csv.DictReader(file))
    assert [line["mixtures"] for line in lines] == ["0", "48", "96", "144"]
    assert [line["used"] for line in lines].count("1") == 1
    assert np.isfinite([float(line[key]) for line in lines for key in ("SNRimp", "SI_SDRimp")]).all()

    learning_curves.write(settings, space.layout)
    rows = list(csv.DictReader((space.layout.tables / "learning_curves.csv").open()))
    assert [(row["denoiser"], row["seed"]) for row in rows] == [("tiny", "4")] * 4 + [("tiny", "2")] * 4
    assert [float(row["SNRimp"]) for row in rows[:4]] == pytest.approx([float(line["SNRimp"]) for line in lines])
    assert (space.layout.tables / "learning_curves.png").read_bytes().startswith(b"\x89PNG")

    # a run without fits, or without curves, leaves no old picture
    learning_curves.write(space.settings("train.models=[]"), space.layout)
    assert not list(space.layout.tables.glob("learning_curves.*"))
    off = space.settings("train.curve_mixtures=0")
    neural.run(off, space.layout, RunOptions())
    assert not (space.layout.weights("tiny") / fit_files.LEARNING_CURVE).exists()
    learning_curves.write(off, space.layout)
    assert not list(space.layout.tables.glob("learning_curves.*"))
