"""Sources as published protocols list them: records, leads and frequencies by part, and what parts then share."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from cleansemg.core.artifact import Artifact
from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.layout import Layout
from cleansemg.core.settings import PARTS
from cleansemg.core.stage import RunOptions
from cleansemg.noise.base import Request
from cleansemg.noise.bw_wfdb import BaselineWander
from cleansemg.noise.ecg_wfdb import EcgRecords
from cleansemg.noise.library import SCHEMA, build_libraries
from cleansemg.noise.moa_wfdb import MotionRecords
from cleansemg.noise.pli import PowerLine
from cleansemg.settings import Settings
from tests.layouts import nsrdb, nstdb

FS = 1000.0
LISTED = {"train": ["16265", "16272"], "valid": ["17453"], "test": ["16420", "16539", "16786"]}


def request(folder, part="train", n=20, piece_s=15.0):
    return Request(part, n, FS, piece_s, 2025, folder)


@pytest.fixture(scope="module")
def ecg(tmp_path_factory):
    return nsrdb.write_nsrdb(tmp_path_factory.mktemp("ecg"), seconds=45.0)


def test_records_by_part_are_those_listed(ecg):
    source = EcgRecords(notch_hz=None, stretch_s=[5, 20], parts=LISTED)
    for part in PARTS:
        assert [piece.record for piece in source.pieces(request(ecg, part))] == LISTED[part]  # one each: 15 of 15 s


def test_the_published_filters_on_the_fourier_resampled_stretch(ecg):
    import wfdb

    source = EcgRecords(
        notch_hz=None, high_pass_hz=10.0, low_pass_hz=200.0, order=3, resampling="fourier", stretch_s=[5, 20],
        parts={**LISTED, "train": [16265]},
    )  # fmt: skip
    piece = next(iter(source.pieces(request(ecg))))
    assert piece.samples.shape == (15_000,)
    whole = wfdb.rdrecord(str(ecg / "16265")).p_signal[:, 0]
    resampled = scipy.signal.resample(whole, 45_000)[5_000:20_000]
    filtered = scipy.signal.filtfilt(*scipy.signal.butter(3, 10, "hp", fs=FS), resampled)
    expected = scipy.signal.filtfilt(*scipy.signal.butter(3, 200, "lp", fs=FS), filtered)
    # here the filters settle in what lies around the stretch, there at its ends: equal away from them
    inside = slice(1000, -1000)
    assert np.abs(piece.samples[inside] - expected[inside]).max() < 1e-3 * np.abs(expected).max()


def test_a_record_that_ends_before_its_stretch_is_a_failure(ecg):
    pieces = iter(EcgRecords(stretch_s=[40, 110], parts=LISTED).pieces(request(ecg)))
    with pytest.raises(ItemError, match=r"16265: lasts 45\.0 s, needed are seconds 40-110"):
        next(pieces)


def test_lists_that_are_refused(ecg):
    with pytest.raises(UserError, match="has no record 99999; there are: 16265"):
        next(iter(EcgRecords(parts={**LISTED, "test": [99999]}).pieces(request(ecg))))
    with pytest.raises(ValueError, match="parts lists no record for valid"):
        EcgRecords(parts={"train": ["16265"], "test": ["16420"]})
    with pytest.raises(ValueError, match="resampling is 'cubic'"):
        EcgRecords(resampling="cubic")
    with pytest.raises(ValueError, match="stretch_s"):
        EcgRecords(stretch_s=[70, 0])
    with pytest.raises(ValueError, match="part_leads lists no lead for test"):
        MotionRecords(part_leads={"train": [0], "valid": [0]})
    with pytest.raises(ValueError, match="exact_hz lists no frequency for train, valid"):
        PowerLine(exact_hz={"test": [60.0]})


def test_sines_of_the_frequencies_listed():
    listed = {"train": [58.7, 58.9], "valid": [58.7], "test": [58.6, 59.0, 59.4]}
    source = PowerLine(harmonics=1, exact_hz=listed)
    pieces = list(source.pieces(request(None, "test", n=8)))
    assert [piece.line_hz for piece in pieces] == listed["test"]
    assert [piece.record for piece in pieces] == ["sine of 58.6 Hz", "sine of 59 Hz", "sine of 59.4 Hz"]
    spectrum = np.abs(np.fft.rfft(pieces[0].samples * np.hanning(15_000)))
    assert abs(np.argmax(spectrum) / 15 - 58.6) < 0.04
    assert len(list(source.pieces(request(None, "test", n=2)))) == 2


def test_leads_by_part_over_the_whole_record(tmp_path):
    folder = nstdb.write_nstdb(tmp_path, seconds=60)
    source = BaselineWander(part_leads={"train": [0], "valid": [0], "test": [1]})
    train, test = (list(source.pieces(request(folder, part, n=4))) for part in ("train", "test"))
    assert [piece.name.rpartition("_")[0] for piece in train] == ["bw_0"] * 4  # 60 s in four
    assert {piece.name.rpartition("_")[0] for piece in test} == {"bw_1"}
    assert {piece.record for piece in train + test} == {"bw"}
    assert source.kind == "Color"


def library(tmp_path, protocol):
    folder = nstdb.write_nstdb(tmp_path / "data", seconds=60)
    leads = {"part_leads": {"train": [0], "valid": [0], "test": [1]}, "notch_hz": None}
    pieces = {"train": 2, "valid": 2, "test": 2}
    config = {
        "protocol": protocol,
        "noise": {
            "piece_s": 15.0, "band_hz": None,
            "kinds": {
                "MOA": [{"source": "moa_wfdb", "folder": str(folder), "pieces": pieces, "parameters": leads}],
                "WGN": [{"source": "wgn", "pieces": pieces}],
            },
        },
    }  # fmt: skip
    layout = Layout(tmp_path / protocol)
    return layout, build_libraries(Settings.model_validate(config), layout, RunOptions())


def test_shared_records_are_refused_or_labelled(tmp_path):
    with pytest.raises(UserError, match=r"noise record 'em' serves train and (test|valid); the parts must not"):
        library(tmp_path, "disjoint")
    layout, report = library(tmp_path, "published")
    lines = layout.noise_label.read_text().splitlines()
    assert lines == [
        f"{one} and {other} share 1 noise records (em)"
        for one, other in (("train", "test"), ("train", "valid"), ("valid", "test"))
    ]
    assert report.lines[-3:] == tuple(lines)
    assert Artifact.open(layout.noise("test"), SCHEMA).manifest.count == 4
