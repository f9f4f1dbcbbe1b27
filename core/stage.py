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
from cleansemg.core.fingerprint import Relation, describe_change, fingerprint, relation

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
class LastStep(Generic[P]):
    """A last step that can be done again from what a shard stores, as scoring can from stored waveforms.

    Attributes:
        code: hashes of what the step alone depends on, by file.
        work: from payload, arrays and failures of a stored shard to the whole shard, the same bytes as if made from
            the start; None where that shard does not store enough.
        what: what the line says that is done where this code alone has changed.
    """

    code: Mapping[str, str]
    work: Callable[[P, Mapping[str, NDArray[Any]], Sequence[Failure]], ShardResult | None]
    what: str


@dataclass(frozen=True)
class StageResult:
    """A finished stage."""

    artifact: Artifact
    failures: tuple[Failure, ...]
    n_new: int  # shards of this run, the others were there


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
    code: Mapping[str, str],
    last_step: LastStep[P] | None = None,
    contents: Mapping[str, str] | None = None,
    is_fit: bool = False,
    what: str = "making it again",
    failures: Sequence[Failure] = (),
    info: Mapping[str, Any] | None = None,
) -> StageResult:
    """Make an artifact, shard by shard, resuming what an interrupted run left.

    What was made by other code under the same settings is made again, and a line says so and why.

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
        code: hashes of what a result depends on beside the settings, by file (`cleansemg.core.code_identity`).
        last_step: the part of the work that can be done again alone where its code alone has changed.
        contents: hashes of inputs' contents, by name: where one is another, the work is done again, with a line.
        is_fit: what lies there was fitted, so that it is never made again without `force`.
        what: what the line says that is done where other code made what lies there.
        failures: what failed before the jobs, kept beside theirs.
        info: more for the manifest.

    Raises:
        ArtifactError: the folder holds another configuration's results, or a fit by other code, and `force` is off.
        UserError: the disk is full or not writable.
    """
    names = [job.name for job in jobs]
    if len(set(names)) != len(names):
        raise ValueError(f"{schema.name}: shard names repeat")
    wanted = fingerprint(schema, section, inputs, seed, code, last_step.code if last_step else None, contents)
    inputs = {**inputs, **(contents or {})}
    all_code = {**code, **(last_step.code if last_step else {})}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before = _before(folder, schema, wanted, options.force)
        if before is not None:
            reason = "a part was made by other code"
            if before.code:
                reason = describe_change(before.code, all_code, before.inputs, inputs)
            if is_fit:
                raise fitted_by_other_code(folder, reason)
            redo = last_step.what if last_step and before.relation == "step" else what
            log.info("%s: %s; %s", label, reason, redo)
        _clear(folder, set() if options.force else set(names))
        marker = _mark(folder) if options.scheduler else None
        make = partial(_make, folder=folder, wanted=wanted, work=work, last_step=last_step, marker=marker)
        outcomes = map_items(make, jobs, options.workers, options.scheduler)
        finished = list(progress(_committed(outcomes, folder), len(jobs), label))
        _sweep(folder)  # what a worker that died has left
        every = [*failures, *(f for outcome in finished for f in outcome.failures)]
        write_failures(folder, every)
        manifest = Manifest(
            schema=schema.name,
            schema_version=schema.version,
            fingerprint=wanted,
            seed=seed,
            inputs=dict(inputs),
            shards=tuple(outcome.shard for outcome in finished),
            n_failures=len(every),
            code=all_code,
            versions=artifact.versions(),
            info=dict(info or {}),
        )
        artifact.write_manifest(folder, manifest)
    except OSError as error:
        raise disk_error(folder, error) from error
    return StageResult(Artifact(folder, schema, manifest), tuple(every), sum(outcome.is_new for outcome in finished))


@dataclass(frozen=True)
class _Outcome:
    """What comes back from a worker about one shard."""

    shard: Shard
    failures: list[Failure]
    is_new: bool  # made in this run; False where it was there, whole
    temporary: Path | None = None  # where the shard lies until it is committed


