"""`cleansemg denoise` and `quality` as a user runs them."""

import json
import logging
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from cleansemg.__main__ import main
from cleansemg.core.npz import sha256
from cleansemg.denoising import load
from cleansemg.denoising.overlap_add import denoise_long
from cleansemg.formats import FORMATS, create_file, open_file
from tests.conftest import ROOT
from tests.processes import process
from tests.recordings.networks import write_untrained

FILE_OF = {name: f"rec{suffixes[0]}" for name, suffixes in FORMATS.items()}
ASKED = {name: ["--fs", "1000", "--unit", "mV"] for name in ("npy", "txt")}  # what such a file does not say
TIMED = {"xlsx", "mat"}  # their headers hold the time of day


@pytest.fixture(scope="session")
def network(tmp_path_factory):
    return str(write_untrained(tmp_path_factory.mktemp("network") / "qase.safetensors"))


@pytest.fixture
def run(capsys, monkeypatch):
    """The command line in this process: exit code, stdout, stderr."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["cleansemg", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        out = capsys.readouterr()
        return stop.value.code, out.out, out.err

    yield call
    root.handlers[:] = handlers
    root.setLevel(level)


def made(path, source, samples=slice(None), overwrite=False):
    """A real recording as a file of another format; returns what was written."""
    with source as file:
        x = np.concatenate(list(file.blocks()), axis=1)[:, samples]
        with create_file(path, file.info, overwrite=overwrite) as writer:
            writer.write(x)
            writer.commit()
    return x


def muscletracker(real_data):
    return open_file(real_data / "muscletracker" / "Biopac" / "1_1_1.txt", fs_hz=1000.0, unit="mV")


def opened(path, asked=()):
    options = dict(zip(asked[::2], asked[1::2], strict=True))
    fs = options.get("--fs")
    return open_file(path, fs_hz=float(fs) if fs else None, unit=options.get("--unit"))


@pytest.mark.realdata
@pytest.mark.parametrize("name", FORMATS)
def test_a_real_file_of_every_format(name, real_data, tmp_path, run, network):
    source, output, asked = tmp_path / FILE_OF[name], tmp_path / f"clean_{FILE_OF[name]}", ASKED.get(name, [])
    x = made(source, muscletracker(real_data))
    code, out, err = run("quality", source, *asked, "--quality-weights", network)
    assert code == 0, err
    rows = out.splitlines()
    assert len(rows) == 3
    assert all("mV" in row and f"{1e3 * values.std():.3g} " in row for row, values in zip(rows[1:], x, strict=True))
    command = ["denoise", source, *asked, "--denoiser", "hp", "--output", output, "--quality-weights", network]
    code, out, err = run(*command)
    assert code == 0, err
    assert "of real time" in out
    with opened(source, asked) as before, opened(output, asked) as after:
        assert after.info.fs_hz == before.info.fs_hz == pytest.approx(1000, rel=1e-6)
        assert [(c.name, c.unit, c.volts_per_unit) for c in after.info.channels] == [
            (c.name, c.unit, c.volts_per_unit) for c in before.info.channels
        ]
        assert after.info.start_s == before.info.start_s
        noisy = np.concatenate(list(before.blocks()), axis=1)
        clean = np.concatenate(list(after.blocks()), axis=1)
    wanted = denoise_long(load("hp"), noisy, 1000.0)
    assert clean.shape == noisy.shape == x.shape
    np.testing.assert_allclose(clean, wanted, rtol=1e-4, atol=3e-4 * np.abs(x).max())  # 16 bits of a range
    first = {path.name: sha256(path) for path in tmp_path.iterdir() if path.suffix != ".json"}
    record = json.loads(next(tmp_path.glob("*.json")).read_text())
    assert record["record"]["output"]["sha256"].items() <= first.items()
    code, _, err = run(*command, "--overwrite")
    assert code == 0, err
    if name in TIMED:
        with opened(output, asked) as again:
            np.testing.assert_array_equal(np.concatenate(list(again.blocks()), axis=1), clean)
    else:
        assert {path.name: sha256(path) for path in tmp_path.iterdir() if path.suffix != ".json"} == first


@pytest.mark.realdata
def test_native_units_and_rate_of_a_workbook_to_edf(real_data, tmp_path, run, network):
    source, output = real_data / "elderly_lower_limb" / "ID 1.xlsx", tmp_path / "vl.edf"
    code, _, err = run(
        "denoise", source, "--sheet", "EMG_VL", "--fs", "2000", "--unit", "uV", "--channels", "0,1", "--denoiser", "hp",
        "--output", output, "--quality-weights", network,
    )  # fmt: skip
    assert code == 0, err
    with open_file(output) as file, open_file(
        source, fs_hz=2000.0, unit="uV", sheet="EMG_VL", channels=["0", "1"]
    ) as original:  # fmt: skip
        assert file.info.fs_hz == 2000
        assert [(c.name, c.unit) for c in file.info.channels] == [(c.name, c.unit) for c in original.info.channels]
        assert file.info.channels[0].unit == "uV"


def emg(n_channels=2, seconds=6.0, fs_hz=1000.0, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * fs_hz)) / fs_hz
    return 0.1 * rng.standard_normal((n_channels, len(t))) + 0.2 * np.sin(2 * np.pi * 50 * t)  # mV


def csv(path, x, fs_hz=1000.0, header="time (s),a (mV),b (mV)"):
    t = np.arange(x.shape[1]) / fs_hz
    np.savetxt(path, np.column_stack([t, x.T]), delimiter=",", header=header, comments="", fmt="%.6f")
    return path


def test_report_picture_and_sidecar(tmp_path, run, network):
    x = emg()
    x[1, 2000:2500] = np.nan
    source = csv(tmp_path / "rec.csv", x)
    names = {key: tmp_path / key for key in ("clean.csv", "report.json", "picture.png")}
    command = [
        "denoise", source, "--denoiser", "hp", "--output", names["clean.csv"], "--report", names["report.json"],
        "--plot", names["picture.png"], "--plot-channel", "b", "--quality-weights", network,
    ]  # fmt: skip
    code, out, err = run(*command)
    assert code == 0, err
    assert "gaps, kept as gaps: 1, 0.5 s over all channels" in err
    assert "before:" in out
    assert "50.00 Hz +" in out
    report = json.loads(names["report.json"].read_text())
    assert [channel["name"] for channel in report["before"]] == ["a", "b"]
    assert report["before"][0]["line"]["present"]
    assert not report["after"][0]["line"]["present"]
    assert report["after"][0]["rms"] < 0.8 * report["before"][0]["rms"]
    assert report["after"][1]["gaps"] == {"count": 1, "seconds": 0.5}
    assert names["picture.png"].read_bytes().startswith(b"\x89PNG")
    side = json.loads((tmp_path / "clean.csv.json").read_text())
    assert side["record"]["input"]["sha256"] == {"rec.csv": sha256(source)}
    assert side["record"]["output"]["sha256"] == {"clean.csv": sha256(names["clean.csv"])}
    assert side["record"]["denoiser"]["parameters"]["cutoff_hz"] == 40.0
    assert side["record"]["gaps"]["listed"] == [{"channel": 1, "start": 2000, "length": 500, "reason": "missing"}]
    assert side["record"]["command"][:2] == ["cleansemg", "denoise"]
    first = [path.read_bytes() for path in names.values()]
    assert run(*command, "--overwrite")[0] == 0
    assert [path.read_bytes() for path in names.values()] == first
    code, _, err = run(*command)
    assert code == 2
    assert err.count("\n") == 1
    assert "exists already" in err


def test_auto_track_and_parameters(tmp_path, run, network):
    source = csv(tmp_path / "rec.csv", emg())
    code, _, err = run(
        "denoise", source, "--denoiser", "hp", "--track", "auto", "--set", "cutoff_hz=3e1", "--quality-weights", network
    )
    assert code == 0, err
    record = json.loads((tmp_path / "rec_denoised.csv.json").read_text())["record"]
    assert (record["track"], record["denoiser"]["parameters"]["cutoff_hz"]) == ("auto", 30)
    assert len(record["quality_model"]["sha256"]) == 64


def folder_of_mistakes(folder):
    (folder / "empty.csv").write_text("")
    (folder / "text.txt").write_text("Dear reader,\nthis is a letter.\nYours\n" * 20)
    (folder / "junk.edf").write_bytes(os.urandom(2000))
    csv(folder / "good.csv", emg())
    csv(folder / "short.csv", emg()[:, :3])
    np.save(folder / "bare.npy", emg().T)
    (folder / "there.csv").write_text("mine")
    (folder / "a_folder.csv").mkdir()
    return folder


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["text.txt"], "text.txt"),
        (["empty.csv"], "is empty"),
        (["short.csv"], "3 samples"),
        (["junk.edf"], "junk.edf"),
        (["nothing.csv"], "no such file"),
        (["good.csv", "--fs", "2000"], "--fs 2000"),
        (["good.csv", "--fs", "-3"], "not a sampling rate"),
        (["bare.npy"], "--fs"),
        (["bare.npy", "--fs", "1000"], "--unit"),
        (["bare.npy", "--fs", "100", "--unit", "mV"], "200 Hz"),
        (["good.csv", "--channels", "a,bb"], "no channel 'bb'"),
        (["good.csv", "--unit", "lumen"], "--unit"),
        (["good.csv", "--denoiser", "hpp"], "did you mean 'hp'"),
        (["good.csv", "--denoiser", "wiener_oracle"], "needs labels"),
        (["good.csv", "--weights", "open"], "no network, so no weights"),
        (["good.csv", "--set", "cutof_hz=3"], "unknown parameter 'cutof_hz'"),
        (["good.csv", "--set", "cutoff_hz"], "expected NAME=VALUE"),
        (["good.csv", "--set", "cutoff_hz=abc"], "cutoff_hz is 'abc', expected a number"),
        (["good.csv", "--set", "band_hz=abc"], "band_hz is 'abc', expected numbers, as [20.0, 500.0]"),
        (["good.csv", "--set", "cutoff_hz=9999"], "error: hp: a cut-off of 9999 Hz does not fit"),
        (["good.csv", "--denoiser", "fcn", "--set", "clip=abc"], "clip is 'abc', expected true or false"),
        (["good.csv", "--track", "blnd"], "did you mean 'blind'"),
        (["good.csv", "--window", "0.001"], "window_s"),
        (["good.csv", "--overlap", "3"], "overlap_s"),
        (["good.csv", "--plot", "p.gif"], "a picture is one of"),
        (["good.csv", "--plot-channel", "a"], "needs --plot"),
        (["good.csv", "--plot", "p.png", "--plot-channel", "c"], "no channel 'c'"),
        (["good.csv", "--output", "there.csv"], "exists already"),
        (["good.csv", "--output", "good.csv"], "the input itself"),
        (["good.csv", "--output", "x.abc"], "unknown suffix"),
        (["good.csv", "--output", "a_folder.csv"], "is a folder"),
        (["good.csv", "--output", "/proc/no/x.csv"], "cannot be written"),
        (["good.csv", "--report", "/proc/no/r.json"], "cannot be written"),
        (["good.csv", "--report", "there.csv"], "exists already"),
        (["good.csv", "--output", "x.csv", "--report", "x.csv.json"], "the same file"),
        (["good.csv", "--plot", "good.csv"], "picture is one of"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line_with_exit_code_2_and_leave_no_file(
    arguments, message, tmp_path, run, network, monkeypatch
):
    monkeypatch.chdir(folder_of_mistakes(tmp_path))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    named = [] if "--denoiser" in arguments else ["--denoiser", "hp"]
    code, out, err = run("denoise", *arguments, *named, "--quality-weights", network)
    assert code == 2, err
    assert message in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert out == ""
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_quality_writes_its_report_and_refuses_the_same(tmp_path, run, network, monkeypatch):
    monkeypatch.chdir(folder_of_mistakes(tmp_path))
    code, out, err = run("quality", "good.csv", "--report", "q.json", "--quality-weights", network)
    assert code == 0, err
    assert len(out.splitlines()) == 3
    content = json.loads((tmp_path / "q.json").read_text())
    assert [channel["unit"] for channel in content["channels"]] == ["mV", "mV"]
    for arguments, message in (
        (["short.csv"], "3 samples"), (["text.txt"], "text.txt"), (["good.csv", "--report", "q.json"], "exists already"),
        (["good.csv", "--quality-weights", "there.csv"], "there.csv"),
    ):  # fmt: skip
        code, out, err = run(
            "quality", *arguments, *([] if "--quality-weights" in arguments else ["--quality-weights", network])
        )
        assert code == 2, err
        assert message in err
        assert err.count("\n") == 1
        assert out == ""


def record_with_data_of_another_name(folder):
    np.random.default_rng(0).integers(-900, 900, 6000).astype("<i2").tofile(folder / "values.dat")
    (folder / "rec.hea").write_text("rec 1 1000 6000\nvalues.dat 16 200(0)/mV 16 0 0 0 0 EMG\n")
    return folder / "rec.hea"


def test_the_input_is_never_overwritten(tmp_path, run, network):
    source, record = csv(tmp_path / "rec.csv", emg()), record_with_data_of_another_name(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    values = tmp_path / "values.dat"
    for command in (
        ["quality", source, "--report", source],
        ["quality", record, "--report", record],
        ["quality", record, "--report", values],
        ["denoise", record, "--denoiser", "hp", "--output", tmp_path / "values.hea"],
        ["denoise", record, "--denoiser", "hp", "--report", values],
    ):
        code, _, err = run(*command, "--overwrite", "--quality-weights", network)
        assert code == 2, command
        assert "input" in err
        assert err.count("\n") == 1
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_record_is_hashed_with_the_data_that_its_header_names(tmp_path, run, network):
    record = record_with_data_of_another_name(tmp_path)
    output = tmp_path / "clean.csv"
    code, _, err = run("denoise", record, "--denoiser", "hp", "--output", output, "--quality-weights", network)
    assert code == 0, err
    side = json.loads((tmp_path / "clean.csv.json").read_text())["record"]["input"]["sha256"]
    assert side == {name: sha256(tmp_path / name) for name in ("rec.hea", "values.dat")}


def test_a_good_recording_gets_a_hint(tmp_path, run, network, monkeypatch):
    from cleansemg.recordings import report

    source = csv(tmp_path / "rec.csv", emg())
    assert "best left alone" not in run("denoise", source, "--denoiser", "hp", "--quality-weights", network)[2]
    monkeypatch.setattr(report, "GOOD_SNR_DB", -100.0)
    code, _, err = run("denoise", source, "--denoiser", "hp", "--quality-weights", network, "--overwrite")
    assert code == 0
    assert "already in a, b; a good recording is best left alone" in err


@pytest.fixture(scope="module")
def ten_minutes(tmp_path_factory):
    """Eight channels at 2 kHz."""
    return long_npy(tmp_path_factory.mktemp("long") / "long.npy", 10)


def long_npy(path, minutes):
    rng = np.random.default_rng(0)
    array = np.lib.format.open_memmap(path, "w+", np.float32, (round(minutes * 60 * 2000), 8))
    for at in range(0, len(array), 120_000):
        array[at : at + 120_000] = rng.standard_normal((min(120_000, len(array) - at), 8), np.float32)
    array.flush()
    return path


LONG = ["--fs", "2000", "--unit", "mV", "--denoiser", "hp"]
PEAK = """
import sys
sys.argv[0] = "cleansemg"
from cleansemg.recordings.progress import peak_memory_mb
try:
    from cleansemg.__main__ import main
    main()
