"""STCNet against its published sizes and an independent loss, windows, splits, pasting, and small runs."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.registry import find
from cleansemg.core.seeding import generator
from cleansemg.downstream.common.task import Examples, Fit, Stream
from cleansemg.downstream.gesture import augmentation
from cleansemg.downstream.gesture.contrastive import (
    ContrastiveRecipe,
    pretrain,
    rate,
    subject_aware,
    supervised_contrastive,
)
from cleansemg.downstream.gesture.model import STCNetModel, STCNetWithoutContrast
from cleansemg.downstream.gesture.stcnet import SIZES, ContrastiveSTCNet, Encoder, STCNet
from cleansemg.downstream.gesture.task import GestureTask
from cleansemg.downstream.gesture.windows import Cutting, block_maximum, cut, envelope, trials

SMALL = Cutting(steps=3, step_samples=8, hop_s=0.1, pad=False, scaling="log", movements=(3,))


def n_parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def stream(
    label: np.ndarray,
    *,
    person: str = "S1",
    name: str = "E1",
    fs_hz: float = 1000.0,
    repetition: np.ndarray | None = None,
    n_channels: int = 2,
) -> Stream:
    rng = generator(0, "test_gesture", person, name)
    strength = 1e-4 * (1 + label[None] * np.arange(1, n_channels + 1)[:, None])
    signal = (strength * rng.standard_normal((n_channels, len(label)))).astype(np.float32)
    repetition = np.ones_like(label) if repetition is None else repetition
    channels = tuple(f"ch{c + 1}" for c in range(n_channels))
    return Stream("DBX", person, name, signal, label.astype(np.int64), repetition, fs_hz, channels)


# Counts of the public code, spec models.md 6.
@pytest.mark.parametrize(
    ("sensors", "n_classes", "expected"), [(12, 49, 6_712_897), (10, 52, 6_707_124), (12, 52, 6_714_436)]
)
def test_classifier_has_the_published_number_of_parameters(sensors: int, n_classes: int, expected: int) -> None:
    size = SIZES["full"]
    assert n_parameters(STCNet(Encoder(25, 20, sensors, size), n_classes, size)) == expected


@pytest.mark.parametrize(("sensors", "expected"), [(12, 11_938_576), (10, 11_931_264)])
def test_contrastive_stage_has_the_published_number_of_parameters(sensors: int, expected: int) -> None:
    size = SIZES["full"]
    assert n_parameters(ContrastiveSTCNet(Encoder(25, 20, sensors, size), size)) == expected


def test_branches_have_the_published_number_of_parameters_and_output() -> None:
    encoder = Encoder(25, 20, 12, SIZES["full"])
    assert n_parameters(encoder.temporal) == 89_808
    assert n_parameters(encoder.spatial) == 36_416
    assert n_parameters(encoder.recurrent) == 1_440_000
    assert encoder.eval()(torch.rand(2, 25, 20, 12)).shape == (2, 10_000)


@pytest.mark.parametrize("sensors", [1, 2, 5])
def test_network_takes_any_number_of_sensors(sensors: int) -> None:
    network = STCNet(Encoder(3, 8, sensors, SIZES["small"], log_input=True), 4, SIZES["small"]).eval()
    assert network(torch.rand(5, 3, 8, sensors)).shape == (5, 4)


def test_answers_do_not_depend_on_the_neighbours_in_the_batch() -> None:
    network = STCNet(Encoder(3, 8, 2, SIZES["small"]), 4, SIZES["small"]).eval()
    x = torch.rand(6, 3, 8, 2)
    torch.testing.assert_close(network(x)[2:3], network(x[2:3]), rtol=1e-5, atol=1e-6)


def test_logarithm_makes_the_unit_irrelevant() -> None:
    x = torch.rand(20, 3, 8, 2) + 0.01
    outputs = []
    for unit in (1.0, 1e-6):
        torch.manual_seed(0)
        encoder = Encoder(3, 8, 2, SIZES["small"], log_input=True).eval()
        encoder.set_scale(unit * x)
        outputs.append(encoder(unit * x))
    torch.testing.assert_close(outputs[0], outputs[1], rtol=1e-3, atol=1e-4)


def contrast_by_loops(z: np.ndarray, label: np.ndarray, temperature: float, base: float) -> float:
    """Khosla et al. 2020, eq. 2, as it is printed: sums over anchors i, positives p and all others a."""
    total, anchors = 0.0, 0
    for i in range(len(z)):
        positives = [p for p in range(len(z)) if p != i and label[p] == label[i]]
        if not positives:
            continue
        below = sum(math.exp(float(z[i] @ z[a]) / temperature) for a in range(len(z)) if a != i)
        shares = [math.log(math.exp(float(z[i] @ z[p]) / temperature) / below) for p in positives]
        total += -(temperature / base) * sum(shares) / len(positives)
        anchors += 1
    return total / anchors


@given(seed=st.integers(0, 10_000), temperature=st.sampled_from([0.07, 0.3]), base=st.sampled_from([0.07, 0.2]))
@hypothesis_settings(max_examples=25, deadline=None)
def test_contrastive_loss_is_that_of_a_double_loop(seed: int, temperature: float, base: float) -> None:
    rng = np.random.default_rng(seed)
    label = np.concatenate([rng.integers(0, 3, size=8), [0, 0, 9]])  # 9 has no positive
    z = rng.standard_normal((len(label), 5))
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    found = supervised_contrastive(torch.from_numpy(z), torch.from_numpy(label), temperature, base)
    assert float(found) == pytest.approx(contrast_by_loops(z, label, temperature, base), rel=1e-9)


def test_subject_aware_loss_weighs_gestures_and_subjects() -> None:
    rng = np.random.default_rng(0)
    z = [rng.standard_normal((8, 4)) for _ in range(2)]
    z = [values / np.linalg.norm(values, axis=1, keepdims=True) for values in z]
    gesture, subject = np.arange(8) % 2, np.arange(8) // 4
    expected = 0.3 * contrast_by_loops(z[0], gesture, 0.07, 0.07) + 0.7 * contrast_by_loops(z[1], subject, 0.07, 0.07)
    tensors = [torch.from_numpy(values) for values in (*z, gesture, subject)]
    found = subject_aware(tensors[0], tensors[1], tensors[2], tensors[3], ContrastiveRecipe(gesture_weight=0.3))
    assert float(found) == pytest.approx(expected, rel=1e-9)


def test_learning_rate_warms_up_for_large_batches_alone_and_ends_at_a_thousandth() -> None:
    large, small = ContrastiveRecipe(), ContrastiveRecipe(batch_size=256)
    assert rate(large, 0) == pytest.approx(0.01)
    assert rate(small, 0) == pytest.approx(0.05)
    assert rate(large, 10) == pytest.approx(rate(small, 10))
    assert rate(large, 100) == pytest.approx(0.05e-3)
    rates = [rate(large, epoch / 2) for epoch in range(20)]
    assert rates == sorted(rates)


def test_noise_augmentation_has_the_ratio_of_powers_30_not_30_db() -> None:
    x = np.random.default_rng(0).standard_normal((3, 20_000, 2)).astype(np.float32)
    added = augmentation.noise(x, np.random.default_rng(1)) - x
    np.testing.assert_allclose((x**2).mean(axis=1) / (added**2).mean(axis=1), 30.0, rtol=0.05)


def test_wavelet_augmentation_triples_the_details_and_leaves_a_constant() -> None:
    constant = np.full((1, 500, 1), 2.0, np.float32)
    rng = np.random.default_rng(0)
    np.testing.assert_allclose(augmentation.wavelet(constant, rng), constant, atol=1e-5)
    fast = np.cos(np.pi * np.arange(500))[None, :, None].astype(np.float32)  # all of it is detail
    middle = slice(50, 450)
    np.testing.assert_allclose(augmentation.wavelet(fast, rng)[:, middle], 3 * fast[:, middle], atol=0.05)
    assert augmentation.wavelet(np.ones((2, 501, 3), np.float32), rng).shape == (2, 501, 3)


def test_warping_multiplies_smoothly_around_one() -> None:
    curve = augmentation.warp(np.ones((400, 200, 1), np.float32), np.random.default_rng(0))[..., 0]
    assert curve.mean() == pytest.approx(1.0, abs=0.01)
    assert curve[:, 0].std() == pytest.approx(0.1, rel=0.15)  # the first knot
    assert np.abs(np.diff(curve, n=2, axis=1)).max() < 5e-3


def test_each_window_draws_its_own_augmentations_and_keeps_its_shape() -> None:
    x = np.random.default_rng(0).random((200, 3, 8, 2)).astype(np.float32)
    seen = augmentation.view(x, generator(0, "view"))
    changed = (seen != x).any(axis=(1, 2, 3)).mean()
    assert seen.shape == x.shape
    assert changed == pytest.approx(7 / 8, abs=0.08)  # 1 - (1/2)^3


def test_envelope_is_rectified_scaled_over_the_file_and_takes_block_maxima() -> None:
    signal = np.array([[-4.0, 1.0, 2.0, 0.0, 3.0, -1.0]], np.float32)
    np.testing.assert_allclose(envelope(signal, 1000.0, "minmax")[0], [1, 0.25, 0.5, 0, 0.75, 0.25])
    np.testing.assert_allclose(envelope(signal, 1000.0, "log")[0], [4, 1, 2, 0, 3, 1])
    np.testing.assert_array_equal(block_maximum(np.array([[1.0, 5, 2, 3, 9]]), 2), [[5, 3]])
    assert not envelope(np.zeros((1, 5), np.float32), 1000.0, "minmax").any()


def test_published_cutting_takes_the_first_500_samples_of_each_trial_padded_with_zeros() -> None:
    label = np.concatenate([np.zeros(105), np.full(6000, 2), np.zeros(500), np.full(3000, 5), np.zeros(20)])
    repetition = np.where(label == 5, 4, 1)
    own = stream(label.astype(np.int64), repetition=repetition)
    found = cut(own, Cutting(movements=(6,)))
    assert found.x.shape == (2, 25, 20, 2)
    assert found.y.tolist() == [1, 4]
    assert found.start.tolist() == [105, 6605]
    assert found.repetition.tolist() == [1, 4]
    np.testing.assert_array_equal(found.x[1].reshape(500, 2)[300:], 0)
    rectified = np.abs(own.signal)
    low, high = rectified.min(axis=1, keepdims=True), rectified.max(axis=1, keepdims=True)
    first = ((rectified - low) / (high - low))[:, 105:115].max(axis=1)
    np.testing.assert_allclose(found.x[0, 0, 0], first, rtol=1e-5)


def test_windows_of_a_trial_hop_and_never_leave_it() -> None:
    label = np.repeat([0, 1, 0, 2, 0], [100, 500, 50, 417, 30])
    found = cut(stream(label), SMALL)  # windows of 240 ms, hop 100 ms
    assert found.start.tolist() == [100, 200, 300, 650, 750]
    assert found.y.tolist() == [0, 0, 0, 1, 1]


def test_versions_of_a_stream_give_the_same_windows() -> None:
    clean = stream(np.repeat([0, 1, 0, 2, 0], [100, 500, 50, 417, 30]))
    model = GestureTask(movements=(3,), steps=3, step_samples=8, hop_s=0.1, scaling="log", size="small").models()
    silent = model["stcnet"].examples(replace(clean, signal=np.zeros_like(clean.signal)), clean)
    own = model["stcnet"].examples(clean, clean)
    assert silent.start.tolist() == own.start.tolist()
    assert silent.y.tolist() == own.y.tolist()


def test_a_trial_is_a_run_of_labels_with_its_most_frequent_values() -> None:
    label = np.repeat([0, 1, 2, 0, 3], [10, 30, 5, 10, 20])
    repetition = np.repeat([0, 1, 2, 0, 6], [10, 33, 2, 10, 20])
    assert trials(stream(label, repetition=repetition)) == [(10, 45, 1, 1), (55, 75, 3, 6)]


def test_a_window_longer_than_the_trial_is_an_error_unless_padded() -> None:
    short = stream(np.full(200, 1))
    with pytest.raises(ItemError, match=r"0\.24 s is longer than the trial of 0\.2 s.*lower steps"):
        cut(short, SMALL)
    assert len(cut(short, replace(SMALL, pad=True))) == 1


@pytest.mark.parametrize(("first", "expected"), [(1, [12, 16]), (13, [12, 16])])
def test_labels_count_on_whether_or_not_an_exercise_starts_at_one(first: int, expected: list[int]) -> None:
    label = np.repeat([0, first, 0, first + 4], 400)
    found = cut(stream(label, name="E2"), replace(SMALL, hop_s=None, movements=(12, 17, 23)))
    assert found.y.tolist() == expected


def test_a_label_without_a_class_is_an_error() -> None:
    with pytest.raises(ItemError, match="label 7, but with movements"):
        cut(stream(np.full(400, 7)), SMALL)
    with pytest.raises(ItemError, match="exercise 4, but movements"):
        cut(stream(np.full(400, 1), name="E4"), replace(SMALL, movements=(12, 17, 23)))


def some_examples(n_people: int = 6, n_repetitions: int = 3) -> Examples:
    rows = [(p, k, r) for p in range(n_people) for k in range(3) for r in range(1, n_repetitions + 1)]
    person, y, repetition = (np.array(column) for column in zip(*rows, strict=True))
    rng = generator(3, "test_gesture examples")
    x = (1 + 3 * y)[:, None, None, None] * np.array([1.0, 0.3]) * rng.uniform(0.5, 1.5, (len(y), 3, 8, 2))
    names = np.array([f"DBX/S{p}" for p in person])
    return Examples(x.astype(np.float32), y, names, names, np.arange(len(y)), repetition)


def test_folds_by_person_are_disjoint_and_the_published_ones_leak() -> None:
    examples = some_examples(n_repetitions=6)
    task = GestureTask(movements=(3,), n_folds=3)
    folds = task.folds(examples, "subjects", 1)
    assert sorted(np.concatenate([fold.test for fold in folds]).tolist()) == list(range(len(examples)))
    assert not any(fold.shares_people(examples) for fold in folds)
    (published,) = task.folds(examples, "published", 1)
    assert published.shares_people(examples)
    parts = {part: set(examples.repetition[getattr(published, part)].tolist()) for part in ("train", "valid", "test")}
    assert parts == {"train": {1, 3, 4}, "valid": {6}, "test": {2, 5}}


def test_a_class_with_one_person_is_named() -> None:
    examples = some_examples()
    lonely = examples.select(np.flatnonzero((examples.y != 2) | (examples.person == "DBX/S0")))
    with pytest.raises(UserError, match=r"'movement 3': 1 subject"):
        GestureTask(movements=(3,)).folds(lonely, "subjects", 1)


def quick_model(contrastive: ContrastiveRecipe | None = None) -> STCNetModel:
    kind = STCNetModel if contrastive else STCNetWithoutContrast
    return kind(SMALL, "small", contrastive)


def quick_fit(folder: Path, model: STCNetModel) -> np.ndarray:
    examples = some_examples()
    rows = np.arange(len(examples))
    fit = Fit(folder, 1, {"epochs": 12, "learning_rate": 5e-3, "batch_size": 12}, "quick", n_classes=3)
    model.fit(examples.select(rows[:36]), examples.select(rows[36:45]), fit)
    return model.scores(examples.x[45:])


def test_both_models_learn_and_repeat_bit_for_bit(tmp_path: Path) -> None:
    truth = some_examples().y[45:]
    recipe = ContrastiveRecipe(epochs=2, batch_size=18)
    with_stage = quick_fit(tmp_path / "a", quick_model(recipe))
    without = quick_fit(tmp_path / "b", quick_model())
    again = quick_fit(tmp_path / "c", quick_model(recipe))
    np.testing.assert_array_equal(with_stage, again)
    assert (with_stage != without).any()
    assert (with_stage.argmax(axis=1) == truth).mean() > 0.6
    assert (tmp_path / "a" / "curves.png").exists()
    assert (tmp_path / "a" / "encoder.pt").exists()
    assert not (tmp_path / "b" / "encoder.pt").exists()


def test_contrastive_stage_lowers_its_loss() -> None:
    examples = some_examples()
    torch.manual_seed(0)
    network = ContrastiveSTCNet(Encoder(3, 8, 2, SIZES["small"]), SIZES["small"])
    subject = np.unique(examples.person, return_inverse=True)[1].astype(np.int64)
    recipe = ContrastiveRecipe(epochs=6, batch_size=54, learning_rate=0.2, gesture_weight=1.0)
    losses = pretrain(network, examples.x, examples.y, subject, recipe, 1, "test")
    assert losses[-1] < losses[0] - 0.1


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"steps": 0}, "steps"),
        ({"hop_s": -1.0}, "hop_s"),
        ({"size": "huge"}, "size"),
        ({"movements": []}, "movements"),
        ({"contrastive": {"gesture_weight": 2}}, "gesture_weight"),
        ({"contrastive": {"epoch": 2}}, "epoch"),
        ({"scaling": "none"}, "scaling"),
    ],
)
def test_a_refused_parameter_is_named(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        find("tasks", "gesture").build(**parameters).models()


def test_an_envelope_cannot_be_filtered_or_mixed() -> None:
    task = find("tasks", "gesture").build(envelope=True, movements=[12, 17, 23])
    assert task.fs_hz == 100.0
    assert task.band_hz is None
    assert not task.takes_noise
