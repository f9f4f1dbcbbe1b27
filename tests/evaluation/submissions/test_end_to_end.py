"""Somebody without our code takes part: export, a foreign program, score, leaderboard."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from cleansemg.core.artifact import Artifact
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.evaluation.scoring import SCHEMA as DENOISED
from cleansemg.evaluation.submissions.board import make_board
from cleansemg.evaluation.submissions.card import read_card
from cleansemg.evaluation.submissions.opaque_ids import key_of
from cleansemg.evaluation.submissions.result_file import complete, read_result, write_result
from cleansemg.evaluation.submissions.scoring import result_of_row, score_submission
from tests.processes import python

FOREIGN = Path(__file__).parent / "foreign.py"


def foreign(source, target, kind, method="high_pass"):
    """The other program, in a process of its own without this project on its path."""
    words = [sys.executable, "-I", "-S", "-c", SITE, str(FOREIGN), str(source), str(target), kind, method]
    subprocess.run(words, check=True, capture_output=True, text=True, cwd=target.parent)
    return target


# Without the site module an editable install of this project cannot come in; NumPy and SciPy are on the path by name.
SITE = (
    f"import sys, runpy; sys.path.append({str(Path(np.__file__).parents[1])!r}); sys.argv = sys.argv[1:]; "
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)


@pytest.fixture
def denoised(exported, tmp_path):
    return foreign(exported, tmp_path / "denoised", "npz")


@pytest.mark.parametrize("kind", ["npz", "mat"])
def test_commands_from_export_to_leaderboard(results, tmp_path, card, kind):
    noisy, denoised = tmp_path / "noisy", tmp_path / "denoised"
    done = python("-m", "cleansemg", "export-test", results, "--output", noisy, "--format", kind)
    assert done.returncode == 0, done.stderr
    assert {path.suffix for path in noisy.iterdir()} == {f".{kind}", ".csv", ".txt", ".yaml", ".json"}
    foreign(noisy, denoised, kind)
    files = [tmp_path / name for name in ("theirs.json", "hp.json", "identity.json", "psm.json")]
    theirs = ["--name", "stranger's high-pass", "--card", card]
    for arguments, file in zip(
        ([denoised, *theirs], ["--denoiser", "hp"], ["--denoiser", "identity"], ["--denoiser", "psm_oracle", "--track", "oracle"]),
        files, strict=True,
    ):  # fmt: skip
        done = python("-m", "cleansemg", "score", *arguments, "--run", results, "--output", file)
        assert done.returncode == 0, done.stderr
        assert "162 mixtures" in done.stdout
        assert "marked" not in done.stdout
    page = tmp_path / "board" / "leaderboard.html"
    done = python("-m", "cleansemg", "leaderboard", *files, "--output", page)
    assert done.returncode == 0, done.stderr
    with page.with_suffix(".csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sorted(float(row["SI_SDRimp"]) for row in rows)[::-1] == [float(row["SI_SDRimp"]) for row in rows]
    assert rows[0]["name"] == "psm_oracle"
    assert {row["name"]: row["role"] for row in rows} == {
        "psm_oracle": "ceiling", "stranger's high-pass": "method", "hp": "method", "identity": "floor",
    }  # fmt: skip
    for row in rows:
        assert float(row["SI_SDRimp_low"]) <= float(row["SI_SDRimp"]) <= float(row["SI_SDRimp_high"])
    assert "stranger's high-pass" in page.with_suffix(".md").read_text()
    text = page.read_text()
    assert "B. &lt;b&gt;Bold&lt;/b&gt;" in text
    assert "<b>Bold" not in text
    assert 'href="https://example.org/code"' in text


def test_a_submission_is_scored_as_the_run_scores_it(target, exported, results, tmp_path, card):
    """The unchanged input of a stranger has the metrics of the row identity, mixture by mixture, for npz and MAT."""
    ours = result_of_row(target, "grid", "identity", "blind")
    for kind in ("npz", "mat"):
        folder = foreign(exported, tmp_path / kind, kind, "nothing")
        theirs = score_submission(target, "grid", folder, "nothing", read_card(card))
        assert theirs["mixtures"] == ours["mixtures"]
        assert theirs["means"] == ours["means"]
    table = Artifact.open(Layout(results).denoised("identity", "blind", "grid"), DENOISED).columns(
        "subject", "standard.RMSE"
    )
    means = [table["standard.RMSE"][table["subject"] == who].mean() for who in np.unique(table["subject"])]
    assert ours["means"]["RMSE"] == pytest.approx(np.mean(means), rel=1e-6)


def arrays_of(folder):
    path = sorted(folder.glob("*.npz"))[0]
    with np.load(path) as stored:
        return path, dict(stored)


def change(folder, **arrays):
    path, stored = arrays_of(folder)
    np.savez(path, **{**stored, **arrays})


def refused(target, folder, card, message):
    with pytest.raises(UserError, match=message) as error:
        score_submission(target, "grid", folder, "mine", read_card(card))
    assert "\n" not in str(error.value)
    assert str(folder) in str(error.value)


def test_what_is_wrong_is_one_line_that_names_file_and_id(target, denoised, card):
    path, whole = arrays_of(denoised)
    ids, signals = whole["ids"], whole["denoised"]
    first = str(ids[0])

    change(denoised, ids=ids[1:], denoised=signals[1:])
    refused(target, denoised, card, f"no file has id '{first}'; every signal of the export must come back")
    change(denoised, ids=ids[2:], denoised=signals[2:])
    refused(target, denoised, card, "no file has id '.*' and 1 more")
    change(denoised, ids=ids, denoised=signals[:, :-1])
    refused(target, denoised, card, f"{path.name}: id '{first}': 1999 samples, expected 2000")
    broken = signals.copy()
    broken[3, 7] = np.nan
    change(denoised, denoised=broken)
    refused(target, denoised, card, f"{path.name}: id '{ids[3]}': sample 8 is NaN or infinite")
    broken[3, 7] = np.inf
    change(denoised, denoised=broken)
    refused(target, denoised, card, f"id '{ids[3]}': sample 8 is NaN or infinite")
    other = ids.copy()
    other[5] = "0123456789abcdef"
    change(denoised, ids=other, denoised=signals)
    refused(target, denoised, card, f"{path.name}: id '0123456789abcdef' does not belong to this test set")
    change(denoised, ids=np.char.add("x", ids.astype("U15")))
    refused(target, denoised, card, "no id of it belongs to this test set")
    other[5] = ids[4]
    change(denoised, ids=other)
    refused(target, denoised, card, f"id '{ids[4]}' is twice; send every signal once")
    change(denoised, ids=ids, denoised=signals.T)
    refused(target, denoised, card, r"shape \[2000, 162\] for 162 ids, expected \[162, 2000\]; it looks transposed")
    for dtype in (np.int16, np.float16, np.complex64):
        change(denoised, denoised=signals.astype(dtype))
        refused(target, denoised, card, f"denoised is {np.dtype(dtype)}, expected single or double")
    change(denoised, denoised=signals * 1e9)
    refused(target, denoised, card, "V; signals are in volts")
    change(denoised, denoised=signals, fs_hz=np.array(2000.0))
    refused(target, denoised, card, "fs_hz is 2000, the test set has 1000 Hz")
    change(denoised, fs_hz=np.array("1000"))
    refused(target, denoised, card, "fs_hz is no number")
    change(denoised, fs_hz=whole["fs_hz"], ids=np.arange(len(ids)))
    refused(target, denoised, card, "ids are int64, expected the texts of the export")
    np.savez(path, ids=ids, clean=signals, fs_hz=1000.0)
    refused(target, denoised, card, r"has no array 'denoised' \(has: clean, fs_hz, ids\)")
    path.write_bytes(b"no archive")
    refused(target, denoised, card, "not a readable npz file")
    path.unlink()
    refused(target, denoised, card, r"holds no \.npz or \.mat file")


def test_the_same_id_in_two_files(target, denoised, card):
    whole = arrays_of(denoised)[1]
    scipy.io.savemat(denoised / "again.mat", {**whole, "denoised": whole["denoised"][:1], "ids": whole["ids"][:1]})
    refused(target, denoised, card, "id '.*' is there, and in .*again.mat; send every signal once")


def test_matlab_files_that_are_not_what_was_asked_for(target, exported, tmp_path, card):
    folder = foreign(exported, tmp_path / "mat", "mat")
    path = next(folder.glob("*.mat"))
    whole = scipy.io.loadmat(path)
    arrays = {name: whole[name] for name in ("ids", "denoised", "fs_hz")}
    cell = np.empty((len(arrays["ids"]), 1), object)
    cell[:, 0] = arrays["ids"]
    scipy.io.savemat(path, {**arrays, "ids": cell})  # cellstr(ids)
    score_submission(target, "grid", folder, "mine", read_card(card))
    scipy.io.savemat(path, {**arrays, "denoised": arrays["denoised"] * 1j})
    refused(target, folder, card, "'denoised' is no matrix of real numbers")
    scipy.io.savemat(path, {**arrays, "ids": {"a": 1}})
    refused(target, folder, card, r"'ids' is no character matrix; save char\(ids\)")
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(600))
    refused(target, folder, card, "is a MATLAB 7.3 file .*save it with -v7")


def test_one_that_comes_too_close_to_the_clean_signals_is_marked(target, exported, results, tmp_path, card):
    """The clean signals themselves, with a little noise, on a share of the mixtures; 5 % is the limit."""
    artifact = target.artifact("grid")
    key = key_of(artifact)
    shards = {shard.name: columns for shard, columns in artifact}
    clean = np.stack([shards[s]["clean"][r] for s, r in zip(key.shards, key.rows, strict=True)])
    noisy = np.stack([shards[s]["noisy"][r] for s, r in zip(key.shards, key.rows, strict=True)])
    folder = tmp_path / "cheat"
    folder.mkdir()
    for n_cheated, is_marked in ((8, False), (9, True), (162, True)):  # 4.9 % and 5.6 %
        denoised = noisy.copy()
        denoised[:n_cheated] = clean[:n_cheated] + 1e-4 * (noisy - clean)[:n_cheated]
        np.savez(folder / "all.npz", ids=key.ids, denoised=denoised, fs_hz=1000.0)
        content = score_submission(target, "grid", folder, "too good", read_card(card))
        assert content["share_above_ceiling"] == pytest.approx(n_cheated / 162)
        assert content["flags"] == (["has seen the clean signals?"] if is_marked else [])
    write_result(content, tmp_path / "cheat.json")
    write_result(result_of_row(target, "grid", "hp", "blind"), tmp_path / "hp.json")
    board = make_board([tmp_path / "cheat.json", tmp_path / "hp.json"], tmp_path / "board.html")
    assert board.n_flagged == 1
    assert "has seen the clean signals?" in (tmp_path / "board.html").read_text()
    assert 'class="method marked"' in (tmp_path / "board.html").read_text()


@pytest.fixture
def two(target, tmp_path):
    """Files of two results."""
    paths = []
    for denoiser in ("hp", "identity"):
        paths.append(tmp_path / f"{denoiser}.json")
        write_result(result_of_row(target, "grid", denoiser, "blind"), paths[-1])
    return paths


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return content


@pytest.mark.parametrize(
    ("forgery", "message"),
    [
        (lambda c: c["means"].update(SI_SDRimp=20.0), "edited since it was written"),
        (lambda c: c["mixtures"]["SNRimp"].__setitem__(0, 99.0), "edited since it was written"),
        (lambda c: c.update(flags=[], name="better"), "edited since it was written"),
        (lambda c: c.update(schema_version=2), "a result of version 2, this program reads 1"),
        (lambda c: c.update(schema="other"), "not a result file"),
    ],
)
def test_an_edited_result_is_refused(two, tmp_path, forgery, message):
    edit(two[0], forgery)
    with pytest.raises(UserError, match=message) as error:
        make_board(two, tmp_path / "board.html")
    assert "hp.json" in str(error.value)
    assert not (tmp_path / "board.html").exists()


def test_means_that_do_not_follow_are_refused_even_under_a_new_hash(two, tmp_path):
    from cleansemg.evaluation.submissions.result_file import content_hash

    content = edit(two[0], lambda c: c["means"].update(SI_SDRimp=20.0))
    edit(two[0], lambda c: c.update(sha256=content_hash(content)))
    with pytest.raises(UserError, match="its means do not follow from its mixtures"):
        read_result(two[0])
    content = edit(two[1], lambda c: c["mixtures"]["persons"].pop())
    edit(two[1], lambda c: c.update(sha256=content_hash(content)))
    with pytest.raises(UserError, match="not a whole result file"):
        read_result(two[1])


def test_other_test_sets_and_doubles_are_not_mixed(two, target, tmp_path):
    other = json.loads(two[0].read_text())
    del other["sha256"]
    other["set"]["sha256"] = "0" * 64
    write_result(complete(other), tmp_path / "other.json")
    with pytest.raises(UserError, match=r"other\.json: of the test set of a run, grid \(000000000000"):
        make_board([*two, tmp_path / "other.json"], tmp_path / "board.html")
    write_result(json.loads(two[0].read_text()), tmp_path / "copy.json")
    with pytest.raises(UserError, match=r"copy\.json: the same result as .*hp\.json; give it once"):
        make_board([two[0], tmp_path / "copy.json"], tmp_path / "board.html")
    with pytest.raises(UserError, match="expected a page such as leaderboard"):
        make_board(two, tmp_path / "board.pdf")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"holds no result \(\*\.json\)"):
        make_board([tmp_path / "empty"], tmp_path / "board.html")


def test_numbers_of_the_board_are_intervals_over_people(two, tmp_path, target):
    from scipy import stats

    make_board(two, tmp_path / "board.html")
    with (tmp_path / "board.csv").open() as file:
        row = next(row for row in csv.DictReader(file) if row["name"] == "hp")
    content = json.loads(two[0].read_text())
    persons, values = np.array(content["mixtures"]["persons"]), np.array(content["mixtures"]["SI_SDRimp"])
    means = [values[persons == who].mean() for who in np.unique(persons)]
    low, high = stats.t.interval(0.95, len(means) - 1, np.mean(means), stats.sem(means))
    assert float(row["SI_SDRimp"]) == pytest.approx(np.mean(means), rel=1e-6)
    assert float(row["SI_SDRimp_low"]) == pytest.approx(low, rel=1e-6)
    assert float(row["SI_SDRimp_high"]) == pytest.approx(high, rel=1e-6)


def test_a_row_that_the_run_does_not_have(target):
    with pytest.raises(UserError, match=r"has no row 'hpp' \(blind\) on grid; did you mean 'hp'"):
        result_of_row(target, "grid", "hpp", "blind")
    with pytest.raises(UserError, match=r"--set grdi: .* has no such set; did you mean 'grid'"):
        result_of_row(target, "grdi", "hp", "blind")
