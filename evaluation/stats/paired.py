"""Paired comparison of two denoisers over subjects: Wilcoxon's signed-rank test, its effect size, Holm's correction,
and what so many subjects can show.

Sources: F. Wilcoxon, Biometrics Bulletin 1 (1945) 80; S. Holm, Scandinavian Journal of Statistics 6 (1979) 65;
D. S. Kerby, Comprehensive Psychology 3 (2014) 11, for the matched-pairs rank-biserial correlation; J. Cohen,
Statistical Power Analysis (2nd ed. 1988), chapter 2, for the smallest detectable difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
SIGNIFICANT = 0.05
QUADRATURE = 4000  # points of the integral over the estimated standard deviation
POWER = 0.8  # with which the smallest detectable difference is detected
EXACT_SUBJECTS = 50  # without ties, the exact distribution is used up to this number
EXACT_TIED_SUBJECTS = 13  # with ties, all combinations of signs are tried up to this number


@dataclass(frozen=True)
class SignedRank:
    """A two-sided test of paired differences.

    Attributes:
        n: number of differences that are not zero; zeros have no direction and are left out.
        p: probability of a statistic at least as far from its mean if the signs are random; 1 where n is 0.
        effect: matched-pairs rank-biserial correlation, (W+ - W-) / (W+ + W-): 1 where all differences are positive.
        exact: False where p is from the normal approximation.
    """

    n: int
    p: float
    effect: float
    exact: bool


def signed_rank(differences: FloatArray) -> SignedRank:
    """Wilcoxon's signed-rank test of the differences of independent units, here subjects: [S].

    Raises:
        ValueError: a difference is NaN or infinite.

    >>> signed_rank(np.array([1.0, 2.0, 3.0, 4.0, 5.0, -6.0]))
    SignedRank(n=6, p=0.4375, effect=0.42857142857142855, exact=True)
    """
    from scipy import stats

    if not np.isfinite(differences).all():
        raise ValueError("differences must be finite")
    nonzero = differences[differences != 0]
    if not len(nonzero):
        return SignedRank(0, 1.0, 0.0, True)
    ranks = stats.rankdata(np.abs(nonzero))
    signed = float(np.sum(np.sign(nonzero) * ranks) / np.sum(ranks))
    tied = len(np.unique(np.abs(nonzero))) < len(nonzero)
    exact = len(nonzero) <= (EXACT_TIED_SUBJECTS if tied else EXACT_SUBJECTS)
    method = "asymptotic" if not exact else stats.PermutationMethod(n_resamples=np.inf) if tied else "exact"
    test = stats.wilcoxon(nonzero, method=method)
    return SignedRank(len(nonzero), float(min(test.pvalue, 1.0)), signed, exact)


def smallest_p(n: int) -> float:
    """The smallest p that the exact test can reach with n differences.

    >>> smallest_p(5), smallest_p(6)
    (0.0625, 0.03125)
    """
    return min(1.0, 2.0 ** (1 - n))


@lru_cache(maxsize=64)
def detectable_effect(n: int, alpha: float = SIGNIFICANT, power: float = POWER) -> float:
    """The smallest mean difference, in its standard deviations, that n differences show with this power.

    Of a two-sided paired t test, by the noncentral t distribution, integrated here since scipy's ends where few
    differences and a small alpha need it; NaN below two differences. The signed-rank test needs about 5 % more subjects
    where differences are normal.

    >>> round(detectable_effect(16), 3)
    0.749
    """
    from scipy import optimize, special

    if n < 2:
        return float("nan")
    critical = float(special.stdtrit(n - 1, 1 - alpha / 2))
    # the power is a mean over the estimated standard deviation, chi distributed, here at the middles of equal parts
    parts = (np.arange(QUADRATURE) + 0.5) / QUADRATURE
    bounds = critical * np.sqrt(2 * special.gammaincinv((n - 1) / 2, parts) / (n - 1))

    def lacking(shift: float) -> float:
        return float(power - np.mean(special.ndtr(shift - bounds) + special.ndtr(-shift - bounds)))

    return float(optimize.brentq(lacking, 0.0, 3 * critical + 10) / np.sqrt(n))


def holm(p: Sequence[float] | FloatArray) -> FloatArray:
    """Adjust the p values of a family by Holm's method, which controls the family-wise error rate.

    The i-th smallest of m is multiplied by m - i + 1; results are made monotonic and are at most 1. NaN stays NaN and
    does not count.

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    raw = np.asarray(p, np.float64)
    adjusted = np.full(len(raw), np.nan)
    known = np.flatnonzero(np.isfinite(raw))
    order = known[np.argsort(raw[known], kind="stable")]
    factors = len(order) - np.arange(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(raw[order] * factors), 1.0)
    return adjusted


def power_note(n_subjects: int, n_comparisons: int) -> str:
    """A sentence that says that there are too few subjects for significance; "" where there are enough."""
    least = smallest_p(n_subjects)
    if least > SIGNIFICANT:
        return (
            f"{n_subjects} subjects cannot show a difference at all: the smallest p that the test reaches with so few "
            f"is {least:.3g}, above {SIGNIFICANT}."
        )
    if least * n_comparisons > SIGNIFICANT:
        return (
            f"{n_subjects} subjects are too few for {n_comparisons} comparisons: the smallest p, {least:.3g}, becomes "
            f"{min(1.0, least * n_comparisons):.3g} by Holm's correction, above {SIGNIFICANT}."
        )
    return ""
