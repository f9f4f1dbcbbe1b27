"""One stage of a pipeline: makes the shards that are missing, keeps what failed, writes the manifest last."""

from __future__ import annotations

import csv
import errno
import io
import logging
import shutil
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray

from cleansemg.core import artifact, npz
from cleansemg.core.artifact import Artifact, Failure, Manifest, Schema, Shard
from cleansemg.core.console import progress
from cleansemg.core.errors import ArtifactError, UserError
from cleansemg.core.execution import map_items

log = logging.getLogger(__name__)
P = TypeVar("P")

FAILURES = "failures.csv"
COMMIT_AHEAD = 4  # shards that may wait for the disk; more would only fill memory


@dataclass(frozen=True)
class RunOptions:
    """How to run, as opposed to what: none of this changes a result."""

    workers: int = 1
    force: bool = False
    scheduler: str | None = None  # tcp://HOST:PORT of a Dask cluster, whose workers take the place of local processes


@dataclass(frozen=True)
class Report:
    """What a stage tells the person who ran it: a few lines, and how many items failed."""

    stage: str
    lines: tuple[str, ...]
    n_failures: int = 0


@dataclass(frozen=True)
class Job(Generic[P]):
    """One shard to make: its name and what the work function needs."""

    name: str
    payload: P


@dataclass(frozen=True)
class ShardResult:
    """What a work function returns: arrays with one row an item, and the items that failed."""

    arrays: Mapping[str, NDArray[Any]]
    failures: Sequence[Failure] = ()


@dataclass(frozen=True)
class StageResult:
    """A finished stage."""

    artifact: Artifact
    failures: tuple[Failure, ...]
    n_made: int  # shards made now, the others were there


def run_stage(
    folder: Path,
    schema: Schema,
    jobs: Sequence[Job[P]],
    work: Callable[[P], ShardResult],
    *,
    section: Any,
    inputs: Mapping[str, str],
    seed: int,
    options: RunOptions,
    label: str,
    failures: Sequence[Failure] = (),
    info: Mapping[str, Any] | None = None,
) -> StageResult:
    """Make an artifact, shard by shard, resuming what an interrupted run left.

    Workers read back what is there, make what is missing, and write it; what comes back is a line a shard. A shard
    has its name once it is on the disk, which a thread here waits for while the next ones are made.

    Args:
        folder: where the artifact lies.
        schema: what it is.
        jobs: the shards, each with the payload of `work`; names must be unique.
        work: a pure, picklable function from payload to arrays.
        section: the settings that decide the result (anything JSON can hold).
        inputs: fingerprints of what the stage reads, by name.
        seed: the configuration's seed.
        options: workers, force and scheduler.
        label: what the progress line says.
        failures: what failed before the jobs, kept beside theirs.
        info: more for the manifest.

    Raises:
        ArtifactError: the folder holds another configuration's results and `force` is off.
        UserError: the disk is full or not writable.
    """
    names = [job.name for job in jobs]
    if len(set(names)) != len(names):
        raise ValueError(f"{schema.name}: shard names repeat")
    own = artifact.fingerprint(schema, section, inputs, seed)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _prepare(folder, schema, own, set(names), options.force)
        marker = _mark(folder) if options.scheduler else None
        make = partial(_make, folder=folder, own=own, work=work, marker=marker)
        outcomes = map_items(make, jobs, options.workers, options.scheduler)
        finished = list(progress(_committed(outcomes, folder), len(jobs), label))
        _sweep(folder)  # what a worker that died has left
        every = [*failures, *(f for outcome in finished for f in outcome.failures)]
        write_failures(folder, every)
        manifest = Manifest(
            schema=schema.name,
            schema_version=schema.version,
            fingerprint=own,
            seed=seed,
            inputs=dict(inputs),
            shards=tuple(outcome.shard for outcome in finished),
            n_failures=len(every),
            versions=artifact.versions(),
            info=dict(info or {}),
        )
        artifact.write_manifest(folder, manifest)
    except OSError as error:
        raise disk_error(folder, error) from error
    return StageResult(Artifact(folder, schema, manifest), tuple(every), sum(outcome.made for outcome in finished))


