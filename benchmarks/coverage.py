"""How often intervals hold the true value: simulated coverage of intervals of 95 %, for 8, 16 and 30 people.

    python -m benchmarks.coverage
    python -m benchmarks.coverage --replications 4000 --resamples 999      # a steadier last digit, some minutes

Three tables. *Means*: people have effects (normal; a shifted lognormal, skewed as gains are that few people have much
of; Student's t with 3 degrees of freedom, for people far from the others) and unequal numbers of segments, with noise
within people; the true value is the mean over the population. *Ratio*: skill, (method - gain) / (psm_oracle - gain), of
correlated people's means. *Records*: noise records have effects too and are shared by all people; the true value is
the mean over both populations.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special

from cleansemg.evaluation.stats.intervals import interval_of_means, person_interval, ratio_interval, two_way_interval

FloatArray = NDArray[np.float64]
PEOPLE = (8, 16, 30)
CONFIDENCE = 0.95
ENDS = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
SD_PEOPLE_DB, SD_SEGMENTS_DB = 1.0, 3.0  # of SNR improvement, about as in the open configuration
SEGMENTS = (10, 60)  # of one person, drawn uniformly
CHUNK = 250  # replications in memory at a time
SIGMA = 0.75  # of the lognormal: skewness 3.3


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=2000)
    parser.add_argument("--resamples", type=int, default=499)
    asked = parser.parse_args()
    print(f"Of {asked.replications} replications, {asked.resamples} resamples; intervals of {CONFIDENCE:.0%}.\n")
    print("| person effects | people | " + " | ".join(MEANS) + " |")
    print("|---|---:|" + "---:|" * len(MEANS))
    for name in EFFECTS:
        for people in PEOPLE:
            shares = coverage_of_means(name, people, asked.replications, asked.resamples)
            print(f"| {name} | {people} | " + " | ".join(f"{100 * share:.1f}" for share in shares.values()) + " |")
    print("\n| person effects | people | " + " | ".join(RATIOS) + " |")
    print("|---|---:|" + "---:|" * len(RATIOS))
    for name in EFFECTS:
        for people in PEOPLE:
            shares = coverage_of_ratios(name, people, asked.replications)
            print(f"| {name} | {people} | " + " | ".join(f"{100 * share:.1f}" for share in shares.values()) + " |")
    print("\n| people | noise records | SD of records, dB | t over people | two ways |")
    print("|---:|---:|---:|---:|---:|")
    for people in PEOPLE:
        for of_records in (0.0, 0.5, 1.0):
            one, two = coverage_of_two_ways(people, 10, of_records, asked.replications // 5, asked.resamples)
            print(f"| {people} | 10 | {of_records:g} | {100 * one:.1f} | {100 * two:.1f} |")


def lognormal(standard: FloatArray) -> FloatArray:
    """Standard normal values as skewed ones, of mean 0 and standard deviation 1."""
    mean, variance = np.exp(SIGMA**2 / 2), np.expm1(SIGMA**2) * np.exp(SIGMA**2)
    shifted: FloatArray = (np.exp(SIGMA * standard) - mean) / np.sqrt(variance)
    return shifted


def heavy(standard: FloatArray) -> FloatArray:
    """Standard normal values as those of Student's t with 3 degrees of freedom, of standard deviation 1."""
    values: FloatArray = special.stdtrit(3, np.clip(special.ndtr(standard), 1e-12, 1 - 1e-12)) / np.sqrt(3)
    return values


EFFECTS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "normal": lambda standard: standard,
    "skewed": lognormal,
    "heavy-tailed": heavy,
}


def coverage_of_means(effect: str, people: int, replications: int, resamples: int) -> dict[str, float]:
    """Share of replications whose interval holds the population's mean, by `MEANS`."""
    rng = np.random.default_rng([people, *effect.encode()])
    hits = dict.fromkeys(MEANS, 0)
    for first in range(0, replications, CHUNK):
        count = min(CHUNK, replications - first)
        segments = rng.integers(SEGMENTS[0], SEGMENTS[1], size=(count, people), endpoint=True).astype(np.float64)
        effects = SD_PEOPLE_DB * EFFECTS[effect](rng.normal(size=(count, people)))
        means = effects + SD_SEGMENTS_DB * rng.normal(size=(count, people)) / np.sqrt(segments)  # [R, S]
        drawn = rng.multinomial(people, np.full(people, 1 / people), size=resamples).astype(np.float64)  # [B, S]
        for name, interval in MEANS.items():
            low, high = interval(means, segments, drawn)
            hits[name] += int(np.sum((low <= 0) & (high >= 0)))
    return {name: hit / replications for name, hit in hits.items()}


