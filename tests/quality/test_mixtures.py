"""Mixtures: exact SNR, rebuilt bit for bit, lengths, parts that share nothing, and the training batches."""

from __future__ import annotations

import numpy as np
import pytest

from cleansemg.core.errors import ArtifactError, UserError
from cleansemg.core.stage import RunOptions
from cleansemg.settings import Settings
from cleansemg.training.batches import Share
from cleansemg.training.quality import mixtures
from cleansemg.training.quality.drawing import excerpts
from cleansemg.training.quality.mixtures import Mixtures
from cleansemg.training.quality.source import QualitySource, band_limit

from .conftest import settings_of


def test_stored_mixtures_have_their_snr_and_kinds(workspace) -> None:
    _, layout = workspace
    found = Mixtures(layout, "test")
    assert set(found.n_samples.tolist()) == {1000, 2000}
    assert sum(len(numbers) for numbers in found.by_length()) == len(found)
    assert len(set(found.mixture_id.tolist())) == len(found)
    for numbers in found.by_length():
        noisy = found.noisy(numbers)
        clean = excerpts(found.segments, found._row[numbers], found._start[numbers], noisy.shape[1])
        noise = noisy.astype(float) - clean
        snr_db = 10 * np.log10((clean.astype(float) ** 2).sum(axis=1) / (noise**2).sum(axis=1))
        np.testing.assert_allclose(snr_db, found.snr_db[numbers], atol=1e-4)
        np.testing.assert_array_equal(noisy, found.noisy(numbers))
    assert (np.abs(found.snr_db) <= 15).all()
    assert ((found._gain > 0) == found.kinds).all()


def test_a_grid_has_every_segment_at_every_snr(workspace, tmp_path) -> None:
    settings, layout = workspace
    grid = settings.model_copy(
        update={
            "quality": settings.quality.model_copy(
                update={"grid_db": {"test": (0.0, -7.5)}, "parts": ("test",), "lengths_s": (2.0,)}
            )
        }
    )

    class Elsewhere(type(layout)):
        def quality_mixtures(self, part):
            return tmp_path / part

    own = Elsewhere(layout.root)
    mixtures.run(grid, own, RunOptions())
    found = Mixtures(own, "test")
    values, counts = np.unique(found.snr_db, return_counts=True)
    assert values.tolist() == [-7.5, 0.0]
    assert counts.tolist() == [len(found.segments)] * 2


def test_results_do_not_depend_on_workers_or_shards(workspace, monkeypatch) -> None:
    settings, layout = workspace
    before = Mixtures(layout, "valid")
    monkeypatch.setattr(mixtures, "SHARD_ROWS", 3)
    monkeypatch.setattr(type(layout), "quality_mixtures", lambda self, part: self.root / "again" / part)
    mixtures.run(settings, layout, RunOptions(workers=2))
    after = Mixtures(layout, "valid")
    order = {name: i for i, name in enumerate(after.mixture_id)}
    again = np.array([order[name] for name in before.mixture_id])
    np.testing.assert_array_equal(before.snr_db, after.snr_db[again])
    for numbers in before.by_length():
        np.testing.assert_array_equal(before.noisy(numbers), after.noisy(again[numbers]))


def test_parts_that_share_people_are_refused(workspace, monkeypatch) -> None:
    settings, layout = workspace
    monkeypatch.setattr(
        type(layout), "segments", lambda self, part: self.root / "segments" / "data_crossDB_seg2s" / "train"
    )
    with pytest.raises(UserError, match=r"share .* subject"):
        mixtures.run(settings, layout, RunOptions())


def test_missing_segments_say_what_to_run(tmp_path) -> None:
    from cleansemg.core.layout import Layout

    with pytest.raises(ArtifactError, match="run: cleansemg run --stages segment"):
        mixtures.run(settings_of(tmp_path), Layout(tmp_path / "out"), RunOptions())


def test_mixtures_longer_than_segments_are_refused(workspace) -> None:
    settings, layout = workspace
    longer = settings.model_copy(update={"quality": settings.quality.model_copy(update={"lengths_s": (4.0,)})})
    with pytest.raises(UserError, match=r"raise segment\.window_s"):
        mixtures.run(longer, layout, RunOptions())


def test_training_batches(workspace) -> None:
    settings, layout = workspace
    source = QualitySource(settings, layout)
    batches = list(source.train(0, 8, Share()))
    assert sum(len(batch.noisy) for batch in batches) == source.n_train
    assert {batch.noisy.shape[1] for batch in batches} <= {1000, 2000}
    for batch in batches:
        assert batch.noisy.dtype == batch.clean.dtype == np.float32
        snr_db, kinds = batch.clean[:, 0], batch.clean[:, 1:]
        assert np.isfinite(batch.noisy).all()
        np.testing.assert_array_equal(np.isnan(snr_db), kinds.sum(axis=1) == 0)
        assert np.nanmax(np.abs(snr_db)) <= 15
    for one, again in zip(batches, source.train(0, 8, Share()), strict=True):
        np.testing.assert_array_equal(one.noisy, again.noisy)
        np.testing.assert_array_equal(one.clean, again.clean)
    assert not np.array_equal(batches[0].clean[:, 0], next(source.train(1, 8, Share())).clean[:, 0])


def test_processes_share_a_batch(workspace) -> None:
    settings, layout = workspace
    source = QualitySource(settings, layout)
    whole = next(source.train(0, 8, Share()))
    for rank in (0, 1):
        own = next(source.train(0, 8, Share(rank, 2)))
        np.testing.assert_array_equal(own.noisy, whole.noisy[rank::2])


def test_low_pass_gives_the_snr_within_its_band() -> None:
    t = np.arange(2000) / 1000
    clean = np.stack([np.sin(2 * np.pi * 60 * t)] * 2).astype(np.float32)
    noisy = clean + np.stack([np.sin(2 * np.pi * 400 * t), 0 * t]).astype(np.float32)
    filtered, snr_db = band_limit(clean, noisy, np.array([200.0, 200.0]), 1000.0)
    expected = 10 * np.log10((1 + (400 / 200) ** 8) / (1 + (60 / 200) ** 8))
    assert snr_db[0] == pytest.approx(expected, abs=0.01)
    assert np.isnan(snr_db[1])
    np.testing.assert_allclose(filtered[1], clean[1], atol=1e-3)


def test_settings_are_checked(tmp_path) -> None:
    for override, message in (
        ("quality.lengths_s=[0.5]", "at least 1 s"),
        ("quality.snr_db=[5, -5]", "not low, high"),
        ("quality.modles=[qase]", "models"),
    ):
        with pytest.raises(UserError, match=message):
            settings_of(tmp_path, override)
    assert Settings().quality.models == ()
