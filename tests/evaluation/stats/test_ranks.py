import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from cleansemg.evaluation import pictures
from cleansemg.evaluation.stats.ranks import draw, rank
from tests.conftest import ROOT

LABELS = ["a", "b", "c", "d"]


def values(n_subjects=10, step=0.8, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_subjects, 4)) + step * np.arange(4)


def test_the_best_has_the_first_rank_and_direction_turns_it_round():
    up, down = rank(LABELS, values(step=9.0)), rank(LABELS, values(step=9.0), "lower")
    assert up.mean.tolist() == [4, 3, 2, 1]
    assert down.mean.tolist() == [1, 2, 3, 4]


def test_friedman_is_scipys_and_does_not_depend_on_the_scale():
    x = values(step=0.4)
    found = rank(LABELS, x)
    assert found.friedman_p == pytest.approx(stats.friedmanchisquare(*x.T).pvalue)
    assert rank(LABELS, 1e-6 * x).friedman_p == found.friedman_p


def test_nemenyi_and_the_critical_difference_agree():
    """Two denoisers differ at 5 % where their mean ranks are a critical difference apart; q from Demsar's table 5."""
    found = rank(LABELS, values(step=0.7))
    assert found.critical_difference == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 10)), rel=2e-3)
    apart = np.abs(found.mean[:, None] - found.mean[None])
    clear = np.abs(apart - found.critical_difference) > 0.02
    np.fill_diagonal(clear, False)
    assert ((found.p < 0.05) == (apart > found.critical_difference))[clear].all()


def test_equal_denoisers_share_ranks_and_show_nothing():
    same = np.repeat(np.arange(6.0)[:, None], 4, axis=1)
    found = rank(LABELS, same)
    assert found.mean.tolist() == [2.5] * 4
    assert found.friedman_p == 1.0
    assert (found.p > 0.99).all()


@pytest.mark.parametrize("shape", [(2, 4), (10, 2), (0, 4)])
def test_too_few_have_no_ranks(shape):
    assert rank(LABELS[: shape[1]], np.zeros(shape)) is None


def test_the_diagram_shows_every_name_as_it_is(tmp_path):
    labels = ["<script>", "a $x$ b", "c", "d"]
    found = rank(labels, values())
    figure = pictures.new_figure(9, 3)
    axes = figure.add_subplot()
    draw(found, axes)
    texts = " ".join(text.get_text() for text in axes.texts)
    for label in ("<script>", r"a \$x\$ b", "c", "d"):
        assert label in texts
    pictures.critical_differences(found, "blind", tmp_path / "one.png")
    pictures.critical_differences(found, "blind", tmp_path / "two.png")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_the_diagram_is_the_same_in_every_process(tmp_path):
    """scikit-posthocs draws its bars through sets of names, whose order follows the hash seed."""
    code = (
        "import sys, numpy as np; from pathlib import Path; from cleansemg.evaluation import pictures; "
        "from cleansemg.evaluation.stats.ranks import rank; x = np.random.default_rng(5).normal(0, 1, (8, 6)) + np.arange(6); "
        "pictures.critical_differences(rank(list('abcdef'), x), 'blind', Path(sys.argv[1]))"
    )
    for seed in ("0", "1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", code, str(tmp_path / seed)], cwd=ROOT, env=env, check=True)
    assert len({(tmp_path / seed).read_bytes() for seed in ("0", "1", "2")}) == 1
