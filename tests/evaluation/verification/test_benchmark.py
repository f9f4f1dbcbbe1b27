"""What `cleansemg verify` finds in a run of the benchmark: nothing in a sound one, and each way to spoil one."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest

from cleansemg.core.errors import UserError
from cleansemg.evaluation.verification import draws, lines_of, mixtures, parts, scores, shards, tables, verify
from cleansemg.evaluation.verification.findings import untracked
from cleansemg.evaluation.verification.folders import open_results
from tests.evaluation.verification.conftest import edit_manifest, forge

SEGMENTS = "segments/data_crossDB_seg2s"
COMBINED = "test_data/combined"
KINDS = ("PLI", "ECG", "MOA", "WGN", "Color")


def problems(findings):
    findings = findings if isinstance(findings, list) else [findings]
    return [text for finding in findings for text in finding.problems]


def test_a_sound_run_passes_every_check(benchmark):
    findings = {finding.check: finding for finding in verify(benchmark)}
    assert problems(list(findings.values())) == []
    for name in (
        "hashes", "rows", "finite", "failures", "inputs", "grades", "subjects", "segments", "noise", "mixtures", "draws",
        "export", "labels", "metrics", "sampled", "tables",
    ):  # fmt: skip
        assert findings[name].summary, name
    combined, grid, clean = 16, 18, 16
    assert f"{combined + grid} mixtures rebuilt" in findings["mixtures"].summary
    assert f"{combined + grid} bit for bit" in findings["mixtures"].summary
    assert f"{clean} signals of the set without noise" in findings["mixtures"].summary
    # the combined set keeps waveforms; all metrics of `standard` (13) and of `published` (9) are computed anew
    n_rows = len(list((benchmark / "denoised").glob("*/*/combined")))
    values = int(re.match(r"\d+", findings["sampled"].summary)[0])
    assert values == n_rows * combined * (13 + 9) > 0


@pytest.mark.parametrize("where", [0.1, 0.5, 0.9])
def test_one_changed_byte_of_any_file_that_is_checked_fails(copy, where):
    """Pictures and summaries for people are not compared with anything; verify says so."""
    covered = set()
    for finding in verify(copy, 1):
        covered |= finding.covered
    assert len(covered) > 60
    rng = np.random.default_rng(round(10 * where))
    for path in rng.permutation(sorted(covered))[:2]:
        before = path.read_bytes()
        position = min(int(where * len(before)), len(before) - 1)
        path.write_bytes(before[:position] + bytes([before[position] ^ 1]) + before[position + 1 :])
        findings = list(verify(copy, 1))
        noticed = problems(findings) or [
            line for finding in findings for line in finding.stale
        ]  # a byte of a code's hash
        assert noticed, f"{path}: byte {position}"
        path.write_bytes(before)


def test_a_shard_missing_or_strange_or_half_written(copy):
    (copy / COMBINED / "combined_00001.npz").unlink()
    shutil.copy(copy / COMBINED / "combined_00000.npz", copy / COMBINED / "another.npz")
    (copy / COMBINED / ".combined_00001.npz.77.tmp").write_bytes(b"half")
    found = problems(shards.check(open_results(copy), untracked))
    assert any("combined_00001.npz: missing" in text for text in found)
    assert any("another.npz: in no manifest" in text for text in found)
    assert any("left of a killed run" in text for text in found)


def test_a_manifest_of_another_run(copy):
    edit_manifest(copy / COMBINED, lambda m: m.update(fingerprint="0" * 64, seed=1))
    results = open_results(copy)
    found = problems(shards.check(results, untracked))
    assert any("made under another configuration than its manifest" in text for text in found)
    assert any("different seeds: 1, 2025" in text for text in found)


def test_rows_values_and_failures_that_do_not_fit(copy):
    forge(copy / COMBINED / "combined_00000.npz", lambda a: a["noisy"].__setitem__((2, 5), np.nan))
    forge(copy / COMBINED / "combined_00001.npz", lambda a: a.update(channel=a["channel"][:-1]))
    edit_manifest(copy / "test_data/grid", lambda m: m.update(n_failures=2))
    rows = {finding.check: finding.problems for finding in shards.check(open_results(copy), untracked)}
    assert any("'noisy' holds NaN" in text for text in rows["finite"])
    assert any("'channel' has not the 7 rows" in text for text in rows["rows"])
    assert any("0 failures, the manifest says 2" in text for text in rows["failures"])


def test_a_leaked_subject_fails_and_a_declared_one_is_said(copy):
    path = next((copy / SEGMENTS / "test").glob("*.npz"))
    other = next((copy / SEGMENTS / "train").glob("*.npz"))
    subject = str(np.load(other)["subject"][0])
    forge(path, lambda a: a.update(subject=np.full(len(a["subject"]), subject)))
    found = problems(parts.check_segments(open_results(copy), untracked))
    assert any("train and test share 1 subjects" in text and "no protocol declares it" in text for text in found)

    split = copy / "segments/split.yaml"
    split.write_text(split.read_text() + "label: 'LEAKING: train and test share 1 subjects'\n")
    findings = parts.check_segments(open_results(copy), untracked)
    assert any("train and test share 1 subjects" in text for text in findings[0].leaks)
    lines = [str(line) for line in lines_of(findings[0])]
    assert any(line.startswith("leaks subjects  as declared: ") for line in lines)


def test_a_segment_renamed_into_another_part_is_found_by_its_samples(copy):
    train, test = (next((copy / SEGMENTS / part).glob("*.npz")) for part in ("train", "test"))
    signal = np.load(train)["signal"][0]
    forge(test, lambda a: a["signal"].__setitem__(0, signal))
    found = problems(parts.check_segments(open_results(copy), untracked))
    assert any("of test has the same samples as segment" in text or "of train has the same" in text for text in found)


def test_a_waveform_twice_in_one_part_is_said_and_no_leak(copy):
    test = next((copy / SEGMENTS / "test").glob("*.npz"))
    forge(test, lambda a: a["signal"].__setitem__(0, a["signal"][1]))
    finding = parts.check_segments(open_results(copy), untracked)[1]
    assert finding.problems == []
    assert len(finding.notes) == 1
    assert "test holds the same samples twice" in finding.notes[0]


def test_a_shared_noise_record_fails_and_a_declared_one_is_said(copy):
    train, test = (copy / "noise" / f"sEMG_noise_{part}" / "WGN_0_wgn.npz" for part in ("train", "test"))
    record = str(np.load(train)["record"][0])
    forge(test, lambda a: a.update(record=np.array([record, *a["record"][1:]])))
    found = problems(parts.check_noise(open_results(copy), untracked))
    assert any(f"train and test share 1 noise records ({record})" in text for text in found)

    (copy / "noise/shared_records.txt").write_text(f"train and test share 1 noise records ({record})")
    finding = parts.check_noise(open_results(copy), untracked)
    assert finding.problems == []
    assert len(finding.leaks) == 1


@pytest.mark.parametrize(
    ("stretches", "shared"),
    [(("em@0-60s", "em@60-80s"), False), (("em@0-60s", "em@59-80s"), True), (("em", "em@59-80s"), True)],
)
def test_stretches_of_one_noise_record_may_touch_but_not_overlap(copy, stretches, shared):
    for part, record in zip(("train", "test"), stretches, strict=True):
        path = copy / "noise" / f"sEMG_noise_{part}" / "WGN_0_wgn.npz"
        forge(path, lambda a, record=record: a.update(record=np.full(len(a["record"]), record)))
    assert bool(problems(parts.check_noise(open_results(copy), untracked))) == shared


SPOILED = {
    "gain": (lambda a: a["gain"].__imul__(1.001), "do not give the noisy signal"),
    "clean": (lambda a: a["clean"].__setitem__((0, 7), a["clean"][0, 7] * 1.01), "its clean signal is not segment"),
    "label": (lambda a: a["snr_db"].__iadd__(1.0), "its label says"),
    "offset": (lambda a: a["noise_offset"].__setitem__(a["kinds"], 1), "do not give the noisy signal"),
    "beyond": (lambda a: a["noise_offset"].__setitem__(a["kinds"], 10**6), "are not in piece"),
    "name": (lambda a: a["noise_name"].__setitem__(a["kinds"], "x"), "is not the name of its piece"),
    "count": (lambda a: a["n_kinds"].__iadd__(1), "kinds are in"),
}


@pytest.mark.parametrize("what", SPOILED)
def test_a_mixture_that_is_not_what_its_recipe_gives(copy, what):
    change, message = SPOILED[what]
    forge(copy / COMBINED / "combined_00000.npz", change)
    found = problems(mixtures.check(open_results(copy), untracked))
    assert any(message in text for text in found), found[:3]


def test_a_louder_mixture_with_fitting_gains_has_another_snr(copy):
    def louder(a):
        a["gain"] *= 2
        for row, used in enumerate(a["kinds"]):
            noise = np.zeros(a["clean"].shape[1])
            for k in np.flatnonzero(used):
                pieces = np.load(next((copy / "noise/sEMG_noise_test").glob(f"{KINDS[k]}_0_*.npz")))["noise"]
                start = a["noise_offset"][row, k]
                noise += a["gain"][row, k] * pieces[a["noise_piece"][row, k], start : start + len(noise)].astype(float)
            a["noisy"][row] = a["clean"][row] + noise

    forge(copy / COMBINED / "combined_00000.npz", louder)
    found = problems(mixtures.check(open_results(copy), untracked))
    assert len(found) == 9
    assert all("its SNR is" in text for text in found)


def test_a_recipe_that_its_seed_does_not_draw_and_a_seed_used_twice(copy):
    path = copy / COMBINED / "combined_00000.npz"

    def other(a):
        kinds = np.flatnonzero(a["kinds"][0])
        a["noise_offset"][0, kinds] += 1

    forge(path, other)
    assert any("is not what its seed draws" in text for text in problems(draws.check(open_results(copy), untracked)))

    def twice(a):
        for name in ("segment_id", "mixture_id"):
            a[name][1] = a[name][0]

    forge(path, twice)
    found = problems(draws.check(open_results(copy), untracked))
    assert any("another mixture has its id or its seed" in text for text in found)


def test_seeds_that_collide_are_told_from_chance():
    tally = draws.Tally()
    for _ in range(8):
        tally.recipes["library", (0,), (5,)] += 1
    tally.places["library", (0,)] = 1_000_000
    assert draws._by_chance(tally) == pytest.approx(28e-6)
    assert draws._poisson_tail(28, draws._by_chance(tally)) < draws.IMPROBABLE
    assert draws._poisson_tail(1, 0.9) > draws.IMPROBABLE
    assert draws._poisson_tail(2, 3.0) == 1.0


@pytest.mark.parametrize("key", ["SNRimp", "RMSE", "PRD", "LSD", "RMSE_ARV", "RMSE_ZCR", "RMSE_MNF", "RMSE_Kurtosis"])
def test_an_altered_metric_of_one_mixture(copy, key):
    path = copy / "denoised/hp/blind/combined/combined_00000.npz"
    forge(path, lambda a: a[f"standard.{key}"].__setitem__(3, a[f"standard.{key}"][3] * 1.0001))
    (copy / "denoised/hp/blind/combined/metrics.csv").unlink()
    found = problems(scores.check(open_results(copy), 50, untracked))
    assert any(f"row 3: standard.{key} is" in text for text in found), found


def test_without_waveforms_altered_scores_are_found_all_the_same(copy):
    path = copy / "denoised/hp/blind/grid/snr0_k1_00000.npz"
    assert "denoised" not in np.load(path).files
    forge(path, lambda a: a["standard.SNRimp"].__iadd__(0.5))
    found = problems(scores.check(open_results(copy), 50, untracked))
    assert any("standard.SNRimp is" in text for text in found)


def test_scores_beside_other_mixtures(copy):
    path = copy / "denoised/hp/blind/combined/combined_00000.npz"
    forge(path, lambda a: a.update(snr_db=a["snr_db"][::-1].copy()))
    assert any("'snr_db' is not that of" in text for text in problems(scores.check(open_results(copy), 1, untracked)))


@pytest.mark.parametrize("name", [
    "table1.csv", "by_noise.csv", "snr_by_kinds.csv", "table1_published.csv", "by_person.csv",
])  # fmt: skip
def test_an_altered_number_of_a_table(copy, name):
    path = copy / "tables" / name
    text = path.read_text()
    line = next(line for line in text.splitlines() if line.startswith(("hp,", "grid,hp,")))
    fields = line.partition(",,")[0] if name == "table1.csv" else line  # before what is resampled
    number = next(f for f in reversed(fields.split(",")) if re.fullmatch(r"-?\d+\.\d+", f))
    path.write_text(text.replace(number, str(round(float(number) + 0.01, 6)), 1))
    assert any(name in text for text in problems(tables.check(open_results(copy)))), (line, number)


@pytest.mark.parametrize("column", ["difference", "difference_low", "sd", "p", "p_holm", "n_mixtures"])
def test_an_altered_number_of_a_comparison(copy, column):
    path = copy / "tables/paired.csv"
    header, first, *others = path.read_text().splitlines()
    fields, at = first.split(","), header.split(",").index(column)
    fields[at] = f"{float(fields[at] or 0) * 0.999 + 0.001:.9g}"
    path.write_text("\n".join([header, ",".join(fields), *others]) + "\n")
    found = [
        text
        for text in problems(tables.check(open_results(copy)))
        if "paired.csv: " in text and not text.endswith("altered since the tables were made")
    ]
    assert any(f"{column} of " in text for text in found) or (column == "p" and found)


@pytest.mark.parametrize("suffix", [".md", ".tex"])
def test_a_number_that_people_read_is_one_of_the_csv(copy, suffix):
    path = copy / "tables" / f"table1{suffix}"
    text = path.read_text()
    row = next(line for line in text.splitlines() if re.match(r"\|? ?hp", line))
    number = re.search(r"\d+\.\d+", row)[0]
    path.write_text(text.replace(row, row.replace(number, f"{float(number) + 7:.2f}", 1), 1))
    assert any("is no number of table1.csv" in text for text in problems(tables.check(open_results(copy))))


@pytest.mark.parametrize("name", ["paired.csv", "ranks.md", "snrimp_by_snr.png", "config.yaml"])
def test_a_changed_byte_of_what_is_not_computed_again(copy, name):
    path = copy / "tables" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert f"{path}: altered since the tables were made" in problems(tables.check(open_results(copy)))
    path.unlink()
    assert f"{path}: missing" in problems(tables.check(open_results(copy)))


def test_hashes_of_tables_that_are_not_there_or_not_hashes(copy):
    path = copy / "tables/SHA256SUMS"
    path.write_text("nonsense\n")
    assert any("is no line of hash and file" in text for text in problems(tables.check(open_results(copy))))
    path.unlink()
    assert any("is not there" in note for note in tables.check(open_results(copy)).notes)


def test_a_row_left_out_of_the_table(copy):
    path = copy / "tables/table1.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    assert any("its rows are not the denoisers" in text for text in problems(tables.check(open_results(copy))))


def test_the_single_file_is_the_shards(copy):
    path = copy / "test_data/test_combined.npz"
    arrays = dict(np.load(path))
    arrays["noisy"][4, 4] += 1
    np.savez(path, **arrays)
    assert any("'noisy' is not that of" in text for text in problems(scores.check_export(open_results(copy))))


def test_what_cannot_be_read_is_a_failure_not_a_traceback(copy):
    (copy / COMBINED / "manifest.json").write_text("[]")
    path = copy / SEGMENTS / "test"
    next(path.glob("*.npz")).write_bytes(b"PK not a zip")
    findings = {finding.check: finding for finding in verify(copy)}
    assert any("not a manifest" in text for text in findings["hashes"].problems)
    assert findings["mixtures"].problems
    assert findings["subjects"].problems


def test_a_folder_without_results(tmp_path):
    with pytest.raises(UserError, match="holds no results"):
        list(verify(tmp_path))
    with pytest.raises(UserError, match="no such folder"):
        list(verify(tmp_path / "nothing"))
