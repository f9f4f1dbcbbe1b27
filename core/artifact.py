"""What stages hand on: a folder of npz shards beside one `manifest.json`, written last.

A shard carries the fingerprint of the stage that wrote it, so that a killed run can tell its finished shards from
those of another configuration or of other code; the manifest carries each shard's SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import invocation, npz
from cleansemg.core.errors import ArtifactError
from cleansemg.core.revision import revision

MANIFEST = "manifest.json"
META_FINGERPRINT = "meta.fingerprint"
META_FAILURES = "meta.failures"
RECORDED_LIBRARIES = ("cleansemg", "numpy", "scipy", "torch", "wfdb", "neurokit2", "numba")


@dataclass(frozen=True)
class Schema:
    """What kind of artifact a folder holds; `version` rises when the arrays change meaning."""

    name: str
    version: int
    step: str  # the command that makes it, without the options of a run

    @property
    def command(self) -> str:
        """The command that makes it in this run, for errors."""
        return invocation.command(self.step)


@dataclass(frozen=True)
class Failure:
    """One item that a stage could not process, and why."""

    item: str
    cause: str


@dataclass(frozen=True)
class Shard:
    """One npz file of an artifact: its name without suffix, its rows, the hash of its bytes."""

    name: str
    count: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The contents of `manifest.json`; `code` holds the hashes of what made it, by file (`core/code_identity.py`)."""

    schema: str
    schema_version: int
    fingerprint: str
    seed: int
    inputs: dict[str, str]
    shards: tuple[Shard, ...]
    n_failures: int
    code: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Rows in all shards."""
        return sum(shard.count for shard in self.shards)

    @cached_property
    def by_name(self) -> dict[str, Shard]:
        """Its shards by their names."""
        return {shard.name: shard for shard in self.shards}


def versions() -> dict[str, str]:
    """Versions of Python, the project and the libraries that numbers depend on, and the project's commit."""
    numbers = {"python": platform.python_version(), **revision()}
    for library in RECORDED_LIBRARIES:
        try:
            numbers[library] = version(library)
        except PackageNotFoundError:
            numbers[library] = "absent"
    return numbers


def write_shard(
    folder: Path,
    name: str,
    arrays: Mapping[str, NDArray[Any]],
    fingerprint: str,
    failures: Sequence[Failure] = (),
) -> Shard:
    """Write one shard atomically; every array has one row an item.

    Raises:
        ValueError: no arrays, or arrays of different lengths.
    """
    temporary, shard = write_staged_shard(folder, name, arrays, fingerprint, failures)
    npz.commit(temporary, folder / f"{name}.npz")
    return shard


def write_staged_shard(
    folder: Path,
    name: str,
    arrays: Mapping[str, NDArray[Any]],
    fingerprint: str,
    failures: Sequence[Failure] = (),
) -> tuple[Path, Shard]:
    """Write one shard up to the wait for the disk, which `cleansemg.core.npz.commit` does.

    Returns:
        Where the shard lies until then, and the shard.

    Raises:
        ValueError: no arrays, or arrays of different lengths.
    """
    counts = {key: len(array) for key, array in arrays.items()}
    if len(set(counts.values())) != 1:
        raise ValueError(f"shard '{name}': arrays must share their first axis, got {counts}")
    table = np.array([[f.item, f.cause] for f in failures], dtype=np.str_).reshape(-1, 2)
    meta = {META_FINGERPRINT: np.array(fingerprint), META_FAILURES: table}
    temporary, digest = npz.write_staged(folder / f"{name}.npz", {**arrays, **meta})
    return temporary, Shard(name, next(iter(counts.values())), digest)


@dataclass(frozen=True)
class StoredShard:
    """A shard of an earlier run, whole: under which fingerprint it was made, its arrays, and what failed."""

    fingerprint: str
    arrays: dict[str, NDArray[Any]]
    failures: list[Failure]

    @property
    def count(self) -> int:
        """Its rows."""
        return len(next(iter(self.arrays.values())))


def read_stored(folder: Path, name: str) -> StoredShard | None:
    """The shard of an earlier run, if it is there and whole; None where it has to be made from the start."""
    path = folder / f"{name}.npz"
    if not path.exists():
        return None
    try:
        arrays = npz.read(path)
    except ArtifactError:
        return None
    if META_FINGERPRINT not in arrays or META_FAILURES not in arrays:
        return None
    table, fingerprint = arrays.pop(META_FAILURES), str(arrays.pop(META_FINGERPRINT))
    if table.shape[1:] != (2,) or not arrays or any(array.ndim < 1 for array in arrays.values()):
        return None
    return StoredShard(fingerprint, arrays, [Failure(str(item), str(cause)) for item, cause in table])


