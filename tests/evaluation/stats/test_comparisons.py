"""Comparisons of denoisers from scores made by hand, and the tables made of them."""

import csv
import io
import math

import numpy as np
import pytest

from cleansemg.core.errors import ArtifactError
from cleansemg.core.rendering import to_csv, to_markdown
from cleansemg.evaluation import metrics, tables
from cleansemg.evaluation.scores import Scores
from cleansemg.evaluation.settings import Tables
from cleansemg.evaluation.stats import breakdowns, comparison_tables
from cleansemg.evaluation.stats.comparisons import against_best, all_pairs, best, compare, compared, subject_means
from cleansemg.evaluation.stats.paired import signed_rank
from cleansemg.settings import Settings

SETTINGS = Settings(tables=Tables(bootstrap_resamples=300))
N_SUBJECTS, EACH = 8, 6


def scores(label, snrimp, track="blind", **changed):
    n = N_SUBJECTS * EACH
    rows = np.arange(n)
    base = {
        "snr_db": np.where(rows % 2, 5.0, -5.0), "n_kinds": 1 + rows % 3, "kinds": np.eye(5, dtype=bool)[rows % 5],
        "subject": np.array([f"db{s % 2}/{s}" for s in rows // EACH]), "failed": ~np.isfinite(snrimp),
        "values": {f"standard.{name}": np.asarray(snrimp, float) for name in metrics.catalogue("standard")},
    }  # fmt: skip
    return Scores(label=label, track=track, **{**base, **changed})


def some(n=4, seed=0):
    rng = np.random.default_rng(seed)
    subject = rng.normal(0, 3, N_SUBJECTS).repeat(EACH)
    return [scores(f"d{i}", subject + rng.normal(0.7 * i, 1, N_SUBJECTS * EACH)) for i in range(n)]


def test_a_pair_is_the_test_of_means_by_subject():
    a, b = some(2)
    found = compare(a, b, "standard", "SNRimp", SETTINGS)
    left, right = (x.values["standard.SNRimp"].reshape(N_SUBJECTS, EACH).mean(axis=1) for x in (a, b))
    assert found.difference == pytest.approx(float((left - right).mean()))
    assert found.p == pytest.approx(signed_rank(left - right).p)
    assert (found.n_subjects, found.n_mixtures) == (N_SUBJECTS, N_SUBJECTS * EACH)
    assert found.low < found.difference < found.high


def test_failed_mixtures_count_in_neither_and_the_others_are_kept():
    a, b = some(2)
    values = b.values["standard.SNRimp"].copy()
    values[:EACH] = np.nan  # everything of the first subject
    values[EACH] = np.nan  # one of the second
    with_gaps = scores("gaps", values)
    found = compare(a, with_gaps, "standard", "SNRimp", SETTINGS)
    assert (found.n_subjects, found.n_mixtures) == (N_SUBJECTS - 1, N_SUBJECTS * EACH - EACH - 1)
    both = np.isfinite(values)
    expected = [
        (a.values["standard.SNRimp"] - values)[both & (a.subject == name)].mean()
        for name in sorted(set(a.subject[both].tolist()))
    ]
    assert found.difference == pytest.approx(float(np.mean(expected)))
    names, means = subject_means([a, with_gaps], "standard", "SNRimp")
    assert means.shape == (N_SUBJECTS - 1, 2)
    assert len(names) == N_SUBJECTS - 1


def test_nothing_in_common_has_no_p():
    a, b = some(2)
    nothing = scores("nothing", np.full(N_SUBJECTS * EACH, np.nan))
    found = compare(a, nothing, "standard", "SNRimp", SETTINGS)
    assert math.isnan(found.p)
    assert math.isnan(found.difference)
    pairs = all_pairs([a, b, nothing], "standard", "SNRimp", SETTINGS)
    assert pairs[0].p_holm == pairs[0].p  # the other two are no comparisons


def test_holm_is_over_the_pairs_of_a_track():
    rows = some(4)
    pairs = all_pairs(rows, "standard", "SNRimp", SETTINGS)
    assert len(pairs) == 6
    smallest = min(pairs, key=lambda one: one.p)
    assert smallest.p_holm == pytest.approx(min(1.0, 6 * smallest.p))
    beside = against_best(rows, "standard", "SNRimp", SETTINGS)
    assert set(beside) == {"d0", "d1", "d2"}
    assert best(rows, "standard", "SNRimp").label == "d3"
    nearest = min(beside.values(), key=lambda one: one.p)
    assert nearest.p_holm == pytest.approx(min(1.0, 3 * nearest.p))


def test_floor_and_ceiling_are_not_compared_and_tracks_stay_apart():
    ceilings = ("wiener_oracle", "psm_oracle", "psd_oracle", "gain_oracle")
    rows = [*some(2), scores("zero", np.zeros(48)), *(scores(name, np.full(48, 20.0), "oracle") for name in ceilings)]
    rows += [scores("d0", np.ones(48), "oracle"), scores("gain", np.ones(48)), scores("identity", np.zeros(48))]
    assert {track: [s.label for s in found] for track, found in compared(rows).items()} == {
        "blind": ["d0", "d1", "gain", "identity"], "oracle": ["d0"],
    }  # fmt: skip


def test_other_mixtures_are_refused():
    a, b = some(2)
    other = scores("other", b.values["standard.SNRimp"], snr_db=np.zeros(48))
    with pytest.raises(
        ArtifactError, match=r"other \(blind\) and d0 \(blind\) were not evaluated on the same mixtures"
    ):
        compared([a, other])


def test_table_1_gets_p_and_notes_and_keeps_its_numbers():
    rows = some(3)
    table = tables.table1(rows, SETTINGS, "standard", ["a note"])
    by_name = {row["denoiser"]: row for row in table.rows}
    assert by_name["d2"]["p_best"] == "best"
    assert 0 < by_name["d0"]["p_best"] <= 1
    assert by_name["d0"]["SNRimp"] == pytest.approx(float(rows[0].values["standard.SNRimp"].mean()))
    assert any("p vs best" in note for note in table.notes)
    assert "| best" in to_markdown(table).replace("|      best", "| best")


def test_few_subjects_are_said_to_show_nothing():
    few = [scores(s.label, s.values["standard.SNRimp"], subject=np.array(["x/1"] * 24 + ["x/2"] * 24)) for s in some(3)]
    _, notes = comparison_tables.beside_best(few, "standard", SETTINGS)
    assert any("2 subjects cannot show a difference at all" in note for note in notes)
    assert comparison_tables.ranks_of(few, "standard") == {"blind": None}
    assert "SNRimp, blind: no ranks" in comparison_tables.ranks_table({"SNRimp": {"blind": None}}).notes[1]


@pytest.mark.parametrize(("maker", "key"), [
    (breakdowns.by_snr, "snr_db"), (breakdowns.by_count, "n_kinds"), (breakdowns.by_database, "database"),
])  # fmt: skip
def test_breakdowns_partition_the_mixtures_and_average_to_the_whole(maker, key):
    rows = some(2)
    long, matrix = maker(rows, "standard", SETTINGS)
    read = list(csv.DictReader(io.StringIO(to_csv(long))))
    own = [row for row in read if row["denoiser"] == "d1"]
    assert sum(int(row["n_mixtures"]) for row in own) == N_SUBJECTS * EACH
    assert len({row[key] for row in own}) == len(own)
    total = sum(float(row["SNRimp"]) * int(row["n_mixtures"]) for row in own) / (N_SUBJECTS * EACH)
    assert total == pytest.approx(float(rows[1].values["standard.SNRimp"].mean()), rel=1e-7)
    for row in own:
        assert float(row["SNRimp_low"]) <= float(row["SNRimp"]) <= float(row["SNRimp_high"])
    assert len(matrix.rows) == 2


def test_by_kind_takes_mixtures_of_one_kind_alone():
    (row,) = breakdowns.by_kind(some(1), "standard", SETTINGS, None).rows
    one = some(1)[0]
    alone = one.kinds[:, 1] & (one.n_kinds == 1)
    assert row["n_ECG"] == alone.sum()
    assert row["ECG"] == pytest.approx(float(one.values["standard.SNRimp"][alone].mean()))
    assert row["ECG_low"] <= row["ECG"] <= row["ECG_high"]
