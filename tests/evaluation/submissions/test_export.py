"""What an export shows and hides, and the metadata beside it."""

from __future__ import annotations

import json
import shutil
import zipfile

import numpy as np
import pytest
import scipy.io
import yaml

from cleansemg.core.errors import UserError
from cleansemg.evaluation import frozen
from cleansemg.evaluation.submissions import export_test as module
from cleansemg.evaluation.submissions.card import TEMPLATE, read_card
from cleansemg.evaluation.submissions.croissant import Facts, metadata
from cleansemg.evaluation.submissions.export_test import export_test
from cleansemg.evaluation.submissions.opaque_ids import key_of
from cleansemg.evaluation.submissions.result_file import content_hash
from cleansemg.evaluation.submissions.scoring import result_of_row
from cleansemg.evaluation.submissions.target import open_target
from tests.evaluation.submissions.conftest import CARD


@pytest.fixture(scope="module")
def chunked(target, tmp_path_factory):
    """An export in files of 50 signals."""
    folder = tmp_path_factory.mktemp("chunks") / "noisy"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ROWS", 50)
        export_test(target, "grid", folder)
    return folder


def test_signals_are_those_of_the_mixtures_in_both_formats(chunked, target):
    artifact = target.artifact("grid")
    noisy = {}
    for _, columns in artifact:
        noisy.update(zip(columns["mixture_id"].tolist(), columns["noisy"], strict=True))
    key = key_of(artifact)
    mixture_of = dict(zip(key.ids.tolist(), key.mixture_ids.tolist(), strict=True))
    counts = []
    for path in sorted(chunked.glob("*.npz")):
        arrays, matlab = np.load(path), scipy.io.loadmat(path.with_suffix(".mat"))
        assert set(arrays) == {"ids", "noisy", "fs_hz"} == {name for name in matlab if not name.startswith("__")}
        assert matlab["ids"].tolist() == arrays["ids"].tolist()
        assert matlab["noisy"].dtype == arrays["noisy"].dtype == np.float32
        np.testing.assert_array_equal(matlab["noisy"], arrays["noisy"])
        assert float(np.squeeze(matlab["fs_hz"])) == float(arrays["fs_hz"]) == 1000
        np.testing.assert_array_equal(arrays["noisy"], [noisy[mixture_of[one]] for one in arrays["ids"].tolist()])
        counts.append(len(arrays["ids"]))
    assert counts == [50, 50, 50, 12]


def test_ids_order_files_and_times_tell_nothing(chunked, target):
    """Rank correlation of the exported order with every label stays within what chance has."""
    from scipy import stats

    artifact = target.artifact("grid")
    key = key_of(artifact)
    assert key.ids.tolist() == sorted(key.ids.tolist())
    labels = artifact.columns("mixture_id", "snr_db", "n_kinds", "subject", "kinds")
    row = {one: position for position, one in enumerate(labels["mixture_id"].tolist())}
    order = np.array([row[one] for one in key.mixture_ids.tolist()])
    person = np.unique(labels["subject"], return_inverse=True)[1]
    columns = [labels["snr_db"], labels["n_kinds"], person, *labels["kinds"].T, np.arange(len(order))]
    for column in columns:
        if len(np.unique(column)) > 1:
            assert abs(stats.spearmanr(np.arange(len(order)), column[order]).statistic) < 4 / np.sqrt(len(order))
    content = b"".join(path.read_bytes() for path in sorted(chunked.iterdir()))
    for hidden in (b"synthetic_S", b"snr-15", *(one.encode() for one in labels["mixture_id"].tolist()[:20])):
        assert hidden not in content
    for path in chunked.glob("*.npz"):
        with zipfile.ZipFile(path) as archive:
            assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert {path.read_bytes()[:116] for path in chunked.glob("*.mat")} == {
        b"MATLAB 5.0 MAT-file, written by CleanSEMG".ljust(116)
    }


def test_no_clean_signal_is_in_the_export(chunked, target):
    content = b"".join(path.read_bytes() for path in sorted(chunked.iterdir()))
    for _, columns in target.artifact("grid"):
        assert not [1 for clean in columns["clean"] if clean[:64].astype("<f4").tobytes() in content]


def test_ids_need_the_clean_signals_and_results_have_others(target, tmp_path):
    """The committed hashes give no id; and a result file, which holds the SNR of a mixture, has no id of an export."""
    import hashlib
    import hmac

    key = key_of(target.artifact("grid"))
    digest = target.sets["grid"]
    for secret in (digest.clean, digest.sha256, digest.noisy):
        for known in (secret.encode(), bytes.fromhex(secret)):
            text = f"signal\0grid\0{key.mixture_ids[0]}".encode()
            assert hmac.new(known, text, hashlib.sha256).hexdigest()[:16] != key.ids[0]
    result = result_of_row(target, "grid", "identity", "blind")
    assert not set(result["mixtures"]["ids"]) & set(key.ids.tolist())
    assert result["sha256"] == content_hash(result)
    assert not [name for name in ("synthetic", "grid_") if name in json.dumps(result["mixtures"])]


