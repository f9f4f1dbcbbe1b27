from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pywt
import torch
from hypothesis import given
from hypothesis import strategies as st

from cleansemg.core import registry
from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.layout import Layout
from cleansemg.core.settings import Paths
from cleansemg.core.stage import RunOptions
from cleansemg.data_pipeline.settings import Dataset
from cleansemg.downstream.common.running import run_task
from cleansemg.downstream.common.task import Examples, Fit, Stream, join
from cleansemg.downstream.neuromuscular import saliency
from cleansemg.downstream.neuromuscular.images import Scalogram, Spectrogram, centres
from cleansemg.downstream.neuromuscular.models import Cnn1d
from cleansemg.downstream.neuromuscular.networks import ConvNet, cnn1d, cnn2d
from cleansemg.downstream.neuromuscular.task import NeuromuscularTask
from cleansemg.downstream.neuromuscular.transfer import fit_head
from cleansemg.downstream.neuromuscular.windows import LABELS, cut, starts
from cleansemg.downstream.settings import Downstream
from cleansemg.evaluation.settings import Tables
from cleansemg.noise.settings import Noise, Source
from cleansemg.settings import Settings
from tests.layouts.n2001 import needle, write_n2001, write_pair

CLASSES = tuple(LABELS)
WIDTH = 128
QUICK = {"epochs": 2, "batch_size": 16}


def stream(label: int = 1, n: int = 400, subject: str = "p1", database: str = "set", seed: int = 0) -> Stream:
    """White noise smoothed the more, the higher its label."""
    noise = np.random.default_rng(seed).normal(size=(1, n + label))
    signal = np.convolve(noise[0], np.ones(label + 1), mode="valid")[None, :n].astype(np.float32)
    return Stream(database, subject, "E1", signal, np.full(n, label), np.ones(n, np.int64), 1000.0, ("muscle",))


def people(per_class: int, database: str = "set", n: int = 600) -> Examples:
    return join(
        [
            cut(stream(label, n, f"{label}-{number}", database, 10 * number + label), CLASSES, WIDTH, WIDTH)
            for label in LABELS.values()
            for number in range(per_class)
        ]
    )


class TestNetworks:
    @pytest.mark.parametrize(("build", "classes", "count"), [
        (cnn1d, 2, 14_530), (cnn1d, 3, 14_595), (cnn2d, 2, 23_650), (cnn2d, 3, 23_715),
    ])  # fmt: skip
    def test_parameters(self, build, classes: int, count: int) -> None:
        """Counts of the specification that both are built after."""
        assert sum(p.numel() for p in build(classes).parameters()) == count

    def test_shapes(self) -> None:
        assert cnn1d(3).eval()(torch.zeros(2, 1, 2048)).shape == (2, 3)
        assert cnn2d(2).eval()(torch.zeros(2, 1, 64, 64)).shape == (2, 2)

    @pytest.mark.parametrize("image", ["stft", "cwt"])
    def test_an_image_has_no_parameters_and_64_by_64_points(self, image: str) -> None:
        task = NeuromuscularTask(image=image, classes=["control", "neuropathy"])
        network = task.models()["cnn2d"].build((1, 2048), 2)
        assert sum(p.numel() for p in network.parameters()) == 23_650
        assert network.image(torch.zeros(3, 1, 2048)).shape == (3, 1, 64, 64)

    def test_a_tone_lights_its_row(self) -> None:
        time = np.arange(2048) / 1000
        tone = torch.from_numpy(np.sqrt(2) * np.sin(2 * np.pi * 125 * time)).float()[None, None]
        image = Spectrogram(2048)(tone)[0, 0, :, 8:56]
        assert (image.argmax(dim=0) == 15).all()  # rows are 1000 / 128 Hz apart, the first is bin 1
        image = Scalogram(2048, (0.02, 0.45))(tone)[0, 0, :, 8:56]
        nearest = np.abs(centres((0.02, 0.45)) - 0.125).argmin()
        assert (abs(image.argmax(dim=0) - nearest) <= 1).all()

    def test_the_scalogram_is_that_of_pywavelets(self) -> None:
        x = np.random.default_rng(1).normal(size=2048)
        ours = Scalogram(2048, (0.02, 0.45))(torch.from_numpy(x).float()[None, None])[0, 0].numpy()
        # exp(-t^2 / B) exp(2 pi i t): a Gaussian of sigma_t = 6 / 2 pi periods has B = 2 sigma_t^2
        frequency = centres((0.02, 0.45))
        found, _ = pywt.cwt(x, 1 / frequency, f"cmor{2 * (6 / (2 * np.pi)) ** 2}-1.0", method="fft", precision=14)
        power = (np.abs(found) ** 2).reshape(64, 64, 32).mean(axis=2)
        for row in range(48):  # above, the wavelet reaches the Nyquist frequency, which PyWavelets folds
            inner = slice(8, 56)  # PyWavelets has zeros around the window, ours the window itself
            assert np.corrcoef(10 ** ours[row, inner], power[row, inner])[0, 1] > 0.998


