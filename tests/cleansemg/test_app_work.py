import json
import logging
import threading

import numpy as np
import pytest

from cleansemg.app import work
from cleansemg.app.callbacks import read_options
from cleansemg.app.jobs import CancelledError, Job, Jobs
from cleansemg.app.methods import default_key, methods
from cleansemg.app.sessions import Sessions
from cleansemg.app.work import denoise_recording, formats_for, load_recording
from cleansemg.core.errors import UserError
from cleansemg.formats import FORMATS, ReadOptions, open_file
from tests.cleansemg.app_server import FS_HZ, like_emg, write_csv
from tests.formats.signal_recordings import info_of, read, write


def quiet_job():
    return Job("test", lambda job: None)


@pytest.fixture
def held(tmp_path):
    with Sessions(parent=tmp_path) as made:
        yield made


def session_of(held, path):
    return held.add([(path.name, path)])


def fields(**given):
    return {name: given.get(name) for name in ("fs", "unit", "offset", "columns", "time", "sheet", "key")}


@pytest.mark.parametrize("file_format", ["csv", "xlsx", "mat", "npz", "edf", "wfdb"])
def test_what_is_shown_is_what_is_handed_out(held, tmp_path, file_format):
    x = like_emg(seconds=3)
    path = tmp_path / f"arm{FORMATS[file_format][0]}"
    write(path, info_of(tmp_path, 2, FS_HZ, "mV"), x)
    files = [(one.name, one) for one in tmp_path.glob("arm.*")]
    session = held.add(files)
    load_recording(session, ReadOptions(), quiet_job())
    loaded = session.loaded
    assert loaded.samples.n_samples == x.shape[1]
    np.testing.assert_allclose(loaded.samples.part(1, 0, x.shape[1]), x[1], atol=1e-7)
    for target in ("csv", "xlsx", "edf", "npz", "wfdb") if file_format == "csv" else (file_format,):
        denoise_recording(session, "hp", "pretrained", [1], target, quiet_job())
        done = session.denoised
        assert done.channels == (1,)
        assert [one.name for one in done.after] == ["EMG 2"]
        result = next(iter(done.files["recording"].parent.glob(f"*_denoised{FORMATS[target][0]}")))
        with open_file(result) as file:
            assert [channel.name for channel in file.info.channels] == ["EMG 2"]
            written = read(file)
        np.testing.assert_array_equal(done.samples.part(0, 0, x.shape[1]), written[0].astype(np.float32))
        assert (done.files["recording"].suffix == ".zip") == (target == "wfdb")
        assert json.loads(done.files["report"].read_text())["after"][0]["line"]["present"] is False
        assert json.loads(done.files["sidecar"].read_text())["record"]["denoiser"]["name"] == "hp"
        assert done.before[0].line.present


def test_a_file_that_says_nothing_is_read_as_the_user_says(held, tmp_path):
    x = like_emg()
    path = tmp_path / "codes.csv"  # time stands between the channels, numbers are codes about 2048
    index = np.arange(x.shape[1])
    codes = np.column_stack((x[0] / 1e-6 + 2048, index, x[1] / 1e-6 + 2048))
    np.savetxt(path, codes, fmt="%.3f", delimiter=",", header="a,sample,b", comments="")
    session = session_of(held, path)
    with pytest.raises(UserError, match="--"):
        load_recording(session, ReadOptions(), quiet_job())
    assert session.loaded is None
    reading = read_options(fields(fs=" 1000 ", unit="1e-6", offset="2048", columns="a, b", time="sample"))
    load_recording(session, reading, quiet_job())
    np.testing.assert_allclose(session.loaded.samples.part(1, 0, x.shape[1]), x[1], atol=2e-9)
    denoise_recording(session, "identity", "pretrained", [0, 1], "csv", quiet_job())
    for k in range(2):
        np.testing.assert_allclose(session.denoised.samples.part(k, 0, x.shape[1]), x[k], atol=2e-9)
    denoise_recording(session, "identity", "pretrained", [1], "csv", quiet_job())
    np.testing.assert_allclose(session.denoised.samples.part(0, 0, x.shape[1]), x[1], atol=2e-9)
    assert "--fs 1000 --unit 1e-6 --offset 2048" in session.denoised.command
    assert "--channels 2" in session.denoised.command


