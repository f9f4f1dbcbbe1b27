import csv
import errno
import math
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from cleansemg.core import npz
from cleansemg.core.artifact import Artifact
from cleansemg.core.errors import ArtifactError, ItemError, UserError
from cleansemg.core.layout import Layout
from cleansemg.core.registry import project_root
from cleansemg.core.stage import RunOptions
from cleansemg.denoising import Denoiser
from cleansemg.evaluation import evaluating, scores, tables, test_set
from cleansemg.evaluation.candidates import candidates
from cleansemg.evaluation.export import read as read_export
from cleansemg.evaluation.parameter_files import read_parameters
from cleansemg.evaluation.scoring import SCHEMA
from cleansemg.evaluation.settings import DenoiserRow, Evaluate
from cleansemg.evaluation.test_data import TestData
from cleansemg.training.settings import Calibrate
from tests.core.test_restricted_pickle import Evil
from tests.core.test_restricted_pickle import save as save_pickled
from tests.evaluation.conftest import small_settings, write_segments


class Picky(Denoiser):
    """Refuses the second signal of any batch by its content, keeps the rest."""

    name = "picky"

    def _denoise(self, noisy, fs_hz, labels):
        if (np.abs(noisy).max(axis=1) > Picky.limit).any():
            raise ItemError("too loud for me")
        return noisy * 0.5

    limit = math.inf


def prepare(layout, sets=("combined", "grid"), **evaluate):
    settings = small_settings(sets=sets)
    if evaluate:
        settings = settings.model_copy(update={"evaluate": Evaluate(**evaluate)})
    test_set.run(settings, layout, RunOptions())
    return settings


BOUNDED = ("hp", "zero", "identity", "gain", "gain_oracle", "wiener_oracle", "psm_oracle", "psd_oracle")
WORDS = ("denoiser", "track", "p_best", "effect_best")


def test_table_1_is_of_the_grid_sorted_and_bounded(layout):
    settings = prepare(layout, sets=("combined", "grid", "clean"), denoisers=BOUNDED)
    report = evaluating.run(settings, layout, RunOptions(workers=2))
    assert report.n_failures == 0
    tables.run(settings, layout, RunOptions())
    rows = list(csv.DictReader((layout.tables / "table1.csv").open()))
    assert {row["n_mixtures"] for row in rows} == {str(3 * 3 * 18)}  # SNRs, numbers of kinds, segments
    si_sdr = [float(row["SI_SDRimp"]) for row in rows]
    assert si_sdr == sorted(si_sdr, reverse=True)
    one = {(row["denoiser"], row["track"]): row for row in rows}
    score = {who: float(row["SNRimp"]) for who, row in one.items()}
    assert score["identity", "blind"] == 0.0
    assert score["zero", "blind"] == pytest.approx(0.0, abs=1e-6)  # on a balanced grid silence gains nothing
    assert score["gain_oracle", "oracle"] > 2.0  # what turning down "gains"
    for loudness in (("gain", "blind"), ("gain_oracle", "oracle")):
        assert float(one[loudness]["SI_SDRimp"]) == pytest.approx(0.0, abs=1e-5)
    assert score["psm_oracle", "oracle"] == max(score.values())
    assert (float(one["gain", "blind"]["skill"]), float(one["psm_oracle", "oracle"]["skill"])) == (0.0, 1.0)
    assert float(one["identity", "blind"]["clean_SNR"]) == 60.0  # as it is, counted so much
    assert float(one["zero", "blind"]["clean_SNR"]) == 0.0
    assert float(one["zero", "blind"]["SNRimp_highest"]) == pytest.approx(-15.0, abs=1e-4)
    for row in rows:
        assert all(math.isfinite(float(value)) for key, value in row.items() if key not in WORDS), row["denoiser"]
        low, high = float(row["SNRimp_two_way_low"]), float(row["SNRimp_two_way_high"])
        assert low <= float(row["SNRimp"]) + 1e-6 <= high + 2e-6
    assert float(one["zero", "blind"]["PRD"]) == pytest.approx(100)  # invariant I.3
    written = ("table1.md", "table1.tex", "table1_drawn.csv", "snr_by_kinds.csv", "by_noise.md", "by_person.md",
               "against_gain.md", "snrimp_by_snr.png", "config.yaml")  # fmt: skip
    for name in written:
        assert (layout.tables / name).stat().st_size > 100
    text = (layout.tables / "table1.md").read_text()
    assert "TrustEMG-Net" in text
    assert "Balanced grid: means over 3 test people" in text