class TestWindows:
    def test_only_stretches_of_one_class(self) -> None:
        one = stream(1, 1000)
        label = np.repeat([0, 1, 0, 3, 2], [100, 300, 50, 200, 350])
        found = cut(replace(one, label=label, repetition=np.arange(1000)), ("neuropathy", "control"), 128, 64)
        assert found.start.tolist() == [100, 164, 228, 450, 514]
        assert found.y.tolist() == [1, 1, 1, 0, 0]
        assert found.repetition.tolist() == found.start.tolist()
        assert found.x.shape == (5, 1, 128)
        np.testing.assert_allclose(found.x.mean(axis=2), 0, atol=1e-6)
        np.testing.assert_allclose(found.x.std(axis=2), 1, rtol=1e-5)
        row = one.signal[0, 450:578].astype(np.float64)
        np.testing.assert_allclose(found.x[3, 0], (row - row.mean()) / row.std(), atol=1e-5)

    @given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(1, 6), st.integers(1, 6))
    def test_every_start_is_one_where_a_whole_window_has_its_label(self, label, window: int, hop: int) -> None:
        label = np.array(label)
        found = starts(label, [1, 3], window, hop)
        assert len(set(found.tolist())) == len(found)
        for start in found:
            part = label[start : start + window]
            assert len(part) == window
            assert set(part.tolist()) in ({1}, {3})
        longest = max((len(list(run)) for value, run in itertools.groupby(label) if value in (1, 3)), default=0)
        assert bool(len(found)) == (longest >= window)

    def test_silence_stays_silence_and_scale_does_not_matter(self) -> None:
        one = stream(2)
        silent = cut(replace(one, signal=np.zeros_like(one.signal)), CLASSES, 128, 128)
        assert len(silent) == 3
        assert (silent.x == 0).all()
        louder = cut(replace(one, signal=one.signal * 1e-6), CLASSES, 128, 128)
        np.testing.assert_allclose(louder.x, cut(one, CLASSES, 128, 128).x, atol=1e-5)

    def test_what_cannot_be_cut(self) -> None:
        with pytest.raises(
            ItemError, match=r"set/p1/E1: no stretch of a class is as long as a window \(512 samples, 0"
        ):
            cut(stream(n=400), CLASSES, 512, 512)
        tail = stream().signal.copy()
        tail[0, 390:] = np.nan
        with pytest.raises(ItemError, match="sample 390 of 400 is not a number"):
            cut(replace(stream(), signal=tail), CLASSES, 128, 128)
        with pytest.raises(ItemError, match="label 7; this task has 1 control, 2 myopathy, 3 neuropathy"):
            cut(stream(7), CLASSES, 128, 128)
        two = replace(stream(), signal=np.zeros((2, 400), np.float32), channels=("a", "b"))
        with pytest.raises(ItemError, match=r"2 channels \(a, b\), one is needed; .*datasets.set.parameters.channels"):
            cut(two, CLASSES, 128, 128)
        assert len(cut(stream(2), ("control", "neuropathy"), 128, 128)) == 0  # of a class that is left out


