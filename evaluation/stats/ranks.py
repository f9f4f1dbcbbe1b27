"""Mean ranks of denoisers over subjects, Friedman's test, and which differences of ranks are critical.

Subjects are the blocks: in each, the denoiser with the best mean has rank 1. Source: J. Demšar, Journal of Machine
Learning Research 7 (2006) 1, whose Nemenyi test and diagram scikit-posthocs provides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cleansemg.evaluation.stats.paired import SIGNIFICANT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = NDArray[np.float64]
FEWEST_DENOISERS, FEWEST_SUBJECTS = 3, 3


@dataclass(frozen=True)
class Ranks:
    """Ranks of k denoisers over S subjects.

    Attributes:
        labels: names of the denoisers.
        mean: [k] mean rank, 1 is best; equal values share the mean of their ranks.
        friedman_p: p value of Friedman's test that all denoisers have the same mean rank.
        p: [k, k] p values of Nemenyi's test of each pair; 1 on the diagonal.
        critical_difference: least significant difference of two mean ranks, at 5 %.
        n_subjects: number of subjects, the blocks of the tests.
    """

    labels: tuple[str, ...]
    mean: FloatArray
    friedman_p: float
    p: FloatArray
    critical_difference: float
    n_subjects: int


def rank(labels: Sequence[str], values: FloatArray, better: str = "higher") -> Ranks | None:
    """Ranks from means by subject.

    Args:
        labels: k names, all different.
        values: [S, k] means, finite.
        better: "higher" or "lower": which values have the first ranks.

    Returns:
        The ranks; None for fewer than three denoisers or three subjects, where Friedman's test does not exist.
    """
    n_subjects, k = values.shape
    if k < FEWEST_DENOISERS or n_subjects < FEWEST_SUBJECTS:
        return None
    import scikit_posthocs  # after the return: its import takes seconds, and few rows need it
    from scipy import stats

    ranks = stats.rankdata(-values if better == "higher" else values, axis=1)
    # where all denoisers tie for every subject, the statistic is 0 / 0 and there is no evidence of a difference
    all_tied = bool((ranks == ranks[:, :1]).all())
    friedman = 1.0 if all_tied else float(stats.friedmanchisquare(*ranks.T).pvalue)
    nemenyi = np.asarray(scikit_posthocs.posthoc_nemenyi_friedman(ranks), np.float64)
    quantile = float(stats.studentized_range.ppf(1 - SIGNIFICANT, k, np.inf)) / np.sqrt(2)
    critical = float(quantile * np.sqrt(k * (k + 1) / (6 * n_subjects)))
    return Ranks(tuple(labels), ranks.mean(axis=0), friedman, nemenyi, critical, n_subjects)


def draw(ranks: Ranks, axes: Axes) -> None:
    """Demšar's diagram: mean ranks on a scale, and a bar across those that are not critically different.

    The title states the critical difference: a bar for it would cover the numbers of the scale.
    """
    import pandas as pd
    import scikit_posthocs

    # without this, matplotlib reads a name with two dollar signs as a formula
    shown = [label.replace("$", r"\$") for label in ranks.labels]
    drawn = scikit_posthocs.critical_difference_diagram(
        pd.Series(ranks.mean, index=shown),
        pd.DataFrame(ranks.p, index=shown, columns=shown),
        alpha=SIGNIFICANT,
        ax=axes,
        label_fmt_left="{label} ({rank:.1f})",
        label_fmt_right="({rank:.1f}) {label}",
        elbow_props={"color": "0.35", "linewidth": 1.0},
        crossbar_props={"color": "#0072B2", "linewidth": 3.0},
        marker_props={"color": "0.2", "s": 14},
        text_h_margin=0.02,
    )
    for (bar,) in drawn["crossbars"]:  # their ends come from a set, whose order differs between processes
        bar.set_xdata(sorted(bar.get_xdata()))
