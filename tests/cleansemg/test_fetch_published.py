import hashlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from cleansemg.core import npz, weight_files
from cleansemg.core.artifact import Artifact
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.core.stage import RunOptions
from cleansemg.denoising import load_network
from cleansemg.evaluation import evaluating
from cleansemg.evaluation.candidates import candidates
from cleansemg.evaluation.export import read as read_export
from cleansemg.evaluation.scoring import SCHEMA
from cleansemg.evaluation.test_data import TestData
from cleansemg.fetching import hub as client
from cleansemg.fetching import published_test_set, published_weights
from cleansemg.fetching.byte_progress import ByteProgress
from cleansemg.fetching.command import fetch
from tests.cleansemg.hub_server import COMMIT, serve
from tests.conftest import ROOT
from tests.core.test_restricted_pickle import Evil
from tests.core.test_restricted_pickle import save as save_pickled
from tests.evaluation.conftest import small_settings
from tests.evaluation.test_evaluating import published_item

WEIGHTS = f"models/{published_weights.REPOSITORY}"
FCN, MSEMG = "fcn_small_best.pth", "nets/MSEMG/best.pth"


@pytest.fixture
def hub(monkeypatch):
    with serve() as (hub, address):
        monkeypatch.setenv("HF_ENDPOINT", address)
        yield hub


