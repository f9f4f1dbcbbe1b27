from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import wfdb

from cleansemg.core import registry
from cleansemg.core.errors import ItemError, UserError
from cleansemg.data_pipeline.readers.wfdb_folder import WfdbReader
from tests.layouts.nsrdb import RECORDS, write_nsrdb
from tests.layouts.nstdb import write_nstdb

EMG_MV = np.array([[0.5, -0.25, 0.75, 0.0], [1.0, 2.0, 3.0, 4.0]])  # [C, T]


def write(folder: Path, name: str = "rec", units: tuple[str, str] = ("mV", "uV"), fs: float = 1000.0) -> None:
    wfdb.wrsamp(
        name,
        fs=fs,
        units=list(units),
        sig_name=["EMG1", "EMG2"],
        p_signal=EMG_MV.T,
        fmt=["16", "16"],
        adc_gain=[4.0, 4.0],
        baseline=[0, 0],
        write_dir=str(folder),
    )


def test_rate_units_and_names_come_from_the_header(tmp_path: Path) -> None:
    write(tmp_path)
    reader = pickle.loads(pickle.dumps(WfdbReader("mine", tmp_path)))
    (ref,) = reader.list()
    recording = reader.read(ref)
    assert (ref.subject, ref.exercise, ref.key) == ("rec", "rec", "rec.hea")
    np.testing.assert_allclose(recording.signal, [EMG_MV[0] * 1e-3, EMG_MV[1] * 1e-6], rtol=1e-12)
    assert (recording.fs_hz, recording.channels, recording.label) == (1000.0, ("EMG1", "EMG2"), None)


@pytest.mark.parametrize("channels", [["EMG2"], [1]])
def test_channels_by_name_or_index(tmp_path: Path, channels: list[str | int]) -> None:
    write(tmp_path, units=("deg", "mv"))
    reader = WfdbReader("mine", tmp_path, channels=channels)
    recording = reader.read(reader.list()[0])
    np.testing.assert_allclose(recording.signal, [EMG_MV[1] * 1e-3], rtol=1e-12)
    assert recording.channels == ("EMG2",)


def test_a_unit_is_needed_where_the_header_has_none(tmp_path: Path) -> None:
    write(tmp_path, units=("adu", "mV"))
    reader = WfdbReader("mine", tmp_path)
    with pytest.raises(ItemError, match=r"mine: rec.hea: signal 'EMG1' is in 'adu', which is no voltage; give unit:"):
        reader.read(reader.list()[0])
    recording = WfdbReader("mine", tmp_path, unit=1e-6).read(reader.list()[0])
    np.testing.assert_allclose(recording.signal, [EMG_MV[0] * 1e-6, EMG_MV[1] * 1e-3], rtol=1e-12)


def test_a_unit_can_overrule_a_header(tmp_path: Path) -> None:
    """The header of PhysioNet's long walking says mV for microvolts."""
    write(tmp_path, units=("mV", "mV"))
    reader = WfdbReader("mine", tmp_path, unit="uV", overrule_header=True)
    np.testing.assert_allclose(reader.read(reader.list()[0]).signal, EMG_MV * 1e-6, rtol=1e-12)
    with pytest.raises(ValueError, match="overrule_header needs unit"):
        WfdbReader("mine", tmp_path, overrule_header=True)


def test_an_emglab_n2001_pair_is_a_record_like_any_other(tmp_path: Path) -> None:
    """A file of 2^19 bytes: 20 of a preamble, 262,124 samples, 20 more; the channel has no name."""
    codes = np.random.default_rng(0).integers(-3000, 3000, 262_124).astype("<i2")
    content = b"\x07" * 20 + codes.tobytes() + b"\x07" * 20
    assert len(content) == 524_288 == 2**19
    (tmp_path / "N2001A01BB01.bin").write_bytes(content)
    (tmp_path / "N2001A01BB01.hea").write_text(
        "N2001A01BB01 1 23437.5 262124\nN2001A01BB01.bin 16+20 13.1070/uV\n# Gender: F\n"
    )
    reader = WfdbReader("mine", tmp_path, r"N2001(?P<subject>[AMC]\d{2})(?P<exercise>[A-Z]{2}\d{2})\.hea")
    (ref,) = reader.list()
    recording = reader.read(ref)
    assert (ref.subject, ref.exercise, recording.fs_hz, recording.channels) == ("A01", "BB01", 23437.5, ("ch1",))
    np.testing.assert_allclose(recording.signal[0], codes / 13.107 * 1e-6, rtol=1e-9)


def test_subject_exercise_label_and_repetition_from_the_name(tmp_path: Path) -> None:
    write(tmp_path, "p07_fist_2")
    pattern = r"(?P<subject>p\d+)_(?P<exercise>(?P<label>\w+)_(?P<repetition>\d))\.hea"
    reader = WfdbReader("mine", tmp_path, pattern=pattern, labels={"fist": 5})
    (ref,) = reader.list()
    recording = reader.read(ref)
    assert (ref.subject, ref.exercise) == ("p07", "fist_2")
    assert (recording.trial_label, recording.trial_repetition) == (5, 2)


