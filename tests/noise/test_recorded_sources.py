"""Noise out of recordings: WFDB at several rates, Machado's MATLAB files, real MIT-BIH and NSTDB, errors."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from scipy.signal import find_peaks, welch

from cleansemg.core import dsp
from cleansemg.core.errors import ItemError, UserError
from cleansemg.noise import wfdb_records
from cleansemg.noise.base import Request
from cleansemg.noise.ecg_wfdb import NSRDB_PARTS, NSRDB_TEST, NSRDB_TRAIN, NSRDB_VALID, EcgRecords, records_by_part
from cleansemg.noise.moa_machado import MotionMachado
from cleansemg.noise.moa_wfdb import MotionRecords

FS = 1000.0


def request(folder, part="train", n=4, piece_s=20.0, fs_hz=FS):
    return Request(part, n, fs_hz, piece_s, 2025, folder)


def collect(source, asked):
    """Pieces, and the messages of records that failed."""
    iterator, pieces, failed = iter(source.pieces(asked)), [], []
    while True:
        try:
            pieces.append(next(iterator))
        except StopIteration:
            return pieces, failed
        except ItemError as error:
            failed.append(str(error))


def beats(fs_hz, duration_s, bpm=72.0):
    """A spike of 20 ms, 72 times a minute, on a 50 Hz hum: [T, 1] in millivolts."""
    t = np.arange(round(duration_s * fs_hz)) / fs_hz
    phase = (t + 0.3) % (60 / bpm) - 0.3
    return (np.exp(-0.5 * (phase / 0.01) ** 2) + 0.2 * np.sin(2 * np.pi * 50 * t))[:, None]


def test_nsrdb_split_is_the_published_draw():
    """Protocol A5 and E: random.Random(2025).sample over the 18 sorted ids gives the four test records."""
    ids = [
        "16265", "16272", "16273", "16420", "16483", "16539", "16773", "16786", "16795",
        "17052", "17453", "18177", "18184", "19088", "19090", "19093", "19140", "19830",
    ]  # fmt: skip
    test = random.Random(2025).sample(ids, 4)
    train = [i for i in ids if i not in test]
    assert set(test) == set(NSRDB_TEST)
    assert train == [*NSRDB_TRAIN, *NSRDB_VALID]
    assert tuple(train[-3:]) == NSRDB_VALID


@pytest.mark.parametrize("rate_hz", [128.0, 250.0, 360.0])
@pytest.mark.parametrize("fs_hz", [1000.0, 500.0])
def test_ecg_at_any_rate_keeps_time_and_loses_the_line(tmp_path, write_record, rate_hz, fs_hz):
    for name in ("a1", "a2", "a3"):
        write_record(tmp_path, name, beats(rate_hz, 70.0), rate_hz)
    for part in ("train", "valid", "test"):
        pieces, failed = collect(EcgRecords(), request(tmp_path, part, fs_hz=fs_hz))
        assert not failed
        assert len(pieces) == 3, "70 s hold three pieces of 20 s"
        for piece in pieces:
            assert len(piece.samples) == round(20 * fs_hz)
            found, _ = find_peaks(piece.samples, height=0.5, distance=round(0.5 * fs_hz))
            np.testing.assert_allclose(np.diff(found) / fs_hz, 60 / 72, atol=2 / rate_hz)
            f_hz, power = welch(piece.samples, fs_hz, nperseg=4096)
            line = power[np.abs(f_hz - 50).argmin()]
            assert line < 0.1 * power[(f_hz > 40) & (f_hz < 45)].mean()


def test_a_piece_lies_where_its_name_says(tmp_path, write_record):
    """A ramp tells the time: the value at the start of a piece is its second in the record."""
    t_s = np.arange(360 * 100) / 360
    for name in ("a1", "a2", "a3"):
        write_record(tmp_path, name, (t_s / 10)[:, None], 360.0)
    source = EcgRecords(notch_hz=None)
    for part in ("train", "valid", "test"):
        for piece in source.pieces(request(tmp_path, part, n=2)):
            rise = np.diff(piece.samples[1000:-1000]).mean() * FS * 10
            assert rise == pytest.approx(1.0, rel=0.01)
            assert piece.name.startswith(piece.record + "_0_")
    track = wfdb_records.open_track(tmp_path, "a1", 0)
    excerpt = wfdb_records.Excerpt(track, 33.3337, 20_000)
    raw = wfdb_records.read(excerpt, FS)
    first = (33.3337 * 360 // 1 - 5 * 360) / 360
    middle = wfdb_records.trim(raw, excerpt, FS)[10_000] * 10
    mean_s = t_s[round(first * 360) : round(first * 360) + (30 * 360)].mean()
    assert middle + mean_s == pytest.approx(43.3337, abs=0.02)


def test_leads_by_number_and_by_name(tmp_path, write_record):
    signals = np.hstack([beats(250.0, 40.0, 60.0), beats(250.0, 40.0, 90.0)])
    for name in ("a1", "a2", "a3"):
        write_record(tmp_path, name, signals, 250.0)
    by_name = next(iter(EcgRecords(lead="II").pieces(request(tmp_path))))
    by_number = next(iter(EcgRecords(lead=1).pieces(request(tmp_path))))
    assert by_name.samples.tobytes() == by_number.samples.tobytes()
    found, _ = find_peaks(by_name.samples, height=0.5, distance=400)
    assert np.median(np.diff(found)) == pytest.approx(1000 * 60 / 90, abs=5)
    pieces, failed = collect(EcgRecords(lead="V5"), request(tmp_path))
    assert not pieces
    assert "has no lead 'V5'; its leads are I, II" in failed[0]


def test_short_records_shorten_the_pieces_and_too_short_ones_fail(tmp_path, write_record):
    for name in ("a1", "a2", "a3", "a4", "a5"):
        write_record(tmp_path, name, beats(250.0, 14.0), 250.0)
    parts = records_by_part(tmp_path, ["a1", "a2", "a3", "a4", "a5"], 2025)
    assert sorted(len(ids) for ids in parts.values()) == [1, 1, 3]
    write_record(tmp_path, parts["train"][0], beats(250.0, 9.0), 250.0)
    pieces, failed = collect(EcgRecords(), request(tmp_path))
    assert [len(p.samples) for p in pieces] == [14_000, 14_000]
    assert len(failed) == 1
    assert "lasts 9.0 s, needed are 10 s" in failed[0]


def test_broken_records_fail_and_the_rest_is_kept(tmp_path, write_record):
    names = [f"a{i}" for i in range(10)]
    for name in names:
        write_record(tmp_path, name, beats(250.0, 30.0), 250.0)
    train = records_by_part(tmp_path, names, 2025)["train"]
    gap, flat, cut, garbled, bare, _ = train
    signal = beats(250.0, 30.0)
    signal[2000:2100] = np.nan
    write_record(tmp_path, gap, signal, 250.0)
    write_record(tmp_path, flat, np.ones((7500, 1)), 250.0)
    data = (tmp_path / f"{cut}.dat").read_bytes()
    (tmp_path / f"{cut}.dat").write_bytes(data[: len(data) // 2])
    (tmp_path / f"{garbled}.hea").write_text("not a header\n")
    (tmp_path / f"{bare}.dat").unlink()
    pieces, failed = collect(EcgRecords(), request(tmp_path, n=6, piece_s=30.0))
    assert len(pieces) == 1
    assert len(failed) == 5
    for name, cause in (
        (gap, "missing samples, the first at 8.0 s"),
        (flat, "is flat"),
        (cut, ""),
        (garbled, "header"),
        (bare, ""),
    ):
        assert any(f"/{name}" in message and cause in message for message in failed), (name, failed)


def test_a_day_long_record_gives_a_piece_an_hour():
    """24 pieces of 11 records of a day: full hours, all different within a record."""
    tracks = [wfdb_records.Track(Path(f"r{i}"), f"r{i}", 0, 128.0, 0, 24 * 3600 * 128) for i in range(11)]
    plan = list(wfdb_records.schedule(tracks, request(None, n=24, piece_s=200.0)))
    assert len(plan) == 24
    assert sorted(e.start_s / 3600 for e in plan) == list(range(24))
    assert len({(e.track.record, e.start_s) for e in plan}) == 24
    short = [wfdb_records.Track(Path("r"), "r", 0, 128.0, 0, 5 * 3600 * 128)]
    starts = np.array([e.start_s for e in wfdb_records.schedule(short, request(None, n=5, piece_s=200.0))])
    assert (np.diff(starts) >= 200).all()
    assert np.ptp(np.diff(starts)) < 1


@pytest.mark.parametrize("part", ["train", "valid", "test"])
def test_pieces_do_not_overlap(part):
    tracks = [wfdb_records.Track(Path("r"), "r", lead, 360.0, 0, 360 * 1805) for lead in (0, 1)]
    plan = list(wfdb_records.schedule(tracks, request(None, part, n=50, piece_s=200.0)))
    assert len(plan) == 18, "nine pieces of 200 s in 1805 s of each lead"
    for lead in (0, 1):
        starts = np.sort([e.start_s for e in plan if e.track.lead == lead])
        assert (np.diff(starts) >= 200 - 1e-9).all()
        assert starts[0] >= 0
        assert starts[-1] + 200 <= 1805


def test_records_are_dealt_once(tmp_path):
    names = [f"p{i:02d}" for i in range(20)]
    parts = wfdb_records.deal(names, 1)
    assert sorted(sum(parts.values(), ())) == names
    assert [len(parts[p]) for p in ("train", "valid", "test")] == [12, 4, 4]
    assert wfdb_records.deal(names[::-1], 1) == parts
    assert wfdb_records.deal(names, 2) != parts
    full = [str(i) for i in range(195, 220)]
    for seed in range(20):
        parts = records_by_part(tmp_path, full, seed)
        assert sorted(sum(parts.values(), ())) == full
        assert sum({"201", "202"} <= set(ids) for ids in parts.values()) == 1, "one person, one part"


def test_folders_without_what_is_needed(tmp_path, write_record):
    with pytest.raises(UserError, match="no such folder"):
        EcgRecords().inputs(tmp_path / "nowhere")
    with pytest.raises(UserError, match="holds no WFDB record"):
        EcgRecords().inputs(tmp_path)
    write_record(tmp_path, "a1", beats(250.0, 30.0), 250.0)
    with pytest.raises(UserError, match="holds 1 records"):
        EcgRecords().pieces(request(tmp_path))
    with pytest.raises(UserError, match="has no record em; there are: a1"):
        MotionRecords().inputs(tmp_path)
    for name in NSRDB_PARTS["train"][:2]:
        write_record(tmp_path / "nsrdb", name, beats(128.0, 30.0), 128.0)
    with pytest.raises(UserError, match="none of NSRDB's valid records 18184"):
        EcgRecords().pieces(request(tmp_path / "nsrdb"))


def test_motion_record_is_cut_in_time(tmp_path, write_record):
    """Each stretch carries a frequency of its own: no part hears another's."""
    t_s = np.arange(360 * 200) / 360
    f_hz = np.where(t_s < 120, 5.0, np.where(t_s < 160, 11.0, 23.0))
    lead = np.sin(2 * np.pi * f_hz * t_s)
    write_record(tmp_path, "em", np.stack([lead, 2 * lead], axis=1), 360.0)
    for part, expected, n in (("train", 5.0, 6), ("valid", 11.0, 2), ("test", 23.0, 2)):
        pieces, failed = collect(MotionRecords(), request(tmp_path, part, n=10, piece_s=40.0))
        assert not failed
        assert len(pieces) == n
        assert len({p.name for p in pieces}) == n
        assert len({p.record for p in pieces}) == 1
        for piece in pieces:
            spectrum_hz, power = welch(piece.samples, FS, nperseg=8192)
            assert spectrum_hz[power.argmax()] == pytest.approx(expected, abs=0.1)
            others = [f for f in (5.0, 11.0, 23.0) if f != expected]
            leaks = [power[np.abs(spectrum_hz - f).argmin()] for f in others]
            assert max(leaks) < 1e-6 * power.max()


