"""The published protocols, end to end on small trees in the layouts of the original databases."""

from __future__ import annotations

import csv
import itertools
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import yaml

from cleansemg.core import weight_files
from cleansemg.core.artifact import Artifact
from cleansemg.core.layout import Layout
from cleansemg.core.seeding import generator
from cleansemg.data_pipeline.segmentation import SCHEMA as SEGMENTS
from cleansemg.evaluation.test_set import SCHEMA as TEST_SET
from cleansemg.noise.kinds import BENCHMARK_KINDS
from cleansemg.noise.pool import SCHEMA as NOISE
from tests.layouts import machado, ninapro, nsrdb, nstdb
from tests.pipeline_runs import run

PARTS = ("train", "valid", "test")
SMALL = [
    "train.mixtures_per_epoch=4",
    "train.valid_mixtures=2",
    "train.recipe={epochs: 1, batch_size: 2, normalise_clip: false}",
]


def write_db2(
    root: Path, wanted: Iterable[tuple[int, int]], n_channels: int, trial_s: float, rest_s: float, n: int
) -> None:
    """Files of DB2: (subject, exercise), with `n` repetitions of one movement."""
    for subject, exercise in wanted:
        rng = generator(0, "protocols", subject, exercise)
        variables = ninapro.recording(rng, 2000.0, exercise, 1, n, trial_s, rest_s, n_channels)
        path = root / "DB2" / f"DB2_s{subject}" / f"S{subject}_E{exercise}_A1.mat"
        path.parent.mkdir(parents=True, exist_ok=True)
        scipy.io.savemat(path, variables, oned_as="row")


def segments(layout: Layout, part: str) -> dict[str, np.ndarray]:
    names = ("segment_id", "subject", "exercise", "channel_name", "signal", "active")
    return Artifact.open(layout.segments(part), SEGMENTS).columns(*names)


def taken(layout: Layout, part: str, column: str) -> set[str]:
    return set(segments(layout, part)[column].tolist())


def records(layout: Layout, part: str) -> set[str]:
    return set(Artifact.open(layout.noise(part), NOISE).columns("record")["record"].tolist())


def mixtures(layout: Layout) -> dict[str, np.ndarray]:
    names = ("mixture_id", "segment_id", "snr_db", "kinds", "noise_name", "clean", "noisy", "active")
    return Artifact.open(layout.test_data("grid"), TEST_SET).columns(*names)


def realised_snr_db(mixed: dict[str, np.ndarray]) -> np.ndarray:
    clean = mixed["clean"].astype(np.float64)
    noise = mixed["noisy"].astype(np.float64) - clean
    return 10 * np.log10((clean**2).sum(1) / (noise**2).sum(1))


@pytest.fixture(scope="module")
def noises(tmp_path_factory):
    """NSRDB and NSTDB, long enough for every protocol, and Machado."""
    root = tmp_path_factory.mktemp("noises")
    nsrdb.write_nsrdb(root, seconds=120)
    nstdb.write_nstdb(root, seconds=200)
    machado.write_moa(root, seconds=12)
    return root


def tree(path: Path, noises: Path) -> Path:
    """A data root with these noises, and room for recordings."""
    path.mkdir()
    for folder in noises.iterdir():
        (path / folder.name).symlink_to(folder)
    return path