def test_annotations_label_samples(tmp_path: Path) -> None:
    write(tmp_path)
    wfdb.wrann(
        "rec", "act", np.array([1, 2, 3]), ["+", '"', "+"], aux_note=["walk", "x", "stand"], write_dir=str(tmp_path)
    )
    parameters = {"annotations": "act", "annotation_labels": {"walk": 2, "stand": 0}}
    reader = WfdbReader("mine", tmp_path, **parameters)  # type: ignore[arg-type]
    (ref,) = reader.list()
    recording = reader.read(ref)
    assert recording.label.tolist() == [0, 2, 2, 0]
    assert recording.repetition.tolist() == [0, 1, 1, 0]
    with pytest.raises(ItemError, match=r"\.act has none of the annotation_labels; it has .*stand.*walk"):
        WfdbReader("mine", tmp_path, annotations="act", annotation_labels={"run": 1}).read(ref)
    with pytest.raises(ItemError, match=r"no file rec.atr"):
        WfdbReader("mine", tmp_path, annotations="atr", annotation_labels={"run": 1}).read(ref)


def test_the_rate_is_checked_where_it_is_configured(tmp_path: Path) -> None:
    write(tmp_path)
    reader = WfdbReader("mine", tmp_path, fs_hz=2000)
    with pytest.raises(ItemError, match="the header says 1000 Hz, the configuration fs_hz: 2000"):
        reader.read(reader.list()[0])


def test_the_fingerprint_follows_the_signals(tmp_path: Path) -> None:
    write(tmp_path)
    before = WfdbReader("mine", tmp_path).list()[0].fingerprint
    data = bytearray((tmp_path / "rec.dat").read_bytes())
    data[0] ^= 1
    (tmp_path / "rec.dat").write_bytes(bytes(data))
    assert WfdbReader("mine", tmp_path).list()[0].fingerprint != before


def test_records_with_a_fault(tmp_path: Path) -> None:
    write(tmp_path)
    reader = WfdbReader("mine", tmp_path)
    (ref,) = reader.list()
    data = (tmp_path / "rec.dat").read_bytes()
    (tmp_path / "rec.dat").write_bytes(data[:6])
    with pytest.raises(ItemError, match=r"mine: rec.hea: truncated or damaged"):
        reader.read(ref)
    (tmp_path / "rec.dat").unlink()
    with pytest.raises(ItemError, match=r"no file rec.dat"):
        reader.read(ref)
    (tmp_path / "rec.hea").write_text("not a header\n")
    with pytest.raises(ItemError, match=r"truncated or damaged|announces no signal"):
        reader.read(ref)
    write(tmp_path)
    with pytest.raises(ItemError, match="has no signal 'EMG9'; there are 0 'EMG1', 1 'EMG2'"):
        WfdbReader("mine", tmp_path, channels=["EMG9"]).read(ref)


def test_an_empty_folder_and_parameters_that_make_no_sense(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"emgdb: no file below .*; get it from https://physionet.org/content/emgdb"):
        WfdbReader("emgdb", tmp_path).list()
    entry = registry.find("datasets", "emgdb")
    with pytest.raises(UserError, match="unknown parameter 'channel'; did you mean 'channels'"):
        entry.build(database="emgdb", folder=tmp_path, channel=0)
    with pytest.raises(UserError, match="annotations and annotation_labels go together"):
        entry.build(database="emgdb", folder=tmp_path, annotations="atr")


def test_the_layouts_of_the_noise_databases_are_readable(tmp_path: Path) -> None:
    ecg = WfdbReader("nsrdb", write_nsrdb(tmp_path, seconds=4.0))
    assert [ref.subject for ref in ecg.list()] == sorted(RECORDS)
    beat = ecg.read(ecg.list()[0])
    assert (beat.signal.shape, beat.fs_hz) == ((2, 512), 128.0)
    assert 0.5e-3 < np.ptp(beat.signal[0]) < 2e-3
    noise = WfdbReader("nstdb", write_nstdb(tmp_path, seconds=4.0))
    assert [ref.subject for ref in noise.list()] == ["bw", "em", "ma"]
    assert noise.read(noise.list()[0]).fs_hz == 360.0


@pytest.mark.realdata
def test_emgdb(real_data: Path) -> None:
    reader = registry.find("datasets", "emgdb").build(database="emgdb", folder=real_data / "emgdb")
    recordings = [reader.read(ref) for ref in reader.list()]
    assert [(r.subject, r.trial_label) for r in recordings] == [("healthy", 1), ("myopathy", 2), ("neuropathy", 3)]
    assert [r.signal.shape for r in recordings] == [(1, 50860), (1, 110337), (1, 147858)]  # as the headers say
    # First values in the headers: -333, -50 and 900 codes, 10000 codes a mV (a 'mv' in the second).
    np.testing.assert_allclose([r.signal[0, 0] for r in recordings], [-33.3e-6, -5e-6, 90e-6], rtol=1e-9)