def test_three_motion_records_serve_one_part_each(tmp_path, write_record):
    rng = np.random.default_rng(0)
    for name in ("em1", "em2", "em3"):
        write_record(tmp_path, name, rng.standard_normal((360 * 60, 2)), 360.0)
    source = MotionRecords(records=["em1", "em2", "em3"])
    found = [{p.record for p in source.pieces(request(tmp_path, part))} for part in ("train", "valid", "test")]
    assert sorted(map(tuple, found)) == [("em1",), ("em2",), ("em3",)]


def write_machado(folder, n_train=5, n_test=2, seconds=30):
    rng = np.random.default_rng(3)
    for name, count in (("moa_train", n_train), ("moa_test", n_test)):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            t = np.arange(2000 * seconds) / 2000
            x = np.sin(2 * np.pi * (3 + i) * t) + 0.5 * np.sin(2 * np.pi * 50 * t) + 0.01 * rng.standard_normal(len(t))
            savemat(folder / name / f"m{i}.mat", {"a": x[:, None] if i % 2 else x[None, :]})


def test_machado_files(tmp_path):
    write_machado(tmp_path)
    source = MotionMachado()
    found = {part: list(source.pieces(request(tmp_path, part, n=100))) for part in ("train", "valid", "test")}
    assert {part: len(pieces) for part, pieces in found.items()} == {"train": 4, "valid": 1, "test": 2}
    records = [p.record for pieces in found.values() for p in pieces]
    assert len(set(records)) == 7, "test's m0 is another recording than train's"
    for pieces in found.values():
        for piece in pieces:
            assert len(piece.samples) == 20_000
            f_hz, power = welch(piece.samples, FS, nperseg=8192)
            assert f_hz[power.argmax()] == pytest.approx(3 + int(piece.name[1:]), abs=0.1)
            assert power[np.abs(f_hz - 50).argmin()] < 1e-4 * power.max()
    assert set(source.inputs(tmp_path)) == {
        *(f"moa_train/m{i}.mat" for i in range(5)),
        "moa_test/m0.mat",
        "moa_test/m1.mat",
    }