class TestAugmentation:
    def test_a_shift_moves_and_noise_is_bounded(self) -> None:
        plan = NeuromuscularTask(augment_noise=0.0, augment_shift=0.25).plan
        x = cut(stream(n=2048), CLASSES, 512, 512).x
        moved = Cnn1d(plan).augment(x, np.random.default_rng(0))
        shifts = []
        for before, after in zip(x[:, 0], moved[:, 0], strict=True):
            matches = [k for k in range(-128, 129) if np.array_equal(np.roll(before, k), after)]
            assert len(matches) == 1
            shifts += matches
        assert len(set(shifts)) > 1
        noisy = Cnn1d(replace(plan, noise=0.2, shift=0.0)).augment(x, np.random.default_rng(0)) - x
        assert 0 < noisy.std(axis=2).max() < 0.23
        assert (x == cut(stream(n=2048), CLASSES, 512, 512).x).all()


class TestSplits:
    def test_everybody_is_tested_once_by_people_they_are_not_fitted_on(self) -> None:
        examples = people(5)
        folds = NeuromuscularTask(folds=5).folds(examples, "subjects", 1)
        assert sorted(np.concatenate([fold.test for fold in folds]).tolist()) == list(range(len(examples)))
        for fold in folds:
            parts = [set(examples.person[rows].tolist()) for rows in (fold.train, fold.valid, fold.test)]
            assert len(parts[0] | parts[1] | parts[2]) == sum(len(part) for part in parts)
            assert all(set(examples.y[rows].tolist()) == {0, 1, 2} for rows in (fold.train, fold.valid, fold.test))

    def test_published_leaks(self) -> None:
        examples = people(3)
        assert all(fold.shares_people(examples) for fold in NeuromuscularTask().folds(examples, "published", 1))

    def test_one_person_a_class_can_only_be_a_target(self) -> None:
        with pytest.raises(UserError, match=r"class 'control': one person \(set/1-0\).*target of a transfer"):
            NeuromuscularTask().folds(people(1), "subjects", 1)

    @pytest.mark.parametrize("change", [
        {"window_samples": 100}, {"hop_samples": 0}, {"classes": ["control"]}, {"classes": ["control", "als"]},
        {"image": "mel"}, {"band_hz": [20, 600]}, {"transfer": {"source": "a", "target": "a"}},
        {"transfer": {"from": "a"}}, {"augment_noise": -1},
    ])  # fmt: skip
    def test_refused_parameters(self, change: dict[str, object]) -> None:
        with pytest.raises(UserError, match=next(iter(change)).partition("_")[0]):
            registry.find("tasks", "neuromuscular").build(**change)


