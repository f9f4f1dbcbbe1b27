"""Streams: what prepare makes of recordings, what is refused, and that noise depends on names alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.layout import Layout
from cleansemg.core.stage import Job, RunOptions, ShardResult, run_stage
from cleansemg.data_pipeline.recording import Recording
from cleansemg.downstream.common import streams
from cleansemg.downstream.common.contaminate import noisy_version
from cleansemg.downstream.common.task import Stream
from cleansemg.downstream.gait.task import GaitTask
from cleansemg.downstream.neuromuscular.task import NeuromuscularTask
from cleansemg.noise.library import build_libraries
from cleansemg.noise.pool import NoiseLibrary
from cleansemg.settings import Settings

FS_HZ = 1259.0


def recording(n: int = 5000, **changes) -> Recording:
    rng = np.random.default_rng(1)
    label = np.repeat([0, 1, 2, 0, 3], n // 5)
    base = Recording("toy", "S1", "E1", 1e-4 * rng.standard_normal((2, n)), FS_HZ, ("a", "b"), label, label.copy())
    return replace(base, **changes)


def test_labels_stay_at_their_time_when_resampled():
    found = streams.clean_stream(recording(), 1000.0, (20.0, 450.0))
    n = found.signal.shape[1]
    assert n == pytest.approx(5000 * 1000 / FS_HZ, abs=1)
    assert (len(found.label), len(found.repetition), found.signal.dtype) == (n, n, np.float32)
    edges_s = (np.flatnonzero(np.diff(found.label)) + 0.5) / 1000.0
    np.testing.assert_allclose(edges_s, np.array([1, 2, 3, 4]) * 1000 / FS_HZ, atol=0.001)


def test_a_trial_has_its_one_label_throughout():
    trial = recording(label=None, repetition=None, trial_label=4, trial_repetition=2)
    found = streams.clean_stream(trial, 1000.0, (20.0, 450.0))
    assert (set(found.label.tolist()), set(found.repetition.tolist())) == ({4}, {2})


def test_the_band_is_kept_and_the_rest_removed():
    time_s = np.arange(5000) / FS_HZ
    tones = np.stack([np.sin(2 * np.pi * 100 * time_s), np.sin(2 * np.pi * 5 * time_s)])
    found = streams.clean_stream(recording(signal=tones), 1000.0, (20.0, 450.0)).signal[:, 500:-500]
    assert np.sqrt((found**2).mean(axis=1)) == pytest.approx([np.sqrt(0.5), 0.0], abs=0.01)


def test_what_cannot_be_filtered_or_placed_is_refused_with_its_place():
    tail = recording().signal.copy()
    tail[1, 4900:] = np.nan
    with pytest.raises(ItemError, match=r"100 of 10000 samples are not finite, the first in channel b at 3\.892 s"):
        streams.clean_stream(recording(signal=tail), 1000.0, (20.0, 450.0))
    with pytest.raises(ItemError, match="label: 10 values for 5000 samples"):
        streams.clean_stream(recording(label=np.zeros(10, np.int64)), 1000.0, (20.0, 450.0))
    with pytest.raises(ItemError, match=r"0 sample\(s\)"):
        streams.clean_stream(recording(signal=np.zeros((2, 0))), 1000.0, (20.0, 450.0))


def test_a_shard_gives_the_stream_back():
    one = streams.clean_stream(recording(), 1000.0, (20.0, 450.0))
    other = streams.from_arrays(streams.to_arrays(one), 1000.0)
    assert one.signal.tobytes() == other.signal.tobytes()
    for name in ("label", "repetition"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (one.key, one.person, one.channels) == (other.key, other.person, other.channels)


def test_a_shard_holds_its_texts_once_however_short_it_is():
    for n, name in ((2000, "E1"), (3, "E1"), (40, "Übung, Fuß")):
        one = replace(stream(name, n), channels=("m. biceps brachii", "链", "c"))
        arrays = streams.to_arrays(one)
        assert {len(array) for array in arrays.values()} == {n}
        other = streams.from_arrays(arrays, 1000.0)
        assert (other.key, other.channels) == (one.key, one.channels)
        texts = sum(array.nbytes for key, array in arrays.items() if key not in {"signal", "label", "repetition"})
        assert texts < n + 200


@pytest.mark.parametrize("channels", [("a",), ("a", "b", "c"), ("b", "a")])
def test_recordings_of_other_channels_are_named_before_anything_is_made_of_them(tmp_path, channels):
    shards = {name: replace(stream(name, 100), channels=own) for name, own in (("E1", ("a", "b")), ("E2", channels))}
    jobs = [Job(name, streams.to_arrays(one)) for name, one in shards.items()]
    made = run_stage(
        tmp_path,
        streams.SCHEMA,
        jobs,
        ShardResult,
        section={},
        inputs={},
        seed=1,
        options=RunOptions(),
        label="",
        code={},
    )
    names = ", ".join(channels)
    with pytest.raises(UserError, match=f"'toy/S1/E1' has the channels a, b, 'toy/S1/E2' has {names}; "):
        streams.require_same_channels(made.artifact, GaitTask(["walk", "stand"]))
    streams.require_same_channels(made.artifact, NeuromuscularTask())  # takes one channel, whatever its name


def test_shard_names_differ_where_keys_do():
    keys = ["toy/S1/a b", "toy/S1/a_b", "toy/S1/a/b", "toy/S1/A_b"]
    assert len({streams.shard_name(key).lower() for key in keys}) == len(keys)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    from cleansemg.core.layout import Layout

    layout = Layout(tmp_path_factory.mktemp("noise"))
    pieces = {"train": 1, "valid": 1, "test": 2}
    kinds = {"PLI": [{"source": "pli", "pieces": pieces}], "WGN": [{"source": "wgn", "pieces": pieces}]}
    config = Settings.model_validate({"noise": {"piece_s": 10, "kinds": kinds}})
    build_libraries(config, layout, RunOptions())
    return NoiseLibrary.open(layout.noise("test"))


def stream(name: str, n: int = 3000) -> Stream:
    rng = np.random.default_rng(2)
    none = np.zeros(n, np.int64)
    signal = (1e-4 * rng.standard_normal((3, n))).astype(np.float32)
    signal[1] = 0
    return Stream("toy", "S1", name, signal, none, none, 1000.0, ("a", "b", "c"))


def settings(**downstream) -> Settings:
    return Settings.model_validate({"downstream": {"n_kinds": [1, 2], **downstream}})


def test_noise_has_the_snr_is_named_and_leaves_silence_silent(library):
    clean = stream("E1")
    noisy = noisy_version(clean, library, settings(snr_db=[3.0]))
    added = (noisy.signal - clean.signal).astype(np.float64)
    energy = (clean.signal.astype(np.float64) ** 2).sum(axis=1)
    assert 10 * np.log10(energy[[0, 2]] / (added[[0, 2]] ** 2).sum(axis=1)) == pytest.approx([3.0, 3.0], abs=1e-3)
    assert not noisy.signal[1].any()
    again = noisy_version(clean, library, settings(snr_db=[3.0]))
    assert again.signal.tobytes() == noisy.signal.tobytes()
    other = noisy_version(stream("E2"), library, settings(snr_db=[3.0]))
    assert other.signal.tobytes() != noisy.signal.tobytes()


def test_noise_as_loud_as_the_person_says_nothing_of_the_stream(library):
    """Streams of one class each: the noise must not tell a loud class from a quiet one."""
    loud = stream("E1")
    quiet = replace(loud, signal=(0.1 * loud.signal).astype(np.float32))
    power = np.array([1e-8, 0.0, 4e-8])
    added = []
    for clean in (loud, quiet):
        noisy = noisy_version(clean, library, settings(snr_db=[3.0]), power)
        added.append((noisy.signal - clean.signal).astype(np.float64))
        ratio_db = 10 * np.log10(power[[0, 2]] / (added[-1][[0, 2]] ** 2).mean(axis=1))
        assert ratio_db == pytest.approx([3.0, 3.0], abs=1e-3)
        assert not noisy.signal[1].any()
    np.testing.assert_allclose(added[0], added[1], atol=1e-10)


def test_channels_do_not_depend_on_one_another(library):
    clean = stream("E1")
    noisy = noisy_version(clean, library, settings())
    alone = replace(clean, signal=clean.signal[2:], channels=("c",))
    assert noisy_version(alone, library, settings()).signal[0].tobytes() == noisy.signal[2].tobytes()


def test_a_stream_longer_than_the_noise_is_mixed_in_blocks(library):
    clean = stream("long", n=25_001)  # pieces of noise have 10,000 samples
    noisy = noisy_version(clean, library, settings(snr_db=[0.0]))
    added = noisy.signal[0] - clean.signal[0]
    for block in np.array_split(np.arange(25_001), 3):
        inside = block[5:-5]  # where the cut falls exactly is its own affair
        ratio = (clean.signal[0, inside] ** 2).sum() / (added[inside] ** 2).sum()
        assert 10 * np.log10(ratio) == pytest.approx(0.0, abs=0.05)


def test_two_people_with_one_file_are_refused_before_anything_is_read(tmp_path):
    """As in the complete UCI set, where 2N's sitting is 1N's, byte for byte."""
    header = "text\n" * 7
    rows = "\n".join("0.1\t0.2\t0.3\t0.4\t5" for _ in range(4000))
    for name in ("1Nmar", "3Nmar"):
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / f"{name}.txt").write_text(header + rows)
    settings = Settings.model_validate(
        {
            "datasets": {"uci_lower_limb": {"folder": str(tmp_path / "data")}},
            "downstream": {"task": "gait", "parameters": {"classes": ["walking", "standing", "sitting"]}},
        }
    )
    expected = (
        r"'1Nmar\.txt' \(subject 1N of uci_lower_limb\) and '3Nmar\.txt' \(subject 3N of uci_lower_limb\) are the same "
        "recording under two names; leave one out"
    )
    with pytest.raises(UserError, match=expected):
        streams.prepare(settings, Layout(tmp_path / "out"), RunOptions())
    assert not (tmp_path / "out").exists()
