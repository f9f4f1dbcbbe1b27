"""How long the statistics take: the bootstrap of Table 1 at its largest, and all paired tests of a track.

    python -m benchmarks.bootstrap

The bootstrap of 10,000 resamples over 100,000 segments of 40 subjects and 9 metrics, as `subject_bootstrap` takes it
(sums by subject once) beside a plain one (segments gathered for every resample, timed on 20 and scaled up), then 16
denoisers on the same segments: every pair with interval, test and correction, and Nemenyi's test of their ranks.
Seconds of processor time, median of three.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from cleansemg.evaluation.scores import Scores
from cleansemg.evaluation.settings import Tables
from cleansemg.evaluation.stats.bootstrap import subject_bootstrap
from cleansemg.evaluation.stats.comparisons import all_pairs, subject_means
from cleansemg.evaluation.stats.ranks import rank
from cleansemg.settings import Settings

RESAMPLES, SEGMENTS, SUBJECTS, METRICS, DENOISERS = 10_000, 100_000, 40, 9, 16
PLAIN_RESAMPLES = 20


def main() -> None:
    """Print a row a task."""
    rng = np.random.default_rng(0)
    subject = np.array([f"database/S{i:03d}" for i in range(SUBJECTS)])[rng.integers(SUBJECTS, size=SEGMENTS)]
    values = rng.normal(size=(SEGMENTS, METRICS))
    settings = Settings(tables=Tables(bootstrap_resamples=RESAMPLES))
    rows = [_scores(f"d{i}", subject, rng.normal(0.1 * i, 1, SEGMENTS)) for i in range(DENOISERS)]
    plain = _seconds(lambda: _plain(values, subject)) * RESAMPLES / PLAIN_RESAMPLES
    print("| what | seconds |\n|---|---:|")
    print(f"| bootstrap, plain (scaled from {PLAIN_RESAMPLES} resamples) | {plain:.0f} |")
    fast = _seconds(lambda: subject_bootstrap(values, subject, RESAMPLES, 0.95, 1))
    print(f"| bootstrap, sums by subject | {fast:.2f} |")
    pairs = _seconds(lambda: all_pairs(rows, "standard", "SNRimp", settings))
    print(f"| {DENOISERS * (DENOISERS - 1) // 2} paired comparisons | {pairs:.2f} |")
    labels = [scores.label for scores in rows]
    ranks = _seconds(lambda: rank(labels, subject_means(rows, "standard", "SNRimp")[1]))
    print(f"| ranks and Nemenyi's test | {ranks:.2f} |")


def _scores(label: str, subject: np.ndarray, snrimp: np.ndarray) -> Scores:
    n = len(subject)
    return Scores(
        label=label, track="blind", snr_db=np.zeros(n), n_kinds=np.ones(n, np.int64), kinds=np.zeros((n, 5), np.bool_),
        subject=subject, failed=np.zeros(n, np.bool_), values={"standard.SNRimp": snrimp},
    )  # fmt: skip


def _plain(values: np.ndarray, subject: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    rows = [np.flatnonzero(subject == name) for name in np.unique(subject)]
    means = [
        values[np.concatenate([rows[i] for i in rng.integers(len(rows), size=len(rows))])].mean(axis=0)
        for _ in range(PLAIN_RESAMPLES)
    ]
    np.quantile(means, [0.025, 0.975], axis=0)


def _seconds(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(3):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return statistics.median(taken)


if __name__ == "__main__":
    main()