@dataclass(frozen=True)
class _Outcome:
    """What comes back from a worker about one shard."""

    shard: Shard
    failures: list[Failure]
    made: bool  # now, or found whole
    temporary: Path | None = None  # where the shard lies until it is settled


def _committed(outcomes: Iterator[_Outcome], folder: Path) -> Iterator[_Outcome]:
    """Yield outcomes, in order, once their shards are on the disk under their names."""
    waiting: deque[Future[_Outcome]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="settle") as disk:
        for outcome in outcomes:
            waiting.append(disk.submit(_commit, outcome, folder))
            while len(waiting) > COMMIT_AHEAD or (waiting and waiting[0].done()):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _commit(outcome: _Outcome, folder: Path) -> _Outcome:
    if outcome.temporary is not None:
        npz.commit(outcome.temporary, folder / f"{outcome.shard.name}.npz")
    return outcome


def _make(job: Job[P], folder: Path, own: str, work: Callable[[P], ShardResult], marker: str | None) -> _Outcome:
    """Make and write one shard, unless it is there; with `marker`, on a machine that may be another one."""
    if marker is not None and not (folder / marker).exists():
        raise UserError(
            f"a worker does not see what is written to {folder.absolute()} here; workers need the same file system, "
            "under the same path"
        )
    found = artifact.inspect_shard(folder, job.name, own)
    if found is not None:
        return _Outcome(*found, made=False)
    made = work(job.payload)
    failures = list(made.failures)
    if marker is None:
        temporary, shard = artifact.write_staged_shard(folder, job.name, made.arrays, own, failures)
        return _Outcome(shard, failures, made=True, temporary=temporary)
    # Two workers may make the same shard, after a lost connection, under one process number in two containers:
    # each writes in a staging folder of its own, and the last one replaces the other's file by the same bytes.
    staging = folder / f".{job.name}.{uuid.uuid4().hex}.tmp"
    try:
        temporary, shard = artifact.write_staged_shard(staging, job.name, made.arrays, own, failures)
        npz.commit(temporary, folder / f"{job.name}.npz")
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return _Outcome(shard, failures, made=True)


def _mark(folder: Path) -> str:
    """A file that only a worker on the same file system can see; the sweep takes it away."""
    marker = f".run.{uuid.uuid4().hex}.tmp"
    (folder / marker).touch()
    return marker


def _sweep(folder: Path) -> None:
    """Delete what killed processes left of unfinished writes, and the marker."""
    for path in folder.glob(".*.tmp"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)  # its owner may be deleting it, too
        else:
            path.unlink(missing_ok=True)


def _prepare(folder: Path, schema: Schema, own: str, names: set[str], force: bool) -> None:
    """Clear the folder with `force`; otherwise refuse results that are not this stage's own."""
    manifest = folder / artifact.MANIFEST
    if not force and manifest.exists() and artifact.read_manifest(folder, schema).fingerprint != own:
        raise ArtifactError(
            f"{folder}: made under another configuration or from other inputs; "
            "choose another --output, or start this stage over with --force"
        )
    manifest.unlink(missing_ok=True)  # until this run is done, the folder must not look finished
    _sweep(folder)
    for path in sorted(folder.glob("*.npz")):
        if force:
            path.unlink()
            continue
        _require_own(path, own)  # of all, before the first is made
        if path.stem not in names:
            path.unlink()


def _require_own(path: Path, own: str) -> None:
    """Refuse a shard of another fingerprint, reading no more than that; what is broken will be made again."""
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as archive:
            found = str(archive[artifact.META_FINGERPRINT])
    except npz.DAMAGED:  # a shard of zeros may pass for one plain array, which is no archive
        return
    if found != own:
        raise ArtifactError(
            f"{path}: made under another configuration or from other inputs; "
            "choose another --output, or start this stage over with --force"
        )


def write_failures(folder: Path, failures: Sequence[Failure]) -> None:
    """Write `failures.csv`: item and cause, the header alone when nothing failed."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["item", "cause"])
    writer.writerows([f.item, f.cause] for f in failures)
    npz.atomic_write(folder / FAILURES, text.getvalue().encode())


def disk_error(folder: Path, error: OSError) -> UserError:
    """The user's version of a failed write."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(f"{folder}: the disk is full; free some space and run again, finished parts are kept")
    return UserError(f"{error.filename or folder}: {error.strerror or error}")