def test_the_key_is_beside_the_results_and_the_same_export_has_the_same_bytes(target, chunked, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ROWS", 50)
    done = export_test(target, "grid", tmp_path / "again")
    assert done.key == target.results / "export_key.npz"
    stored = np.load(done.key)
    assert stored["grid.ids"].tolist() == key_of(target.artifact("grid")).ids.tolist()
    for path in chunked.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()
    export_test(target, "combined", tmp_path / "combined", ["npz"])
    assert {name.partition(".")[0] for name in np.load(done.key)} == {"grid", "combined"}
    with pytest.raises(UserError, match="is there already"):
        export_test(target, "grid", tmp_path / "again")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "combined"]


def test_the_metadata_are_croissant(chunked):
    """Read by MLCommons' own library, which also loads the records of the index."""
    croissant = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed: pip install -e .[dev]")
    dataset = croissant.Dataset(jsonld=str(chunked / "croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    warnings = dataset.metadata.ctx.issues.warnings  # of a set that is not frozen, of people whose licence is not known
    assert sorted(text.partition(" is recommended")[0].rpartition("/")[2].strip('"') for text in warnings) == [
        "datePublished", "license",
    ]  # fmt: skip
    records = list(dataset.records("signals"))
    assert len(records) == 162
    assert records[0]["signals/file"] == b"noisy_000"


def test_the_metadata_of_the_open_set_lack_nothing(chunked, tmp_path):
    croissant = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed: pip install -e .[dev]")
    folder = shutil.copytree(chunked, tmp_path / "open")
    people = ("elderly_lower_limb", "muscletracker", "uci_lower_limb")
    content = metadata(folder, Facts("open-v1", "grid", "0" * 64, people, ("npz", "mat"), 1000.0, 2000, "2026-12-01"))
    (folder / "croissant.json").write_text(json.dumps(content))
    issues = croissant.Dataset(jsonld=str(folder / "croissant.json")).metadata.ctx.issues
    assert not issues.errors
    assert not issues.warnings
    assert content["version"] == "1.0.0"
    assert len(content["license"]) == 3
    assert "MIT-BIH Noise Stress Test" in content["description"]


def test_the_metadata_say_what_is_there(chunked):
    from cleansemg.core import npz

    content = json.loads((chunked / "croissant.json").read_text())
    assert content["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    files = {one["contentUrl"]: one["sha256"] for one in content["distribution"]}
    assert files == {
        path.name: npz.sha256(path) for path in chunked.iterdir() if path.suffix in (".npz", ".mat", ".csv")
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"authors": []}, "authors: .* at least 1"),
        ({"method": " "}, "method: fill it in"),
        ({"saw_test_people": "perhaps"}, "saw_test_people: "),
        ({"date": "yesterday"}, "date: "),
        ({"license": "MIT"}, "unknown field 'license'; did you mean 'licence'"),
        ({"code": "javascript:alert(1)"}, "code: expected an address that begins with https://"),
        ({"contact": None}, "contact: "),
    ],
)
def test_a_card_that_is_wrong_is_one_line(tmp_path, change, message):
    path = tmp_path / "card.yaml"
    path.write_text(yaml.safe_dump({**CARD, **change}))
    with pytest.raises(UserError, match=message) as error:
        read_card(path)
    assert "\n" not in str(error.value)
    path.write_text(yaml.safe_dump({name: value for name, value in CARD.items() if name != "hardware"}))
    with pytest.raises(UserError, match="has no field 'hardware'"):
        read_card(path)


def test_the_template_has_every_field_and_must_be_filled_in(tmp_path):
    path = tmp_path / "card.yaml"
    path.write_text(TEMPLATE)
    with pytest.raises(UserError, match="method: fill it in"):
        read_card(path)
    assert set(yaml.safe_load(TEMPLATE)) | {"code", "paper"} == set(type(read_card_of(CARD, path)).model_fields)


def read_card_of(content, path):
    path.write_text(yaml.safe_dump(content))
    return read_card(path)


def test_a_target_that_is_frozen_knows_its_name(target, results, tmp_path, monkeypatch):
    from cleansemg.evaluation.submissions.target import artifacts

    folder = tmp_path / "configs"
    (folder / "frozen").mkdir(parents=True)
    monkeypatch.setattr(frozen, "configs_folder", lambda: folder)
    written = frozen.freeze(artifacts(results), "small-v1", "small.yaml", folder / "frozen" / "small-v1.yaml")
    again = open_target(str(results))
    assert again.name == "small-v1"
    assert again.root == written.root == target.root
    with pytest.raises(UserError, match="holds no test set"):
        open_target(str(tmp_path))
