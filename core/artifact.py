"""What stages hand on: a folder of npz shards beside one `manifest.json`, written last.

A shard carries the fingerprint of the stage that wrote it, so that a killed run can tell its own
finished shards from another configuration's; the manifest carries each shard's SHA-256.
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

from cleansemg.core import npz
from cleansemg.core.errors import ArtifactError

MANIFEST = "manifest.json"
META_FINGERPRINT = "meta.fingerprint"
META_FAILURES = "meta.failures"
RECORDED_LIBRARIES = ("cleansemg", "numpy", "scipy", "torch", "wfdb", "neurokit2", "numba")


@dataclass(frozen=True)
class Schema:
    """What kind of artifact a folder holds; `version` rises when the arrays change meaning."""

    name: str
    version: int
    command: str  # the command that makes it, named in errors


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
    """The contents of `manifest.json`."""

    schema: str
    schema_version: int
    fingerprint: str
    seed: int
    inputs: dict[str, str]
    shards: tuple[Shard, ...]
    n_failures: int
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


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)


def fingerprint(schema: Schema, section: Any, inputs: Mapping[str, str], seed: int) -> str:
    """Hash of what decides a stage's results: its settings, its inputs, its schema, the seed."""
    identity = [schema.name, schema.version, section, dict(inputs), seed]
    return hashlib.sha256(canonical_json(identity).encode()).hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python, the project and the libraries that numbers depend on."""
    found = {"python": platform.python_version()}
    for library in RECORDED_LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "absent"
    return found


def write_shard(
    folder: Path,
    name: str,
    arrays: Mapping[str, NDArray[Any]],
    own_fingerprint: str,
    failures: Sequence[Failure] = (),
) -> Shard:
    """Write one shard atomically; every array has one row an item.

    Raises:
        ValueError: no arrays, or arrays of different lengths.
    """
    temporary, shard = write_staged_shard(folder, name, arrays, own_fingerprint, failures)
    npz.commit(temporary, folder / f"{name}.npz")
    return shard


def write_staged_shard(
    folder: Path,
    name: str,
    arrays: Mapping[str, NDArray[Any]],
    own_fingerprint: str,
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
    meta = {META_FINGERPRINT: np.array(own_fingerprint), META_FAILURES: table}
    temporary, digest = npz.write_staged(folder / f"{name}.npz", {**arrays, **meta})
    return temporary, Shard(name, next(iter(counts.values())), digest)


def inspect_shard(folder: Path, name: str, own_fingerprint: str) -> tuple[Shard, list[Failure]] | None:
    """The shard of an earlier run, if it is there and whole; None if it has to be made.

    Raises:
        ArtifactError: the shard was written under another fingerprint.
    """
    path = folder / f"{name}.npz"
    if not path.exists():
        return None
    try:
        arrays = npz.read(path)
    except ArtifactError:
        return None
    if META_FINGERPRINT not in arrays or META_FAILURES not in arrays:
        return None
    if str(arrays[META_FINGERPRINT]) != own_fingerprint:
        raise ArtifactError(
            f"{path}: made under another configuration or from other inputs; "
            "choose another --output, or start this stage over with --force"
        )
    table = arrays.pop(META_FAILURES)
    arrays.pop(META_FINGERPRINT)
    if table.shape[1:] != (2,) or not arrays or any(array.ndim < 1 for array in arrays.values()):
        return None
    failures = [Failure(str(item), str(cause)) for item, cause in table]
    count = len(next(iter(arrays.values())))
    return Shard(name, count, npz.sha256(path)), failures


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `manifest.json`, the last file of a stage."""
    content = {entry.name: getattr(manifest, entry.name) for entry in fields(manifest)}
    content["shards"] = [shard.__dict__ for shard in manifest.shards]
    text = json.dumps(content, indent=1, sort_keys=True) + "\n"
    npz.atomic_write(folder / MANIFEST, text.encode())


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
    if not isinstance(manifest.info, dict) or not isinstance(manifest.versions, dict):
        raise TypeError("info and versions are mappings")
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
        found = npz.sha256(path)
        if found != shard.sha256:
            raise ArtifactError(
                f"{path}: altered (SHA-256 {found[:12]}..., expected {shard.sha256[:12]}...); "
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
