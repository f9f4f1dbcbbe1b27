"""Fixed training mixtures: segments x SNRs x draws, the same in every epoch, in frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cleansemg.core.errors import UserError
from cleansemg.denoising.neural import quantile_scale
from cleansemg.training.batches import Batch, Share
from cleansemg.training.fixed_mixtures import FixedSet
from cleansemg.training.mixtures import Mixtures
from cleansemg.training.segments import Segments
from tests.training import workspace

WHOLE = Share()
FIXED = "train.fixed={snr_db: [-5, -7], files: {ECG: 0, PLI+WGN: 3}, draws: {train: 4, valid: 2}}"


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> workspace.Workspace:
    return workspace.make(tmp_path_factory.mktemp("space"))


def mixtures(space: workspace.Workspace, *overrides: str) -> Mixtures:
    return Mixtures.open(space.settings(FIXED, *overrides), space.layout, False)


def rows_of(batches: list[Batch]) -> list[bytes]:
    return [n.tobytes() + c.tobytes() for b in batches for n, c in zip(b.noisy, b.clean, strict=True)]


def test_counts_are_segments_times_snrs_times_draws(space: workspace.Workspace) -> None:
    source = mixtures(space)
    assert (source.n_train, source.n_valid) == (48 * 2 * 4, 32 * 2 * 2)
    assert (
        mixtures(space, "train.mixtures_per_epoch=10").n_train,
        mixtures(space, "train.valid_mixtures=7").n_valid,
    ) == (10, 7)


def test_epochs_pass_the_same_mixtures_in_another_order(space: workspace.Workspace) -> None:
    source = mixtures(space)
    first, second = (rows_of(list(source.train(epoch, 16, WHOLE))) for epoch in (0, 1))
    assert first != second
    assert sorted(first) == sorted(second)
    assert len(set(first)) > 0.98 * len(first)  # the ECG of the workspace is periodic, its two pieces may agree
    assert rows_of(list(source.train(0, 5, WHOLE))) == first
    shared = [row for rank in range(4) for row in rows_of(list(source.train(0, 16, Share(rank, 4))))]
    assert sorted(shared) == sorted(first)
    assert not set(first) & set(rows_of(list(source.valid(16, WHOLE))))


def test_each_segment_meets_every_snr_exactly(space: workspace.Workspace) -> None:
    batch = next(mixtures(space).train(0, 384, WHOLE))
    noise = batch.noisy.astype(np.float64) - batch.clean
    snr = 10 * np.log10((batch.clean.astype(np.float64) ** 2).sum(1) / (noise**2).sum(1))
    assert np.unique(snr.round(3), return_counts=True)[1].tolist() == [192, 192]
    assert sorted({round(x) for x in snr}) == [-7, -5]
    assert np.allclose(quantile_scale(batch.noisy), 1.0, rtol=1e-5)


def test_frames_are_pieces_of_the_whole_mixture(space: workspace.Workspace) -> None:
    settings = space.settings(FIXED)
    framed = space.settings(FIXED.replace("}}", "}, frame_samples: 60}"))
    segments = Segments(space.layout.segments("train"))
    library = mixtures(space)._noise["train"]
    whole, parts = (FixedSet("train", segments, library, config) for config in (settings, framed))
    assert len(parts) == 3 * len(whole)  # 200 samples: the last 20 are in no frame
    noisy, clean = whole.mix(np.array([5, 17]))
    framed_noisy, framed_clean = parts.mix(np.array([15, 16, 17, 53]))
    assert np.array_equal(framed_noisy[:3].reshape(-1), noisy[0, :180])
    assert np.array_equal(framed_clean[3], clean[1, 120:180])


def test_what_is_refused(space: workspace.Workspace, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"train\.fixed\.draws\.train: 4 draws, but .* gives 2 noise files"):
        mixtures(space, "train.fixed.files={ECG: 0}")
    with pytest.raises(UserError, match=r"train\.fixed\.draws: has no number for valid"):
        mixtures(space, "train.fixed.draws={train: 2}")
    with pytest.raises(UserError, match=r"frame_samples: 201, but segments have 200"):
        mixtures(space, "train.fixed.frame_samples=201")
    sharing = workspace.make(tmp_path, subjects_of_valid=("S3", "S4"))
    with pytest.raises(UserError, match=r"share 1 subject\(s\)"):
        mixtures(sharing)
    assert mixtures(sharing, "protocol=published").n_train == 384


def test_the_default_draws_do_not_change_with_the_setting_there(space: workspace.Workspace) -> None:
    plain = Mixtures.open(space.settings(), space.layout, False)
    assert "fixed" not in plain.section
    assert mixtures(space).section["fixed"]["draws"] == {"train": 4, "valid": 2}