def _committed(outcomes: Iterator[_Outcome], folder: Path) -> Iterator[_Outcome]:
    """Yield outcomes, in order, once their shards are on the disk under their names."""
    waiting: deque[Future[_Outcome]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="commit") as disk:
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


def _make(
    job: Job[P],
    folder: Path,
    wanted: str,
    work: Callable[[P], ShardResult],
    last_step: LastStep[P] | None,
    marker: str | None,
) -> _Outcome:
    """Make and write one shard, unless it is there; with `marker`, on a machine that may be another one."""
    if marker is not None and not (folder / marker).exists():
        raise UserError(
            f"a worker does not see what is written to {folder.absolute()} here; workers need the same file system, "
            "under the same path"
        )
    stored = artifact.read_stored(folder, job.name)
    difference = "settings" if stored is None else relation(stored.fingerprint, wanted)
    if stored is not None and difference == "same":
        shard = Shard(job.name, stored.count, npz.sha256(folder / f"{job.name}.npz"))
        return _Outcome(shard, stored.failures, is_new=False)
    result: ShardResult | None = None
    if stored is not None and last_step is not None and difference == "step":
        result = last_step.work(job.payload, stored.arrays, stored.failures)
    result = result or work(job.payload)
    failures = list(result.failures)
    if marker is None:
        temporary, shard = artifact.write_staged_shard(folder, job.name, result.arrays, wanted, failures)
        return _Outcome(shard, failures, is_new=True, temporary=temporary)
    # Two workers may make the same shard, after a lost connection, under one process number in two containers:
    # each writes in a staging folder of its own, and the last one replaces the other's file by the same bytes.
    staging = folder / f".{job.name}.{uuid.uuid4().hex}.tmp"
    try:
        temporary, shard = artifact.write_staged_shard(staging, job.name, result.arrays, wanted, failures)
        npz.commit(temporary, folder / f"{job.name}.npz")
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return _Outcome(shard, failures, is_new=True)


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


@dataclass(frozen=True)
class _Before:
    """What other code has left in a folder under the same settings."""

    relation: Relation  # "step" where all of it differs in the last step alone
    code: Mapping[str, str]  # empty where no manifest says it
    inputs: Mapping[str, str]


def _before(folder: Path, schema: Schema, wanted: str, force: bool) -> _Before | None:
    """What is there of other code; with `force` nothing counts. Results of other settings are refused."""
    path = folder / artifact.MANIFEST
    if force:
        return None
    manifest = artifact.read_manifest(folder, schema) if path.exists() else None
    differences: set[Relation] = set()
    if manifest is not None:
        if relation(manifest.fingerprint, wanted) == "settings":
            raise other_settings(folder)
        differences.add(relation(manifest.fingerprint, wanted))
    for shard in sorted(folder.glob("*.npz")):
        stored = artifact.stored_fingerprint(shard)
        if stored is None:
            continue
        if relation(stored, wanted) == "settings":  # of all, before the first is made
            raise other_settings(shard)
        differences.add(relation(stored, wanted))
    if not differences & {"step", "code"}:
        return None
    other = manifest if manifest is not None and manifest.fingerprint != wanted else None
    worst: Relation = "code" if "code" in differences else "step"
    return _Before(worst, other.code if other else {}, other.inputs if other else {})


def _clear(folder: Path, names: set[str]) -> None:
    """Delete the manifest, what killed processes left, and shards that are not among `names`."""
    (folder / artifact.MANIFEST).unlink(missing_ok=True)  # until this run is done, the folder must not look finished
    _sweep(folder)
    for path in folder.glob("*.npz"):
        if path.stem not in names:
            path.unlink()


def other_settings(path: Path) -> ArtifactError:
    """What lies in a folder was made under other settings."""
    return ArtifactError(
        f"{path}: made under another configuration or from other inputs; "
        "choose another --output, or start this stage over with --force"
    )


def fitted_by_other_code(folder: Path, reason: str) -> ArtifactError:
    """What lies in a folder was fitted, and its code has changed since."""
    return ArtifactError(
        f"{folder}: fitted by other code ({reason}), and what was fitted is never thrown away by itself; "
        "start it over with --force, choose another --output, or undo the change"
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
