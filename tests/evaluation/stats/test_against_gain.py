"""Denoisers against `gain`, tables by person, and what a number of people can show, from scores made by hand."""

import numpy as np
import pytest
from scipy import stats

from cleansemg.core.rendering import to_markdown
from cleansemg.evaluation.stats import breakdowns, comparison_tables
from cleansemg.evaluation.stats.comparison_tables import beyond_gain, paired, what_people_show
from cleansemg.evaluation.stats.comparisons import against_gain, all_pairs, compare
from cleansemg.evaluation.stats.intervals import person_interval
from cleansemg.evaluation.stats.paired import detectable_effect, holm, signed_rank
from tests.evaluation.stats.test_comparisons import EACH, N_SUBJECTS, SETTINGS, scores, some

N = N_SUBJECTS * EACH


def with_gain():
    rng = np.random.default_rng(11)
    gain = scores("gain", rng.normal(2, 1, N))
    rows = [
        scores("better", gain.values["standard.SNRimp"] + rng.normal(2, 0.3, N)),
        scores("same", rng.normal(2, 1, N)),
    ]
    oracle = scores("better", gain.values["standard.SNRimp"] + rng.normal(3, 0.3, N), track="oracle")
    return [scores("zero", np.zeros(N)), scores("identity", np.zeros(N)), gain, *rows, oracle]


def test_every_method_is_compared_with_gain_and_holm_is_over_those_of_a_track():
    every = with_gain()
    found = against_gain(every, "standard", "SNRimp", SETTINGS)
    assert [(one.a, one.b, one.track) for one in found] == [
        ("identity", "gain", "blind"), ("better", "gain", "blind"), ("same", "gain", "blind"),
        ("better", "gain", "oracle"),  # gain has no row of its own there: the blind one, on the same mixtures
    ]  # fmt: skip
    blind = found[:3]
    np.testing.assert_allclose([one.p_holm for one in blind], holm([one.p for one in blind]))
    assert found[3].p_holm == found[3].p
    by_name = {one.a: one for one in blind}
    assert by_name["better"].low > 0
    assert by_name["better"].p_holm < 0.05 < by_name["same"].p_holm
    assert by_name["identity"].high < 0


def test_without_gain_there_is_no_such_table():
    assert beyond_gain(some(3), "standard", SETTINGS) == []
    only_oracle = [scores("gain", np.ones(N), track="oracle"), *some(2)]
    assert against_gain(only_oracle, "standard", "SNRimp", SETTINGS) == []  # never across other tracks than blind


def test_the_difference_has_the_t_interval_of_paired_differences():
    a, b = some(2)
    one = compare(a, b, "standard", "SNRimp", SETTINGS)
    differences = (a.values["standard.SNRimp"] - b.values["standard.SNRimp"]).reshape(N_SUBJECTS, EACH).mean(axis=1)
    expected = stats.ttest_1samp(differences, 0.0).confidence_interval(0.95)
    np.testing.assert_allclose([one.low, one.high], expected, rtol=1e-12)
    assert one.sd == pytest.approx(differences.std(ddof=1))


def test_both_headlines_stand_in_the_tables_each_with_what_the_people_show():
    every = with_gain()
    for long, *shown in (paired(every, "standard", SETTINGS), beyond_gain(every, "standard", SETTINGS)):
        assert [table.title.rpartition(": ")[2] for table in shown] == ["SI_SDRimp (dB)", "SNRimp (dB)"]
        assert {row["metric"] for row in long.rows} >= {"SI_SDRimp", "SNRimp", "PRD"}
        for table in shown:
            text = to_markdown(table)
            assert "the smallest p is" in text
            assert "80% power" in text
    (_, only) = paired(every, "standard", SETTINGS, ["SNRimp"])
    assert "SNRimp" in only.title


def test_the_line_under_the_table_lists_what_cannot_be_told():
    every = with_gain()
    (blind, oracle) = what_people_show(against_gain(every, "standard", "SNRimp", SETTINGS), "dB")
    assert "Not told apart (1 of 3): same from gain." in blind
    assert oracle.endswith("All 1 are told apart.")
    pairs = all_pairs(every[2:5], "standard", "SNRimp", SETTINGS)
    sd = np.median([one.sd for one in pairs])
    assert f"a difference of {sd * detectable_effect(8):.2g} dB in a single test" in what_people_show(pairs, "dB")[0]
    assert "the smallest p is 0.0078, 0.023 after that" in what_people_show(pairs, "dB")[0]


def test_one_person_has_no_such_line():
    alone = [scores(s.label, s.values["standard.SNRimp"], subject=np.array(["x/1"] * N)) for s in some(2)]
    assert what_people_show(all_pairs(alone, "standard", "SNRimp", SETTINGS), "dB") == []


@pytest.mark.parametrize("n", [3, 8, 16, 30])
def test_the_detectable_effect_has_its_power(n):
    effect, critical = detectable_effect(n), stats.t.ppf(0.975, n - 1)
    shift = effect * np.sqrt(n)
    power = stats.nct.sf(critical, n - 1, shift) + stats.nct.cdf(-critical, n - 1, shift)
    assert power == pytest.approx(0.8, abs=1e-5)
    assert detectable_effect(n, 0.05 / 91) > effect > detectable_effect(n + 1)


def test_nothing_is_detectable_with_one_person():
    assert np.isnan(detectable_effect(1))


def test_the_signed_rank_test_has_about_that_power():
    rng = np.random.default_rng(0)
    differences = rng.normal(detectable_effect(16), 1, size=(600, 16))
    assert np.mean([signed_rank(row).p < 0.05 for row in differences]) == pytest.approx(0.8, abs=0.06)


def test_by_person_holds_the_means_whose_mean_and_interval_table_1_has():
    every = some(2)
    long, matrix = breakdowns.by_person(every, "standard", SETTINGS)
    assert len(long.rows) == 2 * N_SUBJECTS
    of_one = [row for row in long.rows if row["denoiser"] == "d1"]
    values = every[1].values["standard.SNRimp"]
    mean, low, high = person_interval(values[:, None], every[1].subject, 0.95)
    means = np.array([row["SNRimp"] for row in of_one])
    assert means.mean() == pytest.approx(mean[0])
    np.testing.assert_allclose(stats.ttest_1samp(means, 0.0).confidence_interval(0.95), [low[0], high[0]], rtol=1e-12)
    assert all(row["n_mixtures"] == EACH for row in of_one)
    assert [row["person"] for row in matrix.rows] == sorted(set(every[0].subject.tolist()))
    assert [row["d1 blind"] for row in matrix.rows] == pytest.approx(means.tolist())


def test_by_person_leaves_a_blank_for_who_has_no_value():
    a, b = some(2)
    values = b.values["standard.SNRimp"].copy()
    values[:EACH] = np.nan
    _, *matrices = breakdowns.by_person([a, scores("gaps", values)], "standard", SETTINGS, comparison_tables.HEADLINES)
    assert [table.title for table in matrices] == ["By person: SI_SDRimp (dB)", "By person: SNRimp (dB)"]
    first = next(row for row in matrices[1].rows if row["person"] == a.subject[0])
    assert np.isnan(first["gaps blind"])
    assert np.isfinite(first["d0 blind"])