class TestTransfer:
    def test_as_it_is(self) -> None:
        examples = join([people(5, "from"), people(1, "to")])
        task = NeuromuscularTask(transfer={"source": "from", "target": "to", "head": False})
        assert list(task.models()) == ["cnn1d", "cnn2d"]
        (fold,) = task.folds(examples, "subjects", 1)
        assert set(examples.person[fold.test].tolist()) == {"to/1-0", "to/2-0", "to/3-0"}
        assert {p.partition("/")[0] for p in examples.person[np.concatenate([fold.train, fold.valid])]} == {"from"}
        assert len(fold.train) + len(fold.valid) + len(fold.test) == len(examples)

    def test_with_its_head_fitted(self) -> None:
        examples = join([people(5, "from"), people(3, "to")])
        task = NeuromuscularTask(folds=3, transfer={"source": "from", "target": "to"})
        assert list(task.models()) == ["cnn1d", "cnn2d", "cnn1d_head", "cnn2d_head"]
        folds = task.folds(examples, "subjects", 1)
        assert len(folds) == 3
        assert not any(fold.shares_people(examples) for fold in folds)
        every = np.concatenate([fold.test for fold in folds])
        assert sorted(every.tolist()) == np.flatnonzero([p.startswith("to/") for p in examples.person]).tolist()

    def test_a_target_with_too_few_people_or_none(self) -> None:
        examples = join([people(5, "from"), people(1, "to")])
        task = NeuromuscularTask(transfer={"source": "from", "target": "to"})
        with pytest.raises(UserError, match=r"transfer to 'to': class 'control': 1 subject.*transfer.head=false"):
            task.folds(examples, "subjects", 1)
        with pytest.raises(UserError, match="transfer: no window of 'else'"):
            NeuromuscularTask(transfer={"source": "from", "target": "else"}).folds(examples, "subjects", 1)
        with pytest.raises(UserError, match="use subjects"):
            task.folds(examples, "published", 1)

    @pytest.mark.parametrize("classes", [("control", "neuropathy"), CLASSES])
    def test_a_head_learns_what_the_body_can_tell(self, classes: tuple[str, ...]) -> None:
        """The target's labels are the source's in another order: as it is all is wrong, with its head all is right."""
        torch.manual_seed(0)
        network = cnn1d(len(classes)).eval()
        k = len(classes)
        with torch.no_grad():
            network.head.weight.copy_(10 * torch.eye(k, 64))
            network.head.bias.zero_()
        network.features = lambda x: torch.nn.functional.one_hot(x[:, 0, 0].long(), 64).double().float()
        y = np.arange(30) % k
        x = np.broadcast_to(y[:, None, None], (30, 1, WIDTH)).astype(np.float32)
        texts = np.full(30, "to/a")
        turned = Examples(x, (y + 1) % k, texts, texts, np.arange(30), np.ones(30, np.int64))

        def right() -> float:
            with torch.no_grad():
                return float((network.head(network.features(torch.from_numpy(x))).argmax(1).numpy() == turned.y).mean())

        body = [p.clone() for p in network.body.parameters()]
        assert right() == 0
        fit_head(network, turned, turned, classes)
        assert right() == 1
        assert all(torch.equal(a, b) for a, b in zip(body, network.body.parameters(), strict=True))
        with pytest.raises(UserError, match=f"class '{classes[0]}' has no window in the target"):
            fit_head(network, turned.select(np.flatnonzero(turned.y > 0)), turned, classes)

    def test_only_the_source_is_learnt_from_and_the_head_keeps_the_body(self, tmp_path: Path) -> None:
        examples = join([people(3, "from"), people(3, "to")])
        task = NeuromuscularTask(window_samples=WIDTH, folds=3, transfer={"source": "from", "target": "to"})
        fold = task.folds(examples, "subjects", 1)[0]
        states = {}
        for name in ("cnn1d", "cnn1d_head"):
            model = task.models()[name]
            fit = Fit(tmp_path / name, 1, QUICK, f"{name} fold 1")
            model.fit(examples.select(fold.train), examples.select(fold.valid), fit)
            again = task.models()[name]
            again.load(fit)
            x = examples.x[fold.test]
            np.testing.assert_array_equal(again.scores(x), model.scores(x))
            states[name] = model.network.state_dict()
        same = {key: torch.equal(states["cnn1d"][key], states["cnn1d_head"][key]) for key in states["cnn1d"]}
        assert {key for key, value in same.items() if not value} == {"head.weight", "head.bias"}