def test_people_of_another_data_set_have_columns_of_their_own(ingredients, tmp_path):
    layout = Layout(Path(shutil.copytree(ingredients.root, tmp_path / "run")))
    write_segments(layout.segments("out_of_domain"), subjects=("8", "9"))
    settings = prepare(layout, sets=("grid", "out_of_domain"), denoisers=("hp", "identity", "gain"))
    evaluating.run(settings, layout, RunOptions())
    tables.run(settings, layout, RunOptions())
    rows = {row["denoiser"]: row for row in csv.DictReader((layout.tables / "table1.csv").open())}
    abroad = Artifact.open(layout.denoised("hp", "blind", "out_of_domain"), SCHEMA).columns(
        "subject", "standard.SNRimp"
    )
    means = [abroad["standard.SNRimp"][abroad["subject"] == person].mean() for person in ("8", "9")]
    assert float(rows["hp"]["out_of_domain_SNRimp"]) == pytest.approx(np.mean(means), rel=1e-8)
    assert rows["identity"]["out_of_domain_SNRimp"] == "0"
    for name in ("by_snr", "by_noise", "by_person", "by_database", "by_count"):
        sets = {row["set"] for row in csv.DictReader((layout.tables / f"{name}.csv").open())}
        assert sets == {"grid", "out_of_domain"}, name
    assert "2 persons of synthetic" in (layout.tables / "table1.md").read_text()


def test_the_zero_row_is_minus_the_snr(layout):
    """Zero output has 0 dB, so its improvement is -SNR, cell by cell."""
    settings = prepare(layout, denoisers=("zero",))
    evaluating.run(settings, layout, RunOptions())
    table = Artifact.open(layout.denoised("zero", "blind", "grid"), SCHEMA).columns("snr_db", "standard.SNRimp")
    np.testing.assert_allclose(table["standard.SNRimp"], -table["snr_db"], atol=1e-5)


def test_a_failure_costs_itself_only_and_is_counted(layout, monkeypatch):
    """Pitfall 4: a failing method never returns its input as a result."""
    settings = prepare(layout, denoisers=("tests.evaluation.test_evaluating:Picky",))
    noisy = Artifact.open(layout.test_data("combined"), test_set.SCHEMA).columns("noisy")["noisy"]
    loudest = np.sort(np.abs(noisy).max(axis=1))
    monkeypatch.setattr(Picky, "limit", float(loudest[-4:-2].mean()))
    report = evaluating.evaluate_all(
        candidates(settings, layout), [TestData.open(layout.test_data("combined"))], settings, layout, RunOptions()
    )
    assert report.n_failures == 3
    assert "3 failed" in report.lines[0]
    folder = layout.denoised("picky", "blind", "combined")
    result = Artifact.open(folder, SCHEMA).columns("failed", "standard.SNRimp", "denoised")
    assert result["failed"].sum() == 3
    assert np.isnan(result["standard.SNRimp"][result["failed"]]).all()
    assert np.isnan(result["denoised"][result["failed"]]).all()
    assert np.isfinite(result["standard.SNRimp"][~result["failed"]]).all()
    assert (folder / "failures.csv").read_text().count("too loud for me") == 3
    report = tables.run(settings, layout, RunOptions())
    row = next(csv.DictReader((layout.tables / "table1.csv").open()))
    assert (row["n_failed"], report.n_failures) == ("3", 3)