def saved(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(3)
    return {
        "fcn": load_network("fcn", weights=None).network,
        "msemg": load_network("msemg", weights=None, features=8).network,
    }


@pytest.fixture
def checkpoints(hub, networks):
    hub.repositories[WEIGHTS] = {
        "README.md": b"weights",
        FCN: saved({"epoch": 3, "model_state_dict": networks["fcn"].state_dict()}),
        MSEMG: saved(networks["msemg"].state_dict()),
        "Other_best.pth": b"of a network that is not here",
    }
    return hub.repositories[WEIGHTS]


def fetch_weights(folder, revision=None, models=()):
    return fetch("weights", folder, revision, models, False)


def fetch_test_set(folder, everything=False):
    return fetch("test-set", folder, None, (), everything)


def test_checkpoints_come_verified_and_converted_once(hub, checkpoints, networks, tmp_path):
    report = fetch_weights(tmp_path)
    assert report.n_failures == 0
    assert any("skipped Other_best.pth: no network of that name here" in line for line in report.lines)
    assert "2 networks" in report.lines[-2]
    assert sorted(hub.downloads()) == [("best.pth", None), (FCN, None)]
    assert hub.user_agents == {"cleansemg"}
    assert not hub.authorized
    for name, network in networks.items():
        state, info = weight_files.read(tmp_path / f"{name}.safetensors")
        assert state.keys() == network.state_dict().keys()
        assert all(torch.equal(state[key], value) for key, value in network.state_dict().items())
        assert load_network(name, weights=tmp_path / f"{name}.safetensors").network.state_dict().keys() == state.keys()
        assert info["denoiser"] == name
    assert info["parameters"]["features"] == 8
    assert info["source"] == {
        "repository": published_weights.REPOSITORY, "kind": "model", "revision": COMMIT, "file": "best.pth",
        "sha256": hashlib.sha256(checkpoints[MSEMG]).hexdigest(),
    }  # fmt: skip
    content = (tmp_path / "fcn.safetensors").read_bytes()
    hub.requests.clear()
    assert fetch_weights(tmp_path, COMMIT).n_failures == 0
    assert hub.downloads() == []
    assert (tmp_path / "fcn.safetensors").read_bytes() == content


def test_one_model_alone(hub, checkpoints, tmp_path):
    report = fetch_weights(tmp_path, models=["MSEMG"])
    assert hub.downloads() == [("best.pth", None)]
    assert "skipped" not in " ".join(report.lines)
    with pytest.raises(UserError, match="has no checkpoint of 'fcn_large'; has: fcn, msemg"):
        fetch_weights(tmp_path, models=["FCN"])
    with pytest.raises(UserError, match="'hp' has no network"):
        fetch_weights(tmp_path, models=["hp"])


def test_a_public_name_wins_over_ours_and_best_over_others():
    def chosen(*names):
        files = [client.HubFile("", Path(name), "sha256", "", 1) for name in names]
        found, skipped = published_weights._choose(files)
        return {name: str(file.path) for name, file in found.items()}, [str(path) for path in skipped]

    assert chosen("FCN_last.pth", "FCN.pth", "FCN_best.pth") == (
        {"fcn_large": "FCN_best.pth"},
        ["FCN.pth", "FCN_last.pth"],
    )
    assert chosen("fcn_best.pt", "hp_best.pth", "notes.txt") == ({"fcn_large": "fcn_best.pt"}, ["hp_best.pth"])


def test_contents_that_were_not_promised_are_not_kept(hub, checkpoints, tmp_path):
    hub.instead[FCN] = checkpoints[FCN][:-1] + b"?"
    report = fetch_weights(tmp_path)
    assert report.n_failures == 1
    assert any(f"failed {FCN}" in line and "are not what sha256" in line for line in report.lines)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["msemg.safetensors", "nets", "repository.json"]
    hub.instead.clear()
    assert fetch_weights(tmp_path).n_failures == 0
    assert (tmp_path / FCN).read_bytes() == checkpoints[FCN]


def test_a_file_altered_on_disk_is_fetched_again(hub, checkpoints, tmp_path):
    fetch_weights(tmp_path)
    (tmp_path / MSEMG).write_bytes(checkpoints[MSEMG][:-1] + b"?")
    hub.requests.clear()
    fetch_weights(tmp_path)
    assert hub.downloads() == [("best.pth", None)]
    assert (tmp_path / MSEMG).read_bytes() == checkpoints[MSEMG]


def test_a_connection_that_breaks_goes_on_where_it_was(hub, checkpoints, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000)  # what is lost at most; 10 MB otherwise
    hub.cut.add(FCN)
    assert fetch_weights(tmp_path, models=["fcn"]).n_failures == 0
    first, second = hub.downloads()
    assert first == (FCN, None)
    assert second == (FCN, f"bytes={len(checkpoints[FCN]) // 2000 * 1000}-")


@pytest.mark.parametrize(("kept", "asked"), [(5000, "bytes=5000-"), (10**6, None)])
def test_what_a_killed_run_left_is_gone_on_with(hub, checkpoints, tmp_path, kept, asked):
    digest = hashlib.sha256(checkpoints[FCN]).hexdigest()
    part = tmp_path / f".{FCN}.{digest[:12]}.part"
    part.write_bytes((checkpoints[FCN] * 2)[:kept])
    assert fetch_weights(tmp_path, models=["fcn"]).n_failures == 0
    assert hub.downloads() == [(FCN, asked)]
    assert (tmp_path / FCN).read_bytes() == checkpoints[FCN]
    assert not part.exists()


def test_a_checkpoint_that_holds_code_or_does_not_fit_costs_itself_only(hub, checkpoints, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checkpoints[FCN] = saved({"model_state_dict": Evil()})
    checkpoints["FCN_best.pth"] = saved({"conv.weight": torch.zeros(1, 1, 8)})
    report = fetch_weights(tmp_path)
    assert report.n_failures == 2
    assert any(f"failed {FCN}" in line and "refused" in line for line in report.lines)
    assert any("failed FCN_best.pth" in line and "does not fit" in line for line in report.lines)
    assert not (tmp_path / "pwned").exists()
    assert sorted(path.name for path in tmp_path.glob("*.safetensors")) == ["msemg.safetensors"]


def test_no_connection(hub, checkpoints, tmp_path, monkeypatch):
    with serve() as (_, address):
        pass  # nobody listens there any more
    online = os.environ["HF_ENDPOINT"]
    monkeypatch.setenv("HF_ENDPOINT", address)
    with pytest.raises(UserError, match=r"cannot be fetched \(ConnectError.*Run the same command again.*--folder"):
        fetch_weights(tmp_path)
    command = [sys.executable, "-m", "cleansemg", "fetch", "test-set", "--folder", str(tmp_path / "x")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith(f"error: {address}: {published_test_set.REPOSITORY} cannot be fetched")
    assert len(result.stderr.splitlines()) == 1
    # a folder that was filled before, here or elsewhere, serves
    monkeypatch.setenv("HF_ENDPOINT", online)
    fetch_weights(tmp_path)
    monkeypatch.setenv("HF_ENDPOINT", address)
    (tmp_path / "fcn.safetensors").unlink()
    assert fetch_weights(tmp_path).n_failures == 0
    assert (tmp_path / "fcn.safetensors").exists()
    with pytest.raises(UserError, match="cannot be fetched"):
        fetch_weights(tmp_path, revision="v2")
    (tmp_path / FCN).unlink()
    with pytest.raises(UserError, match=rf"{FCN} cannot be fetched"):
        fetch_weights(tmp_path)


def test_no_such_repository_revision_or_hub(hub, checkpoints, tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"has no public repository .*/CLEANsEMG \(looked for a dataset and a model\)"):
        fetch_test_set(tmp_path)
    with pytest.raises(UserError, match="has no revision 'v9'"):
        fetch_weights(tmp_path, revision="v9")
    (tmp_path / client.LISTING).write_text("{}")
    with serve() as (_, address):
        pass
    monkeypatch.setenv("HF_ENDPOINT", address)
    with pytest.raises(UserError, match=r"repository\.json: not the listing of a fetch .* delete it"):
        fetch_weights(tmp_path)


@pytest.mark.parametrize("name", ["../FCN_best.pth", "/tmp/FCN_best.pth", "a/../../FCN_best.pth"])
def test_a_listing_cannot_lead_out_of_the_folder(hub, checkpoints, tmp_path, name):
    checkpoints[name] = b"x"
    with pytest.raises(UserError, match="outside the folder; refused"):
        fetch_weights(tmp_path)


@pytest.mark.parametrize(
    ("what", "option", "message"),
    [
        ("open", {"revision": "v1"}, "--revision is an option of `cleansemg fetch weights and test-set`, not of open"),
        ("test-set", {"models": ["FCN"]}, "--model is an option of `cleansemg fetch weights`"),
        ("weights", {"everything": True}, "--all is an option of"),
        ("weight", {}, "cannot fetch 'weight'; did you mean 'weights'"),
    ],
)
def test_options_belong_to_what_is_fetched(what, option, message):
    with pytest.raises(UserError, match=message):
        fetch(what, None, **{"revision": None, "models": (), "everything": False, **option})


@pytest.fixture
def mixtures(hub, tmp_path):
    items = [{**published_item(row), "snr": float(5 * (row % 2)), "k": 1 + row % 3} for row in range(6)]
    save_pickled(tmp_path / "made.npz", items)
    noise = io.BytesIO()
    np.save(noise, np.zeros(400, np.float32))
    return {
        "data/test_combined.npz": (tmp_path / "made.npz").read_bytes(),
        "data/tradition_params.json": json.dumps({"hp": {"cutoff": 20.0}}).encode(),
        "noise_pool/PLI/a.npy": noise.getvalue(),
        "noise_pool/WGN/b.npy": noise.getvalue() + b"\n",
        "README.md": b"data",
    }


@pytest.mark.parametrize("kind", ["dataset", "model"])
def test_mixtures_come_verified_and_converted(hub, mixtures, tmp_path, kind):
    hub.repositories[f"{kind}s/{published_test_set.REPOSITORY}"] = mixtures
    folder = tmp_path / "set"
    report = fetch_test_set(folder)
    assert report.n_failures == 0
    text = "\n".join(report.lines)
    assert f"({kind} repository, commit {COMMIT[:12]})" in text
    assert "6 mixtures of 2 segments, at 0, 5 dB, of 1, 2, 3 kinds of noise" in text
    assert "noise_pool: 2 files, 3.5 kB, not fetched; --all gets them" in text
    assert sorted(name for name, _ in hub.downloads()) == ["test_combined.npz", "tradition_params.json"]
    plain = folder / "plain/data/test_combined.npz"
    ours, published = npz.read(plain), read_export(folder / "data/test_combined.npz")
    assert ours.keys() == published.keys()
    for name, column in published.items():
        np.testing.assert_array_equal(ours[name], column)
    hub.requests.clear()
    fetch_test_set(folder, everything=True)
    assert sorted(name for name, _ in hub.downloads()) == ["a.npy", "b.npy"]
    assert (folder / "noise_pool/PLI/a.npy").read_bytes() == mixtures["noise_pool/PLI/a.npy"]


def test_the_converted_set_scores_as_the_published_file(hub, mixtures, tmp_path):
    hub.repositories[f"datasets/{published_test_set.REPOSITORY}"] = mixtures
    command = fetch_test_set(tmp_path).lines[-1].split()
    converted = Path(command[command.index("--test-data") + 1])
    tables = []
    for number, path in enumerate((converted, tmp_path / "data/test_combined.npz")):
        layout, settings = Layout(tmp_path / f"run{number}"), small_settings()
        rows = candidates(settings, layout, names=["hp"])
        report = evaluating.evaluate_all(rows, [TestData.open(path)], settings, layout, RunOptions())
        assert report.n_failures == 0
        tables.append(Artifact.open(layout.denoised("hp", "blind", "combined"), SCHEMA).columns("standard.SNRimp"))
    np.testing.assert_array_equal(*(table["standard.SNRimp"] for table in tables))
    assert len(tables[0]["standard.SNRimp"]) == 6


def test_a_set_that_holds_code_is_refused(hub, mixtures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_pickled(tmp_path / "evil.npz", [{"clean": Evil()}])
    mixtures["test_evil.npz"] = (tmp_path / "evil.npz").read_bytes()
    mixtures["noise_pool/WGN/b.npy"] = b"not an array"
    hub.repositories[f"datasets/{published_test_set.REPOSITORY}"] = mixtures
    report = fetch_test_set(tmp_path / "set", everything=True)
    assert report.n_failures == 2
    assert any("failed test_evil.npz" in line and "holds more than data" in line for line in report.lines)
    assert any("failed noise_pool/WGN/b.npy" in line for line in report.lines)
    assert any("noise_pool: 1 of 2 files verified" in line for line in report.lines)
    assert (tmp_path / "set/plain/data/test_combined.npz").exists()
    assert not (tmp_path / "pwned").exists()


def test_a_failed_item_makes_the_exit_code_1(hub, checkpoints, tmp_path):
    checkpoints[FCN] = saved({"conv.weight": torch.zeros(1, 1, 8)})
    command = [sys.executable, "-m", "cleansemg", "fetch", "weights", "--folder", str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 1, result.stderr
    assert f"failed {FCN}" in result.stdout
    assert f"fetching {FCN}" in result.stderr
    assert " kB" in result.stderr or " B" in result.stderr
    assert "Traceback" not in result.stderr


def test_progress_in_plain_lines(caplog, monkeypatch):
    clock = iter([0.0, 10.0, 20.0, 21.0])
    monkeypatch.setattr("cleansemg.fetching.byte_progress.time.monotonic", lambda: next(clock))
    with (
        caplog.at_level("INFO", "cleansemg.core.console"),
        ByteProgress(desc="x.npz", total=100e6, initial=20_000_000) as bar,
    ):
        bar.update(1_000_000)
        bar.update(19_000_000)
        bar.update(1_000_000)
    assert [record.message for record in caplog.records] == ["x.npz: 40.0 MB of 100.0 MB, 1.0 MB a second, 60 s left"]