finally:
    print("PEAK", int(peak_memory_mb()))
"""


def peak_mb_of(*arguments):
    """Peak memory of a command in a process of its own, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split("PEAK")[1]), done.stdout


def test_ten_minutes_of_eight_channels_in_bounded_memory(ten_minutes, tmp_path, network):
    peak_mb, out = peak_mb_of(
        "denoise", ten_minutes, *LONG, "--output", tmp_path / "clean.npy", "--quality-weights", network
    )
    assert "10 min of 8 channels in" in out
    assert peak_mb < 800
    assert np.load(tmp_path / "clean.npy", mmap_mode="r").shape == (1_200_000, 8)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".npy", ".edf"])
def test_two_hours_of_eight_channels_within_1500_mb(suffix, tmp_path, network):
    source = long_npy(tmp_path / "long.npy", 120)
    peak_mb, out = peak_mb_of(
        "denoise", source, *LONG, "--output", tmp_path / f"clean{suffix}", "--quality-weights", network
    )
    assert "120 min of 8 channels in" in out
    assert peak_mb < 1500


def test_ctrl_c_leaves_nothing(ten_minutes, tmp_path, network):
    output = tmp_path / "out" / "clean.npy"
    arguments = ["denoise", ten_minutes, *LONG, "--denoiser", "vmd", "--output", output, "--quality-weights", network]
    with process(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        deadline = time.monotonic() + 120
        while not list(output.parent.glob(".*.tmp")):  # written to, so in the middle of it
            assert running.poll() is None, running.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(0.3)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=120)
    assert running.returncode == 130, err
    assert err.splitlines()[-1] == b"stopped; nothing was written"
    assert list(output.parent.iterdir()) == []
