"""The interval of a mean over two crossed factors, such as training seeds and people: every seed meets every person.

A mean over few seeds varies with the seeds and with the people, and each of the two has to be seen through the noise
of the other. With seed s, person p and the value y of the fit with s on the mixtures of p,

    y = mu + a_s + b_p + e_sp,   a ~ (0, A), b ~ (0, B), e ~ (0, E), independent,

the variance of the mean over S seeds and P people is A/S + B/P + E/(SP). It is estimated by (MS_a + MS_b) / (SP) with
the mean squares of the two-way layout, MS_a = P var(seeds' means) and MS_b = S var(people's means), whose expectation
is A/S + B/P + 2E/(SP): never below the truth, never negative, and so without the branches that the unbiased estimate
needs. The degrees of freedom of the sum are Satterthwaite's, (MS_a + MS_b)^2 / (MS_a^2 / (S-1) + MS_b^2 / (P-1)).

Source: F. E. Satterthwaite, Biometrics Bulletin 2 (1946) 110; H. Scheffe, The Analysis of Variance (1959), section 7.4,
for the layout; A. B. Owen, Annals of Applied Statistics 1 (2007) 386, for crossed factors: his bootstrap errs to the
same side, and is not used here, since two or three seeds are too few to draw from.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def crossed_interval(means: FloatArray, confidence: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean over seeds and people, and its interval over both.

    Args:
        means: [S, P, M] mean of each of S seeds for each of P people of M quantities; a person with NaN for one of the
            seeds is left out of that quantity.
        confidence: e.g. 0.95.

    Returns:
        Mean, lower and upper limit, [M] each: NaN where nobody has a value; limits NaN below two seeds or two people.

    >>> means = np.array([[[1.0], [3.0]], [[1.0], [3.0]]])  # seeds agree, so only people count
    >>> [round(float(limit[0]), 3) for limit in crossed_interval(means, 0.95)]
    [2.0, -10.706, 14.706]
    """
    columns = [_one(means[:, :, column], confidence) for column in range(means.shape[2])]
    mean, low, high = np.array(columns).reshape(-1, 3).T
    return mean, low, high


def _one(values: FloatArray, confidence: float) -> tuple[float, float, float]:
    """The same of one quantity, [S, P]."""
    from scipy.special import stdtrit

    values = values[:, np.isfinite(values).all(axis=0)]
    seeds, people = values.shape
    if people == 0:
        return np.nan, np.nan, np.nan
    mean = float(values.mean())
    if seeds < 2 or people < 2:
        return mean, np.nan, np.nan
    of_seeds, of_people = values.mean(axis=1), values.mean(axis=0)
    squares = np.array([people * of_seeds.var(ddof=1), seeds * of_people.var(ddof=1)])
    total = float(squares.sum())
    if total == 0:
        return mean, mean, mean
    freedom = total**2 / float((squares**2 / [seeds - 1, people - 1]).sum())
    half = float(stdtrit(freedom, (1 + confidence) / 2)) * np.sqrt(total / (seeds * people))
    return mean, mean - half, mean + half