def test_tables_of_many_mixtures_hold_their_metrics_in_a_file_and_are_the_same(layout, monkeypatch):
    settings = prepare(layout, denoisers=("hp", "identity"))
    evaluating.run(settings, layout, RunOptions())
    tables.run(settings, layout, RunOptions())
    before = {path.name: path.read_bytes() for path in layout.tables.iterdir()}
    monkeypatch.setattr(scores, "IN_MEMORY", 3)
    rows = scores.read_scores(settings, layout, "combined")
    assert not any(row.values["standard.RMSE"].flags.owndata for row in rows)
    tables.run(settings, layout, RunOptions())
    assert {path.name: path.read_bytes() for path in layout.tables.iterdir()} == before
    assert not [
        path for path in (layout.root / "denoised").rglob("*") if path.is_file() and path.name.startswith("tmp")
    ]

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("cleansemg.evaluation.scores.os.posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        tables.run(settings, layout, RunOptions())


def test_export_and_shards_give_the_same_scores(layout, tmp_path):
    settings = prepare(layout, denoisers=("hp",))
    evaluating.run(settings, layout, RunOptions())
    other = type(layout)(tmp_path / "from_file")
    rows = candidates(settings, other)
    evaluating.evaluate_all(rows, [TestData.open(layout.export)], settings, other, RunOptions())
    name = "standard.SNRimp"
    for track in ("blind", "oracle"):
        scores = [
            Artifact.open(x.denoised("hp", track, "combined"), SCHEMA).columns(name)[name] for x in (layout, other)
        ]
        np.testing.assert_array_equal(*scores)


def published_item(row, scale=2e-5):
    rng = np.random.default_rng(row)
    clean = rng.uniform(-1, 1, 2000).astype(np.float32)
    return {
        "segment_id": f"DB2_{row % 2 + 1}_3_7_0", "dataset": "DB2", "clean": clean, "scale": scale, "snr": -5.0, "k": 2,
        "noisy": np.clip(clean + rng.normal(0, 0.3, 2000), -1, 1).astype(np.float32),
        "noise_types": "PLI+WGN", "noise_paths": "a|b", "wgn_capped": False,
    }  # fmt: skip


def test_a_published_file_is_evaluated(layout, tmp_path):
    save_pickled(tmp_path / "test_combined.npz", [published_item(row) for row in range(4)])
    columns = read_export(tmp_path / "test_combined.npz")
    np.testing.assert_allclose(columns["clean"][1], published_item(1)["clean"] * 2e-5, rtol=1e-6)
    assert columns["kinds"].tolist() == [[True, False, False, True, False]] * 4
    settings = small_settings()
    rows = candidates(settings, layout, names=["hp"])
    data = TestData.open(tmp_path / "test_combined.npz")
    report = evaluating.evaluate_all(rows, [data], settings, layout, RunOptions())
    assert report.n_failures == 0
    assert Artifact.open(layout.denoised("hp", "oracle", "combined"), SCHEMA).manifest.count == 4


def test_a_malicious_or_foreign_file_is_refused(tmp_path):
    save_pickled(tmp_path / "evil.npz", [{"clean": Evil()}])
    with pytest.raises(ArtifactError, match="more than data"):
        TestData.open(tmp_path / "evil.npz")
    npz.write(tmp_path / "other.npz", {"x": np.zeros(3)})
    with pytest.raises(ArtifactError, match="not a test set, it has no array 'clean'"):
        TestData.open(tmp_path / "other.npz")
    with pytest.raises(UserError, match="no such test set; make it"):
        TestData.open(tmp_path / "nowhere.npz")


def test_rows_need_known_names_tracks_and_labels(layout):
    settings = small_settings()

    def rows(*denoisers):
        return candidates(settings.model_copy(update={"evaluate": Evaluate(denoisers=denoisers)}), layout)

    assert [(c.label, c.track) for c in rows("HP")] == [("hp", "blind"), ("hp", "oracle"), ("hp", "published")]
    with pytest.raises(UserError, match="did you mean 'hp'"):
        rows("hpp")
    with pytest.raises(UserError, match="'zero' has no oracle track"):
        rows(DenoiserRow(name="zero", track="oracle"))
    with pytest.raises(UserError, match="twice; give each row its own label"):
        rows("hp", DenoiserRow(name="hp", parameters={"cutoff_hz": 30.0}))
    labelled = rows("hp", DenoiserRow(name="hp", label="hp30", parameters={"cutoff_hz": 30.0}))
    assert [c.label for c in labelled] == 3 * ["hp"] + 3 * ["hp30"]


def test_other_parameters_do_not_pass_for_the_same(layout):
    settings = prepare(layout, denoisers=("hp",))
    evaluating.run(settings, layout, RunOptions())
    changed = candidates(settings, layout, parameters={("hp", "blind"): {"cutoff_hz": 35.0}})
    data = [TestData.open(layout.test_data("combined"))]
    with pytest.raises(ArtifactError, match="another configuration"):
        evaluating.evaluate_all(changed, data, settings, layout, RunOptions())


HP_30 = {("hp", track): {"cutoff_hz": 30} for track in ("blind", "oracle", "published")}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("plain.json", '{"HP": {"cutoff_hz": 30}}', HP_30),
        ("other_spelling.json", '{"HP": {"Cutoff": 30}}', HP_30),
        ("plain.yaml", "methods: {hp: {cutoff_hz: 30}}", HP_30),
        ("searched.yaml", "methods: {hp: {parameters: {cutoff_hz: 30}, search: {order: [2, 4]}}}", HP_30),
        (
            "only_searched.yaml",
            "methods: {wavelet: {search: {level: [3]}}}",
            {("wavelet", track): {} for track in ("blind", "oracle")},
        ),
        (
            "calibrated.json",
            """{"format": "cleansemg tradition_params 1", "methods": {"hp": {
            "blind": {"parameters": {"cutoff_hz": 20}, "SNRimp_db": 1}, "oracle": {"parameters": {"order": 2}}}}}""",
            {("hp", "blind"): {"cutoff_hz": 20}, ("hp", "oracle"): {"order": 2}},
        ),
    ],
)
def test_parameter_files(tmp_path, name, text, expected):
    (tmp_path / name).write_text(text)
    assert read_parameters(tmp_path / name) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"hp": 30}', "'hp' holds 30, expected a mapping of parameters"),
        ('{"hp": {"cutof_hz": 30}}', "'hp' has no parameter 'cutof_hz'; did you mean 'cutoff_hz'"),
        ('{"hp": {"cutoff": 30, "cutoff_hz": 40}}', "names its parameter 'cutoff_hz' twice"),
        ('{"hp": {}, "HP": {}}', "'HP' is hp, which is there twice"),
        ('{"hq": {}, "zero": {"oracle": {}}}', "no denoiser is called 'hq'.*'zero' has no oracle track"),
        ('{"hp": {"blind": {"parameters": null}}}', "'hp' has no winner on its blind track"),
        ('{"format": "cleansemg tradition_params 9", "methods": {}}', "format is"),
        ("[]", "expected a mapping of denoisers"),
        ("{", "cannot be read"),
    ],
)
def test_a_parameter_file_says_all_that_is_not_understood(tmp_path, text, message):
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(UserError, match=message):
        read_parameters(tmp_path / "p.json")