def test_msemg_ecg(tmp_path, noises):
    data, out = tree(tmp_path / "data", noises), tmp_path / "out"
    decoys = [(1, 1), (1, 3), (11, 2)]  # of the protocol's subjects, in exercises that it leaves out
    write_db2(data, [(1, 2), (11, 1), (11, 3), (12, 1), (12, 3), *decoys], 12, 7.0, 2.0, 3)
    settings = [*SMALL, "train.models=[fcn]", "evaluate.denoisers=[identity, hp, ts, fcn]", "mix.snr_db=[0, -14]"]
    run(out, config="configs/protocols/msemg_ecg.yaml", settings=settings, env={"DATA_ROOT": str(data)})
    layout = Layout(out)

    assert [taken(layout, part, "subject") for part in PARTS] == [{"S11", "S12"}, {"S11", "S12"}, {"S1"}]
    assert [taken(layout, part, "exercise") for part in PARTS] == [{"E1"}, {"E3"}, {"E2"}]
    assert [taken(layout, part, "channel_name") for part in PARTS] == [
        {"ch2"},
        {"ch2"},
        {"ch9", "ch10", "ch11", "ch12"},
    ]
    # 29 s give two windows of 10 s
    assert [len(segments(layout, part)["segment_id"]) for part in PARTS] == [4, 4, 8]
    test = segments(layout, "test")
    assert test["signal"].shape == test["active"].shape == (8, 10_000)
    assert 0.5 < np.abs(test["signal"]).max() <= 1.0  # of the recording's peak, which may lie in the dropped tail
    assert 0.5 < test["active"].mean() < 0.9

    config = yaml.safe_load(Path("configs/protocols/msemg_ecg.yaml").read_text())
    listed = config["noise"]["kinds"]["ECG"][0]["parameters"]["parts"]
    assert [records(layout, part) for part in PARTS] == [set(map(str, listed[part])) for part in PARTS]
    assert not layout.noise_label.exists()

    mixed = mixtures(layout)
    assert len(mixed["mixture_id"]) == 8 * 2 * 3 == len(set(mixed["mixture_id"]))
    assert config["mix"]["snr_db"] == list(range(0, -16, -2))
    np.testing.assert_allclose(realised_snr_db(mixed), mixed["snr_db"], atol=1e-5)
    names = mixed["noise_name"][:, BENCHMARK_KINDS.index("ECG")]
    drawn = Counter(
        zip(mixed["segment_id"].tolist(), mixed["snr_db"].tolist(), (n.split("_")[0] for n in names), strict=True)
    )
    assert set(drawn.values()) == {1}  # each segment at each SNR meets each of the three records once
    assert len(drawn) == len(names)

    rows = list(csv.DictReader((layout.tables / "table1.csv").open()))
    own = [(row["method"], row["source"]) for row in rows if row["source"].startswith("this run")]
    tracks = [(name, track) for name in ("hp", "ts") for track in ("blind", "oracle", "published")]
    assert own == [(name, f"this run, {track}") for name, track in [("identity", "blind"), *tracks, ("fcn", "blind")]]
    assert abs(float(rows[0]["SNRimp"])) < 1e-9
    assert ("msemg", "MSEMG, paper") in {(row["method"], row["source"]) for row in rows}
    paper = next(row for row in rows if row["source"] == "MSEMG, paper")
    assert (paper["SNRimp"], paper["RMSE"], paper["RMSE_MNF"]) == ("20.317", "0.8603", "11.379")
    for row in rows:
        if row["source"].startswith("this run"):
            assert all(np.isfinite(float(row[key])) for key in ("SNRimp", "RMSE", "PRD", "RMSE_ARV", "RMSE_MNF"))
    for name in ("table1", "table2", "by_snr", "by_noise"):
        text = (layout.tables / f"{name}.md").read_text()
        assert "LEAKING: train and valid share 2 subjects of DB2 (S11, S12)" in text, name
    counts = {
        row["method"]: (row["paper"], row["ours"]) for row in csv.DictReader((layout.tables / "table2.csv").open())
    }
    assert counts["FCN"] == ("137801", "137801")


def test_fcn_ecg(tmp_path, noises):
    data, out = tree(tmp_path / "data", noises), tmp_path / "out"
    write_db2(data, [(1, 1), (25, 1), (31, 2)], 10, 8.0, 2.0, 7)  # 72 s: one window of 60 s
    settings = [*SMALL, "mix.snr_db=[-14]", "evaluate.denoisers=[identity, fcn]"]
    run(out, config="configs/protocols/fcn_ecg.yaml", settings=settings, env={"DATA_ROOT": str(data)})
    layout = Layout(out)
    assert [taken(layout, part, "subject") for part in PARTS] == [{"S1"}, {"S25"}, {"S31"}]
    assert [len(segments(layout, part)["segment_id"]) for part in PARTS] == [1, 1, 2]  # ch9 and ch10 are there
    train, valid, test = (records(layout, part) for part in PARTS)
    assert (len(train), len(valid & train), len(test), len(test & train)) == (14, 14, 4, 0)
    mixed = mixtures(layout)
    assert mixed["noisy"].shape == (2 * 1 * 4, 60_000)
    assert "train and valid share 14 noise records" in (layout.tables / "table1.md").read_text()
    manifest = yaml.safe_load((layout.weights("fcn") / "manifest.json").read_text())
    assert manifest["info"]["epochs"] == 1
    (file,) = layout.weights("fcn").glob("*.safetensors")
    assert weight_files.read(file)[1]["parameters"]["centre"] is False  # its noise has a mean, and no band