def test_the_command_that_is_shown_gives_the_same_file(held, tmp_path, monkeypatch):
    import shlex

    from cleansemg.__main__ import app

    session = session_of(held, write_csv(tmp_path / "arm.csv", like_emg()))
    load_recording(session, ReadOptions(), quiet_job())
    denoise_recording(session, "hp", "pretrained", [1], "edf", quiet_job())
    done = session.denoised
    folder = tmp_path / "again"
    folder.mkdir()
    (folder / "arm.csv").write_bytes(session.path.read_bytes())
    monkeypatch.chdir(folder)
    assert app(shlex.split(done.command)[1:], standalone_mode=False) == 0
    assert (folder / "arm_denoised.edf").read_bytes() == done.files["recording"].read_bytes()
    assert (folder / "arm_report.json").read_bytes() == done.files["report"].read_bytes()


@pytest.mark.parametrize(
    ("selected", "file_format", "message"),
    [
        ([], "csv", "at least one"),
        ([2], "csv", "at least one"),
        ([-1], "csv", "at least one"),
        ([0], "exe", "format"),
        ([0], "npy", "format"),
    ],
)
def test_wrong_orders_are_refused(held, tmp_path, selected, file_format, message):
    session = session_of(held, write_csv(tmp_path / "arm.csv", like_emg(seconds=2)))
    load_recording(session, ReadOptions(), quiet_job())
    assert formats_for(session.loaded.info)[0] == "csv"
    with pytest.raises(UserError, match=message):
        denoise_recording(session, "hp", "pretrained", selected, file_format, quiet_job())


@pytest.mark.parametrize(("text", "option"), [({"fs": "two"}, "--fs"), ({"offset": "x"}, "--offset")])
def test_fields_that_are_no_numbers(text, option):
    with pytest.raises(UserError, match=option):
        read_options(fields(**text))


def test_empty_fields_leave_it_to_the_file():
    assert read_options(fields(fs="", unit="  ", columns=" , ")) == ReadOptions()


def test_a_job_can_be_stopped_and_tells_how_far_it_is(held, tmp_path):
    session = session_of(held, write_csv(tmp_path / "arm.csv", like_emg(seconds=20)))
    job, shares = quiet_job(), []
    with open_file(session.path) as file:
        for _ in work.Watched(file, job, "reading").blocks(1000):
            shares.append(job.state.share)
            if len(shares) == 5:
                job.cancel()
                break
        assert shares == sorted(shares)
        assert 0.1 < shares[-1] < 0.5
        with pytest.raises(CancelledError):
            next(work.Watched(file, job, "reading").blocks())


def test_every_end_of_a_job_is_told(caplog):
    jobs, done = Jobs(), threading.Event()

    def warn(job):
        logging.getLogger("denoising").warning("mind the gap")
        logging.getLogger("denoising").warning("mind the gap")

    def user(job):
        raise UserError("a.csv: is empty")

    def bug(job):
        raise ZeroDivisionError("oh")

    stopped = Job("stopped", bug)
    stopped.cancel()
    ends = [jobs.submit(one) for one in (Job("a", warn), Job("b", user), Job("c", bug), stopped)]
    jobs.submit(Job("last", lambda job: done.set()))
    assert done.wait(10)
    states = [one.state for one in ends]
    assert all(state.finished for state in states)
    assert states[0].notes == ("mind the gap",)
    assert states[0].error is None
    assert states[1].error == "a.csv: is empty"
    assert states[2].error == "a mistake of the program (ZeroDivisionError: oh); the terminal shows where"
    assert "ZeroDivisionError" in caplog.text
    assert states[3].cancelled
    assert states[3].error is None


def test_only_methods_that_run_on_a_waveform_alone_are_offered():
    names = [method.name for method in methods()]
    assert methods()[0].key == default_key()
    assert "hp" in names
    assert "wiener_oracle" not in names  # it must be told the clean signal
    assert "trustemg_skipall_dm" not in names  # no weights come with it
    assert all(method.summary and "parameters" not in method.summary for method in methods())  # in the box: small forms