def test_the_shipped_search_file_gives_no_parameters():
    """It says what to search; until something is found, methods keep their own parameters."""
    found = read_parameters(project_root() / "configs" / "config_tradition.yaml")
    assert {("hp", "oracle"), ("wavelet", "blind"), ("vmd", "oracle")} <= set(found)
    assert not any(found.values())


def test_parameters_from_nowhere(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_parameters(tmp_path / "none.json")


def test_parameters_of_a_track_reach_that_track(layout):
    rows = candidates(small_settings(), layout, names=["hp"], parameters={("hp", "oracle"): {"cutoff_hz": 25.0}})
    assert {row.track: row.build().cutoff_hz for row in rows} == {"blind": 40.0, "oracle": 25.0, "published": 40.0}
    assert {row.track: row.identity["parameters"]["cutoff_hz"] for row in rows} == {
        "blind": 40.0,
        "oracle": 25.0,
        "published": 40.0,
    }


def test_tables_before_evaluation_say_what_to_run(layout):
    with pytest.raises(UserError, match="nothing evaluated yet; run"):
        tables.run(small_settings(), layout, RunOptions())


def test_a_run_that_calibrates_uses_its_winners_or_says_what_is_missing(layout):
    settings = prepare(layout, denoisers=("hp",))
    settings = settings.model_copy(update={"calibrate": Calibrate(methods=("hp",))})
    with pytest.raises(
        UserError, match=r"tradition_params\.json: not there; calibrate first: cleansemg run --stages calibrate"
    ):
        evaluating.run(settings, layout, RunOptions())
    layout.weights_classical.mkdir()
    (layout.weights_classical / "tradition_params.json").write_text('{"hp": {"cutoff_hz": 33}}')
    evaluating.run(settings, layout, RunOptions())
    info = Artifact.open(layout.denoised("hp", "blind", "combined"), SCHEMA).manifest.info
    assert info["parameters"]["cutoff_hz"] == 33