def test_machado_average_and_decimation_are_the_protocols(tmp_path):
    """An impulse becomes a plateau of 51 samples at 2000 Hz, 25 or 26 after every second is taken."""
    (tmp_path / "moa_test").mkdir()
    x = np.zeros(2000 * 20)
    x[20_000] = 51.0
    savemat(tmp_path / "moa_test" / "m.mat", {"a": x})
    piece = next(iter(MotionMachado(notch_hz=None).pieces(request(tmp_path, "test", piece_s=19.9))))
    high = np.flatnonzero(piece.samples > 0.5)
    assert len(high) in (25, 26)
    np.testing.assert_allclose(piece.samples[high], 1.0, rtol=1e-12)
    assert np.ptp(high) == len(high) - 1


def test_short_machado_files_repeat_and_broken_ones_fail(tmp_path):
    write_machado(tmp_path, n_train=6, seconds=8)
    train = tmp_path / "moa_train"
    used = [p.name for p in MotionMachado().pieces(request(tmp_path, n=100))]
    savemat(train / f"{used[0]}.mat", {"b": np.zeros(9000)})
    savemat(train / f"{used[1]}.mat", {"a": np.zeros((300, 200))})
    savemat(train / f"{used[2]}.mat", {"a": np.full(9000, np.nan)})
    (train / f"{used[3]}.mat").write_bytes(b"MATLAB 5.0 but not really")
    pieces, failed = collect(MotionMachado(), request(tmp_path, n=100))
    assert [p.name for p in pieces] == used[4:]
    assert len(pieces[0].samples) == 20_000
    causes = ("holds no variable 'a'", "not a vector", "not finite", "not a MATLAB file")
    assert all(cause in message for cause, message in zip(causes, failed, strict=True)), failed
    period = (8 * 2000 - 50) // 2
    np.testing.assert_array_equal(pieces[0].samples[:100], pieces[0].samples[period : period + 100])