def test_trustemg(tmp_path, noises):
    data, out = tree(tmp_path / "data", noises), tmp_path / "out"
    write_db2(data, [(1, 1), (1, 2), (11, 1), (11, 2), (26, 1), (36, 1)], 11, 2.5, 4.5, 1)
    few = ["noise.piece_s=12", "train.models=[]", "evaluate.denoisers=[identity, zero, hp]", "mix.snr_db=[2, -14]"]
    layouts = []
    for fold in (1, 2):
        folder = out / f"fold{fold}"
        run(
            folder,
            config="configs/protocols/trustemg.yaml",
            settings=[*few, f"split.fold={fold}"],
            env={"DATA_ROOT": str(data)},
        )
        layouts.append(Layout(folder))
    first, second = layouts
    assert [taken(first, part, "subject") for part in PARTS] == [{"S11", "S26"}, {"S36"}, {"S1"}]
    assert [taken(second, part, "subject") for part in PARTS] == [{"S1", "S26"}, {"S36"}, {"S11"}]
    test = segments(first, "test")
    n = len(test["segment_id"])
    # 11.5 s give five windows; those without 200 ms of contraction go: active from 4.5 to 7 s are windows 2 and 3
    assert sorted(i.rpartition("_")[2] for i in test["segment_id"]) == ["W002", "W003"]

    mixed = mixtures(first)
    assert len(mixed["mixture_id"]) == n * 2 * 6 == len(set(mixed["mixture_id"]))
    np.testing.assert_allclose(realised_snr_db(mixed), mixed["snr_db"], atol=1e-5)
    assert set(mixed["kinds"].sum(1).tolist()) <= {1, 3, 5}
    labels = [line for name in ("table1", "by_snr", "by_noise") for line in [(first.tables / f"{name}.md").read_text()]]
    assert all("test share" in text and "noise records" in text and "LEAKING" in text for text in labels)
    assert "BW" in (first.tables / "by_noise.md").read_text().splitlines()[2]

    from cleansemg.evaluation.average_folds import average

    table = average([first.root, second.root])
    assert [row["method"] for row in table.rows] == ["identity", "zero", "hp", "hp", "hp"]  # three tracks
    by_fold = [next(csv.DictReader((layout.tables / "table1.csv").open())) for layout in layouts]
    assert table.rows[0]["PRD"] == pytest.approx(np.mean([float(row["PRD"]) for row in by_fold]))
    assert "leaking" in table.title


def test_the_compounds_of_trustemg_are_all_there():
    config = yaml.safe_load(Path("configs/protocols/trustemg.yaml").read_text())
    triples = {"+".join(three) for three in itertools.combinations(BENCHMARK_KINDS, 3)}
    for files, three, five in ((config["mix"]["files"], 4, 40), (config["train"]["fixed"]["files"], 7, 70)):
        assert set(files) == {*BENCHMARK_KINDS, *triples, "+".join(BENCHMARK_KINDS)}
        assert {files[name] for name in triples} == {three}
        assert files["+".join(BENCHMARK_KINDS)] == five


def test_folds_of_trustemg_test_every_subject_once():
    from cleansemg.core import config
    from cleansemg.data_pipeline.part_selection import expand

    folds = config.load(Path("configs/protocols/trustemg.yaml")).split.selections
    everyone = {f"S{number}" for number in range(1, 41)}
    tested = [subject for fold in folds for subject in expand(fold["DB2"]["test"].subjects)]
    assert sorted(tested) == sorted(everyone)
    for fold in folds:
        parts = [set(expand(fold["DB2"][part].subjects)) for part in ("train", "valid", "test")]
        assert [len(part) for part in parts] == [25, 5, 10]
        assert set.union(*parts) == everyone


def test_shared_subjects_need_the_word_published(tmp_path, noises):
    data, out = tree(tmp_path / "data", noises), tmp_path / "out"
    write_db2(data, [(1, 2), (11, 1), (11, 3)], 12, 7.0, 2.0, 2)
    result = run(
        out, "--stages", "qc,grade,split", config="configs/protocols/msemg_ecg.yaml", settings=["protocol=disjoint"],
        env={"DATA_ROOT": str(data)}, code=2,
    )  # fmt: skip
    assert "subject 'S11' of DB2 is in train and again in valid" in result.stderr
    assert "protocol: published" in result.stderr
