"""One stage of a pipeline: makes the shards that are missing, keeps what failed, writes the manifest last."""

from __future__ import annotations

import csv
import errno
import io
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray

from core import artifact, npz
from core.artifact import Artifact, Failure, Manifest, Schema, Shard
from core.console import progress
from core.errors import ArtifactError, UserError
from core.execution import map_items

log = logging.getLogger(__name__)
P = TypeVar("P")

FAILURES = "failures.csv"


@dataclass(frozen=True)
class RunOptions:
    """How to run, as opposed to what: none of this changes a result."""

    workers: int = 1
    force: bool = False


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
class Made:
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
    work: Callable[[P], Made],
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

    Args:
        folder: where the artifact lies.
        schema: what it is.
        jobs: the shards, each with the payload of `work`; names must be unique.
        work: a pure, picklable function from payload to arrays.
        section: the settings that decide the result (anything JSON can hold).
        inputs: fingerprints of what the stage reads, by name.
        seed: the configuration's seed.
        options: workers and force.
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
        done = {job.name: artifact.inspect_shard(folder, job.name, own) for job in jobs}
        missing = [job for job in jobs if done[job.name] is None]
        make = partial(_make, folder=folder, own=own, work=work)
        made = map_items(make, missing, options.workers)
        done.update(progress(made, len(missing), label))
        finished = [outcome for outcome in (done[name] for name in names) if outcome is not None]
        every = [*failures, *(f for _, shard_failures in finished for f in shard_failures)]
        write_failures(folder, every)
        manifest = Manifest(
            schema=schema.name,
            schema_version=schema.version,
            fingerprint=own,
            seed=seed,
            inputs=dict(inputs),
            shards=tuple(shard for shard, _ in finished),
            n_failures=len(every),
            versions=artifact.versions(),
            info=dict(info or {}),
        )
        artifact.write_manifest(folder, manifest)
    except OSError as error:
        raise disk_error(folder, error) from error
    return StageResult(Artifact(folder, schema, manifest), tuple(every), len(missing))


def _make(job: Job[P], folder: Path, own: str, work: Callable[[P], Made]) -> tuple[str, tuple[Shard, list[Failure]]]:
    made = work(job.payload)
    shard = artifact.write_shard(folder, job.name, made.arrays, own, made.failures)
    return job.name, (shard, list(made.failures))


def _prepare(folder: Path, schema: Schema, own: str, names: set[str], force: bool) -> None:
    """Clear the folder with `force`; otherwise refuse results that are not this stage's own."""
    manifest = folder / artifact.MANIFEST
    if not force and manifest.exists() and artifact.read_manifest(folder, schema).fingerprint != own:
        raise ArtifactError(
            f"{folder}: made under another configuration or from other inputs; "
            "choose another --output, or start this stage over with --force"
        )
    manifest.unlink(missing_ok=True)  # until this run is done, the folder must not look finished
    for path in folder.glob(".*.tmp"):
        path.unlink()
    for path in folder.glob("*.npz"):
        if force:
            path.unlink()
        elif path.stem not in names:
            artifact.inspect_shard(folder, path.stem, own)  # raises when it is somebody else's
            path.unlink()


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