def test_machado_folders_are_named_when_absent(tmp_path):
    with pytest.raises(UserError, match=r"moa_train: no such folder"):
        MotionMachado().inputs(tmp_path)
    (tmp_path / "moa_train").mkdir()
    with pytest.raises(UserError, match=r"moa_train: holds no .mat file"):
        MotionMachado().inputs(tmp_path)


@pytest.mark.realdata
def test_real_mitdb(real_data):
    """Record 100 has 2273 beats in 30:06 (MIT-BIH annotations): 75.5 a minute."""
    source = EcgRecords(notch_hz=60.0)
    names = [path.stem for path in (real_data / "mitdb").glob("*.hea")]
    parts = records_by_part(real_data / "mitdb", names, 2025)
    seen = set()
    for part in parts:
        pieces, failed = collect(source, request(real_data / "mitdb", part, n=6, piece_s=60.0))
        assert not failed
        assert len(pieces) == 6
        assert {p.record for p in pieces} <= set(parts[part])
        seen |= {p.record for p in pieces}
        for piece in pieces:
            if piece.record == "100":
                x = dsp.band_pass(piece.samples, 8, 40, FS)
                found, _ = find_peaks(x, height=0.4 * np.quantile(x, 0.999), distance=300)
                assert len(found) == pytest.approx(75.5, abs=6)
    assert "100" in seen


@pytest.mark.realdata
def test_real_nstdb(real_data):
    """`em`: 786 s, so stretches of 471, 157 and 157 s; nothing above its own 180 Hz."""
    expected = {"train": (4, 200_000), "valid": (2, 157_111), "test": (2, 157_111)}
    for part, (n, length) in expected.items():
        pieces, failed = collect(MotionRecords(), request(real_data / "nstdb", part, n=10, piece_s=200.0))
        assert not failed
        assert [len(p.samples) for p in pieces] == [length] * n
        for piece in pieces:
            f_hz, power = welch(piece.samples, FS, nperseg=4096)
            assert power[f_hz > 200].sum() < 1e-4 * power.sum()
            assert power[f_hz < 20].sum() > 0.9 * power.sum()


MITDB = [
    *range(100, 110), *range(111, 120), *range(121, 125), 200, 201, 202, 203, 205, *range(207, 211), *range(212, 216),
    217, *range(219, 224), 228, *range(230, 235),
]  # fmt: skip


def test_the_open_benchmark_deals_28_10_and_10_records_of_mitdb():
    """By the seed and the names; 201 and 202, one person, in one part."""
    parts = records_by_part(Path("mitdb"), [str(number) for number in MITDB], 2025)
    assert [len(parts[part]) for part in ("train", "valid", "test")] == [28, 10, 10]
    assert sorted(name for ids in parts.values() for name in ids) == sorted(map(str, MITDB))
    assert {"201", "202"} <= set(parts["valid"])