def percentile_of_mixtures(means: FloatArray, segments: FloatArray, drawn: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Percentile bootstrap over people of the mean over their segments, [R, S] -> [R] each."""
    resampled = (means * segments) @ drawn.T / (segments @ drawn.T)  # [R, B]
    low, high = np.quantile(resampled, ENDS, axis=1)
    return low, high


def percentile(means: FloatArray, segments: FloatArray, drawn: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Percentile bootstrap of the mean of people's means."""
    return percentile_of_mixtures(means, np.ones_like(segments), drawn)


def bca(means: FloatArray, segments: FloatArray, drawn: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Bias-corrected and accelerated bootstrap (Efron 1987) of the mean of people's means."""
    resampled = np.sort(means @ drawn.T / means.shape[1], axis=1)
    mean = means.mean(axis=1, keepdims=True)
    below = (resampled < mean).mean(axis=1).clip(1 / len(drawn), 1 - 1 / len(drawn))
    bias = special.ndtri(below)
    deviation = means - mean
    acceleration = (deviation**3).sum(axis=1) / (6 * (deviation**2).sum(axis=1) ** 1.5)
    limits = []
    for end in ENDS:
        shifted = bias + special.ndtri(end)
        share = special.ndtr(bias + shifted / (1 - acceleration * shifted))
        at = np.clip(np.round(share * (len(drawn) - 1)).astype(int), 0, len(drawn) - 1)
        limits.append(np.take_along_axis(resampled, at[:, None], axis=1)[:, 0])
    return limits[0], limits[1]


def bootstrap_t(means: FloatArray, segments: FloatArray, drawn: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Bootstrap-t: quantiles of the resampled mean in its own standard errors."""
    people = means.shape[1]
    mean = means.mean(axis=1, keepdims=True)
    resampled = means @ drawn.T / people  # [R, B]
    variance = (means**2) @ drawn.T / people - resampled**2
    error = np.sqrt(np.maximum(variance, 0) / (people - 1))
    # a resample of one person only has no error; it says that the mean may be anywhere
    t = np.divide(resampled - mean, error, out=np.full_like(resampled, np.inf), where=error > 1e-9)
    low, high = np.quantile(t, ENDS, axis=1)
    scale = means.std(axis=1, ddof=1) / np.sqrt(people)
    return mean[:, 0] - high * scale, mean[:, 0] - low * scale


def student(means: FloatArray, segments: FloatArray, drawn: FloatArray) -> tuple[FloatArray, FloatArray]:
    """`interval_of_means`, which the tables have."""
    _, low, high = interval_of_means(means.T, CONFIDENCE)
    return low, high


MEANS: dict[str, Callable[[FloatArray, FloatArray, FloatArray], tuple[FloatArray, FloatArray]]] = {
    "percentile, mean over mixtures": percentile_of_mixtures,
    "percentile, mean over people": percentile,
    "BCa": bca,
    "bootstrap-t": bootstrap_t,
    "t over people": student,
}


def coverage_of_ratios(effect: str, people: int, replications: int) -> dict[str, float]:
    """Share of replications whose interval holds the ratio of the populations' means, by `RATIOS`."""
    rng = np.random.default_rng([people, 1, *effect.encode()])
    hits = dict.fromkeys(RATIOS, 0)
    for _ in range(replications):
        first, second = rng.normal(size=(2, people))
        denominator = 5 + 1.5 * EFFECTS[effect](first)  # psm_oracle - gain, dB
        numerator = 1.5 + EFFECTS[effect](0.5 * first + np.sqrt(0.75) * second)  # method - gain, dB
        for name, interval in RATIOS.items():
            low, high = interval(numerator, denominator)
            hits[name] += bool(low <= 0.3 <= high)
    return {name: hit / replications for name, hit in hits.items()}


def fieller(numerator: FloatArray, denominator: FloatArray) -> tuple[float, float]:
    """`ratio_interval`, which the tables have."""
    return ratio_interval(numerator, denominator, CONFIDENCE)[1:]


def delta(numerator: FloatArray, denominator: FloatArray) -> tuple[float, float]:
    """Delta method with a t quantile."""
    ratio = numerator.mean() / denominator.mean()
    error = np.std(numerator - ratio * denominator, ddof=1) / np.sqrt(len(numerator)) / denominator.mean()
    half = special.stdtrit(len(numerator) - 1, ENDS[1]) * error
    return float(ratio - half), float(ratio + half)


def jackknife(numerator: FloatArray, denominator: FloatArray) -> tuple[float, float]:
    """Jackknife over people with a t quantile."""
    n = len(numerator)
    left_out = (numerator.sum() - numerator) / (denominator.sum() - denominator)
    error = np.sqrt((n - 1) / n * np.sum((left_out - left_out.mean()) ** 2))
    half = special.stdtrit(n - 1, ENDS[1]) * error
    ratio = numerator.mean() / denominator.mean()
    return float(ratio - half), float(ratio + half)


RATIOS: dict[str, Callable[[FloatArray, FloatArray], tuple[float, float]]] = {
    "delta method": delta, "jackknife": jackknife, "Fieller": fieller,
}  # fmt: skip


def coverage_of_two_ways(
    people: int, n_records: int, of_records: float, replications: int, resamples: int
) -> tuple[float, float]:
    """Shares of replications whose interval holds the mean: t over people, and over people and records."""
    rng = np.random.default_rng([people, n_records, round(10 * of_records)])
    one, two = 0, 0
    for seed in range(replications):
        counts = rng.integers(SEGMENTS[0], SEGMENTS[1], size=people, endpoint=True)
        who = np.repeat(np.arange(people), counts)
        record = rng.integers(n_records, size=len(who))
        values = (
            SD_PEOPLE_DB * rng.normal(size=people)[who]
            + of_records * rng.normal(size=n_records)[record]
            + SD_SEGMENTS_DB * rng.normal(size=len(who))
        )[:, None]
        _, low, high = person_interval(values, who, CONFIDENCE)
        one += bool(low[0] <= 0 <= high[0])
        names = np.char.add("ECG:", record.astype(str))
        _, low, high = two_way_interval(values, who, names, CONFIDENCE, resamples, seed)
        two += bool(low[0] <= 0 <= high[0])
    return one / replications, two / replications


if __name__ == "__main__":
    main()
