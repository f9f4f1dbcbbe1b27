import numpy as np
import pytest

from cleansemg.core.errors import UserError
from cleansemg.denoising import load, loading
from cleansemg.denoising.loading import DEFAULT_DENOISER
from cleansemg.quality import noise_labels
from cleansemg.quality.models import load as load_quality
from cleansemg.recordings.auto_track import AutoTrack
from cleansemg.recordings.denoiser_choice import choose
from tests.recordings.test_report import FS_HZ, recording


def test_the_default_can_be_built_and_is_described():
    chosen = choose()
    assert chosen.description["name"] == DEFAULT_DENOISER[0]
    assert choose(DEFAULT_DENOISER[0]).description == chosen.description


def test_description_holds_parameters_and_hash_of_weights():
    chosen = choose("hp", parameters={"cutoff_hz": 25.0})
    assert chosen.description["parameters"]["cutoff_hz"] == 25.0
    assert chosen.description["parameters"]["order"] == 4
    assert chosen.description["weights"] is None
    network = choose("fcn")
    assert network.title == "fcn (pretrained)"
    assert len(network.description["weights"]["sha256"]) == 64
    assert network.description["parameters"]["centre"] is True


def test_weights_fitted_on_open_recordings_are_found_by_name(tmp_path, monkeypatch):
    box = loading.WEIGHTS_FOLDER / "fcn.safetensors"
    monkeypatch.setattr(loading, "WEIGHTS_FOLDER", tmp_path)
    with pytest.raises(
        UserError, match=r"'fcn' comes without weights fine-tuned on open recordings \(those that do: none\)"
    ):
        load("fcn", weights="open")
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "fcn.safetensors").write_bytes(box.read_bytes())
    assert load("fcn", weights="open").name == "fcn"
    assert choose("fcn", "open").title == "fcn (open)"
    with pytest.raises(UserError, match=r"'msemg' .* \(those that do: fcn\)"):
        load("msemg", weights="open")
    with pytest.raises(UserError, match="'hp' has no network, so no weights; got weights='open'"):
        load("hp", weights="open")


def test_auto_track_tells_the_denoiser_what_the_network_finds(quality_weights):
    model, x = load_quality(quality_weights), recording()[1:, :4000]
    x = x + 1e-4 * np.sin(2 * np.pi * 50.0 * np.arange(x.shape[1]) / FS_HZ)  # a line that the network does not expect
    limits = model.info["thresholds"]
    model.info["thresholds"] = [1e6, *limits[1:]]
    hp = load("hp")
    told = AutoTrack(hp, model).denoise(x, FS_HZ)
    labels = noise_labels(x, FS_HZ, model)
    assert labels.kinds.any()  # else the two tracks could not be told apart
    assert (told == hp.denoise(x, FS_HZ, labels)).all()
    assert not (told == hp.denoise(x, FS_HZ)).all()


def test_auto_track_is_refused_where_it_means_nothing(quality_weights):
    model = load_quality(quality_weights)
    with pytest.raises(UserError, match="'fcn' cannot use the kinds of noise"):
        AutoTrack(load("fcn"), model)
    with pytest.raises(UserError, match="'wiener_oracle' needs more than the kinds"):
        AutoTrack(load("wiener_oracle"), model)
    with pytest.raises(UserError, match="no weights"):
        AutoTrack(load("hp"), None)
