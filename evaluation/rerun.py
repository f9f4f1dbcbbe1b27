"""Denoises rows of a finished run again, and compares the waveforms with the digests that the run has kept.

`cleansemg verify` computes metrics anew where waveforms were kept, and runs no denoiser. The headline stands on a set
whose waveforms are too many to keep, so its rows can be made again: with `cleansemg verify RESULTS --rerun N`. This
builds what the results' configuration names, so it is for results of one's own, or of somebody one trusts.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from cleansemg.core import config
from cleansemg.core.artifact import Artifact
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.evaluation import evaluating, metrics
from cleansemg.evaluation.candidates import Candidate, candidates
from cleansemg.evaluation.scoring import SCHEMA, ScoreJob, denoised_shard, waveform_digests
from cleansemg.evaluation.test_data import TestData
from cleansemg.evaluation.verification import Finding
from cleansemg.evaluation.verification.findings import Track, untracked

HEADLINE = "SNRimp"
LAST_DIGITS_DB = 0.02  # what other processors' arithmetic changes of a network's score


def rerun(results: Path, n_rows: int, track: Track = untracked) -> Finding:
    """Denoise `n_rows` rows of every denoised set again, drawn from the system's entropy.

    A shard is denoised whole, as the run did, and the drawn rows of it are compared. Equal waveforms have equal
    digests. Where digests differ but the scores agree within 0.02 dB, the last digits of another processor are the
    likely cause, and the finding says so; anything else is a problem.

    Raises:
        UserError: the folder has no tables, or a denoiser of its configuration can't be built.
    """
    saved = Layout(results).tables / "config.yaml"
    if not saved.is_file():
        raise UserError(f"{saved}: not there, so nothing says which denoisers to run; make the tables first")
    settings, layout = config.load(saved), Layout(results)
    rows = candidates(settings, layout, parameters=evaluating.calibrated(settings, layout))
    finding = Finding("rerun")
    seed = secrets.randbits(63)
    rng = np.random.default_rng(seed)
    n_same = n_near = 0
    pairs = list(_evaluated(layout, rows))
    for candidate, folder in track(pairs, len(pairs), "rerun"):
        data = TestData.open(layout.test_data(folder.name))
        for shard, at in _drawn(Artifact.open(folder, SCHEMA), n_rows, rng):
            job = ScoreJob(candidate, data, shard, settings.evaluate.profiles, keep_waveforms=False)
            same, near, wrong = _compare(job, Artifact.open(folder, SCHEMA), at)
            n_same, n_near = n_same + same, n_near + near
            finding.problems += [f"{folder}/{shard}.npz, row {row}: {text}" for row, text in wrong]
    finding.summary = (
        f"{n_same} rows of {len(pairs)} denoised sets, drawn by {seed}, denoised again to the same waveforms"
    )
    if n_near:
        finding.notes.append(f"{n_near} more rows differ in last digits, and by less than {LAST_DIGITS_DB:g} dB")
    return finding


def _evaluated(layout: Layout, rows: Sequence[Candidate]) -> Iterator[tuple[Candidate, Path]]:
    for candidate in rows:
        parent = layout.root / "denoised" / candidate.label / candidate.track
        for manifest in sorted(parent.glob("*/manifest.json")):
            yield candidate, manifest.parent


def _drawn(artifact: Artifact, n_rows: int, rng: np.random.Generator) -> list[tuple[str, list[int]]]:
    """Rows of a set, drawn without replacement, by shard."""
    ends = np.cumsum([shard.count for shard in artifact.manifest.shards])
    drawn = np.sort(rng.permutation(int(ends[-1]))[:n_rows])
    where = np.searchsorted(ends, drawn, side="right")
    shards = artifact.manifest.shards
    return [
        (shards[i].name, (drawn[where == i] - (ends[i] - shards[i].count)).tolist()) for i in np.unique(where).tolist()
    ]


def _compare(job: ScoreJob, artifact: Artifact, at: Sequence[int]) -> tuple[int, int, list[tuple[int, str]]]:
    """How many rows are the same and nearly the same, and what is wrong with the others."""
    table, stored = job.data.load(job.shard), artifact.load(job.shard)
    denoised, causes = denoised_shard(job, table)
    digests = waveform_digests(denoised)
    profile = job.profiles[0]
    same = near = 0
    wrong: list[tuple[int, str]] = []
    for row in at:
        if (causes[row] is not None) != bool(stored["failed"][row]):
            wrong.append((row, f"failed before or now, not both: {causes[row] or 'it has a result now'}"))
        elif causes[row] is not None or np.array_equal(digests[row], stored["digest"][row]):
            same += 1
        else:
            clean, noisy = (np.asarray(table[name])[row : row + 1] for name in ("clean", "noisy"))
            fs_hz, now = float(table["fs_hz"][row]), denoised[row : row + 1]
            score = metrics.compute(clean, noisy, now, fs_hz, profile, metrics=[HEADLINE])[HEADLINE][0]
            before = float(stored[f"{profile}.{HEADLINE}"][row])
            if abs(score - before) <= LAST_DIGITS_DB:
                near += 1
            else:
                wrong.append((row, f"{HEADLINE} is {score:.3f} dB now, {before:.3f} dB is stored"))
    return same, near, wrong