def stored_fingerprint(path: Path) -> str | None:
    """The fingerprint of a shard, reading no more than that; None where the file is broken and will be made again."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return str(archive[META_FINGERPRINT])
    except npz.DAMAGED:  # a shard of zeros may pass for one plain array, which is no archive
        return None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `manifest.json`, the last file of a stage.

    Its entry `sha256` is the hash of its text without that entry, so that `cleansemg verify` notices a changed byte.
    """
    content = {entry.name: getattr(manifest, entry.name) for entry in fields(manifest)}
    content["shards"] = [shard.__dict__ for shard in manifest.shards]
    content["sha256"] = hashlib.sha256(_text_of(content).encode()).hexdigest()
    npz.atomic_write(folder / MANIFEST, _text_of(content).encode())


def _text_of(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


def read_manifest(folder: Path, schema: Schema) -> Manifest:
    """Read and check a manifest.

    Raises:
        ArtifactError: absent, unreadable, or of another schema; the message says what to run.
    """
    path = folder / MANIFEST
    try:
        manifest = _parse(path.read_text())
    except FileNotFoundError:
        raise ArtifactError(
            f"{path}: not there, so '{schema.name}' is missing or unfinished; run: {schema.command}"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArtifactError(f"{path}: not a manifest ({error}); run: {schema.command} --force") from None
    if (manifest.schema, manifest.schema_version) != (schema.name, schema.version):
        raise ArtifactError(
            f"{path}: holds '{manifest.schema}' version {manifest.schema_version}, "
            f"expected '{schema.name}' version {schema.version}; run: {schema.command} --force"
        )
    return manifest


@lru_cache(maxsize=8)
def _parse(text: str) -> Manifest:
    """The manifest that a text holds; a worker opens the same one for each shard, and parsing takes 4 us a shard."""
    content = json.loads(text)
    shards = tuple(Shard(**shard) for shard in content.pop("shards"))
    content.pop("sha256", None)
    manifest = Manifest(shards=shards, **content)
    _require_types(manifest)
    return manifest


def _require_types(manifest: Manifest) -> None:
    """Raises TypeError where a field is of another type than `Manifest` says, ValueError for a shard elsewhere."""
    plain = (manifest.schema, manifest.fingerprint, *manifest.inputs.keys(), *manifest.inputs.values())
    texts = (*plain, *(shard.name for shard in manifest.shards), *(shard.sha256 for shard in manifest.shards))
    numbers = (manifest.schema_version, manifest.seed, manifest.n_failures, *(shard.count for shard in manifest.shards))
    if not all(isinstance(text, str) for text in texts) or not all(type(number) is int for number in numbers):
        raise TypeError("a field of another type")
    if not all(isinstance(mapping, dict) for mapping in (manifest.info, manifest.versions, manifest.code)):
        raise TypeError("info, versions and code are mappings")
    if any(Path(shard.name).name != shard.name for shard in manifest.shards):
        raise ValueError("a shard that is not in this folder")


@dataclass(frozen=True)
class Artifact:
    """A finished artifact, opened for reading; every shard is checked against its hash."""

    folder: Path
    schema: Schema
    manifest: Manifest

    @classmethod
    def open(cls, folder: Path, schema: Schema) -> Artifact:
        """Open a folder; raises ArtifactError as `read_manifest` does."""
        return cls(folder, schema, read_manifest(folder, schema))

    def check(self, name: str) -> Shard:
        """One shard's entry, its file compared with its hash.

        Raises:
            ArtifactError: the shard is unknown, missing or altered.
        """
        shard = self.manifest.by_name.get(name)
        if shard is None:
            raise ArtifactError(f"{self.folder / MANIFEST}: has no shard '{name}'")
        path = self.folder / f"{name}.npz"
        if not path.exists():
            raise ArtifactError(f"{path}: missing; run: {self.schema.command}")
        digest = npz.sha256(path)
        if digest != shard.sha256:
            raise ArtifactError(
                f"{path}: altered (SHA-256 {digest[:12]}..., expected {shard.sha256[:12]}...); "
                f"run: {self.schema.command} --force"
            )
        return shard

    def load(self, name: str) -> dict[str, NDArray[Any]]:
        """The arrays of one shard.

        Raises:
            ArtifactError: the shard is unknown, missing, altered or of another length.
        """
        shard = self.check(name)
        path = self.folder / f"{name}.npz"
        arrays = npz.read(path)
        arrays.pop(META_FINGERPRINT, None)
        arrays.pop(META_FAILURES, None)
        if any(array.shape[:1] != (shard.count,) for array in arrays.values()):
            raise ArtifactError(f"{path}: expected {shard.count} rows; run: {self.schema.command} --force")
        return arrays

    def __iter__(self) -> Iterator[tuple[Shard, dict[str, NDArray[Any]]]]:
        for shard in self.manifest.shards:
            yield shard, self.load(shard.name)

    def columns(self, *names: str) -> dict[str, NDArray[Any]]:
        """Some columns of all shards, joined; for labels and ids, not for signals."""
        parts = [{name: arrays[name] for name in names} for _, arrays in self]
        return {name: np.concatenate([part[name] for part in parts]) for name in names}
