"""Online mixtures: named draws, exact SNR, fixed validation, and nothing shared with training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cleansemg.core.errors import ArtifactError, UserError
from cleansemg.core.even_rows import starts_of_parts
from cleansemg.denoising.neural import quantile_scale
from cleansemg.training.batches import Batch, Share
from cleansemg.training.mixtures import Mixtures
from cleansemg.training.segments import Segments
from tests.training import workspace

WHOLE = Share()


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> workspace.Workspace:
    return workspace.make(tmp_path_factory.mktemp("space"))


def mixtures(space: workspace.Workspace, *overrides: str, clip: bool = False) -> Mixtures:
    return Mixtures.open(space.settings(*overrides), space.layout, clip)


def rows_of(batches: list[Batch]) -> list[bytes]:
    return [n.tobytes() + c.tobytes() for b in batches for n, c in zip(b.noisy, b.clean, strict=True)]


def test_an_epoch_takes_every_segment_once_in_another_order(space: workspace.Workspace) -> None:
    source = mixtures(space)
    first, passes = source.epoch_rows(0)
    second, later = source.epoch_rows(1)
    assert sorted(first) == sorted(second) == list(range(48))
    assert list(first) != list(second)
    assert set(passes) == {0}
    assert set(later) == {1}


def test_shorter_epochs_go_through_all_segments_before_repeating(space: workspace.Workspace) -> None:
    source = mixtures(space, "train.mixtures_per_epoch=20")
    epochs = [source.epoch_rows(epoch) for epoch in range(12)]
    rows = np.concatenate([rows for rows, _ in epochs])
    passes = np.concatenate([passes for _, passes in epochs])
    for number in range(5):
        assert sorted(rows[passes == number]) == list(range(48))
    long = mixtures(space, "train.mixtures_per_epoch=100")
    pairs = list(zip(*(array.tolist() for array in long.epoch_rows(0)), strict=True))
    assert len(set(pairs)) == 100  # no mixture twice, though segments repeat


def test_mixtures_do_not_depend_on_batches_processes_or_shards(space: workspace.Workspace, tmp_path: Path) -> None:
    source = mixtures(space)
    reference = rows_of(list(source.train(3, 16, WHOLE)))
    assert rows_of(list(source.train(3, 5, WHOLE))) == reference
    shared = [row for rank in range(4) for row in rows_of(list(source.train(3, 16, Share(rank, 4))))]
    assert sorted(shared) == sorted(reference)
    other = mixtures(workspace.make(tmp_path, shard_size=5))
    assert rows_of(list(other.train(3, 16, WHOLE))) == reference
    assert other._train.ids.tolist() == source._train.ids.tolist()


def test_epochs_and_seeds_differ(space: workspace.Workspace) -> None:
    source = mixtures(space)
    first = rows_of(list(source.train(0, 16, WHOLE)))
    assert not set(first) & set(rows_of(list(source.train(1, 16, WHOLE))))
    assert not set(first) & set(rows_of(list(mixtures(space, "seed=3").train(0, 16, WHOLE))))


def test_validation_is_fixed_and_spread_over_subjects(space: workspace.Workspace) -> None:
    source = mixtures(space, "train.valid_mixtures=6")
    reference = rows_of(list(source.valid(4, WHOLE)))
    list(source.train(0, 16, WHOLE))
    assert rows_of(list(source.valid(6, WHOLE))) == reference
    assert source.n_valid == len(reference) == 6
    assert {source._valid.subjects[row] for row in source._valid_rows} == {"DB/S4", "DB/S5"}
    everything = rows_of(list(mixtures(space).valid(64, WHOLE)))
    assert set(reference) < set(everything)  # fewer mixtures are a choice among the same ones


def test_snr_is_exact_and_within_its_limits(space: workspace.Workspace) -> None:
    source = mixtures(space, "train.snr_db=[-3, 6]", "train.mixtures_per_epoch=480")
    snr = []
    for batch in source.train(0, 48, WHOLE):
        noise = batch.noisy.astype(np.float64) - batch.clean
        snr += list(10 * np.log10((batch.clean.astype(np.float64) ** 2).sum(1) / (noise**2).sum(1)))
    assert -3.001 < min(snr) < -2.7  # float32 and the scaling round
    assert 5.7 < max(snr) < 6.001
    # uniform on 9 dB: mean 1.5, standard error 9 / sqrt(12 * 480) = 0.12
    assert abs(np.mean(snr) - 1.5) < 0.5
    exact = mixtures(space, "train.snr_db=[4, 4]")
    batch = next(exact.train(0, 48, WHOLE))
    noise = batch.noisy.astype(np.float64) - batch.clean
    assert np.allclose(10 * np.log10((batch.clean.astype(np.float64) ** 2).sum(1) / (noise**2).sum(1)), 4, atol=1e-4)


def test_scaled_by_the_quantile_and_clipped_on_request(space: workspace.Workspace) -> None:
    plain, clipped = (next(mixtures(space, clip=clip).train(0, 48, WHOLE)) for clip in (False, True))
    assert np.allclose(quantile_scale(plain.noisy), 1.0, rtol=1e-5)
    assert np.abs(plain.noisy).max() > 1
    assert np.array_equal(clipped.noisy, np.clip(plain.noisy, -1, 1))
    assert np.array_equal(clipped.clean, np.clip(plain.clean, -1, 1))


def test_a_shared_subject_is_refused(tmp_path: Path) -> None:
    space = workspace.make(tmp_path, subjects_of_valid=("S3", "S4"))
    with pytest.raises(UserError, match=r"share 1 subject\(s\): DB/S3;"):
        mixtures(space)


def test_a_shared_noise_record_is_refused(tmp_path: Path) -> None:
    space = workspace.make(tmp_path)
    workspace.write_noise(space.layout.noise("valid"), "valid", record_prefix="train")
    with pytest.raises(UserError, match=r"share 6 noise record\(s\): .*train/ECG_0.* and 3 more"):
        mixtures(space)


def test_missing_inputs_say_what_to_run(tmp_path: Path) -> None:
    space = workspace.make(tmp_path)
    (space.layout.noise("valid") / "manifest.json").unlink()
    with pytest.raises(ArtifactError, match="run: cleansemg run --stages noise"):
        mixtures(space)
    (space.layout.segments("train") / "manifest.json").unlink()
    with pytest.raises(ArtifactError, match=r"manifest\.json: not there"):
        mixtures(space)


def test_refused_settings(space: workspace.Workspace) -> None:
    with pytest.raises(UserError, match=r"train\.mixtures_per_epoch must be at least 1, got 0"):
        mixtures(space, "train.mixtures_per_epoch=0")
    with pytest.raises(UserError, match=r"train\.snr_db"):
        mixtures(space, "train.snr_db=[5, -5]")


def test_a_silent_segment_is_named(tmp_path: Path) -> None:
    space = workspace.make(tmp_path)
    source = mixtures(space)
    source._train._signals = [np.zeros_like(signals) for signals in source._train._signals]
    with pytest.raises(UserError, match=r"DB_S\d_E1_c0_t\d\d_w0: the clean segment is all zero"):
        next(source.train(0, 4, WHOLE))


def test_signals_belong_to_their_ids(space: workspace.Workspace) -> None:
    segments = Segments(space.layout.segments("train"))
    rows = np.array([40, 3, 17])
    expected = np.stack([workspace._signal(str(segments.ids[row])) for row in rows]).astype(np.float32)
    assert np.array_equal(segments.signals(rows), expected)
    assert all(segments.subjects[row] == f"DB/{str(segments.ids[row]).split('_')[1]}" for row in range(len(segments)))


def test_spread() -> None:
    assert starts_of_parts(5, None).tolist() == [0, 1, 2, 3, 4]
    assert starts_of_parts(5, 9).tolist() == [0, 1, 2, 3, 4]
    assert starts_of_parts(100, 4).tolist() == [0, 25, 50, 75]
