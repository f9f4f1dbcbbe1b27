"""Runs all checks in order, and lists the files that none of them covers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from cleansemg.core.errors import UserError
from cleansemg.evaluation.verification import chain, draws, mixtures, parts, scores, shards, sources, tables, tasks
from cleansemg.evaluation.verification.findings import Finding, Track, untracked
from cleansemg.evaluation.verification.folders import Results, open_results

SAMPLE = 50  # number of mixtures of each denoiser whose metrics are recomputed


def verify(root: Path, sample: int = SAMPLE, track: Track = untracked) -> Iterator[Finding]:
    """Check a folder of results, of the benchmark or of a task.

    Args:
        root: the folder, as `--output` of `cleansemg run` names it.
        sample: number of mixtures of each denoiser whose metrics are recomputed from waveforms.
        track: shows the progress of a check.

    Yields:
        The finding of each check as soon as it is available. What a check cannot read is a problem of that check.

    Raises:
        UserError: there are no results in the folder.
    """
    results = open_results(Path(root))
    covered: set[Path] = set()
    for name, run in _checks(results, sample, track):
        try:
            outcome = run()
        except Exception as error:  # noqa: BLE001 - what a check stumbles over is a failure of that check, and is said
            text = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            outcome = Finding(name, problems=[f"{results.root}: could not be checked: {text[:500]}"])
        for finding in outcome if isinstance(outcome, list) else [outcome]:
            covered |= finding.covered
            yield finding
    yield _uncovered(results, covered)


def _checks(results: Results, sample: int, track: Track) -> list[tuple[str, Callable[[], Finding | list[Finding]]]]:
    return [
        ("hashes", partial(shards.check, results, track)),
        ("inputs", partial(chain.check, results)),
        ("code", partial(sources.check, results)),
        ("grades", partial(parts.check_grades, results)),
        ("subjects", partial(parts.check_segments, results, track)),
        ("noise", partial(parts.check_noise, results, track)),
        ("mixtures", partial(mixtures.check, results, track)),
        ("draws", partial(draws.check, results, track)),
        ("export", partial(scores.check_export, results)),
        ("metrics", partial(scores.check, results, sample, track)),
        ("tables", partial(tables.check, results)),
        ("streams", partial(tasks.check_streams, results, track)),
        ("people", partial(tasks.check_answers, results, track)),
    ]


def _uncovered(results: Results, covered: set[Path]) -> Finding:
    """Finding `rest`: the files that no check compared with anything, by suffix (pictures, logs and the like)."""
    files = [path for path in results.root.rglob("*") if path.is_file() and path not in covered]
    kinds = Counter(path.suffix or path.name for path in files)
    if not files:
        return Finding("rest")
    text = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return Finding("rest", notes=[f"{len(files)} files that no check covers: {text}"])