class TestSaliency:
    @pytest.fixture
    def fitted(self) -> ConvNet:
        torch.manual_seed(3)
        network = cnn1d(3)
        network.train()(torch.from_numpy(people(2).x))  # running means of the normalisation
        return network.eval()

    def test_maps_cover_the_samples(self, fitted: ConvNet) -> None:
        x = people(1).x
        for network in (fitted, NeuromuscularTask(window_samples=WIDTH).models()["cnn2d"].build((1, WIDTH), 3)):
            maps = saliency.attributions(network, x, np.zeros(len(x), np.int64))
            assert tuple(maps) == saliency.METHODS
            assert all(one.shape == (len(x), WIDTH) and np.isfinite(one).all() for one in maps.values())
            assert min(maps["saliency"].min(), maps["Grad-CAM"].min()) >= 0

    def test_integrated_gradients_sum_to_the_difference_to_silence(self, fitted: ConvNet) -> None:
        x, y = people(1).x, people(1).y
        maps = saliency.attributions(fitted, x, y)
        with torch.no_grad():
            logits = fitted(torch.from_numpy(x)) - fitted(torch.zeros(1, 1, WIDTH))
        expected = logits.numpy()[np.arange(len(y)), y]
        np.testing.assert_allclose(maps["integrated gradients"].sum(axis=1), expected, atol=0.05)

    def test_saliency_is_the_slope(self, fitted: ConvNet) -> None:
        x, step = people(1).x[:1].astype(np.float64), 1e-4
        network = cnn1d(3).double().eval()
        network.load_state_dict(fitted.state_dict())
        beside = np.repeat(x, 2, axis=0)
        beside[:, 0, 40] += [step, -step]
        with torch.no_grad():
            high, low = network(torch.from_numpy(beside))[:, 1].tolist()
        found = saliency.attributions(fitted, x.astype(np.float32), np.array([1]))["saliency"][0, 40]
        assert found == pytest.approx(abs(high - low) / (2 * step), rel=1e-3, abs=1e-6)

    def test_windows_of_different_people_are_chosen(self) -> None:
        examples = people(3)
        rows = saliency.choose(examples, 1, CLASSES)
        assert examples.y[rows].tolist() == [0, 0, 1, 1, 2, 2]
        assert len(set(examples.person[rows].tolist())) == 6


def configuration(tmp_path: Path, data_root: Path, datasets: dict[str, Dataset], **parameters: object) -> Settings:
    return Settings(
        seed=5,
        paths=Paths(data_root=str(data_root), output=str(tmp_path / "out")),
        datasets=datasets,
        noise=Noise(piece_s=20, kinds={kind: [Source(source=kind.lower())] for kind in ("PLI", "WGN")}),
        tables=Tables(bootstrap_resamples=100),
        downstream=Downstream(
            task="neuromuscular",
            parameters={"window_samples": 512, "folds": 3, **parameters},
            models=("cnn1d",),
            recipe={"cnn1d": QUICK},
            denoisers=("hp",),
        ),
    )


def test_from_n2001_files_to_the_table_and_the_maps(tmp_path: Path) -> None:
    folder = write_n2001(tmp_path, people=3, records=1, seconds=1.2)
    next(iter(folder.rglob("*A02*.hea"))).unlink()  # reported, not silently lost
    write_pair(folder, "N2001A04BB01", needle(np.random.default_rng(1), "A", 1.2))
    settings = configuration(tmp_path, tmp_path, {"n2001": Dataset()})
    layout = Layout(tmp_path / "out")
    reports = run_task(settings, layout, RunOptions())
    assert {report.stage: report.n_failures for report in reports}["prepare"] == 1
    table = (layout.tables / "neuromuscular_cnn1d.csv").read_text()
    assert [line.split(",")[0] for line in table.splitlines()][1:4] == ["clean", "noisy", "hp"]
    picture = layout.tables / "neuromuscular_cnn1d_saliency.png"
    assert any(str(picture) in line for line in reports[-1].lines)
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


@pytest.mark.realdata
def test_emgdb_cannot_be_split_and_can_be_asked(tmp_path: Path, real_data: Path) -> None:
    settings = configuration(tmp_path, real_data, {"emgdb": Dataset()}, window_samples=2048)
    with pytest.raises(UserError, match=r"class 'control': one person \(emgdb/healthy\)"):
        run_task(settings, Layout(tmp_path / "alone"), RunOptions())
    simulated = Dataset(parameters={"n_per_group": 3, "n_contractions": 1, "hold_s": 2.1})
    settings = configuration(
        tmp_path,
        real_data,
        {"simulated_neuromuscular": simulated, "emgdb": Dataset()},
        window_samples=2048,
        transfer={"source": "simulated_neuromuscular", "target": "emgdb", "head": False},
    )
    layout = Layout(tmp_path / "out")
    assert not any(report.n_failures for report in run_task(settings, layout, RunOptions()))
    rows = (layout.tables / "neuromuscular_cnn1d.csv").read_text().splitlines()
    clean = dict(zip(rows[0].split(","), rows[1].split(","), strict=True))
    assert clean["n_people"] == "3"
